//! A relay for ciphertext: it numbers events, keeps them, and hands them out in order, and can read none of them.
//!
//! ```text
//! POST /events ── signed ciphertext ──> { seq }        GET /events?since=N ──> what follows N, in order
//! /ws?since=N ── hello, what follows N, then each new one as it comes
//! /health/live   /health/startup   /health/ready
//! ```

use std::{net::SocketAddr, path::PathBuf, process::ExitCode, sync::Arc, time::Duration};

use anyhow::Context;
use tokio::{net::TcpListener, sync::watch};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::wire::SigningKey;

mod fault;
mod health;
mod http;
mod schema;
mod seal;
mod socket;
mod store;
mod transit;

pub use fault::{Faults, UnknownFault};
use seal::Sealer;
use store::{Store, StoreError};
use transit::Transit;

/// The relay's settings. Each comes from its flag or its variable; what is secret comes from a file.
#[derive(Debug, Clone, clap::Args)]
pub struct Args {
    /// Address to listen on.
    #[arg(long, env = "RELAY_LISTEN", default_value = "0.0.0.0:8080")]
    pub listen: SocketAddr,
    /// `postgres://user@host/database` or `sqlite:PATH`, without a password.
    #[arg(long, env = "RELAY_DATABASE_URL", hide_env_values = true)]
    pub database_url: String,
    /// File with the database password.
    #[arg(long, env = "RELAY_DATABASE_PASSWORD_FILE")]
    pub database_password_file: Option<PathBuf>,
    /// File with the secret that clients sign with.
    #[arg(long, env = "RELAY_SECRET_FILE")]
    pub secret_file: PathBuf,
    /// Address of the key store.
    #[arg(long, env = "RELAY_KEYSTORE_URL")]
    pub keystore_url: String,
    /// File with the key store's credential, `role_id:secret_id`.
    #[arg(long, env = "RELAY_KEYSTORE_CREDENTIAL_FILE")]
    pub keystore_credential_file: PathBuf,
    /// Transit key that wraps the data keys.
    #[arg(long, env = "RELAY_KEYSTORE_KEY", default_value = "relay-atrest")]
    pub keystore_key: String,
    /// Behave as this release. Release N runs on schema N alone.
    #[arg(long, env = "RELAY_RELEASE", default_value_t = 1, value_parser = clap::value_parser!(i64).range(1..=schema::NEWEST))]
    pub release: i64,
    /// Misbehave: crash, never-ready, wrong-json, slow=20s, delay=600ms, errors=2%; several with commas.
    #[arg(long, env = "RELAY_FAULT", default_value = "")]
    pub fault: Faults,
    /// Seconds that requests in flight get when the relay is told to stop.
    #[arg(long, env = "RELAY_DRAIN", default_value_t = 8)]
    pub drain: u64,
}

/// What all parts of one running relay share.
struct Relay {
    store: Store,
    sealer: Sealer,
    signing: SigningKey,
    release: i64,
    faults: Faults,
    phase: watch::Sender<Phase>,
    /// The newest place that this process gave; a nudge, the truth is in the database.
    newest: watch::Sender<i64>,
    stop: CancellationToken,
    sockets: TaskTracker,
}

/// How far the relay has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    /// Waiting for its database, or migrating it.
    Starting,
    /// It serves.
    Started,
}

/// Runs the relay until it is told to stop by SIGTERM or SIGINT.
pub(crate) async fn run(args: Args) -> anyhow::Result<ExitCode> {
    let listener = TcpListener::bind(args.listen)
        .await
        .with_context(|| format!("cannot listen on `{}`", args.listen))?;
    let stop = CancellationToken::new();
    let signalled = stop.clone();
    let mut terminate = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate())?;
    tokio::spawn(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = tokio::signal::ctrl_c() => {}
        }
        signalled.cancel();
    });
    serve(listener, args, stop).await?;
    Ok(ExitCode::SUCCESS)
}

/// Serves on `listener` until `stop`, then drains. An error means that it could not start, or that it was told to
/// crash.
pub async fn serve(listener: TcpListener, args: Args, stop: CancellationToken) -> anyhow::Result<()> {
    let drain = Duration::from_secs(args.drain);
    let relay = Arc::new(Relay::new(args, stop.clone())?);
    log(&format!("release {} listens on {}", relay.release, listener.local_addr()?));
    let server = axum::serve(listener, http::router(Arc::clone(&relay)))
        .with_graceful_shutdown(stop.clone().cancelled_owned());
    let mut server = tokio::spawn(server.into_future());

    // A relay that cannot start ends at once; one that started runs until it is stopped.
    let started = relay.start().await;
    if started.is_ok() {
        let beating = tokio::spawn(Arc::clone(&relay).beat());
        stop.cancelled().await;
        beating.abort();
        log("stops: finishes what is in flight");
    }
    stop.cancel();
    relay.sockets.close();
    let drained = tokio::time::timeout(drain, async {
        relay.sockets.wait().await;
        (&mut server).await
    });
    if drained.await.is_err() {
        log(&format!("gave up on what was still in flight after {drain:?}"));
        server.abort();
    }
    relay.store.close().await;
    started
}

impl Relay {
    fn new(args: Args, stop: CancellationToken) -> anyhow::Result<Self> {
        let Args {
            listen: _,
            database_url,
            database_password_file,
            secret_file,
            keystore_url,
            keystore_credential_file,
            keystore_key,
            release,
            fault,
            drain: _,
        } = args;
        let signing = SigningKey::read(&secret_file)
            .with_context(|| format!("cannot read the shared secret from `{}`", secret_file.display()))?;
        let transit = Transit::new(&keystore_url, keystore_credential_file, keystore_key)?;
        Ok(Self {
            store: Store::open(&database_url, database_password_file.as_deref(), release)?,
            sealer: Sealer::new(transit),
            signing,
            release,
            faults: fault,
            phase: watch::Sender::new(Phase::Starting),
            newest: watch::Sender::new(0),
            stop,
            sockets: TaskTracker::new(),
        })
    }

    /// Migrates the database as soon as it answers. A schema that is too new is final; anything else is retried.
    async fn start(&self) -> anyhow::Result<()> {
        let mut told = String::new();
        let migrated = loop {
            match self.store.migrate().await {
                Ok(migrated) => break migrated,
                Err(error @ StoreError::Newer { .. }) => return Err(error.into()),
                Err(error) => {
                    let error = format!("{:#}", anyhow::Error::from(error));
                    if error != told {
                        log(&format!("waits for its database: {error}"));
                        told = error;
                    }
                }
            }
            tokio::select! {
                () = self.stop.cancelled() => return Ok(()),
                () = tokio::time::sleep(Duration::from_millis(300)) => {}
            }
        };
        log(&format!("schema {} (was {})", migrated.to, migrated.from));
        anyhow::ensure!(!self.faults.crash, "crashed, as --fault crash told it to");
        tokio::select! {
            () = self.stop.cancelled() => return Ok(()),
            () = tokio::time::sleep(self.faults.slow) => {}
        }
        self.phase.send_replace(Phase::Started);
        log("started");
        Ok(())
    }

    async fn beat(self: Arc<Self>) {
        let mut every_second = tokio::time::interval(Duration::from_secs(1));
        every_second.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            every_second.tick().await;
            if let Err(error) = self.store.beat().await {
                log(&format!("{:#}", anyhow::Error::from(error)));
            }
        }
    }
}

/// One line for whoever runs it. Never a ciphertext, a credential or an address with a password in it.
fn log(line: &str) {
    eprintln!("relay: {line}");
}
