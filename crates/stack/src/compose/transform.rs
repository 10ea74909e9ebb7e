//! Short syntax to long.

use std::sync::OnceLock;

use diag::Diagnostic;

use super::{merge::dependency, rules::Rules, short};
use crate::{
    reading::Reading,
    tree::{Entry, Map, Node, Value},
};

/// What becomes of the value at a path.
#[derive(Clone, Copy)]
enum Form {
    /// Its entries are looked at in turn.
    Inside,
    /// A string is the context.
    Build,
    External,
    /// A string is the source.
    FileMount,
    /// Anything is a string.
    AsString,
    KeyValue,
    DependsOn,
    EnvFile,
    /// A string is a list of one.
    Listed,
    Extends,
    Gpus,
    /// A list of names is a mapping of nothing.
    Names,
    Mount,
    Device,
    Ports,
    Ssh,
    Ulimit,
}

const TABLE: &[(&str, Form)] = &[
    ("services.*", Form::Inside),
    ("services.*.build.secrets.*", Form::FileMount),
    ("services.*.build.provenance", Form::AsString),
    ("services.*.build.sbom", Form::AsString),
    ("services.*.build.additional_contexts", Form::KeyValue),
    ("services.*.depends_on", Form::DependsOn),
    ("services.*.env_file", Form::EnvFile),
    ("services.*.label_file", Form::Listed),
    ("services.*.extends", Form::Extends),
    ("services.*.gpus", Form::Gpus),
    ("services.*.networks", Form::Names),
    ("services.*.models", Form::Names),
    ("services.*.volumes.*", Form::Mount),
    ("services.*.dns", Form::Listed),
    ("services.*.devices.*", Form::Device),
    ("services.*.secrets.*", Form::FileMount),
    ("services.*.configs.*", Form::FileMount),
    ("services.*.ports", Form::Ports),
    ("services.*.build", Form::Build),
    ("services.*.build.ssh", Form::Ssh),
    ("services.*.ulimits.*", Form::Ulimit),
    ("services.*.build.ulimits.*", Form::Ulimit),
    ("services.*.develop.watch.*.ignore", Form::Listed),
    ("services.*.develop.watch.*.include", Form::Listed),
    ("volumes.*", Form::External),
    ("networks.*", Form::External),
    ("secrets.*", Form::External),
    ("configs.*", Form::External),
];

/// Brings a file into the long syntax.
pub(crate) fn canonical(reading: &Reading<'_>, file: &mut Node) {
    static RULES: OnceLock<Rules<Form>> = OnceLock::new();
    walk(reading, file, RULES.get_or_init(|| Rules::of(TABLE)));
    leave_out_empty_name_servers(file);
}

fn walk(reading: &Reading<'_>, node: &mut Node, rules: &Rules<Form>) {
    match rules.rule {
        None | Some(Form::Inside) => inside(reading, node, rules),
        Some(Form::Build) => {
            if node.as_str().is_some() {
                keyed(node, "context");
            }
            inside(reading, node, rules);
        }
        Some(Form::External) => {
            inside(reading, node, rules);
            external(reading, node);
        }
        Some(form) => {
            if let Err(wanted) = formed(reading, node, form) {
                let message = format!("this must be {wanted}, and is {}", node.shown());
                reading.error(node.at, "wrong-type", message);
            }
        }
    }
}

fn inside(reading: &Reading<'_>, node: &mut Node, rules: &Rules<Form>) {
    match &mut node.value {
        Value::Map(map) => {
            for (key, entry) in map {
                if let Some(below) = rules.step(key) {
                    walk(reading, &mut entry.node, below);
                }
            }
        }
        Value::List(list) => {
            if let Some(below) = rules.step("[]") {
                list.iter_mut().for_each(|item| walk(reading, item, below));
            }
        }
        _ => {}
    }
}

/// A value into a mapping with it under `key`.
fn keyed(node: &mut Node, key: &str) {
    let value = std::mem::replace(&mut node.value, Value::Null);
    *node = Node::map(node.at, [(key, value)]);
}

/// Gives a value its long form; the error is what it should have been.
fn formed(reading: &Reading<'_>, node: &mut Node, form: Form) -> Result<(), &'static str> {
    let at = node.at;
    match (form, &mut node.value) {
        (Form::FileMount | Form::Device | Form::Mount | Form::Extends, Value::Map(_)) => {}
        (Form::FileMount, Value::Text(_)) => keyed(node, "source"),
        (Form::Extends, Value::Text(_)) => keyed(node, "service"),
        (Form::FileMount | Form::Extends, _) => return Err("a name or a mapping"),
        (Form::AsString, Value::Text(_)) => {}
        (Form::AsString, _) => *node = Node::text(at, node.printed()),
        (Form::KeyValue | Form::Ssh, Value::Map(_)) => {}
        (Form::KeyValue | Form::Ssh, Value::List(list)) => {
            let pairs = pairs(reading, std::mem::take(list), matches!(form, Form::Ssh));
            node.value = Value::Map(pairs);
        }
        (Form::KeyValue | Form::Ssh, _) => return Err("a list of `NAME=value` or a mapping"),
        (Form::DependsOn, Value::Map(map)) => {
            for entry in map.values_mut() {
                dependency_defaults(reading, &mut entry.node);
            }
        }
        (Form::DependsOn, Value::List(list)) => {
            node.value = Value::Map(names(std::mem::take(list), dependency));
        }
        (Form::DependsOn, _) => return Err("a list of services or a mapping"),
        (Form::EnvFile, Value::Text(_)) => {
            let mut item = Node::new(at, std::mem::replace(&mut node.value, Value::Null));
            env_file(&mut item);
            node.value = Value::List(vec![item]);
        }
        (Form::EnvFile, Value::List(list)) => list.iter_mut().for_each(env_file),
        (Form::EnvFile, _) => return Err("a path or a list of paths"),
        (Form::Listed, Value::Text(_)) => {
            let item = Node::new(at, std::mem::replace(&mut node.value, Value::Null));
            node.value = Value::List(vec![item]);
        }
        (Form::Listed, _) => {}
        (Form::Gpus, Value::Text(_)) => {
            node.value = Value::List(vec![Node::map(at, [("count", Value::Text("all".into()))])]);
        }
        (Form::Gpus, Value::List(_)) => {}
        (Form::Gpus, _) => return Err("`all` or a list"),
        (Form::Names, Value::List(list)) => {
            node.value = Value::Map(names(std::mem::take(list), |_| Value::Null))
        }
        (Form::Names, _) => {}
        (Form::Mount, Value::Text(text)) => match short::volume(text) {
            Ok(volume) => *node = volume.long(at),
            Err(why) => {
                let said = Diagnostic::error("bad-mount", short::bad_mount(text, why));
                reading.say(at, said.hint("write `[SOURCE:]TARGET[:ro]`"));
            }
        },
        (Form::Mount, _) => return Err("`[SOURCE:]TARGET[:OPTIONS]` or a mapping"),
        (Form::Device, Value::Text(text)) => match short::device(text, at) {
            Some(device) => *node = device,
            None => {
                let message = format!("`{}` is not a device", text.shown());
                let said = Diagnostic::error("bad-device", message).cause("it has too many colons");
                reading.say(at, said.hint("write a mapping of `source`, `target` and `permissions`"));
            }
        },
        (Form::Device, _) => return Err("`SOURCE[:TARGET[:PERMISSIONS]]` or a mapping"),
        (Form::Ports, Value::List(list)) => *list = ports(reading, std::mem::take(list)),
        (Form::Ports, _) => return Err("a list"),
        (Form::Ulimit, Value::Int(_) | Value::Map(_)) => {}
        (Form::Ulimit, _) => return Err("a whole number, or a mapping of `soft` and `hard`"),
        (Form::Inside | Form::Build | Form::External, _) => {}
    }
    Ok(())
}

fn names(list: Vec<Node>, value: impl Fn(crate::tree::Spot) -> Value) -> Map {
    let named = list.into_iter().filter_map(|item| {
        let name = item.as_str()?.to_string();
        Some((name, Entry::at(Node::new(item.at, value(item.at)))))
    });
    named.collect()
}

fn pairs(reading: &Reading<'_>, list: Vec<Node>, ssh: bool) -> Map {
    let mut pairs = Map::new();
    for item in list {
        let Some(text) = item.as_str() else { continue };
        let (name, value) = match text.cut("=") {
            Some((name, value)) => (name.into_text(), Value::Text(value)),
            None if ssh && &**text == "default" => (text.to_string(), Value::Null),
            None => {
                let message = format!("`{}` must be `NAME=value`", text.shown());
                reading.error(item.at, "wrong-type", message);
                continue;
            }
        };
        pairs.insert(name, Entry::at(Node::new(item.at, value)));
    }
    pairs
}

fn dependency_defaults(reading: &Reading<'_>, node: &mut Node) {
    let at = node.at;
    let Value::Map(map) = &mut node.value else {
        let message = format!("a dependency must be a mapping, and is {}", node.shown());
        reading.error(at, "wrong-type", message);
        return;
    };
    let mut default = |key: &str, value: Value| {
        map.entry(key.to_owned()).or_insert_with(|| Entry::at(Node::new(at, value)));
    };
    default("condition", Value::Text("service_started".into()));
    default("required", Value::Bool(true));
}

fn env_file(item: &mut Node) {
    let at = item.at;
    if item.as_str().is_some() {
        keyed(item, "path");
    }
    if let Value::Map(map) = &mut item.value {
        map.entry("required".to_owned()).or_insert_with(|| Entry::at(Node::new(at, Value::Bool(true))));
    }
}

/// Each port in the long syntax; a range is as many ports.
fn ports(reading: &Reading<'_>, list: Vec<Node>) -> Vec<Node> {
    let mut long = Vec::with_capacity(list.len());
    for item in list {
        match &item.value {
            Value::Map(_) => long.push(item),
            Value::Int(_) | Value::Text(_) => {
                let written = item.printed();
                match short::ports(&written, item.at) {
                    Ok(ports) => long.extend(ports),
                    Err(why) => {
                        let message = format!("`{}` is not a port mapping", written.shown());
                        let said = Diagnostic::error("bad-port", message);
                        // A value from the environment is not repeated in the reason.
                        let said = if written.is_plain() { said.cause(why) } else { said };
                        reading.say(item.at, said.hint("write `[ADDRESS:][HOST:]CONTAINER[/PROTOCOL]`"));
                    }
                }
            }
            _ => {
                let message = format!("a port must be a string or a mapping, and is {}", item.shown());
                reading.error(item.at, "wrong-type", message);
            }
        }
    }
    long
}

/// `external: {name: …}`, which is the old way to write it.
fn external(reading: &Reading<'_>, node: &mut Node) {
    let Value::Map(map) = &mut node.value else { return };
    let Some(entry) = map.get_mut("external").filter(|entry| entry.node.as_map().is_some()) else { return };
    let at = entry.node.at;
    let Value::Map(old) = std::mem::replace(&mut entry.node.value, Value::Bool(true)) else { return };
    let Some(inner) = old.get("name") else { return };
    let said = Diagnostic::note("obsolete-key", "`external: {name: …}` is the old way to write it");
    reading.say(at, said.hint("write `external: true` and `name:` beside it"));
    match map.get("name") {
        Some(name) if name.node != inner.node => {
            let said = Diagnostic::error("conflict", "`name` and `external.name` say different things");
            reading.say(inner.node.at, said.hint("keep `name` alone"));
        }
        Some(_) => {}
        None => drop(map.insert("name".to_owned(), inner.clone())),
    }
}

/// Empty entries of `dns` are as if they were not there.
fn leave_out_empty_name_servers(file: &mut Node) {
    let Some(Value::Map(services)) = file.get_mut("services").map(|node| &mut node.value) else { return };
    for service in services.values_mut() {
        match service.node.get_mut("dns").map(|dns| &mut dns.value) {
            Some(Value::List(list)) => {
                list.retain(|item| !item.is_null() && item.as_str().is_none_or(|text| !text.is_empty()));
            }
            Some(Value::Map(map)) => map.retain(|_, entry| !entry.node.is_null()),
            _ => {}
        }
    }
}
