//! Which sets go once a new one is there, and which stay although there are more than `[backup] keep`.
//!
//! Sets go whole, the oldest first to lose its turn. None needs another: each holds data, keys and release, and graves
//! keep the chain provable. What a removal could take away for good is a way back, so these stay however old they are:
//! the newest set that was proven, and the newest with the release that was good where another one runs. The newest set
//! of all is the one that the run has just written, and it is no candidate.

use stack::Shape;

use crate::{Facts, SetSeen, set::SetId};

/// What becomes of the sets that a backup finds.
pub(crate) struct Pruning {
    /// Those that go, and why.
    pub(crate) removed: Vec<(SetId, String)>,
    /// One line for each that stays beyond the number to keep.
    pub(crate) kept: Vec<String>,
}

impl Pruning {
    /// Decides by what the settings say and what the targets hold.
    pub(crate) fn decide(shape: &Shape, facts: &Facts) -> Self {
        let begun = "its removal was begun: it has a grave and no manifest".to_owned();
        let mut pruning = Self {
            removed: facts.half_removed.iter().map(|set| (set.clone(), begun.clone())).collect(),
            kept: Vec::new(),
        };
        // Without a number nothing is ever removed: that is the person's word too.
        let Some(keep) = shape.backup.keep else { return pruning };
        // The new set is the first of those to keep.
        for set in facts.sets.iter().skip((keep as usize).saturating_sub(1)) {
            match needed(facts, set) {
                Some(why) => pruning.kept.push(format!("set {} is kept: {why}", set.id)),
                None => pruning.removed.push((set.id.clone(), format!("`[backup] keep` is {keep}"))),
            }
        }
        pruning
    }
}

/// Why a set stays although its turn has come.
fn needed(facts: &Facts, set: &SetSeen) -> Option<String> {
    let newest = |wanted: &dyn Fn(&SetSeen) -> bool| {
        facts.sets.iter().find(|seen| wanted(seen)).is_some_and(|newest| newest.id == set.id)
    };
    if newest(&|seen| seen.proven_at.is_some()) {
        return Some("the newest that a drill or a restore proved".to_owned());
    }
    // The new set holds the release that runs.
    let good = facts.good.filter(|_| facts.good != facts.current)?;
    newest(&|seen| seen.release == Some(good))
        .then(|| format!("the newest that holds release {good}, the last good one"))
}
