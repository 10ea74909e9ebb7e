//! The one file: the store's state, encrypted with the master key that only the shares give.

use std::{
    fs::{self, File},
    io::{self, Write},
    path::{Path, PathBuf},
};

use aes_gcm::{
    Aes256Gcm, KeyInit,
    aead::{Aead, Payload},
};
use data_encoding::BASE64;
use rand::{RngCore, rngs::OsRng};
use serde::{Deserialize, Serialize};

use super::state::State;

const SCHEMA: &str = "seaworthy.dev-keystore/1";
const NAME: &str = "keystore.json";

/// The key that opens the file.
pub(super) type MasterKey = [u8; 32];

/// The file as it lies on disk.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Barrier {
    schema: String,
    /// Shares made.
    pub(super) shares: u8,
    /// Shares needed.
    pub(super) threshold: u8,
    /// Nonce and ciphertext of the state, base64.
    sealed: String,
}

impl Barrier {
    /// The state, sealed.
    pub(super) fn seal(state: &State, key: &MasterKey, shares: u8, threshold: u8) -> Self {
        let plain = serde_json::to_vec(state).expect("the state has string keys only");
        let sealed = BASE64.encode(&encrypt(key, &plain, SCHEMA.as_bytes()));
        Self { schema: SCHEMA.to_owned(), shares, threshold, sealed }
    }

    /// The state, if this is its key.
    pub(super) fn open(&self, key: &MasterKey) -> Option<State> {
        let sealed = BASE64.decode(self.sealed.as_bytes()).ok()?;
        serde_json::from_slice(&decrypt(key, &sealed, SCHEMA.as_bytes())?).ok()
    }

    /// The file's text.
    pub(super) fn to_text(&self) -> String {
        serde_json::to_string(self).expect("it is plain data")
    }

    /// Reads the file's text.
    pub(super) fn from_text(text: &str) -> io::Result<Self> {
        let barrier: Self = serde_json::from_str(text).map_err(io::Error::from)?;
        if barrier.schema != SCHEMA {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "not a development key store's file"));
        }
        Ok(barrier)
    }
}

/// Where the file lies.
#[derive(Debug)]
pub(super) struct Disk {
    dir: PathBuf,
}

impl Disk {
    pub(super) fn new(dir: &Path) -> io::Result<Self> {
        fs::create_dir_all(dir)?;
        Ok(Self { dir: dir.to_owned() })
    }

    /// The file; `None` before initialisation.
    pub(super) fn read(&self) -> io::Result<Option<Barrier>> {
        match fs::read_to_string(self.dir.join(NAME)) {
            Err(err) if err.kind() == io::ErrorKind::NotFound => Ok(None),
            text => Barrier::from_text(&text?).map(Some),
        }
    }

    /// Puts the file in place whole, durably.
    pub(super) fn write(&self, barrier: &Barrier) -> io::Result<()> {
        let draft = self.dir.join(format!(".{NAME}.new"));
        let mut file = File::create(&draft)?;
        file.write_all(barrier.to_text().as_bytes())?;
        file.sync_all()?;
        fs::rename(&draft, self.dir.join(NAME))?;
        File::open(&self.dir)?.sync_all()
    }
}

/// AES-256-GCM behind a random nonce.
pub(super) fn encrypt(key: &[u8; 32], plain: &[u8], bound_to: &[u8]) -> Vec<u8> {
    let mut nonce = [0; 12];
    OsRng.fill_bytes(&mut nonce);
    let cipher = Aes256Gcm::new(key.into());
    let sealed = cipher.encrypt(&nonce.into(), Payload { msg: plain, aad: bound_to });
    [nonce.as_slice(), &sealed.expect("AES-GCM takes what fits in memory")].concat()
}

/// Undoes [`encrypt`]; `None` for another key or other bytes.
pub(super) fn decrypt(key: &[u8; 32], sealed: &[u8], bound_to: &[u8]) -> Option<Vec<u8>> {
    let (nonce, sealed) = sealed.split_first_chunk::<12>()?;
    Aes256Gcm::new(key.into()).decrypt(nonce.into(), Payload { msg: sealed, aad: bound_to }).ok()
}
