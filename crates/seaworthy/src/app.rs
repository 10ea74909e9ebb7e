//! The bundled applications of the demo, as hidden subcommands of this very binary.

use std::process::ExitCode;

use crate::view::View;

/// Runs one to its end.
pub(crate) async fn run(command: apps::Command) -> ExitCode {
    match apps::run(command).await {
        Ok(code) => code,
        Err(err) => View::plain().app_failed(&err),
    }
}
