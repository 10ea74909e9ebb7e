//! The catalogue of checks: from what should be, and what is known of it, to findings.
//!
//! Pure: start at [`run`]. One file per group; `docs/checks.md` is [`page`].

use std::collections::BTreeMap;

use diag::{Diagnostic, Place, Severity};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use stack::ServiceName;

mod backup;
mod check;
mod database;
mod images;
mod input;
mod known;
mod network;
mod page;
mod production;
mod runtime;
mod secrets;

pub use check::{Check, Level, Mode, Reach};
pub use input::Input;
pub use page::page;
pub use production::{Forbidden, PRODUCTION};

/// One thing that is not as it should be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finding {
    /// The check's slug.
    pub check: String,
    /// How much it weighs here.
    pub severity: Severity,
    /// One sentence with the actual value.
    pub message: String,
    /// Where it stands in the user's files.
    pub place: Option<Place>,
    /// The service it is about.
    pub service: Option<ServiceName>,
    /// What tells it from another finding of the same check and service; never prose, never a secret.
    pub evidence: String,
    /// Names it across runs: made of check, service and evidence, so that rewording changes nothing.
    pub fingerprint: String,
    /// What happens to whoever leaves it so.
    pub why: String,
    /// What to do about it.
    pub fix: String,
}

/// Every group, in the order in which the page shows them.
pub const CATALOGUE: [(&str, &[Check]); 7] = [
    ("Secrets", &secrets::CHECKS),
    ("Images", &images::CHECKS),
    ("Networks", &network::CHECKS),
    ("Runtime", &runtime::CHECKS),
    ("Databases", &database::CHECKS),
    ("Backups", &backup::CHECKS),
    ("Production", &production::CHECKS),
];

/// All checks.
pub fn all() -> impl Iterator<Item = &'static Check> {
    CATALOGUE.iter().flat_map(|(_, checks)| checks.iter())
}

/// Runs every check that applies; errors first, then by place, then by check.
pub fn run(input: &Input<'_>) -> Vec<Finding> {
    let mut findings: BTreeMap<String, Finding> = BTreeMap::new();
    for check in all() {
        let Some(severity) = check.severity(input.shape.production) else { continue };
        for seen in (check.look)(input) {
            let finding = finding(input, check, severity, seen);
            findings.entry(finding.fingerprint.clone()).or_insert(finding);
        }
    }
    let mut findings: Vec<Finding> = findings.into_values().collect();
    // What stands in no file comes after what does.
    findings.sort_by_cached_key(|finding| {
        let place = (finding.place.is_none(), finding.place.clone());
        (finding.severity, place, finding.check.clone(), finding.evidence.clone())
    });
    findings
}

/// Checks that said nothing because what they need to see was not there: told, so that silence is no pass.
pub fn not_evaluated(input: &Input<'_>) -> Vec<&'static str> {
    all()
        .filter(|check| check.severity(input.shape.production).is_some())
        .filter(|check| match check.mode {
            Mode::Static => false,
            Mode::Store => input.stored.is_none(),
            Mode::Live => input.facts.is_none(),
        })
        .map(|check| check.id)
        .collect()
}

/// The check of this slug or catalogue number.
pub fn explain(id: &str) -> Option<&'static Check> {
    all()
        .find(|check| check.id == id || check.catalogue.is_some_and(|number| number.eq_ignore_ascii_case(id)))
}

fn finding(input: &Input<'_>, check: &Check, severity: Severity, seen: input::Seen) -> Finding {
    let service = seen.service.as_ref().map(ServiceName::as_str).unwrap_or_default();
    let named = format!("{}\0{service}\0{}", check.id, seen.evidence);
    let mut fingerprint = data_encoding::HEXLOWER.encode(&Sha256::digest(named));
    fingerprint.truncate(16);
    Finding {
        check: check.id.to_owned(),
        severity,
        message: seen.message,
        place: input.place(&seen.pointer),
        service: seen.service,
        evidence: seen.evidence,
        fingerprint,
        why: check.why.to_owned(),
        fix: check.fix.to_owned(),
    }
}

impl From<&Finding> for Diagnostic {
    /// The finding as any other thing said to a person: its reason as the cause, its fix as the hint.
    fn from(finding: &Finding) -> Diagnostic {
        let said = Diagnostic {
            severity: finding.severity,
            id: finding.check.clone(),
            message: finding.message.clone(),
            place: finding.place.clone(),
            causes: Vec::new(),
            hint: Some(finding.fix.clone()),
        };
        said.cause(finding.why.clone())
    }
}
