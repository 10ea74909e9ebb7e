//! What the store knows once it is open.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use data_encoding::{BASE64URL_NOPAD, HEXLOWER};
use rand::{RngCore, rngs::OsRng};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

/// The policy that may do everything.
pub(super) const ROOT: &str = "root";

/// Everything behind the barrier.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(super) struct State {
    /// Mounted secret engines: `transit`.
    pub(super) mounts: BTreeSet<String>,
    /// Mounted auth methods: `approle`.
    pub(super) auths: BTreeSet<String>,
    /// Policies as text, by name.
    pub(super) policies: BTreeMap<String, String>,
    /// Roles, by name.
    pub(super) roles: BTreeMap<String, Role>,
    /// Tokens, by their SHA-256.
    pub(super) tokens: BTreeMap<String, Token>,
    /// Transit keys, by name.
    pub(super) keys: BTreeMap<String, Key>,
}

/// A machine's role.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Role {
    pub(super) id: String,
    pub(super) policies: Vec<String>,
    /// How long its tokens live after login and after each renewal.
    pub(super) period_secs: u64,
    /// SHA-256 of its secret ids.
    pub(super) secrets: BTreeSet<String>,
}

/// A token.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Token {
    pub(super) policies: Vec<String>,
    /// Seconds since 1970; `None`: never.
    pub(super) expires: Option<u64>,
    pub(super) period_secs: u64,
}

/// A Transit key.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Key {
    /// AES-256 keys in base64, by version.
    pub(super) versions: BTreeMap<u32, String>,
    /// Oldest that may decrypt.
    pub(super) min_decryption: u32,
}

impl State {
    /// Makes a token, and returns it: only its hash is kept. Tokens that ran out are forgotten on the way.
    pub(super) fn issue(&mut self, policies: Vec<String>, period_secs: Option<u64>) -> String {
        let now = now();
        self.tokens.retain(|_, token| token.expires.is_none_or(|expires| expires > now));
        let text = format!("dev.{}", random_text(18));
        let expires = period_secs.map(|period| now + period);
        let token = Token { policies, expires, period_secs: period_secs.unwrap_or(0) };
        self.tokens.insert(hash(&text), token);
        text
    }

    /// The token of this text, unless it ran out.
    pub(super) fn token(&self, text: &str) -> Option<&Token> {
        let token = self.tokens.get(&hash(text))?;
        token.expires.is_none_or(|expires| expires > now()).then_some(token)
    }
}

/// What is kept in place of a token or secret id.
pub(super) fn hash(text: &str) -> String {
    HEXLOWER.encode(&Sha256::digest(text.as_bytes()))
}

/// URL-safe text of so many random bytes.
pub(super) fn random_text(bytes: usize) -> String {
    let mut random = vec![0; bytes];
    OsRng.fill_bytes(&mut random);
    BASE64URL_NOPAD.encode(&random)
}

/// Seconds since 1970.
pub(super) fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO).as_secs()
}
