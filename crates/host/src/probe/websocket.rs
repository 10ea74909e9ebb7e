//! A conversation over a websocket: what is sent, what must come back, in order.

use futures_util::{SinkExt, StreamExt};
use stack::{ServiceName, WebsocketStep};
use tokio_tungstenite::{WebSocketStream, client_async, tungstenite};
use tungstenite::Message;

use super::{Miss, connection_words, excerpt};
use crate::Stream;

/// Opens the websocket and goes through the steps. The caller bounds the time.
pub(super) async fn converse(
    stream: Box<dyn Stream>,
    service: &ServiceName,
    port: Option<u16>,
    path: &str,
    steps: &[WebsocketStep],
) -> Result<String, Miss> {
    let authority = port.map_or_else(|| service.to_string(), |port| format!("{service}:{port}"));
    let opened = client_async(format!("ws://{authority}{path}"), stream).await;
    let (mut socket, _) = opened.map_err(|err| not_opened(&err))?;
    let mut heard = 0;
    for step in steps {
        match step {
            WebsocketStep::Send(text) => {
                socket.send(Message::text(text.clone())).await.map_err(|err| broke(&err))?;
            }
            WebsocketStep::Expect(wanted) => {
                let said = next_message(&mut socket, wanted).await?;
                if !said.contains(wanted.as_str()) {
                    return Err(Miss::seen(format!("heard {:?}, expected {wanted:?}", excerpt(&said))));
                }
                heard += 1;
            }
        }
    }
    // Politeness only: what was asked has been answered.
    let _ = socket.close(None).await;
    Ok(match heard {
        0 => "opened".to_owned(),
        1 => "1 expected message".to_owned(),
        more => format!("{more} expected messages"),
    })
}

async fn next_message(socket: &mut WebSocketStream<Box<dyn Stream>>, wanted: &str) -> Result<String, Miss> {
    loop {
        match socket.next().await {
            Some(Ok(Message::Text(text))) => return Ok(text.to_string()),
            Some(Ok(Message::Binary(bytes))) => return Ok(String::from_utf8_lossy(&bytes).into_owned()),
            Some(Ok(Message::Close(_)) | Err(tungstenite::Error::Protocol(_))) | None => {
                return Err(Miss::seen(format!("closed before it said {wanted:?}")));
            }
            Some(Ok(_)) => {}
            Some(Err(err)) => return Err(broke(&err)),
        }
    }
}

fn not_opened(err: &tungstenite::Error) -> Miss {
    match err {
        tungstenite::Error::Http(response) => {
            Miss::seen(format!("{} instead of a websocket", response.status().as_u16()))
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
