//! The load client: writes events at a steady rate and keeps every acknowledgement, and later proves from that
//! ledger that none was lost, changed, doubled or moved.

use std::{path::PathBuf, process::ExitCode, time::Duration};

use anyhow::Context;

use crate::client::{Client, ClientError, Manner};

mod ledger;
mod verify;
mod write;

pub use verify::{Proof, Until, verify};
pub use write::{Summary, write};

/// The load client's settings.
#[derive(Debug, Clone, clap::Args)]
#[command(args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)]
pub struct Args {
    /// What to do instead of writing.
    #[command(subcommand)]
    pub action: Option<Action>,
    /// Where to write.
    #[command(flatten)]
    pub target: Option<Target>,
    /// How to write.
    #[command(flatten)]
    pub write: Option<WriteArgs>,
}

/// What the load client does beside writing.
#[derive(Debug, Clone, clap::Subcommand)]
pub enum Action {
    /// Read everything back and compare it with the ledger.
    Verify(VerifyArgs),
}

/// Where the relay is.
#[derive(Debug, Clone, clap::Args)]
pub struct Target {
    /// The relay's address: http://host:port or https://host:port.
    #[arg(long)]
    pub url: String,
    /// `Host` header and TLS server name, when they are not the address's own.
    #[arg(long)]
    pub host_header: Option<String>,
    /// Take any certificate.
    #[arg(long)]
    pub insecure_tls: bool,
}

/// How to write.
#[derive(Debug, Clone, clap::Args)]
pub struct WriteArgs {
    /// Events a second, sent on time however long the answers take.
    #[arg(long, default_value_t = 20.0)]
    pub rate: f64,
    /// How long to write.
    #[arg(long, default_value_t = 10.0)]
    pub seconds: f64,
    /// How long to go on trying what was not acknowledged when writing ends.
    #[arg(long, default_value_t = 60.0)]
    pub patience: f64,
    /// File that each acknowledgement is appended to.
    #[arg(long)]
    pub ledger: PathBuf,
    /// File with the secret to sign with.
    #[arg(long)]
    pub secret_file: PathBuf,
}

/// What to compare.
#[derive(Debug, Clone, clap::Args)]
pub struct VerifyArgs {
    /// Where the relay is.
    #[command(flatten)]
    pub target: Target,
    /// File that acknowledgements were appended to.
    #[arg(long)]
    pub ledger: PathBuf,
    /// Only what stands up to this place: the point of a restored set.
    #[arg(long, conflicts_with = "up_to_time")]
    pub up_to_seq: Option<i64>,
    /// Only what was acknowledged up to this time (RFC 3339).
    #[arg(long)]
    pub up_to_time: Option<jiff::Timestamp>,
}

/// Writes or verifies, and prints what came of it as JSON.
pub(crate) async fn run(args: Args) -> anyhow::Result<ExitCode> {
    let (text, good) = match (args.action, args.target.zip(args.write)) {
        (Some(Action::Verify(args)), _) => {
            let proof = verify(&args).await?;
            (serde_json::to_string_pretty(&proof)?, proof.problems.is_empty())
        }
        (None, Some((target, args))) => {
            let summary = write(&target, &args).await?;
            (serde_json::to_string_pretty(&summary)?, summary.failed == 0)
        }
        (None, None) => anyhow::bail!("nothing to do: give --url, or `verify`"),
    };
    println!("{text}");
    Ok(if good { ExitCode::SUCCESS } else { ExitCode::from(1) })
}

impl Target {
    fn client(&self, timeout: Duration) -> Result<Client, ClientError> {
        let manner = Manner { host_header: self.host_header.clone(), insecure_tls: self.insecure_tls };
        Client::new(&self.url, manner, timeout)
    }
}

fn seconds(value: f64, name: &str) -> anyhow::Result<Duration> {
    Duration::try_from_secs_f64(value).with_context(|| format!("--{name} {value} is no length of time"))
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Cli {
        #[command(flatten)]
        args: Args,
    }

    #[test]
    fn writing_needs_no_word_and_verifying_is_one() {
        let write = "load --url http://relay:8080 --rate 50 --seconds 3 --ledger l --secret-file s";
        let args = Cli::parse_from(write.split(' ')).args;
        assert_eq!(
            (args.target.map(|target| target.url).as_deref(), args.write.map(|write| write.rate)),
            (Some("http://relay:8080"), Some(50.0))
        );

        let verify = "load verify --url http://relay:8080 --ledger l --up-to-seq 7";
        let Some(Action::Verify(args)) = Cli::parse_from(verify.split(' ')).args.action else {
            panic!("`verify` was not understood");
        };
        assert_eq!((args.target.url.as_str(), args.up_to_seq), ("http://relay:8080", Some(7)));
    }

    #[test]
    fn writing_without_a_secret_is_bad_usage() {
        assert!(Cli::try_parse_from("load --url http://relay:8080 --ledger l".split(' ')).is_err());
    }
}
