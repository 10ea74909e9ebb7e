//! The reference applications: a relay that cannot read what it stores, its load client, a development key store.
//!
//! One library, so that one binary can be every container of an example stack: `apps` is the thin one,
//! `seaworthy` links the same commands, hidden.

use std::process::ExitCode;

mod client;
pub mod keystore;
pub mod load;
pub mod relay;
pub mod wire;

/// The applications.
#[derive(Debug, clap::Subcommand)]
pub enum Command {
    /// Keep ciphertext events in order and hand them out again.
    Relay(relay::Args),
    /// Write events at a steady rate, or prove that none was lost.
    Load(load::Args),
    /// Run a key store for development, with the paths of the real ones.
    Keystore(keystore::Args),
}

/// Runs one application to its end. An error means that it could not start or could not decide.
pub async fn run(command: Command) -> anyhow::Result<ExitCode> {
    match command {
        Command::Relay(args) => relay::run(args).await,
        Command::Load(args) => load::run(args).await,
        Command::Keystore(args) => keystore::run(args).await,
    }
}
