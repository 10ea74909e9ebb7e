//! What `preflight` says: `seaworthy.findings/1`.

use checks::{Finding, Input};
use diag::{Diagnostic, Exit, Severity};
use serde::Serialize;

use crate::Said;

/// Everything a preflight found.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct FindingsReport {
    /// `seaworthy.findings/1`.
    pub schema: &'static str,
    /// The stack.
    pub stack: String,
    /// The shape.
    pub shape: String,
    /// True for a production shape, where an error stops a deploy.
    pub production: bool,
    /// Exit code.
    pub exit: Exit,
    /// What checks found, errors first.
    pub findings: Vec<FindingReport>,
    /// What reading the files had to say.
    pub diagnostics: Vec<Said>,
    /// Checks that ran.
    pub checks: usize,
    /// Checks that could not look: what they need to see was not there.
    pub not_evaluated: Vec<&'static str>,
}

/// One finding.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct FindingReport {
    /// Severity, slug, sentence, place, why (as the cause), fix (as the hint).
    #[serde(flatten)]
    pub said: Said,
    /// The check's number in the catalogue.
    pub catalogue: Option<&'static str>,
    /// The service it is about.
    pub service: Option<String>,
    /// What tells it from another finding of the same check and service.
    pub evidence: String,
    /// Names it across runs.
    pub fingerprint: String,
}

impl FindingsReport {
    /// Everything that was found or said, as diagnostics.
    pub fn all_said(&self) -> Vec<Diagnostic> {
        let found = self.findings.iter().map(|finding| &finding.said);
        found.chain(&self.diagnostics).map(Diagnostic::from).collect()
    }
}

/// Runs every check over `input`, and puts what they found beside what reading the files had to say.
pub fn findings_report(input: &Input<'_>, diagnostics: &[Diagnostic]) -> FindingsReport {
    let findings = checks::run(input);
    let not_evaluated = checks::not_evaluated(input);
    let production = input.shape.production;
    let applying = checks::all().filter(|check| check.severity(production).is_some()).count();
    let exit = if diag::has_errors(diagnostics) {
        Exit::Usage
    } else if findings.iter().any(|finding| finding.severity == Severity::Error) {
        Exit::Findings
    } else {
        Exit::Done
    };
    FindingsReport {
        schema: "seaworthy.findings/1",
        stack: input.shape.stack.to_string(),
        shape: input.shape.name.clone(),
        production,
        exit,
        findings: findings.iter().map(finding).collect(),
        diagnostics: diagnostics.iter().map(Said::from).collect(),
        checks: applying - not_evaluated.len(),
        not_evaluated,
    }
}

fn finding(finding: &Finding) -> FindingReport {
    FindingReport {
        said: Said::from(&Diagnostic::from(finding)),
        catalogue: checks::explain(&finding.check).and_then(|check| check.catalogue),
        service: finding.service.as_ref().map(ToString::to_string),
        evidence: finding.evidence.clone(),
        fingerprint: finding.fingerprint.clone(),
    }
}
