//! The store as one document: the encrypted file, and a hash that shows a cut or a flipped byte.

use data_encoding::HEXLOWER;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::{
    barrier::Barrier,
    message::{Answer, Refusal, Request},
    server::{Open, Server, sealed},
};

const SCHEMA: &str = "seaworthy.dev-keystore-snapshot/1";

#[derive(Serialize, Deserialize)]
struct Snapshot {
    schema: String,
    /// Of `barrier`, hex.
    sha256: String,
    /// The file, as text.
    barrier: String,
}

impl Server {
    pub(super) fn snapshot(&self) -> Result<Answer, Refusal> {
        let barrier = self.barrier.as_ref().ok_or_else(sealed)?.to_text();
        let snapshot = Snapshot { schema: SCHEMA.to_owned(), sha256: digest(&barrier), barrier };
        let bytes = serde_json::to_vec(&snapshot).map_err(std::io::Error::from)?;
        Ok(Answer::Bytes(bytes))
    }

    /// Replaces everything. The store stays open if its key is the snapshot's, and is sealed otherwise.
    pub(super) fn snapshot_force(&mut self, request: &Request) -> Result<Answer, Refusal> {
        let damaged = || Refusal::new(400, "the snapshot is damaged or not one of a development key store");
        let snapshot: Snapshot = serde_json::from_slice(&request.body).map_err(|_| damaged())?;
        if snapshot.schema != SCHEMA || snapshot.sha256 != digest(&snapshot.barrier) {
            return Err(damaged());
        }
        let barrier = Barrier::from_text(&snapshot.barrier).map_err(|_| damaged())?;
        self.disk.write(&barrier)?;
        let key = self.open.as_ref().map(|open| open.key);
        self.seal();
        self.open = key.and_then(|key| barrier.open(&key).map(|state| Open { key, state }));
        self.barrier = Some(barrier);
        Ok(Answer::Empty)
    }
}

fn digest(text: &str) -> String {
    HEXLOWER.encode(&Sha256::digest(text.as_bytes()))
}
