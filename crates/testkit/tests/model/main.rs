//! The modelled host, held to what it promises: effect by effect, and through whole plans.

mod common;
mod engine;
mod runs;
