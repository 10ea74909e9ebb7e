//! The contract of every run: the entry is on disk before the host is touched.

use plan::{Action, Entry, Step};

/// Whether the journal announces that `action` is done now, for `step`.
///
/// # Errors
/// In words, what the journal says instead.
pub(crate) fn announced(step: &Step, action: &Action, journal: &[Entry]) -> Result<(), String> {
    let mut open = None;
    for entry in journal {
        match entry {
            Entry::Started { step, .. } => open = Some((step, false)),
            Entry::Undoing { step, .. } => open = Some((step, true)),
            Entry::Succeeded { .. }
            | Entry::Failed { .. }
            | Entry::Waiting { .. }
            | Entry::Undone { .. }
            | Entry::UndoFailed { .. }
            | Entry::Ended { .. } => open = None,
            Entry::Began { .. } | Entry::Attested { .. } | Entry::Abandoned { .. } => {}
        }
    }
    match open {
        Some((id, _)) if *id != step.id => {
            Err(format!("the journal announces `{id}`, and `{}` was done", step.id))
        }
        Some((_, false)) if step.action == *action => Ok(()),
        Some((_, true)) if step.undo.contains(action) => Ok(()),
        Some((id, false)) => {
            Err(format!("`{id}` was announced, and something else than its action was done"))
        }
        Some((id, true)) => Err(format!("taking back `{id}` was announced, and something else was done")),
        None => Err(format!("nothing is announced, and `{}` was done", step.id)),
    }
}
