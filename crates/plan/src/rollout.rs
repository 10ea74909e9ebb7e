//! The gap between what should run and what was seen, and how it is closed: what deploy and rollback share.

use std::collections::BTreeSet;

use stack::ServiceName;

use crate::{
    Action, AnonymousSeen, Container, ContainerSeen, Effect, Facts, Phase, Revival, adoption, desired,
    drift::{self, Drift},
    place::{Change, Placing, Stopped},
    revival::revivals,
    steps::Steps,
};

/// The gap between what should run and what was seen.
pub(crate) struct Gap {
    /// What becomes of each container that should be there, in the order in which services start.
    standings: Vec<Standing>,
    /// Containers beyond the number that a service is scaled to now, highest number first.
    surplus: Vec<ContainerSeen>,
    /// Names under which a run that got stuck left a good container, and the names they belong under.
    left_aside: Vec<(String, String)>,
    pub(crate) not_done: Vec<String>,
}

/// A container that should be there, and what becomes of it.
struct Standing {
    container: Container,
    verdict: Verdict,
}

/// What becomes of a container, and why.
enum Verdict {
    /// It is not there.
    Make(Vec<String>),
    /// It is there under this name, and is another one.
    Replace { old: String, runs: bool, because: Vec<String> },
    /// It is what it should be and stands still.
    Start(Vec<String>),
    /// It is what it should be and holds on to something that is replaced.
    Restart(Vec<String>),
    /// It runs, and whether it is started again is not as it should be.
    Policy(Vec<String>),
    /// A key store that is sealed, or has not said that it is open.
    Unseal,
    /// It stays, and this is told of it.
    Stay(String),
}

impl Gap {
    /// True when there is nothing to close.
    pub(crate) fn is_closed(&self) -> bool {
        let stays = |standing: &Standing| matches!(standing.verdict, Verdict::Stay(_));
        self.left_aside.is_empty() && self.surplus.is_empty() && self.standings.iter().all(stays)
    }

    /// Services of which a container is made or replaced, in the order in which they start.
    pub(crate) fn changing(&self) -> Vec<ServiceName> {
        let mut names: Vec<ServiceName> =
            self.changed().map(|standing| standing.container.service.clone()).collect();
        names.dedup();
        names
    }

    /// True where no release is here yet and `docker compose` made what runs.
    pub(crate) fn adopts(&self, facts: &Facts) -> bool {
        let composed = facts.containers.iter().any(adoption::is_composed);
        facts.current.is_none() && composed && self.changes_nothing()
    }

    /// Services of which every container stays what it is.
    pub(crate) fn staying(&self) -> Vec<ServiceName> {
        let changing = self.changing();
        let mut names: Vec<ServiceName> = self
            .standings
            .iter()
            .map(|standing| standing.container.service.clone())
            .filter(|name| !changing.contains(name))
            .collect();
        names.dedup();
        names
    }

    /// True when no release is made by closing it: what only stood still or was sealed is the release it was.
    pub(crate) fn changes_nothing(&self) -> bool {
        self.changed().next().is_none() && self.surplus.is_empty()
    }

    fn changed(&self) -> impl Iterator<Item = &Standing> {
        self.standings.iter().filter(|standing| standing.verdict.is_change())
    }
}

impl Verdict {
    fn is_change(&self) -> bool {
        matches!(self, Verdict::Make(_) | Verdict::Replace { .. })
    }
}

/// Compares every container that should be there with the one that was seen in its place.
pub(crate) fn compare(placing: &Placing<'_>) -> Gap {
    let mut gap =
        Gap { standings: Vec::new(), surplus: Vec::new(), left_aside: Vec::new(), not_done: Vec::new() };
    for service in placing.shape.start_order() {
        for wanted in placing.replicas(&service) {
            let seen = placing.seen(&wanted).or_else(|| {
                // A run that got stuck set it aside and put nothing in its place: it is taken back first.
                let aside = format!("{}-was", wanted.name);
                let left = placing.facts.containers.iter().find(|seen| seen.name == aside)?;
                gap.left_aside.push((aside, wanted.name.clone()));
                Some(left)
            });
            let verdict = match seen {
                None => Verdict::Make(vec!["it does not exist yet".to_owned()]),
                Some(seen) => verdict(placing, &wanted, seen, &gap.standings),
            };
            if let Verdict::Stay(said) = &verdict {
                gap.not_done.push(said.clone());
            }
            gap.standings.push(Standing { container: wanted, verdict });
        }
    }
    gap.surplus = surplus(placing);
    gap.not_done.extend(left_behind(placing, &gap));
    tell_orphans(placing, &mut gap);
    gap
}

/// Volumes without a name that nothing mounts once this is done: data is never removed without being asked.
fn left_behind(placing: &Placing<'_>, gap: &Gap) -> Vec<String> {
    let lost = |seen: &ContainerSeen, container: Option<&Container>| -> Vec<String> {
        let carried = |volume: &&AnonymousSeen| container.is_some_and(|new| placing.is_carried(new, volume));
        let left = seen.anonymous.iter().filter(|volume| !carried(volume));
        let said = left.map(|AnonymousSeen { name, target }| {
            format!("volume `{name}` of {} at {target} stays, and nothing mounts it any more (`docker volume rm {name}` removes it)", seen.service)
        });
        said.collect()
    };
    let replaced = gap.standings.iter().filter_map(|standing| match &standing.verdict {
        Verdict::Replace { old, .. } => Some(lost(placing.seen_as(old)?, Some(&standing.container))),
        _ => None,
    });
    replaced.chain(gap.surplus.iter().map(|seen| lost(seen, None))).flatten().collect()
}

/// What becomes of a container that is there. `before` are those that start before it.
fn verdict(placing: &Placing<'_>, wanted: &Container, seen: &ContainerSeen, before: &[Standing]) -> Verdict {
    let mut because = reasons_to_replace(placing, wanted, seen);
    because.extend(what_it_shared_goes(placing, wanted, before));
    if !because.is_empty() {
        // One that was set aside is given its name back first.
        let aside = seen.name == format!("{}-was", wanted.name);
        let old = if aside { wanted.name.clone() } else { seen.name.clone() };
        return Verdict::Replace { old, runs: runs(seen.phase), because };
    }
    let because = what_it_holds_on_to_goes(placing, wanted, before);
    if !because.is_empty() && runs(seen.phase) {
        return Verdict::Restart(because);
    }
    keep(placing, wanted, seen)
}

/// A container that stays: started where it stands still, unsealed where it is a sealed key store.
fn keep(placing: &Placing<'_>, wanted: &Container, seen: &ContainerSeen) -> Verdict {
    let service = &wanted.service;
    let ended_well = matches!(seen.phase, Phase::Exited { code: 0 }) && placing.shape.runs_once(service);
    match seen.phase {
        Phase::Running { .. } | Phase::Restarting => {
            // One that runs and does not answer has just started, sealed: it is waited for, never passed over.
            let sealed = placing.facts.key_stores.get(service).is_none_or(|store| store.sealed);
            let mut by_hand = drift::of(placing.shape, placing.facts, service, seen).into_iter();
            let restart = by_hand.find(|drift| matches!(drift, Drift::Restart(..)));
            match restart {
                _ if sealed && placing.shape.key_store().is_some_and(|(store, _)| store == service) => {
                    Verdict::Unseal
                }
                Some(drift) => Verdict::Policy(vec![drift.says()]),
                None => Verdict::Stay(stays(placing, wanted, seen)),
            }
        }
        _ if ended_well => Verdict::Stay(format!("{} has run to its end already", wanted.subject())),
        phase => Verdict::Start(vec![format!("it is {}", phase.in_words())]),
    }
}

/// What is told of a container that stays.
fn stays(placing: &Placing<'_>, wanted: &Container, seen: &ContainerSeen) -> String {
    let subject = wanted.subject();
    let mut said = match placing.facts.current {
        None if adoption::is_composed(seen) => format!("{subject} is adopted as it runs"),
        _ => format!("{subject} is {}", how_it_runs(seen.phase)),
    };
    for drift in drift::of(placing.shape, placing.facts, &wanted.service, seen) {
        said.push_str("; ");
        said.push_str(&drift.says());
    }
    said
}

fn runs(phase: Phase) -> bool {
    matches!(phase, Phase::Running { .. } | Phase::Restarting | Phase::Paused)
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

fn reasons_to_replace(placing: &Placing<'_>, wanted: &Container, seen: &ContainerSeen) -> Vec<String> {
    if seen.phase == Phase::Dead {
        return vec!["the engine gave it up".to_owned()];
    }
    if seen.identity.is_empty() {
        let because = adoption::reasons_to_replace(placing, wanted, seen);
        if !because.is_empty() {
            return because;
        }
    } else if seen.identity != wanted.identity {
        let before = seen
            .release
            .and_then(|number| placing.facts.releases.iter().find(|release| release.number == number))
            .filter(|release| release.shape.services.contains_key(&wanted.service))
            .map(|release| {
                let state_dir = &placing.policy.state_dir;
                desired::container(&release.shape, &wanted.service, &release.secrets, 0, state_dir)
            });
        let said = before.map(|before| desired::differences(&before, wanted)).unwrap_or_default();
        return if said.is_empty() { vec!["what it is made from changed".to_owned()] } else { said };
    }
    let image = placing.facts.images.get(&wanted.settings.image);
    let image = wanted.image_id.as_ref().or(image.map(|image| &image.id));
    let another = image.is_some_and(|id| !seen.image_id.is_empty() && *id != seen.image_id);
    let reference = &wanted.settings.image;
    let image = another.then(|| match &wanted.image_id {
        Some(_) => format!("`{reference}` named another image when the release was made"),
        None => format!("`{reference}` names another image now"),
    });
    let by_hand = drift::of(placing.shape, placing.facts, &wanted.service, seen).into_iter();
    let by_hand = by_hand.filter(|drift| matches!(drift, Drift::Detached(_) | Drift::Limit(..)));
    image.into_iter().chain(by_hand.map(|drift| drift.says())).collect()
}

/// A container that shares a namespace or volumes points at one container of the other service, the first: when
/// another one comes in its place, it points at nothing.
fn what_it_shared_goes(placing: &Placing<'_>, wanted: &Container, before: &[Standing]) -> Vec<String> {
    let goes = |service: &&ServiceName| {
        let mut first = before.iter().filter(|other| other.container.number == 1);
        first.any(|other| other.container.service == **service && other.verdict.is_change())
    };
    let settings = &placing.shape.services[&wanted.service];
    let namespaces = settings.namespaces_shared().filter(goes).map(|on| (on, "whose namespace it shares"));
    let volumes = settings.volumes_shared().filter(goes).map(|on| (on, "whose volumes it mounts"));
    let mut said: Vec<String> =
        namespaces.chain(volumes).map(|(on, what)| format!("{on}, {what}, is replaced")).collect();
    said.dedup();
    said
}

/// Why a container that stays what it is has to be started anew: what it depends on is replaced, and it says
/// `restart: true`; or the namespace that it shares is a new one.
fn what_it_holds_on_to_goes(placing: &Placing<'_>, wanted: &Container, before: &[Standing]) -> Vec<String> {
    let of = |service: &ServiceName, is: fn(&Verdict) -> bool| {
        before.iter().any(|other| other.container.service == *service && is(&other.verdict))
    };
    let replaced: fn(&Verdict) -> bool = |verdict| matches!(verdict, Verdict::Replace { .. });
    let started: fn(&Verdict) -> bool = |verdict| matches!(verdict, Verdict::Start(_) | Verdict::Restart(_));
    let dependencies = placing.shape.dependencies(&wanted.service);
    let asked = dependencies.iter().filter(|(on, how)| how.restart && of(on, replaced));
    let asked = asked.map(|(on, _)| format!("{on} is replaced, and it is restarted with it"));
    let settings = &placing.shape.services[&wanted.service];
    let sharing = settings.namespaces_shared().filter(|on| of(on, started));
    let sharing = sharing.map(|on| format!("{on}, whose namespace it shares, is started"));
    asked.chain(sharing).collect()
}

/// Containers of services that are scaled to fewer now. One of `docker compose run` has no number, and is no replica.
fn surplus(placing: &Placing<'_>) -> Vec<ContainerSeen> {
    let beyond = |seen: &&ContainerSeen| {
        let service = placing.shape.services.get(&seen.service);
        let number = seen.number.filter(|number| service.is_some_and(|it| *number > it.replicas()));
        let standard = |number| format!("{}-{}-{number}", placing.shape.stack, seen.service);
        number.is_some_and(|number| seen.name == standard(number))
    };
    let mut found: Vec<ContainerSeen> = placing.facts.containers.iter().filter(beyond).cloned().collect();
    found.sort_by_key(|seen| (seen.service.clone(), std::cmp::Reverse(seen.number)));
    found
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
    let names = gap.changed().flat_map(|standing| {
        let name = &standing.container.name;
        [format!("{name}-was"), format!("{name}-next"), placing.failed_name(&standing.container)]
    });
    let names: Vec<String> =
        names.filter(|name| !gap.left_aside.iter().any(|(from, _)| from == name)).collect();
    leftovers(placing).filter(|seen| names.contains(&seen.name)).collect()
}

/// Each container in order: replaced, started or unsealed, and asked before the next one. Gives what an unwinding brings
/// back.
pub(crate) fn put_in_place(placing: &Placing<'_>, steps: &mut Steps, gap: &Gap) -> Vec<Revival> {
    let mut halted = Halted::default();
    for (at, standing) in gap.standings.iter().enumerate() {
        let container = &standing.container;
        match &standing.verdict {
            Verdict::Stay(_) => {}
            Verdict::Make(because) => {
                placing.place(steps, container, because);
                placing.await_ready(steps, container, because);
            }
            Verdict::Replace { old, because, .. } => {
                let change = Change { container, because, replaces: Some(old) };
                placing.make(steps, &change);
                halted.stop_what_holds_on(placing, steps, &gap.standings[at..]);
                halted.stop(placing, steps, container, old, because);
                placing.take_over(steps, &change);
                placing.await_ready(steps, container, because);
            }
            Verdict::Start(because) => {
                placing.start(steps, container, because);
                placing.await_ready(steps, container, because);
            }
            Verdict::Restart(because) => {
                halted.stop(placing, steps, container, &container.name, because);
                placing.start(steps, container, because);
                placing.await_ready(steps, container, because);
            }
            Verdict::Policy(because) => placing.change_policy(steps, container, because),
            Verdict::Unseal => {
                let because = ["it is sealed, or has not said that it is open".to_owned()];
                placing.await_ready(steps, container, &because);
            }
        }
    }
    revivals(placing, &halted.ran)
}

/// What the plan has stopped so far: each container once.
#[derive(Default)]
struct Halted<'a> {
    /// Names of those that come in their place.
    names: BTreeSet<&'a str>,
    /// Those that ran.
    ran: Vec<Stopped>,
}

impl<'a> Halted<'a> {
    /// Stops the container that bears the name `old`, unless that was done.
    fn stop(
        &mut self,
        placing: &Placing<'_>,
        steps: &mut Steps,
        container: &'a Container,
        old: &str,
        because: &[String],
    ) {
        if self.names.insert(&container.name) {
            self.ran.extend(placing.stop(steps, container, old, because));
        }
    }

    /// Stops whatever cannot go on while the first of `standings` is replaced, last one first. They are started where
    /// their turn comes; taken back, they are started only once what they hold on to runs again.
    fn stop_what_holds_on(&mut self, placing: &Placing<'_>, steps: &mut Steps, standings: &'a [Standing]) {
        let [replaced, later @ ..] = standings else { return };
        let mut going: BTreeSet<&ServiceName> = [&replaced.container.service].into();
        let mut holding: Vec<(&Container, &str, &[String])> = Vec::new();
        for Standing { container, verdict } in later {
            let dependencies = placing.shape.dependencies(&container.service);
            if !dependencies.iter().any(|(on, how)| how.restart && going.contains(on)) {
                continue;
            }
            match verdict {
                Verdict::Restart(because) => holding.push((container, &container.name, because)),
                Verdict::Replace { old, runs: true, because } => holding.push((container, old, because)),
                _ => continue,
            }
            going.insert(&container.service);
        }
        for (container, name, because) in holding.into_iter().rev() {
            self.stop(placing, steps, container, name, because);
        }
    }
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
    scale_down(placing, steps, gap);
    let replaced = gap.changed().filter(|standing| matches!(standing.verdict, Verdict::Replace { .. }));
    let replaced = replaced.map(|standing| {
        let was = format!("{}-was", standing.container.name);
        (standing.container.subject(), was, "its replacement is good")
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
    for (subject, container, why) in replaced.chain(left).collect::<Vec<_>>() {
        steps.engine("remove", &subject, Effect::Remove { container }, &[why.to_owned()]).forgiving();
    }
}

/// Stops and removes what is beyond the number that its service is scaled to.
fn scale_down(placing: &Placing<'_>, steps: &mut Steps, gap: &Gap) {
    for seen in &gap.surplus {
        let replicas = placing.shape.services[&seen.service].replicas();
        let because = [format!("{} is scaled to {replicas}", seen.service)];
        let subject = desired::subject(&seen.service, seen.number.unwrap_or(1), 2);
        for hook in placing.before_stop(&seen.service, &seen.name) {
            steps.add("hook", &subject, hook, &because).forgiving();
        }
        let stop = Effect::Stop { container: seen.name.clone(), grace: None };
        steps.engine("stop", &subject, stop, &because).forgiving();
        steps
            .engine("remove", &subject, Effect::Remove { container: seen.name.clone() }, &because)
            .forgiving();
    }
}
