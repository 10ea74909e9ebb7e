//! What Compose would label with what the files say: so that its commands find our stacks as they left theirs.

use std::collections::BTreeMap;

use plan::{ComposeHashes, ContainerSeen};
use serde_json::Value;
use stack::{ServiceName, Shape, compose_hash};

/// The hashes of everything in a canonical tree that has its values in it. `containers` are those that are there: what
/// shares with one of them is made from its id.
pub(crate) fn hashes(tree: &Value, shape: &Shape, containers: &[ContainerSeen]) -> ComposeHashes {
    let ids = ids(shape, containers);
    let section = |name: &str| tree.get(name).and_then(Value::as_object).into_iter().flatten();
    ComposeHashes {
        services: section("services")
            .map(|(name, service)| (name.as_str().into(), compose_hash::of_service(service, &ids)))
            .collect(),
        networks: section("networks")
            .map(|(key, network)| (key.as_str().into(), compose_hash::of_network(network)))
            .collect(),
        volumes: section("volumes")
            .map(|(key, volume)| (key.as_str().into(), compose_hash::of_volume(volume)))
            .collect(),
    }
}

/// Whether a service is made from the id of another one's container.
pub(crate) fn is_made_of_others(tree: &Value, service: &ServiceName) -> bool {
    let said = tree.get("services").and_then(|services| services.get(service.as_str()));
    said.is_some_and(|said| !compose_hash::refers_to(said).is_empty())
}

/// The id of the first container of each service.
fn ids(shape: &Shape, containers: &[ContainerSeen]) -> BTreeMap<ServiceName, String> {
    let first = |service: &ServiceName| {
        let name = shape.container_name(service);
        let seen = containers.iter().find(|seen| seen.name == name)?;
        Some((service.clone(), seen.id.clone()))
    };
    shape.services.keys().filter_map(first).collect()
}
