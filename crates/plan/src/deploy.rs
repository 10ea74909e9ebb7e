//! To a release: the difference between what should run and what was seen running, in the order it must close.

use diag::{Diagnostic, Stop};
use stack::{EngineKind, PullPolicy, SecretKind, ServiceName, Shape};

use crate::{
    Action, ContainerSeen, Effect, Facts, Interrupted, Phase, Plan, Policy, ReleaseSeen, Verb,
    desired::{self, Versions},
    place::{Change, Placing},
    plan::PLAN_SCHEMA,
    steps::Steps,
};

/// Plans a deploy of `shape` as a new release.
///
/// Pure: the same arguments always give the same plan.
///
/// # Errors
/// When something stands in the way that a deploy must not decide: a secret never given, a held port, an engine
/// that production forbids. Nothing is planned then.
pub fn deploy(shape: &Shape, facts: &Facts, policy: &Policy) -> Result<Plan, Stop> {
    let versions = current_versions(shape, facts);
    refuse_unready(shape, facts, policy, &versions)?;
    let number = facts.releases.iter().map(|release| release.number).max().unwrap_or(0) + 1;
    let placing = Placing {
        shape,
        facts,
        versions: &versions,
        release: number,
        state_dir: &policy.state_dir,
        volumes_are_ours: false,
    };
    let changed_for_us = current_release(facts).is_none_or(|release| *release.shape != *shape);
    let mut plan = Plan::empty(Verb::Deploy, shape, facts, policy);
    let mut steps = Steps::default();
    let survey = compare(&placing);
    if survey.is_closed() && !changed_for_us {
        plan.not_done = survey.not_done;
        plan.not_done.extend(leftovers(&placing).map(|seen| {
            format!("`{}` is left of an earlier run: the next release that is good removes it", seen.name)
        }));
        return Ok(plan);
    }
    clear_the_way(&placing, &mut steps, &survey);
    let changing: Vec<ServiceName> =
        survey.changes.iter().map(|change| change.container.service.clone()).collect();
    placing.prepare(&mut steps, &changing);
    let because = vec!["every deploy is kept whole, so that it can come back whole".to_owned()];
    let action = Action::WriteRelease { number, shape: Box::new(shape.clone()), secrets: versions.clone() };
    steps.add("write", &format!("release {number}"), action, &because);
    put_in_place(&placing, &mut steps, &survey);
    make_good(&placing, &mut steps, number, &survey);
    plan.steps = steps.finish();
    plan.not_done = survey.not_done;
    plan.release = Some(number);
    Ok(plan)
}

/// Plans the way back to a release that was good before: image, configuration, environment and secret versions
/// together, from what the release kept.
///
/// # Errors
/// When there is no such release, or as [`deploy`].
pub fn rollback(to: Option<u64>, facts: &Facts, policy: &Policy) -> Result<Plan, Stop> {
    let target = release_to_go_back_to(to, facts)?;
    let shape = &target.shape;
    refuse_unready(shape, facts, policy, &target.secrets)?;
    let placing = Placing {
        shape,
        facts,
        versions: &target.secrets,
        release: target.number,
        state_dir: &policy.state_dir,
        volumes_are_ours: false,
    };
    let mut plan = Plan::empty(Verb::Rollback, shape, facts, policy);
    let survey = compare(&placing);
    plan.not_done = survey.not_done.clone();
    if survey.is_closed() && facts.current == Some(target.number) {
        return Ok(plan);
    }
    let mut steps = Steps::default();
    clear_the_way(&placing, &mut steps, &survey);
    let changing: Vec<ServiceName> =
        survey.changes.iter().map(|change| change.container.service.clone()).collect();
    placing.prepare(&mut steps, &changing);
    put_in_place(&placing, &mut steps, &survey);
    make_good(&placing, &mut steps, target.number, &survey);
    plan.steps = steps.finish();
    plan.release = Some(target.number);
    Ok(plan)
}

/// The release asked for, else the newest before the current one; only one that was good.
fn release_to_go_back_to(to: Option<u64>, facts: &Facts) -> Result<&ReleaseSeen, Stop> {
    let asked = |release: &&ReleaseSeen| match to {
        Some(number) => release.number == number,
        None => Some(release.number) < facts.current,
    };
    let good = facts.releases.iter().filter(|release| release.was_good);
    if let Some(target) = good.clone().rfind(asked) {
        return Ok(target);
    }
    let known: Vec<String> = good.map(|release| release.number.to_string()).collect();
    let message = match to.filter(|number| facts.releases.iter().any(|release| release.number == *number)) {
        Some(number) => format!("release {number} was never good"),
        None => to.map_or_else(
            || "there is no earlier release to go back to".to_owned(),
            |number| format!("there is no release {number} to go back to"),
        ),
    };
    let known = if known.is_empty() { "none".to_owned() } else { known.join(", ") };
    Err(Stop::precondition(
        Diagnostic::error("no-such-release", message).hint(format!("releases that were good: {known}")),
    ))
}

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
    fn is_closed(&self) -> bool {
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
    let ended_well = matches!(seen.phase, Phase::Exited { code: 0 }) && placing.runs_once(&service);
    match seen.phase {
        Phase::Running { .. } | Phase::Restarting => {
            // One that runs and does not answer has just started, sealed: it is waited for, never passed over.
            let sealed = placing.facts.key_stores.get(&service).is_none_or(|store| store.sealed);
            if sealed && placing.shape.key_store().is_some_and(|(store, _)| *store == service) {
                gap.seals.push(wanted);
            } else {
                gap.not_done.push(format!("{service} is as it should be"));
            }
        }
        _ if ended_well => gap.not_done.push(format!("{service} has run to its end already")),
        phase => gap.starts.push((wanted, vec![format!("it is {}", phase_word(phase))])),
    }
}

fn phase_word(phase: Phase) -> String {
    match phase {
        Phase::Created => "made but not started".to_owned(),
        Phase::Running { .. } => "running".to_owned(),
        Phase::Restarting => "restarting".to_owned(),
        Phase::Exited { code } => format!("stopped (exit {code})"),
        Phase::Paused => "paused".to_owned(),
        Phase::Dead => "dead".to_owned(),
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
                desired::container(&release.shape, &wanted.service, &release.secrets, 0, placing.state_dir)
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
fn leftovers<'a>(placing: &Placing<'a>) -> impl Iterator<Item = &'a ContainerSeen> {
    let shape = placing.shape;
    placing.facts.containers.iter().filter(move |seen| {
        let aside = ["-was", "-next", "-failed"].iter().any(|end| seen.name.ends_with(end));
        // A service may bear such a name by its own `container_name`.
        aside && !shape.services.keys().any(|service| shape.container_name(service) == seen.name)
    })
}

/// Removes what an earlier run set aside under the names this one needs.
fn clear_the_way(placing: &Placing<'_>, steps: &mut Steps, gap: &Gap) {
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

/// Each service in order: replaced, started or unsealed, and asked before the next one.
fn put_in_place(placing: &Placing<'_>, steps: &mut Steps, gap: &Gap) {
    for service in &gap.order {
        if let Some(change) = gap.changes.iter().find(|change| change.container.service == *service) {
            placing.place(steps, change);
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
}

/// Watches the release, makes it current and good, and then removes what it replaced.
fn make_good(placing: &Placing<'_>, steps: &mut Steps, number: u64, gap: &Gap) {
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

/// What a deploy must not decide by itself.
fn refuse_unready(shape: &Shape, facts: &Facts, policy: &Policy, versions: &Versions) -> Result<(), Stop> {
    let mut said = Vec::new();
    for (name, spec) in &shape.secrets {
        let users: Vec<&ServiceName> = shape
            .services
            .iter()
            .filter(|(_, service)| service.secrets_used().contains(name))
            .map(|(user, _)| user)
            .collect();
        if let (false, true, Some(user)) = (versions.contains_key(name), spec.required, users.first()) {
            said.push(
                Diagnostic::error(
                    "unset-secret",
                    format!("secret `{name}` was never given, and `{user}` needs it"),
                )
                .hint(match spec.kind {
                    SecretKind::Given if spec.from.is_none() => {
                        format!("seaworthy bootstrap --from-file {name}=FILE")
                    }
                    _ => "seaworthy bootstrap".to_owned(),
                }),
            );
        }
    }
    said.extend(nothing_to_run(shape, facts));
    if shape.production && facts.host.engine == EngineKind::Process {
        said.push(
            Diagnostic::error(
                "process-engine-in-production",
                "the process engine isolates nothing, and this shape is marked production",
            )
            .hint("seaworthy explain production"),
        );
    }
    said.extend(development_keys(shape, facts));
    said.extend(held_ports(shape, facts));
    said.extend(other_state_dir(facts, policy));
    if said.is_empty() { Ok(()) } else { Err(Stop { exit: diag::Exit::Precondition, diagnostics: said }) }
}

/// Services that the engine has nothing to run for: no image, or on the process engine no command.
fn nothing_to_run<'a>(shape: &'a Shape, facts: &'a Facts) -> impl Iterator<Item = Diagnostic> + 'a {
    let process = facts.host.engine == EngineKind::Process;
    shape.services.iter().filter_map(move |(name, service)| {
        if process {
            let message = format!("the process engine is not told what to run for service `{name}`");
            return service.process.is_none().then(|| {
                Diagnostic::error("no-process", message).hint(format!(
                    "write `[service.{name}] process = {{ command = [\"…\"] }}` in seaworthy.toml"
                ))
            });
        }
        let never = service.pull_policy == PullPolicy::Never && !facts.images.contains_key(&service.image);
        let message =
            format!("`{name}` needs image `{}`, which is not here and is never pulled", service.image);
        never.then(|| {
            Diagnostic::error("image-absent", message)
                .hint("build or load it, or take `pull_policy: never` out")
        })
    })
}

/// A key store for development, declared or seen running, in production. The token may be declared for other shapes:
/// it counts where this shape gives it to the store.
pub(crate) fn development_keys(shape: &Shape, facts: &Facts) -> Option<Diagnostic> {
    let (service, transit) = shape.key_store().filter(|_| shape.production)?;
    let seen = facts.key_stores.get(service).filter(|store| store.development);
    let version = seen.map(|store| format!(" ({})", store.version));
    let settings = shape.services.get(service);
    let given: Vec<_> =
        settings.iter().flat_map(|settings| settings.environment.values().flatten()).collect();
    let has_token =
        transit.dev_token.is_some() && given.iter().any(|text| text.as_literal() == transit.dev_token);
    (seen.is_some() || has_token).then(|| {
        let version = version.unwrap_or_default();
        let message =
            format!("`{service}` is a development key store{version}, and this shape is marked production");
        Diagnostic::error("development-key-store", message).hint("seaworthy explain production")
    })
}

fn held_ports<'a>(shape: &'a Shape, facts: &'a Facts) -> impl Iterator<Item = Diagnostic> + 'a {
    let published = shape.services.iter().flat_map(|(name, service)| {
        service.ports.iter().filter_map(move |port| Some((name, port.published?)))
    });
    published.filter_map(|(name, port)| {
        let holder = facts.host.ports_held.get(&port)?;
        Some(
            Diagnostic::error(
                "port-held",
                format!("`{name}` publishes port {port}, and {holder} listens there"),
            )
            .hint(format!("stop {holder}, or publish another port")),
        )
    })
}

/// A stack is worked on from one state directory only.
fn other_state_dir(facts: &Facts, policy: &Policy) -> Option<Diagnostic> {
    let other = facts.containers.iter().find_map(|seen| {
        let dir = seen.state_dir.as_ref()?;
        (*dir != policy.state_dir).then_some((seen, dir))
    })?;
    let (seen, dir) = other;
    Some(
        Diagnostic::error("other-state-dir", format!("`{}` is looked after from `{dir}`", seen.name))
            .hint(format!("--state-dir {dir}")),
    )
}

/// The newest version of every declared secret.
pub(crate) fn current_versions(shape: &Shape, facts: &Facts) -> Versions {
    shape.secrets.keys().filter_map(|name| Some((name.clone(), facts.secrets.get(name)?.version))).collect()
}

fn current_release(facts: &Facts) -> Option<&crate::ReleaseSeen> {
    facts.releases.iter().find(|release| Some(release.number) == facts.current)
}

impl Plan {
    /// A plan with no steps yet.
    pub(crate) fn empty(verb: Verb, shape: &Shape, facts: &Facts, policy: &Policy) -> Plan {
        Plan {
            schema: PLAN_SCHEMA.to_owned(),
            verb,
            stack: shape.stack.clone(),
            project: shape.stack.clone(),
            shape: shape.name.clone(),
            made_at: policy.now,
            tool: policy.tool.clone(),
            release: None,
            from: facts.current,
            set: None,
            steps: Vec::new(),
            not_done: Vec::new(),
            interrupted: Interrupted::Continues,
            permits: Vec::new(),
        }
    }
}
