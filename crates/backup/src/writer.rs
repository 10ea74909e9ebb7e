//! One set being written: the part that every capture has in common.

use std::{collections::BTreeMap, convert::Infallible, future::Future};

use plan::set::{Object, Role, SetId};
use secrets::Secret;
use stack::ServiceName;
use tokio::io::AsyncRead;

use crate::{
    header::ObjectHeader,
    meter::Meter,
    recipients::Recipients,
    seal::{SealError, Sealed, seal_stream},
    target::Target,
};

/// Where the objects of one set go, and to whom they are sealed.
#[derive(Debug, Clone)]
pub struct SetWriter {
    /// The set.
    pub set: SetId,
    /// Its place in the chain.
    pub sequence: u64,
    /// Who can open it.
    pub recipients: Recipients,
    /// Every target gets the same bytes.
    pub targets: Vec<Target>,
    /// Counts what is sealed.
    pub meter: Meter,
}

impl SetWriter {
    /// Seals a stream. `exit` is awaited once `source` is at its end, and an error of it leaves no object.
    ///
    /// # Errors
    /// When the source, the sealing or a target fails. Nothing of the object is left then.
    pub async fn seal_stream<R, X, E>(&self, name: &str, source: R, exit: X) -> Result<Sealed, SealError>
    where
        R: AsyncRead + Unpin,
        X: Future<Output = Result<(), E>>,
        E: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        let header = ObjectHeader::new(&self.set, self.sequence, name);
        seal_stream(header, &self.recipients, &self.targets, self.meter.over(source), exit).await
    }

    /// Seals the snapshot of a key store, whose body the caller asked the store for: `SERVICE.keystore.snap.zst.age`.
    ///
    /// # Errors
    /// As [`SetWriter::seal_stream`]. A body that ends early must give a read error.
    pub async fn keystore(
        &self,
        service: &ServiceName,
        body: impl AsyncRead + Unpin,
        server: Option<String>,
        now: jiff::Timestamp,
    ) -> Result<Object, SealError> {
        let name = format!("{service}.keystore.snap.zst.age");
        let sealed = self.seal_stream(&name, body, async { Ok::<_, Infallible>(()) }).await?;
        Ok(Object { service: Some(service.clone()), server, ..object(name, Role::KeyStore, sealed, now) })
    }

    /// Seals the stack's secret values: `secrets.json.zst.age`.
    ///
    /// # Errors
    /// As [`SetWriter::seal_stream`].
    pub async fn secrets(&self, json: &Secret<Vec<u8>>, now: jiff::Timestamp) -> Result<Object, SealError> {
        self.bytes("secrets.json.zst.age", Role::Secrets, json, now).await
    }

    /// Seals the release, a tar of its directory: `release.tar.zst.age`.
    ///
    /// # Errors
    /// As [`SetWriter::seal_stream`].
    pub async fn release(&self, tar: &Secret<Vec<u8>>, now: jiff::Timestamp) -> Result<Object, SealError> {
        self.bytes("release.tar.zst.age", Role::Release, tar, now).await
    }

    async fn bytes(
        &self,
        name: &str,
        role: Role,
        bytes: &Secret<Vec<u8>>,
        now: jiff::Timestamp,
    ) -> Result<Object, SealError> {
        let whole = async { Ok::<_, Infallible>(()) };
        let sealed = self.seal_stream(name, bytes.expose().as_slice(), whole).await?;
        Ok(object(name.to_owned(), role, sealed, now))
    }
}

pub(crate) fn object(name: String, role: Role, sealed: Sealed, captured_at: jiff::Timestamp) -> Object {
    let Sealed { plain_bytes, plain_sha256, sealed_bytes, sealed_sha256 } = sealed;
    Object {
        name,
        role,
        service: None,
        plain_bytes,
        plain_sha256,
        sealed_bytes,
        sealed_sha256,
        server: None,
        counts: BTreeMap::new(),
        heartbeat: None,
        captured_at,
    }
}
