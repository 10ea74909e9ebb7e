//! Ports of a container: those it listens on, and those of the host that lead to them.

use bollard::models::{PortBinding, PortMap};
use stack::{Port, Service};

/// What the container listens on, published or not: `80/tcp`.
pub(super) fn exposed(settings: &Service) -> Vec<String> {
    let declared = settings.expose.iter().map(|port| format!("{}/{}", port.port, port.protocol));
    let mut ports: Vec<String> = declared.chain(settings.ports.iter().map(inside)).collect();
    ports.sort();
    ports.dedup();
    ports
}

/// Which ports of the host lead to which of the container.
pub(super) fn bindings(ports: &[Port]) -> PortMap {
    let mut bindings = PortMap::new();
    for port in ports {
        let binding = PortBinding { host_ip: port.host_ip.clone(), host_port: Some(published(port)) };
        bindings.entry(inside(port)).or_default().get_or_insert_default().push(binding);
    }
    bindings
}

/// One port, a range that the engine picks from, or nothing: then it picks from all.
fn published(port: &Port) -> String {
    match (port.published, port.published_until) {
        (Some(first), Some(last)) if last != first => format!("{first}-{last}"),
        (Some(port), _) => port.to_string(),
        (None, _) => String::new(),
    }
}

/// A container's port as the engine writes it: `80/tcp`.
fn inside(port: &Port) -> String {
    format!("{}/{}", port.target, port.protocol)
}
