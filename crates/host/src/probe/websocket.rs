//! A conversation over a websocket: what is sent, what must come back, in order.

use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use stack::{Over, WebsocketStep};
use tokio::time::Instant;
use tokio_tungstenite::{WebSocketStream, client_async, tungstenite};
use tungstenite::{ClientRequestBuilder, Message};

use super::{Miss, Saw, Way, connection_words, excerpt};
use crate::Stream;

/// Opens the websocket and goes through the steps.
pub(super) async fn converse(
    way: &Way<'_>,
    path: &str,
    steps: &[WebsocketStep],
    over: &Over,
) -> Result<Saw, Miss> {
    let uri = format!("ws://{}{path}", way.authority(over));
    let uri = uri.parse().map_err(|err| Miss::useless(format!("cannot be asked for: {err}")))?;
    let request = over
        .headers
        .iter()
        .fold(ClientRequestBuilder::new(uri), |request, (name, value)| request.with_header(name, value));
    let opened = client_async(request, way.open(over).await?).await;
    let (mut socket, _) = opened.map_err(|err| not_opened(&err))?;
    let began = Instant::now();
    let mut heard = 0;
    for step in steps {
        match step {
            WebsocketStep::Send(text) => {
                socket.send(Message::text(text.clone())).await.map_err(|err| broke(&err))?;
            }
            WebsocketStep::Expect(wanted) => {
                let next = next_message(&mut socket, wanted, began);
                // Whoever waits in vain says for what: the bound around all of this could not.
                let said = tokio::time::timeout_at(way.until, next).await.unwrap_or_else(|_| {
                    let waited = diag::duration(began.elapsed());
                    Err(Miss::seen(format!("open for {waited}, and did not say {:?}", excerpt(wanted))))
                })?;
                if !said.contains(wanted.as_str()) {
                    return Err(Miss::seen(format!("heard {:?}, expected {wanted:?}", excerpt(&said))));
                }
                heard += 1;
            }
        }
    }
    // Politeness only: what was asked has been answered.
    let _ = socket.close(None).await;
    Ok(Saw::well(match heard {
        0 => "opened".to_owned(),
        1 => "1 expected message".to_owned(),
        more => format!("{more} expected messages"),
    }))
}

async fn next_message(
    socket: &mut WebSocketStream<Box<dyn Stream>>,
    wanted: &str,
    began: Instant,
) -> Result<String, Miss> {
    let closed = || {
        let wanted = excerpt(wanted);
        match began.elapsed() {
            // A proxy that has had enough of the silence closes after a round number of seconds.
            open if open >= Duration::from_secs(1) => {
                Miss::seen(format!("closed after {}, before it said {wanted:?}", diag::duration(open)))
            }
            _ => Miss::seen(format!("closed before it said {wanted:?}")),
        }
    };
    loop {
        match socket.next().await {
            Some(Ok(Message::Text(text))) => return Ok(text.to_string()),
            Some(Ok(Message::Binary(bytes))) => return Ok(String::from_utf8_lossy(&bytes).into_owned()),
            Some(Ok(Message::Close(_)) | Err(tungstenite::Error::Protocol(_))) | None => return Err(closed()),
            Some(Ok(_)) => {}
            Some(Err(err)) => return Err(broke(&err)),
        }
    }
}

fn not_opened(err: &tungstenite::Error) -> Miss {
    match err {
        tungstenite::Error::Http(response) => {
            let status = response.status().as_u16();
            let why = match status {
                // What a server says that was asked for a page: the wish for a websocket was lost on the way.
                200 | 400 | 426 => ", as where `Upgrade` is not passed on",
                _ => "",
            };
            Miss::seen(format!("{status} instead of a websocket{why}"))
        }
        tungstenite::Error::Url(_) | tungstenite::Error::HttpFormat(_) => {
            Miss::useless(format!("cannot be asked for: {err}"))
        }
        tungstenite::Error::Protocol(tungstenite::error::ProtocolError::HandshakeIncomplete) => {
            Miss::seen("connection closed without an answer")
        }
        other => broke(other),
    }
}

fn broke(err: &tungstenite::Error) -> Miss {
    match err {
        tungstenite::Error::Io(io) => {
            Miss::seen(connection_words(io).map_or_else(|| io.to_string(), str::to_owned))
        }
        other => Miss::seen(excerpt(&other.to_string())),
    }
}
