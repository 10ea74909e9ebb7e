//! Networks and volumes, and how a service joins networks.

use std::collections::BTreeMap;

use diag::Diagnostic;

use super::fields::Fields;
use crate::{
    names::{NetworkKey, VolumeKey},
    reading::Reading,
    shape::{Attachment, Ipam, IpamPool, Network, Volume},
    tree::Node,
};

/// The networks that a service joins.
pub(super) fn attachments(fields: &Fields<'_, '_>) -> BTreeMap<NetworkKey, Attachment> {
    let attachment = |node: &Node| {
        let fields = Fields::of(fields.reading, node);
        Attachment {
            aliases: fields.strings("aliases"),
            ipv4_address: fields.string("ipv4_address"),
            ipv6_address: fields.string("ipv6_address"),
            link_local_ips: fields.strings("link_local_ips"),
            mac_address: fields.string("mac_address"),
            driver_opts: fields.pairs("driver_opts"),
            priority: fields.int("priority").unwrap_or_default(),
            gw_priority: fields.int("gw_priority").unwrap_or_default(),
            interface_name: fields.string("interface_name"),
        }
    };
    let joined = fields.entries("networks");
    let joined: BTreeMap<_, _> =
        joined.map(|(name, entry)| (NetworkKey::new(name.as_str()), attachment(&entry.node))).collect();
    one_address(fields, &joined);
    joined
}

/// The address of a service is that of its first network, which may repeat it and say no other.
fn one_address(fields: &Fields<'_, '_>, joined: &BTreeMap<NetworkKey, Attachment>) {
    // The highest priority is first, and the first name among equals.
    let first = joined.iter().rev().max_by_key(|(_, network)| network.priority);
    let Some((name, of_network)) =
        first.and_then(|(name, network)| Some((name, network.mac_address.as_ref()?)))
    else {
        return;
    };
    if fields.string("mac_address").is_some_and(|of_service| of_service != *of_network) {
        let message = format!("`mac_address` says another address than the network `{name}`");
        let said = Diagnostic::error("conflict", message);
        fields.reading.note(fields.at("mac_address"), said.hint("keep one of the two"));
    }
}

fn section<'n, 'a>(
    reading: &'n Reading<'a>,
    file: &'n Node,
    name: &str,
) -> impl Iterator<Item = (&'n String, Fields<'n, 'a>)> + use<'n, 'a> {
    let entries = file.get(name).into_iter().flat_map(Node::entries);
    entries.map(move |(key, entry)| (key, Fields::of(reading, &entry.node)))
}

/// `name:` as it was given, and not as it follows from the key.
fn name(fields: &Fields<'_, '_>, project: &str, key: &str) -> Option<String> {
    let name = fields.string("name")?;
    (name != format!("{project}_{key}")).then_some(name)
}

/// The networks that are used.
pub(super) fn networks(reading: &Reading<'_>, file: &Node, project: &str) -> BTreeMap<NetworkKey, Network> {
    let network = |key: &str, fields: &Fields<'_, '_>| Network {
        name: name(fields, project, key),
        external: fields.flag("external"),
        internal: fields.flag("internal"),
        driver: fields.string("driver"),
        driver_opts: fields.pairs("driver_opts"),
        labels: fields.pairs("labels"),
        attachable: fields.flag("attachable"),
        enable_ipv4: fields.boolean("enable_ipv4"),
        enable_ipv6: fields.boolean("enable_ipv6"),
        ipam: fields.fields("ipam").map(|ipam| self::ipam(&ipam)).unwrap_or_default(),
    };
    let networks = section(reading, file, "networks");
    networks.map(|(key, fields)| (NetworkKey::new(key.as_str()), network(key, &fields))).collect()
}

fn ipam(fields: &Fields<'_, '_>) -> Ipam {
    Ipam {
        driver: fields.string("driver"),
        pools: fields
            .each("config")
            .map(|pool| IpamPool {
                subnet: pool.string("subnet"),
                gateway: pool.string("gateway"),
                ip_range: pool.string("ip_range"),
                aux_addresses: pool.pairs("aux_addresses"),
            })
            .collect(),
        ..Ipam::default()
    }
}

/// The volumes that are used.
pub(super) fn volumes(reading: &Reading<'_>, file: &Node, project: &str) -> BTreeMap<VolumeKey, Volume> {
    let volume = |key: &str, fields: &Fields<'_, '_>| Volume {
        name: name(fields, project, key),
        external: fields.flag("external"),
        driver: fields.string("driver"),
        driver_opts: fields.pairs("driver_opts"),
        labels: fields.pairs("labels"),
    };
    let volumes = section(reading, file, "volumes");
    volumes.map(|(key, fields)| (VolumeKey::new(key.as_str()), volume(key, &fields))).collect()
}
