//! Health, initialisation, seal, mounts, policies.

use std::{collections::BTreeMap, time::Duration};

use serde::Deserialize;
use serde_json::{Value, json};

use super::{
    KeyStore, KeyStoreError,
    call::{Call, segment},
};
use crate::Secret;

/// Statuses by which `sys/health` tells its state; each comes with the same JSON.
const HEALTH_STATUSES: [u16; 6] = [200, 429, 472, 473, 501, 503];

/// What a key store says of itself to anybody.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Health {
    /// It has been initialised.
    pub initialised: bool,
    /// It is sealed.
    pub sealed: bool,
    /// It is unsealed and leads: it takes every call.
    pub active: bool,
    /// It protects nothing: our development store, or a real one that keeps everything in memory.
    pub development: bool,
    /// It gives snapshots of itself: a real one does from raft storage alone.
    pub snapshots: bool,
    /// Its version.
    pub version: String,
}

/// Where unsealing stands.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct SealStatus {
    /// It has been initialised.
    #[serde(rename = "initialized")]
    pub initialised: bool,
    /// It is sealed.
    pub sealed: bool,
    /// Shares needed.
    #[serde(rename = "t")]
    pub threshold: u8,
    /// Shares made.
    #[serde(rename = "n")]
    pub shares: u8,
    /// Shares given so far.
    pub progress: u8,
    /// How it stores, where it says so.
    #[serde(default)]
    storage_type: String,
}

/// What initialisation gives, once.
#[derive(Debug)]
pub struct Init {
    /// The key shares.
    pub shares: Vec<Secret<String>>,
    /// The first root token.
    pub root: Secret<String>,
}

impl KeyStore {
    /// What the store says of itself. Needs no token, and changes nothing.
    ///
    /// # Errors
    /// When it cannot be reached or does not speak the API.
    pub async fn health(&self) -> Result<Health, KeyStoreError> {
        #[derive(Deserialize)]
        struct Said {
            initialized: bool,
            sealed: bool,
            version: String,
            #[serde(default)]
            development: bool,
        }
        let call = Call::get("ask the key store for its health", "sys/health");
        let answer = self.ask(&call, None).await?;
        if !HEALTH_STATUSES.contains(&answer.status.as_u16()) {
            return Err(answer.refusal(&call));
        }
        let said: Said = answer.json(&call)?;
        // One that was never initialised, and one that does not say how it stores, is taken at its best.
        let storage = match said.initialized && !said.development {
            true => self.seal_status().await?.storage_type,
            false => String::new(),
        };
        Ok(Health {
            initialised: said.initialized,
            sealed: said.sealed,
            active: answer.status.as_u16() == 200,
            development: said.development || storage == "inmem",
            snapshots: storage.is_empty() || storage == "raft",
            version: said.version,
        })
    }

    /// Waits until the store takes every call, as it does a moment after it was unsealed.
    ///
    /// # Errors
    /// When it does not in the store's patience.
    pub async fn await_active(&self) -> Result<(), KeyStoreError> {
        let doing = "wait until the key store is active";
        super::call::within(doing, self.patience, async {
            while !self.health().await?.active {
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
            Ok(())
        })
        .await
    }

    /// Where unsealing stands. Needs no token.
    ///
    /// # Errors
    /// As every call.
    pub async fn seal_status(&self) -> Result<SealStatus, KeyStoreError> {
        let call = Call::get("ask whether the key store is sealed", "sys/seal-status");
        self.call(&call, None).await?.json(&call)
    }

    /// Initialises an empty store. What comes back exists nowhere else.
    ///
    /// # Errors
    /// As every call; a store that is initialised already refuses.
    pub async fn init(&self, shares: u8, threshold: u8) -> Result<Init, KeyStoreError> {
        #[derive(Deserialize)]
        struct Made {
            keys_base64: Vec<String>,
            root_token: String,
        }
        let call = Call::put("initialise the key store", "sys/init");
        let body = json!({ "secret_shares": shares, "secret_threshold": threshold });
        let made: Made = self.call(&call, Some(body)).await?.json(&call)?;
        let shares = made.keys_base64.into_iter().map(Secret::new).collect();
        Ok(Init { shares, root: Secret::new(made.root_token) })
    }

    /// Gives one share, and returns how far that got.
    ///
    /// # Errors
    /// As every call; 400 for a malformed share, and when the last one needed shows that one of them is wrong.
    pub async fn unseal_share(&self, share: &Secret<String>) -> Result<SealStatus, KeyStoreError> {
        let call = Call::put("unseal the key store", "sys/unseal");
        self.call(&call, Some(json!({ "key": share.expose() }))).await?.json(&call)
    }

    /// Forgets the shares given so far.
    pub(super) async fn unseal_reset(&self) -> Result<(), KeyStoreError> {
        let call = Call::put("start unsealing the key store", "sys/unseal");
        self.call(&call, Some(json!({ "reset": true }))).await.map(drop)
    }

    /// Seals it: it forgets its key until it is unsealed.
    ///
    /// # Errors
    /// As every call.
    pub async fn seal(&self) -> Result<(), KeyStoreError> {
        self.call(&Call::put("seal the key store", "sys/seal"), None).await.map(drop)
    }

    /// Writes a policy, over an earlier one of that name.
    ///
    /// # Errors
    /// As every call.
    pub async fn write_policy(&self, name: &str, rules: &str) -> Result<(), KeyStoreError> {
        let path = format!("sys/policies/acl/{}", segment(name)?);
        let call = Call::put(format!("write policy `{name}`"), path);
        self.call(&call, Some(json!({ "policy": rules }))).await.map(drop)
    }

    /// Revokes the token that this store is seen with.
    ///
    /// # Errors
    /// As every call.
    pub async fn revoke_self(&self) -> Result<(), KeyStoreError> {
        self.call(&Call::post("revoke a token", "auth/token/revoke-self"), None).await.map(drop)
    }

    /// Makes sure something is mounted in `table` (`sys/mounts`, `sys/auth`) at its own name.
    pub(super) async fn enable(&self, table: &str, kind: &str) -> Result<(), KeyStoreError> {
        let call = Call::get(format!("look for `{kind}` in the key store"), table);
        let mounted: BTreeMap<String, Value> = self.call(&call, None).await?.data(&call)?;
        if mounted.contains_key(&format!("{kind}/")) {
            return Ok(());
        }
        let call = Call::post(format!("enable `{kind}` in the key store"), format!("{table}/{kind}"));
        self.call(&call, Some(json!({ "type": kind }))).await.map(drop)
    }
}
