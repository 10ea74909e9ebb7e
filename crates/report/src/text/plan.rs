//! A plan before it is carried out: what happens to each thing and why, what is not done, where impact starts.
//!
//! ```text
//! blog · local · release 42 from 41
//!   web   replace   image `web:1` is now `web:2`
//!   not done: db is as it should be
//! 9 steps; people may notice from step 4 on: stop web
//! ```

use std::fmt::Write;

use plan::{Plan, Step, Verb};

use crate::PlanDiffReport;

use super::{measure::count, table::table};

/// The mark between what nobody notices and what people may.
pub(crate) const IMPACT: &str = "— impact starts here —";

/// A line for each thing that is touched.
pub fn plan(plan: &Plan) -> String {
    let mut text = head(plan);
    let mut subjects: Vec<&str> = Vec::new();
    for step in &plan.steps {
        if !subjects.contains(&step.subject.as_str()) {
            subjects.push(&step.subject);
        }
    }
    let rows: Vec<Vec<String>> = subjects.iter().map(|subject| subject_row(plan, subject)).collect();
    text.push_str(&table("  ", &rows));
    text.push_str(&not_done(plan));
    text.push_str(&impact(plan));
    text
}

/// A line for each step, with the mark where impact starts.
pub fn plan_steps(plan: &Plan) -> String {
    let mut text = head(plan);
    let first = plan.steps.iter().position(|step| step.impact).unwrap_or(plan.steps.len());
    let row = |(at, step): (usize, &Step)| {
        let mut because = step.because.join("; ");
        if let Some(what) = &step.destroys {
            because = format!("destroys {what}: {because}");
        }
        vec![format!("{:>2}", at + 1), step.kind.clone(), step.subject.clone(), because]
    };
    let rows: Vec<Vec<String>> = plan.steps.iter().enumerate().map(row).collect();
    for (at, line) in table("  ", &rows).lines().enumerate() {
        if at == first {
            let _ = writeln!(text, "  {IMPACT}");
        }
        let _ = writeln!(text, "{line}");
    }
    text.push_str(&not_done(plan));
    text.push_str(&impact(plan));
    text
}

/// How two plans differ: a line for each difference.
pub fn plan_differences(report: &PlanDiffReport) -> String {
    match report.differences.is_empty() {
        true => "the same plan\n".to_owned(),
        false => report.differences.iter().map(|line| format!("{line}\n")).collect(),
    }
}

fn head(plan: &Plan) -> String {
    let what = match (plan.verb, plan.release, &plan.set) {
        (Verb::Backup, _, Some(set)) => format!("set {set}"),
        (Verb::Restore | Verb::Drill, _, Some(set)) if plan.project != plan.stack => {
            format!("{} of set {set} as {}", plan.verb, plan.project)
        }
        (Verb::Restore | Verb::Drill, _, Some(set)) => format!("{} of set {set}", plan.verb),
        (_, Some(release), _) => match plan.from {
            Some(from) => format!("release {release} from {from}"),
            None => format!("release {release}, the first"),
        },
        _ => plan.verb.to_string(),
    };
    format!("{} · {} · {what}\n", plan.stack, plan.shape)
}

fn subject_row(plan: &Plan, subject: &str) -> Vec<String> {
    let steps: Vec<&Step> = plan.steps.iter().filter(|step| step.subject == subject).collect();
    let mut because: Vec<&str> = Vec::new();
    let gist = steps.iter().find(|step| step.kind == "create").map_or(steps.as_slice(), std::slice::from_ref);
    for cause in gist.iter().flat_map(|step| &step.because) {
        if !because.contains(&cause.as_str()) {
            because.push(cause);
        }
    }
    vec![subject.to_owned(), action(&steps), because.join("; ")]
}

/// What a service goes through, in as few words as tell it.
fn action(steps: &[&Step]) -> String {
    let has = |kind: &str| steps.iter().any(|step| step.kind == kind);
    let mut words: Vec<&str> = Vec::new();
    match (has("create"), has("keep")) {
        (true, true) => words.push("replace, stop first"),
        (true, false) => words.push("new"),
        (false, _) => {}
    }
    // The steps a new or replaced container always goes through say nothing more.
    let told: &[&str] = match has("create") {
        true => {
            &["create", "stop", "keep", "name", "start", "startup", "probe", "api", "remove", "clear", "wait"]
        }
        false => &[],
    };
    for step in steps {
        if !told.contains(&step.kind.as_str()) && !words.contains(&step.kind.as_str()) {
            words.push(&step.kind);
        }
    }
    words.join(", ")
}

fn not_done(plan: &Plan) -> String {
    plan.not_done.iter().map(|line| format!("  not done: {line}\n")).collect()
}

fn impact(plan: &Plan) -> String {
    let steps = count(plan.steps.len(), "step");
    match plan.steps.iter().enumerate().find(|(_, step)| step.impact) {
        _ if plan.is_empty() => "nothing to do\n".to_owned(),
        Some((at, step)) => {
            let (at, kind, subject) = (at + 1, &step.kind, &step.subject);
            format!("{steps}; people may notice from step {at} on: {kind} {subject}\n")
        }
        None => format!("{steps}; nobody notices\n"),
    }
}
