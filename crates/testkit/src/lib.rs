//! A modelled host that does what plans say, keeps them to the journal, and fails where a test wants it to.
//!
//! ```text
//!   journal on disk ──> ModelHost::act(step, action, entries) ──> state ──> observe() -> Facts
//!                          │ refuses what was not announced
//!                          │ fails, or dies, at call N; does every call twice
//! ```

pub mod blog;
mod contract;
mod model;

pub use model::{Behaviour, Fault, ModelHost, Refusal};
