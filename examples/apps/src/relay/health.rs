//! What the relay says of itself: alive, started, ready.

use std::{sync::Arc, time::Duration};

use axum::{Json, extract::State, http::StatusCode, response::IntoResponse};
use serde_json::{Value, json};

use super::{Phase, Relay};

/// A database or key store that takes longer than this is down.
const PATIENCE: Duration = Duration::from_secs(2);

/// The process answers; nothing more.
pub(super) async fn live() -> impl IntoResponse {
    Json(json!({ "status": "ok" }))
}

/// Its database has been reached and migrated.
pub(super) async fn startup(State(relay): State<Arc<Relay>>) -> impl IntoResponse {
    match *relay.phase.borrow() {
        Phase::Starting => (StatusCode::SERVICE_UNAVAILABLE, Json(json!({ "status": "starting" }))),
        Phase::Started => (StatusCode::OK, Json(json!({ "status": "ok", "release": relay.release }))),
    }
}

/// It can take and return events now: database and key store both answer.
pub(super) async fn ready(State(relay): State<Arc<Relay>>) -> impl IntoResponse {
    if relay.faults.wrong_json {
        return (StatusCode::OK, Json(json!({ "state": "fine" })));
    }
    let starting = *relay.phase.borrow() == Phase::Starting || relay.faults.never_ready;
    let waiting = match (starting, relay.stop.is_cancelled()) {
        (_, true) => Some("draining"),
        (true, false) => Some("starting"),
        (false, false) => None,
    };
    if let Some(status) = waiting {
        return (StatusCode::SERVICE_UNAVAILABLE, Json(json!({ "status": status })));
    }
    let (database, keystore) = tokio::join!(
        tokio::time::timeout(PATIENCE, relay.store.last_seq()),
        tokio::time::timeout(PATIENCE, relay.sealer.check()),
    );
    match (&database, &keystore) {
        (Ok(Ok(last_seq)), Ok(Ok(()))) => {
            let answer = json!({
                "status": "ok", "schema": relay.release, "last_seq": last_seq, "release": relay.release,
            });
            (StatusCode::OK, Json(answer))
        }
        _ => {
            let checks = json!({ "database": verdict(&database), "keystore": verdict(&keystore) });
            let answer = json!({ "status": "down", "release": relay.release, "checks": checks });
            (StatusCode::SERVICE_UNAVAILABLE, Json(answer))
        }
    }
}

fn verdict<T, E: std::error::Error>(answer: &Result<Result<T, E>, tokio::time::error::Elapsed>) -> Value {
    match answer {
        Ok(Ok(_)) => json!("ok"),
        Ok(Err(error)) => json!(error.to_string()),
        Err(_) => json!(format!("no answer in {PATIENCE:?}")),
    }
}
