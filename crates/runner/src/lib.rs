//! Survey and execute, and the run store on disk: the only place where a plan meets a host.
//!
//! Start at [`execute`], the only loop; [`World`] is what a step may touch, [`RunStore`] what is remembered.

// Only the binary's view talks to a person, through the streams it holds.
#![deny(clippy::print_stdout, clippy::print_stderr)]

mod composed;
mod contents;
mod discretion;
mod doctor;
mod execute;
mod first;
pub mod live;
mod loading;
mod operations;
mod proofs;
mod release;
mod run_index;
mod run_store;
mod schema;
mod state;
mod survey;
mod validate;
mod world;

pub use doctor::examine;
pub use execute::{Ended, ExecuteError, Teller, execute};
pub use loading::load;
pub use operations::{Finished, Given, Operations, Planner, keyring, said};
pub use proofs::Proofs;
pub use release::{Release, ReleaseError};
pub use run_store::{Run, RunError, RunStore, RunSummary, Unread};
pub use state::{StackDir, StateDir};
pub use survey::{SurveyError, survey};
pub use validate::{Answer, Validation};
pub use world::{Clock, SoFar, StepError, SystemClock, World};
