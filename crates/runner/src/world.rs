//! What a step may touch, as the runner sees it.

use std::fmt::Display;

use async_trait::async_trait;
use backup::TargetError;
use diag::{Diagnostic, Stop, causes};
use host::{EngineError, LockError};
use plan::{Action, Output, Plan, Progress};

use crate::{ReleaseError, RunError};

/// The world that steps act on.
///
/// Contract: `apply` is idempotent. After a crash nobody can know whether the last call took effect, so it is made
/// again; an undo may be asked for a step that never ran.
#[async_trait]
pub trait World: Send + Sync {
    /// Does `action`, which the journal has just announced: a step's own, one of its undos, or part of a revival.
    async fn apply(&self, action: &Action, so_far: SoFar<'_>) -> Result<Output, StepError>;

    /// The number of the lock that it is acted on under, where there is one; asked before every entry, and so before
    /// every effect.
    ///
    /// # Errors
    /// When somebody else holds a later one: nothing more may be touched.
    fn fence(&self) -> Result<Option<u64>, LockError>;
}

/// What a step may know of its own run: the plan it belongs to, and what came before it.
#[derive(Debug, Clone, Copy)]
pub struct SoFar<'a> {
    /// The plan.
    pub plan: &'a Plan,
    /// Where the run stands.
    pub progress: &'a Progress,
}

/// Why a step did not come to its end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StepError {
    /// It failed.
    Failed {
        /// The chain of causes, nearest first.
        because: Vec<String>,
        /// What to do about it, where whoever failed knows.
        hint: Option<String>,
    },
    /// A person must act first; the run stops and can be taken up again.
    Waiting {
        /// What the person is to do: a command where there is one.
        instruction: String,
    },
}

impl StepError {
    /// A failure with one cause.
    pub fn failed(because: impl Display) -> Self {
        Self::because(vec![because.to_string()])
    }

    /// A failure with these causes, nearest first.
    pub fn because(because: Vec<String>) -> Self {
        Self::Failed { because, hint: None }
    }

    /// A failure with an error's whole chain of causes, and what one of them knows to do about it.
    pub fn chain(error: &(dyn std::error::Error + 'static)) -> Self {
        Self::Failed { because: causes(error), hint: remedy(error) }
    }

    /// The same, as what came of an attempt: `because` stands before its causes.
    #[must_use]
    pub fn came_of(self, attempt: impl Into<String>) -> Self {
        match self {
            Self::Failed { mut because, hint } => {
                because.insert(0, attempt.into());
                Self::Failed { because, hint }
            }
            waiting @ Self::Waiting { .. } => waiting,
        }
    }
}

impl From<Stop> for StepError {
    /// What would have stopped a verb stops a step: the first thing it says.
    fn from(stop: Stop) -> Self {
        let said = stop.diagnostics.into_iter().next();
        let said = said.unwrap_or_else(|| Diagnostic::error("stopped", "it was refused"));
        Self::Failed { because: [vec![said.message], said.causes].concat(), hint: said.hint }
    }
}

/// What to do about an error, where one in its chain knows: the nearest.
pub(crate) fn remedy(error: &(dyn std::error::Error + 'static)) -> Option<String> {
    diag::chain(error).find_map(|error| {
        let engine = error.downcast_ref::<EngineError>().and_then(|error| error.hint.clone());
        let target = || error.downcast_ref::<TargetError>()?.trouble.hint().map(ToOwned::to_owned);
        let run = || error.downcast_ref::<RunError>()?.hint();
        let release = || error.downcast_ref::<ReleaseError>()?.hint();
        engine.or_else(target).or_else(run).or_else(release)
    })
}

/// Time, as a value that tests move.
pub trait Clock: Send + Sync {
    /// Now.
    fn now(&self) -> jiff::Timestamp;
}

/// The machine's own clock.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> jiff::Timestamp {
        jiff::Timestamp::now()
    }
}

#[cfg(test)]
mod tests {
    use std::io;

    use backup::TargetTrouble;
    use host::Trouble;

    use super::*;
    use crate::SurveyError;

    fn held() -> EngineError {
        EngineError::new(Trouble::Conflict, "start blog-web-1").hint("host port 80 is held by nginx")
    }

    #[test]
    fn a_failure_keeps_the_hint_of_whoever_knew_one_however_deep() {
        let full = TargetError {
            target: "/mnt/sets".into(),
            doing: "write".to_owned(),
            trouble: TargetTrouble::Full,
            source: None,
        };
        let outer = EngineError::new(Trouble::Refused, "deploy").because(held());
        let hint = |error: &(dyn std::error::Error + 'static)| match StepError::chain(error) {
            StepError::Failed { hint, .. } => hint,
            StepError::Waiting { .. } => None,
        };
        let port = Some("host port 80 is held by nginx".to_owned());
        assert_eq!(hint(&held()), port);
        assert_eq!(hint(&outer), port, "the nearest that knows one");
        assert_eq!(hint(&io::Error::other(held())), port, "as a connection carries it");
        assert_eq!(hint(&SurveyError::Engine(held())), port);
        assert_eq!(hint(&full), Some("free some space there, or name another target".to_owned()));
        assert_eq!(hint(&io::Error::other("no")), None);
    }
}
