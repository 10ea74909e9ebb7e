//! The key store as an application sees it: log in with an AppRole, wrap and unwrap data keys with one Transit key.

use std::{path::PathBuf, time::Duration};

use data_encoding::BASE64;
use hyper::{Method, StatusCode};
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::sync::Mutex;

use crate::client::{Client, ClientError, Manner};

/// One Transit key of one key store, used with an AppRole credential that may do nothing else.
pub(crate) struct Transit {
    client: Client,
    credential: PathBuf,
    key: String,
    token: Mutex<Option<String>>,
}

/// Why the key store did not do it. No variant holds a credential or what was to be wrapped.
#[derive(Debug, thiserror::Error)]
pub(crate) enum TransitError {
    #[error("cannot read the key store's credential from `{path}`")]
    Credential {
        path: PathBuf,
        #[source]
        err: std::io::Error,
    },
    #[error("the credential in `{path}` is not `role_id:secret_id`")]
    Malformed { path: PathBuf },
    #[error("cannot reach the key store")]
    Unreachable(#[source] ClientError),
    #[error("the key store answered {status} to `{path}`")]
    Refused { path: String, status: StatusCode },
    #[error("the key store's answer to `{path}` is not understood")]
    Answer { path: String },
}

#[derive(Deserialize)]
struct Login {
    auth: LoginAuth,
}

#[derive(Deserialize)]
struct LoginAuth {
    client_token: String,
}

impl Transit {
    pub(crate) fn new(url: &str, credential: PathBuf, key: String) -> Result<Self, ClientError> {
        let client = Client::new(url, Manner::default(), Duration::from_secs(2))?;
        Ok(Self { client, credential, key, token: Mutex::default() })
    }

    /// Wraps a data key. What comes back can be kept anywhere.
    pub(crate) async fn wrap(&self, plain: &[u8]) -> Result<String, TransitError> {
        let body = json!({ "plaintext": BASE64.encode(plain) });
        self.call("encrypt", &body, "ciphertext").await
    }

    /// Unwraps a data key.
    pub(crate) async fn unwrap_key(&self, wrapped: &str) -> Result<Vec<u8>, TransitError> {
        let body = json!({ "ciphertext": wrapped });
        let plain = self.call("decrypt", &body, "plaintext").await?;
        BASE64.decode(plain.as_bytes()).map_err(|_| TransitError::Answer { path: "decrypt".to_owned() })
    }

    async fn call(&self, verb: &str, body: &Value, field: &str) -> Result<String, TransitError> {
        let path = format!("/v1/transit/{verb}/{}", self.key);
        // One login more on 403: the token may have run out, or the store may have been restored.
        let mut renewed = false;
        loop {
            let token = self.token(renewed).await?;
            let (status, answer) = self.post(&path, Some(&token), body).await?;
            match status {
                StatusCode::OK => {
                    let value = answer["data"][field].as_str().map(str::to_owned);
                    return value.ok_or(TransitError::Answer { path });
                }
                StatusCode::FORBIDDEN if !renewed => renewed = true,
                status => return Err(TransitError::Refused { path, status }),
            }
        }
    }

    async fn token(&self, renew: bool) -> Result<String, TransitError> {
        let mut kept = self.token.lock().await;
        if let (Some(token), false) = (&*kept, renew) {
            return Ok(token.clone());
        }
        let token = self.login().await?;
        *kept = Some(token.clone());
        Ok(token)
    }

    /// The file is read again at each login, so a rotated credential is taken up without a restart.
    async fn login(&self) -> Result<String, TransitError> {
        let path = self.credential.clone();
        let text = tokio::fs::read_to_string(&path)
            .await
            .map_err(|err| TransitError::Credential { path: path.clone(), err })?;
        let (role, secret) = text.trim().split_once(':').ok_or(TransitError::Malformed { path })?;
        let login = "/v1/auth/approle/login";
        let (status, answer) =
            self.post(login, None, &json!({ "role_id": role, "secret_id": secret })).await?;
        if status != StatusCode::OK {
            return Err(TransitError::Refused { path: login.to_owned(), status });
        }
        let login: Login =
            serde_json::from_value(answer).map_err(|_| TransitError::Answer { path: login.to_owned() })?;
        Ok(login.auth.client_token)
    }

    async fn post(
        &self,
        path: &str,
        token: Option<&str>,
        body: &Value,
    ) -> Result<(StatusCode, Value), TransitError> {
        let mut headers = vec![("content-type", "application/json")];
        headers.extend(token.map(|token| ("x-vault-token", token)));
        let (status, answer) = self
            .client
            .send(Method::POST, path, &headers, body.to_string().into_bytes())
            .await
            .map_err(TransitError::Unreachable)?;
        Ok((status, serde_json::from_slice(&answer).unwrap_or(Value::Null)))
    }
}
