//! What clients and those who look after it can rely on.

use std::{collections::BTreeSet, sync::atomic::Ordering, time::Duration};

use crate::support::{Place, Running};
use data_encoding::BASE64;
use futures_util::StreamExt;
use serde_json::json;
use tokio_tungstenite::{WebSocketStream, tungstenite::Message};

#[tokio::test(flavor = "multi_thread")]
async fn events_written_at_once_get_places_without_a_gap() {
    let place = Place::new().await;
    let relay = place.started(1, "").await;
    let events: Vec<_> = (0..40).map(|n| place.signed(n, &format!("text {n}"))).collect();

    let seqs = futures_util::future::join_all(events.iter().map(|event| relay.append(event))).await;

    assert_eq!(seqs.into_iter().collect::<BTreeSet<_>>(), (1..=40).collect());
    let page = relay.page(0).await;
    assert_eq!(page.events.iter().map(|event| event.seq).collect::<Vec<_>>(), (1..=40).collect::<Vec<_>>());
    assert_eq!(relay.page(38).await.events.len(), 2);
    relay.stopped().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_event_sent_again_gets_the_same_place_even_at_once() {
    let place = Place::new().await;
    let relay = place.started(1, "").await;
    let event = place.signed(7, "once");

    let seqs = futures_util::future::join_all((0..10).map(|_| relay.append(&event))).await;

    assert_eq!(seqs, vec![1; 10]);
    assert_eq!(relay.page(0).await.events.len(), 1);
    relay.stopped().await;
}

#[tokio::test]
async fn a_nonce_is_not_used_for_another_event() {
    let place = Place::new().await;
    let relay = place.started(1, "").await;
    relay.append(&place.signed(7, "first")).await;

    assert_eq!(relay.post(&place.signed(7, "second")).await.0, 409);
    relay.stopped().await;
}

#[tokio::test]
async fn what_no_member_signed_is_refused() {
    let place = Place::new().await;
    let relay = place.started(1, "").await;
    let mut event = place.signed(1, "honest");
    event.ciphertext = BASE64.encode(b"forged");

    assert_eq!(relay.post(&event).await.0, 401);
    assert_eq!(relay.page(0).await.events.len(), 0);
    relay.stopped().await;
}

#[tokio::test]
async fn what_is_stored_differs_from_what_was_sent() {
    let place = Place::new().await;
    let relay = place.started(1, "").await;
    relay.append(&place.signed(1, "a ciphertext one would recognise")).await;
    relay.stopped().await;

    for entry in std::fs::read_dir(place.folder.path()).expect("the folder is there").flatten() {
        let bytes = std::fs::read(entry.path()).expect("readable");
        let found = bytes.windows(10).any(|part| part == b"ciphertext");
        assert!(!found, "{} holds what was sent", entry.path().display());
    }
}

#[tokio::test]
async fn readiness_tells_schema_and_newest_place() {
    let place = Place::new().await;
    let relay = place.started(1, "").await;
    relay.append(&place.signed(1, "x")).await;

    let ready = json!({ "status": "ok", "schema": 1, "last_seq": 1, "release": 1 });
    assert_eq!(relay.get("/health/ready").await, (200, ready));
    relay.stopped().await;
}

#[tokio::test]
async fn a_sealed_key_store_makes_it_unready_but_not_dead_and_it_recovers() {
    let place = Place::new().await;
    let relay = place.started(1, "").await;
    place.key_store.sealed.store(true, Ordering::SeqCst);
    let (status, answer) = relay.get("/health/ready").await;
    assert_eq!((status, &answer["checks"]["database"]), (503, &json!("ok")));
    assert_eq!(relay.get("/health/live").await.0, 200);

    place.key_store.sealed.store(false, Ordering::SeqCst);
    assert_eq!(relay.get("/health/ready").await.0, 200);
    relay.stopped().await;
}

#[tokio::test]
async fn a_token_that_ran_out_is_renewed() {
    let place = Place::new().await;
    let relay = place.started(1, "").await;
    assert_eq!(relay.get("/health/ready").await.0, 200);
    place.key_store.token.fetch_add(10, Ordering::SeqCst);
    assert_eq!(relay.get("/health/ready").await.0, 200);
    relay.stopped().await;
}

#[tokio::test]
async fn release_2_brings_old_events_along() {
    let place = Place::new().await;
    let old = place.started(1, "").await;
    old.append(&place.signed(1, "twelve bytes")).await;
    old.stopped().await;

    let new = place.started(2, "").await;
    new.append(&place.signed(2, "new")).await;
    let page = new.page(0).await;
    assert_eq!(page.events.iter().map(|event| event.size).collect::<Vec<_>>(), [Some(12), Some(3)]);
    assert_eq!(BASE64.decode(page.events[0].ciphertext.as_bytes()).expect("base64"), b"twelve bytes");
    assert_eq!(new.get("/health/ready").await.1["schema"], 2);
    new.stopped().await;
}

#[tokio::test]
async fn release_1_refuses_to_start_on_schema_2() {
    let place = Place::new().await;
    place.started(2, "").await.stopped().await;

    let error = place.start(1, "").await.ended.await.expect("no panic").expect_err("a refusal");
    assert!(
        error.to_string().starts_with("the database has schema 2; release 1 runs on schema 1 alone"),
        "{error}"
    );
}

#[tokio::test]
async fn release_1_stops_writing_when_the_schema_moves_beneath_it() {
    let place = Place::new().await;
    let old = place.started(1, "").await;
    let new = place.started(2, "").await;

    assert_eq!(old.post(&place.signed(1, "late")).await.0, 503);
    assert_eq!(old.get("/health/ready").await.0, 503);
    assert_eq!(new.append(&place.signed(1, "late")).await, 1);
    old.stopped().await;
    new.stopped().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stop_finishes_what_is_in_flight_and_takes_nothing_new() {
    let place = Place::new().await;
    let relay = place.started(1, "delay=400ms").await;
    let event = place.signed(1, "in flight");
    let (answer, ()) = tokio::join!(relay.append(&event), async {
        tokio::time::sleep(Duration::from_millis(150)).await;
        relay.stop.cancel();
        tokio::time::sleep(Duration::from_millis(100)).await;
        assert!(tokio::net::TcpStream::connect(relay.address).await.is_err(), "it still takes connections");
    });
    assert_eq!(answer, 1);
    relay.stopped().await;
}

#[tokio::test]
async fn a_websocket_says_hello_replays_follows_and_is_closed_at_the_stop() {
    let place = Place::new().await;
    let relay = place.started(1, "").await;
    relay.append(&place.signed(1, "before")).await;
    relay.append(&place.signed(2, "replayed")).await;

    let mut socket = websocket(&relay, "/ws?since=1").await;
    assert_eq!(next(&mut socket).await, "hello {\"last_seq\":2,\"release\":1,\"schema\":1}");
    assert!(next(&mut socket).await.starts_with("{\"seq\":2,"));
    relay.append(&place.signed(3, "followed")).await;
    assert!(next(&mut socket).await.starts_with("{\"seq\":3,"));

    relay.stop.cancel();
    let goodbye = socket.next().await.expect("a goodbye").expect("a whole one");
    assert!(matches!(goodbye, Message::Close(Some(frame)) if u16::from(frame.code) == 1001));
    let _ = socket.close(None).await;
    relay.stopped().await;
}

#[tokio::test]
async fn faults_show_where_they_should() {
    let place = Place::new().await;
    let relay = place.started(1, "never-ready").await;
    assert_eq!(relay.get("/health/ready").await.0, 503);
    relay.stopped().await;

    let relay = place.started(1, "wrong-json").await;
    assert_eq!(relay.get("/health/ready").await, (200, json!({ "state": "fine" })));
    relay.stopped().await;

    let relay = place.started(1, "errors=100%").await;
    assert_eq!(relay.post(&place.signed(1, "x")).await.0, 500);
    relay.stopped().await;

    let crashed = place.start(1, "crash").await.ended.await.expect("no panic");
    assert_eq!(crashed.expect_err("a crash").to_string(), "crashed, as --fault crash told it to");
}

type Socket = WebSocketStream<tokio::net::TcpStream>;

async fn websocket(relay: &Running, path: &str) -> Socket {
    let stream = tokio::net::TcpStream::connect(relay.address).await.expect("it listens");
    let url = format!("ws://{}{path}", relay.address);
    tokio_tungstenite::client_async(url, stream).await.expect("an upgrade").0
}

async fn next(socket: &mut Socket) -> String {
    let message =
        tokio::time::timeout(Duration::from_secs(5), socket.next()).await.expect("a message in 5 s");
    message.expect("an open socket").expect("a whole message").into_text().expect("text").to_string()
}
