//! The contract of every run: the entry is on disk before the host is touched.

use plan::{Action, Entry, Plan, Step, StepId};

/// Gives what the journal announces now, where `action` is part of it: the id of a step, or a service.
///
/// # Errors
/// In words, what the journal says instead.
pub(crate) fn announced(plan: &Plan, action: &Action, journal: &[Entry]) -> Result<String, String> {
    let open = journal.iter().rfind(|entry| !matches!(entry, Entry::Began { .. } | Entry::Attested { .. }));
    let step = |id: &StepId| -> Result<&Step, String> {
        let known = plan.steps.iter().find(|step| step.id == *id);
        known.ok_or_else(|| format!("the journal announces `{id}`, which the plan does not have"))
    };
    let (what, part) = match open {
        Some(Entry::Started { step: id, .. }) => (id.to_string(), step(id)?.action == *action),
        Some(Entry::Undoing { step: id, .. }) => (format!("undo of {id}"), step(id)?.undo.contains(action)),
        Some(Entry::Reviving { service, .. }) => {
            let mut revivals = plan.revivals.iter().filter(|revival| revival.service == *service);
            (service.to_string(), revivals.any(|revival| revival.actions.contains(action)))
        }
        _ => return Err("nothing is announced, and something was done".to_owned()),
    };
    match part {
        true => Ok(what),
        false => Err(format!("`{what}` was announced, and something else was done")),
    }
}
