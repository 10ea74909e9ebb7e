//! What no single key can say: references that lead nowhere, cycles, two services on one port.

use std::collections::BTreeMap;

use diag::{Diagnostic, closest};

use crate::{
    compose::Compose,
    names::ServiceName,
    reading::Reading,
    shape::{MountSource, Port, Service},
    tree::{Node, Spot},
};

/// Checks what the services of a stack say about each other.
pub(crate) fn verify(reading: &Reading<'_>, file: &Node, compose: &Compose) {
    for (name, service) in &compose.services {
        let image_of = ["image", "build", "extends", "provider"];
        if service.image.is_empty() && image_of.into_iter().all(|key| field(file, name, key).is_none()) {
            let said = Diagnostic::error("missing-key", format!("the service `{name}` has no `image`"));
            reading.say(spot(file, name, "", ""), said.hint("name the image that it runs"));
        }
        dependencies(reading, file, compose, name);
        let networks = file.get("networks").and_then(Node::as_map);
        for key in service.networks.keys().filter(|key| key.as_str() != "default") {
            if networks.is_none_or(|declared| !declared.contains_key(key.as_str())) {
                let known = networks.into_iter().flat_map(|map| map.keys()).map(String::as_str);
                let at = spot(file, name, "networks", key.as_str());
                undeclared(reading, at, "network", key.as_str(), known);
            }
        }
        volumes(reading, file, compose, name, service);
    }
    cycles(reading, file, &compose.services);
    container_names(reading, file, &compose.services);
    ports(reading, file, &compose.services);
}

fn field<'n>(file: &'n Node, service: &ServiceName, key: &str) -> Option<&'n Node> {
    file.get("services")?.get(service.as_str())?.get(key)
}

/// Where an entry of a key of a service stands; the key where there is no such entry, the service where no key.
fn spot(file: &Node, service: &ServiceName, key: &str, inner: &str) -> Spot {
    let services = file.get("services").and_then(Node::as_map);
    let Some(service) = services.and_then(|map| map.get(service.as_str())) else { return file.at };
    let Some(entry) = service.node.as_map().and_then(|map| map.get(key)) else { return service.key_at };
    let item = inner.parse::<usize>().ok().and_then(|index| Some(entry.node.as_list()?.get(index)?.at));
    let named = entry.node.as_map().and_then(|map| map.get(inner)).map(|entry| entry.key_at);
    item.or(named).unwrap_or(entry.key_at)
}

fn undeclared<'k>(
    reading: &Reading<'_>,
    at: Spot,
    what: &str,
    name: &str,
    known: impl IntoIterator<Item = &'k str>,
) {
    let said = Diagnostic::error(&format!("unknown-{what}"), format!("the {what} `{name}` is not declared"));
    reading.say(
        at,
        match closest(name, known) {
            Some(near) => said.hint(format!("did you mean `{near}`?")),
            None => said.hint(format!("declare it under `{what}s:` at the top level")),
        },
    );
}

fn dependencies(reading: &Reading<'_>, file: &Node, compose: &Compose, name: &ServiceName) {
    for (on, dependency) in &compose.services[name].depends_on {
        if compose.services.contains_key(on) {
            continue;
        }
        let at = spot(file, name, "depends_on", on.as_str());
        if !compose.declared.contains(on.as_str()) {
            undeclared(reading, at, "service", on.as_str(), compose.declared.iter().map(String::as_str));
        } else if dependency.required {
            let message = format!("`{name}` depends on `{on}`, which no profile enables");
            let said = Diagnostic::error("disabled-service", message);
            reading.say(at, said.hint("enable its profile, or write `required: false` at the dependency"));
        }
    }
}

fn volumes(reading: &Reading<'_>, file: &Node, compose: &Compose, name: &ServiceName, service: &Service) {
    let used = |source: &MountSource| match source {
        MountSource::Volume { volume, .. } => Some(volume.clone()),
        _ => None,
    };
    for volume in service.mounts.iter().filter_map(|mount| used(&mount.source)) {
        if compose.declared_volumes.contains(volume.as_str()) {
            continue;
        }
        let items = field(file, name, "volumes").and_then(Node::as_list).into_iter().flatten();
        let source = |item: &Node| item.get("source").and_then(Node::scalar);
        let item = items.into_iter().find(|item| source(item).as_deref() == Some(volume.as_str()));
        let at = item.map_or_else(|| spot(file, name, "volumes", ""), |item| item.at);
        let known = compose.declared_volumes.iter().map(String::as_str);
        undeclared(reading, at, "volume", volume.as_str(), known);
    }
}

/// Each cycle of dependencies once, named from the service that comes first by name.
fn cycles(reading: &Reading<'_>, file: &Node, services: &BTreeMap<ServiceName, Service>) {
    let mut done: Vec<&ServiceName> = Vec::new();
    for start in services.keys() {
        let mut path: Vec<(&ServiceName, Vec<&ServiceName>)> = Vec::new();
        let after =
            |name: &ServiceName| services.get(name).into_iter().flat_map(|s| s.depends_on.keys()).collect();
        if !done.contains(&start) {
            path.push((start, after(start)));
        }
        while let Some((name, left)) = path.last_mut() {
            let Some(next) = left.pop() else {
                done.push(name);
                path.pop();
                continue;
            };
            if let Some(from) = path.iter().position(|(on, _)| *on == next) {
                let mut names: Vec<&str> = path[from..].iter().map(|(on, _)| on.as_str()).collect();
                names.push(next.as_str());
                let said = Diagnostic::error("dependency-cycle", "services depend on each other in a circle");
                let said = said.cause(names.join(" → ")).hint("take one of these dependencies out");
                let last = path.last().map_or(next, |(on, _)| on);
                reading.say(spot(file, last, "depends_on", next.as_str()), said);
            } else if services.contains_key(next) && !done.contains(&next) {
                path.push((next, after(next)));
            }
        }
    }
}

/// No two containers have one name.
fn container_names(reading: &Reading<'_>, file: &Node, services: &BTreeMap<ServiceName, Service>) {
    let mut taken: BTreeMap<&str, &ServiceName> = BTreeMap::new();
    for (name, service) in services {
        let Some(container) = service.container_name.as_deref() else { continue };
        if let Some(by) = taken.insert(container, name) {
            let message = format!("`{by}` and `{name}` have one container name");
            let at = field(file, name, "container_name").map_or(file.at, |node| node.at);
            let said = Diagnostic::error("name-conflict", message);
            reading.say(at, said.hint("take `container_name` out of one of them"));
        }
    }
}

/// No host port is asked for twice.
fn ports(reading: &Reading<'_>, file: &Node, services: &BTreeMap<ServiceName, Service>) {
    let mut taken: Vec<(&ServiceName, &Port, Spot)> = Vec::new();
    for (name, service) in services {
        let items = field(file, name, "ports").and_then(Node::as_list).unwrap_or_default();
        for (port, item) in service.ports.iter().zip(items) {
            if let Some((by, _, before)) = taken.iter().find(|(_, other, _)| collide(other, port)) {
                let number = port.published.unwrap_or_default();
                let message = match *by == name {
                    true => format!("`{name}` publishes the host port {number} twice"),
                    false => format!("`{by}` and `{name}` both publish the host port {number}"),
                };
                let said = Diagnostic::error("port-conflict", message);
                let said = said.cause(format!("it is taken at {} already", reading.place(*before)));
                reading
                    .say(item.at, said.hint("give one of them another host port, or another host address"));
            }
            taken.push((name, port, item.at));
        }
    }
}

fn collide(one: &Port, other: &Port) -> bool {
    let everywhere = |port: &Port| port.host_ip.as_deref().is_none_or(|ip| matches!(ip, "0.0.0.0" | "::"));
    one.published.is_some()
        && one.published == other.published
        && one.protocol == other.protocol
        && (everywhere(one) || everywhere(other) || one.host_ip == other.host_ip)
}
