//! `Plan`: every choice made, nothing left to decide.

use std::fmt;

use serde::{Deserialize, Serialize};
use stack::{ServiceName, Shape, StackName};

use crate::{Action, Facts, Policy};

/// What a person asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Verb {
    /// Generate missing secrets, initialise the key store.
    Bootstrap,
    /// To a new release.
    Deploy,
    /// Back to an old one.
    Rollback,
    /// Write a set.
    Backup,
    /// Bring a set back.
    Restore,
    /// Prove a set in a throwaway.
    Drill,
    /// Remove the stack.
    Destroy,
}

impl Verb {
    /// The word a person types.
    pub fn as_str(self) -> &'static str {
        match self {
            Verb::Bootstrap => "bootstrap",
            Verb::Deploy => "deploy",
            Verb::Rollback => "rollback",
            Verb::Backup => "backup",
            Verb::Restore => "restore",
            Verb::Drill => "drill",
            Verb::Destroy => "destroy",
        }
    }
}

impl fmt::Display for Verb {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.pad(self.as_str())
    }
}

/// The id of a step within its plan: a short slug, `start-web`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct StepId(pub String);

impl fmt::Display for StepId {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.pad(&self.0)
    }
}

/// One step: what, of what, why, how it is taken back, and whether people notice.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Step {
    /// Its id.
    pub id: StepId,
    /// One word for the column a person reads: `pull`, `stop`, `start`, `probe`.
    pub kind: String,
    /// Of what: a service, an image, a set.
    pub subject: String,
    /// Steps that come before it.
    pub after: Vec<StepId>,
    /// What it does.
    pub action: Action,
    /// Why: at least one cause.
    pub because: Vec<String>,
    /// What takes it back, also when it only half happened; empty: nothing to take back. In the order in which
    /// they are done.
    pub undo: Vec<Action>,
    /// From this step on people may notice.
    pub impact: bool,
    /// Housekeeping after everything is proven: its failure is told and takes nothing back.
    pub forgiving: bool,
    /// What data this step can destroy, when it can: the runner refuses it unless [`Plan::may_destroy`] says so.
    pub destroys: Option<String>,
}

/// A service that an unwinding brings back, once every step is taken back.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Revival {
    /// The service.
    pub service: ServiceName,
    /// Only where one of these was begun: it stopped the service, or something that the service needs.
    pub after_any: Vec<StepId>,
    /// What is done, in this order: it is started where the run stopped it, and asked whether it answers.
    pub actions: Vec<Action>,
}

/// What becomes of a run that was interrupted, when the same verb is typed again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Interrupted {
    /// It goes on where it stopped: the interrupted step is done again.
    Continues,
    /// It is unwound, and a new run starts: what it held (a database snapshot) is gone. Not where all of it was done
    /// but housekeeping, or the commit of a set was begun: that goes on.
    Unwinds,
}

/// Every choice made, shown, linted, saved: the runner only follows it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Plan {
    /// `seaworthy.plan/1`.
    pub schema: String,
    /// What was asked for.
    pub verb: Verb,
    /// The stack whose run this is.
    pub stack: StackName,
    /// The project whose containers it touches: another one for a drill, or a restore beside the live stack.
    pub project: StackName,
    /// The shape it was planned from.
    pub shape: String,
    /// When it was made.
    pub made_at: jiff::Timestamp,
    /// Version of the tool that made it.
    pub tool: String,
    /// The release it makes live, for verbs that do.
    pub release: Option<u64>,
    /// The release live before.
    pub from: Option<u64>,
    /// The set it writes or reads.
    pub set: Option<crate::set::SetId>,
    /// Steps in an order in which each stands after what it needs.
    pub steps: Vec<Step>,
    /// What an unwinding starts again and asks, in an order in which each stands after what it needs. Not an undo of the
    /// steps that stopped it: they are taken back in their own order, which would start everybody before what they need.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub revivals: Vec<Revival>,
    /// One line for each thing it looked at and will not do, with the reason.
    pub not_done: Vec<String>,
    /// What an interrupted run of it does next time.
    pub interrupted: Interrupted,
    /// It only fetches what decides what is done: once it is applied, the same verb is planned again.
    #[serde(default)]
    pub again: bool,
    /// Names of what may be destroyed: the stack where a person typed it, the sets that `[backup] keep` gives up.
    pub permits: Vec<String>,
}

/// The version string a plan carries.
pub const PLAN_SCHEMA: &str = "seaworthy.plan/1";

impl Plan {
    /// A plan with no steps yet.
    pub(crate) fn empty(verb: Verb, shape: &Shape, facts: &Facts, policy: &Policy) -> Plan {
        Plan {
            schema: PLAN_SCHEMA.to_owned(),
            verb,
            stack: shape.stack.clone(),
            project: shape.stack.clone(),
            shape: shape.name.clone(),
            made_at: policy.seed.at,
            tool: policy.tool.clone(),
            release: None,
            from: facts.current,
            set: None,
            steps: Vec::new(),
            revivals: Vec::new(),
            not_done: Vec::new(),
            interrupted: Interrupted::Continues,
            again: false,
            permits: Vec::new(),
        }
    }

    /// True where a person's word permits to destroy this: it is named itself, or the whole stack is.
    pub fn may_destroy(&self, what: &str) -> bool {
        self.permits.iter().any(|permitted| permitted == what || permitted == self.stack.as_str())
    }

    /// True when there is nothing to do.
    pub fn is_empty(&self) -> bool {
        self.steps.is_empty()
    }
}
