//! How a container joins its networks.

use std::cmp::Reverse;

use bollard::models::{EndpointIpamConfig, EndpointSettings, NetworkingConfig};
use plan::Container;
use stack::Attachment;

use super::{container::canonical_name, effects::map};

/// From this API on the engine takes all networks when it makes a container, each with its own hardware address.
/// Before, it took the first, and one hardware address for the container.
pub(super) const ALL_AT_ONCE: (usize, usize) = (1, 44);

/// The option of a network's driver that names the interface inside.
const INTERFACE: &str = "com.docker.network.endpoint.ifname";

/// The networks, the container's main one first.
pub(super) fn in_order(spec: &Container) -> Vec<(&String, &Attachment)> {
    let mut networks: Vec<_> = spec.networks.iter().collect();
    networks.sort_by_key(|(name, attachment)| (Reverse(attachment.priority), *name));
    networks
}

/// The networks that the engine is told when it makes the container.
pub(super) fn at_creation(spec: &Container, api: (usize, usize)) -> Option<NetworkingConfig> {
    let mut networks = in_order(spec);
    if api < ALL_AT_ONCE {
        networks.truncate(1);
    }
    let endpoints = networks.iter().map(|(name, attachment)| ((*name).clone(), endpoint(spec, attachment)));
    let mut endpoints: std::collections::HashMap<_, _> = endpoints.collect();
    let main = networks.first().and_then(|(name, _)| endpoints.get_mut(*name))?;
    if api < ALL_AT_ONCE {
        // It is the whole container's.
        main.mac_address = None;
    } else if main.mac_address.is_none() {
        main.mac_address.clone_from(&spec.settings.mac_address);
    }
    Some(NetworkingConfig { endpoints_config: Some(endpoints) })
}

/// The hardware address of the whole container, where the API knows such a thing.
pub(super) fn whole_mac_address(spec: &Container, api: (usize, usize)) -> Option<String> {
    if api >= ALL_AT_ONCE {
        return None;
    }
    let main = in_order(spec).first().and_then(|(_, main)| main.mac_address.clone());
    main.or_else(|| spec.settings.mac_address.clone())
}

/// The networks that are joined after the container was made.
pub(super) fn afterwards(spec: &Container, api: (usize, usize)) -> Vec<(&String, EndpointSettings)> {
    if api >= ALL_AT_ONCE {
        return Vec::new();
    }
    let others = in_order(spec).into_iter().skip(1);
    others.map(|(name, attachment)| (name, endpoint(spec, attachment))).collect()
}

/// Known by the container's name, by the service's, and by the names it was given.
fn endpoint(spec: &Container, attachment: &Attachment) -> EndpointSettings {
    let service = spec.service.as_str();
    let given: Vec<&String> = attachment.aliases.iter().filter(|alias| *alias != service).collect();
    let mut aliases = vec![canonical_name(spec), service.to_owned()];
    aliases.extend(given.iter().map(|alias| (*alias).clone()));
    let links = super::host_config::links(&spec.settings);
    let mut options = map(&attachment.driver_opts);
    if let Some(interface) = &attachment.interface_name {
        options.entry(INTERFACE.to_owned()).or_insert_with(|| interface.clone());
    }
    // Nothing said of it is not the same to the engine as nothing asked of its addresses.
    let silent = Attachment { aliases: Vec::new(), ..attachment.clone() } == Attachment::default();
    let addresses = EndpointIpamConfig {
        ipv4_address: attachment.ipv4_address.clone(),
        ipv6_address: attachment.ipv6_address.clone(),
        link_local_ips: Some(attachment.link_local_ips.clone()).filter(|ips| !ips.is_empty()),
    };
    EndpointSettings {
        aliases: Some(aliases),
        links,
        ipam_config: (!silent || !given.is_empty()).then_some(addresses),
        // Compose says it here too; an engine writes over both once the container starts.
        ip_address: attachment.ipv4_address.clone(),
        ipv6_gateway: attachment.ipv6_address.clone(),
        mac_address: attachment.mac_address.clone(),
        driver_opts: Some(options).filter(|options| !options.is_empty()),
        gw_priority: (attachment.gw_priority != 0).then_some(attachment.gw_priority),
        ..Default::default()
    }
}
