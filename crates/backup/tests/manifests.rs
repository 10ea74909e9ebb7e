//! Signed papers: who signed, whether anything changed, and the same answers from `jq` and `openssl`.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod local;

use std::{collections::BTreeMap, fs, path::Path, process::Command};

use backup::{
    CanaryProof, CountProof, EVIDENCE_SCHEMA, Evidence, Ladder, ObjectSize, PhaseTime, ProbeProof,
    RecoveryPoint, SignatureError, SignedEvidence, SignedManifest, canonical,
};
use ed25519_dalek::{Signer, SigningKey};
use local::{fingerprint, identities, installed, manifest, set, signed, signing_key, target, writer};
use plan::set::{Manifest, Object, Role};
use proptest::prelude::*;
use serde_json::json;

fn example() -> Manifest {
    let writer = writer(&target(Path::new("/nowhere")), &identities(), set(1));
    let object = Object {
        name: "db.postgres.dump.zst.age".into(),
        role: Role::Postgres,
        service: Some("db".into()),
        plain_bytes: 10,
        plain_sha256: "00".into(),
        sealed_bytes: 300,
        sealed_sha256: "11".into(),
        server: Some("150018".into()),
        counts: BTreeMap::from([("public.\"Ünlikely \\ \t\"".into(), 3), ("public.a".into(), 1 << 52)]),
        heartbeat: Some("2026-11-21T01:14:47.123456Z".parse().unwrap()),
        captured_at: "2026-11-21T01:14:48Z".parse().unwrap(),
    };
    manifest(&writer, vec![object])
}

#[test]
fn a_manifest_comes_back_as_it_was_signed() {
    let manifest = example();
    let signed = signed(manifest.clone());
    let read = SignedManifest::parse(&signed.to_bytes()).unwrap();
    assert_eq!(read, signed);
    assert_eq!(read.verify(Some(&fingerprint(&signing_key()))).unwrap(), &manifest);
    assert_eq!(read.sha256().unwrap(), signed.sha256().unwrap());
}

#[test]
fn a_manifest_of_another_signer_is_refused_however_well_it_is_signed() {
    let thief = SigningKey::from_bytes(&[8; 32]);
    let forged =
        SignedManifest::sign(example(), &fingerprint(&thief), |bytes| thief.sign(bytes).to_bytes()).unwrap();
    forged.verify(None).unwrap();
    let ours = fingerprint(&signing_key());
    let refused = forged.verify(Some(&ours)).unwrap_err();
    assert_eq!(refused, SignatureError::OtherSigner { found: fingerprint(&thief), expected: ours });
}

#[test]
fn any_change_of_a_signed_manifest_is_seen() {
    let text = String::from_utf8(signed(example()).to_bytes()).unwrap();
    for (old, new) in [
        ("\"sequence\": 1", "\"sequence\": 2"),
        ("\"local\"", "\"prod\""),
        ("\"release\": 3", "\"release\": null"),
    ] {
        assert!(text.contains(old), "{text}");
        let changed = SignedManifest::parse(text.replacen(old, new, 1).as_bytes()).unwrap();
        assert_eq!(changed.verify(None).unwrap_err(), SignatureError::Forged, "{old}");
    }
}

#[test]
fn what_a_later_version_adds_is_under_the_signature_too() {
    let key = signing_key();
    let mut body = serde_json::to_value(example()).unwrap();
    body["added_later"] = json!("yes");
    let signature = data_encoding::BASE64.encode(&key.sign(canonical(&body).unwrap().as_bytes()).to_bytes());
    let mut document = json!({"manifest": body, "signer": fingerprint(&key), "signature": signature});
    SignedManifest::parse(document.to_string().as_bytes()).unwrap().verify(None).unwrap();
    document["manifest"]["added_later"] = json!("no");
    let changed = SignedManifest::parse(document.to_string().as_bytes()).unwrap();
    assert_eq!(changed.verify(None).unwrap_err(), SignatureError::Forged);
}

#[test]
fn another_version_and_no_manifest_at_all_are_said_to_be_that() {
    let text = String::from_utf8(signed(example()).to_bytes()).unwrap();
    let newer = SignedManifest::parse(text.replace("seaworthy.set/1", "seaworthy.set/2").as_bytes());
    assert_eq!(
        newer.unwrap_err().to_string(),
        "its format is `seaworthy.set/2`, and this program reads `seaworthy.set/1`"
    );
    for garbage in [b"".as_slice(), b"[]", b"{}", b"\x00\xff\xfe", b"{\"manifest\":{}}"] {
        SignedManifest::parse(garbage).unwrap_err();
    }
}

#[test]
fn a_signature_that_is_not_the_signers_is_not_written() {
    let other = SigningKey::from_bytes(&[9; 32]);
    let ours = fingerprint(&signing_key());
    let refused = SignedManifest::sign(example(), &ours, |bytes| other.sign(bytes).to_bytes());
    assert_eq!(refused.unwrap_err(), SignatureError::Forged);
}

#[test]
fn numbers_that_have_more_than_one_spelling_are_not_signed() {
    for value in [json!(1.5), json!(-1), json!(u64::MAX), json!("\u{7f}")] {
        assert!(matches!(canonical(&value), Err(SignatureError::NotCanonical { .. })), "{value}");
    }
    assert_eq!(
        canonical(&json!({"b": [1, null], "a": {"é": "\n\u{1}"}})).unwrap(),
        r#"{"a":{"é":"\n\u0001"},"b":[1,null]}"#
    );
}

fn plain_values() -> impl Strategy<Value = serde_json::Value> {
    let text = any::<String>().prop_map(|text| text.replace('\u{7f}', ""));
    let leaf = prop_oneof![
        Just(serde_json::Value::Null),
        any::<bool>().prop_map(serde_json::Value::from),
        (0..=1u64 << 53).prop_map(serde_json::Value::from),
        text.clone().prop_map(serde_json::Value::from),
    ];
    leaf.prop_recursive(3, 24, 5, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..5).prop_map(serde_json::Value::from),
            prop::collection::btree_map(text.clone(), inner, 0..5)
                .prop_map(|fields| serde_json::Value::Object(fields.into_iter().collect())),
        ]
    })
}

#[test]
fn jq_writes_any_value_as_we_sign_it() {
    if !installed(&["jq"]) {
        return;
    }
    use proptest::{strategy::ValueTree, test_runner::TestRunner};
    let mut runner = TestRunner::deterministic();
    let values: Vec<_> = (0..300).map(|_| plain_values().new_tree(&mut runner).unwrap().current()).collect();
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("values");
    fs::write(&path, serde_json::to_vec_pretty(&values).unwrap()).unwrap();
    let said = Command::new("jq").args(["-cS", ".[]"]).arg(path).output().unwrap().stdout;
    let ours: String = values.iter().map(|value| canonical(value).unwrap() + "\n").collect();
    assert_eq!(String::from_utf8(said).unwrap(), ours);
}

#[test]
fn stock_jq_and_openssl_verify_a_manifest() {
    if !installed(&["jq", "openssl", "basenc"]) {
        return;
    }
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("manifest.json");
    let verify = |bytes: &[u8]| {
        fs::write(&path, bytes).unwrap();
        let script = r#"
            jq -cSj .manifest manifest.json >signed
            jq -r .signature manifest.json | base64 -d >signature
            { printf 302a300506032b6570032100; jq -r '.signer | ltrimstr("ed25519:")' manifest.json; } |
                tr -d '\n' | tr a-f A-F | basenc --base16 -d >key.der
            openssl pkeyutl -verify -pubin -keyform DER -inkey key.der -rawin -in signed -sigfile signature"#;
        Command::new("sh").arg("-ec").arg(script).current_dir(&directory).output().unwrap().status.success()
    };
    let good = signed(example()).to_bytes();
    assert!(verify(&good));
    let changed = String::from_utf8(good).unwrap().replacen("\"local\"", "\"prod\"", 1);
    assert!(!verify(changed.as_bytes()));
}

fn evidence() -> Evidence {
    let counts = BTreeMap::from([("public.events".to_owned(), 7)]);
    let began_at = "2026-11-21T09:00:00Z".parse().unwrap();
    Evidence {
        schema: EVIDENCE_SCHEMA.into(),
        set: set(1),
        manifest_sha256: "ab".repeat(32),
        stack: "blog".into(),
        shape: "local".into(),
        began_at,
        ended_at: "2026-11-21T09:00:22Z".parse().unwrap(),
        level: Ladder::L4,
        not_proven: Vec::new(),
        phases: vec![PhaseTime { name: "data".into(), ms: 14_000 }],
        recovery_point: RecoveryPoint::measure(
            began_at,
            "2026-11-21T01:00:02Z".parse().unwrap(),
            Some("2026-11-21T01:00:00Z".parse().unwrap()),
        ),
        recovery_ms: 22_000,
        recovery_point_target_ms: Some(86_400_000),
        recovery_target_ms: None,
        counts: CountProof::compare("db", &counts, &BTreeMap::new()),
        canaries: vec![CanaryProof { key: "atrest".into(), decrypts: true }],
        probes: vec![ProbeProof { probe: "GET /".into(), saw: "200".into(), passed: true }],
        sizes: vec![ObjectSize { object: "db".into(), plain_bytes: 2, sealed_bytes: 1 }],
        tool: "0.1.0".into(),
    }
}

#[test]
fn evidence_is_signed_written_once_and_read_again() {
    let (directory, key) = (tempfile::tempdir().unwrap(), signing_key());
    let sign = |evidence| {
        SignedEvidence::sign(evidence, &fingerprint(&key), |bytes| key.sign(bytes).to_bytes()).unwrap()
    };
    let signed = sign(evidence());
    let place = directory.path().join("evidence");
    let path = signed.write(&place).unwrap();
    assert_eq!(signed.write(&place).unwrap(), path);
    let read = SignedEvidence::parse(&fs::read(&path).unwrap()).unwrap();
    assert_eq!(read.verify(Some(&fingerprint(&key))).unwrap(), &evidence());
    let better = sign(Evidence { recovery_ms: 1, ..evidence() });
    let beside = better.write(&place).unwrap();
    assert_ne!(beside, path, "two drills of one second are two records");
    assert_eq!(better.write(&place).unwrap(), beside, "the same record again changes nothing");
    fs::write(place.join("half.json"), b"{\"evid").unwrap();
    let read = SignedEvidence::read_all(&place).unwrap();
    assert!(read.len() == 2 && read.contains(&signed) && read.contains(&better), "{read:?}");
    assert_eq!(SignedEvidence::read_all(&directory.path().join("nowhere")).unwrap(), []);
}

#[test]
fn evidence_proves_a_set_only_where_all_that_was_asked_held() {
    let counts = BTreeMap::from([("public.events".to_owned(), 7)]);
    let whole = Evidence { counts: CountProof::compare("db", &counts, &counts), ..evidence() };
    assert!(whole.proves());
    assert!(!evidence().proves(), "a table is missing");
    assert!(!Evidence { level: Ladder::L2, ..whole.clone() }.proves());
    let mut red = whole.clone();
    red.canaries[0].decrypts = false;
    assert!(!red.proves());
    let mut red = whole;
    red.probes[0].passed = false;
    assert!(!red.proves());
}

#[test]
fn the_two_figures_of_a_recovery_point() {
    let point = evidence().recovery_point;
    assert_eq!((point.if_lost_now_ms, point.capture_lag_ms), (8 * 3_600_000, Some(2000)));
    let [lost, captured] = ["2026-11-21T09:00:00Z", "2026-11-21T08:00:00Z"].map(|time| time.parse().unwrap());
    let unbeaten = RecoveryPoint::measure(lost, captured, None);
    assert_eq!((unbeaten.if_lost_now_ms, unbeaten.capture_lag_ms), (3_600_000, None));
}

#[test]
fn a_table_missing_on_one_side_does_not_hold() {
    assert!(evidence().counts.iter().all(|proof| !proof.holds()));
}
