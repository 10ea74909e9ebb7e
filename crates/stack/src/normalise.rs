//! Short syntax to long, one file at a time, so that files of both kinds merge by the same rules.

use diag::Diagnostic;

use crate::{
    reading::{Reading, Reference, is_marker},
    tree::{Entry, Map, Node, Spot, Value},
    values::{self, Origin, Word},
};

/// Brings one interpolated file into the long syntax. What has the wrong type is left for the typed reading to say.
pub(crate) fn normalise(reading: &Reading<'_>, file: &mut Node) {
    let Some(top) = file.as_map_mut() else { return };
    for section in ["networks", "volumes"] {
        for_each(top, section, |node| pairs_at(reading, node, &["labels", "driver_opts"]));
    }
    for_each(top, "services", |service| {
        pairs_at(reading, service, &["environment", "labels", "sysctls"]);
        let Some(service) = service.as_map_mut() else { return };
        edit(service, "command", |node| command(reading, node));
        edit(service, "entrypoint", |node| command(reading, node));
        edit(service, "ports", |node| ports(reading, node));
        edit(service, "volumes", |node| mounts(reading, node));
        edit(service, "env_file", |node| {
            listed(node);
            items(node, "path");
        });
        for key in ["secrets", "configs"] {
            edit(service, key, |node| items(node, "source"));
        }
        edit(service, "tmpfs", listed);
        edit(service, "networks", |node| keyed(reading, node, Value::Null));
        edit(service, "depends_on", |node| {
            let condition = Node::text(node.at, "service_started");
            let entry = Map::from_iter([("condition".to_owned(), Entry::new(node.at, condition))]);
            keyed(reading, node, Value::Map(entry));
        });
        if let Some(check) = service.get_mut("healthcheck").and_then(|entry| entry.node.as_map_mut()) {
            edit(check, "test", test);
        }
    });
}

fn for_each(top: &mut Map, section: &str, mut each: impl FnMut(&mut Node)) {
    if let Some(section) = top.get_mut(section).and_then(|entry| entry.node.as_map_mut()) {
        section.values_mut().for_each(|entry| each(&mut entry.node));
    }
}

fn edit(map: &mut Map, key: &str, edit: impl FnOnce(&mut Node)) {
    if let Some(entry) = map.get_mut(key)
        && !entry.node.is_null()
    {
        edit(&mut entry.node);
    }
}

/// `- NAME=value` to `NAME: value`, under each of `keys`; `- NAME` to `NAME:` with nothing.
fn pairs_at(reading: &Reading<'_>, node: &mut Node, keys: &[&str]) {
    let Some(map) = node.as_map_mut() else { return };
    for key in keys {
        edit(map, key, |node| {
            let Value::List(list) = &mut node.value else { return };
            let mut pairs = Map::new();
            for item in list.drain(..) {
                let Some(text) = item.scalar() else {
                    let message =
                        format!("an entry of `{key}` must be `NAME=value`, and this is {}", item.kind());
                    reading.error(item.at, "wrong-type", message);
                    continue;
                };
                let (name, value) = match text.split_once('=') {
                    Some((name, value)) => (name, Value::Text(value.to_owned())),
                    None => (text.as_str(), Value::Null),
                };
                match reading.plain(name) {
                    Ok(name) => {
                        pairs.insert(name, Entry::new(item.at, Node { value, ..item.clone() }));
                    }
                    Err(secret) => {
                        reading.error(item.at, "secret-in-structure", in_structure(&secret, "a name"))
                    }
                }
            }
            node.value = Value::Map(pairs);
        });
    }
}

/// What to say where a secret stands in a field that is not kept from sight.
pub(crate) fn in_structure(secret: &str, field: &str) -> String {
    format!("`${{{secret}}}` is a secret of `[secret]`, and cannot be part of {field}")
}

/// A string to a list of one.
fn listed(node: &mut Node) {
    if node.scalar().is_some() {
        let item = Node::new(node.at, std::mem::replace(&mut node.value, Value::Null));
        node.value = Value::List(vec![item]);
    }
}

/// The strings of a list to mappings with that string under `key`.
fn items(node: &mut Node, key: &str) {
    let Value::List(list) = &mut node.value else { return };
    for item in list.iter_mut().filter(|item| matches!(item.value, Value::Text(_))) {
        let inner = Node::new(item.at, std::mem::replace(&mut item.value, Value::Null));
        item.value = Value::Map(Map::from_iter([(key.to_owned(), Entry::new(item.at, inner))]));
    }
}

/// A list of names to a mapping with those names as keys.
fn keyed(reading: &Reading<'_>, node: &mut Node, value: Value) {
    let Value::List(list) = &mut node.value else { return };
    let mut map = Map::new();
    for item in list.drain(..) {
        match item.scalar().map(|name| reading.plain(&name)) {
            Some(Ok(name)) => {
                map.insert(name, Entry::new(item.at, Node::new(item.at, value.clone())));
            }
            Some(Err(secret)) => {
                reading.error(item.at, "secret-in-structure", in_structure(&secret, "a name"))
            }
            None => {
                reading.error(item.at, "wrong-type", format!("this must be a name, and is {}", item.kind()));
            }
        }
    }
    node.value = Value::Map(map);
}

/// A health check written as one string runs in the container's shell.
fn test(node: &mut Node) {
    if let Some(text) = node.scalar() {
        let item = |text: String| Node::text(node.at, text);
        node.value = Value::List(vec![item("CMD-SHELL".to_owned()), item(text)]);
    }
}

/// A command written as one string is split into words, held values included, as Compose does.
fn command(reading: &Reading<'_>, node: &mut Node) {
    let Some(text) = node.scalar() else { return };
    let mut origins: Vec<Reference> = Vec::new();
    let mut chars: Vec<(char, Origin)> = Vec::new();
    for c in text.chars() {
        match reading.held(c) {
            Some((variable, value)) => {
                origins.push(Reference::Held { variable, value: String::new() });
                chars.extend(value.chars().map(|c| (c, Some(origins.len() - 1))));
            }
            None => chars.push((c, None)),
        }
    }
    let Some((words, cut)) = values::words(&chars) else {
        let said = Diagnostic::error("bad-command", "a quote of this command is never closed");
        reading.say(node.at, said.hint("write the command as a list"));
        return;
    };
    if cut {
        let said = Diagnostic::warning(
            "cut-command",
            "Compose reads this command up to its first `;`, `&`, `|`, `<` or `>`",
        );
        let said = said.cause("a command runs without a shell");
        reading.say(node.at, said.hint("write `[\"sh\", \"-c\", \"…\"]`"));
    }
    let word = |word: Word| {
        let mut out = String::new();
        for part in word.chunk_by(|a, b| a.1 == b.1) {
            let value: String = part.iter().map(|(c, _)| *c).collect();
            match part[0].1.map(|index| &origins[index]) {
                Some(Reference::Held { variable, .. }) => {
                    out.push(reading.marker(Reference::Held { variable: variable.clone(), value }));
                }
                _ => out.push_str(&value),
            }
        }
        Node::text(node.at, out)
    };
    node.value = Value::List(words.into_iter().map(word).collect());
}

fn ports(reading: &Reading<'_>, node: &mut Node) {
    let Value::List(list) = &mut node.value else { return };
    let mut long = Vec::new();
    for item in list.drain(..) {
        let Some(written) = item.scalar() else {
            long.push(item);
            continue;
        };
        let at = item.at;
        let read = reading
            .plain(&written)
            .map_err(|secret| in_structure(&secret, "a port"))
            .and_then(|text| values::short_ports(&text));
        match read {
            Ok(ports) => long.extend(ports.into_iter().map(|port| {
                let field = |key: &str, value: Value| (key.to_owned(), Entry::new(at, Node::new(at, value)));
                let mut fields = Map::from_iter([
                    field("mode", Value::Text("ingress".to_owned())),
                    field("target", Value::Int(port.target.into())),
                    field("protocol", Value::Text(port.protocol)),
                ]);
                fields.extend(port.published.map(|published| field("published", Value::Text(published))));
                fields.extend(port.host_ip.map(|ip| field("host_ip", Value::Text(ip))));
                Node::new(at, Value::Map(fields))
            })),
            Err(why) => {
                let message = format!("`{}` is not a port mapping", reading.shown(&written));
                // A value from the environment is not repeated in the reason.
                let said = Diagnostic::error("bad-port", message);
                let said = if written.contains(is_marker) { said } else { said.cause(why) };
                reading.say(at, said.hint("write `[ADDRESS:][HOST:]CONTAINER[/PROTOCOL]`"));
            }
        }
    }
    node.value = Value::List(long);
}

fn mounts(reading: &Reading<'_>, node: &mut Node) {
    let Value::List(list) = &mut node.value else { return };
    for item in list.iter_mut() {
        let Some(written) = item.scalar() else { continue };
        match reading.plain(&written) {
            Ok(text) => item.value = mount(reading, item.at, &text),
            Err(secret) => reading.error(item.at, "secret-in-structure", in_structure(&secret, "a mount")),
        }
    }
}

/// `[SOURCE:]TARGET[:OPTIONS]`.
fn mount(reading: &Reading<'_>, at: Spot, text: &str) -> Value {
    let field = |key: &str, value: Value| (key.to_owned(), Entry::new(at, Node::new(at, value)));
    let string = |text: &str| Value::Text(text.to_owned());
    let nested = |key: &str, value: Value| Value::Map(Map::from_iter([field(key, value)]));
    let parts: Vec<&str> = text.splitn(3, ':').collect();
    let (source, target, options) = match parts.as_slice() {
        [source, target, options] => (Some(*source), *target, *options),
        // With one colon, options can only follow an anonymous volume's target.
        [target, options] if target.starts_with('/') && !options.starts_with('/') => {
            (None, *target, *options)
        }
        [source, target] => (Some(*source), *target, ""),
        _ => (None, text, ""),
    };
    let mut fields = Map::new();
    match source {
        Some(path) if path.starts_with(['/', '.', '~']) => fields.extend([
            field("type", string("bind")),
            field("source", string(path)),
            field("bind", nested("create_host_path", Value::Bool(true))),
        ]),
        Some(volume) => fields.extend([field("type", string("volume")), field("source", string(volume))]),
        None => fields.extend([field("type", string("volume"))]),
    }
    fields.extend([field("target", string(target))]);
    for option in options.split(',').filter(|option| !option.is_empty()) {
        match option {
            "ro" => fields.extend([field("read_only", Value::Bool(true))]),
            // They tune Docker Desktop's file sharing and mean nothing on an engine's own machine.
            "rw" | "cached" | "delegated" | "consistent" => {}
            "z" | "Z" | "nocopy" | "shared" | "rshared" | "slave" | "rslave" | "private" | "rprivate" => {
                let message = format!("the mount option `{option}` is not handled yet");
                reading.error(at, "not-handled-yet", message);
            }
            _ => {
                let said = Diagnostic::error("bad-mount", format!("`{option}` is no option of a mount"));
                reading.say(at, said.hint("write `[SOURCE:]TARGET[:ro]`"));
            }
        }
    }
    Value::Map(fields)
}
