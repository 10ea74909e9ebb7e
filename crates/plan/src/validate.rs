//! What must answer on a live stack, **and what must not**: the questions `validate` asks, decided before one is asked.

use std::collections::BTreeSet;

use diag::Diagnostic;
use serde::{Deserialize, Serialize};
use stack::{EngineKind, Probe, ProbeKind, ProbeRole, Service, ServiceName, Shape, StateKind};

use crate::{
    ContainerSeen, Facts, Phase,
    drift::{self, Drift},
    place::asked_of,
};

/// All questions, and what the survey alone already tells.
#[derive(Debug, Clone, PartialEq)]
pub struct Questions {
    /// Services that must answer their probes.
    pub must_answer: Vec<MustAnswer>,
    /// Connections that must not come about.
    pub must_not: Vec<MustNot>,
    /// Host ports on which nobody but the declared service may answer.
    pub closed_ports: Vec<ClosedPort>,
    /// What differs from the shape without asking anybody.
    pub drift: Vec<Diagnostic>,
    /// What is not asked, and why.
    pub not_asked: Vec<String>,
}

/// A service that must answer.
#[derive(Debug, Clone, PartialEq)]
pub struct MustAnswer {
    /// The service.
    pub service: ServiceName,
    /// Its container.
    pub container: String,
    /// What it is asked.
    pub probes: Vec<Probe>,
}

/// A connection that must not come about: asked from inside a network that the service is not in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MustNot {
    /// Engine name of the network it is asked from.
    pub from: String,
    /// The service.
    pub service: ServiceName,
    /// Its container.
    pub container: String,
    /// The port.
    pub port: u16,
}

/// A port of a service that is not published: no host address may answer there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClosedPort {
    /// The service.
    pub service: ServiceName,
    /// The port.
    pub port: u16,
}

/// Decides what `validate` asks.
pub fn questions(shape: &Shape, facts: &Facts) -> Questions {
    let mut asked = Questions {
        must_answer: Vec::new(),
        must_not: Vec::new(),
        closed_ports: Vec::new(),
        drift: drift(shape, facts),
        not_asked: Vec::new(),
    };
    for (name, service) in &shape.services {
        for container in shape.container_names(name) {
            let ended = facts.containers.iter().any(|seen| {
                let at_its_end = matches!(seen.phase, Phase::Exited { code: 0 }) && shape.runs_once(name);
                seen.name == container && at_its_end
            });
            if !ended {
                let mut probes = asked_of(shape, service, ProbeRole::Ready);
                for probe in asked_of(shape, service, ProbeRole::Live) {
                    if !probes.contains(&probe) {
                        probes.push(probe);
                    }
                }
                asked.must_answer.push(MustAnswer { service: name.clone(), container, probes });
            }
        }
    }
    if facts.host.engine == EngineKind::Process {
        asked.not_asked.push("isolation: the process engine isolates nothing".to_owned());
        return asked;
    }
    let published: BTreeSet<u16> = published_ports(shape).map(|(_, published, _)| published).collect();
    for (name, service) in &shape.services {
        for port in ports_of(shape, name, service) {
            let elsewhere = shape.networks.keys().filter(|key| !service.networks.contains_key(*key));
            asked.must_not.extend(elsewhere.flat_map(|key| {
                let of = move |container| MustNot {
                    from: shape.network_name(key),
                    service: name.clone(),
                    container,
                    port,
                };
                shape.container_names(name).into_iter().map(of)
            }));
            let is_published = service.ports.iter().any(|published| published.target == port);
            if !is_published && !published.contains(&port) {
                asked.closed_ports.push(ClosedPort { service: name.clone(), port });
            }
        }
    }
    asked
}

/// Decides what `status` asks: the live probes of what runs.
pub fn live_questions(shape: &Shape, facts: &Facts) -> Vec<MustAnswer> {
    let runs = |container: &String| {
        facts
            .containers
            .iter()
            .any(|seen| seen.name == *container && matches!(seen.phase, Phase::Running { .. }))
    };
    let asked =
        shape.services.iter().filter(|(name, _)| !shape.runs_once(name)).flat_map(|(name, service)| {
            let probes = asked_of(shape, service, ProbeRole::Live);
            let containers = shape.container_names(name).into_iter().filter(runs);
            containers.map(move |container| MustAnswer {
                service: name.clone(),
                container,
                probes: probes.clone(),
            })
        });
    asked.filter(|asked| !asked.probes.is_empty()).collect()
}

/// Ports a service is known to listen on.
fn ports_of(shape: &Shape, name: &ServiceName, service: &Service) -> BTreeSet<u16> {
    let mut ports: BTreeSet<u16> = service.expose.iter().map(|exposed| exposed.port).collect();
    ports.extend(service.ports.iter().map(|port| port.target));
    ports.extend(
        service
            .probes
            .iter()
            .filter(|probe| !matches!(probe.kind, ProbeKind::Exec { .. }))
            .filter_map(|probe| probe.port),
    );
    match shape.states.get(name).map(|state| &state.kind) {
        Some(StateKind::Postgres { .. }) => {
            ports.insert(5432);
        }
        Some(StateKind::Transit(transit)) => {
            ports.insert(transit.port);
        }
        _ => {}
    }
    ports
}

fn published_ports(shape: &Shape) -> impl Iterator<Item = (&ServiceName, u16, u16)> {
    shape.services.iter().flat_map(|(name, service)| {
        service.ports.iter().filter_map(move |port| Some((name, port.published?, port.target)))
    })
}

/// Networks that lead somewhere although their file says that they do not.
fn ways_out(shape: &Shape, facts: &Facts) -> Vec<Diagnostic> {
    let names = shape.networks.iter().filter(|(_, network)| network.internal);
    let open = names.map(|(key, _)| shape.network_name(key)).filter(|name| {
        facts.host.engine != EngineKind::Process
            && facts.networks.get(name).is_some_and(|seen| !seen.internal)
    });
    open.map(|name| {
        let message = format!("network `{name}` has a way out, and its file says that it has none");
        Diagnostic::error("network-not-internal", message)
            .hint(format!("take its containers off it, `docker network rm {name}`, then: seaworthy deploy"))
    })
    .collect()
}

/// What differs from the shape in the survey alone: containers, networks, published ports.
fn drift(shape: &Shape, facts: &Facts) -> Vec<Diagnostic> {
    let mut said = ways_out(shape, facts);
    for (name, service) in &shape.services {
        for container in shape.container_names(name) {
            match facts.containers.iter().find(|seen| seen.name == container) {
                Some(seen) if facts.host.engine != EngineKind::Process => {
                    said.extend(changed_by_hand(shape, facts, name, seen));
                    said.extend(published_otherwise(name, service, seen));
                }
                Some(_) => {}
                None => said.push(missing(name, service, &container)),
            }
        }
    }
    for (name, published, _) in published_ports(shape) {
        if shape.publishes.as_ref().is_some_and(|allowed| !allowed.contains(&published)) {
            said.push(Diagnostic::error(
                "published-undeclared",
                format!(
                    "`{name}` publishes {published}, which `publishes` of shape `{}` does not list",
                    shape.name
                ),
            ));
        }
    }
    said
}

fn missing(name: &ServiceName, service: &Service, container: &str) -> Diagnostic {
    let message = match service.replicas() {
        1 => format!("`{name}` has no container"),
        _ => format!("`{name}` has no container `{container}`"),
    };
    Diagnostic::error("not-running", message).hint("seaworthy deploy")
}

/// What somebody changed on a container by hand.
fn changed_by_hand(
    shape: &Shape,
    facts: &Facts,
    name: &ServiceName,
    seen: &ContainerSeen,
) -> Vec<Diagnostic> {
    let container = &seen.name;
    let said = drift::of(shape, facts, name, seen).into_iter().map(|drift| match &drift {
        Drift::AttachedElsewhere(extra) => {
            let message = format!("`{name}` is attached to `{extra}`, and its file does not say so");
            Diagnostic::error("attached-elsewhere", message)
                .hint(format!("docker network disconnect {extra} {container}"))
        }
        Drift::Detached(missing) => {
            let message = format!("`{name}` is not attached to `{missing}`, and its file says so");
            Diagnostic::error("detached", message)
                .hint(format!("docker network connect --alias {name} {missing} {container}"))
        }
        Drift::Restart(..) | Drift::Limit(..) => {
            Diagnostic::error("changed-by-hand", format!("`{name}`: {}", drift.says()))
                .hint("seaworthy deploy")
        }
    });
    said.collect()
}

/// Ports that a container publishes and should not.
fn published_otherwise(name: &ServiceName, service: &Service, seen: &ContainerSeen) -> Vec<Diagnostic> {
    let undeclared = seen.ports.iter().filter(|(_, published, target)| {
        let declares = |port: &stack::Port| {
            let last = port.published_until.or(port.published);
            let within = |first| (first..=last.unwrap_or(first)).contains(published);
            port.target == *target && port.published.is_none_or(within)
        };
        !service.ports.iter().any(declares)
    });
    let said = undeclared.map(|(address, published, target)| {
        let message =
            format!("`{name}` publishes {address}:{published} → {target}, and its file does not say so");
        Diagnostic::error("published-undeclared", message).hint("seaworthy deploy")
    });
    said.collect()
}
