//! The store as a stream of bytes: out of one, into another.

use std::{io, pin::Pin, time::Duration};

use bytes::Bytes;
use futures_util::{StreamExt, TryStreamExt, stream};
use http_body_util::{BodyExt, BodyStream, StreamBody, combinators::UnsyncBoxBody};
use hyper::body::Frame;
use stack::Transit;
use tokio::io::AsyncRead;
use tokio_util::io::{ReaderStream, StreamReader};

use super::{
    KeyStore, KeyStoreError,
    call::{Call, collect, within},
    unseal::{UnsealError, enough, unseal},
};
use crate::Secret;

/// A snapshot on its way. An error, and never a clean end, when it stops before it is whole.
pub type SnapshotStream = Pin<Box<dyn AsyncRead + Send>>;

/// Longest time a whole snapshot may take to be taken in: the answer comes only after its last byte.
const LONGEST_RESTORE: Duration = Duration::from_secs(15 * 60);

impl KeyStore {
    /// A snapshot of the whole store, sealed by its own key. The pieces may each take as long as an answer.
    ///
    /// # Errors
    /// As every call; the stream tells when it breaks.
    pub async fn snapshot(&self) -> Result<SnapshotStream, KeyStoreError> {
        let call = Call::get("take a snapshot of the key store", "sys/storage/raft/snapshot");
        let empty = http_body_util::Empty::new().map_err(|never| match never {}).boxed_unsync();
        let (response, connection) = within(&call.doing, self.patience, self.send(&call, empty)).await?;
        if !response.status().is_success() {
            let answer = within(&call.doing, self.patience, collect(&call, response)).await?;
            return Err(answer.refusal(&call));
        }
        let patience = self.patience;
        let pieces = stream::unfold(
            (BodyStream::new(response.into_body()), connection),
            move |(mut body, connection)| async move {
                let piece = match tokio::time::timeout(patience, body.next()).await {
                    Ok(None) => return None,
                    Ok(Some(Ok(frame))) => Ok(frame.into_data().unwrap_or_default()),
                    Ok(Some(Err(err))) => Err(io::Error::other(err)),
                    Err(_) => Err(io::Error::from(io::ErrorKind::TimedOut)),
                };
                Some((piece, (body, connection)))
            },
        );
        Ok(Box::pin(StreamReader::new(pieces)))
    }

    /// Forces a snapshot over whatever the store holds. If its key is another one, the store then seals itself, and
    /// the shares and tokens of the snapshot's day are the ones that count.
    ///
    /// # Errors
    /// As every call; 400 for something that is not a whole snapshot.
    pub async fn snapshot_force(
        &self,
        snapshot: impl AsyncRead + Send + 'static,
    ) -> Result<(), KeyStoreError> {
        let call = Call::post("restore the key store", "sys/storage/raft/snapshot-force");
        let body = UnsyncBoxBody::<Bytes, io::Error>::new(StreamBody::new(
            ReaderStream::new(snapshot).map_ok(Frame::data),
        ));
        let answer = within(&call.doing, LONGEST_RESTORE, async {
            let (response, _connection) = self.send(&call, body).await?;
            collect(&call, response).await
        })
        .await?;
        if answer.status.is_success() { Ok(()) } else { Err(answer.refusal(&call)) }
    }
}

/// Brings a snapshot back into a fresh store and unseals it with the shares of the snapshot's day.
///
/// The store is initialised with throwaway shares and a token, which nobody learns and which the snapshot replaces.
/// There are as many of them as `transit`, which must be the snapshot's own declaration, says: a real server goes on
/// counting to the threshold it was initialised with until it is restarted. When this fails half-way, an empty volume
/// and a second call begin again; when only the shares were wrong, [`unseal`] with the right ones is enough.
///
/// # Errors
/// Tells apart a store that is not fresh, a snapshot that is refused, and shares that do not fit.
pub async fn restore(
    store: &KeyStore,
    transit: &Transit,
    snapshot: impl AsyncRead + Send + 'static,
    shares: &[Secret<String>],
) -> Result<(), RestoreError> {
    enough(shares, transit.threshold)?;
    if store.health().await?.initialised {
        return Err(RestoreError::NotFresh);
    }
    let throwaway = store.init(transit.shares, transit.threshold).await?;
    unseal(store, &throwaway.shares).await?;
    let forced = store.with_token(throwaway.root.clone()).snapshot_force(snapshot).await;
    forced.map_err(|err| match err.status() {
        // A real server answers 500 to a damaged one.
        Some(_) => RestoreError::Snapshot(err),
        None => RestoreError::Call(err),
    })?;
    await_sealed(store).await?;
    Ok(unseal(store, shares).await?)
}

/// Why a snapshot was not brought back.
#[derive(Debug, thiserror::Error)]
pub enum RestoreError {
    /// There is something in it.
    #[error("the key store to restore into is not fresh: it is initialised")]
    NotFresh,
    /// The store does not take it.
    #[error("the key store refused the snapshot: it is damaged or not one")]
    Snapshot(#[source] KeyStoreError),
    /// The snapshot is in, and stays sealed.
    #[error("the key store was restored and stays sealed")]
    Unseal(#[from] UnsealError),
    /// A call failed.
    #[error(transparent)]
    Call(#[from] KeyStoreError),
}

/// The store answers before it finds that its key no longer fits, and seals itself then.
async fn await_sealed(store: &KeyStore) -> Result<(), KeyStoreError> {
    within("wait until the restored key store seals itself", Duration::from_secs(60), async {
        while !store.seal_status().await?.sealed {
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        Ok(())
    })
    .await
}
