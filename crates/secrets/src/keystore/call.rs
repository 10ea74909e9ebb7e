//! One HTTP request on one fresh connection.

use std::{future::Future, io, time::Duration};

use bytes::Bytes;
use http_body_util::{BodyExt, Full, Limited, combinators::UnsyncBoxBody};
use hyper::{Method, Response, StatusCode, body::Incoming, client::conn::http1, header};
use hyper_util::rt::TokioIo;
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::Value;
use tokio_util::task::AbortOnDropHandle;

use super::{KeyStore, KeyStoreError};

/// Answers to everything but a snapshot are small.
const LARGEST_ANSWER_BYTES: usize = 1 << 20;

/// A request body, streamed or not.
pub(super) type Body = UnsyncBoxBody<Bytes, io::Error>;

/// What is asked, and how we speak of it in errors.
pub(super) struct Call {
    pub(super) doing: String,
    pub(super) method: Method,
    /// Below `/v1/`.
    pub(super) path: String,
}

impl Call {
    pub(super) fn get(doing: impl Into<String>, path: impl Into<String>) -> Self {
        Self { doing: doing.into(), method: Method::GET, path: path.into() }
    }

    pub(super) fn post(doing: impl Into<String>, path: impl Into<String>) -> Self {
        Self { doing: doing.into(), method: Method::POST, path: path.into() }
    }

    pub(super) fn put(doing: impl Into<String>, path: impl Into<String>) -> Self {
        Self { doing: doing.into(), method: Method::PUT, path: path.into() }
    }

    pub(super) fn delete(doing: impl Into<String>, path: impl Into<String>) -> Self {
        Self { doing: doing.into(), method: Method::DELETE, path: path.into() }
    }

    pub(super) fn unreadable(&self) -> KeyStoreError {
        KeyStoreError::Unreadable { doing: self.doing.clone() }
    }

    fn broken(&self, source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> KeyStoreError {
        KeyStoreError::Broken { doing: self.doing.clone(), source: source.into() }
    }
}

/// A whole answer, of whatever status.
pub(super) struct Answer {
    pub(super) status: StatusCode,
    body: Bytes,
}

impl KeyStore {
    /// Makes the call; anything but success is an error.
    pub(super) async fn call(&self, call: &Call, body: Option<Value>) -> Result<Answer, KeyStoreError> {
        let answer = self.ask(call, body).await?;
        if answer.status.is_success() { Ok(answer) } else { Err(answer.refusal(call)) }
    }

    /// Makes the call; the status is the caller's to judge.
    pub(super) async fn ask(&self, call: &Call, body: Option<Value>) -> Result<Answer, KeyStoreError> {
        let body = body.map_or_else(String::new, |value| value.to_string());
        let body = Full::new(Bytes::from(body)).map_err(|never| match never {}).boxed_unsync();
        within(&call.doing, self.patience, async {
            let (response, _connection) = self.send(call, body).await?;
            collect(call, response).await
        })
        .await
    }

    /// Sends, and returns as soon as the answer begins. The connection lives as long as its handle.
    pub(super) async fn send(
        &self,
        call: &Call,
        body: Body,
    ) -> Result<(Response<Incoming>, AbortOnDropHandle<()>), KeyStoreError> {
        let wire = (self.dial)()
            .await
            .map_err(|source| KeyStoreError::Unreachable { doing: call.doing.clone(), source })?;
        let (mut sender, connection) =
            http1::handshake(TokioIo::new(wire)).await.map_err(|err| call.broken(err))?;
        let connection = AbortOnDropHandle::new(tokio::spawn(async move {
            // What goes wrong here is told to whoever waits for the answer.
            let _ = connection.await;
        }));
        let mut request = hyper::Request::builder()
            .method(call.method.clone())
            .uri(format!("/v1/{}", call.path))
            .header(header::HOST, "keystore")
            .header(header::CONNECTION, "close")
            // Without it, some versions refuse a call that arrives through an agent or proxy.
            .header("X-Vault-Request", "true");
        if let Some(token) = &self.token {
            let mut value = header::HeaderValue::from_str(token.expose()).map_err(|_| call.unreadable())?;
            value.set_sensitive(true);
            request = request.header("X-Vault-Token", value);
        }
        let request = request.body(body).map_err(|err| call.broken(err))?;
        let response = sender.send_request(request).await.map_err(|err| call.broken(err))?;
        Ok((response, connection))
    }
}

/// Reads a small answer to its end.
pub(super) async fn collect(call: &Call, response: Response<Incoming>) -> Result<Answer, KeyStoreError> {
    let status = response.status();
    let body = Limited::new(response.into_body(), LARGEST_ANSWER_BYTES).collect().await;
    Ok(Answer { status, body: body.map_err(|err| call.broken(err))?.to_bytes() })
}

/// Waits so long and no longer.
pub(super) async fn within<T>(
    doing: &str,
    limit: Duration,
    work: impl Future<Output = Result<T, KeyStoreError>>,
) -> Result<T, KeyStoreError> {
    match tokio::time::timeout(limit, work).await {
        Ok(result) => result,
        Err(_) => Err(KeyStoreError::TimedOut { doing: doing.to_owned(), after: limit }),
    }
}

impl Answer {
    /// The answer's JSON.
    pub(super) fn json<T: DeserializeOwned>(&self, call: &Call) -> Result<T, KeyStoreError> {
        // serde's own message quotes the value it stumbled over.
        serde_json::from_slice(&self.body).map_err(|_| call.unreadable())
    }

    /// The answer's `data`.
    pub(super) fn data<T: DeserializeOwned>(&self, call: &Call) -> Result<T, KeyStoreError> {
        #[derive(Deserialize)]
        struct Data<T> {
            data: T,
        }
        self.json::<Data<T>>(call).map(|answer| answer.data)
    }

    /// The answer as a refusal, with the store's own words.
    pub(super) fn refusal(&self, call: &Call) -> KeyStoreError {
        #[derive(Deserialize, Default)]
        struct Errors {
            #[serde(default)]
            errors: Vec<String>,
        }
        let said: Errors = serde_json::from_slice(&self.body).unwrap_or_default();
        // The store indents and numbers its errors for a terminal.
        let errors = said.errors.iter().map(|text| text.split_whitespace().collect::<Vec<_>>().join(" "));
        KeyStoreError::Refused {
            doing: call.doing.clone(),
            status: self.status.as_u16(),
            errors: errors.collect(),
        }
    }
}

/// A name that stays one segment of a path.
pub(super) fn segment(name: &str) -> Result<&str, KeyStoreError> {
    let plain = |letter: char| letter.is_ascii_alphanumeric() || "-_.".contains(letter);
    if name.is_empty() || name.starts_with('.') || !name.chars().all(plain) {
        return Err(KeyStoreError::Name { name: name.to_owned() });
    }
    Ok(name)
}
