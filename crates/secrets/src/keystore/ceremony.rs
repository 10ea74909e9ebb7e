//! The ceremony: from an empty store to one that an application can use and that nobody rules.

use std::future::Future;

use stack::Transit;

use super::{KeyStore, KeyStoreError, Role, generate_root, unseal, unseal::UnsealError};
use crate::Secret;

/// Policy and role of the application: encrypt and decrypt with its one key.
pub const APP_POLICY: &str = "seaworthy-app";
/// Policy and role of the backup: take a snapshot, list keys and their versions.
pub const SNAPSHOT_POLICY: &str = "seaworthy-snapshot";

/// Whatever a caller's own step failed with.
pub type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// Bootstraps a key store, or finishes a bootstrap that was interrupted, or finds that there is nothing to do.
///
/// `hand_over` is given the shares of a new store, and returns when each is with its holder and that fact is on
/// record; from then on the caller must say `handed_over`. Everything else comes after it, so a store that was ever
/// used has shares that somebody holds. The root token never leaves this function and is revoked at its end.
///
/// ```text
/// interrupted                      next run
/// before the shares were handed    InterruptedBeforeShares: the store is empty, begin with an empty volume
/// later                            SharesNeeded; with them, a new root token finishes the rest
/// ```
///
/// # Errors
/// See [`CeremonyError`].
pub async fn bootstrap<Handing>(
    store: &KeyStore,
    transit: &Transit,
    known: &Known,
    hand_over: impl FnOnce(Vec<Secret<String>>) -> Handing,
) -> Result<Bootstrapped, CeremonyError>
where
    Handing: Future<Output = Result<(), BoxError>>,
{
    if !store.health().await?.initialised {
        let init = store.init(transit.shares, transit.threshold).await?;
        hand_over(init.shares.clone()).await.map_err(CeremonyError::HandOver)?;
        unseal(store, &init.shares).await?;
        return finish_and_revoke(&store.with_token(init.root.clone()), transit).await;
    }
    if let Some(token) = &transit.dev_token {
        if logs_in(store, known).await? {
            return Ok(Bootstrapped::Already);
        }
        // This token is in the configuration: it is not ours to revoke.
        let made = finish(&store.with_token(Secret::from(token.as_str())), transit).await?;
        return Ok(Bootstrapped::Made(made));
    }
    go_on(store, transit, known).await
}

/// What the caller knows from earlier runs.
#[derive(Debug, Clone, Default)]
pub struct Known {
    /// Shares that holders handed in.
    pub shares: Vec<Secret<String>>,
    /// It is on record that `hand_over` once returned.
    pub handed_over: bool,
    /// Credentials that an earlier bootstrap returned.
    pub credentials: Option<Credentials>,
}

/// What a bootstrap gives: each `role_id:secret_id`.
#[derive(Debug, Clone)]
pub struct Credentials {
    /// May encrypt and decrypt with the declared key, and nothing else.
    pub app: Secret<String>,
    /// May take a snapshot, list keys and read their versions, and nothing else.
    pub snapshot: Secret<String>,
}

/// How a bootstrap ended.
#[derive(Debug)]
pub enum Bootstrapped {
    /// Done; the root token is revoked. These exist nowhere else.
    Made(Credentials),
    /// It was done before, and the known credentials still log in.
    Already,
}

/// Why a bootstrap did not end well.
#[derive(Debug, thiserror::Error)]
pub enum CeremonyError {
    /// The store was initialised and nobody has its shares.
    #[error(
        "the key store was initialised and its shares were never handed over: it is empty and cannot be used; \
         remove its volume and bootstrap again, or give the shares if somebody has them"
    )]
    InterruptedBeforeShares,
    /// The rest needs the holders.
    #[error("the key store's bootstrap was interrupted: {threshold} key shares are needed to finish it")]
    SharesNeeded {
        /// How many.
        threshold: u8,
    },
    /// The caller could not hand the shares over. They are gone.
    #[error("cannot hand the key shares to their holders")]
    HandOver(#[source] BoxError),
    /// The shares did not help.
    #[error(transparent)]
    Unseal(#[from] UnsealError),
    /// A call failed.
    #[error(transparent)]
    Call(#[from] KeyStoreError),
    /// A call failed, and so did the revocation of the root token after it.
    #[error("{first}; and the root token could not be revoked")]
    RootLeft {
        /// What failed first.
        first: KeyStoreError,
        /// Why the token is left.
        #[source]
        source: KeyStoreError,
    },
}

/// An initialised store: done, interrupted, or sealed.
async fn go_on(store: &KeyStore, transit: &Transit, known: &Known) -> Result<Bootstrapped, CeremonyError> {
    let status = store.seal_status().await?;
    let needed = || match known.handed_over || known.credentials.is_some() {
        true => CeremonyError::SharesNeeded { threshold: status.threshold },
        false => CeremonyError::InterruptedBeforeShares,
    };
    if status.sealed {
        if known.shares.is_empty() {
            return Err(needed());
        }
        unseal(store, &known.shares).await?;
    }
    if logs_in(store, known).await? {
        return Ok(Bootstrapped::Already);
    }
    if known.shares.is_empty() {
        return Err(needed());
    }
    let root = generate_root(store, &known.shares).await?;
    finish_and_revoke(&store.with_token(root), transit).await
}

/// Both known credentials are good.
async fn logs_in(store: &KeyStore, known: &Known) -> Result<bool, KeyStoreError> {
    let Some(credentials) = &known.credentials else { return Ok(false) };
    for credential in [&credentials.app, &credentials.snapshot] {
        match store.login(credential).await {
            Ok(session) => session.revoke_self().await?,
            Err(err) if matches!(err.status(), Some(400 | 403 | 404)) => return Ok(false),
            Err(err) => return Err(err),
        }
    }
    Ok(true)
}

async fn finish_and_revoke(root: &KeyStore, transit: &Transit) -> Result<Bootstrapped, CeremonyError> {
    let made = finish(root, transit).await;
    let revoked = root.revoke_self().await;
    match (made, revoked) {
        (Ok(made), Ok(())) => Ok(Bootstrapped::Made(made)),
        (Ok(_), Err(err)) | (Err(err), Ok(())) => Err(CeremonyError::Call(err)),
        (Err(first), Err(source)) => Err(CeremonyError::RootLeft { first, source }),
    }
}

/// Everything that needs the root token. Each call leaves alone what is so already.
async fn finish(root: &KeyStore, transit: &Transit) -> Result<Credentials, KeyStoreError> {
    root.enable_transit().await?;
    root.create_key(&transit.key).await?;
    root.enable_approle().await?;
    let app = credential(root, APP_POLICY, &app_rules(&transit.key)).await?;
    let snapshot = credential(root, SNAPSHOT_POLICY, SNAPSHOT_RULES).await?;
    Ok(Credentials { app, snapshot })
}

/// A policy, the role of the same name, and a credential for it.
async fn credential(root: &KeyStore, name: &str, rules: &str) -> Result<Secret<String>, KeyStoreError> {
    root.write_policy(name, rules).await?;
    root.create_role(Role { name, policy: name }).await?;
    let id = root.role_id(name).await?;
    let secret = root.new_secret_id(name).await?;
    Ok(Secret::new(format!("{id}:{}", secret.expose())))
}

fn app_rules(key: &str) -> String {
    format!(
        "path \"transit/encrypt/{key}\" {{\n  capabilities = [\"update\"]\n}}\n\
         path \"transit/decrypt/{key}\" {{\n  capabilities = [\"update\"]\n}}\n"
    )
}

const SNAPSHOT_RULES: &str = r#"path "sys/storage/raft/snapshot" {
  capabilities = ["read"]
}
path "transit/keys" {
  capabilities = ["list"]
}
path "transit/keys/*" {
  capabilities = ["read"]
}
"#;
