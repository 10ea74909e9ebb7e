//! Keys that never leave the store.

use std::collections::BTreeMap;

use data_encoding::BASE64;
use rand::{RngCore, rngs::OsRng};
use serde::Deserialize;
use serde_json::json;

use super::{
    barrier,
    message::{Answer, Refusal, Request},
    server::Server,
    state::Key,
};

impl Server {
    pub(super) fn list_keys(&self) -> Result<Answer, Refusal> {
        let keys: Vec<&String> = self.state()?.keys.keys().collect();
        if keys.is_empty() {
            // So the API says that a list is empty.
            return Err(Refusal::new(404, "no keys"));
        }
        Ok(Answer::data(json!({ "keys": keys })))
    }

    pub(super) fn read_key(&self, name: &str) -> Result<Answer, Refusal> {
        let key = self.state()?.keys.get(name).ok_or_else(|| Refusal::new(404, "no such key"))?;
        Ok(Answer::data(json!({
            "name": name,
            "type": "aes256-gcm96",
            "latest_version": key.latest(),
            "min_decryption_version": key.min_decryption,
            "exportable": false,
            "deletion_allowed": false,
        })))
    }

    /// Makes a key of one version; leaves alone one that is there.
    pub(super) fn create_key(&mut self, name: &str) -> Result<Answer, Refusal> {
        if self.state()?.keys.contains_key(name) {
            return self.read_key(name);
        }
        self.change(|state| {
            if !state.mounts.contains("transit") {
                return Err(Refusal::no_such_path());
            }
            let mut fresh = [0; 32];
            OsRng.fill_bytes(&mut fresh);
            let versions = BTreeMap::from([(1, BASE64.encode(&fresh))]);
            state.keys.insert(name.to_owned(), Key { versions, min_decryption: 1 });
            Ok(())
        })?;
        self.read_key(name)
    }

    pub(super) fn encrypt(&self, name: &str, request: &Request) -> Result<Answer, Refusal> {
        #[derive(Deserialize)]
        struct Given {
            plaintext: String,
        }
        let Given { plaintext } = request.json()?;
        let plaintext = BASE64.decode(plaintext.as_bytes());
        let plaintext = plaintext.map_err(|_| Refusal::new(400, "the plaintext is not base64"))?;
        let key = self.key(name)?;
        let version = key.latest();
        let sealed = barrier::encrypt(&key.bytes(version)?, &plaintext, name.as_bytes());
        Ok(Answer::data(json!({
            "ciphertext": format!("vault:v{version}:{}", BASE64.encode(&sealed)),
            "key_version": version,
        })))
    }

    pub(super) fn decrypt(&self, name: &str, request: &Request) -> Result<Answer, Refusal> {
        #[derive(Deserialize)]
        struct Given {
            ciphertext: String,
        }
        let Given { ciphertext } = request.json()?;
        let invalid = || Refusal::new(400, "invalid ciphertext");
        let (version, sealed) =
            ciphertext.strip_prefix("vault:v").and_then(|rest| rest.split_once(':')).ok_or_else(invalid)?;
        let version: u32 = version.parse().map_err(|_| invalid())?;
        let sealed = BASE64.decode(sealed.as_bytes()).map_err(|_| invalid())?;
        let key = self.key(name)?;
        if version < key.min_decryption {
            return Err(Refusal::new(400, "the ciphertext is of a version that may no longer decrypt"));
        }
        let plain = barrier::decrypt(&key.bytes(version)?, &sealed, name.as_bytes()).ok_or_else(invalid)?;
        Ok(Answer::data(json!({ "plaintext": BASE64.encode(&plain) })))
    }

    fn key(&self, name: &str) -> Result<&Key, Refusal> {
        self.state()?.keys.get(name).ok_or_else(|| Refusal::new(400, "encryption key not found"))
    }
}

impl Key {
    fn latest(&self) -> u32 {
        self.versions.keys().next_back().copied().unwrap_or(0)
    }

    fn bytes(&self, version: u32) -> Result<[u8; 32], Refusal> {
        let text = self.versions.get(&version);
        let bytes = text.and_then(|text| BASE64.decode(text.as_bytes()).ok());
        let bytes = bytes.and_then(|bytes| bytes.try_into().ok());
        bytes.ok_or_else(|| Refusal::new(400, "the key has no such version"))
    }
}
