//! What a drill proved, and what it says where that is not the whole set.

use std::{collections::BTreeMap, time::Duration};

use diag::Exit;
use plan::{
    Action, Effect, Entry, Outcome, Output, Plan, ProbeSeen, RestorePart, Verb,
    proof::Goal,
    set::{Canary, MANIFEST_SCHEMA, Manifest, Object, Role, SetId},
};
use report::{RunReport, Told, run_report, text, text::Style};
use stack::{Probe, ProbeKind, StackName, State, StateKind, Transit};

use crate::samples::{at, fold, plan_of, step};

const SET: &str = "20261121T030000Z-7f3a91c2";

#[test]
fn a_drill_says_what_it_proved_and_both_figures() {
    let expected = "\
set 20261121T030000Z-7f3a91c2: 2 objects, 4.0 KiB sealed
  restored in 22s: keys 2s · data 14s · app 6s
  ✓ 1 canary decrypts
  ✓ 1 table, row counts match the manifest
  ✓ heartbeat 2026-11-21T02:59:58Z, 7h before the drill
  ✓ 1 of 1 probe answered
proven to L4: RPO if lost now 7h of 1d (capture lag 2s) · RTO 22s of 1h
evidence, signed: evidence/1.json
";
    let report = drilled(&["bao", "db", "web"], 3600);
    assert_eq!((text::outcome(&report, Style::PLAIN).as_str(), report.exit), (expected, Exit::Done));
}

#[test]
fn a_drill_without_the_application_proves_the_set_and_says_what_else_was_not_tried() {
    let report = drilled(&["bao", "db"], 3600);
    let text = text::outcome(&report, Style::PLAIN);
    assert!(text.contains("  · not proven: `web` was not started\nproven to L3: RPO"), "{text}");
    assert_eq!(report.exit, Exit::Done);
}

#[test]
fn a_drill_that_leaves_the_keys_out_is_not_green() {
    let expected = "\
error: set 20261121T030000Z-7f3a91c2 is not proven: what is in it was not all tried
set 20261121T030000Z-7f3a91c2: 2 objects, 4.0 KiB sealed
  restored in 20s: data 14s · app 6s
  ✓ 1 table, row counts match the manifest
  ✓ heartbeat 2026-11-21T02:59:58Z, 7h before the drill
  ✓ 1 of 1 probe answered
  ✗ not proven: the canary of `atrest` was not decrypted
  ✗ not proven: `bao.keystore.zst.age` was not brought back
  · not proven: `bao` was not started
proven to L2 alone, outside its targets: RPO if lost now 7h of 1d (capture lag 2s) · RTO 20s of 10s
evidence, signed: evidence/1.json
hint: `[drill] services` leaves out what holds keys or data: name it, or leave the list empty
";
    let report = drilled(&["db", "web"], 10);
    assert_eq!((text::outcome(&report, Style::PLAIN).as_str(), report.exit), (expected, Exit::Findings));
}

#[test]
fn a_drill_whose_journal_holds_no_proof_is_not_green() {
    let mut plan = drill(&["bao", "db", "web"], 3600);
    plan.steps.retain(|step| step.kind != "evidence");
    let report = report(&plan);
    assert_eq!((report.evidence, report.exit), (None, Exit::Findings));
}

#[test]
fn a_drill_is_told_in_the_document_of_every_run() {
    let document: serde_json::Value =
        serde_json::from_str(&report::json(&drilled(&["db", "web"], 3600))).expect("JSON");
    let of = |pointer: &str| document.pointer(pointer).cloned().unwrap_or_default();
    assert_eq!((of("/schema"), of("/exit")), ("seaworthy.run/1".into(), 1.into()));
    assert_eq!((of("/evidence/schema"), of("/evidence/level")), ("seaworthy.evidence/1".into(), "L2".into()));
    assert_eq!(of("/evidence/not_proven/0"), serde_json::json!({"gap": "canary", "key": "atrest"}));
    assert_eq!(of("/wrote/0"), "evidence/1.json");
}

/// The report of a drill that went well, with these services in it.
fn drilled(services: &[&str], recovery_target_secs: u64) -> RunReport {
    report(&drill(services, recovery_target_secs))
}

fn report(plan: &Plan) -> RunReport {
    let mut entries = vec![Entry::Began { at: at(0.0), epoch: None }];
    let mut now = 0.0;
    for step in &plan.steps {
        entries.push(Entry::Started { step: step.id.clone(), at: at(now) });
        now += match step.kind.as_str() {
            "canaries" => 2.0,
            "restore" => 14.0,
            "probe" => 6.0,
            _ => 0.0,
        };
        entries.push(Entry::Succeeded { step: step.id.clone(), at: at(now), output: output(&step.action) });
    }
    entries.push(Entry::Ended { at: at(now), outcome: Outcome::Applied });
    run_report(plan, &fold(plan, &entries), Told { run: Some("r5"), diagnostics: &[] })
}

fn drill(services: &[&str], recovery_target_secs: u64) -> Plan {
    let set = SetId(SET.to_owned());
    let part = |service: &str, part: RestorePart| Action::Restore {
        set: set.clone(),
        service: service.into(),
        container: format!("blog-drill-{service}-1"),
        part,
    };
    let transit = Transit {
        key: "atrest".to_owned(),
        port: 8200,
        shares: 3,
        threshold: 2,
        holders: Vec::new(),
        credential: "app".into(),
        volume: None,
        dev_token: None,
    };
    let postgres = StateKind::Postgres { database: "app".to_owned(), user: "postgres".to_owned() };
    let mut steps = vec![("verify", SET, Action::VerifySet { set: set.clone() })];
    let place = |service: &'static str| {
        let container = plan::Container {
            name: format!("blog-drill-{service}-1"),
            stack: StackName::from("blog-drill"),
            service: service.into(),
            number: 1,
            release: 1,
            image_id: None,
            identity: String::new(),
            settings: stack::Service::default(),
            networks: BTreeMap::new(),
            mounts: Vec::new(),
            files: Vec::new(),
            labels: BTreeMap::new(),
        };
        let start = Effect::Start { container: container.name.clone() };
        [Effect::Create { container: Box::new(container) }, start]
            .map(|effect| ("place", service, Action::Engine { effect }))
    };
    if services.contains(&"bao") {
        steps.extend(place("bao"));
        steps.push(("keys", "bao", part("bao", RestorePart::KeyStore { transit: transit.clone() })));
        steps.push(("canaries", "bao", part("bao", RestorePart::Canaries { transit })));
    }
    steps.extend(place("db"));
    let state = State { kind: postgres, heartbeat: None };
    steps.push(("restore", "db", part("db", RestorePart::State { state })));
    if services.contains(&"web") {
        steps.extend(place("web"));
    }
    let asked = if services.contains(&"web") { "web" } else { "db" };
    let kind = ProbeKind::Tcp;
    let probes = vec![Probe { port: Some(80), ..Probe::new(kind) }];
    let (container, deadline) = (format!("blog-drill-{asked}-1"), Duration::from_secs(60));
    steps.push(("probe", asked, Action::Probe { service: asked.into(), container, probes, deadline }));
    let goal = Goal {
        services: ["bao", "db", "web"].map(Into::into).into(),
        rpo: Some(Duration::from_secs(86_400)),
        rto: Some(Duration::from_secs(recovery_target_secs)),
    };
    steps.push(("evidence", SET, Action::WriteEvidence { set: set.clone(), goal }));
    let numbered = steps.into_iter().enumerate().map(|(at, (kind, subject, action))| {
        let mut step = step(kind, subject, "a drill", action);
        step.id.0 = format!("{at}-{kind}");
        step
    });
    let mut plan = plan_of(Verb::Drill, numbered.collect());
    plan.set = Some(set);
    plan
}

fn output(action: &Action) -> Output {
    match action {
        Action::VerifySet { .. } => Output::Manifest {
            manifest: Box::new(manifest()),
            sha256: "00".to_owned(),
            target: "/mnt/backups".to_owned(),
        },
        Action::Restore { part: RestorePart::Canaries { .. }, .. } => {
            Output::Canaries { canaries: manifest().canaries }
        }
        Action::Restore { part: RestorePart::State { .. }, .. } => Output::Restored {
            counts: [("events".to_owned(), 7)].into(),
            heartbeat: Some("2026-11-21T02:59:58Z".parse().expect("a timestamp")),
        },
        Action::Probe { .. } => {
            let seen =
                ProbeSeen { probe: "GET /health/ready".to_owned(), saw: "200".to_owned(), degraded: false };
            Output::Probed { seen: vec![seen], attempts: 1 }
        }
        Action::WriteEvidence { .. } => Output::Wrote { path: "evidence/1.json".to_owned() },
        _ => Output::None,
    }
}

fn manifest() -> Manifest {
    let point = "2026-11-21T03:00:00Z".parse().expect("a timestamp");
    let object = |name: &str, service: &str, role: Role, counts: &[(&str, u64)]| Object {
        name: name.to_owned(),
        role,
        service: Some(service.into()),
        plain_bytes: 9000,
        plain_sha256: "00".to_owned(),
        sealed_bytes: 2048,
        sealed_sha256: "00".to_owned(),
        server: None,
        counts: counts.iter().map(|(table, rows)| ((*table).to_owned(), *rows)).collect(),
        heartbeat: None,
        captured_at: point,
    };
    Manifest {
        schema: MANIFEST_SCHEMA.to_owned(),
        set: SetId(SET.to_owned()),
        stack: StackName::from("blog"),
        shape: "prod".to_owned(),
        chain: "c1".to_owned(),
        sequence: 1,
        previous: None,
        point,
        keys_at: None,
        tool: "0.1.0".to_owned(),
        recipients: Vec::new(),
        release: Some(1),
        objects: vec![
            object("db.postgres.dump.zst.age", "db", Role::Postgres, &[("events", 7)]),
            object("bao.keystore.zst.age", "bao", Role::KeyStore, &[]),
        ],
        keys: None,
        canaries: vec![Canary {
            key: "atrest".to_owned(),
            ciphertext: "vault:v1:c".to_owned(),
            plain_hmac: "h".to_owned(),
        }],
    }
}
