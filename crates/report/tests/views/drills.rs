//! What a drill proved.

use report::{DrillReport, text, text::Style};

fn evidence() -> DrillReport {
    let body = serde_json::json!({
        "schema": "seaworthy.evidence/1",
        "set": "20261121T030000Z-7f3a91c2", "manifest_sha256": "00", "stack": "blog", "shape": "prod",
        "began_at": "2026-11-21T11:00:00Z", "ended_at": "2026-11-21T11:00:30Z", "level": "L4",
        "phases": [{"name": "keys", "ms": 1000}, {"name": "data", "ms": 14000}, {"name": "app", "ms": 7000}],
        "recovery_point": {"heartbeat": "2026-11-21T02:59:58Z", "if_lost_now_ms": 28_802_000, "capture_lag_ms": 2000},
        "recovery_ms": 22_000, "recovery_point_target_ms": 86_400_000, "recovery_target_ms": 3_600_000,
        "counts": [{"object": "db", "table": "events", "captured": 7, "restored": 7}],
        "canaries": [{"key": "atrest", "decrypts": true}],
        "probes": [{"probe": "GET /health/ready", "saw": "200", "passed": true}],
        "sizes": [{"object": "db.postgres.dump.zst.age", "plain_bytes": 9000, "sealed_bytes": 2048}],
        "tool": "0.1.0",
    });
    serde_json::from_value(body).expect("evidence as it is signed")
}

#[test]
fn a_drill_says_what_it_proved_and_both_figures() {
    let expected = "\
set 20261121T030000Z-7f3a91c2: 1 object, 2.0 KiB sealed
  restored in 22s: keys 1.0s · data 14s · app 7.0s
  ✓ 1 canary decrypts
  ✓ 1 table, row counts match the manifest
  ✓ heartbeat 2026-11-21T02:59:58Z, 8h 00m before the drill
  ✓ 1 of 1 probe answered
proven to L4: RPO if lost now 8h 00m of 1d 0h (capture lag 2.0s) · RTO 22s of 1h 00m
evidence, signed: drills/2026-11-21.json
";
    assert_eq!(text::drill(&evidence(), Some("drills/2026-11-21.json"), Style::PLAIN), expected);
}

#[test]
fn a_table_that_differs_is_named_and_a_missed_target_is_said() {
    let mut evidence = evidence();
    evidence.counts[0].restored = Some(6);
    evidence.recovery_target_ms = Some(10_000);
    let text = text::drill(&evidence, None, Style::PLAIN);
    assert!(text.contains("✗ 1 table, row counts differ in events\n"), "{text}");
    assert!(text.contains("proven to L4, outside its targets: RPO"), "{text}");
}
