//! The relay's HTTP interface.

use std::{collections::BTreeMap, sync::Arc};

use axum::{
    Json, Router,
    extract::{DefaultBodyLimit, Query, Request, State},
    http::StatusCode,
    middleware::{self, Next},
    response::{IntoResponse, Response},
    routing::get,
};
use data_encoding::BASE64;
use rand::Rng;
use serde::Deserialize;
use serde_json::json;

use super::{
    Phase, Relay, health, log,
    seal::{DataKey, SealError},
    socket,
    store::{Appended, Row, StoreError},
};
use crate::wire::{Acknowledged, CIPHERTEXT_BYTES, Event, NONCE_BYTES, NewEvent, Page, digest};

/// The most events one answer holds.
const PAGE: i64 = 1000;

pub(super) fn router(relay: Arc<Relay>) -> Router {
    let events = Router::new()
        .route("/events", get(list).post(append))
        .route("/ws", get(socket::follow))
        .layer(middleware::from_fn_with_state(Arc::clone(&relay), misbehave));
    Router::new()
        .merge(events)
        .route("/health/live", get(health::live))
        .route("/health/startup", get(health::startup))
        .route("/health/ready", get(health::ready))
        // Base64 and the other two fields fit twice over.
        .layer(DefaultBodyLimit::max(2 * CIPHERTEXT_BYTES))
        .with_state(relay)
}

/// Why a request was not served, and whose fault it is.
enum Refusal {
    Request(StatusCode, &'static str),
    Starting,
    Ours(anyhow::Error),
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let (status, message) = match self {
            Self::Request(status, message) => (status, message),
            Self::Starting => (StatusCode::SERVICE_UNAVAILABLE, "the relay is starting"),
            Self::Ours(error) => {
                log(&format!("{error:#}"));
                (StatusCode::SERVICE_UNAVAILABLE, "the relay cannot do this now; its log says why")
            }
        };
        (status, Json(json!({ "error": message }))).into_response()
    }
}

impl From<StoreError> for Refusal {
    fn from(error: StoreError) -> Self {
        Self::Ours(error.into())
    }
}

impl From<SealError> for Refusal {
    fn from(error: SealError) -> Self {
        Self::Ours(error.into())
    }
}

async fn append(
    State(relay): State<Arc<Relay>>,
    Json(event): Json<NewEvent>,
) -> Result<Json<Acknowledged>, Refusal> {
    relay.require_started()?;
    let (nonce, ciphertext) = relay.verified(&event)?;
    let digest = digest(&ciphertext);
    let appended = match relay.store.find(&nonce, &digest).await? {
        Some(before) => before,
        None => relay.append(&nonce, &digest, &ciphertext).await?,
    };
    match appended {
        Appended::At(seq) | Appended::Before(seq) => Ok(Json(Acknowledged { seq })),
        Appended::NonceTaken => {
            Err(Refusal::Request(StatusCode::CONFLICT, "this nonce was used for another event"))
        }
    }
}

#[derive(Deserialize)]
struct Since {
    #[serde(default)]
    since: i64,
    limit: Option<i64>,
}

async fn list(State(relay): State<Arc<Relay>>, Query(query): Query<Since>) -> Result<Json<Page>, Refusal> {
    relay.require_started()?;
    let limit = query.limit.unwrap_or(PAGE).clamp(1, PAGE);
    // Asked first: an event that comes in between may be listed beyond it, never the other way round.
    let last_seq = relay.store.last_seq().await?;
    let events = relay.events_after(query.since, limit).await?;
    Ok(Json(Page { events, last_seq }))
}

/// Delays and fails as told. Only events: health has faults of its own.
async fn misbehave(State(relay): State<Arc<Relay>>, request: Request, next: Next) -> Response {
    tokio::time::sleep(relay.faults.delay).await;
    if relay.faults.errors > 0.0 && rand::thread_rng().gen_bool(relay.faults.errors) {
        let told = json!({ "error": "failed, as --fault errors told it to" });
        return (StatusCode::INTERNAL_SERVER_ERROR, Json(told)).into_response();
    }
    next.run(request).await
}

impl Relay {
    fn require_started(&self) -> Result<(), Refusal> {
        match *self.phase.borrow() {
            Phase::Started => Ok(()),
            Phase::Starting => Err(Refusal::Starting),
        }
    }

    /// Nonce and ciphertext of an event, if a member signed it.
    fn verified(&self, event: &NewEvent) -> Result<([u8; NONCE_BYTES], Vec<u8>), Refusal> {
        let wrong = |message| Refusal::Request(StatusCode::BAD_REQUEST, message);
        let decode = |text: &str| BASE64.decode(text.as_bytes()).map_err(|_| wrong("a field is not base64"));
        let nonce = decode(&event.nonce)?.try_into().map_err(|_| wrong("a nonce has 16 bytes"))?;
        let ciphertext = decode(&event.ciphertext)?;
        if ciphertext.len() > CIPHERTEXT_BYTES {
            return Err(Refusal::Request(StatusCode::PAYLOAD_TOO_LARGE, "a ciphertext has at most 64 KiB"));
        }
        if !self.signing.verifies(&nonce, &ciphertext, &decode(&event.mac)?) {
            return Err(Refusal::Request(StatusCode::UNAUTHORIZED, "the signature does not fit"));
        }
        Ok((nonce, ciphertext))
    }

    async fn append(
        &self,
        nonce: &[u8; NONCE_BYTES],
        digest: &[u8; 32],
        ciphertext: &[u8],
    ) -> Result<Appended, Refusal> {
        let key = self.sealer.writing_key(&self.store).await?;
        let appended = self.store.append(nonce, digest, |seq| key.seal(seq, nonce, ciphertext)).await;
        match appended {
            Ok(Appended::At(seq)) => {
                self.newest.send_if_modified(|newest| std::mem::replace(newest, seq.max(*newest)) < seq);
            }
            Ok(_) => {}
            Err(_) => self.sealer.forget_writing_key().await,
        }
        Ok(appended?)
    }

    /// What follows `since`, opened and in order.
    pub(super) async fn events_after(&self, since: i64, limit: i64) -> Result<Vec<Event>, SealError> {
        let rows = self.store.after(since, limit).await?;
        let mut keys: BTreeMap<String, DataKey> = BTreeMap::new();
        for row in &rows {
            if !keys.contains_key(&row.key_id) {
                keys.insert(row.key_id.clone(), self.sealer.reading_key(&self.store, &row.key_id).await?);
            }
        }
        rows.into_iter().map(|row| opened(row, &keys)).collect()
    }
}

fn opened(row: Row, keys: &BTreeMap<String, DataKey>) -> Result<Event, SealError> {
    let ciphertext = keys[&row.key_id].open(row.seq, &row.nonce, &row.body)?;
    Ok(Event {
        seq: row.seq,
        nonce: BASE64.encode(&row.nonce),
        ciphertext: BASE64.encode(&ciphertext),
        size: row.size,
    })
}
