//! examples/cozy as it stands in the repository, read in each of its shapes.

use std::path::Path;

use stack::{Files, Found, Load, Loaded, Request, ServiceName, load};

#[test]
fn local_is_understood_and_publishes_port_80_of_traefik_alone() {
    let ports = published("local");
    assert_eq!(ports, [("traefik".to_owned(), 80)]);
}

#[test]
fn prod_adds_443_and_leaves_no_development_token() {
    assert_eq!(published("prod"), [("traefik".to_owned(), 80), ("traefik".to_owned(), 443)]);
    let shape = read("prod").shape.expect("the stack is understood");
    let bao = &shape.services[&ServiceName::new("bao")];
    assert!(bao.environment.values().all(Option::is_none), "{:?}", bao.environment);
    assert_eq!(
        bao.files.iter().map(|file| file.target.as_str()).collect::<Vec<_>>(),
        ["/etc/bao/server.hcl"]
    );
}

#[test]
fn tunnel_publishes_nothing() {
    assert_eq!(published("tunnel"), []);
}

#[test]
fn it_starts_datastores_then_the_relay_then_traefik() {
    let order = read("local").shape.expect("the stack is understood").start_order();
    let order: Vec<String> = order.iter().map(ToString::to_string).collect();
    assert_eq!(order, ["bao", "postgres", "relay", "traefik"]);
}

/// Published ports of a shape, by service.
#[track_caller]
fn published(shape: &str) -> Vec<(String, u16)> {
    let loaded = read(shape);
    assert!(loaded.diagnostics.is_empty(), "{:#?}", loaded.diagnostics);
    let services = loaded.shape.expect("the stack is understood").services;
    let each = services.iter().flat_map(|(name, service)| {
        service.ports.iter().filter_map(move |port| Some((name.to_string(), port.published?)))
    });
    each.collect()
}

fn read(shape: &str) -> Loaded {
    let directory =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../cozy").canonicalize().expect("the example is there");
    let request = Request {
        directory: directory.display().to_string(),
        shape: Some(shape.to_owned()),
        ..Request::default()
    };
    let mut files = Files::new();
    loop {
        match load(&request, &files) {
            Load::Done(loaded) => return *loaded,
            Load::Needs(paths) => files.extend(paths.into_iter().map(|path| (path.clone(), look(&path)))),
        }
    }
}

fn look(path: &str) -> Found {
    match std::fs::read(path) {
        Ok(bytes) => Found::File { bytes, mode: 0o644 },
        Err(_) => Found::Missing,
    }
}
