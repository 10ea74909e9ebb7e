//! What must survive, and where sets of it go.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::names::{SecretName, ServiceName, VolumeKey};

/// What must survive, and how it is captured.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct State {
    /// What kind of store it is.
    pub kind: StateKind,
    /// SQL that returns the time of the newest heartbeat row, as RFC 3339 text or seconds since 1970.
    pub heartbeat: Option<String>,
}

/// A store that holds state.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum StateKind {
    /// PostgreSQL: dumped from inside its own container in one exported snapshot.
    Postgres {
        /// Database name.
        database: String,
        /// Role; default `postgres`.
        user: String,
    },
    /// SQLite in a volume: copied with `VACUUM INTO`.
    Sqlite {
        /// The volume that holds it.
        volume: VolumeKey,
        /// Path inside that volume.
        path: String,
    },
    /// A key store with a Transit engine (OpenBao, Vault, or the development one).
    Transit(Transit),
    /// Not captured, for a reason that is written down.
    Discard {
        /// Why it may be lost.
        reason: String,
    },
}

/// A key store as `[state.NAME] transit` declares it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Transit {
    /// The Transit key that applications use.
    pub key: String,
    /// The store's API port inside its network.
    pub port: u16,
    /// Key shares made at initialisation.
    pub shares: u8,
    /// Shares needed to unseal.
    pub threshold: u8,
    /// age recipients of the share holders; empty: shares are shown once on a terminal.
    pub holders: Vec<String>,
    /// The secret (type `approle`) that carries the application's credential.
    pub credential: SecretName,
    /// The volume of its data: removed with the store, restored from its snapshot.
    pub volume: Option<VolumeKey>,
    /// Root token of a store that runs in development mode, and so is never initialised by us. Refused in
    /// production; not a secret, because such a store protects nothing.
    pub dev_token: Option<String>,
}

/// `[backup]`.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct BackupSpec {
    /// Directory targets, absolute.
    pub to: Vec<String>,
    /// age recipients that can open a set.
    pub recipients: Vec<String>,
    /// Sets to keep; newest first.
    pub keep: Option<u32>,
    /// How much data may be lost.
    pub rpo: Option<Duration>,
    /// How long a recovery may take.
    pub rto: Option<Duration>,
}

/// `[drill]`.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct DrillSpec {
    /// Services to start and probe in the throwaway, with what they depend on; empty: all.
    pub services: Vec<ServiceName>,
}
