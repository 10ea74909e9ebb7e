//! What is implied, written out: values of the environment, the default network, names, dependencies.

use crate::{
    string::Str,
    tree::{Entry, Map, Node, Spot, Value},
    variables::Variables,
};

/// Fills `- NAME` in a service's environment, and the content of secrets and configs that are variables. Done for each
/// included project with its own variables.
pub(crate) fn resolve_environment(file: &mut Node, variables: &Variables) {
    for service in values(file.get_mut("services")) {
        if let Some(Value::List(list)) = service.get_mut("environment").map(|node| &mut node.value) {
            for item in list {
                if let Value::Text(name) = &mut item.value
                    && let Some(value) = variables.look(name)
                {
                    let mut pair = name.clone();
                    pair.push_str("=");
                    pair.append(&value);
                    *name = pair;
                }
            }
        }
    }
    for (section, key) in [("secrets", SECRET_CONTENT), ("configs", "content")] {
        for object in values(file.get_mut(section)) {
            let Some(name) = object.get("environment") else { continue };
            let (at, value) = (name.at, name.as_str().and_then(|name| variables.look(name)));
            if let (Some(value), Some(map)) = (value, object.as_map_mut()) {
                map.insert(key.to_owned(), Entry::at(Node::text(at, value)));
            }
        }
    }
}

/// Where the value of a secret's variable is kept; no file can say it, and it is never printed.
pub(crate) const SECRET_CONTENT: &str = "x-#value";

fn values(node: Option<&mut Node>) -> impl Iterator<Item = &mut Node> {
    node.and_then(Node::as_map_mut).into_iter().flat_map(|map| map.values_mut()).map(|entry| &mut entry.node)
}

/// Writes out what is implied in the whole project.
pub(crate) fn normalize(file: &mut Node, name: &str, variables: &Variables) {
    default_network(file);
    for service in values(file.get_mut("services")) {
        let at = service.at;
        let Some(service) = service.as_map_mut() else { continue };
        if let Some(policy) = service.get_mut("pull_policy")
            && policy.node.as_str().is_some_and(|policy| &**policy == "if_not_present")
        {
            policy.node.value = Value::Text("missing".into());
        }
        if let Some(build) = service.get_mut("build") {
            build_defaults(&mut build.node, variables);
        }
        if let Some(environment) = service.get_mut("environment") {
            look_up(&mut environment.node, variables, true);
        }
        depend_on_what_is_used(service, at);
        if let Some(Value::List(mounts)) = service.get_mut("volumes").map(|entry| &mut entry.node.value) {
            for mount in mounts {
                if let Some(Value::Text(target)) = mount.get_mut("target").map(|node| &mut node.value) {
                    *target = target.rewritten(super::paths::clean(target));
                }
            }
        }
    }
    names(file, name);
}

/// A service without a network of its own joins `default`, which need not be declared.
fn default_network(file: &mut Node) {
    let mut used = false;
    for service in values(file.get_mut("services")) {
        let at = service.at;
        let Some(service) = service.as_map_mut() else { continue };
        if service.contains_key("provider") || service.contains_key("network_mode") {
            continue;
        }
        match service.get("networks").map(|entry| &entry.node) {
            Some(networks) if networks.entries().next().is_some() => {
                used |= networks.get("default").is_some();
            }
            _ => {
                let joined = Node::map(at, [("default", Value::Null)]);
                service.insert("networks".to_owned(), Entry::at(joined));
                used = true;
            }
        }
    }
    if !used || file.get("networks").is_some_and(|networks| networks.get("default").is_some()) {
        return;
    }
    let at = file.at;
    let Some(top) = file.as_map_mut() else { return };
    let empty = || Entry::at(Node::new(at, Value::Map(Map::new())));
    let networks = top.entry("networks".to_owned()).or_insert_with(empty);
    if networks.node.is_null() {
        networks.node.value = Value::Map(Map::new());
    }
    if let Some(networks) = networks.node.as_map_mut() {
        networks.insert("default".to_owned(), Entry::at(Node::new(at, Value::Null)));
    }
}

fn build_defaults(build: &mut Node, variables: &Variables) {
    let at = build.at;
    let Some(map) = build.as_map_mut() else { return };
    let missing = |map: &Map, key: &str| map.get(key).is_none_or(|entry| entry.node.is_null());
    if missing(map, "context") {
        map.insert("context".to_owned(), Entry::at(Node::text(at, ".")));
    }
    if missing(map, "dockerfile") && missing(map, "dockerfile_inline") {
        map.insert("dockerfile".to_owned(), Entry::at(Node::text(at, "Dockerfile")));
    }
    if let Some(arguments) = map.get_mut("args") {
        look_up(&mut arguments.node, variables, false);
    }
}

/// Gives names without a value the one of the environment. Without one there, they are kept or left out.
fn look_up(node: &mut Node, variables: &Variables, keep: bool) {
    match &mut node.value {
        Value::List(list) => {
            list.retain_mut(|item| {
                let Value::Text(text) = &mut item.value else { return true };
                if text.contains('=') {
                    return true;
                }
                match variables.look(text) {
                    Some(value) => {
                        let mut pair = text.clone();
                        pair.push_str("=");
                        pair.append(&value);
                        *text = pair;
                        true
                    }
                    None => keep,
                }
            });
        }
        Value::Map(map) => map.retain(|name, entry| {
            if !entry.node.is_null() {
                return true;
            }
            match variables.look(name) {
                Some(value) => {
                    entry.node = Node::text(entry.key_at, value);
                    true
                }
                None => keep,
            }
        }),
        _ => {}
    }
}

/// Links, shared namespaces and mounts of other services are dependencies.
fn depend_on_what_is_used(service: &mut Map, at: Spot) {
    let mut implied: Vec<(Spot, String, bool)> = Vec::new();
    let texts = |key: &str| {
        let items = service.get(key).map(|entry| entry.node.items()).unwrap_or_default();
        items.iter().filter_map(|item| Some((item.at, item.as_str()?.clone()))).collect::<Vec<(Spot, Str)>>()
    };
    for (at, link) in texts("links") {
        let parts: Vec<&str> = link.split(':').collect();
        let name = if parts.len() == 2 { parts[0] } else { &*link };
        implied.push((at, name.to_owned(), true));
    }
    for key in ["network_mode", "ipc", "pid", "uts", "cgroup"] {
        let Some(node) = service.get(key).map(|entry| &entry.node) else { continue };
        if let Some(name) = node.as_str().and_then(|text| text.strip_prefix("service:")) {
            implied.push((node.at, name.to_owned(), true));
        }
    }
    for (at, from) in texts("volumes_from") {
        if !from.starts_with("container:") {
            implied.push((at, from.split(':').next().unwrap_or_default().to_owned(), false));
        }
    }
    if implied.is_empty() {
        return;
    }
    let empty = || Entry::at(Node::new(at, Value::Map(Map::new())));
    let depends = service.entry("depends_on".to_owned()).or_insert_with(empty);
    let Some(depends) = depends.node.as_map_mut() else { return };
    for (at, name, restart) in implied {
        depends.entry(name).or_insert_with(|| {
            let condition = ("condition", Value::Text("service_started".into()));
            let rest = [("restart", Value::Bool(restart)), ("required", Value::Bool(true))];
            Entry::at(Node::map(at, std::iter::once(condition).chain(rest)))
        });
    }
}

/// What has no name is called by its key, with the project's name before it where it is not external.
fn names(file: &mut Node, project: &str) {
    for section in ["networks", "volumes", "configs", "secrets"] {
        let Some(resources) = file.get_mut(section).and_then(Node::as_map_mut) else { continue };
        for (key, entry) in resources {
            let at = if entry.node.is_null() { entry.key_at } else { entry.node.at };
            if entry.node.is_null() {
                entry.node = Node::new(at, Value::Map(Map::new()));
            }
            let Some(resource) = entry.node.as_map_mut() else { continue };
            if resource.get("name").is_some_and(|entry| !entry.node.is_null()) {
                continue;
            }
            let external = resource.get("external").is_some_and(|entry| is_true(&entry.node));
            let name = if external { key.clone() } else { format!("{project}_{key}") };
            resource.insert("name".to_owned(), Entry::at(Node::text(at, name)));
        }
    }
}

fn is_true(node: &Node) -> bool {
    matches!(&*node.printed(), "1" | "t" | "T" | "true" | "TRUE" | "True")
}
