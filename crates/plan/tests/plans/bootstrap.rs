//! From nothing: secrets that are missing, and the key store's ceremony, once.

use crate::check;

#[test]
fn a_bootstrap_generates_what_is_missing_and_overwrites_nothing() {
    check(
        "running: nothing
         shape: db=pg:1(secret db_password, secret session)
         store: session=3
         verb: bootstrap",
        "generate db_password — it has no version yet
         - session exists: never overwritten",
    );
}

#[test]
fn a_secret_that_a_person_gives_is_asked_for() {
    check(
        "running: nothing
         shape: web=app:7(given token)
         verb: bootstrap",
        "- token is given by a person: `seaworthy bootstrap --from-file token=FILE`",
    );
}

#[test]
fn a_secret_that_a_person_brought_along_is_taken() {
    check(
        "running: nothing
         shape: web=app:7(given token)
         verb: bootstrap with token",
        "generate token — it has no version yet",
    );
}

#[test]
fn a_key_store_is_made_and_its_ceremony_held() {
    check(
        "running: nothing
         shape: bao=bao:2(keys) db=pg:1(postgres)
         verb: bootstrap",
        "pull bao:2 — bao needs it
         network blog_net
         volume blog_baodata
         create bao — `app_keys` was never issued
         start bao
         api bao
         ceremony bao",
    );
}

#[test]
fn a_ceremony_is_held_once() {
    check(
        "running: bao=bao:2(keys)
         store: app_keys=1
         verb: bootstrap",
        "- app_keys exists: never overwritten
         - bao is initialised and its credential issued",
    );
}

#[test]
fn a_ceremony_that_was_held_is_not_held_again_where_the_store_stands_still() {
    check(
        "running: bao=bao:2(keys, stopped)
         store: app_keys=1
         verb: bootstrap",
        "- app_keys exists: never overwritten
         - bao is initialised and its credential issued",
    );
}

#[test]
fn a_store_that_stands_still_and_never_issued_its_credential_is_started_for_it() {
    check(
        "running: bao=bao:2(keys, stopped)
         verb: bootstrap",
        "start bao — `app_keys` was never issued
         api bao
         ceremony bao",
    );
}
