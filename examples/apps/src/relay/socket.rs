//! The websocket: a hello, what follows `since`, then each new event as it comes.

use std::{sync::Arc, time::Duration};

use axum::{
    extract::{
        Query, State, WebSocketUpgrade,
        ws::{CloseFrame, Message, WebSocket},
    },
    http::StatusCode,
    response::{IntoResponse, Response},
};
use serde::Deserialize;
use serde_json::json;

use super::{Phase, Relay, log};

/// Events another relay process wrote are noticed this late at most.
const POLL: Duration = Duration::from_secs(1);

#[derive(Deserialize)]
pub(super) struct Start {
    /// Replay what follows this place; without it, only what comes from now on.
    since: Option<i64>,
}

pub(super) async fn follow(
    State(relay): State<Arc<Relay>>,
    Query(start): Query<Start>,
    upgrade: WebSocketUpgrade,
) -> Response {
    if *relay.phase.borrow() == Phase::Starting {
        return (StatusCode::SERVICE_UNAVAILABLE, "the relay is starting").into_response();
    }
    // Counted from before the upgrade, so that a stop in between waits for it too.
    let counted = relay.sockets.token();
    upgrade.on_upgrade(move |mut socket| async move {
        let _counted = counted;
        if let Err(error) = speak(&relay, &mut socket, start.since).await {
            log(&format!("a websocket ended: {error:#}"));
        }
    })
}

async fn speak(relay: &Relay, socket: &mut WebSocket, since: Option<i64>) -> anyhow::Result<()> {
    let last_seq = relay.store.last_seq().await?;
    let hello = json!({ "release": relay.release, "schema": relay.release, "last_seq": last_seq });
    socket.send(Message::text(format!("hello {hello}"))).await?;

    let mut newest = relay.newest.subscribe();
    let mut place = since.unwrap_or(last_seq);
    loop {
        newest.mark_unchanged();
        let events = relay.events_after(place, 200).await?;
        for event in &events {
            socket.send(Message::text(serde_json::to_string(event)?)).await?;
            place = event.seq;
        }
        if !events.is_empty() {
            continue;
        }
        tokio::select! {
            () = relay.stop.cancelled() => return goodbye(socket).await,
            _ = newest.changed() => {}
            () = tokio::time::sleep(POLL) => {}
            message = socket.recv() => match message {
                Some(Ok(Message::Close(_))) | None => return Ok(()),
                Some(Ok(_)) => {}
                Some(Err(_)) => return Ok(()),
            },
        }
    }
}

/// 1001, going away: clients come back, to whoever serves then.
async fn goodbye(socket: &mut WebSocket) -> anyhow::Result<()> {
    let frame = CloseFrame { code: 1001, reason: "the relay stops; come back with since=".into() };
    socket.send(Message::Close(Some(frame))).await?;
    Ok(())
}
