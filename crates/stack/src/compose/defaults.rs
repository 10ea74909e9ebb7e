//! Defaults of what was left out, and what two keys of one mapping may not say together.

use diag::Diagnostic;

use crate::{
    reading::Reading,
    string::Str,
    tree::{Entry, Map, Node, Value},
};

/// Fills in what the long syntax leaves out.
pub(crate) fn set(reading: &Reading<'_>, file: &mut Node) {
    let Some(services) = file.get_mut("services").and_then(Node::as_map_mut) else { return };
    for service in services.values_mut() {
        let service = &mut service.node;
        if let Some(build) = service.get_mut("build") {
            let at = build.at;
            if let Some(map) = build.as_map_mut() {
                default(map, at, "context", || Value::Text(".".into()));
            }
        }
        each(service.get_mut("secrets"), |secret, at| {
            let source = secret.get("source").map(|entry| entry.node.printed());
            let source = source.unwrap_or_else(|| "<nil>".into());
            default(secret, at, "target", || Value::Text(Str::after("/run/secrets/", &source)));
        });
        each(service.get_mut("ports"), |port, at| {
            default(port, at, "protocol", || Value::Text("tcp".into()));
            default(port, at, "mode", || Value::Text("ingress".into()));
        });
        each(service.get_mut("gpus"), |device, at| counted(reading, device, at));
        let reservations = service.get_mut("deploy").and_then(|deploy| deploy.get_mut("resources"));
        let reservations = reservations.and_then(|resources| resources.get_mut("reservations"));
        let devices = reservations.and_then(|reservations| reservations.get_mut("devices"));
        each(devices, |device, at| counted(reading, device, at));
    }
}

/// Each mapping of a list.
fn each(list: Option<&mut Node>, mut each: impl FnMut(&mut Map, crate::tree::Spot)) {
    let Some(Value::List(list)) = list.map(|node| &mut node.value) else { return };
    for item in list {
        let at = item.at;
        if let Some(map) = item.as_map_mut() {
            each(map, at);
        }
    }
}

fn default(map: &mut Map, at: crate::tree::Spot, key: &str, value: impl FnOnce() -> Value) {
    map.entry(key.to_owned()).or_insert_with(|| Entry::at(Node::new(at, value())));
}

fn counted(reading: &Reading<'_>, device: &mut Map, at: crate::tree::Spot) {
    match (device.contains_key("count"), device.contains_key("device_ids")) {
        (false, false) => default(device, at, "count", || Value::Text("all".into())),
        (true, true) => {
            let said = Diagnostic::error("conflict", "`count` and `device_ids` exclude each other");
            reading.say(at, said.hint("keep one of the two"));
        }
        _ => {}
    }
}

/// Says what cannot be meant, now that everything is in the long syntax.
pub(crate) fn validate(reading: &Reading<'_>, file: &Node) {
    for (key, volume) in file.get("volumes").into_iter().flat_map(Node::entries) {
        external_alone(reading, key, volume);
    }
    for (section, one, sources) in [
        ("configs", "config", &["file", "environment", "content"][..]),
        ("secrets", "secret", &["file", "environment"][..]),
    ] {
        for (key, entry) in file.get(section).into_iter().flat_map(Node::entries) {
            one_source(reading, one, key, entry, sources);
        }
    }
    for (_, service) in file.get("services").into_iter().flat_map(Node::entries) {
        for port in service.node.get("ports").into_iter().flat_map(Node::items) {
            let Some(address) = port.get("host_ip") else { continue };
            let good = address.as_str().is_some_and(|text| text.parse::<std::net::IpAddr>().is_ok());
            if !good {
                let message = format!("{} is no address of a host", address.shown());
                reading.error(address.at, "bad-port", message);
            }
        }
        let watch = service.node.get("develop").and_then(|develop| develop.get("watch"));
        for trigger in watch.into_iter().flat_map(Node::items) {
            if let Some(path) = trigger.get("path").filter(|path| path.as_str().is_some_and(|p| p.is_empty()))
            {
                reading.error(path.at, "wrong-type", "`path` must not be empty");
            }
        }
    }
}

fn external_alone(reading: &Reading<'_>, key: &str, volume: &Entry) {
    if !volume.node.get("external").is_some_and(Node::is_true) {
        return;
    }
    for (other, entry) in volume.node.entries() {
        if !matches!(other.as_str(), "name" | "external") && !other.starts_with("x-") {
            let message = format!("the volume `{key}` is external, and `{other}` says how to make it");
            let said = Diagnostic::error("conflict", message);
            reading.say(entry.key_at, said.hint("keep `external` and `name` alone"));
        }
    }
}

fn one_source(reading: &Reading<'_>, one: &str, key: &str, entry: &Entry, sources: &[&str]) {
    let node = &entry.node;
    let given: Vec<&str> = sources.iter().copied().filter(|source| node.get(source).is_some()).collect();
    if let [first, second, ..] = given.as_slice() {
        let message = format!("`{first}` and `{second}` exclude each other");
        let at = node.entry(second).map_or(node.at, |entry| entry.key_at);
        reading.say(at, Diagnostic::error("conflict", message).hint("keep one of the two"));
    }
    if given.is_empty() && node.get("driver").is_none() && node.get("external").is_none() {
        let message = format!("the {one} `{key}` says nowhere what it holds");
        let said = Diagnostic::error("missing-key", message);
        reading.say(entry.key_at, said.hint("give it a `file` or an `environment`"));
    }
}
