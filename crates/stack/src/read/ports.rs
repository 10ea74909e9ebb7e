//! Ports that are published, and ports that are only listened on.

use std::collections::BTreeMap;

use diag::Diagnostic;

use super::fields::{Fields, cannot, plain};
use crate::{
    names::ServiceName,
    reading::Reading,
    shape::{Exposed, Port, Service},
    tree::{Node, Spot},
};

/// The published ports.
pub(super) fn published(fields: &Fields<'_, '_>) -> Vec<Port> {
    fields.each("ports").filter_map(|port| self::port(&port)).collect()
}

fn port(fields: &Fields<'_, '_>) -> Option<Port> {
    let wanted = "a port from 1 to 65535";
    let Some(target) = fields.int("target") else {
        fields.reading.note(fields.node.at, Diagnostic::error("missing-key", "a port needs its `target`"));
        return None;
    };
    let Some(target) = u16::try_from(target).ok().filter(|port| *port > 0) else {
        fields.cannot("target", wanted);
        return None;
    };
    let number = |text: &str| text.parse::<u16>().ok();
    let range = fields.read("published", wanted, |text| match text.split_once('-') {
        Some((low, high)) => Some((number(low)?, number(high)?)).filter(|(low, high)| low <= high),
        None if text.is_empty() => Some((0, 0)),
        None => Some((number(text)?, number(text)?)),
    });
    let protocol = fields.read("protocol", "one of tcp, udp, sctp", |text| {
        matches!(text, "tcp" | "udp" | "sctp").then(|| text.to_owned())
    });
    Some(Port {
        host_ip: fields.string("host_ip"),
        published: range.map(|(low, _)| low).filter(|port| *port > 0),
        published_until: range.filter(|(low, high)| low < high).map(|(_, high)| high),
        target,
        protocol: protocol.unwrap_or_else(|| "tcp".to_owned()),
    })
}

/// The ports that are only listened on; a range is as many.
pub(super) fn exposed(fields: &Fields<'_, '_>) -> Vec<Exposed> {
    let mut exposed = Vec::new();
    for item in fields.items("expose") {
        let Some(text) = plain(fields.reading, item, "expose") else { continue };
        let (ports, protocol) = text.split_once('/').unwrap_or((&text, "tcp"));
        let number = |text: &str| text.parse::<u16>().ok().filter(|port| *port > 0);
        let range = match ports.split_once('-') {
            Some((low, high)) => number(low).zip(number(high)).filter(|(low, high)| low <= high),
            None => number(ports).map(|port| (port, port)),
        };
        match range.filter(|_| matches!(protocol, "tcp" | "udp" | "sctp")) {
            Some((low, high)) => {
                exposed.extend((low..=high).map(|port| Exposed { port, protocol: protocol.to_owned() }));
            }
            None => cannot(fields.reading, item, "expose", "a port from 1 to 65535"),
        }
    }
    exposed
}

/// Says where a host port is asked for twice. The engine would say so when half of the stack runs.
pub(super) fn conflicts(reading: &Reading<'_>, file: &Node, services: &BTreeMap<ServiceName, Service>) {
    type Taken<'s> = Vec<(&'s ServiceName, &'s Port, Spot)>;
    let mut taken: BTreeMap<(u16, &str), Taken<'_>> = BTreeMap::new();
    for (name, service) in services {
        let node = file.get("services").and_then(|services| services.get(name.as_str()));
        let items = node.and_then(|service| service.get("ports")).map(Node::items).unwrap_or_default();
        for (port, item) in service.ports.iter().zip(items) {
            let Some(number) = port.published.filter(|_| port.published_until.is_none()) else { continue };
            let others = taken.entry((number, port.protocol.as_str())).or_default();
            if let Some((by, _, before)) = others.iter().find(|(_, other, _)| collide(other, port)) {
                let message = match *by == name {
                    true => format!("`{name}` publishes the host port {number} twice"),
                    false => format!("`{by}` and `{name}` both publish the host port {number}"),
                };
                let said = Diagnostic::error("port-conflict", message);
                let said = said.cause(format!("it is taken at {} already", reading.place(*before)));
                reading
                    .note(item.at, said.hint("give one of them another host port, or another host address"));
            }
            others.push((name, port, item.at));
        }
    }
}

fn collide(one: &Port, other: &Port) -> bool {
    let everywhere = |port: &Port| port.host_ip.as_deref().is_none_or(|ip| matches!(ip, "0.0.0.0" | "::"));
    everywhere(one) || everywhere(other) || one.host_ip == other.host_ip
}
