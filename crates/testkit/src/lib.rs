//! A modelled host that does what plans say, keeps them to the journal, and fails where a test wants it to.
//!
//! ```text
//!   journal on disk ──> ModelHost::act(step, action, entries) ──> state ──> observe() -> Facts
//!                          │ refuses what was not announced
//!                          │ fails, or dies, at call N; does every call twice
//! ```

// Only the binary's view talks to a person, through the streams it holds.
#![deny(clippy::print_stdout, clippy::print_stderr)]

pub mod blog;
mod contract;
mod model;

pub use model::{Behaviour, Fault, ModelHost, Refusal};
