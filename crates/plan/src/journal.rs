//! Journal entries and what they add up to. State is a fold; the fold refuses the impossible.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use stack::ServiceName;

use crate::{
    Action, Plan, Revival, Step, StepId,
    set::{Canary, KeyList, Manifest, Object},
};

/// One line of a run's journal. It is on disk before the host is touched.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "entry", rename_all = "kebab-case")]
pub enum Entry {
    /// The run began, or was taken up again.
    Began {
        /// When.
        at: jiff::Timestamp,
        /// The number of the lock it is carried out under: never lower than one before.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        epoch: Option<u64>,
    },
    /// A step is about to touch the host.
    Started {
        /// Which.
        step: StepId,
        /// When.
        at: jiff::Timestamp,
    },
    /// It is done.
    Succeeded {
        /// Which.
        step: StepId,
        /// When.
        at: jiff::Timestamp,
        /// What it found or made.
        output: Output,
    },
    /// It failed: everything is unwound, beginning with it.
    Failed {
        /// Which.
        step: StepId,
        /// When.
        at: jiff::Timestamp,
        /// The chain of causes, nearest first.
        because: Vec<String>,
        /// What to do about it, where whoever failed knows.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        hint: Option<String>,
    },
    /// It needs a person; the run stops here and can be taken up again.
    Waiting {
        /// Which.
        step: StepId,
        /// When.
        at: jiff::Timestamp,
        /// What the person is to do.
        instruction: String,
    },
    /// A person did what was asked.
    Attested {
        /// Which.
        step: StepId,
        /// When.
        at: jiff::Timestamp,
        /// Who.
        who: String,
        /// What proves it.
        proof: String,
    },
    /// The run is to be taken back, though no step failed: it was interrupted, or a person asked.
    Abandoned {
        /// When.
        at: jiff::Timestamp,
        /// Why.
        because: String,
    },
    /// A step is about to be taken back.
    Undoing {
        /// Which.
        step: StepId,
        /// When.
        at: jiff::Timestamp,
    },
    /// It has been taken back.
    Undone {
        /// Which.
        step: StepId,
        /// When.
        at: jiff::Timestamp,
    },
    /// Taking it back failed.
    UndoFailed {
        /// Which.
        step: StepId,
        /// When.
        at: jiff::Timestamp,
        /// The chain of causes.
        because: Vec<String>,
        /// What to do about it, where whoever failed knows.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        hint: Option<String>,
    },
    /// A service is about to be brought back: everything that could be taken back is.
    Reviving {
        /// Which.
        service: ServiceName,
        /// When.
        at: jiff::Timestamp,
    },
    /// It was brought back, and answers.
    Revived {
        /// Which.
        service: ServiceName,
        /// When.
        at: jiff::Timestamp,
        /// What it answered.
        output: Output,
    },
    /// It could not be brought back, or does not answer. The others are brought back all the same.
    ReviveFailed {
        /// Which.
        service: ServiceName,
        /// When.
        at: jiff::Timestamp,
        /// The chain of causes.
        because: Vec<String>,
        /// What to do about it, where whoever failed knows.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        hint: Option<String>,
    },
    /// The run is over.
    Ended {
        /// When.
        at: jiff::Timestamp,
        /// How.
        outcome: Outcome,
    },
}

/// How a run ended.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "outcome", rename_all = "kebab-case")]
pub enum Outcome {
    /// Every step is done.
    Applied,
    /// A step failed and everything was taken back: what had been stopped runs again, and answers.
    Undone {
        /// The step that failed, when one did.
        step: Option<StepId>,
        /// The chain of causes, nearest first.
        because: Vec<String>,
    },
    /// An undo failed, or what ran before does not answer now. A person has to look.
    Stuck {
        /// The step whose undo failed; else the one that had stopped what does not answer.
        step: StepId,
        /// Why it was being undone.
        because: Vec<String>,
        /// What its undo said, or whoever was asked.
        undo_error: Vec<String>,
    },
}

/// What a step found or made. Holds no secret value.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(tag = "output", rename_all = "kebab-case")]
pub enum Output {
    /// Nothing worth keeping.
    #[default]
    None,
    /// It was so already.
    Unchanged,
    /// Housekeeping that failed and was left for the next run.
    Left {
        /// Why.
        because: String,
    },
    /// An image is there.
    Image {
        /// Its id.
        id: String,
    },
    /// A service answered.
    Probed {
        /// Each probe and what it saw.
        seen: Vec<ProbeSeen>,
        /// Attempts it took.
        attempts: u32,
    },
    /// A secret has this version.
    Secret {
        /// Version, from 1.
        version: u32,
    },
    /// Key names and versions.
    Keys {
        /// Them.
        list: KeyList,
    },
    /// Canaries were made, or decrypted.
    Canaries {
        /// Them.
        canaries: Vec<Canary>,
    },
    /// Objects were written, the same on each target.
    Objects {
        /// Them.
        objects: Vec<Object>,
    },
    /// A manifest was committed or verified.
    Manifest {
        /// It.
        manifest: Box<Manifest>,
        /// SHA-256 of its bytes.
        sha256: String,
        /// Where.
        target: String,
    },
    /// State was brought back.
    Restored {
        /// Rows by table.
        counts: BTreeMap<String, u64>,
        /// Newest heartbeat found.
        heartbeat: Option<jiff::Timestamp>,
    },
    /// A file was written for a person.
    Wrote {
        /// Its path.
        path: String,
    },
}

/// One probe and what it saw.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProbeSeen {
    /// The probe in words: `GET /healthz on web:8080`.
    pub probe: String,
    /// What came back, in words.
    pub saw: String,
    /// It works, with less: it passes, and is not well.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub degraded: bool,
}

/// What comes next in a run.
#[derive(Debug, Clone, PartialEq)]
pub enum Next<'p> {
    /// Do this step; when it was interrupted, again.
    Do(&'p Step),
    /// Take this step back.
    TakeBack(&'p Step),
    /// Bring this service back.
    Revive(&'p Revival),
    /// Write down how it ended.
    End(Outcome),
    /// Nothing: it is over.
    Over,
}

/// What each finished step put out.
pub type Outputs = BTreeMap<StepId, Output>;

/// Why a journal could not be folded.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum JournalError {
    /// The entry cannot follow what came before it.
    #[error("journal entry {index} cannot follow what stands before it: {entry}")]
    Impossible {
        /// Its place in the journal, from 1.
        index: usize,
        /// It, as JSON.
        entry: String,
    },
    /// It names a step the plan does not have.
    #[error("journal entry {index} names step `{step}`, which the plan does not have")]
    UnknownStep {
        /// Its place in the journal, from 1.
        index: usize,
        /// The step.
        step: StepId,
    },
}

/// Where a run stands: the fold of its journal over its plan.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Progress {
    /// Steps done, with what they put out.
    pub done: Outputs,
    /// A step that was started and has not ended: it may have half happened.
    pub running: Option<StepId>,
    /// A step that waits for a person, with the instruction.
    pub waiting: Option<(StepId, String)>,
    /// Steps a person attested, and when last.
    pub attested: BTreeMap<StepId, jiff::Timestamp>,
    /// Why the run is being taken back, and from which step, once it is.
    pub unwinding: Option<(Option<StepId>, Vec<String>)>,
    /// Steps taken back.
    pub undone: Vec<StepId>,
    /// Services brought back, and whether they answer.
    pub revived: BTreeMap<ServiceName, Revived>,
    /// How it ended.
    pub outcome: Option<Outcome>,
    /// Times of each step: started, ended.
    pub times: BTreeMap<StepId, (jiff::Timestamp, Option<jiff::Timestamp>)>,
    /// What to do about a step that failed, or whose undo did, where that is known.
    pub hints: BTreeMap<StepId, String>,
    /// The step whose undo failed last, until it is tried again, and what was said.
    pub undo_failed: Option<(StepId, Vec<String>)>,
    /// The number of the lock it is carried out under.
    pub epoch: Option<u64>,
    entries: usize,
}

/// A service that is brought back.
#[derive(Debug, Clone, PartialEq)]
pub struct Revived {
    /// Since when.
    pub began: jiff::Timestamp,
    /// Until when.
    pub ended: Option<jiff::Timestamp>,
    /// What it answered, or why it is not there; none yet while it is being asked.
    pub answer: Option<Result<Output, Vec<String>>>,
    /// What to do about it where it is not there, and that is known.
    pub hint: Option<String>,
}

impl Progress {
    /// Folds a whole journal.
    ///
    /// # Errors
    /// When an entry cannot follow what stands before it, or names a step the plan does not have.
    pub fn fold<'a>(plan: &Plan, entries: impl IntoIterator<Item = &'a Entry>) -> Result<Self, JournalError> {
        let mut progress = Self::default();
        for entry in entries {
            progress.take(plan, entry)?;
        }
        Ok(progress)
    }

    /// Takes one more entry: the whole state machine of a run.
    ///
    /// # Errors
    /// As [`Progress::fold`].
    pub fn take(&mut self, plan: &Plan, entry: &Entry) -> Result<(), JournalError> {
        self.entries += 1;
        if let Some(step) = entry.step().filter(|step| !plan.steps.iter().any(|known| known.id == **step)) {
            return Err(JournalError::UnknownStep { index: self.entries, step: step.clone() });
        }
        let index = self.entries;
        let impossible = || JournalError::Impossible {
            index,
            entry: serde_json::to_string(entry).unwrap_or_else(|err| err.to_string()),
        };
        if self.outcome.is_some() {
            return Err(impossible());
        }
        let unwinding = self.unwinding.is_some();
        match entry {
            // Whoever held the lock before and wakes up late has a lower number.
            Entry::Began { epoch, .. } if epoch.is_none() || *epoch >= self.epoch => {
                self.epoch = self.epoch.max(*epoch);
            }
            // A step that was interrupted is started again; one that waits goes on once its person has acted.
            Entry::Started { step, at } if !unwinding && self.may_start(plan, step) => {
                self.running = Some(step.clone());
                self.waiting = None;
                self.times.insert(step.clone(), (*at, None));
            }
            Entry::Succeeded { step, at, output } if !unwinding && self.running.as_ref() == Some(step) => {
                self.running = None;
                self.done.insert(step.clone(), output.clone());
                self.ended(step, *at);
            }
            Entry::Failed { step, at, because, .. } if !unwinding && self.running.as_ref() == Some(step) => {
                self.unwinding = Some((Some(step.clone()), because.clone()));
                self.ended(step, *at);
            }
            Entry::Waiting { step, instruction, .. } if !unwinding && self.running.as_ref() == Some(step) => {
                self.running = None;
                self.waiting = Some((step.clone(), instruction.clone()));
            }
            // An undo waits too: shares of a key store that comes back sealed.
            Entry::Waiting { step, instruction, .. }
                if self.is_next_back(plan, step) || self.is_revived_after(plan, step) =>
            {
                self.waiting = Some((step.clone(), instruction.clone()));
            }
            Entry::Attested { step, at, .. }
                if !unwinding && self.waiting.as_ref().is_some_and(|(waits, _)| waits == step) =>
            {
                self.attested.insert(step.clone(), *at);
            }
            Entry::Abandoned { because, .. } if !unwinding => {
                self.unwinding = Some((None, vec![because.clone()]));
            }
            Entry::Undoing { step, .. } if self.is_next_back(plan, step) => {
                self.undo_failed = None;
                self.waiting = None;
            }
            Entry::Undone { step, .. } if self.is_next_back(plan, step) => {
                self.undo_failed = None;
                self.undone.push(step.clone());
            }
            Entry::UndoFailed { step, because, .. } if self.is_next_back(plan, step) => {
                self.undo_failed = Some((step.clone(), because.clone()));
            }
            Entry::Reviving { service, at } if self.is_next_revived(plan, service) => {
                self.waiting = None;
                self.revived
                    .insert(service.clone(), Revived { began: *at, ended: None, answer: None, hint: None });
            }
            Entry::Revived { service, at, output } if self.is_being_revived(service) => {
                self.answered(service, *at, Ok(output.clone()));
            }
            Entry::ReviveFailed { service, at, because, hint } if self.is_being_revived(service) => {
                self.answered(service, *at, Err(because.clone()));
                if let Some(revived) = self.revived.get_mut(service) {
                    revived.hint.clone_from(hint);
                }
            }
            Entry::Ended { outcome, .. } if self.may_end(plan, outcome) => {
                self.outcome = Some(outcome.clone());
            }
            _ => return Err(impossible()),
        }
        if let Some((step, hint)) = entry.hint() {
            self.hints.insert(step.clone(), hint.to_owned());
        }
        Ok(())
    }

    /// True until its first entry.
    pub fn is_fresh(&self) -> bool {
        self.entries == 0
    }

    /// What comes next. An unwinding begins with the step that failed or was interrupted, because it may have half
    /// happened, and goes on with the finished ones, newest first; then it brings back what these had stopped. Where an
    /// undo fails nothing before it is taken back, and what was taken back until then is brought back all the same.
    pub fn next<'p>(&self, plan: &'p Plan) -> Next<'p> {
        if self.outcome.is_some() {
            return Next::Over;
        }
        let Some((step, because)) = &self.unwinding else {
            let next = plan.steps.iter().find(|step| !self.done.contains_key(&step.id));
            return next.map_or(Next::End(Outcome::Applied), Next::Do);
        };
        let touched = |step: &&Step| self.times.contains_key(&step.id) && !self.undone.contains(&step.id);
        if self.undo_failed.is_none()
            && let Some(step) = plan.steps.iter().rev().find(touched)
        {
            return Next::TakeBack(step);
        }
        if let Some(revival) = plan.revivals.iter().find(|revival| self.is_to_be_revived(revival)) {
            return Next::Revive(revival);
        }
        let because = because.clone();
        Next::End(match self.in_the_way(plan) {
            Some((step, undo_error)) => Outcome::Stuck { step, because, undo_error },
            None => Outcome::Undone { step: step.clone(), because },
        })
    }

    /// What keeps an unwinding from being clean: an undo that failed, or the first service that does not answer.
    fn in_the_way(&self, plan: &Plan) -> Option<(StepId, Vec<String>)> {
        self.undo_failed.clone().or_else(|| {
            plan.revivals.iter().find_map(|revival| {
                let because = self.silent(&revival.service)?;
                Some((self.stopped_by(revival)?.clone(), because.to_vec()))
            })
        })
    }

    /// Why a service that was to be brought back does not answer; `None`: it does, or nobody asked.
    pub fn silent(&self, service: &ServiceName) -> Option<&[String]> {
        self.revived.get(service)?.answer.as_ref()?.as_ref().err().map(Vec::as_slice)
    }

    /// The step that was taken back and had stopped what is to be brought back.
    fn stopped_by<'p>(&self, revival: &'p Revival) -> Option<&'p StepId> {
        revival.after_any.iter().find(|step| self.undone.contains(step))
    }

    fn is_to_be_revived(&self, revival: &Revival) -> bool {
        let answer = self.revived.get(&revival.service).and_then(|revived| revived.answer.as_ref());
        answer.is_none() && self.stopped_by(revival).is_some()
    }

    /// True when all but housekeeping is done, or all but a commit that was begun: what was proven stays, whoever takes
    /// the run up.
    pub fn is_proven(&self, plan: &Plan) -> bool {
        let settled =
            |step: &Step| step.forgiving || self.done.contains_key(&step.id) || self.is_commit_begun(step);
        plan.steps.iter().all(settled)
    }

    /// The set may exist already, and nothing takes back that it does. The commit is done again: it needs nothing that
    /// whoever began it held, and finds what it made.
    fn is_commit_begun(&self, step: &Step) -> bool {
        matches!(step.action, Action::CommitSet { .. }) && self.running.as_ref() == Some(&step.id)
    }

    fn may_start(&self, plan: &Plan, step: &StepId) -> bool {
        let free = self.running.as_ref().is_none_or(|running| running == step);
        let here = matches!(self.next(plan), Next::Do(next) if next.id == *step);
        free && here
    }

    /// Whether this is the step to take back now, or to try again.
    fn is_next_back(&self, plan: &Plan, step: &StepId) -> bool {
        match (&self.undo_failed, self.next(plan)) {
            (Some((failed, _)), _) => failed == step,
            (None, Next::TakeBack(next)) => next.id == *step,
            _ => false,
        }
    }

    fn is_next_revived(&self, plan: &Plan, service: &ServiceName) -> bool {
        matches!(self.next(plan), Next::Revive(next) if next.service == *service)
    }

    /// Whether what is being brought back now had been stopped by this step.
    fn is_revived_after(&self, plan: &Plan, step: &StepId) -> bool {
        let asked =
            |revival: &Revival| self.is_being_revived(&revival.service) && revival.after_any.contains(step);
        matches!(self.next(plan), Next::Revive(next) if asked(next))
    }

    fn is_being_revived(&self, service: &ServiceName) -> bool {
        self.revived.get(service).is_some_and(|revived| revived.answer.is_none())
    }

    fn answered(&mut self, service: &ServiceName, at: jiff::Timestamp, answer: Result<Output, Vec<String>>) {
        if let Some(revived) = self.revived.get_mut(service) {
            (revived.ended, revived.answer) = (Some(at), Some(answer));
        }
    }

    /// A run ends as its fold says.
    fn may_end(&self, plan: &Plan, outcome: &Outcome) -> bool {
        self.next(plan) == Next::End(outcome.clone())
    }

    fn ended(&mut self, step: &StepId, at: jiff::Timestamp) {
        if let Some(times) = self.times.get_mut(step) {
            times.1 = Some(at);
        }
    }
}

impl Entry {
    /// What to do about a failure, where that is known, and the step that failed.
    pub fn hint(&self) -> Option<(&StepId, &str)> {
        match self {
            Entry::Failed { step, hint, .. } | Entry::UndoFailed { step, hint, .. } => {
                Some((step, hint.as_deref()?))
            }
            _ => None,
        }
    }

    /// The step it is about.
    pub fn step(&self) -> Option<&StepId> {
        match self {
            Entry::Started { step, .. }
            | Entry::Succeeded { step, .. }
            | Entry::Failed { step, .. }
            | Entry::Waiting { step, .. }
            | Entry::Attested { step, .. }
            | Entry::Undoing { step, .. }
            | Entry::Undone { step, .. }
            | Entry::UndoFailed { step, .. } => Some(step),
            Entry::Began { .. }
            | Entry::Abandoned { .. }
            | Entry::Reviving { .. }
            | Entry::Revived { .. }
            | Entry::ReviveFailed { .. }
            | Entry::Ended { .. } => None,
        }
    }
}
