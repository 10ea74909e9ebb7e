//! What holds of every input.
#![allow(clippy::unwrap_used)]

mod support;

use proptest::prelude::*;
use support::Project;

/// Text made of what Compose files are made of, so that more than the first character is read.
fn yaml_like() -> impl Strategy<Value = String> {
    let word = prop_oneof![
        Just("services"),
        Just("web"),
        Just("image"),
        Just("ports"),
        Just("environment"),
        Just("volumes"),
        Just("- "),
        Just(": "),
        Just("\n  "),
        Just("\n    "),
        Just("\n"),
        Just("&a "),
        Just("*a"),
        Just("<<"),
        Just("{"),
        Just("}"),
        Just("["),
        Just("]"),
        Just("${A:-"),
        Just("$"),
        Just("80:80"),
        Just("!reset "),
        Just("'"),
        Just("\""),
        Just("\t"),
        Just("healthcheck"),
        Just("depends_on"),
        Just("networks"),
        Just("null"),
        Just("secrets"),
        Just("command"),
        Just("0"),
        Just("1e9"),
        Just("é"),
        Just("#"),
        Just("|"),
        Just(","),
    ];
    prop::collection::vec(word, 0..60).prop_map(|words| words.concat())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_bytes_make_reading_panic(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        Project::new(&[]).bytes("compose.yaml", &bytes).bytes("seaworthy.toml", &bytes).bytes(".env", &bytes).load();
    }

    #[test]
    fn no_text_makes_reading_panic(text in yaml_like(), settings in "[\\[\\]a-z=\"{} \n.$]{0,60}") {
        let files = [("compose.yaml", text.as_str()), ("seaworthy.toml", &settings), (".env", &text)];
        Project::new(&files).load();
    }

    #[test]
    fn an_empty_overlay_changes_nothing(text in yaml_like()) {
        let base = Project::compose(&text).load();
        for over in ["{}", "", "services: {}", "services: null"] {
            let files = [("compose.yaml", text.as_str()), ("compose.override.yaml", over)];
            let merged = Project::new(&files).load();
            if base.canonical.get("services").is_some_and(|services| services.as_object().is_some_and(|s| !s.is_empty())) {
                prop_assert_eq!(&merged.canonical, &base.canonical);
            }
        }
    }

    #[test]
    fn a_file_over_itself_is_itself(ports in prop::collection::vec(1u16..9, 0..4), names in prop::collection::vec("[a-c]", 0..4)) {
        let list = |items: Vec<String>| items.join(", ");
        let text = format!(
            "services: {{ web: {{ image: w, ports: [{}], environment: [{}], cap_add: [{}] }} }}",
            list(ports.iter().map(|port| format!("'{port}:{port}'")).collect()),
            list(names.iter().map(|name| format!("{name}=1")).collect()),
            list(names.clone()),
        );
        let once = Project::compose(&text).load();
        let twice = Project::new(&[("compose.yaml", text.as_str()), ("compose.override.yaml", text.as_str())]).load();
        prop_assert_eq!(once.canonical, twice.canonical);
        prop_assert_eq!(once.shape.map(|shape| shape.services), twice.shape.map(|shape| shape.services));
    }
}

/// A service made of keys that merge in different ways.
fn service() -> impl Strategy<Value = String> {
    let key = prop_oneof![
        Just("command: [a, b]"),
        Just("entrypoint: run 'it'"),
        Just("environment: { A: 1, B: x }"),
        Just("environment: [A=2, C]"),
        Just("ports: ['80:80', '8000-8001:8000-8001']"),
        Just("ports: [{ target: 80, published: '80' }]"),
        Just("volumes: ['/a:/a', '/b']"),
        Just("volumes: ['/c:/a:ro']"),
        Just("logging: { driver: local, options: { a: b } }"),
        Just("logging: { driver: json-file }"),
        Just("healthcheck: { test: 'true', interval: 90s }"),
        Just("deploy: { resources: { limits: { memory: 64m } } }"),
        Just("cap_add: [X, Y]"),
        Just("extra_hosts: { a: 1.1.1.1 }"),
        Just("ulimits: { nofile: 5 }"),
        Just("labels: { a: b$$c }"),
        Just("user: me"),
        Just("tmpfs: /run"),
        Just("dns: 1.1.1.1"),
        Just("build: { context: ., args: { A: 1 } }"),
    ];
    prop::collection::vec(key, 0..6).prop_map(|keys| {
        let mut kept: Vec<&str> = Vec::new();
        for key in keys {
            let name = |key: &str| key.split(':').next().unwrap_or_default().to_owned();
            if !kept.iter().any(|other| name(other) == name(key)) {
                kept.push(key);
            }
        }
        format!("services:\n  web:\n    image: w\n    {}\n", kept.join("\n    "))
    })
}

fn rendered(files: &[(&str, &str)]) -> Option<serde_json::Value> {
    let mut project = Project::new(files);
    project.request.files = files.iter().map(|(name, _)| (*name).to_owned()).collect();
    project.load().compose.map(|compose| compose.0)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 150, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_rendering_renders_as_itself(text in service()) {
        let once = rendered(&[("compose.yaml", &text)]).unwrap();
        let again = rendered(&[("compose.yaml", &once.to_string())]).unwrap();
        prop_assert_eq!(once, again);
    }

    #[test]
    fn nothing_below_and_nothing_above_change_nothing(text in service()) {
        let alone = rendered(&[("a.yaml", &text)]);
        prop_assert_eq!(&rendered(&[("a.yaml", &text), ("b.yaml", "services: { web: {} }")]), &alone);
        prop_assert_eq!(&rendered(&[("a.yaml", "services: { web: {} }"), ("b.yaml", &text)]), &alone);
    }

    #[test]
    fn an_override_wins(below in service(), above in service()) {
        let alone = rendered(&[("b.yaml", &above)]).unwrap();
        let both = rendered(&[("a.yaml", &below), ("b.yaml", &above)]).unwrap();
        for key in ["user", "healthcheck", "deploy", "ulimits"] {
            let of = |json: &serde_json::Value| json["services"]["web"].get(key).cloned();
            if let Some(wanted) = of(&alone) {
                prop_assert_eq!(of(&both), Some(wanted));
            }
        }
    }

    #[test]
    fn it_does_not_matter_which_two_of_three_are_laid_over_each_other_first(a in service(), b in service(), c in service()) {
        let two = |below: &str, above: &str| {
            let mut both = rendered(&[("a.yaml", below), ("b.yaml", above)]).unwrap();
            // A command that nobody gave is printed as nothing, and nothing laid over a command takes it away.
            both["services"]["web"].as_object_mut().unwrap().retain(|_, value| !value.is_null());
            both.to_string()
        };
        let in_turn = rendered(&[("a.yaml", &a), ("b.yaml", &b), ("c.yaml", &c)]);
        let left = rendered(&[("ab.yaml", &two(&a, &b)), ("c.yaml", &c)]);
        prop_assert_eq!(&left, &in_turn);
        let right = rendered(&[("a.yaml", &a), ("bc.yaml", &two(&b, &c))]);
        prop_assert_eq!(&right, &in_turn);
    }

    #[test]
    fn what_is_laid_over_twice_is_laid_over_once(below in service(), above in service()) {
        let once = rendered(&[("a.yaml", &below), ("b.yaml", &above)]);
        let twice = rendered(&[("a.yaml", &below), ("b.yaml", &above), ("c.yaml", &above)]);
        prop_assert_eq!(once, twice);
    }

    #[test]
    fn a_few_wrong_bytes_end_in_a_diagnostic_or_in_a_shape(
        at in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4)
    ) {
        let whole = "x-a: &a { tty: true }\nservices:\n  web:\n    <<: *a\n    image: ${A:-w}\n    ports: ['80:80']\n    \
                     extends: { service: db }\n    depends_on: { db: { condition: service_healthy } }\n  db:\n    image: d\n    \
                     volumes: ['data:/d', ./x:/x:ro]\n    env_file: e.env\nvolumes: { data: !reset null }\ninclude: [i.yaml]\n";
        let mut bytes = whole.as_bytes().to_vec();
        for (index, byte) in at {
            let place = index.index(bytes.len());
            bytes[place] = byte;
        }
        let files = [("i.yaml", "services: { c: { image: c } }"), ("e.env", "A=${B:-c}\n")];
        Project::new(&files).bytes("compose.yaml", &bytes).bytes("compose.override.yaml", &bytes).load();
    }
}
