//! The same three arguments always give the same plan, to the byte.

use proptest::{prelude::*, sample::select};

use crate::{text, world::World};

/// A service in words: some of what it can be, and how its container stands.
fn service(name: &'static str) -> impl Strategy<Value = String> {
    let words = [
        "volume",
        "port 8080",
        "env LOG=debug",
        "env TOKEN=$x",
        "file app.conf=aaaa",
        "secret session",
        "probe",
        "on edge",
        "on proxy of others",
        "after a",
        "after a done",
        "stopped",
        "dead",
        "foreign",
        "paused",
        "keys",
        "postgres",
        "sqlite",
        "bind /srv",
        "named fixed-failed",
        "sealed",
    ];
    let words = proptest::sample::subsequence(words.to_vec(), 0..5);
    (select(vec!["app:1", "app:2"]), words).prop_map(move |(image, words)| {
        // Nobody waits for itself.
        let words: Vec<&str> =
            words.into_iter().filter(|word| name != "a" || !word.starts_with("after")).collect();
        format!("{name}={image}({})", words.join(", "))
    })
}

fn world() -> impl Strategy<Value = String> {
    let line = || (service("a"), service("b"), service("c")).prop_map(|(a, b, c)| format!("{a} {b} {c}"));
    let verb = select(vec![
        "deploy",
        "rollback",
        "rollback to 1",
        "bootstrap",
        "backup",
        "restore",
        "drill",
        "destroy",
        "destroy --volumes",
    ]);
    let stack = proptest::sample::subsequence(
        vec!["production", "live", "keep 2", "3 sets kept", "recipients"],
        0..4,
    );
    let left =
        select(vec!["blog-b-1-was of b", "blog-old-1 of old", "port 8080 of nginx", "volume blog_adata"]);
    (line(), line(), line(), verb, stack, left).prop_map(|(earlier, running, shape, verb, stack, left)| {
        format!(
            "stack: {}\nearlier: {earlier}\nrunning: {running}\nshape: {shape}\nalso: {left}\nstore: session=2 \
             app_keys=1\nran with: session=1 app_keys=1\ntyped: blog\nverb: {verb}",
            stack.join(", ")
        )
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_same_world_gives_the_same_bytes(words in world()) {
        let planned = || World::read(&words).plan().map(|plan| serde_json::to_string(&plan).expect("it serialises"));
        match (planned(), planned()) {
            (Ok(once), Ok(again)) => prop_assert_eq!(once, again),
            (once, again) => prop_assert_eq!(text_of(once), text_of(again)),
        }
    }

    #[test]
    fn every_plan_is_sound_and_survives_being_written_down(words in world()) {
        if let Ok(plan) = World::read(&words).plan() {
            prop_assert_eq!(plan::lint(&plan), Vec::<String>::new());
            let json = serde_json::to_string(&plan).expect("it serialises");
            prop_assert_eq!(&serde_json::from_str::<plan::Plan>(&json).expect("it reads back"), &plan);
            prop_assert!(!text::of(Ok(plan)).contains("$x"));
        }
    }
}

fn text_of(refused: Result<String, diag::Stop>) -> String {
    refused.unwrap_or_else(|stop| format!("{} {:?}", stop.exit.code(), stop.diagnostics))
}
