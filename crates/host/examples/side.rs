//! `side …` and nothing else: the tests' stand-in for the binary in side containers.

use std::process::ExitCode;

use clap::Parser;
use host::SideCommand;

#[derive(Parser)]
struct Program {
    #[command(subcommand)]
    word: Word,
}

#[derive(clap::Subcommand)]
enum Word {
    /// What the engines start.
    #[command(subcommand)]
    Side(SideCommand),
}

#[tokio::main]
async fn main() -> ExitCode {
    let Word::Side(command) = Program::parse().word;
    host::side::run(command).await
}
