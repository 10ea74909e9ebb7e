//! One normalised file laid over another, by the specification's rules.

use diag::Diagnostic;

use crate::{
    reading::Reading,
    tree::{Entry, Map, Node, Tag, Value},
};

/// Lays `over` over `base`.
pub(crate) fn merge(reading: &Reading<'_>, base: Node, over: Node) -> Node {
    merge_at(reading, base, over, &mut Vec::new())
}

fn merge_at(reading: &Reading<'_>, base: Node, over: Node, path: &mut Vec<String>) -> Node {
    if over.tag == Tag::Override || replaces(path) {
        return over;
    }
    if over.is_null() && !nulls_count(path) {
        return base;
    }
    match (base.value, over.value) {
        (Value::Map(below), Value::Map(above)) => {
            if path_is(path, &["services", "*", "logging"]) && other_driver(&below, &above) {
                return Node { at: over.at, tag: Tag::None, value: Value::Map(above) };
            }
            let value = Value::Map(merge_maps(reading, below, above, path));
            Node { at: base.at, tag: Tag::None, value }
        }
        (Value::List(mut below), Value::List(above)) => {
            below.extend(above);
            Node { at: base.at, tag: Tag::None, value: Value::List(below) }
        }
        (below @ (Value::Map(_) | Value::List(_)), above) => {
            let key = path.last().cloned().unwrap_or_default();
            let (below, above) = (Node { value: below, ..base }, Node { value: above, ..over });
            let message = format!("`{key}` is {} here, and {} in the file below", above.kind(), below.kind());
            let said = Diagnostic::error("cannot-merge", message);
            let said = said.cause(format!("it stands at {}", reading.place(below.at)));
            reading.say(above.at, said.hint("write it the same way in both files, or mark it `!override`"));
            below
        }
        (_, value) => Node { at: over.at, tag: Tag::None, value },
    }
}

fn merge_maps(reading: &Reading<'_>, mut base: Map, over: Map, path: &mut Vec<String>) -> Map {
    for (key, above) in over {
        if above.node.tag == Tag::Reset {
            base.shift_remove(&key);
            continue;
        }
        let Some(below) = base.get_mut(&key) else {
            base.insert(key, above);
            continue;
        };
        let taken = std::mem::replace(&mut below.node, Node::new(above.node.at, Value::Null));
        path.push(key);
        let kept_key = if taken.as_map().is_some() { below.key_at } else { above.key_at };
        *below = Entry::new(kept_key, merge_at(reading, taken, above.node, path));
        path.pop();
    }
    base
}

/// Keys whose value is one thing, though it is written as a list.
fn replaces(path: &[String]) -> bool {
    path_is(path, &["services", "*", "command"])
        || path_is(path, &["services", "*", "entrypoint"])
        || path_is(path, &["services", "*", "healthcheck", "test"])
}

/// Mappings in which an empty value says something: it is looked up in the environment.
fn nulls_count(path: &[String]) -> bool {
    path_is(path, &["services", "*", "environment", "*"])
}

fn other_driver(below: &Map, above: &Map) -> bool {
    let driver = |map: &Map| map.get("driver").and_then(|entry| entry.node.scalar());
    match (driver(below), driver(above)) {
        (Some(below), Some(above)) => below != above,
        _ => false,
    }
}

fn path_is(path: &[String], pattern: &[&str]) -> bool {
    path.len() == pattern.len()
        && path.iter().zip(pattern).all(|(part, wanted)| *wanted == "*" || part == wanted)
}

/// Drops what `!reset` marks where there is nothing below it, and the marks themselves.
pub(crate) fn settle(node: &mut Node) {
    node.tag = Tag::None;
    match &mut node.value {
        Value::Map(map) => {
            map.retain(|_, entry| entry.node.tag != Tag::Reset);
            map.values_mut().for_each(|entry| settle(&mut entry.node));
        }
        Value::List(list) => {
            list.retain(|item| item.tag != Tag::Reset);
            list.iter_mut().for_each(settle);
        }
        _ => {}
    }
}

/// In lists whose entries have an identity, the later entry takes the place of the earlier one.
pub(crate) fn unify(reading: &Reading<'_>, file: &mut Node) {
    let Some(services) = file.as_map_mut().and_then(|top| top.get_mut("services")) else { return };
    let Some(services) = services.node.as_map_mut() else { return };
    for service in services.values_mut() {
        let Some(service) = service.node.as_map_mut() else { continue };
        for (key, identity) in IDENTITIES {
            if let Some(Value::List(list)) = service.get_mut(*key).map(|entry| &mut entry.node.value) {
                *list = unified(reading, std::mem::take(list), *identity);
            }
        }
    }
}

type Identity = fn(&Reading<'_>, &Node) -> Option<String>;

const IDENTITIES: &[(&str, Identity)] = &[
    ("cap_add", itself),
    ("cap_drop", itself),
    ("expose", itself),
    ("profiles", itself),
    ("tmpfs", itself),
    ("extra_hosts", itself),
    ("env_file", |reading, node| field(reading, node, "path")),
    ("ports", port),
    ("volumes", |reading, node| Some(field(reading, node, "target")?.trim_end_matches('/').to_owned())),
    ("secrets", |reading, node| mounted(reading, node, "/run/secrets/")),
    ("configs", |reading, node| mounted(reading, node, "/")),
];

fn itself(reading: &Reading<'_>, node: &Node) -> Option<String> {
    reading.plain(&node.scalar()?).ok()
}

fn field(reading: &Reading<'_>, node: &Node, key: &str) -> Option<String> {
    itself(reading, node.get(key)?)
}

fn port(reading: &Reading<'_>, node: &Node) -> Option<String> {
    let field = |key| field(reading, node, key);
    let protocol = field("protocol").unwrap_or_else(|| "tcp".to_owned());
    let (host, published) = (field("host_ip").unwrap_or_default(), field("published").unwrap_or_default());
    Some(format!("{host}:{published}:{}/{protocol}", field("target")?))
}

fn mounted(reading: &Reading<'_>, node: &Node, directory: &str) -> Option<String> {
    let target = field(reading, node, "target").or_else(|| field(reading, node, "source"))?;
    Some(if target.starts_with('/') { target } else { format!("{directory}{target}") })
}

fn unified(reading: &Reading<'_>, list: Vec<Node>, identity: Identity) -> Vec<Node> {
    let mut kept: indexmap::IndexMap<String, Node> = indexmap::IndexMap::new();
    for (index, node) in list.into_iter().enumerate() {
        // What has no identity is kept as it is: the typed reading says what is wrong with it.
        let key = identity(reading, &node).unwrap_or_else(|| format!("\0{index}"));
        kept.insert(key, node);
    }
    kept.into_values().collect()
}
