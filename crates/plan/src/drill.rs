//! Proves a set in a throwaway with no way out, measures it, and takes it away again.

use diag::Stop;
use stack::{ServiceName, Shape, StackName};

use crate::{
    Action, Facts, Plan, Policy, Thing, Verb,
    bootstrap::is_captured,
    opening::lacks_shares,
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
    if let Some((lacking, again)) = lacks_shares(&shape, policy, &policy.typed) {
        return Err(Stop::precondition(lacking.hint(again.to_string())));
    }
    refuse_ground(&shape, facts, policy)?;
    let mut steps = Steps::default();
    let placing = Placing {
        shape: &shape,
        facts,
        versions: &contents.secrets,
        release: contents.manifest.release.unwrap_or(1),
        policy,
        compose: &facts.compose,
        images: None,
        volumes_are_ours: true,
    };
    bring_back(contents, &placing, &mut steps);
    let set = contents.manifest.set.clone();
    let because = ["what was proven is kept, signed".to_owned()];
    let goal = Goal::of(&contents.shape);
    steps.add("evidence", &set.0, Action::WriteEvidence { set: set.clone(), goal }, &because);
    remove_throwaway(&placing, &mut steps);
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
    let id = data_encoding::HEXLOWER.encode(&policy.seed.random);
    let mut shape = contents.shape.as_project(StackName::new(format!("{}-drill-{id}", contents.shape.stack)));
    for network in shape.networks.values_mut() {
        network.internal = true;
    }
    let wanted = &contents.shape.drill.services;
    if !wanted.is_empty() {
        let keep = shape.with_dependencies(wanted);
        shape.services.retain(|name, _| keep.contains(name));
    }
    shape
}

/// Removes all of it, as housekeeping: what bears one of its names and was not made by this drill stays.
fn remove_throwaway(placing: &Placing<'_>, steps: &mut Steps) {
    let shape = placing.shape;
    let because = ["a throwaway is thrown away".to_owned()];
    let mut remove = |subject: &str, thing: Thing, name: &str| {
        steps.engine("remove", subject, placing.unmake(thing, name), &because).forgiving();
    };
    for service in shape.start_order().iter().rev() {
        remove(service.as_str(), Thing::Container, &shape.container_name(service));
    }
    for (key, _) in shape.networks.iter().filter(|(_, network)| !network.external) {
        let name = shape.network_name(key);
        remove(&name, Thing::Network, &name);
    }
    for (key, _) in shape.volumes.iter().filter(|(_, volume)| !volume.external) {
        let name = shape.volume_name(key);
        remove(&name, Thing::Volume, &name);
    }
    let forget = Action::Forget { project: shape.stack.clone() };
    steps.add("forget", shape.stack.as_str(), forget, &because).forgiving();
}
