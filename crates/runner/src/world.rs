//! What a step may touch, as the runner sees it.

use std::fmt::Display;

use async_trait::async_trait;
use plan::{Action, Output, Plan, Progress};

/// The world that steps act on.
///
/// Contract: `apply` is idempotent. After a crash nobody can know whether the last call took effect, so it is made
/// again; an undo may be asked for a step that never ran.
#[async_trait]
pub trait World: Send + Sync {
    /// Does `action`, which the journal has just announced: a step's own, one of its undos, or part of a revival.
    async fn apply(&self, action: &Action, so_far: SoFar<'_>) -> Result<Output, StepError>;
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
    /// It failed: the chain of causes, nearest first.
    Failed(Vec<String>),
    /// A person must act first; the run stops and can be taken up again.
    Waiting {
        /// What the person is to do: a command where there is one.
        instruction: String,
    },
}

impl StepError {
    /// A failure with one cause.
    pub fn failed(because: impl Display) -> Self {
        Self::Failed(vec![because.to_string()])
    }

    /// A failure with an error's whole chain of causes.
    pub fn chain(error: &(dyn std::error::Error + 'static)) -> Self {
        Self::Failed(causes(error))
    }
}

/// An error and its sources, nearest first.
pub fn causes(error: &(dyn std::error::Error + 'static)) -> Vec<String> {
    let mut because = Vec::new();
    let mut next = Some(error);
    while let Some(error) = next {
        let said = error.to_string();
        // Some sources repeat what their wrapper already said.
        if because.last() != Some(&said) {
            because.push(said);
        }
        next = error.source();
    }
    because
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
