//! The table of keys against the schema of the specification, and the page that is made of it.
#![allow(clippy::unwrap_used, clippy::disallowed_methods)]

use std::{collections::BTreeSet, fmt::Write as _};

use serde_json::Value;
use stack::Fate;

const SCHEMA: &str = include_str!("../src/compose/spec/compose-spec.json");
const PAGE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/compose.md");
const ABOVE: &str = include_str!("compose-page.md");

/// Every path that the schema has a key for.
fn paths(schema: &Value, root: &Value, path: &str, found: &mut BTreeSet<String>) {
    if let Some(name) = schema.get("$ref").and_then(Value::as_str).and_then(|path| path.rsplit('/').next()) {
        return paths(&root["definitions"][name], root, path, found);
    }
    let below = |part: &str| if path.is_empty() { part.to_owned() } else { format!("{path}.{part}") };
    for branch in schema.get("oneOf").and_then(Value::as_array).into_iter().flatten() {
        paths(branch, root, path, found);
    }
    for (key, inner) in schema.get("properties").and_then(Value::as_object).into_iter().flatten() {
        found.insert(below(key));
        paths(inner, root, &below(key), found);
    }
    for (pattern, inner) in schema.get("patternProperties").and_then(Value::as_object).into_iter().flatten() {
        if pattern != "^x-" {
            paths(inner, root, &below("*"), found);
        }
    }
    if let Some(items) = schema.get("items") {
        paths(items, root, &below("[]"), found);
    }
}

#[test]
fn every_key_of_the_specification_stands_in_the_table_once() {
    let schema: Value = serde_json::from_str(SCHEMA).unwrap();
    let mut specified = BTreeSet::new();
    paths(&schema, &schema, "", &mut specified);
    let table: Vec<String> = stack::keys().into_iter().map(|(path, _)| path).collect();
    let once: BTreeSet<String> = table.iter().cloned().collect();
    assert_eq!(table.len(), once.len(), "a key stands twice");
    let missing: Vec<&String> = specified.difference(&once).collect();
    let unknown: Vec<&String> = once.difference(&specified).collect();
    assert_eq!((missing, unknown), (vec![], vec![]));
}

fn page() -> String {
    let mut page = ABOVE.to_owned();
    let keys = stack::keys();
    let section = |page: &mut String, title: &str, wanted: &dyn Fn(&Fate) -> Option<&'static str>| {
        let _ = write!(page, "\n## {title}\n\n| key | why |\n|---|---|\n");
        for (path, fate) in &keys {
            if let Some(why) = wanted(fate) {
                let _ = writeln!(page, "| `{path}` | {why} |");
            }
        }
    };
    section(&mut page, "Refused", &|fate| match fate {
        Fate::Refused(why) => Some(why),
        _ => None,
    });
    section(&mut page, "Ignored", &|fate| match fate {
        Fate::Ignored(why) => Some(why),
        _ => None,
    });
    page += "\n## Run\n\n";
    for (path, fate) in &keys {
        if *fate == Fate::Run {
            let _ = writeln!(page, "- `{path}`");
        }
    }
    page
}

#[test]
fn the_page_is_made_of_the_table() {
    let page = page();
    if std::env::var_os("UPDATE").is_some() {
        std::fs::write(PAGE, &page).unwrap();
    }
    let written = std::fs::read_to_string(PAGE).unwrap_or_default();
    assert!(written == page, "docs/compose.md is stale: UPDATE=1 cargo test -p stack --test keys");
}
