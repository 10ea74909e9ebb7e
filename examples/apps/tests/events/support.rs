//! A relay in this process, on SQLite, with a key store that only pretends.

use std::{
    net::SocketAddr,
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU32, Ordering},
    },
    time::Duration,
};

use apps::{
    load::{Target, VerifyArgs, WriteArgs},
    relay::{self, Args},
    wire::{Acknowledged, NONCE_BYTES, NewEvent, Page, SigningKey},
};
use axum::{
    Json, Router,
    extract::{Path, State},
    http::{HeaderMap, StatusCode},
    response::IntoResponse,
    routing::post,
};
use data_encoding::BASE64;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::{net::TcpListener, task::JoinHandle};
use tokio_util::sync::CancellationToken;

/// A key store with the paths that a relay uses. It "encrypts" by reversing.
#[derive(Clone, Default)]
pub(crate) struct PretendedKeyStore {
    /// Answers 503 to everything.
    pub(crate) sealed: Arc<AtomicBool>,
    /// The token that is good; each login makes the next.
    pub(crate) token: Arc<AtomicU32>,
}

impl PretendedKeyStore {
    async fn serve(self) -> SocketAddr {
        let router = Router::new()
            .route("/v1/auth/approle/login", post(login))
            .route("/v1/transit/{verb}/relay-atrest", post(transit))
            .with_state(self);
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("loopback has a free port");
        let address = listener.local_addr().expect("it listens");
        tokio::spawn(axum::serve(listener, router).into_future());
        address
    }

    fn is_sealed(&self) -> bool {
        self.sealed.load(Ordering::SeqCst)
    }
}

async fn login(State(store): State<PretendedKeyStore>, Json(body): Json<Value>) -> impl IntoResponse {
    if store.is_sealed() {
        return (StatusCode::SERVICE_UNAVAILABLE, Json(json!({})));
    }
    if body != json!({ "role_id": "role", "secret_id": "secret" }) {
        return (StatusCode::BAD_REQUEST, Json(json!({ "errors": ["invalid credential"] })));
    }
    let token = store.token.fetch_add(1, Ordering::SeqCst) + 1;
    (StatusCode::OK, Json(json!({ "auth": { "client_token": token.to_string() } })))
}

async fn transit(
    State(store): State<PretendedKeyStore>,
    Path(verb): Path<String>,
    headers: HeaderMap,
    Json(body): Json<Value>,
) -> impl IntoResponse {
    if store.is_sealed() {
        return (StatusCode::SERVICE_UNAVAILABLE, Json(json!({})));
    }
    let good = store.token.load(Ordering::SeqCst).to_string();
    if headers.get("x-vault-token").and_then(|token| token.to_str().ok()) != Some(&good) {
        return (StatusCode::FORBIDDEN, Json(json!({ "errors": ["permission denied"] })));
    }
    let answer = match verb.as_str() {
        "encrypt" => {
            let plain =
                BASE64.decode(body["plaintext"].as_str().unwrap_or_default().as_bytes()).expect("base64");
            let turned: Vec<u8> = plain.into_iter().rev().collect();
            json!({ "data": { "ciphertext": format!("vault:v1:{}", BASE64.encode(&turned)) } })
        }
        _ => {
            let wrapped = body["ciphertext"].as_str().unwrap_or_default().trim_start_matches("vault:v1:");
            let turned: Vec<u8> =
                BASE64.decode(wrapped.as_bytes()).expect("base64").into_iter().rev().collect();
            json!({ "data": { "plaintext": BASE64.encode(&turned) } })
        }
    };
    (StatusCode::OK, Json(answer))
}

/// A folder with a database and secrets, and a key store beside it. Relays come and go.
pub(crate) struct Place {
    pub(crate) folder: TempDir,
    pub(crate) key_store: PretendedKeyStore,
    key_store_address: SocketAddr,
}

/// One running relay.
pub(crate) struct Running {
    pub(crate) address: SocketAddr,
    pub(crate) stop: CancellationToken,
    pub(crate) ended: JoinHandle<anyhow::Result<()>>,
}

impl Place {
    pub(crate) async fn new() -> Self {
        let folder = TempDir::new().expect("a temporary folder");
        std::fs::write(folder.path().join("secret"), "shared by members\n").expect("writable");
        std::fs::write(folder.path().join("credential"), "role:secret\n").expect("writable");
        let key_store = PretendedKeyStore::default();
        let key_store_address = key_store.clone().serve().await;
        Self { folder, key_store, key_store_address }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(crate) fn args(&self, release: i64, fault: &str) -> Args {
        Args {
            listen: SocketAddr::from(([127, 0, 0, 1], 0)),
            database_url: format!("sqlite:{}", self.path("relay.db").display()),
            database_password_file: None,
            secret_file: self.path("secret"),
            keystore_url: format!("http://{}", self.key_store_address),
            keystore_credential_file: self.path("credential"),
            keystore_key: "relay-atrest".to_owned(),
            release,
            fault: fault.parse().expect("a known fault"),
            drain: 5,
        }
    }

    pub(crate) async fn start(&self, release: i64, fault: &str) -> Running {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("loopback has a free port");
        let address = listener.local_addr().expect("it listens");
        let stop = CancellationToken::new();
        let ended = tokio::spawn(relay::serve(listener, self.args(release, fault), stop.clone()));
        Running { address, stop, ended }
    }

    pub(crate) async fn started(&self, release: i64, fault: &str) -> Running {
        let running = self.start(release, fault).await;
        running.wait_for("/health/startup", 200).await;
        running
    }

    /// An event that a member signed.
    pub(crate) fn signed(&self, nonce: u8, ciphertext: &str) -> NewEvent {
        let key = SigningKey::read(&self.path("secret")).expect("the secret is there");
        key.sign(&[nonce; NONCE_BYTES], ciphertext.as_bytes())
    }

    pub(crate) fn write_args(&self, rate: f64, seconds: f64) -> WriteArgs {
        WriteArgs {
            rate,
            seconds,
            patience: 10.0,
            ledger: self.path("ledger"),
            secret_file: self.path("secret"),
        }
    }

    pub(crate) fn verify_args(&self, relay: &Running) -> VerifyArgs {
        VerifyArgs { target: relay.target(), ledger: self.path("ledger"), up_to_seq: None, up_to_time: None }
    }

    /// Changes the database behind the relay's back.
    pub(crate) async fn tamper(&self, statement: &'static str) {
        let url = format!("sqlite:{}", self.path("relay.db").display());
        let pool = sqlx::SqlitePool::connect(&url).await.expect("the database is there");
        sqlx::query(statement).execute(&pool).await.expect("a good statement");
        pool.close().await;
    }
}

impl Running {
    pub(crate) fn target(&self) -> Target {
        Target { url: format!("http://{}", self.address), host_header: None, insecure_tls: false }
    }

    pub(crate) async fn get(&self, path: &str) -> (u16, Value) {
        self.ask("GET", path, Vec::new()).await.expect("the relay answers")
    }

    pub(crate) async fn post(&self, event: &NewEvent) -> (u16, Value) {
        let body = serde_json::to_vec(event).expect("plain text");
        self.ask("POST", "/events", body).await.expect("the relay answers")
    }

    pub(crate) async fn append(&self, event: &NewEvent) -> i64 {
        let (status, answer) = self.post(event).await;
        assert_eq!(status, 200, "{answer}");
        serde_json::from_value::<Acknowledged>(answer).expect("a place").seq
    }

    pub(crate) async fn page(&self, since: i64) -> Page {
        let (status, answer) = self.get(&format!("/events?since={since}")).await;
        assert_eq!(status, 200, "{answer}");
        serde_json::from_value(answer).expect("a page")
    }

    pub(crate) async fn wait_for(&self, path: &str, status: u16) {
        for _ in 0..200 {
            if self.ask("GET", path, Vec::new()).await.is_ok_and(|(found, _)| found == status) {
                return;
            }
            tokio::time::sleep(Duration::from_millis(25)).await;
        }
        panic!("{path} did not answer {status} in 5 s");
    }

    /// Stops it and waits for its end.
    pub(crate) async fn stopped(self) {
        self.stop.cancel();
        self.ended.await.expect("no panic").expect("a clean end");
    }

    async fn ask(&self, method: &str, path: &str, body: Vec<u8>) -> anyhow::Result<(u16, Value)> {
        use http_body_util::{BodyExt, Full};
        let stream = tokio::net::TcpStream::connect(self.address).await?;
        let io = hyper_util::rt::TokioIo::new(stream);
        let (mut sender, connection) = hyper::client::conn::http1::handshake(io).await?;
        tokio::spawn(connection);
        let request = hyper::Request::builder()
            .method(method)
            .uri(path)
            .header("host", "relay")
            .header("content-type", "application/json")
            .body(Full::new(bytes::Bytes::from(body)))?;
        let response = sender.send_request(request).await?;
        let status = response.status().as_u16();
        let body = response.into_body().collect().await?.to_bytes();
        Ok((status, serde_json::from_slice(&body).unwrap_or(Value::Null)))
    }
}
