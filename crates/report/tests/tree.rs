//! The pure ring depends on nothing that could touch a file, a socket, a process, a clock or a terminal.
#![expect(
    clippy::disallowed_types,
    clippy::disallowed_methods,
    reason = "a test may ask cargo what the crate must not"
)]

use std::{
    collections::{BTreeMap, BTreeSet},
    process::Command,
};

use serde_json::Value;

const PURE: [&str; 5] = ["diag", "stack", "checks", "plan", "report"];

/// Whoever links one of these can wait, connect, spawn or draw.
const EFFECTS: [&str; 20] = [
    "async-trait",
    "axum",
    "bollard",
    "clap",
    "futures-util",
    "getrandom",
    "hyper",
    "indicatif",
    "mio",
    "rand",
    "reqwest",
    "rustix",
    "rustls",
    "socket2",
    "sqlx",
    "sqlx-core",
    "tempfile",
    "tokio",
    "tokio-util",
    "tracing",
];

/// Ours, outside the ring.
const OUTSIDE: [&str; 6] = ["host", "runner", "secrets", "backup", "seaworthy", "apps"];

#[test]
fn the_pure_ring_depends_on_nothing_with_effects() {
    let tree = normal_dependencies();
    for pure in PURE {
        let reached = reached(&tree, pure);
        let banned: Vec<&str> =
            EFFECTS.iter().chain(&OUTSIDE).copied().filter(|name| reached.contains(*name)).collect();
        assert!(banned.is_empty(), "`{pure}` reaches {banned:?}");
    }
}

#[test]
fn every_pure_crate_has_its_bans() {
    let tree = normal_dependencies();
    for pure in PURE {
        assert!(tree.contains_key(pure), "`{pure}` is in the workspace");
        let bans = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("../{pure}/clippy.toml"));
        assert!(bans.metadata().is_ok_and(|file| file.len() > 0), "`{pure}` has its clippy.toml");
    }
}

/// Package name to the names of what it depends on outside tests and build scripts.
fn normal_dependencies() -> BTreeMap<String, BTreeSet<String>> {
    let manifest = concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml");
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--format-version=1", "--manifest-path", manifest])
        .args(["--filter-platform", "x86_64-unknown-linux-gnu"])
        .output()
        .expect("cargo runs: it runs this test");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let metadata: Value = serde_json::from_slice(&output.stdout).expect("cargo metadata prints JSON");
    let list = |value: &Value| value.as_array().cloned().unwrap_or_default();
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let names: BTreeMap<String, String> = list(&metadata["packages"])
        .iter()
        .map(|package| (text(&package["id"]), text(&package["name"])))
        .collect();
    let is_normal = |dep: &Value| list(&dep["dep_kinds"]).iter().any(|kind| kind["kind"].is_null());
    list(&metadata["resolve"]["nodes"])
        .iter()
        .map(|node| {
            let deps = list(&node["deps"]).into_iter().filter(is_normal);
            (names[&text(&node["id"])].clone(), deps.map(|dep| names[&text(&dep["pkg"])].clone()).collect())
        })
        .collect()
}

fn reached(tree: &BTreeMap<String, BTreeSet<String>>, from: &str) -> BTreeSet<String> {
    let mut reached = BTreeSet::new();
    let mut left = vec![from.to_owned()];
    while let Some(next) = left.pop() {
        for dep in tree.get(&next).into_iter().flatten() {
            if reached.insert(dep.clone()) {
                left.push(dep.clone());
            }
        }
    }
    reached
}
