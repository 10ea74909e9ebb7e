//! Every kind of probe against real sockets of loopback: what was seen is what is said.

use std::{sync::Arc, time::Duration};

use axum::{
    Router,
    extract::ws::{Message, WebSocketUpgrade},
    http::{HeaderMap, StatusCode},
    response::{Redirect, Response},
    routing::get,
};
use plan::Phase;
use serde_json::json;
use stack::{Over, Probe, ProbeKind, ServiceName, WebsocketStep};
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
    let quiet = |upgrade: WebSocketUpgrade| async {
        let answer: Response = upgrade.on_upgrade(|mut socket| async move {
            let _ = socket.send(Message::text("connected")).await;
            tokio::time::sleep(Duration::from_millis(1200)).await;
        });
        answer
    };
    let wants = |headers: HeaderMap| async move {
        let accepted = headers["accept"] == "application/health+json" && headers["x-probe"] == "1";
        if accepted { StatusCode::OK } else { StatusCode::NOT_ACCEPTABLE }
    };
    let app = Router::new()
        .route("/health/ready", get(ready))
        .route("/health/live", get(|| async { r#"{"status":"ok","checks":{"db":true}}"# }))
        .route("/long", get(|| async { (StatusCode::BAD_GATEWAY, "no upstream ".repeat(100)) }))
        .route("/slow", get(std::future::pending::<String>))
        .route("/whoami", get(whoami))
        .route("/ws", get(socket))
        .route("/quiet", get(quiet))
        .route("/health", get(|| async { r#"{"status":"degraded","redis":"absent","version":"3"}"# }))
        .route("/old", get(|| async { Redirect::permanent("/older") }))
        .route("/older", get(|| async { Redirect::temporary("health") }))
        .route("/away", get(|| async { Redirect::to("https://login.example.org/") }))
        .route("/wants", get(wants))
        .route("/metrics", get(|| async { "# TYPE jobs gauge\njobs{queue=\"mail\"} 12\n" }));
    let (listener, port) = listener().await;
    tokio::spawn(async move { axum::serve(listener, app).await });
    port
}

fn probe(kind: ProbeKind, port: u16) -> Probe {
    Probe { port: Some(port), ..Probe::new(kind) }
}

fn http(path: &str, fields: &[(&str, serde_json::Value)]) -> ProbeKind {
    let mut kind = ProbeKind::http(path);
    if let ProbeKind::Http { json, .. } = &mut kind {
        json.extend(fields.iter().map(|(path, value)| ((*path).to_owned(), value.clone())));
    }
    kind
}

/// The same probe, where it says which fields mean that there is less.
fn or_degraded(mut kind: ProbeKind, fields: &[(&str, serde_json::Value)]) -> ProbeKind {
    if let ProbeKind::Http { degraded, .. } = &mut kind {
        degraded.extend(fields.iter().map(|(path, value)| ((*path).to_owned(), value.clone())));
    }
    kind
}

fn exec(words: &[&str]) -> ProbeKind {
    ProbeKind::Exec { command: words.iter().map(|&word| word.to_owned()).collect(), output: None }
}

fn websocket(path: &str, steps: &[WebsocketStep]) -> ProbeKind {
    ProbeKind::Websocket { path: path.to_owned(), steps: steps.to_vec(), over: Over::default() }
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
    let mut only = http("/health/live", &[]);
    if let ProbeKind::Http { status, .. } = &mut only {
        status.push(204);
    }
    let (right, seen) = said(&Loopback::default(), &probe(only, port)).await;
    assert!(!right && seen.contains("200, expected 204; it said: {\"status\""), "{seen}");
}

// shows: C62 D-x7
#[tokio::test]
async fn a_service_that_says_it_has_less_passes_and_is_degraded() {
    let port = relay().await;
    let less = [("status", json!("degraded"))];
    let whole = http("/health", &[("status", json!("ok")), ("version", json!("*"))]);
    let down = http("/health", &[("status", json!("ok")), ("version", json!("4"))]);
    let cases = [
        (whole.clone(), false, Err("200, status is \"degraded\", expected \"ok\"")),
        (
            or_degraded(whole.clone(), &less),
            true,
            Ok("200, degraded: status is \"degraded\", version is present"),
        ),
        // One of several is enough.
        (
            or_degraded(http("/health", &[]), &[("redis", json!("absent")), ("queue", json!("slow"))]),
            true,
            Ok("200, degraded: redis is \"absent\""),
        ),
        // Less is no excuse for what else must be so.
        (
            or_degraded(down, &less),
            false,
            Err("200, degraded: status is \"degraded\", version is \"3\", expected \"4\""),
        ),
        (
            or_degraded(http("/health/live", &[("status", json!("ok"))]), &less),
            false,
            Ok("200, status is \"ok\""),
        ),
        (
            or_degraded(http("/health/ready", &[]), &[("status", json!("starting"))]),
            false,
            Err("503, degraded: status is \"starting\""),
        ),
        (or_degraded(http("/whoami", &[]), &less), false, Ok("200")),
        (
            or_degraded(http("/metrics", &[]), &less),
            false,
            Err("200, not JSON: # TYPE jobs gauge jobs{queue=\"mail\"} 12"),
        ),
    ];
    let relay = ServiceName::from("relay");
    for (kind, degraded, expected) in cases {
        let asked = probe(kind, port);
        let heard = ask(&Loopback::default(), &subject(&relay), &asked).await;
        let told =
            heard.as_ref().map(|seen| (seen.degraded, seen.saw.as_str())).map_err(|err| err.saw.as_str());
        assert_eq!(told, expected.map(|saw| (degraded, saw)), "{asked:?}");
    }
}

#[tokio::test]
async fn a_redirect_is_an_answer_unless_it_is_to_be_followed_and_only_within_the_service() {
    let port = relay().await;
    let following = |path: &str, times: u8| {
        let mut kind = http(path, &[]);
        if let ProbeKind::Http { redirects, .. } = &mut kind {
            *redirects = times;
        }
        kind
    };
    let cases = [
        (following("/old", 0), true, "GET /old on relay:PORT: 308 to /older"),
        (following("/old", 1), false, "GET /old on relay:PORT: 307 to health, after 1 redirect"),
        (following("/old", 2), true, "GET /old on relay:PORT: 200 after 2 redirects"),
        (
            following("/away", 1),
            false,
            "GET /away on relay:PORT: 303 to https://login.example.org/, which is not this service",
        ),
    ];
    for (kind, right, expected) in cases {
        check(kind, port, right, expected).await;
    }
}

#[tokio::test]
async fn headers_are_sent_as_they_are_given() {
    let port = relay().await;
    let mut kind = http("/wants", &[]);
    check(kind.clone(), port, false, "GET /wants on relay:PORT: 406, expected 200 to 399; it said: nothing")
        .await;
    if let ProbeKind::Http { over, .. } = &mut kind {
        let headers = [("Accept", "application/health+json"), ("X-Probe", "1")];
        over.headers = headers.map(|(name, value)| (name.to_owned(), value.to_owned())).into();
    }
    check(kind, port, true, "GET /wants on relay:PORT: 200").await;
}

// shows: E87
#[tokio::test]
async fn a_metric_is_told_with_its_value() {
    let port = relay().await;
    let metric = |name: &str, path: &str, max: f64| {
        let (series, _) = stack::Series::parse(name).expect("a series");
        let (path, max) = (path.to_owned(), serde_json::Number::from_f64(max));
        ProbeKind::Metric { series, path, min: None, max, over: Over::default() }
    };
    let cases = [
        (metric("jobs", "/metrics", 12.0), true, "metric jobs of relay:PORT: jobs is 12"),
        (
            metric("jobs", "/metrics", 11.0),
            false,
            "metric jobs of relay:PORT: jobs{queue=\"mail\"} is 12, expected at most 11",
        ),
        (metric("gone", "/metrics", 1.0), false, "metric gone of relay:PORT: gone is not among 1 series"),
        (
            metric("jobs", "/gone", 1.0),
            false,
            "metric jobs of relay:PORT: 404, expected 200 to 299; it said: nothing",
        ),
    ];
    for (kind, right, expected) in cases {
        check(kind, port, right, expected).await;
    }
}

// shows: C63
#[tokio::test]
async fn a_websocket_that_is_cut_or_stays_silent_says_how_long_it_was_open() {
    let port = relay().await;
    let talk = ["connected", "portfolio_update"].map(|text| WebsocketStep::Expect(text.to_owned()));
    let asked = probe(websocket("/quiet", &talk), port);
    let (right, seen) = said(&Loopback::default(), &asked).await;
    let cut = "websocket /quiet on relay:PORT: closed after 1.";
    assert!(
        !right && seen.starts_with(cut) && seen.ends_with("before it said \"portfolio_update\""),
        "{seen}"
    );

    let hurried = Probe { timeout: Duration::from_millis(600), ..asked };
    let (right, seen) = said(&Loopback::default(), &hurried).await;
    let silent = "websocket /quiet on relay:PORT: open for 0.";
    assert!(
        !right && seen.starts_with(silent) && seen.ends_with("and did not say \"portfolio_update\""),
        "{seen}"
    );
    check(
        websocket("/health", &talk),
        port,
        false,
        "websocket /health on relay:PORT: 200 instead of a websocket, as where `Upgrade` is not passed on",
    )
    .await;
}

#[tokio::test]
async fn a_file_is_there_or_not() {
    let dir = tempfile::tempdir().expect("a directory");
    let path = dir.path().join("ready").display().to_string();
    let file = ProbeKind::File { path: path.clone() };
    check(file.clone(), 0, false, &format!("file {path} in relay: not there")).await;
    std::fs::write(&path, "").expect("written");
    check(file, 0, true, &format!("file {path} in relay: there")).await;
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
    if let ProbeKind::Http { over, json, status, .. } = &mut kind {
        over.host = Some("relay.example.org".to_owned());
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
    let prints = |wanted: &str| {
        let command = ["echo", "PONG"].map(str::to_owned).to_vec();
        ProbeKind::Exec { command, output: Some(wanted.to_owned()) }
    };
    check(prints("PONG"), 1, true, "`echo PONG` in relay: exit 0, \"PONG\"").await;
    check(prints("PING"), 1, false, "`echo PONG` in relay: exit 0, expected \"PING\"; it said: PONG").await;
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

/// Certificates of an authority of the test's own, and a server that shows them.
mod certified {
    use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair, date_time_ymd};
    use stack::{Authority, Certificate};

    use super::*;

    /// An authority, as a file of the project holds it.
    fn authority() -> (CertifiedIssuer<'static, KeyPair>, Authority) {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let issuer =
            CertifiedIssuer::self_signed(params, KeyPair::generate().expect("a key")).expect("signed");
        let authority = Authority { file: "certs/ca.pem".to_owned(), pem: issuer.pem() };
        (issuer, authority)
    }

    /// A server for `name` whose certificate is valid from one year to another.
    async fn server(issuer: &CertifiedIssuer<'static, KeyPair>, name: &str, years: [i32; 2]) -> u16 {
        let mut params = CertificateParams::new(vec![name.to_owned()]).expect("a name");
        params.not_before = date_time_ymd(years[0], 1, 1);
        params.not_after = date_time_ymd(years[1], 1, 1);
        let key = KeyPair::generate().expect("a key");
        let certificate = params.signed_by(&key, issuer).expect("signed");
        let key = rustls::pki_types::PrivateKeyDer::Pkcs8(key.serialize_der().into());
        encrypted_relay(certificate.der().clone(), key).await
    }

    fn over(certificate: Option<Certificate>) -> Over {
        Over { tls: true, certificate, ..Over::default() }
    }

    fn get(certificate: Option<Certificate>) -> ProbeKind {
        let mut kind = ProbeKind::http("/");
        if let ProbeKind::Http { over: how, .. } = &mut kind {
            *how = over(certificate);
        }
        kind
    }

    #[tokio::test]
    async fn a_certificate_nobody_is_asked_about_is_good_enough_for_a_probe() {
        let (issuer, _) = authority();
        let port = server(&issuer, "other", [1990, 1991]).await;
        check(get(None), port, true, "GET / on relay:PORT over TLS: 200").await;
        check(ProbeKind::Tls { certificate: None }, port, true, "TLS with relay:PORT: connected").await;
        let (right, seen) = said(&Loopback::default(), &probe(ProbeKind::http("/"), port)).await;
        assert!(!right, "{seen}");
    }

    #[tokio::test]
    async fn a_certificate_is_valid_long_enough_for_the_name_and_signed_by_the_right_authority() {
        let (issuer, ours) = authority();
        let (_, theirs) = authority();
        let plain = Certificate::default();
        let signed = |ca: &Authority| Certificate { ca: Some(ca.clone()), ..Certificate::default() };
        let named = |name: &str| Certificate { name: Some(name.to_owned()), ..signed(&ours) };
        let left = Certificate { left: Duration::from_secs(365 * 86_400 * 100), ..Certificate::default() };
        let good = server(&issuer, "relay", [2000, 2099]).await;
        let expired = server(&issuer, "relay", [1990, 1991]).await;
        let early = server(&issuer, "relay", [2098, 2099]).await;
        let other = server(&issuer, "dash.example.org", [2000, 2099]).await;
        let cases = [
            (good, &plain, true, "certificate for relay until 2099-01-01"),
            (good, &signed(&ours), true, "certificate for relay until 2099-01-01"),
            (good, &signed(&theirs), false, "certificate is not signed by certs/ca.pem"),
            (good, &left, false, "certificate ends on 2099-01-01, and not 36500d from now"),
            (expired, &plain, false, "certificate expired on 1991-01-01"),
            (expired, &signed(&ours), false, "certificate expired on 1991-01-01"),
            (early, &plain, false, "certificate is not valid before 2098-01-01"),
            (other, &plain, false, "certificate is for dash.example.org, not for relay"),
            (other, &named("dash.example.org"), true, "certificate for dash.example.org until 2099-01-01"),
            (other, &named("a b"), false, "no certificate can be for `a b`: give it a `name`"),
        ];
        for (port, certificate, right, expected) in cases {
            let certificate = Some(certificate.clone());
            let tls = ProbeKind::Tls { certificate: certificate.clone() };
            check(tls, port, right, &format!("TLS with relay:PORT: {expected}")).await;
            let expected = if right { "200" } else { expected };
            check(get(certificate), port, right, &format!("GET / on relay:PORT over TLS: {expected}")).await;
        }
    }

    #[tokio::test]
    async fn what_does_not_speak_tls_is_told_so() {
        let port = relay().await;
        let (right, seen) =
            said(&Loopback::default(), &probe(ProbeKind::Tls { certificate: None }, port)).await;
        assert!(!right && seen.starts_with("TLS with relay:PORT: no TLS: "), "{seen}");
        let (closed, free) = listener().await;
        drop(closed);
        let tls = ProbeKind::Tls { certificate: Some(Certificate::default()) };
        check(tls, free, false, "TLS with relay:PORT: connection refused").await;
    }

    #[tokio::test]
    async fn metrics_and_websockets_are_asked_over_tls_as_well() {
        let (issuer, ours) = authority();
        let port = server(&issuer, "relay", [2000, 2099]).await;
        let certificate = Certificate { ca: Some(ours), ..Certificate::default() };
        let (series, _) = stack::Series::parse("up").expect("a series");
        let path = "/metrics".to_owned();
        let metric = ProbeKind::Metric { series, path, min: None, max: None, over: over(Some(certificate)) };
        let expected = "metric up of relay:PORT over TLS: no metrics; it said: nothing";
        check(metric, port, false, expected).await;
        let socket = ProbeKind::Websocket { path: "/ws".to_owned(), steps: Vec::new(), over: over(None) };
        let expected = "websocket /ws on relay:PORT over TLS: 200 instead of a websocket, as where `Upgrade` is not passed on";
        check(socket, port, false, expected).await;
    }
}

/// Answers one HTTP request after another over TLS.
async fn encrypted_relay(
    certificate: rustls::pki_types::CertificateDer<'static>,
    key: rustls::pki_types::PrivateKeyDer<'static>,
) -> u16 {
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
async fn a_gate_opens_after_as_many_successes_in_a_row_as_it_asks_for() {
    let dir = tempfile::tempdir().expect("a directory");
    // It fails once, at its second time.
    let counter = dir.path().join("n").display().to_string();
    let script = format!("echo x >> {counter}; [ $(wc -l < {counter}) -ne 2 ]");
    let asked = Probe {
        successes: 3,
        interval: Some(Duration::from_millis(20)),
        ..probe(exec(&["sh", "-c", &script]), 0)
    };
    let within = Duration::from_secs(30);
    let ask = |probes| async move {
        ask_until(&Loopback::default(), &subject(&ServiceName::from("relay")), probes, within, || async {
            Ok(RUNNING)
        })
        .await
    };
    let (seen, attempts) = ask(std::slice::from_ref(&asked)).await.expect("it settles");
    assert_eq!((seen.len(), attempts), (1, 5));

    let deadline = Some(Duration::from_millis(300));
    let never = [Probe { successes: 1000, deadline, ..asked.clone() }];
    let err = ask(&never).await.expect_err("it has too little time");
    assert_eq!(err.to_string(), "`relay` did not become ready in 0.3s");
    let last = err.last.expect("it was asked").saw;
    assert!(last.ends_with("of 1000 times in a row"), "{last}");
}

// shows: D48
#[tokio::test]
async fn each_probe_is_waited_for_as_long_as_it_says() {
    let relay = ServiceName::from("relay");
    let hurried = Probe { deadline: Some(Duration::from_millis(300)), ..probe(exec(&["false"]), 0) };
    let probes = [probe(exec(&["true"]), 0), hurried];
    let within = Duration::from_secs(60);
    let began = std::time::Instant::now();
    let err = ask_until(&Loopback::default(), &subject(&relay), &probes, within, || async { Ok(RUNNING) })
        .await
        .expect_err("it never passes");
    assert_eq!(err.because()[0], "`relay` did not become ready in 0.3s");
    assert!(began.elapsed() < Duration::from_secs(10));
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
        (Phase::Running { healthy: Some(true) }, Ok("running, healthy")),
        (Phase::Running { healthy: Some(false) }, Err("running, not healthy")),
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
