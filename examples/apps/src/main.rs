//! The reference applications as one binary.

use std::process::ExitCode;

use clap::Parser;

#[derive(Parser)]
#[command(name = "apps", version, about)]
struct Cli {
    #[command(subcommand)]
    command: apps::Command,
}

#[tokio::main]
async fn main() -> ExitCode {
    match apps::run(Cli::parse().command).await {
        Ok(code) => code,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::from(2)
        }
    }
}
