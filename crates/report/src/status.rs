//! What `status` says: `seaworthy.status/1`.

use std::collections::BTreeMap;

use plan::{ContainerSeen, Facts, Phase};
use serde::Serialize;
use stack::Shape;

/// What is, as a survey saw it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct StatusReport {
    /// `seaworthy.status/1`.
    pub schema: &'static str,
    /// The stack.
    pub stack: String,
    /// The shape.
    pub shape: String,
    /// The engine and its version.
    pub engine: String,
    /// When it was seen.
    pub seen_at: jiff::Timestamp,
    /// The live release.
    pub current: Option<u64>,
    /// The last good release.
    pub good: Option<u64>,
    /// Services of the shape, in name order; one that is scaled, once for each of its containers.
    pub services: Vec<ServiceStatus>,
    /// Containers that no service of the shape explains.
    pub others: Vec<String>,
    /// What is otherwise than the files say, on containers that are there: each in a sentence.
    pub drift: Vec<String>,
    /// The newest set, and its point.
    pub newest_set: Option<(String, jiff::Timestamp)>,
    /// A run that has not ended, when there is one.
    pub unfinished_run: Option<String>,
}

/// One service.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ServiceStatus {
    /// Its name.
    pub service: String,
    /// Its container, when there is one.
    pub container: Option<String>,
    /// In words: `running, healthy`, `running, degraded`, `stopped (exit 1)`, `absent`.
    pub state: String,
    /// Whether that is as it should be.
    pub well: bool,
    /// Whether it works, with less: it is not well, and not down.
    pub degraded: bool,
    /// What its live probe saw, where that is not as it should be.
    pub saw: Option<String>,
    /// The release its container was made in.
    pub release: Option<u64>,
    /// Published ports.
    pub ports: Vec<String>,
}

/// What a container that runs says of itself, where it is not well: the probe and what it saw.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ailing {
    /// It works, with less.
    Degraded(String),
    /// It does not answer as it should.
    Silent(String),
}

/// Puts a survey, and what the containers say of themselves, beside the shape.
pub fn status_report(
    shape: &Shape,
    facts: &Facts,
    ailing: &BTreeMap<String, Ailing>,
    unfinished_run: Option<&str>,
) -> StatusReport {
    let services = |name: &stack::ServiceName| -> Vec<ServiceStatus> {
        let containers = shape.container_names(name).into_iter();
        let status = |container: String| {
            let seen = facts.containers.iter().find(|seen| seen.name == container);
            let status = service_status(shape, name, seen);
            match ailing.get(&container) {
                Some(how) => not_well(status, how),
                None => status,
            }
        };
        containers.map(status).collect()
    };
    let explained: Vec<String> = shape.services.keys().flat_map(|name| shape.container_names(name)).collect();
    let others = facts.containers.iter().filter(|seen| !explained.contains(&seen.name));
    StatusReport {
        schema: "seaworthy.status/1",
        stack: shape.stack.to_string(),
        shape: shape.name.clone(),
        engine: format!("{} {}", engine_word(facts.host.engine), facts.host.version),
        seen_at: facts.seen_at,
        current: facts.current,
        good: facts.good,
        services: shape.services.keys().flat_map(services).collect(),
        others: others.map(|seen| seen.name.clone()).collect(),
        drift: drift(shape, facts),
        newest_set: facts.sets.first().map(|set| (set.id.to_string(), set.point)),
        unfinished_run: unfinished_run.map(ToOwned::to_owned),
    }
}

fn drift(shape: &Shape, facts: &Facts) -> Vec<String> {
    let said = plan::questions(shape, facts).drift.into_iter();
    // That something is not there stands beside its service.
    said.filter(|said| said.id != "not-running").map(|said| said.message).collect()
}

fn service_status(shape: &Shape, name: &stack::ServiceName, seen: Option<&ContainerSeen>) -> ServiceStatus {
    let once = shape.runs_once(name);
    let (state, well) = seen.map_or(("absent".to_owned(), false), |seen| phase(seen.phase, once));
    ServiceStatus {
        service: name.to_string(),
        container: seen.map(|seen| seen.name.clone()),
        state,
        well,
        degraded: false,
        saw: None,
        release: seen.and_then(|seen| seen.release),
        ports: seen
            .map(|seen| {
                let says = |(ip, host, inside): &(String, u16, u16)| format!("{ip}:{host}→{inside}");
                seen.ports.iter().map(says).collect()
            })
            .unwrap_or_default(),
    }
}

fn not_well(status: ServiceStatus, how: &Ailing) -> ServiceStatus {
    let (word, degraded, saw) = match how {
        Ailing::Degraded(saw) => ("degraded", true, saw),
        Ailing::Silent(saw) => ("not well", false, saw),
    };
    let state = format!("{}, {word}", status.state);
    ServiceStatus { state, well: false, degraded, saw: Some(saw.clone()), ..status }
}

/// A phase in words, and whether a service should be in it.
fn phase(phase: Phase, runs_once: bool) -> (String, bool) {
    match phase {
        Phase::Exited { code: 0 } if runs_once => ("ran to its end".to_owned(), true),
        phase => (phase.in_words(), phase.is_well()),
    }
}

fn engine_word(engine: stack::EngineKind) -> &'static str {
    match engine {
        stack::EngineKind::Docker => "docker",
        stack::EngineKind::Process => "process",
    }
}
