//! Every verb through the real loop, on a modelled machine: fail each call, make each twice, stop around each.
//!
//! ```text
//!   Subject (machine, plan) ──> Scene: RunStore on disk + execute + Modelled ──> ModelHost
//!        │ once, with nothing in the way: how it must end, how many calls it takes
//!        └ then again for every call and every line of the journal, with something in the way
//! ```

mod crash;
mod fail;
mod fence;
mod kinds;
mod looks;
mod once;
mod repeat;
mod rivals;
mod scene;
mod subjects;
mod unwinding;
