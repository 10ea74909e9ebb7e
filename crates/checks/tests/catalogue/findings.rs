//! What a finding carries, and the order they come in.

use diag::{Diagnostic, Place, Severity};

use crate::shapes::{env, stack};

#[test]
fn a_finding_stands_at_the_nearest_known_place() {
    let mut red = stack().service("db", "postgres:16", |db| env(db, "POSTGRES_PASSWORD", "postgres"));
    red.places.insert("/services/db".to_owned(), Place::new("compose.yaml", 20, 3));
    let place = |stack: &crate::shapes::Stack| {
        let mut findings = stack.findings().into_iter();
        findings.find(|finding| finding.check == "default-secret").and_then(|finding| finding.place)
    };
    assert_eq!(place(&red), Some(Place::new("compose.yaml", 20, 3)));
    let exact = Place::new("compose.yaml", 31, 7);
    red.places.insert("/services/db/environment/POSTGRES_PASSWORD".to_owned(), exact.clone());
    assert_eq!(place(&red), Some(exact));
}

#[test]
fn the_fingerprint_is_made_of_evidence_and_not_of_the_value() {
    let of = |value: &str| {
        let red = stack().service("db", "postgres:16", |db| env(db, "POSTGRES_PASSWORD", value));
        let found = red.findings().into_iter().find(|finding| finding.check == "default-secret");
        found.expect("a finding").fingerprint
    };
    assert_eq!(of("postgres"), of("changeme"));
}

#[test]
fn errors_come_first_and_two_runs_say_the_same() {
    let red = stack().service("db", "postgres", |db| {
        env(db, "POSTGRES_PASSWORD", "postgres");
        db.privileged = true;
    });
    let findings = red.findings();
    assert_eq!(findings, red.findings());
    assert!(findings.is_sorted_by_key(|finding| finding.severity));
    assert_eq!(findings[0].severity, Severity::Error);
}

#[test]
fn a_finding_is_a_diagnostic_with_its_reason_and_its_fix() {
    let red = stack().service("web", "web:1", |web| web.privileged = true);
    let found = red.findings().into_iter().find(|finding| finding.check == "privileged").expect("a finding");
    let said = Diagnostic::from(&found);
    assert_eq!(said.causes, ["whoever breaks into it is root on the host"]);
    assert_eq!(said.hint, Some(found.fix));
}

#[test]
fn ids_and_numbers_explain_and_ids_are_unique() {
    let ids: Vec<&str> = checks::all().map(|check| check.id).collect();
    let mut unique = ids.clone();
    unique.sort_unstable();
    unique.dedup();
    assert_eq!(ids.len(), unique.len());
    assert_eq!(checks::explain("SEC-003").map(|check| check.id), Some("default-secret"));
    assert!(checks::explain("no-such-check").is_none());
}
