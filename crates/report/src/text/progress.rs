//! A run while it runs: a line for each journal entry that has something to say.

use plan::{Action, Effect, Entry, Output, Plan, Progress, RestorePart, Step, StepId};
use stack::ServiceName;

use super::{
    diagnostics::one_line,
    measure::{self, bytes, count, duration},
    plan::IMPACT,
    style::Style,
};
use crate::run::{is_degraded, revived_in, seconds_of};

/// The lines of one entry. `progress` has already taken it.
pub fn progress(plan: &Plan, progress: &Progress, entry: &Entry, style: Style) -> Vec<String> {
    let Some(step) = entry.step().and_then(|id| plan.steps.iter().find(|step| step.id == *id)) else {
        return match entry {
            Entry::Abandoned { because, .. } => vec![format!("  taking back: {because}")],
            Entry::Revived { service, output, .. } => {
                vec![revival_line(plan, progress, service, &mark_of(output, style), &answered(output))]
            }
            Entry::ReviveFailed { service, because, .. } => {
                let cause = because.first().map(|cause| one_line(cause)).unwrap_or_default();
                vec![revival_line(plan, progress, service, &style.bad("✗"), &cause)]
            }
            _ => Vec::new(),
        };
    };
    let line = |mark: String, said: &str| vec![step_line(plan, progress, step, &mark, said)];
    match entry {
        Entry::Started { .. } if is_first_with_impact(plan, &step.id) => vec![format!("  {IMPACT}")],
        Entry::Succeeded { output: Output::Left { because }, .. } => {
            line("·".to_owned(), &format!("left for the next run: {}", one_line(because)))
        }
        Entry::Succeeded { output, .. } => line(mark_of(output, style), &made(step, output)),
        Entry::Failed { because, .. } => {
            line(style.bad("✗"), &because.first().map(|cause| one_line(cause)).unwrap_or_default())
        }
        Entry::Waiting { .. } => line("…".to_owned(), "waits for a person"),
        Entry::Attested { who, .. } => line(style.good("✓"), &format!("attested by {who}")),
        Entry::Undone { .. } if !step.undo.is_empty() => line("↩".to_owned(), "taken back"),
        Entry::UndoFailed { because, .. } => {
            let cause = because.first().map(|cause| one_line(cause)).unwrap_or_default();
            line(style.bad("✗"), &format!("cannot be taken back: {cause}"))
        }
        _ => Vec::new(),
    }
}

fn is_first_with_impact(plan: &Plan, id: &StepId) -> bool {
    plan.steps.iter().find(|step| step.impact).is_some_and(|step| step.id == *id)
}

fn step_line(plan: &Plan, progress: &Progress, step: &Step, mark: &str, said: &str) -> String {
    let took = seconds_of(progress, &step.id).map(duration).unwrap_or_default();
    in_columns(plan, mark, [&step.kind, &step.subject, &took], said)
}

/// A service that is brought back after everything was taken back: `resume` where it is started again, else `ask`.
fn revival_line(plan: &Plan, progress: &Progress, service: &ServiceName, mark: &str, said: &str) -> String {
    let resumed = |action: &Action| matches!(action, Action::Engine { effect: Effect::Resume { .. } });
    let mut revivals = plan.revivals.iter().filter(|revival| revival.service == *service);
    let kind = if revivals.any(|revival| revival.actions.iter().any(resumed)) { "resume" } else { "ask" };
    let took = revived_in(progress, service).map(duration).unwrap_or_default();
    in_columns(plan, mark, [kind, service.as_str(), &took], said)
}

/// What a service that was brought back answered.
fn answered(output: &Output) -> String {
    match output {
        Output::Probed { attempts, .. } => {
            format!("{} after {}", health(output, "answers"), count(*attempts as usize, "probe"))
        }
        _ => String::new(),
    }
}

fn in_columns(plan: &Plan, mark: &str, [kind, subject, took]: [&str; 3], said: &str) -> String {
    // A long image name or set id must not push every other line to the right.
    const WIDEST: usize = 24;
    let width = |of: fn(&Step) -> &str| {
        plan.steps.iter().map(|step| of(step).chars().count()).max().unwrap_or(0).min(WIDEST)
    };
    let (kinds, subjects) = (width(|step| &step.kind), width(|step| &step.subject));
    let line = format!("  {mark} {kind:<kinds$} {subject:<subjects$} {took:>7}  {said}");
    line.trim_end().to_owned()
}

/// What works with less is not shown as well.
fn mark_of(output: &Output, style: Style) -> String {
    if is_degraded(output) { style.middling("!") } else { style.good("✓") }
}

fn health<'w>(output: &Output, well: &'w str) -> &'w str {
    if is_degraded(output) { "degraded" } else { well }
}

/// What a finished step made or found, in a few words.
fn made(step: &Step, output: &Output) -> String {
    match output {
        Output::None | Output::Left { .. } => String::new(),
        Output::Unchanged => "was so already".to_owned(),
        Output::Image { id } => {
            let id = id.strip_prefix("sha256:").unwrap_or(id);
            id.chars().take(12).collect()
        }
        Output::Probed { attempts, .. } => {
            format!("{} after {}", health(output, "healthy"), count(*attempts as usize, "probe"))
        }
        Output::Secret { version } => format!("version {version}"),
        Output::Keys { list } => count(list.keys.len(), "key"),
        Output::Canaries { canaries } => match step.action {
            Action::Restore { part: RestorePart::Canaries { .. }, .. } => {
                measure::canaries_decrypt(canaries.len())
            }
            _ => format!("{} to prove the keys by", canaries.len()),
        },
        Output::Objects { objects } => {
            let sealed = objects.iter().map(|object| object.sealed_bytes).sum();
            format!("{}, {} sealed", count(objects.len(), "object"), bytes(sealed))
        }
        Output::Manifest { manifest, target, .. } => {
            format!("{}, on {target}", count(manifest.objects.len(), "object"))
        }
        Output::Restored { counts, .. } if counts.is_empty() => String::new(),
        Output::Restored { counts, .. } => {
            format!("{}, {} rows", count(counts.len(), "table"), counts.values().sum::<u64>())
        }
        Output::Wrote { path } => path.clone(),
    }
}
