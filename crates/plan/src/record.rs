//! What is still asked of a run when it is over.

use serde::{Deserialize, Serialize};

use crate::{Action, Attested, Entry, Outcome, Plan, Progress, StepId, Verb};

/// One run in few words: what a list shows of it, and what later plans build on. That of a run that is over never
/// changes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    /// Its id.
    pub run: String,
    /// The verb.
    pub verb: Verb,
    /// When its plan was made.
    pub at: jiff::Timestamp,
    /// How it stands.
    pub outcome: RunOutcome,
    /// The release it was for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub release: Option<u64>,
    /// The set it wrote or read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub set: Option<String>,
    /// Steps done, of all.
    pub done: usize,
    /// Steps of the plan.
    pub steps: usize,
    /// The release of the stack's own project that it made good.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub made_good: Option<u64>,
    /// What people attested in it, newest first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub attested: Vec<Attested>,
}

/// How a run ended, or stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum RunOutcome {
    /// Every step is done.
    Applied,
    /// There was nothing to do.
    Unchanged,
    /// A step failed, and everything was taken back.
    Undone,
    /// It waits for a person.
    Waiting,
    /// Taking it back failed.
    Stuck,
    /// It has not ended: it is running, or was interrupted.
    Unfinished,
}

impl Record {
    /// The record of a run, from its plan, its journal and the fold of it.
    pub fn of(run: &str, plan: &Plan, entries: &[Entry], progress: &Progress) -> Self {
        let places = matches!(plan.verb, Verb::Deploy | Verb::Rollback | Verb::Restore);
        let applied = progress.outcome == Some(Outcome::Applied);
        Self {
            run: run.to_owned(),
            verb: plan.verb,
            at: plan.made_at,
            outcome: RunOutcome::of(plan, progress),
            release: plan.release,
            set: plan.set.as_ref().map(ToString::to_string),
            done: progress.done.len(),
            steps: plan.steps.len(),
            made_good: plan.release.filter(|_| places && applied && plan.project == plan.stack),
            attested: attested(plan, entries),
        }
    }
}

/// What people attested, newest first.
fn attested(plan: &Plan, entries: &[Entry]) -> Vec<Attested> {
    let asked = |step: &StepId| plan.steps.iter().find(|known| known.id == *step);
    let attested = entries.iter().rev().filter_map(|entry| match entry {
        Entry::Attested { step, at, who, proof: _ } => match &asked(step)?.action {
            Action::Person { control, instruction, .. } => Some(Attested {
                control: control.clone(),
                instruction: instruction.clone(),
                who: who.clone(),
                at: *at,
            }),
            _ => None,
        },
        _ => None,
    });
    attested.collect()
}

impl RunOutcome {
    /// How a run stands.
    pub fn of(plan: &Plan, progress: &Progress) -> Self {
        match &progress.outcome {
            Some(Outcome::Applied) => Self::Applied,
            Some(Outcome::Undone { .. }) => Self::Undone,
            Some(Outcome::Stuck { .. }) => Self::Stuck,
            None if progress.waiting.is_some() => Self::Waiting,
            None if plan.is_empty() => Self::Unchanged,
            None => Self::Unfinished,
        }
    }

    /// The word in JSON and in lists.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Applied => "applied",
            Self::Unchanged => "unchanged",
            Self::Undone => "undone",
            Self::Waiting => "waiting",
            Self::Stuck => "stuck",
            Self::Unfinished => "unfinished",
        }
    }
}
