//! The Compose side of a stack: files to one merged tree, the tree to services, networks and volumes.

use std::collections::{BTreeMap, BTreeSet};

use diag::Diagnostic;

use crate::{
    content,
    environment::not_a_file,
    fields::{Fields, wrong},
    interpolate::{expand, interpolate},
    keys,
    load::Found,
    merge,
    names::{NetworkKey, ServiceName, VolumeKey},
    normalise::normalise,
    parse,
    reading::Reading,
    service::{self, Around},
    shape::{Ipam, IpamPool, MountSource, Network, Service, Volume},
    tree::{Node, Spot, Value},
    variables::Variables,
};

/// The documents of the files, in merge order, as they were written.
pub(crate) fn documents(reading: &Reading<'_>, files: &[String]) -> Vec<Node> {
    let mut documents = Vec::new();
    for name in files {
        let bytes = match reading.find(&reading.absolute(name)) {
            Some(Found::File { bytes, .. }) => bytes,
            Some(found) => {
                let said = not_a_file(found, name, "Compose file");
                reading.say(Spot::default(), said.hint("name the files with -f, or in the shape's `files`"));
                continue;
            }
            None => continue,
        };
        for document in parse::parse(reading, name, bytes) {
            if document.is_null() {
                continue;
            }
            if document.as_map().is_none() {
                let message = format!("a Compose file must be a mapping, and this is {}", document.kind());
                let said = Diagnostic::error("wrong-type", message);
                reading.say(document.at, said.hint("it begins with `services:`"));
                continue;
            }
            documents.push(document);
        }
    }
    documents
}

/// `name:` of the last document that has one, interpolated.
pub(crate) fn name(reading: &Reading<'_>, documents: &[Node], variables: &Variables) -> Option<String> {
    let node = documents.iter().rev().find_map(|document| document.get("name"))?;
    reading.plain(&expand(reading, variables, node.at, &node.scalar()?)).ok()
}

/// The documents laid over one another. `None`: there is none.
pub(crate) fn merged(
    reading: &Reading<'_>,
    documents: Vec<Node>,
    files: &[String],
    variables: &Variables,
) -> Option<Node> {
    let mut merged: Option<Node> = None;
    for mut document in documents {
        interpolate(reading, variables, &mut document);
        normalise(reading, &mut document);
        merged = Some(match merged {
            Some(below) => merge::merge(reading, below, document),
            None => document,
        });
    }
    let Some(mut merged) = merged else {
        // Why a file could not be read was said; only an empty one says nothing by itself.
        if reading.needs().is_empty() && !reading.failed() && !files.is_empty() {
            let said = Diagnostic::error("no-services", format!("nothing stands in {}", files.join(", ")));
            reading.say(
                Spot::default(),
                said.hint("a Compose file has a `services:` mapping with at least one service"),
            );
        }
        return None;
    };
    merge::settle(&mut merged);
    merge::unify(reading, &mut merged);
    Some(merged)
}

/// What the merged tree declares, for the services that are enabled.
pub(crate) struct Compose {
    pub(crate) services: BTreeMap<ServiceName, Service>,
    pub(crate) networks: BTreeMap<NetworkKey, Network>,
    pub(crate) volumes: BTreeMap<VolumeKey, Volume>,
    /// Every service that is declared, enabled or not.
    pub(crate) declared: BTreeSet<String>,
    /// Every volume that is declared, used or not.
    pub(crate) declared_volumes: BTreeSet<String>,
}

/// Reads the merged tree.
pub(crate) fn compose(
    reading: &Reading<'_>,
    file: &Node,
    profiles: &[String],
    variables: &Variables,
) -> Compose {
    let top = Fields::of(reading, file, &keys::TOP);
    if let Some(version) = top.node("version") {
        let said = Diagnostic::note("obsolete-key", "`version` means nothing any more");
        reading.say(version.at, said.hint("take the line out"));
    }
    content::check(reading, file);
    let around = Around { file, variables };
    let mut services = BTreeMap::new();
    let declared = top.entries("services");
    for (name, entry) in &declared {
        if !valid_name(name) {
            let said = Diagnostic::error("bad-name", format!("`{name}` is no name for a service"));
            reading.say(entry.key_at, said.hint("use letters, digits, `.`, `_` and `-`"));
        }
        if entry.node.as_map().is_none() {
            // An empty value stands nowhere of its own: its key does.
            let at = if entry.node.is_null() { entry.key_at } else { entry.node.at };
            wrong(reading, &Node { at, ..entry.node.clone() }, name, "a mapping");
        } else if !enabled(&entry.node, profiles) {
            keys::check(reading, &keys::SERVICE, &entry.node);
        } else {
            services.insert(ServiceName::new(*name), service::service(reading, &around, &entry.node));
        }
    }
    if declared.is_empty() && top.node("services").is_none_or(|node| node.as_map().is_some()) {
        let said = Diagnostic::error("no-services", "no service is declared");
        reading.say(file.at, said.hint("a Compose file has a `services:` mapping with at least one service"));
    }
    Compose {
        networks: networks(reading, &top, &services),
        volumes: volumes(reading, &top, &services),
        declared: declared.iter().map(|(name, _)| (*name).to_owned()).collect(),
        declared_volumes: top.entries("volumes").into_iter().map(|(name, _)| name.to_owned()).collect(),
        services,
    }
}

fn valid_name(name: &str) -> bool {
    !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-'))
}

/// Without profiles of its own a service is always on; `*` turns all of them on.
pub(crate) fn enabled(service: &Node, profiles: &[String]) -> bool {
    let Some(own) = service.get("profiles").and_then(Node::as_list).filter(|own| !own.is_empty()) else {
        return true;
    };
    own.iter().filter_map(Node::scalar).any(|own| profiles.iter().any(|on| *on == own || on == "*"))
}

/// Networks that enabled services join; all declared ones are checked.
fn networks(
    reading: &Reading<'_>,
    top: &Fields<'_, '_>,
    services: &BTreeMap<ServiceName, Service>,
) -> BTreeMap<NetworkKey, Network> {
    let mut networks: BTreeMap<NetworkKey, Network> = top
        .entries("networks")
        .into_iter()
        .map(|(name, entry)| (NetworkKey::new(name), network(reading, name, &entry.node)))
        .collect();
    let used: BTreeSet<&NetworkKey> = services.values().flat_map(|service| service.networks.keys()).collect();
    if used.contains(&NetworkKey::from("default")) {
        networks.entry(NetworkKey::from("default")).or_default();
    }
    networks.retain(|key, _| used.contains(key));
    networks
}

fn network(reading: &Reading<'_>, key: &str, node: &Node) -> Network {
    let fields = Fields::of(reading, node, &keys::NETWORK);
    let (name, external) = external(&fields);
    let ipam = fields.fields("ipam", &keys::IPAM);
    let pools = ipam.map(|ipam| ipam.items("config")).unwrap_or_default();
    Network {
        name: name.or_else(|| external.then(|| key.to_owned())),
        external,
        internal: fields.boolean("internal").unwrap_or_default(),
        driver: fields.string("driver"),
        driver_opts: fields.pairs("driver_opts"),
        labels: fields.pairs("labels"),
        ipam: Ipam {
            pools: pools
                .iter()
                .filter_map(|pool| Fields::of(reading, pool, &keys::POOL).string("subnet"))
                .map(|subnet| IpamPool { subnet: Some(subnet), ..IpamPool::default() })
                .collect(),
            ..Ipam::default()
        },
        ..Network::default()
    }
}

/// Volumes that enabled services mount; all declared ones are checked.
fn volumes(
    reading: &Reading<'_>,
    top: &Fields<'_, '_>,
    services: &BTreeMap<ServiceName, Service>,
) -> BTreeMap<VolumeKey, Volume> {
    let mut volumes: BTreeMap<VolumeKey, Volume> = top
        .entries("volumes")
        .into_iter()
        .map(|(name, entry)| {
            let fields = Fields::of(reading, &entry.node, &keys::VOLUME);
            let (declared, external) = external(&fields);
            let volume = Volume {
                name: declared.or_else(|| external.then(|| name.to_owned())),
                external,
                driver: fields.string("driver"),
                driver_opts: fields.pairs("driver_opts"),
                labels: fields.pairs("labels"),
            };
            (VolumeKey::new(name), volume)
        })
        .collect();
    let mounts = services.values().flat_map(|service| &service.mounts);
    let used: BTreeSet<&VolumeKey> = mounts
        .filter_map(|mount| match &mount.source {
            MountSource::Volume { volume, .. } => Some(volume),
            _ => None,
        })
        .collect();
    volumes.retain(|key, _| used.contains(key));
    volumes
}

/// `name` and `external`, which once could hold the name itself.
fn external(fields: &Fields<'_, '_>) -> (Option<String>, bool) {
    let name = fields.string("name");
    match fields.node("external").map(|node| (node, &node.value)) {
        Some((node, Value::Map(map))) => {
            let inner = map.get("name").and_then(|entry| entry.node.scalar());
            let inner = inner.and_then(|inner| fields.reading.plain(&inner).ok());
            let said = Diagnostic::note("obsolete-key", "`external: {name: …}` is the old way to write it");
            fields.reading.say(node.at, said.hint("write `external: true` and `name:` beside it"));
            (name.or(inner), true)
        }
        _ => (name, fields.boolean("external").unwrap_or_default()),
    }
}
