//! A client for a key store that speaks the API of OpenBao and Vault: only the calls a stack's life needs.
//!
//! ```text
//! bootstrap = init -> hand shares over -> unseal -> Transit key, policies, credentials -> revoke root
//! unseal    = the holders' shares, at every start
//! restore   = fresh init -> force the snapshot in -> unseal with the shares of the snapshot's day
//! ```
//!
//! The caller brings the connection ([`Dial`]); nothing here knows of containers or networks.

mod approle;
mod call;
mod ceremony;
mod error;
mod shares;
mod snapshot;
mod system;
mod transit;
mod unseal;

use std::{fmt, io, sync::Arc, time::Duration};

use futures_util::future::BoxFuture;
use tokio::io::{AsyncRead, AsyncWrite};

pub use approle::Role;
pub use ceremony::{
    APP_POLICY, Bootstrapped, BoxError, CeremonyError, Credentials, Known, SNAPSHOT_POLICY, bootstrap,
};
pub use error::KeyStoreError;
pub use shares::{ShareError, parse_shares, seal_share};
pub use snapshot::{RestoreError, SnapshotStream, restore};
pub use system::{Health, Init, SealStatus};
pub use transit::KeyVersions;
pub use unseal::{UnsealError, different, generate_root, unseal};

use crate::Secret;

/// A two-way stream to the key store.
pub trait Wire: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Wire for T {}

/// Opens a new connection to the key store's API port; called once for each request.
pub type Dial = Arc<dyn Fn() -> BoxFuture<'static, io::Result<Box<dyn Wire>>> + Send + Sync>;

/// A key store, seen with one token or with none.
#[derive(Clone)]
pub struct KeyStore {
    dial: Dial,
    token: Option<Secret<String>>,
    /// Longest wait for an answer, or for the next piece of a stream.
    patience: Duration,
}

impl KeyStore {
    /// The store at the other end of `dial`, without a token. An answer may take 30 s: some calls wait for a disk and
    /// for a leader.
    pub fn new(dial: Dial) -> Self {
        Self { dial, token: None, patience: Duration::from_secs(30) }
    }

    /// The same store seen with this token.
    #[must_use]
    pub fn with_token(&self, token: Secret<String>) -> Self {
        Self { token: Some(token), ..self.clone() }
    }

    /// The same store, with another longest wait for an answer.
    #[must_use]
    pub fn with_patience(&self, patience: Duration) -> Self {
        Self { patience, ..self.clone() }
    }

    /// The store at a TCP address: `127.0.0.1:8200`.
    pub fn at(address: impl Into<String>) -> Self {
        let address = address.into();
        Self::new(Arc::new(move || {
            let address = address.clone();
            Box::pin(async move {
                let stream = tokio::net::TcpStream::connect(address).await?;
                Ok(Box::new(stream) as Box<dyn Wire>)
            })
        }))
    }
}

impl fmt::Debug for KeyStore {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "KeyStore(token: {})", if self.token.is_some() { "yes" } else { "no" })
    }
}
