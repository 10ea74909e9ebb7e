//! What the holders' shares can do together: unseal the store, and make a new root token.

use data_encoding::{BASE64, BASE64_NOPAD};
use serde::Deserialize;
use serde_json::json;
use zeroize::Zeroizing;

use super::{KeyStore, KeyStoreError, call::Call};
use crate::Secret;

/// Unseals the store with the holders' shares and waits until it is active. Nothing to do where it is unsealed.
///
/// # Errors
/// Tells apart too few shares, wrong ones, and a store that has none yet.
pub async fn unseal(store: &KeyStore, shares: &[Secret<String>]) -> Result<(), UnsealError> {
    let status = store.seal_status().await?;
    if !status.initialised {
        return Err(UnsealError::NotInitialised);
    }
    if status.sealed {
        let threshold = status.threshold;
        enough(shares, threshold)?;
        if status.progress > 0 {
            // Shares of an attempt that was given up would be mixed with ours.
            store.unseal_reset().await?;
        }
        let mut sealed = true;
        for share in shares {
            sealed = store.unseal_share(share).await.map_err(wrong)?.sealed;
            if !sealed {
                break;
            }
        }
        if sealed {
            return Err(UnsealError::TooFew { given: different(shares), threshold });
        }
    }
    Ok(store.await_active().await?)
}

/// Makes a new root token with the holders' shares: how a bootstrap goes on that lost the first one. The store must
/// be unsealed.
///
/// # Errors
/// As [`unseal`].
pub async fn generate_root(
    store: &KeyStore,
    shares: &[Secret<String>],
) -> Result<Secret<String>, UnsealError> {
    const ATTEMPT: &str = "sys/generate-root/attempt";
    #[derive(Deserialize)]
    struct Started {
        nonce: String,
        otp: String,
        required: u8,
    }
    // One attempt at a time: an earlier one was given up.
    store.call(&Call::delete("give up an earlier attempt at a root token", ATTEMPT), None).await?;
    let call = Call::put("ask for a new root token", ATTEMPT);
    let started: Started = store.call(&call, Some(json!({}))).await?.json(&call)?;
    let otp = Zeroizing::new(started.otp);
    enough(shares, started.required)?;
    let made = give_shares(store, shares, &started.nonce).await;
    match made {
        Ok(Some(encoded)) => Ok(decode(encoded.expose(), &otp).ok_or_else(|| call.unreadable())?),
        Ok(None) => Err(UnsealError::TooFew { given: different(shares), threshold: started.required }),
        Err(err) => Err(err),
    }
}

/// Why the shares did not help.
#[derive(Debug, thiserror::Error)]
pub enum UnsealError {
    /// There is nothing to unseal.
    #[error("the key store is not initialised: it has no shares yet")]
    NotInitialised,
    /// Fewer different shares than it takes.
    #[error("the key store needs {threshold} different key shares, {given} were given")]
    TooFew {
        /// Different shares given.
        given: usize,
        /// Shares needed.
        threshold: u8,
    },
    /// The shares do not fit the store.
    #[error("the key shares are not this key store's, or one of them is wrong")]
    Wrong(#[source] KeyStoreError),
    /// A call failed.
    #[error(transparent)]
    Call(#[from] KeyStoreError),
}

async fn give_shares(
    store: &KeyStore,
    shares: &[Secret<String>],
    nonce: &str,
) -> Result<Option<Secret<String>>, UnsealError> {
    #[derive(Deserialize)]
    struct Progress {
        complete: bool,
        encoded_token: String,
    }
    let call = Call::put("make a new root token", "sys/generate-root/update");
    for share in shares {
        let body = json!({ "nonce": nonce, "key": share.expose() });
        let progress: Progress = store.call(&call, Some(body)).await.map_err(wrong)?.json(&call)?;
        if progress.complete {
            return Ok(Some(Secret::new(progress.encoded_token)));
        }
    }
    Ok(None)
}

/// The token comes XORed with the one-time pad that only the asker was given.
fn decode(encoded: &str, otp: &str) -> Option<Secret<String>> {
    let bytes =
        BASE64_NOPAD.decode(encoded.as_bytes()).or_else(|_| BASE64.decode(encoded.as_bytes())).ok()?;
    if bytes.len() != otp.len() {
        return None;
    }
    let token = bytes.iter().zip(otp.bytes()).map(|(byte, pad)| byte ^ pad).collect();
    String::from_utf8(token).ok().map(Secret::new)
}

fn wrong(err: KeyStoreError) -> UnsealError {
    match err.status() {
        Some(400) => UnsealError::Wrong(err),
        _ => UnsealError::Call(err),
    }
}

/// There are as many different shares as it takes.
pub(super) fn enough(shares: &[Secret<String>], threshold: u8) -> Result<(), UnsealError> {
    let given = different(shares);
    if given < usize::from(threshold) { Err(UnsealError::TooFew { given, threshold }) } else { Ok(()) }
}

/// How many of the shares are different ones: the same one twice opens no more than once.
pub fn different(shares: &[Secret<String>]) -> usize {
    shares.iter().map(Secret::expose).collect::<std::collections::BTreeSet<_>>().len()
}
