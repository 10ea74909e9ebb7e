//! One machine: container engine, native processes, files, and `reach`, the one way to talk to a service.

// Only the binary's view talks to a person, through the streams it holds.
#![deny(clippy::print_stdout, clippy::print_stderr)]

mod docker;
mod engine;
pub mod files;
pub mod isolation;
mod lease;
mod lock;
pub mod machine;
pub mod probe;
pub mod process;
pub mod side;
#[cfg(test)]
mod testing;

pub use docker::{Docker, socket_seen};
pub use engine::{
    Arg, Contents, ContentsError, Engine, EngineError, Examined, ExecRequest, LogRequest, Observed, Running,
    Scope, SideJob, Stream, Trouble, Unfetchable,
};
pub use lock::{LockError, LockHolder, StackLock};
pub use probe::{NotReady, ProbeError, Subject};
pub use process::Process;
pub use side::SideCommand;
