//! One run, or one step of it, looked at again.

use std::fmt::Write;

use super::{measure::duration, table::table};
use crate::run::{RunReport, StepReport};

/// A run, step by step, with what was said of it last.
pub fn run_shown(report: &RunReport) -> String {
    let run = report.run.as_deref().unwrap_or("none");
    let mut text = format!("run {run} · {} · {} · {}\n", report.verb, report.stack, report.outcome.as_str());
    let row = |step: &StepReport| {
        let took = step.seconds.map(duration).unwrap_or_default();
        vec![format!("{:>2}", step.n), step.kind.clone(), step.subject.clone(), state(step), took]
    };
    text.push_str(&table("  ", &report.steps.iter().map(row).collect::<Vec<_>>()));
    for said in &report.diagnostics {
        let _ = writeln!(text, "{}", said.message);
        for cause in &said.causes {
            let _ = writeln!(text, "  caused by: {cause}");
        }
    }
    text
}

/// One step: why it was done, and how it stands.
pub fn step_shown(step: &StepReport) -> String {
    let took = step.seconds.map(|seconds| format!(", {}", duration(seconds))).unwrap_or_default();
    let mut text = format!("step {} · {} {} · {}{took}\n", step.n, step.kind, step.subject, state(step));
    for cause in &step.because {
        let _ = writeln!(text, "  because {cause}");
    }
    text
}

fn state(step: &StepReport) -> String {
    format!("{:?}", step.state).to_lowercase()
}
