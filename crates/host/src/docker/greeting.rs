//! The first word with an engine: what it is and which API it speaks. The headers of `/_ping` say both at once; to
//! answer `/version` or `/info` an engine starts programs of its own.

use std::{error::Error, io, time::Duration};

use bollard::ClientVersion;
use bytes::Bytes;
use http_body_util::Empty;
use hyper::{HeaderMap, Request, client::conn::http1, header};
use hyper_util::rt::TokioIo;
use tokio::time::timeout;

use super::{ANSWER_SECS, fail::connection_trouble};
use crate::{EngineError, Stream, Trouble};

/// What an engine says of itself.
#[derive(Debug, PartialEq)]
pub(super) struct Greeting {
    /// The newest API that it speaks.
    pub(super) api: ClientVersion,
    /// Its own version; empty where it does not tell.
    pub(super) version: String,
}

/// Greets the engine at the other end.
pub(super) async fn greet(stream: impl Stream + 'static) -> Result<Greeting, EngineError> {
    let doing = "ask the Docker Engine for its API version";
    let answer = timeout(Duration::from_secs(ANSWER_SECS), ping(stream)).await;
    let headers = match answer {
        Ok(Ok(headers)) => headers,
        Ok(Err(error)) => {
            let beneath = diag::chain(&error).find_map(|error| error.downcast_ref::<io::Error>());
            let trouble = beneath.map_or(Trouble::Lost, |error| connection_trouble(error.kind()));
            return Err(EngineError::new(trouble, doing).because(error));
        }
        Err(late) => return Err(EngineError::new(Trouble::Lost, doing).because(late)),
    };
    understood(&headers).ok_or_else(|| {
        let because: Box<dyn Error + Send + Sync> = "it does not say which API it speaks".into();
        EngineError::new(Trouble::Refused, doing).because(because)
    })
}

async fn ping(stream: impl Stream + 'static) -> Result<HeaderMap, hyper::Error> {
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
    // It ends with the sender.
    tokio::spawn(connection);
    let mut request = Request::new(Empty::<Bytes>::new());
    *request.uri_mut() = hyper::Uri::from_static("/_ping");
    request.headers_mut().insert(header::HOST, header::HeaderValue::from_static("docker"));
    Ok(sender.send_request(request).await?.headers().clone())
}

/// `Api-Version: 1.41` and `Server: Docker/20.10.24 (linux)`.
fn understood(headers: &HeaderMap) -> Option<Greeting> {
    let said = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    let (major, minor) = said("Api-Version")?.split_once('.')?;
    let api = ClientVersion { major_version: major.parse().ok()?, minor_version: minor.parse().ok()? };
    let version = said("Server").and_then(|server| server.split_whitespace().next()?.split_once('/'));
    Some(Greeting { api, version: version.map_or("", |(_, version)| version).to_owned() })
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    use super::*;

    /// What is understood of an engine that answers with this.
    async fn greeted(answer: &'static str) -> Result<Greeting, EngineError> {
        let (ours, mut engine) = tokio::io::duplex(4096);
        let answering = tokio::spawn(async move {
            let mut asked = [0; 4096];
            let read = engine.read(&mut asked).await.unwrap();
            assert!(asked[..read].starts_with(b"GET /_ping HTTP/1.1\r\n"));
            engine.write_all(answer.as_bytes()).await.unwrap();
        });
        let greeting = greet(ours).await;
        answering.await.unwrap();
        greeting
    }

    #[tokio::test]
    async fn an_engine_says_in_one_answer_what_it_is_and_which_api_it_speaks() {
        let greeting = greeted(
            "HTTP/1.1 200 OK\r\nApi-Version: 1.41\r\nServer: Docker/20.10.24+dfsg1 (linux)\r\nContent-Length: 2\r\n\r\nOK",
        );
        let api = ClientVersion { major_version: 1, minor_version: 41 };
        assert_eq!(greeting.await.unwrap(), Greeting { api, version: "20.10.24+dfsg1".to_owned() });
    }

    #[tokio::test]
    async fn what_does_not_say_which_api_it_speaks_is_no_engine() {
        let refused = greeted("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n").await.unwrap_err();
        assert_eq!(refused.trouble, Trouble::Refused);
        assert_eq!(refused.source.unwrap().to_string(), "it does not say which API it speaks");
    }

    #[tokio::test]
    async fn an_engine_that_hangs_up_was_lost() {
        assert_eq!(greeted("").await.unwrap_err().trouble, Trouble::Lost);
    }
}
