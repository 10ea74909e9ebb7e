//! Envelope encryption at rest: bodies under a data key of ours, data keys under the key store's Transit key.
//!
//! A database alone opens nothing: each of its data keys was wrapped by the key store.

use std::{
    collections::BTreeMap,
    sync::Arc,
    time::{Duration, Instant},
};

use aes_gcm::{
    Aes256Gcm, KeyInit, Nonce,
    aead::{Aead, Payload},
};
use data_encoding::HEXLOWER;
use rand::RngCore;
use tokio::sync::Mutex;

use super::{
    store::{Store, StoreError},
    transit::{Transit, TransitError},
};

/// A data key is used this long; short enough that none comes near the 2^32 messages that random nonces allow.
const KEY_AGE: Duration = Duration::from_secs(3600);

/// Seals and opens bodies.
pub(super) struct Sealer {
    transit: Transit,
    writing: Mutex<Option<(DataKey, Instant)>>,
    known: Mutex<BTreeMap<String, DataKey>>,
}

/// One data key, ready to use.
#[derive(Clone)]
pub(super) struct DataKey {
    id: String,
    cipher: Arc<Aes256Gcm>,
}

/// A body as it is kept.
pub(super) struct Sealed {
    pub(super) key_id: String,
    pub(super) body: Vec<u8>,
    /// Bytes before sealing.
    pub(super) size: i64,
}

/// Why a body could not be sealed or opened.
#[derive(Debug, thiserror::Error)]
pub(super) enum SealError {
    #[error(transparent)]
    Transit(#[from] TransitError),
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error("data key `{id}` is not 32 bytes long")]
    KeyLength { id: String },
    #[error("event {seq} does not open under data key `{id}`")]
    Altered { seq: i64, id: String },
}

impl Sealer {
    pub(super) fn new(transit: Transit) -> Self {
        Self { transit, writing: Mutex::default(), known: Mutex::default() }
    }

    /// Asks the key store to wrap something: it answers, is unsealed, and takes our credential.
    pub(super) async fn check(&self) -> Result<(), TransitError> {
        self.transit.wrap(b"ready").await.map(drop)
    }

    /// The key that new bodies are sealed under: made, wrapped and kept before its first use.
    pub(super) async fn writing_key(&self, store: &Store) -> Result<DataKey, SealError> {
        let mut writing = self.writing.lock().await;
        if let Some((key, made)) = &*writing
            && made.elapsed() < KEY_AGE
        {
            return Ok(key.clone());
        }
        let mut bytes = [0_u8; 32];
        let mut id = [0_u8; 16];
        rand::thread_rng().fill_bytes(&mut bytes);
        rand::thread_rng().fill_bytes(&mut id);
        let id = HEXLOWER.encode(&id);
        store.keep_key(&id, &self.transit.wrap(&bytes).await?).await?;
        let key = DataKey::new(id, &bytes)?;
        *writing = Some((key.clone(), Instant::now()));
        Ok(key)
    }

    /// Makes a new key next time: the database may have been exchanged beneath us.
    pub(super) async fn forget_writing_key(&self) {
        *self.writing.lock().await = None;
    }

    /// The key that an old body was sealed under.
    pub(super) async fn reading_key(&self, store: &Store, id: &str) -> Result<DataKey, SealError> {
        let mut known = self.known.lock().await;
        if let Some(key) = known.get(id) {
            return Ok(key.clone());
        }
        let bytes = self.transit.unwrap_key(&store.wrapped_key(id).await?).await?;
        let key = DataKey::new(id.to_owned(), &bytes)?;
        known.insert(id.to_owned(), key.clone());
        Ok(key)
    }
}

impl DataKey {
    fn new(id: String, bytes: &[u8]) -> Result<Self, SealError> {
        match Aes256Gcm::new_from_slice(bytes) {
            Ok(cipher) => Ok(Self { id, cipher: Arc::new(cipher) }),
            Err(_) => Err(SealError::KeyLength { id }),
        }
    }

    /// Seals a ciphertext to its place and nonce; the result is 28 bytes longer.
    pub(super) fn seal(&self, seq: i64, nonce: &[u8], ciphertext: &[u8]) -> Sealed {
        let mut unique = [0_u8; 12];
        rand::thread_rng().fill_bytes(&mut unique);
        let payload = Payload { msg: ciphertext, aad: &place(seq, nonce) };
        let sealed = self
            .cipher
            .encrypt(Nonce::from_slice(&unique), payload)
            .expect("a body is far below the 64 GiB that GCM can seal");
        let size = i64::try_from(ciphertext.len()).expect("a body has at most 64 KiB");
        Sealed { key_id: self.id.clone(), body: [unique.as_slice(), &sealed].concat(), size }
    }

    /// Opens what `seal` made for the same place and nonce.
    pub(super) fn open(&self, seq: i64, nonce: &[u8], body: &[u8]) -> Result<Vec<u8>, SealError> {
        let altered = || SealError::Altered { seq, id: self.id.clone() };
        let (unique, sealed) = body.split_at_checked(12).ok_or_else(altered)?;
        let payload = Payload { msg: sealed, aad: &place(seq, nonce) };
        self.cipher.decrypt(Nonce::from_slice(unique), payload).map_err(|_| altered())
    }
}

/// What a body is bound to, so that no two rows can be exchanged.
fn place(seq: i64, nonce: &[u8]) -> Vec<u8> {
    [seq.to_be_bytes().as_slice(), nonce].concat()
}
