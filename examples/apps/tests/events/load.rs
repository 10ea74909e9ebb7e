//! What the load client proves, and what it would not let pass.

use crate::support::Place;
use apps::load::{verify, write};

#[tokio::test(flavor = "multi_thread")]
async fn a_steady_load_is_acknowledged_and_proven() {
    let place = Place::new().await;
    let relay = place.started(1, "").await;

    let summary = write(&relay.target(), &place.write_args(50.0, 1.0)).await.expect("it writes");
    assert_eq!((summary.sent, summary.acknowledged, summary.retried, summary.failed), (50, 50, 0, 0));
    let proof = verify(&place.verify_args(&relay)).await.expect("it reads");
    assert_eq!((proof.events, proof.compared, proof.unknown), (50, 50, 0));
    assert_eq!(proof.problems, Vec::<String>::new());
    relay.stopped().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_fails_is_sent_again_and_kept_once() {
    let place = Place::new().await;
    let relay = place.started(1, "errors=40%").await;
    let summary = write(&relay.target(), &place.write_args(40.0, 1.0)).await.expect("it writes");
    assert_eq!((summary.sent, summary.acknowledged, summary.failed), (40, 40, 0));
    assert!(summary.retried > 0, "40 events at 40% errors had none");
    relay.stopped().await;

    let relay = place.started(1, "").await;
    let proof = verify(&place.verify_args(&relay)).await.expect("it reads");
    assert_eq!((proof.events, proof.problems), (40, Vec::new()));
    relay.stopped().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deleted_row_turns_it_red_and_is_named() {
    let place = Place::new().await;
    let relay = place.started(1, "").await;
    write(&relay.target(), &place.write_args(20.0, 0.5)).await.expect("it writes");

    place.tamper("DELETE FROM events WHERE seq = 4").await;
    let proof = verify(&place.verify_args(&relay)).await.expect("it reads");
    assert_eq!(proof.problems.len(), 2, "{:?}", proof.problems);
    assert_eq!(proof.problems[0], "gap: 4 is missing");
    assert!(proof.problems[1].starts_with("lost: 4 was acknowledged at "));
    relay.stopped().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn exchanged_bodies_do_not_open() {
    let place = Place::new().await;
    let relay = place.started(1, "").await;
    write(&relay.target(), &place.write_args(20.0, 0.5)).await.expect("it writes");

    place.tamper("UPDATE events SET body = (SELECT body FROM events WHERE seq = 2) WHERE seq = 3").await;
    let error = verify(&place.verify_args(&relay)).await.expect_err("nothing to compare");
    assert!(error.to_string().starts_with("the relay answered 503"), "{error}");
    relay.stopped().await;
}
