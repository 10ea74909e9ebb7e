//! What somebody changed on a container by hand: a look at it beside what the shape says, with the cause in words.

use std::collections::BTreeSet;

use stack::{EngineKind, Restart, Service, ServiceName, Shape};

use crate::{ContainerSeen, Facts, Limits, Phase};

/// One thing that differs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Drift {
    /// It was taken off a network.
    Detached(String),
    /// It was put on a network.
    AttachedElsewhere(String),
    /// It has another restart policy.
    Restart(Restart, Restart),
    /// One of its limits is another one: which, what it is, what it should be.
    Limit(&'static str, String, String),
}

impl Drift {
    /// In words: what is.
    pub(crate) fn says(&self) -> String {
        match self {
            Drift::Detached(network) => format!("it was taken off network `{network}`"),
            Drift::AttachedElsewhere(network) => format!("it was put on network `{network}`"),
            Drift::Restart(is, should) => {
                format!(
                    "its restart policy was changed by hand: `{}`, and not `{}`",
                    policy(*is),
                    policy(*should)
                )
            }
            Drift::Limit(which, is, should) => {
                format!("its {which} limit was changed by hand: {is}, and not {should}")
            }
        }
    }
}

/// Everything on a container that is not as its service says, though it was made from it.
pub(crate) fn of(shape: &Shape, facts: &Facts, service: &ServiceName, seen: &ContainerSeen) -> Vec<Drift> {
    if facts.host.engine == EngineKind::Process {
        return Vec::new();
    }
    let settings = &shape.services[service];
    let networks = networks(shape, settings, seen);
    let restart = seen.restart.filter(|_| matches!(seen.phase, Phase::Running { .. } | Phase::Restarting));
    let restart = restart.filter(|is| !same(*is, settings.restart));
    let restart = restart.map(|is| Drift::Restart(is, settings.restart));
    let limits = seen.limits.map(|limits| changed_limits(settings, limits)).unwrap_or_default();
    networks.into_iter().chain(restart).chain(limits).collect()
}

fn networks(shape: &Shape, settings: &Service, seen: &ContainerSeen) -> Vec<Drift> {
    // One that does not run holds no place on a network in every engine.
    if settings.network_mode.is_some() || !matches!(seen.phase, Phase::Running { .. }) {
        return Vec::new();
    }
    let wanted: BTreeSet<String> = settings.networks.keys().map(|key| shape.network_name(key)).collect();
    let attached: BTreeSet<String> = seen.networks.iter().cloned().collect();
    let detached = wanted.difference(&attached).cloned().map(Drift::Detached);
    // A service without networks is on the one that the engine gives to everybody.
    let elsewhere = attached.difference(&wanted).filter(|_| !wanted.is_empty());
    detached.chain(elsewhere.cloned().map(Drift::AttachedElsewhere)).collect()
}

fn changed_limits(settings: &Service, is: Limits) -> Vec<Drift> {
    let resources = &settings.resources;
    let should = Limits {
        memory_bytes: resources.memory_bytes.filter(|bytes| *bytes > 0),
        nano_cpus: resources.nano_cpus.filter(|cpus| *cpus > 0),
        pids: resources.pids_limit.filter(|pids| *pids > 0),
    };
    let bytes =
        |limit: Option<u64>| limit.map_or_else(|| "none".to_owned(), |bytes| format!("{bytes} bytes"));
    let number = |limit: Option<i64>| limit.map_or_else(|| "none".to_owned(), |number| number.to_string());
    let cpus =
        |limit: Option<i64>| limit.map_or_else(|| "none".to_owned(), |nano| format!("{}", nano as f64 / 1e9));
    // None may be what an engine makes of a limit that its kernel does not know: replacing would change nothing.
    let memory = is.memory_bytes.is_some() && is.memory_bytes != should.memory_bytes;
    let cpu = is.nano_cpus.is_some() && is.nano_cpus != should.nano_cpus;
    let pids = is.pids.is_some() && is.pids != should.pids;
    let all = [
        memory.then(|| Drift::Limit("memory", bytes(is.memory_bytes), bytes(should.memory_bytes))),
        cpu.then(|| Drift::Limit("CPU", cpus(is.nano_cpus), cpus(should.nano_cpus))),
        pids.then(|| Drift::Limit("process", number(is.pids), number(should.pids))),
    ];
    all.into_iter().flatten().collect()
}

fn same(one: Restart, other: Restart) -> bool {
    let known = |policy| match policy {
        Restart::OnFailure(Some(0)) => Restart::OnFailure(None),
        other => other,
    };
    known(one) == known(other)
}

/// A restart policy as Compose writes it.
pub(crate) fn policy(restart: Restart) -> String {
    match restart {
        Restart::No => "no".to_owned(),
        Restart::Always => "always".to_owned(),
        Restart::UnlessStopped => "unless-stopped".to_owned(),
        Restart::OnFailure(None) => "on-failure".to_owned(),
        Restart::OnFailure(Some(times)) => format!("on-failure:{times}"),
    }
}
