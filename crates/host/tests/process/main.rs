//! The process engine with real processes.

mod delivery;
mod lifecycle;
mod stack_in_a_directory;
mod survival;
