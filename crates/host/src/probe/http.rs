//! One HTTP GET, in the clear or over TLS, and what comes back.

use std::collections::BTreeMap;

use bytes::Bytes;
use http_body_util::{BodyExt, Empty, Limited};
use hyper::{Request, Response, Uri, body::Incoming, client::conn::http1, header};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use stack::{Over, ProbeKind};

use super::{Miss, Saw, Way, connection_words, excerpt, json};
use crate::Stream;

/// No health page is larger; what is larger is not one.
const BODY_LIMIT_BYTES: usize = 1 << 20;

/// What an HTTP probe expects of the answer.
struct Wanted<'a> {
    status: &'a [u16],
    json: &'a BTreeMap<String, Value>,
    degraded: &'a BTreeMap<String, Value>,
}

/// Sends the request of an HTTP probe, goes where it is sent, and judges what comes back.
pub(super) async fn get(way: &Way<'_>, kind: &ProbeKind) -> Result<Saw, Miss> {
    let ProbeKind::Http { path, status, json, degraded, redirects, over } = kind else {
        return Err(Miss::useless("not an HTTP probe"));
    };
    let mut path = path.clone();
    let mut followed = 0;
    let response = loop {
        let response = fetch(way, &path, over).await?;
        let Some(to) = location(&response).filter(|_| *redirects > 0) else { break response };
        let status = response.status().as_u16();
        let saw = format!("{status} to {}", excerpt(&to));
        if followed == *redirects {
            return Err(Miss::seen(format!("{saw}, after {}", times(followed))));
        }
        path = within(way, over, &path, &to)
            .ok_or_else(|| Miss::seen(format!("{saw}, which is not this service")))?;
        followed += 1;
    };
    let wanted = Wanted { status, json, degraded };
    judge(response, followed, &wanted).await
}

/// Sends one request.
pub(super) async fn fetch(way: &Way<'_>, path: &str, over: &Over) -> Result<Response<Incoming>, Miss> {
    let mut request = Request::get(path).header(header::HOST, way.authority(over));
    let usual = [("user-agent", concat!("seaworthy/", env!("CARGO_PKG_VERSION"))), ("accept", "*/*")];
    let given = |name: &str| over.headers.keys().any(|key| key.eq_ignore_ascii_case(name));
    for (name, value) in usual.into_iter().filter(|(name, _)| !given(name)) {
        request = request.header(name, value);
    }
    for (name, value) in &over.headers {
        request = request.header(name, value);
    }
    let request = request
        .body(Empty::<Bytes>::new())
        .map_err(|err| Miss::useless(format!("cannot be asked for: {err}")))?;
    send(way.open(over).await?, request).await
}

/// The body of an answer, as far as it is a page.
pub(super) async fn body_of(response: Response<Incoming>) -> Result<Bytes, String> {
    let body = Limited::new(response.into_body(), BODY_LIMIT_BYTES).collect().await;
    body.map(http_body_util::Collected::to_bytes).map_err(|err| err.to_string())
}

async fn send(stream: Box<dyn Stream>, request: Request<Empty<Bytes>>) -> Result<Response<Incoming>, Miss> {
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.map_err(|err| broke(&err))?;
    // It ends with the response's body, or when the sender is dropped by a timeout.
    tokio::spawn(connection);
    sender.send_request(request).await.map_err(|err| broke(&err))
}

fn broke(err: &hyper::Error) -> Miss {
    if let Some(words) = connection_words(err) {
        return Miss::seen(words);
    }
    if err.is_incomplete_message() {
        return Miss::seen("connection closed without an answer");
    }
    Miss::seen(format!("no HTTP answer: {err}"))
}

/// Where an answer sends whoever asked.
fn location(response: &Response<Incoming>) -> Option<String> {
    let to = response.headers().get(header::LOCATION).filter(|_| response.status().is_redirection())?;
    Some(String::from_utf8_lossy(to.as_bytes()).into_owned())
}

/// The path of a redirect that stays with the service.
fn within(way: &Way<'_>, over: &Over, from: &str, to: &str) -> Option<String> {
    let to = to.split('#').next().unwrap_or_default();
    if to.starts_with("//") {
        return None;
    }
    if to.starts_with('/') {
        return Some(to.to_owned());
    }
    if !to.contains("://") {
        let path = from.split('?').next().unwrap_or_default();
        let (directory, _) = path.rsplit_once('/').unwrap_or_default();
        return Some(format!("{directory}/{to}"));
    }
    let uri: Uri = to.parse().ok()?;
    let scheme = if over.tls { "https" } else { "http" };
    let ours = uri.scheme_str() == Some(scheme) && uri.authority()?.as_str() == way.authority(over);
    ours.then(|| uri.path_and_query().map_or_else(|| "/".to_owned(), ToString::to_string))
}

fn times(followed: u8) -> String {
    if followed == 1 { "1 redirect".to_owned() } else { format!("{followed} redirects") }
}

async fn judge(response: Response<Incoming>, followed: u8, wanted: &Wanted<'_>) -> Result<Saw, Miss> {
    let Wanted { status: accepted, json: fields, degraded } = wanted;
    let status = response.status().as_u16();
    let good_status =
        if accepted.is_empty() { (200..400).contains(&status) } else { accepted.contains(&status) };
    let answered = match (location(&response), followed) {
        (Some(to), _) => format!("{status} to {}", excerpt(&to)),
        (None, 0) => status.to_string(),
        (None, followed) => format!("{status} after {}", times(followed)),
    };
    let is_json = !fields.is_empty() || !degraded.is_empty();
    let body = match body_of(response).await {
        Ok(body) => body,
        Err(err) if is_json => return Err(Miss::seen(format!("{answered}, then {err}"))),
        Err(_) => Bytes::new(),
    };
    let mut said = vec![answered];
    let mut less = Vec::new();
    let mut good = good_status;
    if is_json {
        match serde_json::from_slice::<Value>(&body) {
            Ok(answer) => {
                let holds = |path, value| Some((path, json::expect(&answer, path, value).ok()?));
                less = degraded.iter().filter_map(|(path, value)| holds(path, value)).collect();
                for (path, wanted) in fields.iter() {
                    if less.iter().any(|(degraded, _)| *degraded == path) {
                        continue;
                    }
                    match json::expect(&answer, path, wanted) {
                        // Fields that are right are noise beside one that is not.
                        Ok(right) if good => said.push(right),
                        Ok(_) => {}
                        Err(wrong) => {
                            said.push(wrong);
                            good = false;
                        }
                    }
                }
            }
            Err(_) => {
                said.push(format!("not JSON: {}", body_words(&body)));
                good = false;
            }
        }
    }
    let degraded = !less.is_empty();
    // What is less stands right behind the status, whether or not something else is wrong as well.
    said.splice(1..1, less.into_iter().map(|(_, is)| format!("degraded: {is}")));
    match (good, good_status) {
        (true, _) => Ok(Saw { words: said.join(", "), degraded }),
        (false, false) if said.len() == 1 => {
            let wanted = if accepted.is_empty() {
                "200 to 399".to_owned()
            } else {
                accepted.iter().map(u16::to_string).collect::<Vec<_>>().join(" or ")
            };
            Err(Miss::seen(format!("{}, expected {wanted}; it said: {}", said[0], body_words(&body))))
        }
        _ => Err(Miss::seen(said.join(", "))),
    }
}

/// The beginning of a body, or that there is none.
pub(super) fn body_words(body: &[u8]) -> String {
    let text = excerpt(&String::from_utf8_lossy(body));
    if text.is_empty() { "nothing".to_owned() } else { text }
}
