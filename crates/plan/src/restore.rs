//! Brings a set back: keys, canaries, data, application, in this order.

use std::collections::BTreeMap;

use diag::{Diagnostic, Exit, Stop};
use stack::{ServiceName, Shape, StackName, State, StateKind};

use crate::{
    Action, Facts, KeyStep, Plan, Policy, RestorePart, Verb, bootstrap::is_captured, desired::Versions,
    opening::lacks_shares, place::Placing, proof::Goal, refusal::refuse_ground, set::Manifest, steps::Steps,
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
/// When the stack is live and its name was not typed, key shares are missing, or an earlier restore of the set stands where it would go.
pub fn restore(contents: &SetContents, shape: &Shape, facts: &Facts, policy: &Policy) -> Result<Plan, Stop> {
    let beside = shape.stack != contents.shape.stack;
    refuse_without_people(contents, shape, policy)?;
    refuse_ground(shape, facts, policy)?;
    let names: Vec<String> = shape.services.keys().map(|service| shape.container_name(service)).collect();
    if let Some(seen) = facts.containers.iter().find(|seen| beside && names.contains(&seen.name)) {
        return Err(Stop::precondition(
            Diagnostic::error(
                "restored-already",
                format!("`{}` is there from an earlier restore of this set", seen.name),
            )
            .hint(format!(
                "look at it, or remove it: seaworthy -p {} destroy --volumes --confirm {}",
                shape.stack, shape.stack
            )),
        ));
    }
    let number = contents.manifest.release.unwrap_or(1);
    let mut steps = Steps::default();
    let placing = Placing {
        shape,
        facts,
        versions: &contents.secrets,
        release: number,
        policy,
        compose: &facts.compose,
        images: None,
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
    // What was brought back is proven, and pruning must know it. Nothing that serves is taken back for want of a paper.
    let set = contents.manifest.set.clone();
    let kept = ["what was proven is kept, signed".to_owned()];
    let goal = Goal::of(&contents.shape);
    steps.add("evidence", &set.0, Action::WriteEvidence { set: set.clone(), goal }, &kept).forgiving();
    let mut plan = Plan::empty(Verb::Restore, &contents.shape, facts, policy);
    plan.project = shape.stack.clone();
    plan.set = Some(set);
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

/// What a person has to bring along: the name of a live stack, and the shares of a key store. Said at once, and with
/// the one command that has it all.
fn refuse_without_people(contents: &SetContents, shape: &Shape, policy: &Policy) -> Result<(), Stop> {
    let stack = &contents.shape.stack;
    let mut said = Vec::new();
    let mut again = policy.typed.clone();
    let typed = policy.confirmed.as_deref() == Some(stack.as_str());
    if contents.shape.live && shape.stack == *stack && !typed {
        said.push(Diagnostic::error("live", format!("`{stack}` is marked live")));
        again = again.with("--confirm", stack.as_str());
    }
    if let Some((lacking, with_shares)) = lacks_shares(shape, policy, &again) {
        said.push(lacking);
        again = with_shares;
    }
    match said.pop() {
        Some(last) => {
            said.push(last.hint(again.to_string()));
            Err(Stop { exit: Exit::Precondition, diagnostics: said })
        }
        None => Ok(()),
    }
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

/// Everything from the check of the set to the last answering probe.
pub(crate) fn bring_back(contents: &SetContents, placing: &Placing<'_>, steps: &mut Steps) {
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
    let forget = Action::Forget { project: placing.shape.stack.clone() };
    let secrets = steps.add("restore", "secrets", Action::RestoreSecrets { set: set.clone() }, &because);
    if placing.shape.stack != contents.shape.stack {
        secrets.undone_by([forget]);
    }
    steps.add("restore", "release", Action::RestoreRelease { set: set.clone() }, &because);
    let order = placing.shape.start_order();
    placing.fetch_images(steps, &order);
    placing.prepare(steps, &order);
    let states: BTreeMap<&ServiceName, &State> = placing
        .shape
        .states
        .iter()
        .filter(|(name, state)| is_captured(&state.kind) && order.contains(name))
        .collect();
    let start = |steps: &mut Steps, service: &ServiceName| {
        let container = placing.wanted(service);
        placing.place(steps, &container, &because);
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
    for service in order.iter().filter(|service| placing.shape.services[*service].replicas() > 0) {
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
        for container in placing.replicas(service).iter().skip(1) {
            placing.place(steps, container, &because);
            placing.await_ready(steps, container, &because);
        }
    }
}
