//! One planner per verb, one [`Plan`] type, journal entries and their folds. Decides what to do, and does none of it.

mod action;
mod facts;
mod journal;
mod plan;
pub mod set;

pub use action::{
    Action, Container, Delivered, Effect, KeyStep, NetworkSpec, ResolvedMount, RestorePart, VolumeSpec,
};
pub use facts::{
    ContainerSeen, Facts, HostSeen, ImageSeen, KeyStoreSeen, NetworkSeen, Phase, ReleaseSeen, SecretSeen,
    SetSeen, VolumeSeen,
};
pub use journal::{Entry, JournalError, Outcome, Output, Outputs, ProbeSeen, Progress};
pub use plan::{Interrupted, Plan, Step, StepId, Verb};
