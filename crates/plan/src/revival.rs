//! What an unwinding brings back once every step is taken back: dependencies first, and everybody is asked.
//!
//! ```text
//!   steps      ... stop db ... start db ... stop web ... start web   probe web fails
//!   undone     web has its old container back, db has its old container back
//!   revivals   resume db, probe db; resume web, probe web; probe whoever needs one of them and ran on
//! ```
//!
//! The order is that of the release that ran: what its services need of one another is what counts now.

use stack::{Service, ServiceName};

use crate::{
    Action, Effect, Facts, Phase, ReleaseSeen, Revival, StepId,
    place::{Placing, Stopped, gates, unsealing},
};

/// Brings back what was stopped, and asks it and those who need it.
pub(crate) fn revivals(placing: &Placing<'_>, stopped: &[Stopped]) -> Vec<Revival> {
    if stopped.is_empty() {
        return Vec::new();
    }
    let ran = running_release(placing.facts);
    let was = ran.map_or(placing.shape, |release| &*release.shape);
    let mut order = was.start_order();
    // Left of a release before that, and in the new shape again.
    for Stopped { service, .. } in stopped {
        if !was.services.contains_key(service) && !order.contains(service) {
            order.push(service.clone());
        }
    }
    order.iter().filter_map(|service| revival(placing, ran, service, stopped)).collect()
}

/// The release whose containers run; none where a stack is taken over that nobody deployed.
fn running_release(facts: &Facts) -> Option<&ReleaseSeen> {
    facts.releases.iter().find(|release| Some(release.number) == facts.current)
}

fn revival(
    placing: &Placing<'_>,
    ran: Option<&ReleaseSeen>,
    service: &ServiceName,
    stopped: &[Stopped],
) -> Option<Revival> {
    let was = ran.map(|release| &*release.shape).filter(|was| was.services.contains_key(service));
    let shape = was.unwrap_or(placing.shape);
    let settings = &shape.services[service];
    let own: Vec<&Stopped> = stopped.iter().filter(|other| other.service == *service).collect();
    let mut actions = Vec::new();
    for Stopped { container, restart, .. } in &own {
        let resume = Effect::Resume { container: container.clone(), restart: *restart };
        actions.push(Action::Engine { effect: resume });
        actions.extend(placing.after_revival(service, container));
        // A key store that was stopped comes back sealed.
        actions.extend(unsealing(shape, service, container).into_iter().map(|(_, action)| action));
    }
    let (after_any, asked): (Vec<StepId>, Vec<String>) = if own.is_empty() {
        let well: Vec<String> =
            shape.container_names(service).into_iter().filter(|name| is_well(placing.facts, name)).collect();
        let needed = shape.with_dependencies(std::slice::from_ref(service));
        let stops = stopped.iter().filter(|other| needed.contains(&other.service));
        (stops.map(|other| other.step.clone()).collect(), well)
    } else {
        own.iter().map(|other| (other.step.clone(), other.container.clone())).unzip()
    };
    if !shape.runs_once(service) {
        // Nobody has said what a container answers that nobody deployed: that it runs has to do.
        let unknown = Service { probes: Vec::new(), ..settings.clone() };
        let settings = if was.is_some() { settings } else { &unknown };
        for container in asked {
            actions.extend(gates(shape, service, settings, &container).into_iter().map(|(_, action)| action));
        }
    }
    (!after_any.is_empty() && !actions.is_empty()).then(|| Revival {
        service: service.clone(),
        after_any,
        actions,
    })
}

/// Whether it ran before, and nothing was known to be wrong with it: only then a silence is news.
fn is_well(facts: &Facts, container: &str) -> bool {
    let well = |phase| matches!(phase, Phase::Running { healthy: None | Some(true) });
    facts.containers.iter().any(|seen| seen.name == container && well(seen.phase))
}
