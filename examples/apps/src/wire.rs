//! What travels between a client and the relay: signed ciphertext one way, numbered ciphertext the other.

use std::{io, path::Path};

use data_encoding::BASE64;
use hmac::{Hmac, Mac};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

/// Bytes of a nonce. Fixed, so that nonce and ciphertext can be signed one after the other without a separator.
pub const NONCE_BYTES: usize = 16;

/// The largest ciphertext the relay takes.
pub const CIPHERTEXT_BYTES: usize = 64 * 1024;

/// `POST /events`: what a client asks the relay to keep. All three fields are standard base64.
#[derive(Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NewEvent {
    /// 16 bytes that the client never uses for another event.
    pub nonce: String,
    /// What only members can read.
    pub ciphertext: String,
    /// HMAC-SHA256 over nonce and ciphertext under the shared secret.
    pub mac: String,
}

/// The answer to `POST /events`: where the event stands. The same nonce always gets the same answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Acknowledged {
    /// Its place in the sequence, from 1 on, without gaps.
    pub seq: i64,
}

/// One kept event.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Event {
    /// Its place in the sequence.
    pub seq: i64,
    /// Base64 of its nonce.
    pub nonce: String,
    /// Base64 of its ciphertext.
    pub ciphertext: String,
    /// Bytes of the ciphertext; known from schema 2 on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub size: Option<i64>,
}

/// The answer to `GET /events?since=N`: what follows N, in order.
#[derive(Clone, Serialize, Deserialize)]
pub struct Page {
    /// The events after `since`, at most `limit` of them.
    pub events: Vec<Event>,
    /// The newest place in the sequence.
    pub last_seq: i64,
}

/// The secret that clients and the relay share. It has no `Debug`.
#[derive(Clone)]
pub struct SigningKey(Vec<u8>);

impl SigningKey {
    /// Reads the key from a file; white space around it does not count.
    pub fn read(path: &Path) -> io::Result<Self> {
        let text = std::fs::read(path)?;
        let key = text.trim_ascii().to_vec();
        if key.is_empty() {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "the file is empty"));
        }
        Ok(Self(key))
    }

    /// Signs one event.
    pub fn sign(&self, nonce: &[u8; NONCE_BYTES], ciphertext: &[u8]) -> NewEvent {
        NewEvent {
            nonce: BASE64.encode(nonce),
            ciphertext: BASE64.encode(ciphertext),
            mac: BASE64.encode(&self.mac(nonce, ciphertext).finalize().into_bytes()),
        }
    }

    /// Whether `mac` was made with this key, in constant time.
    pub fn verifies(&self, nonce: &[u8; NONCE_BYTES], ciphertext: &[u8], mac: &[u8]) -> bool {
        self.mac(nonce, ciphertext).verify_slice(mac).is_ok()
    }

    fn mac(&self, nonce: &[u8; NONCE_BYTES], ciphertext: &[u8]) -> Hmac<Sha256> {
        Hmac::<Sha256>::new_from_slice(&self.0)
            .expect("HMAC takes a key of any length")
            .chain_update(nonce)
            .chain_update(ciphertext)
    }
}

/// SHA-256 of a ciphertext: how ledger and replays recognise it.
pub fn digest(ciphertext: &[u8]) -> [u8; 32] {
    Sha256::digest(ciphertext).into()
}
