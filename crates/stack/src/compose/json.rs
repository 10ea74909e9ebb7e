//! The project as JSON: as the reference prints it, or with references in place of what came from variables.

use std::collections::{BTreeMap, BTreeSet};

use diag::Place;
use serde_json::{Map as Json, Value as J};

use super::normalize::SECRET_CONTENT;
use crate::{
    reading::Reading,
    string::{Origin, Piece, Str},
    tree::{Map, Node, Value},
};

/// How strings are printed that came from variables.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Values {
    /// As they are. A declared secret has no value yet, and is printed as it was written.
    Shown,
    /// As they were written.
    Referred,
}

/// The project without what no enabled service uses.
pub(super) fn used(file: &Node) -> Node {
    let services = || file.get("services").into_iter().flat_map(Node::entries).map(|(_, entry)| &entry.node);
    let keys = |key: &str| -> BTreeSet<String> {
        let sections = services().filter_map(|service| service.get(key));
        sections.flat_map(Node::entries).map(|(name, _)| name.clone()).collect()
    };
    let sources = |lists: Vec<&Node>| -> BTreeSet<String> {
        let items = lists.into_iter().flat_map(Node::items);
        items.filter_map(|item| Some(item.str("source")?.to_string())).collect()
    };
    let listed = |key: &str| services().filter_map(|service| service.get(key)).collect::<Vec<_>>();
    let volumes: BTreeSet<String> = listed("volumes")
        .into_iter()
        .flat_map(Node::items)
        .filter(|mount| mount.str("type").is_some_and(|kind| &**kind == "volume"))
        .filter_map(|mount| Some(mount.str("source")?.to_string()))
        .collect();
    let mut secrets = listed("secrets");
    secrets.extend(services().filter_map(|service| service.get("build")?.get("secrets")));
    let mut used = file.clone();
    for (section, names) in [
        ("networks", keys("networks")),
        ("volumes", volumes),
        ("secrets", sources(secrets)),
        ("configs", sources(listed("configs"))),
        ("models", keys("models")),
    ] {
        if let Some(map) = used.get_mut(section).and_then(Node::as_map_mut) {
            map.retain(|name, _| names.contains(name));
            if map.is_empty() {
                used.as_map_mut().map(|map| map.shift_remove(section));
            }
        }
    }
    used
}

/// Prints the project.
pub(crate) fn print(name: &str, used: &Node, values: Values) -> J {
    let mut top = Json::new();
    top.insert("name".to_owned(), doubled(name).into());
    let mut services = used.get("services").map(|services| json(services, values));
    for service in services.iter_mut().filter_map(J::as_object_mut).flat_map(Json::values_mut) {
        service.as_object_mut().map(|service| service.remove("pull_refresh_after"));
    }
    top.insert("services".to_owned(), services.unwrap_or_else(|| J::Object(Json::new())));
    for section in ["networks", "volumes", "secrets", "configs"] {
        let Some(map) = used.get(section).and_then(Node::as_map).filter(|map| !map.is_empty()) else {
            continue;
        };
        top.insert(section.to_owned(), resources(section, map, values));
    }
    for (key, entry) in used.entries().filter(|(key, _)| key.starts_with("x-")) {
        top.insert(doubled(key), emptied(json(&entry.node, values)));
    }
    J::Object(top)
}

/// The reference prints an empty list of the user's own as nothing.
fn emptied(json: J) -> J {
    match json {
        J::Array(list) if list.is_empty() => J::Null,
        J::Array(list) => list.into_iter().map(emptied).collect(),
        J::Object(map) => J::Object(map.into_iter().map(|(key, inner)| (key, emptied(inner))).collect()),
        other => other,
    }
}

/// Networks and the like. The content of a secret is never printed, nor that of a config which is a variable.
fn resources(section: &str, map: &Map, values: Values) -> J {
    let printed = map.iter().map(|(name, entry)| {
        let mut resource = json(&entry.node, values);
        if let J::Object(object) = &mut resource {
            object.remove(SECRET_CONTENT);
            if let Some(J::Object(ipam)) = object.get_mut("ipam") {
                ipam.remove("options");
            }
            if section == "secrets" || object.contains_key("environment") {
                object.remove("content");
            }
        }
        (doubled(name), resource)
    });
    J::Object(printed.collect())
}

/// `$` is doubled, so that reading it again gives the same.
fn doubled(text: &str) -> String {
    text.replace('$', "$$")
}

fn string(text: &Str, values: Values) -> String {
    text.pieces()
        .into_iter()
        .map(|piece| match piece {
            Piece::Plain(text) => doubled(text),
            Piece::Of(Origin::Variable(_), value) if values == Values::Shown => doubled(value),
            Piece::Of(Origin::Secret(name) | Origin::Variable(name), _) => format!("${{{name}}}"),
        })
        .collect()
}

fn json(node: &Node, values: Values) -> J {
    match &node.value {
        Value::Null => J::Null,
        Value::Bool(value) => (*value).into(),
        Value::Int(value) => (*value).into(),
        Value::Large(value) => (*value).into(),
        Value::Float(value) => (*value).into(),
        Value::Time(time) => time.as_str().into(),
        Value::Text(text) => string(text, values).into(),
        Value::List(list) => list.iter().map(|item| json(item, values)).collect(),
        Value::Map(map) => {
            J::Object(map.iter().map(|(key, entry)| (doubled(key), json(&entry.node, values))).collect())
        }
    }
}

/// Where each service, each other resource, and each key below them stands, by JSON pointer.
pub(crate) fn places(reading: &Reading<'_>, file: &Node) -> BTreeMap<String, Place> {
    let mut places = BTreeMap::new();
    collect(reading, file, &mut String::new(), &mut places);
    places
}

fn collect(reading: &Reading<'_>, node: &Node, pointer: &mut String, places: &mut BTreeMap<String, Place>) {
    let length = pointer.len();
    match &node.value {
        Value::Map(map) => {
            for (key, entry) in map {
                *pointer += &format!("/{}", key.replace('~', "~0").replace('/', "~1"));
                if entry.key_at.line > 0 {
                    places.insert(pointer.clone(), reading.place(entry.key_at));
                }
                collect(reading, &entry.node, pointer, places);
                pointer.truncate(length);
            }
        }
        Value::List(list) => {
            for (index, item) in list.iter().enumerate() {
                *pointer += &format!("/{index}");
                places.insert(pointer.clone(), reading.place(item.at));
                collect(reading, item, pointer, places);
                pointer.truncate(length);
            }
        }
        _ => {}
    }
}
