//! Backups: what would be lost, and what could not be read again.

use stack::{StateKind, Text};

use crate::shapes::{Stack, env, postgres, red_green, stack, transit, volume};

fn database() -> Stack {
    stack().service("db", "postgres:16", |db| volume(db, "pgdata", "/var/lib/postgresql/data"))
}

#[test]
fn a_volume_that_belongs_to_no_state_is_found() {
    let message = "volume `pgdata`, which `db` writes to, belongs to no declared state";
    red_green("volume-not-backed-up", &database(), message, &database().state("db", postgres()));
    let cache = database().state("db", StateKind::Discard { reason: "a cache".to_owned() });
    assert!(cache.messages("volume-not-backed-up").is_empty(), "it was written down that it may be lost");
}

#[test]
fn a_key_store_outside_the_set_is_found() {
    let both = database().state("db", postgres()).service("bao", "openbao:2", |_| {});
    let message = "`bao` is a key store, and a set would hold data without its keys";
    red_green("keys-not-in-set", &both, message, &both.clone().state("bao", transit()));
}

#[test]
fn keys_that_no_set_can_hold_are_found() {
    let stack = || database().state("db", postgres()).state("bao", transit());
    let server = |words: &[&str]| {
        let words = words.iter().map(|word| Text::literal(*word)).collect();
        stack().service("bao", "openbao:2", |bao| bao.command = Some(words))
    };
    let message = "`bao` runs in development mode, and no set can hold its keys";
    red_green("keys-without-snapshot", &server(&["server", "-dev"]), message, &server(&["server"]));
    let token = |token| stack().service("bao", "openbao:2", |bao| env(bao, "BAO_DEV_ROOT_TOKEN_ID", token));
    red_green("keys-without-snapshot", &token("dev-root"), message, &token("another"));
}

#[test]
fn a_store_that_is_not_captured_needs_no_snapshot() {
    let words = ["server", "-dev"].map(Text::literal).into();
    let dev = stack().service("bao", "openbao:2", |bao| bao.command = Some(words));
    assert!(dev.messages("keys-without-snapshot").is_empty());
}

#[test]
fn state_without_a_target_is_found() {
    let red = database().state("db", postgres());
    let green = red.clone().with(|shape| shape.backup.to = vec!["/mnt/backups".to_owned()]);
    red_green("no-backup-target", &red, "state is declared, and `[backup] to` names no target", &green);
}

#[test]
fn production_seals_its_sets_to_somebody_elsewhere() {
    let red = database().state("db", postgres()).production();
    let green = red.clone().with(|shape| shape.backup.recipients = vec!["age1aa".to_owned()]);
    let message = "`[backup] recipients` is empty: only this host could open its sets";
    red_green("missing-recipients", &red, message, &green);
}
