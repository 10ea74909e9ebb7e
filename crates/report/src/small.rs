//! What the small verbs say as JSON: each a document of its own, with its version.

use checks::Check;
use diag::Exit;
use plan::SavedPlan;
use serde::Serialize;

use crate::{RunReport, StepReport};

/// What `init` wrote: `seaworthy.init/1`.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct InitReport {
    /// `seaworthy.init/1`.
    pub schema: &'static str,
    /// The file that was written.
    pub wrote: String,
    /// What stands in it.
    pub toml: String,
    /// What was recognised, in words.
    pub recognised: Vec<String>,
}

impl InitReport {
    /// A report on what was written.
    pub fn new(wrote: String, toml: String, recognised: Vec<String>) -> Self {
        Self { schema: "seaworthy.init/1", wrote, toml, recognised }
    }
}

/// What services printed: `seaworthy.logs/1`.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct LogsReport {
    /// `seaworthy.logs/1`.
    pub schema: &'static str,
    /// The stack.
    pub stack: String,
    /// Each service that was asked.
    pub services: Vec<ServiceLog>,
}

/// The newest lines of one service.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ServiceLog {
    /// The service.
    pub service: String,
    /// Its lines, oldest first.
    pub lines: Vec<String>,
    /// Why there are none; `null` where they could be read.
    pub unreadable: Option<String>,
}

impl LogsReport {
    /// A report on these logs.
    pub fn new(stack: &str, services: Vec<ServiceLog>) -> Self {
        Self { schema: "seaworthy.logs/1", stack: stack.to_owned(), services }
    }
}

/// That a person's step was done: `seaworthy.attest/1`.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct AttestReport {
    /// `seaworthy.attest/1`.
    pub schema: &'static str,
    /// The run that waited.
    pub run: String,
    /// Who did it.
    pub who: String,
    /// The command that goes on.
    pub next: String,
}

impl AttestReport {
    /// A report on what was attested.
    pub fn new(run: &str, who: &str, next: String) -> Self {
        Self { schema: "seaworthy.attest/1", run: run.to_owned(), who: who.to_owned(), next }
    }
}

/// How two plan files differ: `seaworthy.plan-diff/1`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PlanDiffReport {
    /// `seaworthy.plan-diff/1`.
    pub schema: &'static str,
    /// A sentence for each difference: was, is.
    pub differences: Vec<String>,
}

impl PlanDiffReport {
    /// From one to the other.
    pub fn new(one: &SavedPlan, other: &SavedPlan) -> Self {
        Self { schema: "seaworthy.plan-diff/1", differences: one.differences(other) }
    }

    /// Differences are findings.
    pub fn exit(&self) -> Exit {
        if self.differences.is_empty() { Exit::Done } else { Exit::Findings }
    }
}

/// What a check means: `seaworthy.check/1`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct CheckReport {
    /// `seaworthy.check/1`.
    pub schema: &'static str,
    /// Its slug.
    pub id: &'static str,
    /// Its number in the catalogue.
    pub catalogue: Option<&'static str>,
    /// Critical, high, medium or low.
    pub level: &'static str,
    /// What it needs to see.
    pub needs: &'static str,
    /// What it finds.
    pub what: &'static str,
    /// What happens to whoever leaves it so.
    pub why: &'static str,
    /// What to do about it.
    pub fix: &'static str,
    /// Where the rule comes from.
    pub source: &'static str,
}

impl From<&Check> for CheckReport {
    fn from(check: &Check) -> Self {
        Self {
            schema: "seaworthy.check/1",
            id: check.id,
            catalogue: check.catalogue,
            level: check.level.as_str(),
            needs: check.mode.as_str(),
            what: check.what,
            why: check.why,
            fix: check.fix,
            source: check.source,
        }
    }
}

/// What production refuses: `seaworthy.production/1`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ProductionReport {
    /// `seaworthy.production/1`.
    pub schema: &'static str,
    /// Each of its rules.
    pub refused: Vec<RefusedInProduction>,
}

/// One thing that production refuses.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RefusedInProduction {
    /// What.
    pub what: &'static str,
    /// Why.
    pub why: &'static str,
    /// Who refuses it.
    pub by: &'static str,
}

impl ProductionReport {
    /// The table of `checks`.
    pub fn of_the_table() -> Self {
        let rows = checks::PRODUCTION.iter();
        let refused = rows.map(|row| RefusedInProduction { what: row.what, why: row.why, by: row.by });
        Self { schema: "seaworthy.production/1", refused: refused.collect() }
    }
}

/// One step of a run: `seaworthy.step/1`.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct StepShown<'a> {
    /// `seaworthy.step/1`.
    pub schema: &'static str,
    /// The run.
    pub run: Option<&'a str>,
    /// The step.
    #[serde(flatten)]
    pub step: &'a StepReport,
}

impl<'a> StepShown<'a> {
    /// This step of that run.
    pub fn new(run: &'a RunReport, step: &'a StepReport) -> Self {
        Self { schema: "seaworthy.step/1", run: run.run.as_deref(), step }
    }
}

/// A text that another program takes, wrapped: `seaworthy.completions/1`, `seaworthy.schema/1`.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Wrapped<T> {
    /// Its schema.
    pub schema: &'static str,
    /// The text, or the document.
    pub content: T,
}
