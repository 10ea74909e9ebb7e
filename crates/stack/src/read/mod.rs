//! From the tree of the whole project to the typed shape: one reader a subject. The tree says everything in the long
//! syntax and in its own types, so that nothing is left here but to take it, and to say what cannot be done.

use std::collections::{BTreeMap, BTreeSet};

use diag::Diagnostic;

use crate::{
    compose::Composed,
    names::{NetworkKey, ServiceName, VolumeKey},
    reading::Reading,
    shape::{Network, Service, Volume},
    tree::Node,
    variables::Variables,
};

mod fields;
mod files;
pub(crate) mod keys;
mod mounts;
mod networks;
mod ports;
mod resources;
mod security;
mod service;

pub(crate) use fields::in_structure;

/// What the project declares, for the services that are enabled.
pub(crate) struct Compose {
    pub(crate) services: BTreeMap<ServiceName, Service>,
    pub(crate) networks: BTreeMap<NetworkKey, Network>,
    pub(crate) volumes: BTreeMap<VolumeKey, Volume>,
    /// Every service that is declared, enabled or not.
    pub(crate) declared: BTreeSet<String>,
    /// Every volume that is declared, used or not.
    pub(crate) declared_volumes: BTreeSet<String>,
}

/// Reads what is run of the project.
pub(crate) fn compose(
    reading: &Reading<'_>,
    composed: Composed,
    project: &str,
    variables: &Variables,
) -> Compose {
    let Composed { file, declared, used } = composed;
    keys::check(reading, &used);
    let mut services = BTreeMap::new();
    for (name, entry) in used.get("services").into_iter().flat_map(Node::entries) {
        let around = files::Around { file: &file, variables };
        services.insert(ServiceName::new(name.as_str()), service::service(reading, &around, &entry.node));
    }
    if declared.is_empty() && !reading.refused() {
        let said = Diagnostic::error("no-services", "no service is declared");
        let hint = "a Compose file has a `services:` mapping with at least one service";
        reading.note(file.at, said.hint(hint));
    }
    ports::conflicts(reading, &used, &services);
    Compose {
        services,
        networks: networks::networks(reading, &used, project),
        volumes: networks::volumes(reading, &used, project),
        declared,
        declared_volumes: file
            .get("volumes")
            .into_iter()
            .flat_map(Node::entries)
            .map(|(name, _)| name.clone())
            .collect(),
    }
}
