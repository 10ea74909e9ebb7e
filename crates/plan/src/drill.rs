//! Proves a set in a throwaway with no way out, measures it, and takes it away again.

use diag::Stop;
use stack::{ServiceName, Shape, StackName};

use crate::{
    Action, Effect, Facts, Plan, Policy, Verb,
    bootstrap::is_captured,
    destroy::remove_networks_and_volumes,
    place::Placing,
    proof::Goal,
    refusal::refuse_ground,
    restore::{SetContents, bring_back},
    steps::Steps,
};

/// Plans a drill: the set restored into a throwaway with no way out, proven, measured and removed.
///
/// # Errors
/// As [`restore`].
pub fn drill(contents: &SetContents, facts: &Facts, policy: &Policy) -> Result<Plan, Stop> {
    let shape = drill_shape(contents, policy);
    refuse_ground(&shape, facts, policy)?;
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
    let goal = Goal::of(&contents.shape);
    steps.add("evidence", &set.0, Action::WriteEvidence { set: set.clone(), goal }, &because);
    remove_throwaway(&shape, &mut steps);
    let mut plan = Plan::empty(Verb::Drill, &contents.shape, facts, policy);
    plan.project = shape.stack.clone();
    plan.interrupted = crate::Interrupted::Unwinds;
    plan.set = Some(set);
    plan.steps = steps.finish();
    let left_out = contents.shape.services.keys().filter(|name| !shape.services.contains_key(name));
    plan.not_done = left_out.map(|name| left_out_because(&contents.shape, name)).collect();
    Ok(plan)
}

fn left_out_because(shape: &Shape, service: &ServiceName) -> String {
    let holds = shape.states.get(service).is_some_and(|state| is_captured(&state.kind));
    let so = if holds { ", and so the set will not be proven" } else { "" };
    format!("`{service}` is not named in `[drill] services`: it is left out{so}")
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
