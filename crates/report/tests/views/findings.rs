//! Findings.

use std::time::Duration;

use diag::{Exit, Severity};
use report::{FindingReport, FindingsReport, Said, text};

fn finding(severity: Severity, id: &str, message: &str) -> FindingReport {
    let said = Said {
        severity,
        id: id.to_owned(),
        message: message.to_owned(),
        file: Some("compose.yaml".to_owned()),
        line: Some(31),
        column: Some(7),
        causes: vec!["anyone who reaches the port owns the data".to_owned()],
        hint: Some("declare it in `[secret]`".to_owned()),
    };
    let (evidence, fingerprint) = ("POSTGRES_PASSWORD".to_owned(), "00ff".to_owned());
    FindingReport { said, catalogue: Some("SEC-003"), service: Some("db".to_owned()), evidence, fingerprint }
}

#[test]
fn errors_come_in_full_notes_in_a_line_and_the_verdict_last() {
    let report = FindingsReport {
        schema: "seaworthy.findings/1",
        stack: "blog".to_owned(),
        shape: "prod".to_owned(),
        production: true,
        exit: Exit::Findings,
        findings: vec![
            finding(Severity::Error, "default-secret", "POSTGRES_PASSWORD is `postgres`"),
            finding(Severity::Error, "default-secret", "API_KEY is `changeme`"),
            finding(Severity::Note, "no-memory-limit", "`db` may take all memory of the host"),
        ],
        diagnostics: Vec::new(),
        checks: 33,
        not_evaluated: vec!["unset-secret"],
    };
    let expected = "\
error default-secret
  compose.yaml:31:7  POSTGRES_PASSWORD is `postgres`
  compose.yaml:31:7  API_KEY is `changeme`
  why: anyone who reaches the port owns the data
  fix: declare it in `[secret]`
  docs: seaworthy explain default-secret

note no-memory-limit  compose.yaml:31:7  `db` may take all memory of the host

not looked at: unset-secret
2 errors would stop a deploy · 0 warnings · 1 note · 33 checks in 9 ms
";
    let took = Some(Duration::from_millis(9));
    assert_eq!(text::findings(&report, took, text::Style::PLAIN), expected);
}

#[test]
fn a_check_is_explained_and_so_is_production() {
    let check = checks::explain("SEC-003").expect("a check");
    let explained = text::explanation(check);
    assert!(
        explained.starts_with("default-secret (SEC-003): a credential has a value that everybody knows\n")
    );
    assert!(text::production().contains("the process engine\n    it isolates nothing"));
}
