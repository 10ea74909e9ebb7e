//! Production: what is fine on a laptop and must never serve anybody.

use stack::{EngineKind, Text};

use crate::shapes::{env, red_green, stack, transit};

#[test]
fn a_development_root_token_is_found_in_production_with_no_engine_to_ask() {
    let red = stack().service("bao", "openbao:2", |bao| env(bao, "BAO_DEV_ROOT_TOKEN_ID", "dev-root"));
    let message = "BAO_DEV_ROOT_TOKEN_ID of `bao` is the root token of a development key store";
    red_green("dev-token-in-production", &red.clone().production(), message, &red);
}

#[test]
fn the_declared_development_token_is_found_under_any_name() {
    let red =
        stack().state("bao", transit()).service("relay", "relay:1", |relay| env(relay, "K", "dev-root"));
    let green = stack().state("bao", transit()).service("relay", "relay:1", |relay| env(relay, "K", "other"));
    let message = "K of `relay` is the root token of a development key store";
    red_green("dev-token-in-production", &red.production(), message, &green.production());
}

#[test]
fn a_key_store_in_development_mode_is_found_in_production() {
    let with = |words: &[&str]| {
        let words = words.iter().map(|word| Text::literal(*word)).collect();
        stack().service("bao", "openbao:2", |bao| bao.command = Some(words)).production()
    };
    let message = "`bao` is started in development mode";
    red_green("development-key-store", &with(&["server", "-dev"]), message, &with(&["server"]));
}

#[test]
fn production_on_the_process_engine_is_found() {
    let green = stack().production();
    let mut red = green.clone();
    red.engine = EngineKind::Process;
    let message = "shape `local` is production and would run on the process engine";
    red_green("process-engine-in-production", &red, message, &green);
}

// shows: E10
#[test]
fn an_origin_that_lets_in_more_than_it_should_is_found() {
    let of = |origin: &str| stack().with(|shape| shape.origins = vec![origin.to_owned()]).production();
    let green = of("https://blog.example.org:8443");
    for (origin, why) in [
        ("*", "lets anybody in"),
        ("https://*.example.org", "lets anybody in"),
        ("http://blog.example.org", "is not `https://`"),
        ("https://localhost:3000", "is the machine of whoever opens it"),
        ("https://127.0.0.1", "is the machine of whoever opens it"),
        ("https://[::1]:8443", "is the machine of whoever opens it"),
    ] {
        red_green("loose-origin", &of(origin), &format!("origin `{origin}` {why}"), &green);
    }
}
