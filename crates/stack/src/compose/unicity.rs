//! In lists whose entries have an identity, the later entry takes the place of the earlier one.

use std::{collections::BTreeMap, sync::OnceLock};

use super::{rules::Rules, short};
use crate::{
    reading::Reading,
    tree::{Node, Value},
};

/// What makes two entries of a list the same.
#[derive(Clone, Copy)]
enum Identity {
    /// What stands before the first `=`.
    Name,
    /// Where it is mounted.
    Target,
    Device,
    /// Where the file is put; else its name below this directory.
    File(&'static str),
    EnvFile,
    Exposed,
    Port,
}

const TABLE: &[(&str, Identity)] = &[
    ("networks.*.labels", Identity::Name),
    ("networks.*.ipam.options", Identity::Name),
    ("services.*.annotations", Identity::Name),
    ("services.*.build.args", Identity::Name),
    ("services.*.build.additional_contexts", Identity::Name),
    ("services.*.build.platform", Identity::Name),
    ("services.*.build.tags", Identity::Name),
    ("services.*.build.labels", Identity::Name),
    ("services.*.cap_add", Identity::Name),
    ("services.*.cap_drop", Identity::Name),
    ("services.*.configs", Identity::File("")),
    ("services.*.deploy.labels", Identity::Name),
    ("services.*.devices", Identity::Device),
    ("services.*.dns", Identity::Name),
    ("services.*.dns_opt", Identity::Name),
    ("services.*.dns_search", Identity::Name),
    ("services.*.environment", Identity::Name),
    ("services.*.env_file", Identity::EnvFile),
    ("services.*.expose", Identity::Exposed),
    ("services.*.labels", Identity::Name),
    ("services.*.links", Identity::Name),
    ("services.*.networks.*.aliases", Identity::Name),
    ("services.*.networks.*.link_local_ips", Identity::Name),
    ("services.*.ports", Identity::Port),
    ("services.*.profiles", Identity::Name),
    ("services.*.secrets", Identity::File("/run/secrets")),
    ("services.*.sysctls", Identity::Name),
    ("services.*.tmpfs", Identity::Name),
    ("services.*.volumes", Identity::Target),
];

/// Unifies every such list of a file.
pub(crate) fn enforce(reading: &Reading<'_>, file: &mut Node) {
    static RULES: OnceLock<Rules<Identity>> = OnceLock::new();
    walk(reading, file, RULES.get_or_init(|| Rules::of(TABLE)));
}

fn walk(reading: &Reading<'_>, node: &mut Node, rules: &Rules<Identity>) {
    match &mut node.value {
        Value::Map(map) => {
            for (key, entry) in map {
                if let Some(below) = rules.step(key) {
                    walk(reading, &mut entry.node, below);
                }
            }
        }
        Value::List(list) => {
            if let Some(identity) = rules.rule {
                *list = unified(reading, std::mem::take(list), identity);
            }
        }
        _ => {}
    }
}

fn unified(reading: &Reading<'_>, list: Vec<Node>, identity: Identity) -> Vec<Node> {
    let mut kept: Vec<Node> = Vec::with_capacity(list.len());
    let mut places: BTreeMap<String, usize> = BTreeMap::new();
    for node in list {
        match of(&node, identity) {
            Ok(key) => match places.get(&key) {
                Some(place) => kept[*place] = node,
                None => {
                    places.insert(key, kept.len());
                    kept.push(node);
                }
            },
            Err((id, why)) => {
                reading.error(node.at, id, why);
                kept.push(node);
            }
        }
    }
    kept
}

/// Why an entry has no identity: the slug of what to say, and the sentence.
type Unknown = (&'static str, String);

fn of(node: &Node, identity: Identity) -> Result<String, Unknown> {
    let is = |wanted: &str| ("wrong-type", format!("this must be {wanted}, and is {}", node.shown()));
    match (identity, &node.value) {
        (Identity::Name, Value::Text(text)) => {
            Ok(text.split_once('=').map_or(&**text, |(name, _)| name).to_owned())
        }
        (Identity::Name, _) => Err(is("a string")),
        (Identity::Target | Identity::Device, Value::Map(_)) => match node.str("target") {
            Some(target) => Ok(target.to_string()),
            None => {
                Err(("missing-key", "this needs a `target`: where it is inside the container".to_owned()))
            }
        },
        (Identity::Target, Value::Text(text)) => {
            let target =
                short::volume(text).map_err(|why| ("bad-mount", short::bad_mount(text, why)))?.target;
            Ok(target.into_text())
        }
        (Identity::Device, Value::Text(text)) => Ok(text.split(':').nth(1).unwrap_or(text).to_owned()),
        (Identity::File(directory), Value::Text(text)) => Ok(format!("{directory}/{}", &**text)),
        (Identity::File(directory), Value::Map(_)) => match node.get("target") {
            Some(target) => target.as_str().map(|text| text.to_string()).ok_or_else(|| is("a string")),
            None => {
                let source = node.get("source").map(|source| source.printed().into_text());
                Ok(format!("{directory}/{}", source.unwrap_or_default()))
            }
        },
        (Identity::EnvFile, Value::Map(_)) => match node.str("path") {
            Some(path) => Ok(path.to_string()),
            None => Err(("missing-key", "an env file needs its `path`".to_owned())),
        },
        (Identity::Exposed, Value::Text(text)) => Ok(text.to_string()),
        (Identity::Exposed, Value::Int(port)) => Ok(port.to_string()),
        (Identity::File(_) | Identity::Exposed, _) => Err(is("a string")),
        (Identity::Port, Value::Map(_)) => port(node),
        (Identity::Port | Identity::EnvFile, Value::Text(text)) => Ok(text.to_string()),
        (Identity::Port, Value::Int(port)) => Ok(port.to_string()),
        (Identity::Target | Identity::Device | Identity::EnvFile | Identity::Port, _) => Ok(String::new()),
    }
}

/// Address, host port, container port and protocol. A number and a string are two host ports to the reference.
fn port(node: &Node) -> Result<String, Unknown> {
    let Some(target) = node.get("target") else {
        return Err(("missing-key", "a port needs its `target`".to_owned()));
    };
    let published = match node.get("published").map(|published| (published, &published.value)) {
        None => "none".to_owned(),
        Some((published, Value::Text(_))) => format!("text {}", &*published.printed()),
        Some((published, _)) => format!("other {}", &*published.printed()),
    };
    let or = |key: &str, default: &str| {
        node.get(key).map_or_else(|| default.to_owned(), |value| value.printed().into_text())
    };
    Ok(format!("{}:{published}:{}/{}", or("host_ip", "0.0.0.0"), &*target.printed(), or("protocol", "tcp")))
}
