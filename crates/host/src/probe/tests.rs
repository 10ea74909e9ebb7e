//! Every kind of probe against real sockets of loopback: what was seen is what is said.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use axum::{
    Router,
    extract::ws::{Message, WebSocketUpgrade},
    http::{HeaderMap, StatusCode},
    response::Response,
    routing::get,
};
use plan::Phase;
use serde_json::json;
use stack::{Probe, ProbeKind, ProbeRole, ServiceName, WebsocketStep};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
};

use super::*;
use crate::testing::Loopback;

const RUNNING: Option<Phase> = Some(Phase::Running { healthy: None });

async fn listener() -> (TcpListener, u16) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let port = listener.local_addr().expect("an address").port();
    (listener, port)
}

/// The service all probes here are asked of.
async fn relay() -> u16 {
    let ready = || async { (StatusCode::SERVICE_UNAVAILABLE, r#"{"status":"starting"}"#) };
    let whoami =
        |headers: HeaderMap| async move { format!("\"{}\"", headers["host"].to_str().expect("text")) };
    let socket = |upgrade: WebSocketUpgrade| async {
        let answer: Response = upgrade.on_upgrade(|mut socket| async move {
            let _ = socket.send(Message::text("hello 1")).await;
            if let Some(Ok(Message::Text(said))) = socket.recv().await {
                let _ = socket.send(Message::text(format!("you said {said}"))).await;
            }
        });
        answer
    };
    let app = Router::new()
        .route("/health/ready", get(ready))
        .route("/health/live", get(|| async { r#"{"status":"ok","checks":{"db":true}}"# }))
        .route("/long", get(|| async { (StatusCode::BAD_GATEWAY, "no upstream ".repeat(100)) }))
        .route("/slow", get(std::future::pending::<String>))
        .route("/whoami", get(whoami))
        .route("/ws", get(socket));
    let (listener, port) = listener().await;
    tokio::spawn(async move { axum::serve(listener, app).await });
    port
}

fn probe(kind: ProbeKind, port: u16) -> Probe {
    Probe { kind, port: Some(port), role: ProbeRole::Ready, timeout: Duration::from_secs(5) }
}

fn http(path: &str, fields: &[(&str, serde_json::Value)]) -> ProbeKind {
    ProbeKind::Http {
        path: path.to_owned(),
        status: Vec::new(),
        json: fields.iter().map(|(path, value)| ((*path).to_owned(), value.clone())).collect(),
        host: None,
        tls: false,
    }
}

fn exec(words: &[&str]) -> ProbeKind {
    ProbeKind::Exec { command: words.iter().map(|&word| word.to_owned()).collect() }
}

fn websocket(path: &str, steps: &[WebsocketStep]) -> ProbeKind {
    ProbeKind::Websocket { path: path.to_owned(), steps: steps.to_vec() }
}

fn subject(service: &ServiceName) -> Subject<'_> {
    Subject { service, container: "cozy-relay-1", port: None }
}

/// Asks once; gives `probe: what was seen`, the port as `PORT`, and whether it was right.
async fn said(engine: &Loopback, probe: &Probe) -> (bool, String) {
    let relay = ServiceName::from("relay");
    let port = format!(":{}", probe.port.unwrap_or_default());
    match ask(engine, &subject(&relay), probe).await {
        Ok(seen) => (true, format!("{}: {}", seen.probe, seen.saw).replace(&port, ":PORT")),
        Err(err) => (false, err.to_string().replace(&port, ":PORT")),
    }
}

async fn check(kind: ProbeKind, port: u16, right: bool, expected: &str) {
    let seen = said(&Loopback::default(), &probe(kind, port)).await;
    assert_eq!(seen, (right, expected.to_owned()));
}

#[tokio::test]
async fn an_http_probe_says_status_and_fields_right_or_wrong() {
    let port = relay().await;
    let ok = [("status", json!("ok")), ("checks.db", json!("*"))];
    check(
        http("/health/live", &ok),
        port,
        true,
        "GET /health/live on relay:PORT: 200, checks.db is present, status is \"ok\"",
    )
    .await;
    check(
        http("/health/ready", &[("status", json!("ok"))]),
        port,
        false,
        "GET /health/ready on relay:PORT: 503, status is \"starting\", expected \"ok\"",
    )
    .await;
    check(
        http("/health/live", &[("status", json!("fine"))]),
        port,
        false,
        "GET /health/live on relay:PORT: 200, status is \"ok\", expected \"fine\"",
    )
    .await;
    check(
        http("/gone", &[]),
        port,
        false,
        "GET /gone on relay:PORT: 404, expected 200 to 399; it said: nothing",
    )
    .await;
    let only = ProbeKind::Http {
        path: "/health/live".to_owned(),
        status: vec![204],
        json: BTreeMap::new(),
        host: None,
        tls: false,
    };
    let (right, seen) = said(&Loopback::default(), &probe(only, port)).await;
    assert!(!right && seen.contains("200, expected 204; it said: {\"status\""), "{seen}");
}

#[tokio::test]
async fn a_long_answer_is_told_in_two_hundred_characters() {
    let port = relay().await;
    let (_, seen) = said(&Loopback::default(), &probe(http("/long", &[]), port)).await;
    let body = seen.split("it said: ").nth(1).expect("a body");
    assert_eq!((body.chars().count(), body.ends_with('…')), (200, true));
}

#[tokio::test]
async fn the_host_header_is_the_services_name_unless_another_is_declared() {
    let port = relay().await;
    let mut kind = http("/whoami", &[("0", json!("*"))]);
    let (_, seen) = said(&Loopback::default(), &probe(kind.clone(), port)).await;
    assert!(seen.ends_with("200, 0 is missing"), "{seen}");
    if let ProbeKind::Http { host, json, status, .. } = &mut kind {
        *host = Some("relay.example.org".to_owned());
        json.clear();
        status.push(500);
    }
    let (_, seen) = said(&Loopback::default(), &probe(kind, port)).await;
    assert!(seen.ends_with("it said: \"relay.example.org\""), "{seen}");
}

#[tokio::test]
async fn nobody_there_nobody_answering_and_nobody_in_time_are_three_things() {
    let (closed, free) = listener().await;
    drop(closed);
    check(http("/", &[]), free, false, "GET / on relay:PORT: connection refused").await;
    check(ProbeKind::Tcp, free, false, "TCP connection to relay:PORT: connection refused").await;
    check(websocket("/ws", &[]), free, false, "websocket /ws on relay:PORT: connection refused").await;

    let (rude, port) = listener().await;
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = rude.accept().await {
            let _ = stream.read(&mut [0; 1024]).await;
            let _ = stream.shutdown().await;
        }
    });
    check(http("/", &[]), port, false, "GET / on relay:PORT: connection closed without an answer").await;

    let port = relay().await;
    let hurried = Probe { timeout: Duration::from_millis(300), ..probe(http("/slow", &[]), port) };
    let (_, seen) = said(&Loopback::default(), &hurried).await;
    assert_eq!(seen, "GET /slow on relay:PORT: timed out after 0.3s");
    check(ProbeKind::Tcp, port, true, "TCP connection to relay:PORT: connected").await;
}

#[tokio::test]
async fn a_websocket_says_and_hears_in_order() {
    let port = relay().await;
    let expect = |text: &str| WebsocketStep::Expect(text.to_owned());
    let talk = [expect("hello"), WebsocketStep::Send("ping".to_owned()), expect("you said ping")];
    check(websocket("/ws", &talk), port, true, "websocket /ws on relay:PORT: 2 expected messages").await;
    check(
        websocket("/ws", &[expect("welcome")]),
        port,
        false,
        "websocket /ws on relay:PORT: heard \"hello 1\", expected \"welcome\"",
    )
    .await;
    check(websocket("/gone", &[]), port, false, "websocket /gone on relay:PORT: 404 instead of a websocket")
        .await;
    let closing = [expect("hello"), WebsocketStep::Send("bye".to_owned()), expect("bye"), expect("more")];
    check(
        websocket("/ws", &closing),
        port,
        false,
        "websocket /ws on relay:PORT: closed before it said \"more\"",
    )
    .await;
}

#[tokio::test]
async fn a_command_that_fails_is_told_with_its_own_words() {
    check(exec(&["true"]), 1, true, "`true` in relay: exit 0").await;
    check(
        exec(&["sh", "-c", "echo no response >&2; exit 2"]),
        0,
        false,
        "`sh -c echo no response >&2; exit 2` in relay: exit 2, it said: no response",
    )
    .await;
}

#[tokio::test]
async fn a_log_line_is_looked_for_in_the_whole_log() {
    let mut log = vec!["listening on 8080".to_owned()];
    log.extend((0..5000).map(|n| format!("request {n}")));
    let engine = Loopback { log, ..Loopback::default() };
    let looked = |text: &str| Probe { port: None, ..probe(ProbeKind::Log { contains: text.to_owned() }, 0) };
    let (right, seen) = said(&engine, &looked("listening")).await;
    assert!(right && seen == "\"listening\" in the log of relay: found", "a line may hold anything: {seen}");
    let (right, seen) = said(&engine, &looked("panic")).await;
    assert!(!right && seen.ends_with("not in the log, whose last line is: request 4999"), "{seen}");
}

#[tokio::test]
async fn a_certificate_nobody_signed_is_good_enough_for_a_probe() {
    let port = encrypted_relay().await;
    let mut kind = http("/", &[]);
    if let ProbeKind::Http { tls, .. } = &mut kind {
        *tls = true;
    }
    check(kind, port, true, "GET / on relay:PORT over TLS: 200").await;
    let (right, seen) = said(&Loopback::default(), &probe(http("/", &[]), port)).await;
    assert!(!right, "{seen}");
}

/// Answers one HTTP request after another over TLS, with a certificate of its own making.
async fn encrypted_relay() -> u16 {
    let decode = |text: &str| data_encoding::BASE64.decode(text.as_bytes()).expect("base64");
    let certificate = decode(CERTIFICATE).into();
    let key = rustls::pki_types::PrivateKeyDer::Pkcs8(decode(KEY).into());
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("versions")
        .with_no_client_auth()
        .with_single_cert(vec![certificate], key)
        .expect("a pair");
    let acceptor = tokio_rustls::TlsAcceptor::from(Arc::new(config));
    let (listener, port) = listener().await;
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let Ok(mut stream) = acceptor.accept(stream).await else { continue };
            let _ = stream.read(&mut [0; 1024]).await;
            let _ = stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").await;
            let _ = stream.shutdown().await;
        }
    });
    port
}

#[tokio::test]
async fn waiting_ends_as_soon_as_every_probe_passes() {
    let (closed, port) = listener().await;
    drop(closed);
    tokio::spawn(async move {
        tokio::time::sleep(Duration::from_millis(400)).await;
        let late = TcpListener::bind(("127.0.0.1", port)).await.expect("the port is free");
        loop {
            let kept = late.accept().await;
            tokio::spawn(async move {
                tokio::time::sleep(Duration::from_secs(2)).await;
                drop(kept);
            });
        }
    });
    let relay = ServiceName::from("relay");
    let probes = [probe(ProbeKind::Tcp, port), probe(exec(&["true"]), port)];
    let within = Duration::from_secs(20);
    let phase = || async { Ok(RUNNING) };
    let (seen, attempts) =
        ask_until(&Loopback::default(), &subject(&relay), &probes, within, phase).await.expect("ready");
    assert_eq!(seen.len(), 2);
    assert!(attempts > 1, "it was not there at first");
}

#[tokio::test]
async fn what_never_becomes_ready_is_told_with_attempts_and_last_words() {
    let (closed, port) = listener().await;
    drop(closed);
    let log = vec!["starting".to_owned(), "panicked at src/config.rs:12: no key".to_owned()];
    let engine = Loopback { log, ..Loopback::default() };
    let relay = ServiceName::from("relay");
    let within = Duration::from_millis(900);
    let probes = [probe(http("/healthz", &[]), port)];
    let err = ask_until(&engine, &subject(&relay), &probes, within, || async { Ok(RUNNING) })
        .await
        .expect_err("nobody listens");
    let (port, times) = (port.to_string(), format!("tried {} times", err.attempts));
    let because: Vec<String> = err
        .because()
        .iter()
        .map(|line| line.replace(&port, "PORT").replace(&times, "tried N times"))
        .collect();
    assert!(err.attempts > 1);
    assert_eq!(
        because,
        [
            "`relay` did not become ready in 0.9s",
            "GET /healthz on relay:PORT: connection refused (tried N times)",
            "its last words: starting ⏎ panicked at src/config.rs:12: no key",
        ]
    );
}

#[tokio::test]
async fn a_container_that_has_ended_is_not_waited_for() {
    let log = vec!["config.toml: no such file".to_owned()];
    let engine = Loopback { log, ..Loopback::default() };
    let relay = ServiceName::from("relay");
    let probes = [probe(ProbeKind::Tcp, 9)];
    let began = std::time::Instant::now();
    let within = Duration::from_secs(60);
    let phase = || async { Ok(Some(Phase::Exited { code: 3 })) };
    let err = ask_until(&engine, &subject(&relay), &probes, within, phase).await.expect_err("ended");
    assert_eq!(err.why, Why::Ended { code: 3 });
    assert_eq!(
        err.because(),
        ["`relay` ended before it was ready (exit 3)", "its last words: config.toml: no such file"]
    );
    assert!(began.elapsed() < Duration::from_secs(5));
}

#[tokio::test]
async fn without_probes_the_engines_health_check_decides_or_that_it_runs() {
    let relay = ServiceName::from("relay");
    let engine = Loopback::default();
    let cases = [
        (Phase::Running { healthy: None }, Ok("running")),
        (Phase::Running { healthy: Some(true) }, Ok("running and healthy")),
        (Phase::Running { healthy: Some(false) }, Err("running, and its health check has not passed")),
        (Phase::Restarting, Err("restarting")),
    ];
    for (phase, expected) in cases {
        let within = Duration::from_millis(100);
        let seen = ask_until(&engine, &subject(&relay), &[], within, || async move { Ok(Some(phase)) }).await;
        let saw = match &seen {
            Ok((seen, _)) => Ok(seen[0].saw.as_str()),
            Err(err) => Err(err.last.as_ref().expect("it was looked at").saw.as_str()),
        };
        assert_eq!(saw, expected, "{phase:?}");
    }
}

#[tokio::test]
async fn probes_that_pass_wait_for_the_engines_health_check() {
    let (_open, port) = listener().await;
    let relay = ServiceName::from("relay");
    let looks = std::sync::atomic::AtomicU32::new(0);
    let phase = || {
        let healthy = Some(looks.fetch_add(1, std::sync::atomic::Ordering::Relaxed) > 0);
        async move { Ok(Some(Phase::Running { healthy })) }
    };
    let probes = [probe(ProbeKind::Tcp, port)];
    let within = Duration::from_secs(60);
    let ready = ask_until(&Loopback::default(), &subject(&relay), &probes, within, phase).await;
    assert_eq!(ready.expect("healthy at the second look").1, 2);
}

#[tokio::test]
async fn a_probe_that_cannot_be_asked_is_not_asked_again() {
    let relay = ServiceName::from("relay");
    let nowhere = Probe { port: None, ..probe(ProbeKind::Tcp, 0) };
    let within = Duration::from_secs(60);
    let engine = Loopback::default();
    let err = ask_until(&engine, &subject(&relay), &[nowhere], within, || async { Ok(RUNNING) })
        .await
        .expect_err("no port");
    assert_eq!((&err.why, err.attempts), (&Why::Unaskable, 1));
    assert_eq!(
        err.last.expect("it was tried").to_string(),
        "TCP connection to relay: `relay` has not exactly one port, so the probe must name one (`port = …`)"
    );
}

/// A self-signed certificate for `relay` and its key, made for this test and used nowhere else.
const CERTIFICATE: &str = "\
    MIIBiDCCAS+gAwIBAgIUOEi2vBRoBkMOozskUFu2/JBjXEAwCgYIKoZIzj0EAwIwEDEOMAwGA1UEAwwFcmVsYXkwIB\
    cNMjYxMTIxMTAwNzI4WhgPMjEyNjEwMjgxMDA3MjhaMBAxDjAMBgNVBAMMBXJlbGF5MFkwEwYHKoZIzj0CAQYIKoZI\
    zj0DAQcDQgAEVMV3a9nx3tuvO5WSp29EkgQKMba2CpnukwEDJMXkwHWyV/4qu0O6tsUChQjkxUFvbf61TH9t+nFqBY\
    3FR1bINqNlMGMwHQYDVR0OBBYEFE7VqybSYyrbq53ss6+KjfBVV9wkMB8GA1UdIwQYMBaAFE7VqybSYyrbq53ss6+K\
    jfBVV9wkMA8GA1UdEwEB/wQFMAMBAf8wEAYDVR0RBAkwB4IFcmVsYXkwCgYIKoZIzj0EAwIDRwAwRAIgPEqZ0hmiR2\
    EI2Cn2sNJffuZYTUZ0sRT8EsVI24g8YqcCIGAkBJpFBT/Nr7xA+xd5oU8gS07WkHpqK7FqoVHefspj";
const KEY: &str = "\
    MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgMbD7VDQCSaZdo6yk9k376jF3nHp5dN+hqExU28ojWY\
    WhRANCAARUxXdr2fHe2687lZKnb0SSBAoxtrYKme6TAQMkxeTAdbJX/iq7Q7q2xQKFCOTFQW9t/rVMf236cWoFjcVH\
    Vsg2";
