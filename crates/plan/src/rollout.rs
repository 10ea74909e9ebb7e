//! The gap between what should run and what was seen, and how it is closed: what deploy and rollback share.

use stack::ServiceName;

use crate::{
    Action, ContainerSeen, Effect, Phase, Revival, desired,
    place::{Change, Placing},
    revival::revivals,
    steps::Steps,
};

/// The gap between what should run and what was seen.
pub(crate) struct Gap {
    pub(crate) changes: Vec<Change>,
    pub(crate) starts: Vec<(crate::Container, Vec<String>)>,
    pub(crate) seals: Vec<crate::Container>,
    /// Names under which a run that got stuck left a good container, and the names they belong under.
    pub(crate) left_aside: Vec<(String, String)>,
    pub(crate) not_done: Vec<String>,
    pub(crate) order: Vec<ServiceName>,
}

impl Gap {
    /// True when there is nothing to close.
    pub(crate) fn is_closed(&self) -> bool {
        self.changes.is_empty()
            && self.starts.is_empty()
            && self.seals.is_empty()
            && self.left_aside.is_empty()
    }
}

/// Compares every service with the container that was seen under its name.
pub(crate) fn compare(placing: &Placing<'_>) -> Gap {
    let order = placing.shape.start_order();
    let mut gap = Gap {
        changes: Vec::new(),
        starts: Vec::new(),
        seals: Vec::new(),
        left_aside: Vec::new(),
        not_done: Vec::new(),
        order: order.clone(),
    };
    for service in &order {
        let wanted = placing.wanted(service);
        let named = |name: &str| placing.facts.containers.iter().find(|seen| seen.name == name);
        let aside = format!("{}-was", wanted.name);
        let seen = named(&wanted.name).or_else(|| {
            // A run that got stuck set it aside and put nothing in its place: it is taken back first.
            let left = named(&aside)?;
            gap.left_aside.push((aside.clone(), wanted.name.clone()));
            Some(left)
        });
        match seen {
            None => {
                let because = vec!["it does not exist yet".to_owned()];
                gap.changes.push(Change { container: wanted, because, replaces: None });
            }
            Some(seen) => match reasons_to_replace(placing, &wanted, seen) {
                reasons if !reasons.is_empty() => gap.changes.push(Change {
                    container: wanted,
                    because: reasons,
                    replaces: Some(placing.shape.container_name(service)),
                }),
                _ => keep(placing, &mut gap, wanted, seen),
            },
        }
    }
    tell_orphans(placing, &mut gap);
    gap
}

/// A container that stays: started where it stands still, unsealed where it is a sealed key store.
fn keep(placing: &Placing<'_>, gap: &mut Gap, wanted: crate::Container, seen: &ContainerSeen) {
    let service = wanted.service.clone();
    let ended_well = matches!(seen.phase, Phase::Exited { code: 0 }) && placing.shape.runs_once(&service);
    match seen.phase {
        Phase::Running { .. } | Phase::Restarting => {
            // One that runs and does not answer has just started, sealed: it is waited for, never passed over.
            let sealed = placing.facts.key_stores.get(&service).is_none_or(|store| store.sealed);
            if sealed && placing.shape.key_store().is_some_and(|(store, _)| *store == service) {
                gap.seals.push(wanted);
            } else {
                gap.not_done.push(format!("{service} is {}", how_it_runs(seen.phase)));
            }
        }
        _ if ended_well => gap.not_done.push(format!("{service} has run to its end already")),
        phase => gap.starts.push((wanted, vec![format!("it is {}", phase.in_words())])),
    }
}

/// What is told of a container that is left alone: that it is what it should be does not mean that it is well.
fn how_it_runs(phase: Phase) -> &'static str {
    match phase {
        Phase::Restarting => "what it should be, and ends again and again: seaworthy logs",
        Phase::Running { healthy: Some(false) } => {
            "what it should be, and its health check fails: seaworthy logs"
        }
        _ => "as it should be",
    }
}

fn reasons_to_replace(placing: &Placing<'_>, wanted: &crate::Container, seen: &ContainerSeen) -> Vec<String> {
    if seen.phase == Phase::Dead {
        return vec!["the engine gave it up".to_owned()];
    }
    if seen.identity.is_empty() {
        return vec!["it was not made by us".to_owned()];
    }
    if seen.identity != wanted.identity {
        let before = seen
            .release
            .and_then(|number| placing.facts.releases.iter().find(|release| release.number == number))
            .filter(|release| release.shape.services.contains_key(&wanted.service))
            .map(|release| {
                desired::container(
                    &release.shape,
                    &wanted.service,
                    &release.secrets,
                    0,
                    &placing.policy.state_dir,
                )
            });
        let said = before.map(|before| desired::differences(&before, wanted)).unwrap_or_default();
        return if said.is_empty() { vec!["what it is made from changed".to_owned()] } else { said };
    }
    let image = placing.facts.images.get(&wanted.settings.image);
    match image {
        Some(image) if !seen.image_id.is_empty() && image.id != seen.image_id => {
            vec![format!("`{}` names another image now", wanted.settings.image)]
        }
        _ => Vec::new(),
    }
}

/// Containers of the stack that no service explains: told, never removed without being asked.
fn tell_orphans(placing: &Placing<'_>, gap: &mut Gap) {
    let orphans = placing
        .facts
        .containers
        .iter()
        .filter(|seen| !placing.shape.services.contains_key(&seen.service))
        .filter(|seen| !leftovers(placing).any(|left| left.name == seen.name));
    gap.not_done.extend(orphans.map(|seen| {
        format!(
            "`{}` belongs to no service of this shape: left alone (`docker rm -f {}` removes it)",
            seen.name, seen.name
        )
    }));
}

/// Containers that an earlier run set aside under names of its own, and no run took back.
pub(crate) fn leftovers<'a>(placing: &Placing<'a>) -> impl Iterator<Item = &'a ContainerSeen> {
    let shape = placing.shape;
    placing.facts.containers.iter().filter(move |seen| {
        let aside = ["-was", "-next", "-failed"].iter().any(|end| seen.name.ends_with(end));
        // A service may bear such a name by its own `container_name`.
        aside && !shape.services.keys().any(|service| shape.container_name(service) == seen.name)
    })
}

/// Removes what an earlier run set aside under the names this one needs.
pub(crate) fn clear_the_way(placing: &Placing<'_>, steps: &mut Steps, gap: &Gap) {
    for (from, to) in &gap.left_aside {
        let because = vec![format!("an earlier run left it as `{from}`")];
        let rename = Effect::Rename { from: from.clone(), to: to.clone() };
        steps.engine("name", to, rename, &because);
    }
    for seen in in_the_way(placing, gap) {
        let because = vec![format!("an earlier run left `{}`", seen.name)];
        let remove = Effect::Remove { container: seen.name.clone() };
        steps.engine("clear", seen.service.as_str(), remove, &because);
    }
}

/// What bears a name that this run gives.
fn in_the_way<'a>(placing: &Placing<'a>, gap: &Gap) -> Vec<&'a ContainerSeen> {
    let names = gap.changes.iter().flat_map(|change| {
        let name = &change.container.name;
        let failed =
            format!("{}-{}-{}-failed", placing.shape.stack, change.container.service, placing.release);
        [format!("{name}-was"), format!("{name}-next"), failed]
    });
    let names: Vec<String> =
        names.filter(|name| !gap.left_aside.iter().any(|(from, _)| from == name)).collect();
    leftovers(placing).filter(|seen| names.contains(&seen.name)).collect()
}

/// Each service in order: replaced, started or unsealed, and asked before the next one. Gives what an unwinding brings
/// back.
pub(crate) fn put_in_place(placing: &Placing<'_>, steps: &mut Steps, gap: &Gap) -> Vec<Revival> {
    let mut stopped = Vec::new();
    for service in &gap.order {
        if let Some(change) = gap.changes.iter().find(|change| change.container.service == *service) {
            stopped.extend(placing.place(steps, change).map(|step| (service.clone(), step)));
            placing.await_ready(steps, &change.container, &change.because);
        } else if let Some((container, because)) =
            gap.starts.iter().find(|(start, _)| start.service == *service)
        {
            placing.start(steps, container, because);
            placing.await_ready(steps, container, because);
        } else if let Some(container) = gap.seals.iter().find(|container| container.service == *service) {
            placing.await_ready(
                steps,
                container,
                &["it is sealed, or has not said that it is open".to_owned()],
            );
        }
    }
    revivals(placing, &stopped)
}

/// Watches the release, makes it current and good, and then removes what it replaced.
pub(crate) fn make_good(placing: &Placing<'_>, steps: &mut Steps, number: u64, gap: &Gap) {
    placing.watch(steps);
    let because = [format!("release {number} passed its probes")];
    let subject = format!("release {number}");
    steps
        .add("current", &subject, Action::PointCurrent { number: Some(number) }, &because)
        .undone_by([Action::PointCurrent { number: placing.facts.current }]);
    steps
        .add("good", &subject, Action::PointGood { number: Some(number) }, &because)
        .undone_by([Action::PointGood { number: placing.facts.good }]);
    let replaced = gap.changes.iter().filter(|change| change.replaces.is_some()).map(|change| {
        let was = format!("{}-was", change.container.name);
        (change.container.service.to_string(), was, "its replacement is good")
    });
    let cleared = in_the_way(placing, gap);
    let left = leftovers(placing).filter(|seen| {
        let taken_back = gap.left_aside.iter().any(|(from, _)| *from == seen.name);
        !taken_back && !cleared.iter().any(|other| other.name == seen.name)
    });
    let left = left.map(|seen| {
        let why = "a good release followed what an earlier run left";
        (seen.service.to_string(), seen.name.clone(), why)
    });
    for (service, container, why) in replaced.chain(left).collect::<Vec<_>>() {
        steps.engine("remove", &service, Effect::Remove { container }, &[why.to_owned()]).forgiving();
    }
}
