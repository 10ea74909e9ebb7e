//! Folds and findings to reports, and their views. Everything is text or JSON built from values; nothing prints.
//!
//! A report is what `--json` prints ([`RunReport`], [`FindingsReport`] …). [`text`] renders the same report for a
//! person, and computes nothing of its own.

mod doctor;
mod findings;
mod lists;
mod refusal;
mod render;
mod run;
mod said;
mod small;
mod status;
pub mod text;
mod validate;

pub use doctor::{CauseReport, DoctorReport};
pub use findings::{FindingReport, FindingsReport, findings_report};
pub use lists::{BackupsReport, Incomplete, RunLine, RunsReport, SetLine, UnreadRun, run_line};
pub use refusal::Refusal;
pub use render::RenderReport;
pub use run::{AskedAgain, ImpactReport, ReleaseReport, RunReport, StepReport, StepState, Told, run_report};
pub use said::Said;
pub use small::{
    AttestReport, CheckReport, InitReport, LogsReport, PlanDiffReport, ProductionReport, ServiceLog,
    StepShown, Wrapped,
};
pub use status::{Ailing, ServiceStatus, StatusReport, status_report};
pub use validate::{Asked, ValidateReport};

/// A report as the JSON document that `--json` prints, with a final newline.
pub fn json(report: &impl serde::Serialize) -> String {
    let mut text = serde_json::to_string_pretty(report).expect("a report holds only what JSON can say");
    text.push('\n');
    text
}
