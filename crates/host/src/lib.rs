//! One machine: container engine, native processes, files, and `reach`, the one way to talk to a service.

mod engine;

pub use engine::{
    Arg, Contents, ContentsError, Engine, EngineError, ExecRequest, LogRequest, Observed, Running, Scope,
    SideJob, Stream, Trouble,
};
