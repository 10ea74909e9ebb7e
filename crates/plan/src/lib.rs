//! One planner per verb, one [`Plan`] type, journal entries and their folds. Decides what to do, and does none of it.

mod action;
mod backup;
mod bootstrap;
mod deploy;
pub mod desired;
mod facts;
mod journal;
mod lint;
mod place;
mod plan;
mod policy;
mod restore;
pub mod set;
mod steps;
mod validate;

pub use action::{
    Action, Container, Delivered, Effect, KeyStep, NetworkSpec, ResolvedMount, RestorePart, VolumeSpec,
};
pub use backup::backup;
pub use bootstrap::bootstrap;
pub use deploy::{deploy, rollback};
pub use facts::{
    ContainerSeen, Facts, HostSeen, ImageSeen, KeyStoreSeen, NetworkSeen, Phase, ReleaseSeen, SecretSeen,
    SetSeen, VolumeSeen,
};
pub use journal::{Entry, JournalError, Next, Outcome, Output, Outputs, ProbeSeen, Progress};
pub use lint::lint;
pub use plan::{Interrupted, PLAN_SCHEMA, Plan, Step, StepId, Verb};
pub use policy::Policy;
pub use restore::{SetContents, destroy, drill, drill_shape, restore, restored_shape};
pub use validate::{ClosedPort, MustAnswer, MustNot, Questions, questions};
