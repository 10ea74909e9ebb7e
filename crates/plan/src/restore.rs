//! Brings a set back, and proves one in a throwaway: keys, canaries, data, application, in this order.

use std::collections::BTreeMap;

use diag::{Diagnostic, Stop};
use stack::{ServiceName, Shape, StackName, State, StateKind};

use crate::{
    Action, Effect, Facts, KeyStep, Plan, Policy, RestorePart, Verb,
    bootstrap::is_captured,
    desired::Versions,
    place::{Change, Placing},
    set::Manifest,
    steps::Steps,
};

/// What a set holds, as far as planning needs it: read and verified before.
#[derive(Debug, Clone)]
pub struct SetContents {
    /// Its manifest, signature checked.
    pub manifest: Manifest,
    /// The shape of the release in it.
    pub shape: Shape,
    /// The secret versions of that release.
    pub secrets: Versions,
}

/// Plans a restore of a set as `shape`, which [`restored_shape`] gave; `facts` are those of `shape`'s project.
///
/// Where the stack's volumes are absent it comes back under its own names; where they exist it goes into
/// `PROJECT-restore-SET`, beside the live one, and publishes nothing.
///
/// # Errors
/// When the set holds nothing to restore, or the stack is live and its name was not typed.
pub fn restore(contents: &SetContents, shape: &Shape, facts: &Facts, policy: &Policy) -> Result<Plan, Stop> {
    let beside = shape.stack != contents.shape.stack;
    if contents.shape.live && !beside && policy.confirmed.as_deref() != Some(contents.shape.stack.as_str()) {
        return Err(Stop::precondition(
            Diagnostic::error("live", format!("`{}` is marked live", contents.shape.stack))
                .hint(format!("seaworthy restore --confirm {}", contents.shape.stack)),
        ));
    }
    let number = contents.manifest.release.unwrap_or(1);
    let mut steps = Steps::default();
    let placing = Placing {
        shape,
        facts,
        versions: &contents.secrets,
        release: number,
        state_dir: &policy.state_dir,
        volumes_are_ours: true,
    };
    bring_back(contents, &placing, &mut steps);
    let because = ["the restored stack answers".to_owned()];
    if !beside {
        placing.watch(&mut steps);
        let subject = format!("release {number}");
        steps
            .add("current", &subject, Action::PointCurrent { number: Some(number) }, &because)
            .undone_by([Action::PointCurrent { number: facts.current }]);
        steps
            .add("good", &subject, Action::PointGood { number: Some(number) }, &because)
            .undone_by([Action::PointGood { number: facts.good }]);
    }
    let mut plan = Plan::empty(Verb::Restore, &contents.shape, facts, policy);
    plan.project = shape.stack.clone();
    plan.set = Some(contents.manifest.set.clone());
    plan.release = Some(number);
    plan.steps = steps.finish();
    if beside {
        plan.not_done.push(format!(
            "`{}` still has its volumes and is left alone: the set is restored beside it as `{}`",
            contents.shape.stack, shape.stack
        ));
    }
    Ok(plan)
}

/// The shape as it will run: under its own name where its volumes are gone, beside it otherwise. `facts` are those of
/// the stack itself.
pub fn restored_shape(contents: &SetContents, facts: &Facts) -> Shape {
    let shape = &contents.shape;
    let volume_there = shape.volumes.keys().any(|key| facts.volumes.contains_key(&shape.volume_name(key)));
    let running = facts.containers.iter().any(|seen| shape.services.contains_key(&seen.service));
    if volume_there || running {
        let set = contents.manifest.set.0.to_lowercase();
        shape.as_project(StackName::new(format!("{}-restore-{set}", shape.stack)))
    } else {
        shape.clone()
    }
}

/// Plans a drill: the set restored into a throwaway with no way out, proven, measured and removed.
///
/// # Errors
/// As [`restore`].
pub fn drill(contents: &SetContents, facts: &Facts, policy: &Policy) -> Result<Plan, Stop> {
    let shape = drill_shape(contents, policy);
    let mut steps = Steps::default();
    let placing = Placing {
        shape: &shape,
        facts,
        versions: &contents.secrets,
        release: contents.manifest.release.unwrap_or(1),
        state_dir: &policy.state_dir,
        volumes_are_ours: true,
    };
    bring_back(contents, &placing, &mut steps);
    let set = contents.manifest.set.clone();
    let because = ["what was proven is kept, signed".to_owned()];
    steps.add("evidence", &set.0, Action::WriteEvidence { set: set.clone() }, &because);
    remove_throwaway(&shape, &mut steps);
    let mut plan = Plan::empty(Verb::Drill, &contents.shape, facts, policy);
    plan.project = shape.stack.clone();
    plan.interrupted = crate::Interrupted::Unwinds;
    plan.set = Some(set);
    plan.steps = steps.finish();
    Ok(plan)
}

/// The throwaway: another project, no published port, every network without a way out.
pub fn drill_shape(contents: &SetContents, policy: &Policy) -> Shape {
    let id = data_encoding::HEXLOWER.encode(&policy.random);
    let mut shape = contents.shape.as_project(StackName::new(format!("{}-drill-{id}", contents.shape.stack)));
    for network in shape.networks.values_mut() {
        network.internal = true;
    }
    let wanted = &contents.shape.drill.services;
    if !wanted.is_empty() {
        let keep = with_dependencies(&shape, wanted);
        shape.services.retain(|name, _| keep.contains(name));
    }
    shape
}

fn with_dependencies(shape: &Shape, services: &[ServiceName]) -> Vec<ServiceName> {
    let mut keep: Vec<ServiceName> = services.to_vec();
    let mut at = 0;
    while at < keep.len() {
        let on: Vec<ServiceName> = shape
            .services
            .get(&keep[at])
            .map(|service| service.depends_on.keys().cloned().collect())
            .unwrap_or_default();
        keep.extend(on.into_iter().filter(|name| !keep.contains(name)).collect::<Vec<_>>());
        at += 1;
    }
    keep
}

/// Everything from the check of the set to the last answering probe.
fn bring_back(contents: &SetContents, placing: &Placing<'_>, steps: &mut Steps) {
    let set = &contents.manifest.set;
    let because = [format!("set {set} holds it")];
    steps.add(
        "verify",
        &set.0,
        Action::VerifySet { set: set.clone() },
        &["red before any data moves".to_owned()],
    );
    let part = |service: &ServiceName, part: RestorePart| Action::Restore {
        set: set.clone(),
        service: service.clone(),
        container: placing.shape.container_name(service),
        part,
    };
    let nobody = ServiceName::from("");
    let forget = Action::Forget { project: placing.shape.stack.clone() };
    let secrets = steps.add("restore", "secrets", part(&nobody, RestorePart::Secrets), &because);
    if placing.shape.stack != contents.shape.stack {
        secrets.undone_by([forget]);
    }
    steps.add("restore", "release", part(&nobody, RestorePart::Release), &because);
    let order = placing.shape.start_order();
    placing.prepare(steps, &order);
    let states: BTreeMap<&ServiceName, &State> = placing
        .shape
        .states
        .iter()
        .filter(|(name, state)| is_captured(&state.kind) && order.contains(name))
        .collect();
    let start = |steps: &mut Steps, service: &ServiceName| {
        let container = placing.wanted(service);
        let change = Change { container: container.clone(), because: because.to_vec(), replaces: None };
        placing.place(steps, &change);
        container
    };
    if let Some((service, transit)) = placing.shape.key_store().filter(|(name, _)| order.contains(name)) {
        let container = start(steps, service);
        let deadline = placing.shape.timeout;
        let action = Action::Keys {
            service: service.clone(),
            container: container.name,
            transit: transit.clone(),
            step: KeyStep::AwaitApi { deadline },
        };
        steps.add("api", service.as_str(), action, &because);
        let keys = RestorePart::KeyStore { transit: transit.clone() };
        steps.add("restore", service.as_str(), part(service, keys), &because);
        let canaries = RestorePart::Canaries { transit: transit.clone() };
        let why = ["no row is moved before the keys have proved themselves".to_owned()];
        steps.add("canaries", service.as_str(), part(service, canaries), &why);
    }
    for service in &order {
        if placing.shape.key_store().is_some_and(|(store, _)| store == service) {
            continue;
        }
        let state = states.get(service);
        let restore = |steps: &mut Steps| {
            if let Some(state) = state {
                let data = RestorePart::State { state: (*state).clone() };
                steps.add("restore", service.as_str(), part(service, data), &because);
            }
        };
        // A file is put back before its program opens it; a server must run to take its dump.
        if state.is_some_and(|state| matches!(state.kind, StateKind::Sqlite { .. })) {
            restore(steps);
            let container = start(steps, service);
            placing.await_ready(steps, &container, &because);
        } else {
            let container = start(steps, service);
            placing.await_ready(steps, &container, &because);
            restore(steps);
        }
    }
}

fn remove_throwaway(shape: &Shape, steps: &mut Steps) {
    let because = ["a throwaway is thrown away".to_owned()];
    for service in shape.start_order().iter().rev() {
        let container = shape.container_name(service);
        steps.engine("remove", service.as_str(), Effect::Remove { container }, &because).forgiving();
    }
    remove_networks_and_volumes(shape, steps, &because, true);
    let forget = Action::Forget { project: shape.stack.clone() };
    steps.add("forget", shape.stack.as_str(), forget, &because).forgiving();
}

fn remove_networks_and_volumes(shape: &Shape, steps: &mut Steps, because: &[String], throwaway: bool) {
    for (key, network) in &shape.networks {
        if !network.external {
            let name = shape.network_name(key);
            let subject = name.clone();
            steps.engine("remove", &subject, Effect::RemoveNetwork { name }, because).forgiving = throwaway;
        }
    }
    for (key, volume) in &shape.volumes {
        if !volume.external {
            let name = shape.volume_name(key);
            let subject = name.clone();
            let step = steps.engine("remove", &subject, Effect::RemoveVolume { name }, because);
            step.forgiving = throwaway;
            if !throwaway {
                step.destroying(&subject);
            }
        }
    }
}

/// Plans the removal of a stack; its volumes stay unless `volumes`.
///
/// # Errors
/// When the stack is live, or its name was not typed.
pub fn destroy(shape: &Shape, volumes: bool, facts: &Facts, policy: &Policy) -> Result<Plan, Stop> {
    if shape.live {
        return Err(Stop::precondition(
            Diagnostic::error("live", format!("`{}` is marked live: it is not destroyed", shape.stack))
                .hint("set `[stack] live = false` first, and mean it"),
        ));
    }
    if policy.confirmed.as_deref() != Some(shape.stack.as_str()) {
        return Err(Stop::precondition(
            Diagnostic::error("not-confirmed", "the stack's name was not typed")
                .hint(format!("seaworthy destroy --confirm {}", shape.stack)),
        ));
    }
    let mut plan = Plan::empty(Verb::Destroy, shape, facts, policy);
    let mut steps = Steps::default();
    let because = [format!("`{}` was typed", shape.stack)];
    let order = shape.start_order();
    let place = |seen: &crate::ContainerSeen| order.iter().position(|name| *name == seen.service);
    let mut containers: Vec<_> = facts.containers.iter().collect();
    containers.sort_by_key(|seen| (std::cmp::Reverse(place(seen)), seen.name.clone()));
    for seen in containers {
        let stop = Effect::Stop { container: seen.name.clone(), grace: None };
        steps.engine("stop", &seen.name, stop, &because).with_impact();
        steps.engine("remove", &seen.name, Effect::Remove { container: seen.name.clone() }, &because);
    }
    let mut shape_there = shape.clone();
    shape_there.networks.retain(|key, _| facts.networks.contains_key(&shape.network_name(key)));
    shape_there.volumes.retain(|key, _| volumes && facts.volumes.contains_key(&shape.volume_name(key)));
    remove_networks_and_volumes(&shape_there, &mut steps, &because, false);
    for (key, _) in shape.volumes.iter().filter(|(_, volume)| !volumes && !volume.external) {
        plan.not_done.push(format!("volume `{}` is kept (`--volumes` removes it)", shape.volume_name(key)));
    }
    if facts.current.is_some() {
        steps.add("current", "none", Action::PointCurrent { number: None }, &because);
        steps.add("good", "none", Action::PointGood { number: None }, &because);
    }
    plan.steps = steps.finish();
    plan.permits = vec![shape.stack.to_string()];
    plan.interrupted = crate::Interrupted::Continues;
    Ok(plan)
}
