//! How a run ended: what changed, then what to do next; the most important line last.

use std::fmt::Write;

use diag::{Diagnostic, Severity};
use plan::RunOutcome;

use super::{
    diagnostics::{diagnostic, one_line},
    drill::drill,
    measure::duration,
    style::Style,
};
use crate::{RunReport, StepReport, StepState};

/// The last lines of a verb that acts.
pub fn outcome(report: &RunReport, style: Style) -> String {
    let mut text = String::new();
    let mut hints: Vec<String> = Vec::new();
    for said in &report.diagnostics {
        let mut said = Diagnostic::from(said);
        // The hint of a failure comes after what became of it: it is what to do next.
        if report.run.is_some() && said.severity == Severity::Error {
            hints.extend(said.hint.take());
        }
        text.push_str(&diagnostic(&said, None, style));
    }
    match report.outcome {
        RunOutcome::Applied => match report.evidence.as_ref().filter(|_| report.verb == "drill") {
            Some(evidence) => text.push_str(&drill(evidence, &report.wrote, style)),
            None => text.push_str(&applied(report)),
        },
        RunOutcome::Unchanged => text.push_str(&unchanged(report)),
        RunOutcome::Undone => text.push_str(&undone(report)),
        RunOutcome::Waiting => {
            let what = report.waiting_for.as_deref().unwrap_or("a person");
            let _ = writeln!(text, "waiting: {}", one_line(what));
        }
        RunOutcome::Stuck => text.push_str(&stuck(report)),
        RunOutcome::Unfinished => text.push_str("the run was interrupted; the same verb takes it up again\n"),
    }
    for hint in hints.iter().filter(|hint| report.next.as_ref() != Some(*hint)) {
        let _ = writeln!(text, "{} {hint}", style.faint("hint:"));
    }
    if let Some(next) = &report.next {
        let _ = writeln!(text, "{next}");
    }
    text
}

fn applied(report: &RunReport) -> String {
    let took = report.seconds.map(|seconds| format!(" Took {}.", duration(seconds))).unwrap_or_default();
    let set = report.set.as_deref().unwrap_or("?");
    let release = report.release.tried.map(|number| number.to_string()).unwrap_or_default();
    let less = match report.diagnostics.iter().any(|said| said.id == "degraded") {
        true => ", and degraded",
        false => "",
    };
    let mut text = match report.verb {
        "bootstrap" => format!("`{}` has what it needs.{took}", report.stack),
        "deploy" => format!("release {release} is good{less}.{took}{}", impact(report)),
        "rollback" => format!("release {release} serves again{less}.{took}{}", impact(report)),
        "backup" => format!("set {set} is complete.{took}"),
        "restore" => format!("set {set} is restored as `{}`.{took}", report.project),
        "destroy" => format!("`{}` is gone.{took}", report.stack),
        verb => format!("{verb} is done.{took}"),
    };
    text.push('\n');
    for path in &report.wrote {
        let _ = writeln!(text, "wrote {path}");
    }
    text
}

/// What a bootstrap leaves to people is said; that every service stays as it is goes without saying.
fn unchanged(report: &RunReport) -> String {
    if report.verb != "bootstrap" || report.not_done.is_empty() {
        return "nothing to do: everything is as it should be\n".to_owned();
    }
    let left: String = report.not_done.iter().map(|left| format!("  not done: {left}\n")).collect();
    format!("{left}nothing to do\n")
}

/// What people may have noticed, as far as it was measured.
fn impact(report: &RunReport) -> String {
    let impact = &report.impact;
    match (impact.began, impact.failed_requests, impact.seconds) {
        (false, _, _) => " Nobody noticed.".to_owned(),
        (true, Some(failed), _) => format!(" {failed} requests failed."),
        (true, None, Some(seconds)) => format!(" Services were replaced within {}.", duration(seconds)),
        (true, None, None) => String::new(),
    }
}

fn undone(report: &RunReport) -> String {
    let mut text = String::from("undone: ");
    // That it serves is said of a release that was asked, and of no other.
    match report.release.live.filter(|_| matches!(report.verb, "deploy" | "rollback")) {
        Some(live) if report.asked_again.is_empty() => {
            let _ = write!(text, "release {live} was left as it was");
        }
        Some(live) => {
            let _ = write!(text, "release {live} serves");
        }
        None => text.push_str("everything that was begun was taken back"),
    }
    text.push('.');
    match report.kept.as_slice() {
        [] => {}
        [one] => {
            let _ = write!(text, " The failed container is kept: {one}");
        }
        kept => {
            let _ = write!(text, " Containers of the failed release are kept: {}", kept.join(", "));
        }
    }
    text.push('\n');
    text
}

fn stuck(report: &RunReport) -> String {
    let silent: Vec<&str> = report
        .asked_again
        .iter()
        .filter(|asked| !asked.answers)
        .map(|asked| asked.service.as_str())
        .collect();
    let left = |step: &&StepReport| {
        matches!(step.state, StepState::Done | StepState::Degraded | StepState::Unchanged)
    };
    if !silent.is_empty() && !report.steps.iter().any(|step| left(&step)) {
        let (who, do_not) = (silent.join("`, `"), if silent.len() == 1 { "does" } else { "do" });
        return format!(
            "stuck: everything was taken back, and `{who}` {do_not} not answer: a person is needed.\n"
        );
    }
    let undone = report.steps.iter().filter(|step| step.state == StepState::Undone).count();
    let done = report
        .steps
        .iter()
        .filter(|step| matches!(step.state, StepState::Done | StepState::Unchanged | StepState::Failed))
        .count();
    format!(
        "stuck: {undone} steps were taken back, {done} were not. Neither state is whole: a person is needed.\n"
    )
}
