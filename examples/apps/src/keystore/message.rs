//! Requests and answers without HTTP.

use axum::{
    body::{Body, Bytes},
    http::{HeaderValue, Method, StatusCode, header},
    response::Response,
};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

/// What a caller wants to do with a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verb {
    Read,
    List,
    Write,
    Delete,
}

/// One request.
pub(super) struct Request {
    pub(super) verb: Verb,
    /// Below `/v1/`.
    pub(super) path: String,
    pub(super) token: Option<String>,
    pub(super) body: Bytes,
}

/// A good answer.
pub(super) enum Answer {
    Empty,
    Json(u16, Value),
    Bytes(Vec<u8>),
}

/// A bad one.
#[derive(Debug)]
pub(super) struct Refusal {
    pub(super) status: u16,
    pub(super) because: String,
}

impl Request {
    /// Reads an HTTP request to its end.
    pub(super) async fn read(request: axum::extract::Request, limit: usize) -> Result<Self, Refusal> {
        let (parts, body) = request.into_parts();
        let path = parts.uri.path().strip_prefix("/v1/").ok_or_else(Refusal::no_such_path)?;
        let listing = parts.uri.query().is_some_and(|query| query.split('&').any(|part| part == "list=true"));
        let verb = match parts.method {
            Method::GET if listing => Verb::List,
            Method::GET => Verb::Read,
            Method::POST | Method::PUT => Verb::Write,
            Method::DELETE => Verb::Delete,
            ref other if other.as_str() == "LIST" => Verb::List,
            _ => return Err(Refusal::new(405, "unsupported operation")),
        };
        let token = parts.headers.get("X-Vault-Token").and_then(|value| value.to_str().ok());
        let body = axum::body::to_bytes(body, limit);
        let body = body.await.map_err(|_| Refusal::new(413, "request body too large or cut short"))?;
        Ok(Self { verb, path: path.trim_end_matches('/').to_owned(), token: token.map(str::to_owned), body })
    }

    /// The body's JSON; no body is an empty object.
    pub(super) fn json<T: DeserializeOwned>(&self) -> Result<T, Refusal> {
        let body: &[u8] = if self.body.is_empty() { b"{}" } else { &self.body };
        // serde's own message could repeat a secret.
        serde_json::from_slice(body)
            .map_err(|_| Refusal::new(400, "the request body is not what this path takes"))
    }
}

impl Answer {
    /// The way most paths answer.
    pub(super) fn data(data: Value) -> Self {
        Answer::Json(200, json!({ "data": data }))
    }
}

impl Refusal {
    pub(super) fn new(status: u16, because: impl Into<String>) -> Self {
        Self { status, because: because.into() }
    }

    pub(super) fn no_such_path() -> Self {
        Self::new(404, "no such path in the development key store")
    }
}

impl From<std::io::Error> for Refusal {
    fn from(err: std::io::Error) -> Self {
        Self::new(500, format!("cannot write the key store's file: {err}"))
    }
}

impl From<Answer> for Response {
    fn from(answer: Answer) -> Response {
        match answer {
            Answer::Empty => response(204, "application/json", Vec::new()),
            Answer::Json(status, value) => {
                response(status, "application/json", value.to_string().into_bytes())
            }
            Answer::Bytes(bytes) => response(200, "application/octet-stream", bytes),
        }
    }
}

impl From<Refusal> for Response {
    fn from(refusal: Refusal) -> Response {
        Answer::Json(refusal.status, json!({ "errors": [refusal.because] })).into()
    }
}

fn response(status: u16, kind: &'static str, bytes: Vec<u8>) -> Response {
    let mut response = Response::new(Body::from(bytes));
    *response.status_mut() = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
    response
}
