//! Roles of machines: who may log in, and what they may then do.

use serde::Deserialize;
use serde_json::json;

use super::{
    KeyStore, KeyStoreError,
    call::{Call, segment},
};
use crate::Secret;

/// A role and the one policy its tokens get.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Role<'a> {
    /// Its name.
    pub name: &'a str,
    /// The policy.
    pub policy: &'a str,
}

impl KeyStore {
    /// Makes sure AppRole is mounted at `auth/approle/`.
    ///
    /// # Errors
    /// As every call.
    pub async fn enable_approle(&self) -> Result<(), KeyStoreError> {
        self.enable("sys/auth", "approle").await
    }

    /// Makes sure the role is so: a secret id that does not run out, tokens for an hour that can be renewed for ever.
    ///
    /// # Errors
    /// As every call.
    pub async fn create_role(&self, role: Role<'_>) -> Result<(), KeyStoreError> {
        let path = format!("auth/approle/role/{}", segment(role.name)?);
        let call = Call::post(format!("create role `{}`", role.name), path);
        let body = json!({
            "token_policies": [role.policy],
            "token_ttl": "1h",
            "token_period": "1h",
            "secret_id_ttl": "0",
            "secret_id_num_uses": 0,
        });
        self.call(&call, Some(body)).await.map(drop)
    }

    /// A role's id: half of its credential, the half that is not secret by itself.
    ///
    /// # Errors
    /// As every call.
    pub async fn role_id(&self, role: &str) -> Result<String, KeyStoreError> {
        #[derive(Deserialize)]
        struct Said {
            role_id: String,
        }
        let path = format!("auth/approle/role/{}/role-id", segment(role)?);
        let call = Call::get(format!("read the id of role `{role}`"), path);
        Ok(self.call(&call, None).await?.data::<Said>(&call)?.role_id)
    }

    /// A new secret id; earlier ones stay valid.
    ///
    /// # Errors
    /// As every call.
    pub async fn new_secret_id(&self, role: &str) -> Result<Secret<String>, KeyStoreError> {
        #[derive(Deserialize)]
        struct Made {
            secret_id: String,
        }
        let path = format!("auth/approle/role/{}/secret-id", segment(role)?);
        let call = Call::post(format!("make a secret id for role `{role}`"), path);
        Ok(Secret::new(self.call(&call, None).await?.data::<Made>(&call)?.secret_id))
    }

    /// Logs in with a credential `role_id:secret_id`, and returns the same store seen with the token that gave.
    ///
    /// # Errors
    /// As every call; 400 for a credential that is not, or no longer, one.
    pub async fn login(&self, credential: &Secret<String>) -> Result<KeyStore, KeyStoreError> {
        #[derive(Deserialize)]
        struct Said {
            auth: Auth,
        }
        #[derive(Deserialize)]
        struct Auth {
            client_token: String,
        }
        let call = Call::post("log in to the key store", "auth/approle/login");
        let (role, secret) = credential.expose().trim().split_once(':').unwrap_or_default();
        let body = json!({ "role_id": role, "secret_id": secret });
        let said: Said = self.call(&call, Some(body)).await?.json(&call)?;
        Ok(self.with_token(Secret::new(said.auth.client_token)))
    }
}
