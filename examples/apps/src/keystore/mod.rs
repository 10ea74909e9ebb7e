//! A small key store for development: the Transit, AppRole, seal and snapshot paths of OpenBao's API.
//!
//! It shares its key by Shamir, starts sealed, keeps its state in one encrypted file and enforces its policies. It
//! says of itself that it is a development store, has no TLS, no audit and no second node: production refuses it.
//!
//! ```text
//! HTTP ─> Request ─> Server::handle ─> policy ─> one of seal, access, transit, snapshot ─> Answer
//!                        └ Option<Vault>: there while it is unsealed; each change is on disk before it is answered
//! ```

mod access;
mod barrier;
mod message;
mod policy;
mod seal;
mod server;
mod shamir;
mod snapshot;
mod state;
mod transit;

use std::{
    net::SocketAddr,
    path::PathBuf,
    process::ExitCode,
    sync::{Arc, Mutex},
};

use anyhow::Context;
use axum::{Router, extract::State, response::Response};
use tokio::net::TcpListener;

use message::{Answer, Refusal, Request};
use server::Server;

/// The largest snapshot it takes in.
const LARGEST_BODY_BYTES: usize = 64 << 20;

/// Serve a small Transit key store for development. It protects nothing in production.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Where its API listens.
    #[arg(long, default_value = "0.0.0.0:8200")]
    pub listen: SocketAddr,
    /// The directory of its one file.
    #[arg(long, value_name = "DIR")]
    pub data: PathBuf,
}

/// Serves until it is asked to stop.
///
/// # Errors
/// When it cannot listen, or its file cannot be read.
pub async fn run(args: Args) -> anyhow::Result<ExitCode> {
    let Args { listen, data } = args;
    serve(listen, data).await?;
    Ok(ExitCode::SUCCESS)
}

/// Serves the key store whose file is in the directory `data`, until SIGTERM or Ctrl-C. It starts sealed.
///
/// # Errors
/// When it cannot listen, or its file cannot be read.
pub async fn serve(listen: SocketAddr, data: PathBuf) -> anyhow::Result<()> {
    let listener = TcpListener::bind(listen).await.with_context(|| format!("cannot listen on {listen}"))?;
    serve_on(listener, data).await
}

/// The same on a listener that is bound already.
///
/// # Errors
/// When its file cannot be read.
pub async fn serve_on(listener: TcpListener, data: PathBuf) -> anyhow::Result<()> {
    let server =
        Server::open(&data).with_context(|| format!("cannot open the key store in `{}`", data.display()))?;
    let app = Router::new().fallback(answer).with_state(Arc::new(Mutex::new(server)));
    let mut terminate = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate())?;
    let stop = async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = tokio::signal::ctrl_c() => {}
        }
    };
    axum::serve(listener, app).with_graceful_shutdown(stop).await?;
    Ok(())
}

/// HTTP in, HTTP out. The work may wait for a disk, so it is done beside the event loop.
async fn answer(State(server): State<Arc<Mutex<Server>>>, request: axum::extract::Request) -> Response {
    let request = match Request::read(request, LARGEST_BODY_BYTES).await {
        Ok(request) => request,
        Err(refusal) => return refusal.into(),
    };
    let done = tokio::task::spawn_blocking(move || -> Result<Answer, Refusal> {
        // A change is a copy put in place whole, so what a panic left behind is still sound.
        let mut server = server.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        server.handle(&request)
    });
    match done.await {
        Ok(Ok(answer)) => answer.into(),
        Ok(Err(refusal)) => refusal.into(),
        Err(_) => Refusal::new(500, "internal error").into(),
    }
}
