//! The merged tree as JSON, in the long syntax: what `render` prints.

use std::collections::BTreeMap;

use diag::Place;
use serde_json::{Map as Json, Value as J, json};

use crate::{
    compose::enabled,
    reading::Reading,
    shape::{Service, Shape},
    text::{Part, Text},
    tree::{Node, Value},
};

/// The canonical tree of the services that are enabled; values of variables and secrets stand as references.
pub(crate) fn canonical(reading: &Reading<'_>, file: &Node, shape: &Shape, profiles: &[String]) -> J {
    let mut top = Json::new();
    top.insert("name".to_owned(), shape.stack.as_str().into());
    let section = |name: &str| file.get(name).and_then(Node::as_map).into_iter().flatten();
    let services: Json<String, J> = section("services")
        .filter(|(_, entry)| !entry.node.is_null() && enabled(&entry.node, profiles))
        .map(|(name, entry)| {
            (name.clone(), service(reading, &entry.node, shape.services.get(&name.as_str().into())))
        })
        .collect();
    let files_used = |kind: &str, name: &str| {
        let lists = services.values().filter_map(|service| service.get(kind)?.as_array());
        lists.flatten().any(|item| item.get("source").and_then(J::as_str) == Some(name))
    };
    let mut resources: Vec<(&str, Json<String, J>)> = Vec::new();
    let networks = shape.networks.iter().map(|(key, network)| {
        let mut json = declared(reading, file, "networks", key.as_str());
        json.insert("name".to_owned(), shape.network_name(key).into());
        json.entry("ipam").or_insert_with(|| json!({}));
        if network.external {
            json.insert("external".to_owned(), true.into());
        }
        (key.to_string(), J::Object(json))
    });
    resources.push(("networks", networks.collect()));
    let volumes = shape.volumes.keys().map(|key| {
        let mut json = declared(reading, file, "volumes", key.as_str());
        json.insert("name".to_owned(), shape.volume_name(key).into());
        (key.to_string(), J::Object(json))
    });
    resources.push(("volumes", volumes.collect()));
    for kind in ["secrets", "configs"] {
        let used = section(kind).filter(|(name, _)| files_used(kind, name)).map(|(name, _)| {
            let mut json = declared(reading, file, kind, name);
            json.entry("name").or_insert_with(|| format!("{}_{name}", shape.stack).into());
            if let Some(path) = json.get("file").and_then(J::as_str).map(|path| reading.absolute(path)) {
                json.insert("file".to_owned(), path.into());
            }
            (name.clone(), J::Object(json))
        });
        resources.push((kind, used.collect()));
    }
    top.insert("services".to_owned(), J::Object(services));
    for (name, resource) in resources {
        if !resource.is_empty() {
            top.insert(name.to_owned(), J::Object(resource));
        }
    }
    for (key, entry) in file.as_map().into_iter().flatten().filter(|(key, _)| key.starts_with("x-")) {
        top.insert(key.clone(), json_of(reading, &entry.node));
    }
    J::Object(top)
}

fn declared(reading: &Reading<'_>, file: &Node, section: &str, name: &str) -> Json<String, J> {
    match file.get(section).and_then(|section| section.get(name)).map(|node| json_of(reading, node)) {
        Some(J::Object(json)) => json,
        _ => Json::new(),
    }
}

fn service(reading: &Reading<'_>, node: &Node, typed: Option<&Service>) -> J {
    let J::Object(mut json) = json_of(reading, node) else { return J::Null };
    json.retain(|key, _| !key.starts_with("x-") && key != "env_file");
    if let Some(typed) = typed.filter(|typed| !typed.environment.is_empty()) {
        let value = |text: &Option<Text>| text.as_ref().map_or(J::Null, |text| written(text).into());
        let environment = typed.environment.iter().map(|(name, text)| (name.replace('$', "$$"), value(text)));
        json.insert("environment".to_owned(), J::Object(environment.collect()));
    }
    for dependency in
        json.get_mut("depends_on").and_then(J::as_object_mut).into_iter().flat_map(Json::values_mut)
    {
        if let Some(dependency) = dependency.as_object_mut() {
            dependency.entry("required").or_insert(true.into());
        }
    }
    for key in ["command", "entrypoint"] {
        json.entry(key).or_insert(J::Null);
    }
    if !json.contains_key("network_mode") && json.get("networks").is_none_or(empty) {
        json.insert("networks".to_owned(), json!({ "default": null }));
    }
    for mount in json.get_mut("volumes").and_then(J::as_array_mut).into_iter().flatten() {
        let Some(mount) = mount.as_object_mut() else { continue };
        if mount.get("type").and_then(J::as_str) == Some("bind")
            && let Some(path) = mount.get("source").and_then(J::as_str).map(|path| reading.absolute(path))
        {
            mount.insert("source".to_owned(), path.into());
        }
    }
    J::Object(json)
}

/// A text with `$` doubled where it is literal.
fn written(text: &Text) -> String {
    let double = |part: &Part| match part {
        Part::Literal(literal) => Part::Literal(literal.replace('$', "$$")),
        other => other.clone(),
    };
    Text(text.0.iter().map(double).collect()).to_string()
}

fn empty(json: &J) -> bool {
    json.is_null()
        || json.as_object().is_some_and(Json::is_empty)
        || json.as_array().is_some_and(Vec::is_empty)
}

/// A node as JSON. `$` is doubled, so that reading it again gives the same.
fn json_of(reading: &Reading<'_>, node: &Node) -> J {
    match &node.value {
        Value::Null => J::Null,
        Value::Bool(value) => (*value).into(),
        Value::Int(value) => (*value).into(),
        Value::Float(value) => (*value).into(),
        Value::Text(text) => reading.shown(&text.replace('$', "$$")).into(),
        Value::List(list) => list.iter().map(|item| json_of(reading, item)).collect(),
        Value::Map(map) => J::Object(
            map.iter().map(|(key, entry)| (key.replace('$', "$$"), json_of(reading, &entry.node))).collect(),
        ),
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
                places.insert(pointer.clone(), reading.place(entry.key_at));
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
