//! Values of `env_file` and `label_file` into the environment and the labels of their services.

use super::dotenv::{self, Values};
use crate::{
    load::Found,
    reading::{Reading, not_a_file},
    string::Str,
    tree::{Entry, Map, Node, Value},
    variables::Variables,
};

/// Reads the files of every enabled service.
pub(super) fn resolve(reading: &Reading<'_>, file: &mut Node, variables: &Variables) {
    let Some(services) = file.get_mut("services").and_then(Node::as_map_mut) else { return };
    for service in services.values_mut() {
        let Some(service) = service.node.as_map_mut() else { continue };
        if let Some(files) = service.shift_remove("env_file") {
            environment(reading, service, &files.node, variables);
        }
        if let Some(files) = service.shift_remove("label_file") {
            labels(reading, service, &files.node);
        }
    }
}

fn environment(reading: &Reading<'_>, service: &mut Map, files: &Node, variables: &Variables) {
    let own = service.shift_remove("environment").map(|entry| entry.node);
    let entries = || own.iter().flat_map(Node::entries);
    // A declared secret has no value that a file could use.
    let known = |entry: &Entry| {
        entry.node.as_str().filter(|text| text.first_secret().is_none()).map(|text| text.to_string())
    };
    let mine: Values = entries().filter_map(|(name, entry)| Some((name.clone(), known(entry)?))).collect();
    let mut values = mine.clone();
    let mut places = std::collections::BTreeMap::new();
    for file in files.items() {
        let before = values.clone();
        let lookup = |name: &str| variables.get(name).map(str::to_owned).or_else(|| mine.get(name).cloned());
        read_env_file(reading, file, &mut values, &lookup);
        for name in
            values.iter().filter(|(name, value)| before.get(*name) != Some(value)).map(|(name, _)| name)
        {
            places.insert(name.clone(), file.at);
        }
    }
    let mut environment = Map::new();
    for (name, value) in values {
        if let Some(at) = places.get(&name) {
            let value = Node::text(*at, Str::held(&name, value));
            environment.insert(name, Entry::new(*at, value));
        }
    }
    for (name, entry) in entries() {
        environment.insert(name.clone(), entry.clone());
    }
    if !environment.is_empty() {
        let at = own.as_ref().map_or(files.at, |node| node.at);
        service.insert("environment".to_owned(), Entry::at(Node::new(at, Value::Map(environment))));
    }
}

fn read_env_file(
    reading: &Reading<'_>,
    file: &Node,
    values: &mut Values,
    lookup: &dyn Fn(&str) -> Option<String>,
) {
    let Some(path) = file.get("path").filter(|path| path.as_str().is_some()) else { return };
    let required = file.get("required").is_none_or(Node::is_true);
    let Some(bytes) = bytes(reading, path, "env file", required) else { return };
    let name = reading.seen(&path.printed());
    let format = file.str("format").map(|format| format.to_string()).unwrap_or_default();
    // What is wrong in the file was said.
    let _ = match format.as_str() {
        "" | ".env" => dotenv::dotenv(reading, &name, bytes, values, lookup),
        "raw" => dotenv::raw(reading, &name, bytes, values, lookup),
        _ => {
            let at = file.get("format").map_or(file.at, |node| node.at);
            let message = "this is no format of an env file: leave it out, or write `raw`";
            reading.error(at, "wrong-type", message);
            None
        }
    };
}

fn bytes<'a>(reading: &Reading<'a>, path: &Node, what: &str, required: bool) -> Option<&'a [u8]> {
    let text = path.as_str()?;
    match reading.find(&reading.absolute(text))? {
        Found::File { bytes, .. } => Some(bytes),
        Found::Missing if !required => None,
        found => {
            let shown = reading.seen(&text.shown());
            let hint = "write `required: false` where it may be missing";
            let said = not_a_file(found, &shown, what);
            let beside = "the path is relative to the Compose file";
            reading.say(path.at, said.hint(if what == "env file" { hint } else { beside }));
            None
        }
    }
}

fn labels(reading: &Reading<'_>, service: &mut Map, files: &Node) {
    let mut values = Values::new();
    let mut labels = Map::new();
    for file in files.items() {
        let Some(bytes) = bytes(reading, file, "label file", true) else { continue };
        let known = values.clone();
        let lookup = |name: &str| known.get(name).cloned();
        let mut own = Values::new();
        // What is wrong in the file was said.
        let _ = dotenv::dotenv(reading, &reading.seen(&file.printed()), bytes, &mut own, &lookup);
        for (name, value) in own {
            labels.insert(name.clone(), Entry::at(Node::text(file.at, value.as_str())));
            values.insert(name, value);
        }
    }
    if let Some(own) = service.shift_remove("labels") {
        for (name, entry) in own.node.entries() {
            labels.insert(name.clone(), entry.clone());
        }
    }
    if !labels.is_empty() {
        service.insert("labels".to_owned(), Entry::at(Node::new(files.at, Value::Map(labels))));
    }
}
