//! The Docker engine against a real one: each effect, done twice, and every way to speak to what runs.
//!
//! Images are made here, of a static busybox; nothing is pulled. Without an engine or busybox the tests say `skipped`.

#![allow(clippy::unwrap_used, reason = "a test that panics has said what went wrong")]

mod compose;
mod files;
mod images;
mod life;
mod side;
mod streams;
mod support;
mod trouble;
