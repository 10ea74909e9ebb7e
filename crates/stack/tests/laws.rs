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
