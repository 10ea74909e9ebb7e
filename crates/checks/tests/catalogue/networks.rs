//! Networks: who can reach what.

use diag::Severity;
use stack::Condition;

use crate::shapes::{Stack, after, join, publish, red_green, stack};

/// Traefik at the edge, a relay on both sides, PostgreSQL inside.
fn cozy() -> Stack {
    stack()
        .service("traefik", "traefik:3", |traefik| {
            publish(traefik, "80:80");
            join(traefik, &["edge"]);
        })
        .service("relay", "relay:1", |relay| {
            join(relay, &["edge", "internal"]);
            after(relay, "postgres", Condition::ServiceHealthy);
        })
        .service("postgres", "postgres:16", |postgres| join(postgres, &["internal"]))
        .internal("internal")
        .with(|shape| shape.publishes = Some(vec![80]))
}

fn change(stack: Stack, service: &str, change: impl FnOnce(&mut stack::Service)) -> Stack {
    stack.with(|shape| change(shape.services.get_mut(&service.into()).expect("a service of the stack")))
}

#[test]
fn a_published_database_is_found() {
    let red = change(cozy(), "postgres", |postgres| publish(postgres, "127.0.0.1:5432:5432"));
    red_green("database-published", &red, "`postgres` is PostgreSQL and publishes 127.0.0.1:5432", &cozy());
}

#[test]
fn a_port_that_the_shape_does_not_declare_is_found() {
    let red = change(cozy(), "relay", |relay| publish(relay, "8080:8080"));
    let message = "`relay` publishes 8080; shape `local` declares only 80";
    red_green("published-undeclared", &red, message, &cozy());
}

#[test]
fn a_port_on_every_address_is_found_where_nothing_is_declared() {
    let undeclared = |port: &'static str| {
        let stack = stack().service("web", "web:1", |web| publish(web, port));
        stack.with(|shape| shape.publishes = None)
    };
    let message = "`web` publishes 8080 on every address of the host";
    red_green("all-interfaces", &undeclared("8080:80"), message, &undeclared("127.0.0.1:8080:80"));
    assert!(cozy().messages("all-interfaces").is_empty(), "80 was declared");
}

#[test]
fn the_hosts_own_network_is_found() {
    let red = stack()
        .service("web", "web:1", |web| web.network_mode = Some(stack::Namespace::Engine("host".to_owned())));
    let green = stack()
        .service("web", "web:1", |web| web.network_mode = Some(stack::Namespace::Engine("none".to_owned())));
    red_green("host-network", &red, "`web` runs in the host's own network", &green);
}

#[test]
fn a_database_attached_to_the_edge_is_found() {
    let red = change(cozy(), "postgres", |postgres| join(postgres, &["edge"]));
    let message = "`postgres` shares network `edge` with `traefik`, which is published";
    red_green("data-store-at-edge", &red, message, &cozy());
}

#[test]
fn an_application_that_is_published_may_share_a_network_with_its_own_database() {
    let plain = stack()
        .service("web", "web:1", |web| {
            publish(web, "8080:80");
            join(web, &["default"]);
            after(web, "db", Condition::ServiceHealthy);
        })
        .service("db", "postgres:16", |db| join(db, &["default"]));
    assert!(plain.messages("data-store-at-edge").is_empty());
}

#[test]
fn a_data_network_with_a_way_out_is_a_warning_and_in_production_an_error() {
    let red = cozy().with(|shape| {
        shape.networks.get_mut(&"internal".into()).expect("the network").internal = false;
    });
    let message = "`postgres` is PostgreSQL on network `internal`, which has a way out";
    red_green("data-network-not-internal", &red, message, &cozy());
    let weight = |stack: &Stack| {
        let findings = stack.findings().into_iter();
        findings.filter(|finding| finding.check == "data-network-not-internal").map(|it| it.severity).next()
    };
    assert_eq!(weight(&red), Some(Severity::Warning));
    assert_eq!(weight(&red.production()), Some(Severity::Error));
}

#[test]
fn a_second_bridge_is_found() {
    let red = cozy().service("web", "web:1", |web| join(web, &["edge", "internal"])).internal("internal");
    let message = "`relay` and `web` join internal network `internal` and one with a way out";
    red_green("bridges-two-networks", &red, message, &cozy());
}
