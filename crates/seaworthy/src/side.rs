//! What this binary does when it is run beside a stack instead of by a person.

use std::{path::PathBuf, process::ExitCode};

use clap::Subcommand;

/// `seaworthy side …`: started by the engines, never typed.
#[derive(Debug, Subcommand)]
pub(crate) enum Side {
    /// Connections from inside a network.
    #[command(flatten)]
    Reach(host::SideCommand),
    /// Supervise one native process.
    Supervise {
        /// Its directory.
        dir: PathBuf,
    },
    /// Copy a SQLite database to stdout.
    SqliteCapture {
        /// Path, and the heartbeat query.
        arguments: Vec<String>,
    },
    /// Bring a SQLite database back from stdin.
    SqliteRestore {
        /// Path, and the heartbeat query.
        arguments: Vec<String>,
    },
}

/// A supervisor that cannot go on says so to nobody: the engine finds the service as it left it.
async fn supervise(dir: &std::path::Path) -> ExitCode {
    match host::process::supervise(dir).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(_) => ExitCode::FAILURE,
    }
}

/// Runs it to its end.
pub(crate) async fn run(side: Side) -> ExitCode {
    let sqlite = |word: &str, arguments: Vec<String>| [vec![word.to_owned()], arguments].concat();
    match side {
        Side::Reach(command) => host::side::run(command).await,
        Side::Supervise { dir } => supervise(&dir).await,
        Side::SqliteCapture { arguments } => backup::side::run(&sqlite("sqlite-capture", arguments)).await,
        Side::SqliteRestore { arguments } => backup::side::run(&sqlite("sqlite-restore", arguments)).await,
    }
}
