//! The binary: arguments to settings to one call to a view to an exit code.
//!
//! `cli` is what can be typed, `settings` what it means, `verbs` one file a verb, `view` the only place that prints,
//! `asking` what is asked on a terminal.

// Only the binary's view talks to a person, through the streams it holds.
#![deny(clippy::print_stdout, clippy::print_stderr)]

#[cfg(feature = "demo")]
mod app;
mod asking;
mod cli;
mod context;
mod interrupt;
mod settings;
mod side;
mod verbs;
mod view;

use std::process::ExitCode;

use clap::Parser;

fn main() -> ExitCode {
    // Whoever asks for the version, or for help, waits for nothing that only verbs need.
    let cli = match cli::Cli::try_parse() {
        Ok(cli) => cli,
        Err(err) => return view::View::early(asks_for_json()).not_understood(&err),
    };
    match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => {
            let code = runtime.block_on(verbs::run(cli));
            // A read of stdin that nobody waits for any more must not keep the process.
            runtime.shutdown_background();
            code
        }
        Err(err) => view::View::plain().no_runtime(&err),
    }
}

/// What could not be parsed may still say how the answer is wanted.
fn asks_for_json() -> bool {
    std::env::args_os().any(|argument| argument == "--json")
}
