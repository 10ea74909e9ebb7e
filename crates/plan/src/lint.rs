//! Checks a finished plan with eyes that did not write it. The runner refuses a plan that does not pass.

use std::collections::BTreeSet;

use stack::StateKind;

use crate::{Action, Effect, Plan, RestorePart, Step};

/// Everything wrong with `plan`, one sentence each; empty: it is sound.
pub fn lint(plan: &Plan) -> Vec<String> {
    let mut wrong = Vec::new();
    let mut seen = BTreeSet::new();
    for step in &plan.steps {
        let id = &step.id;
        if !seen.insert(id.clone()) {
            wrong.push(format!("two steps are called `{id}`"));
        }
        for before in step.after.iter().filter(|before| !seen.contains(*before) || *before == id) {
            wrong.push(format!("`{id}` comes after `{before}`, which does not stand before it"));
        }
        if step.because.is_empty() {
            wrong.push(format!("`{id}` has no cause"));
        }
        if step.forgiving && !step.undo.is_empty() {
            wrong.push(format!("`{id}` is housekeeping and yet can be undone"));
        }
        if let Some(lost) = data_lost(step).filter(|_| step.destroys.is_none()) {
            wrong.push(format!("`{id}` removes {lost} and does not say so"));
        }
        if let Some(lost) = step.destroys.as_ref().filter(|lost| !plan.may_destroy(lost)) {
            wrong.push(format!("`{id}` destroys `{lost}`, and nothing permits it"));
        }
        if matches!(&step.action, Action::PruneSet { set } if plan.set.as_ref() == Some(set)) {
            wrong.push(format!("`{id}` removes the very set that is written"));
        }
    }
    for revival in &plan.revivals {
        let service = &revival.service;
        if revival.after_any.is_empty() || revival.after_any.iter().any(|step| !seen.contains(step)) {
            wrong.push(format!("`{service}` is brought back after steps that the plan does not have"));
        }
        if plan.revivals.iter().filter(|other| other.service == *service).count() > 1 {
            wrong.push(format!("`{service}` is brought back twice"));
        }
    }
    wrong.extend(out_of_order(plan));
    wrong
}

/// What a step takes away for good. A throwaway's volume holds a copy, and goes as housekeeping.
fn data_lost(step: &Step) -> Option<&'static str> {
    match &step.action {
        Action::Engine { effect: Effect::RemoveVolume { .. } } if !step.forgiving => Some("a volume"),
        Action::Engine { effect: Effect::Discard { .. } } => Some("volumes without a name"),
        Action::PruneSet { .. } => Some("a set"),
        _ => None,
    }
}

/// What a step is.
type Is = fn(&Action) -> bool;

/// What a set rests on, in the order in which it must be taken and brought back: a key that the data needs is captured
/// after it, and no row is moved before the keys have proved themselves.
fn out_of_order(plan: &Plan) -> Vec<String> {
    let positions =
        |is: Is| plan.steps.iter().enumerate().filter(move |(_, step)| is(&step.action)).map(|(at, _)| at);
    let rules: [(Is, Is, &str); 5] = [
        (captures_data, captures_keys, "captures keys before data that may need newer ones"),
        (captures, commits, "commits a set before all of it is captured"),
        (commits, prunes, "removes a set before the new one exists"),
        (restores_keys, proves_keys, "asks canaries before the keys are there"),
        (proves_keys, restores_data, "moves data before the keys have proved themselves"),
    ];
    let broken = rules.iter().filter_map(|(first, then, what)| {
        let last = positions(*first).next_back()?;
        let early = positions(*then).find(|at| *at < last)?;
        Some(format!("`{}` {what}", plan.steps[early].id))
    });
    broken.collect()
}

fn captures(action: &Action) -> bool {
    captures_data(action) || captures_keys(action) || matches!(action, Action::CaptureRelease { .. })
}

fn captures_data(action: &Action) -> bool {
    matches!(action, Action::Capture { state, .. } if !matches!(state.kind, StateKind::Transit(_)))
}

fn captures_keys(action: &Action) -> bool {
    matches!(action, Action::Capture { state, .. } if matches!(state.kind, StateKind::Transit(_)))
}

fn commits(action: &Action) -> bool {
    matches!(action, Action::CommitSet { .. })
}

fn prunes(action: &Action) -> bool {
    matches!(action, Action::PruneSet { .. })
}

fn restores_keys(action: &Action) -> bool {
    matches!(action, Action::Restore { part: RestorePart::KeyStore { .. }, .. })
}

fn proves_keys(action: &Action) -> bool {
    matches!(action, Action::Restore { part: RestorePart::Canaries { .. }, .. })
}

fn restores_data(action: &Action) -> bool {
    matches!(action, Action::Restore { part: RestorePart::State { .. }, .. })
}
