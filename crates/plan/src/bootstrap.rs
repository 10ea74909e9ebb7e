//! Generates what is missing, initialises the key store, and overwrites nothing.

use diag::Stop;
use stack::{SecretKind, SecretName, Shape, StateKind};

use crate::{
    Action, Facts, KeyStep, Phase, Plan, Policy, Verb, deploy::current_versions, place::Placing,
    refusal::refuse_ground, steps::Steps,
};

/// Plans a bootstrap: version 1 of every missing secret, and the key store's ceremony where it was never held.
/// `given` are the secrets whose values a person brought along.
///
/// # Errors
/// Where nobody may act: production with development keys or on the process engine, another state directory.
pub fn bootstrap(shape: &Shape, given: &[SecretName], facts: &Facts, policy: &Policy) -> Result<Plan, Stop> {
    refuse_ground(shape, facts, policy)?;
    let mut plan = Plan::empty(Verb::Bootstrap, shape, facts, policy);
    let mut steps = Steps::default();
    for (name, spec) in &shape.secrets {
        if facts.secrets.contains_key(name) {
            plan.not_done.push(format!("{name} exists: never overwritten"));
            continue;
        }
        let made_here = spec.from.is_some() || !matches!(spec.kind, SecretKind::Approle | SecretKind::Given);
        if !made_here && !given.contains(name) {
            if spec.kind == SecretKind::Given {
                plan.not_done.push(format!(
                    "{name} is given by a person: `seaworthy bootstrap --from-file {name}=FILE`"
                ));
            }
            continue;
        }
        let action =
            Action::GenerateSecret { name: name.clone(), kind: spec.kind.clone(), from: spec.from.clone() };
        steps.add("generate", name.as_str(), action, &["it has no version yet".to_owned()]);
    }
    hold_ceremony(shape, facts, policy, &mut steps, &mut plan.not_done);
    plan.steps = steps.finish();
    Ok(plan)
}

/// Starts the key store and initialises it, where its credential was never issued or it was never initialised.
fn hold_ceremony(
    shape: &Shape,
    facts: &Facts,
    policy: &Policy,
    steps: &mut Steps,
    not_done: &mut Vec<String>,
) {
    let Some((service, transit)) = shape.key_store() else { return };
    let issued = facts.secrets.contains_key(&transit.credential);
    let seen = facts.key_stores.get(service);
    if issued && seen.is_none_or(|store| store.initialised) {
        not_done.push(format!("{service} is initialised and its credential issued"));
        return;
    }
    let versions = current_versions(shape, facts);
    let placing = Placing {
        shape,
        facts,
        versions: &versions,
        release: 0,
        policy,
        compose: &facts.compose,
        images: None,
        volumes_are_ours: false,
    };
    let container = placing.wanted(service);
    let because = vec![if issued {
        "it was never initialised".to_owned()
    } else {
        format!("`{}` was never issued", transit.credential)
    }];
    let running = facts.containers.iter().find(|seen| seen.name == container.name);
    match running.map(|seen| seen.phase) {
        Some(Phase::Running { .. } | Phase::Restarting) => {}
        Some(_) => placing.start(steps, &container, &because),
        None => {
            placing.fetch_images(steps, std::slice::from_ref(service));
            placing.prepare(steps, std::slice::from_ref(service));
            placing.place(steps, &container, &because);
        }
    }
    for step in [KeyStep::AwaitApi { deadline: shape.timeout }, KeyStep::Bootstrap] {
        let kind = if step == KeyStep::Bootstrap { "ceremony" } else { "api" };
        let action = Action::Keys {
            service: service.clone(),
            container: container.name.clone(),
            transit: transit.clone(),
            step,
        };
        steps.add(kind, service.as_str(), action, &because);
    }
}

/// True for a state that is captured into a set.
pub(crate) fn is_captured(kind: &StateKind) -> bool {
    !matches!(kind, StateKind::Discard { .. })
}
