//! What a backup set is, on paper: its id, its objects, its manifest. Reading and writing one is the business of `backup`.
//!
//! A set is committed by one create-only signed manifest, or it does not exist.

use std::{collections::BTreeMap, fmt};

use serde::{Deserialize, Serialize};
use stack::{ServiceName, StackName};

use crate::Seed;

/// A set's id: the UTC second of its point and four random bytes, `20261121T011447Z-7f3a91c2`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct SetId(pub String);

impl fmt::Display for SetId {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.0)
    }
}

impl SetId {
    /// The id of a set planned from this seed.
    pub fn new(seed: Seed) -> Self {
        let time = seed.at.strftime("%Y%m%dT%H%M%SZ");
        Self(format!("{time}-{}", data_encoding::HEXLOWER.encode(&seed.random)))
    }
}

/// The manifest of a set: what was captured, when, and how to know it again. Signed; holds no secret value.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Manifest {
    /// `seaworthy.set/1`.
    pub schema: String,
    /// The set.
    pub set: SetId,
    /// The stack it is of.
    pub stack: StackName,
    /// The shape that ran.
    pub shape: String,
    /// Random identity of this stack's chain of sets: sets of another stack of the same name are told apart.
    pub chain: String,
    /// Its place in the chain, from 1.
    pub sequence: u64,
    /// SHA-256 of the manifest before it; `None` for the first.
    pub previous: Option<String>,
    /// The point in time that the databases stand at.
    pub point: jiff::Timestamp,
    /// When the key store was captured; never before `point`.
    pub keys_at: Option<jiff::Timestamp>,
    /// Version of the tool that wrote it.
    pub tool: String,
    /// age recipients the objects are sealed to.
    pub recipients: Vec<String>,
    /// The release that ran, when one was.
    pub release: Option<u64>,
    /// Its objects, in capture order.
    pub objects: Vec<Object>,
    /// Names and versions of the key store's keys at capture.
    pub keys: Option<KeyList>,
    /// What must decrypt after a restore.
    pub canaries: Vec<Canary>,
}

/// The version string a manifest carries.
pub const MANIFEST_SCHEMA: &str = "seaworthy.set/1";

/// One sealed object of a set: `age(zstd(stream))`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Object {
    /// File name below the set's directory: `db.postgres.dump.zst.age`.
    pub name: String,
    /// What it holds.
    pub role: Role,
    /// The service it came from, where there is one.
    pub service: Option<ServiceName>,
    /// Bytes before compression.
    pub plain_bytes: u64,
    /// SHA-256 before compression.
    pub plain_sha256: String,
    /// Bytes on the target.
    pub sealed_bytes: u64,
    /// SHA-256 on the target.
    pub sealed_sha256: String,
    /// Version of the server it came from.
    pub server: Option<String>,
    /// Rows by table at the point, all taken in the dump's own snapshot.
    pub counts: BTreeMap<String, u64>,
    /// Newest heartbeat at the point.
    pub heartbeat: Option<jiff::Timestamp>,
    /// When it was captured: for a database, the instant of its snapshot.
    pub captured_at: jiff::Timestamp,
}

/// What an object holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Role {
    /// A PostgreSQL custom-format dump.
    Postgres,
    /// PostgreSQL roles and their password verifiers.
    PostgresGlobals,
    /// A SQLite database file.
    Sqlite,
    /// A key store's raft snapshot.
    KeyStore,
    /// The stack's secret values, as JSON.
    Secrets,
    /// The release: a tar of its directory, held values opened.
    Release,
}

/// Names and versions of a key store's Transit keys.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct KeyList {
    /// By name.
    pub keys: BTreeMap<String, KeyVersions>,
}

/// The versions of one Transit key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeyVersions {
    /// Newest.
    pub latest: u32,
    /// Oldest that may decrypt.
    pub min_decryption: u32,
}

impl KeyList {
    /// True when everything in `earlier` can still be decrypted by `self`: no key gone, no minimum raised.
    pub fn covers(&self, earlier: &KeyList) -> bool {
        earlier.keys.iter().all(|(name, before)| {
            self.keys.get(name).is_some_and(|after| {
                after.latest >= before.latest && after.min_decryption <= before.min_decryption
            })
        })
    }
}

/// A value encrypted at capture that must decrypt after a restore.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Canary {
    /// The Transit key.
    pub key: String,
    /// What Transit gave: `vault:v1:…`.
    pub ciphertext: String,
    /// HMAC-SHA256 of the plaintext, keyed with the set's id: proves the plaintext without holding it.
    pub plain_hmac: String,
}
