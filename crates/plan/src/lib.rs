//! One planner per verb, one [`Plan`] type, journal entries and their folds. Decides what to do, and does none of it.

mod action;
mod backup;
mod bootstrap;
mod control;
mod deploy;
pub mod desired;
mod destroy;
mod drill;
mod evidence;
mod facts;
mod images;
mod journal;
mod lint;
pub mod needs;
mod place;
mod plan;
mod policy;
pub mod proof;
mod references;
mod refusal;
mod restore;
mod rollback;
mod rollout;
pub mod set;
mod steps;
mod validate;

pub use action::{
    Action, Container, Delivered, Effect, KeyStep, NetworkSpec, ResolvedMount, RestorePart, VolumeSpec,
};
pub use backup::backup;
pub use bootstrap::bootstrap;
pub use deploy::deploy;
pub use destroy::destroy;
pub use drill::{drill, drill_shape};
pub use evidence::evidence;
pub use facts::{
    Attested, ContainerSeen, Facts, HostSeen, ImageSeen, KeyStoreSeen, NetworkSeen, Phase, ReleaseSeen,
    SecretSeen, SetSeen, VolumeSeen,
};
pub use journal::{Entry, JournalError, Next, Outcome, Output, Outputs, ProbeSeen, Progress};
pub use lint::lint;
pub use plan::{Interrupted, PLAN_SCHEMA, Plan, Step, StepId, Verb};
pub use policy::Policy;
pub use restore::{SetContents, restore, restored_shape};
pub use rollback::rollback;
pub use validate::{ClosedPort, MustAnswer, MustNot, Questions, questions};
