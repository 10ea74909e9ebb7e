//! One planner per verb, one [`Plan`] type, journal entries and their folds. Decides what to do, and does none of it.

mod action;
mod adoption;
mod backup;
mod bootstrap;
mod control;
mod deploy;
pub mod desired;
mod destroy;
pub mod doctor;
mod drift;
mod drill;
mod evidence;
mod facts;
mod images;
mod journal;
mod lint;
pub mod needs;
mod opening;
mod place;
mod plan;
mod policy;
pub mod proof;
mod prune;
mod record;
mod references;
mod refusal;
mod restore;
mod revival;
mod rollback;
mod rollout;
mod saved;
pub mod set;
mod steps;
pub mod take_up;
mod validate;

pub use action::{
    Action, Container, Delivered, Effect, KeyStep, Mark, Moment, NetworkSpec, ResolvedMount, RestorePart,
    Thing, VolumeSpec,
};
pub use backup::backup;
pub use bootstrap::bootstrap;
pub use control::is_attested;
pub use deploy::deploy;
pub use destroy::destroy;
pub use drill::{drill, drill_shape};
pub use evidence::evidence;
pub use facts::{
    AnonymousSeen, ArchiveSeen, Attested, ComposeHashes, ContainerSeen, Facts, HostSeen, ImageKept,
    ImageSeen, KeyStoreSeen, Limits, NetworkSeen, Phase, ReleaseSeen, SecretSeen, SetSeen, VolumeSeen,
};
pub use journal::{Entry, JournalError, Next, Outcome, Output, Outputs, ProbeSeen, Progress, Revived};
pub use lint::lint;
pub use opening::{can_be_opened, sealed_store};
pub use plan::{Interrupted, PLAN_SCHEMA, Plan, Revival, Step, StepId, Verb};
pub use policy::{Policy, Seed, Typed};
pub use record::{Record, RunOutcome};
pub use restore::{SetContents, restore, restored_shape};
pub use rollback::rollback;
pub use saved::{PlannedOn, SAVED_SCHEMA, SavedPlan};
pub use validate::{ClosedPort, MustAnswer, MustNot, Questions, live_questions, questions};
