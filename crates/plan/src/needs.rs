//! What only newer engines can be told: the one table of fields and the API that brought them.
//!
//! An older engine would not refuse most of these: it would leave them out, and say nothing.

use stack::{MountSource, Recursive, Service, Shape};

use crate::{NetworkSpec, desired};

/// A version of the engine's API.
pub type Api = (usize, usize);

/// Something that a file says and only newer engines can be told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Need {
    /// The key, as the file has it.
    pub key: &'static str,
    /// The API that brought it.
    pub api: Api,
    /// The engine that brought the API.
    pub engine: &'static str,
}

impl Need {
    /// What has to be there: `Docker 25 (API 1.44)`.
    pub fn engine(&self) -> String {
        format!("{} (API {}.{})", self.engine, self.api.0, self.api.1)
    }
}

const fn need(key: &'static str, minor: usize, engine: &'static str) -> Need {
    Need { key, api: (1, minor), engine }
}

/// Whether it says so.
type Says<T> = fn(&T) -> bool;

/// What a service may say, and whether it does.
const OF_SERVICES: [(Need, Says<Service>); 9] = [
    (need("annotations", 43, "Docker 24"), |service| !service.annotations.is_empty()),
    (need("healthcheck.start_interval", 44, "Docker 25"), |service| {
        service.healthcheck.as_ref().is_some_and(|check| check.start_interval.is_some())
    }),
    (need("networks.*.mac_address", 44, "Docker 25"), mac_beside_the_main_network),
    (need("volumes.*.bind.recursive: readonly", 44, "Docker 25"), |service| {
        sources(service).any(|source| match source {
            MountSource::Bind { options, .. } => options.recursive == Some(Recursive::Readonly),
            _ => false,
        })
    }),
    (need("devices (CDI)", 44, "Docker 25"), |service| {
        let devices = &service.resources.devices;
        devices.iter().any(stack::Device::is_cdi)
    }),
    (need("volumes.*.volume.subpath", 45, "Docker 26"), |service| {
        sources(service).any(|source| matches!(source, MountSource::Volume { subpath: Some(_), .. }))
    }),
    (need("volumes.*.type: image", 48, "Docker 28"), |service| {
        sources(service).any(|source| matches!(source, MountSource::Image { .. }))
    }),
    (need("networks.*.gw_priority", 48, "Docker 28"), |service| {
        service.networks.values().any(|network| network.gw_priority != 0)
    }),
    (need("networks.*.interface_name", 49, "Docker 28.1"), |service| {
        service.networks.values().any(|network| network.interface_name.is_some())
    }),
];

/// What a network may say, and whether it does.
const OF_NETWORKS: [(Need, Says<NetworkSpec>); 1] =
    [(need("enable_ipv4", 48, "Docker 28"), |network| network.enable_ipv4.is_some())];

/// What this service says that an engine of this API cannot be told.
pub fn of_service(service: &Service, api: Api) -> Vec<Need> {
    OF_SERVICES.iter().filter(|(need, says)| need.api > api && says(service)).map(|(need, _)| *need).collect()
}

/// What this network says that an engine of this API cannot be told.
pub fn of_network(network: &NetworkSpec, api: Api) -> Vec<Need> {
    OF_NETWORKS.iter().filter(|(need, says)| need.api > api && says(network)).map(|(need, _)| *need).collect()
}

/// All that a shape says and an engine of this API cannot be told: who says it (`services/web`), and what.
pub fn of_shape(shape: &Shape, api: Api) -> Vec<(String, Need)> {
    let services = shape.services.iter().flat_map(|(name, service)| {
        of_service(service, api).into_iter().map(move |need| (format!("services/{name}"), need))
    });
    let networks = shape.networks.iter().filter(|(_, network)| !network.external).flat_map(|(key, _)| {
        let needs = of_network(&desired::network(shape, key), api);
        needs.into_iter().map(move |need| (format!("networks/{key}"), need))
    });
    services.chain(networks).collect()
}

/// An API version from the engine's own words: `1.41`.
pub fn parse_api(said: &str) -> Option<Api> {
    let (major, minor) = said.split_once('.')?;
    Some((major.parse().ok()?, minor.parse().ok()?))
}

fn sources(service: &Service) -> impl Iterator<Item = &MountSource> {
    service.mounts.iter().map(|mount| &mount.source)
}

/// Older engines have one hardware address for a container: that of its main network.
fn mac_beside_the_main_network(service: &Service) -> bool {
    let main = service.networks.iter().min_by_key(|(key, network)| (-network.priority, (*key).clone()));
    let main = main.map(|(key, _)| key);
    service.networks.iter().any(|(key, network)| Some(key) != main && network.mac_address.is_some())
}
