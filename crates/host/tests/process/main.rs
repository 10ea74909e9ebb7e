//! The process engine with real processes: each effect, done twice, and every way to kill what runs.

#![allow(clippy::unwrap_used, reason = "a test that panics has said what went wrong")]

mod delivery;
mod lifecycle;
mod stack_in_a_directory;
mod survival;
