//! A plan in words: one step a line, with its cause where it is another one than that of the line above.
//!
//! `!` people may notice from here, `?` housekeeping; lines with `-` are what was looked at and not done.

use std::fmt::Write;

use diag::Stop;
use plan::{Action, Effect, KeyStep, Plan, Step};

/// The plan, or why there is none.
pub(crate) fn of(planned: Result<Plan, Stop>) -> String {
    match planned {
        Ok(plan) => steps(&plan),
        Err(stop) => {
            let mut text = format!("exit {}\n", stop.exit.code());
            for said in &stop.diagnostics {
                let _ = writeln!(text, "{said}");
            }
            text
        }
    }
}

fn steps(plan: &Plan) -> String {
    let mut text = String::new();
    if plan.project != plan.stack {
        let _ = writeln!(text, "as {}", plan.project);
    }
    let mut cause = String::new();
    for step in &plan.steps {
        text.push_str(&line(step));
        let because = step.because.join("; ");
        if because != cause {
            let _ = write!(text, " — {because}");
        }
        cause = because;
        text.push('\n');
    }
    for said in &plan.not_done {
        let _ = writeln!(text, "- {said}");
    }
    text
}

fn line(step: &Step) -> String {
    let mark = match (step.impact, step.forgiving) {
        (true, _) => "! ",
        (_, true) => "? ",
        _ => "",
    };
    let destroys = step.destroys.as_ref().map(|what| format!(" (destroys {what})")).unwrap_or_default();
    format!("{mark}{} {}{destroys}", step.kind, step.subject)
}

/// Steps that can be taken back, and how.
pub(crate) fn undos(plan: &Plan) -> String {
    let undoable = plan.steps.iter().filter(|step| !step.undo.is_empty());
    let lines = undoable.map(|step| {
        let undo: Vec<String> = step.undo.iter().map(action).collect();
        format!("{} {} < {}\n", step.kind, step.subject, undo.join(", "))
    });
    let revivals = plan.revivals.iter().map(|revival| {
        let after: Vec<&str> = revival.after_any.iter().map(|step| step.0.as_str()).collect();
        let actions: Vec<String> = revival.actions.iter().map(action).collect();
        format!("then {} after {}: {}\n", revival.service, after.join(" or "), actions.join(", "))
    });
    lines.chain(revivals).collect()
}

fn action(action: &Action) -> String {
    match action {
        Action::Engine { effect } => match effect {
            Effect::Stop { container, .. } => format!("stop {container}"),
            Effect::Resume { container, .. } => format!("resume {container}"),
            Effect::Rename { from, to } => format!("rename {from} {to}"),
            Effect::Remove { container } => format!("remove {container}"),
            Effect::Discard { container } => format!("discard {container}"),
            Effect::RemoveNetwork { name } | Effect::RemoveVolume { name } => format!("remove {name}"),
            Effect::Unmake { thing, name, .. } => format!("unmake {} {name}", thing.as_str()),
            other => format!("{other:?}"),
        },
        Action::Probe { container, .. } => format!("probe {container}"),
        Action::Keys { container, step: KeyStep::AwaitApi { .. }, .. } => format!("api {container}"),
        Action::Keys { container, step: KeyStep::Unseal, .. } => format!("unseal {container}"),
        Action::PointCurrent { number } => format!("current {number:?}"),
        Action::PointGood { number } => format!("good {number:?}"),
        Action::AbandonSet { .. } => "abandon the set".to_owned(),
        Action::Hook { container, moment, .. } => format!("{} in {container}", moment.as_str()),
        Action::Forget { project } => format!("forget {project}"),
        other => format!("{other:?}"),
    }
}
