//! Networks: who can reach what.

use std::collections::BTreeSet;

use stack::{Namespace, NetworkKey, Port, Service, ServiceName};

use crate::{
    check::{Check, Level, Mode, Reach},
    input::{Input, Seen, escape},
    known,
};

pub(crate) const CHECKS: [Check; 7] = [
    Check {
        id: "database-published",
        catalogue: Some("NET-002"),
        level: Level::Critical,
        production: Reach::Everywhere,
        mode: Mode::Static,
        what: "a data store publishes a port on the host",
        why: "nobody outside the stack needs it, and everybody who scans finds it",
        fix: "remove `ports:`; services of the stack reach it by its name",
        source: "CIS Docker 5.9",
        requirements: &["A14", "A16"],
        look: database_published,
    },
    Check {
        id: "published-undeclared",
        catalogue: Some("NET-008"),
        level: Level::High,
        production: Reach::Everywhere,
        mode: Mode::Static,
        what: "a port is published that the shape does not declare",
        why: "what is open was not decided by anybody",
        fix: "remove it, or add it to `[shape.NAME] publishes`",
        source: "CIS Docker 5.9",
        requirements: &["A5", "A6"],
        look: published_undeclared,
    },
    Check {
        id: "all-interfaces",
        catalogue: Some("NET-001"),
        level: Level::High,
        production: Reach::Everywhere,
        mode: Mode::Static,
        what: "a port is published on every address of the host, and nothing says that it should be",
        why: "the engine's own rules come before the host's firewall",
        fix: "publish it on one address (`127.0.0.1:8080:80`), or declare it in `[shape.NAME] publishes`",
        source: "CIS Docker 5.14",
        requirements: &["A5"],
        look: all_interfaces,
    },
    Check {
        id: "host-network",
        catalogue: Some("NET-003"),
        level: Level::High,
        production: Reach::Everywhere,
        mode: Mode::Static,
        what: "a service runs in the host's own network",
        why: "it reaches everything that listens on the host, and the host's neighbours reach it",
        fix: "remove `network_mode: host` and publish the ports it needs",
        source: "CIS Docker 5.10",
        requirements: &[],
        look: host_network,
    },
    Check {
        id: "data-store-at-edge",
        catalogue: Some("NET-005"),
        level: Level::High,
        production: Reach::Everywhere,
        mode: Mode::Static,
        what: "a data store shares a network with a published service that does not depend on it",
        why: "one hole in what faces the world reaches every row",
        fix: "take the data store off that network",
        source: "NIST SP 800-190, 3.3",
        requirements: &["A13", "A14"],
        look: data_store_at_edge,
    },
    Check {
        id: "data-network-not-internal",
        catalogue: Some("NET-006"),
        level: Level::Medium,
        production: Reach::Heavier(Level::High),
        mode: Mode::Static,
        what: "a data store sits on a network with a way out",
        why: "what breaks into it can carry the data away",
        fix: "set `internal: true` on the network that only data stores and their users join",
        source: "NIST SP 800-190",
        requirements: &["A12", "A13"],
        look: data_network_not_internal,
    },
    Check {
        id: "bridges-two-networks",
        catalogue: Some("NET-004"),
        level: Level::Medium,
        production: Reach::Everywhere,
        mode: Mode::Static,
        what: "more than one service joins an internal network and one with a way out",
        why: "each is a bridge around the isolation, and one was meant to be the only one",
        fix: "leave one service on both sides",
        source: "NIST SP 800-190, 3.3",
        requirements: &["A15"],
        look: bridges,
    },
];

fn database_published(input: &Input<'_>) -> Vec<Seen> {
    published(input)
        .filter_map(|(name, service, index, port)| {
            let store = known::store(input.shape, name, service)?.as_str();
            let message = format!("`{name}` is {store} and publishes {}", says(port));
            Some(port_seen(name, index, port, message))
        })
        .collect()
}

fn published_undeclared(input: &Input<'_>) -> Vec<Seen> {
    let Some(declared) = &input.shape.publishes else { return Vec::new() };
    published(input)
        .filter(|(_, _, _, port)| port.published.is_none_or(|number| !declared.contains(&number)))
        .map(|(name, _, index, port)| {
            let allowed = match declared.as_slice() {
                [] => "no port".to_owned(),
                ports => format!("only {}", ports.iter().map(u16::to_string).collect::<Vec<_>>().join(", ")),
            };
            let message =
                format!("`{name}` publishes {}; shape `{}` declares {allowed}", says(port), input.shape.name);
            port_seen(name, index, port, message)
        })
        .collect()
}

fn all_interfaces(input: &Input<'_>) -> Vec<Seen> {
    if input.shape.publishes.is_some() {
        return Vec::new();
    }
    published(input)
        .filter(|(_, _, _, port)| matches!(port.host_ip.as_deref(), None | Some("" | "0.0.0.0" | "::")))
        .map(|(name, _, index, port)| {
            let message = format!("`{name}` publishes {} on every address of the host", says(port));
            port_seen(name, index, port, message)
        })
        .collect()
}

/// Every published port with its service and its place in the list.
fn published<'a>(input: &Input<'a>) -> impl Iterator<Item = (&'a ServiceName, &'a Service, usize, &'a Port)> {
    input.services().flat_map(|(name, service)| {
        service.ports.iter().enumerate().map(move |(index, port)| (name, service, index, port))
    })
}

fn port_seen(name: &ServiceName, index: usize, port: &Port, message: String) -> Seen {
    Seen::in_service(name, &format!("/ports/{index}"), message, &format!("{}/{}", says(port), port.protocol))
}

/// A port as a person writes it.
fn says(port: &Port) -> String {
    let host = port.host_ip.as_deref().filter(|ip| !ip.is_empty()).map(|ip| format!("{ip}:"));
    let published = port.published.map_or_else(|| "any port".to_owned(), |number| number.to_string());
    format!("{}{published}", host.unwrap_or_default())
}

fn host_network(input: &Input<'_>) -> Vec<Seen> {
    let on_host =
        input.services().filter(|(_, service)| service.network_mode.as_ref().is_some_and(Namespace::is_host));
    on_host
        .map(|(name, _)| {
            Seen::in_service(
                name,
                "/network_mode",
                format!("`{name}` runs in the host's own network"),
                "host",
            )
        })
        .collect()
}

fn data_store_at_edge(input: &Input<'_>) -> Vec<Seen> {
    let mut seen = Vec::new();
    for (name, service, _) in stores(input) {
        // A data store that is itself published is another check's business.
        let edges = input.services().filter(|(other, edge)| {
            !edge.ports.is_empty()
                && !edge.depends_on.contains_key(name)
                && known::store(input.shape, other, edge).is_none()
        });
        for (edge, other) in edges {
            for network in other.networks.keys().filter(|network| service.networks.contains_key(*network)) {
                let message =
                    format!("`{name}` shares network `{network}` with `{edge}`, which is published");
                let below = format!("/networks/{}", escape(network.as_str()));
                seen.push(Seen::in_service(name, &below, message, &format!("{network} {edge}")));
            }
        }
    }
    seen
}

fn data_network_not_internal(input: &Input<'_>) -> Vec<Seen> {
    let mut seen = Vec::new();
    for (name, service, store) in stores(input) {
        for network in service.networks.keys().filter(|network| !is_internal(input, network)) {
            let message =
                format!("`{name}` is {} on network `{network}`, which has a way out", store.as_str());
            let below = format!("/networks/{}", escape(network.as_str()));
            seen.push(Seen::in_service(name, &below, message, network.as_str()));
        }
    }
    seen
}

fn bridges(input: &Input<'_>) -> Vec<Seen> {
    let mut seen = Vec::new();
    for network in input.shape.networks.keys().filter(|network| is_internal(input, network)) {
        let bridging: BTreeSet<&ServiceName> = input
            .services()
            .filter(|(_, service)| service.networks.contains_key(network))
            .filter(|(_, service)| service.networks.keys().any(|other| !is_internal(input, other)))
            .map(|(name, _)| name)
            .collect();
        if bridging.len() > 1 {
            let names = bridging.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(" and ");
            let message = format!("{names} join internal network `{network}` and one with a way out");
            seen.push(Seen::in_stack(&format!("/networks/{}", escape(network.as_str())), message, &names));
        }
    }
    seen
}

fn stores<'a>(input: &Input<'a>) -> impl Iterator<Item = (&'a ServiceName, &'a Service, known::Store)> {
    let shape = input.shape;
    input
        .services()
        .filter_map(move |(name, service)| Some((name, service, known::store(shape, name, service)?)))
}

fn is_internal(input: &Input<'_>, network: &NetworkKey) -> bool {
    input.shape.networks.get(network).is_some_and(|network| network.internal)
}
