//! Checks a finished plan with eyes that did not write it. The runner refuses a plan that does not pass.

use std::collections::BTreeSet;

use crate::{Action, Effect, Plan, Step};

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
        if destroys_data(step) && step.destroys.is_none() && !step.forgiving {
            wrong.push(format!("`{id}` removes a volume and does not say so"));
        }
    }
    let destroying = plan.steps.iter().find(|step| step.destroys.is_some());
    if let Some(step) = destroying.filter(|_| plan.permits.is_empty()) {
        wrong.push(format!("`{}` destroys data, and nothing permits it", step.id));
    }
    wrong
}

fn destroys_data(step: &Step) -> bool {
    matches!(&step.action, Action::Engine { effect: Effect::RemoveVolume { .. } })
}
