//! The Transit engine: keys that never leave the store.

use data_encoding::BASE64;
use serde::Deserialize;
use serde_json::json;

use super::{
    KeyStore, KeyStoreError,
    call::{Call, segment},
};
use crate::Secret;

/// The versions of one Transit key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
pub struct KeyVersions {
    /// Newest.
    #[serde(rename = "latest_version")]
    pub latest: u32,
    /// Oldest that may decrypt.
    #[serde(rename = "min_decryption_version")]
    pub min_decryption: u32,
}

impl KeyStore {
    /// Makes sure the Transit engine is mounted at `transit/`.
    ///
    /// # Errors
    /// As every call.
    pub async fn enable_transit(&self) -> Result<(), KeyStoreError> {
        self.enable("sys/mounts", "transit").await
    }

    /// Makes sure the key exists: AES-256-GCM, neither exportable nor deletable.
    ///
    /// # Errors
    /// As every call.
    pub async fn create_key(&self, name: &str) -> Result<(), KeyStoreError> {
        let call = Call::post(format!("create key `{name}`"), format!("transit/keys/{}", segment(name)?));
        self.call(&call, Some(json!({ "type": "aes256-gcm96" }))).await.map(drop)
    }

    /// Names of all keys.
    ///
    /// # Errors
    /// As every call.
    pub async fn list_keys(&self) -> Result<Vec<String>, KeyStoreError> {
        #[derive(Deserialize)]
        struct Listed {
            keys: Vec<String>,
        }
        let call = Call::get("list the keys", "transit/keys?list=true");
        let answer = self.ask(&call, None).await?;
        match answer.status.as_u16() {
            // So the API says that the list is empty.
            404 => Ok(Vec::new()),
            200..=299 => answer.data::<Listed>(&call).map(|listed| listed.keys),
            _ => Err(answer.refusal(&call)),
        }
    }

    /// The versions of a key.
    ///
    /// # Errors
    /// As every call.
    pub async fn read_key(&self, name: &str) -> Result<KeyVersions, KeyStoreError> {
        let call = Call::get(format!("read key `{name}`"), format!("transit/keys/{}", segment(name)?));
        self.call(&call, None).await?.data(&call)
    }

    /// Encrypts with the newest version of a key: `vault:v1:…`.
    ///
    /// # Errors
    /// As every call.
    pub async fn encrypt(&self, key: &str, plaintext: &[u8]) -> Result<String, KeyStoreError> {
        #[derive(Deserialize)]
        struct Made {
            ciphertext: String,
        }
        let call =
            Call::post(format!("encrypt with key `{key}`"), format!("transit/encrypt/{}", segment(key)?));
        let body = json!({ "plaintext": BASE64.encode(plaintext) });
        Ok(self.call(&call, Some(body)).await?.data::<Made>(&call)?.ciphertext)
    }

    /// Decrypts what [`KeyStore::encrypt`] made.
    ///
    /// # Errors
    /// As every call; 400 for a ciphertext that this key did not make.
    pub async fn decrypt(&self, key: &str, ciphertext: &str) -> Result<Secret<Vec<u8>>, KeyStoreError> {
        #[derive(Deserialize)]
        struct Made {
            plaintext: String,
        }
        let call =
            Call::post(format!("decrypt with key `{key}`"), format!("transit/decrypt/{}", segment(key)?));
        let made: Made = self.call(&call, Some(json!({ "ciphertext": ciphertext }))).await?.data(&call)?;
        let text = Secret::new(made.plaintext);
        BASE64.decode(text.expose().as_bytes()).map(Secret::new).map_err(|_| call.unreadable())
    }
}
