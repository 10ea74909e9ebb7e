//! Removes a stack: refused on a live one, and without its name typed; volumes only when asked for.

use diag::{Diagnostic, Stop};
use stack::Shape;

use crate::{
    Action, AnonymousSeen, Effect, Facts, Plan, Policy, Verb, place::Placing,
    refusal::refuse_other_state_dir, steps::Steps,
};

/// Plans the removal of a stack; its volumes stay unless `volumes`.
///
/// # Errors
/// When the stack is live, or its name was not typed.
pub fn destroy(shape: &Shape, volumes: bool, facts: &Facts, policy: &Policy) -> Result<Plan, Stop> {
    refuse_other_state_dir(facts, policy)?;
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
    let versions = crate::deploy::current_versions(shape, facts);
    let release = facts.current.unwrap_or_default();
    let placing = Placing {
        shape,
        facts,
        versions: &versions,
        release,
        policy,
        compose: &facts.compose,
        images: None,
        volumes_are_ours: false,
    };
    for seen in containers {
        for hook in placing.before_stop(&seen.service, &seen.name) {
            // What it cannot do any more stops nobody who typed the name.
            steps.add("hook", &seen.name, hook, &because).forgiving();
        }
        let stop = Effect::Stop { container: seen.name.clone(), grace: None };
        steps.engine("stop", &seen.name, stop, &because).with_impact();
        let container = seen.name.clone();
        match seen.anonymous.as_slice() {
            [_, ..] if volumes => {
                let what = format!("volumes without a name of {container}");
                let discard = Effect::Discard { container };
                steps.engine("remove", &seen.name, discard, &because).destroying(&what);
            }
            kept => {
                steps.engine("remove", &seen.name, Effect::Remove { container }, &because);
                plan.not_done.extend(kept.iter().map(|AnonymousSeen { name, target }| {
                    format!("volume `{name}` of {} at {target} is kept (`--volumes` removes it)", seen.name)
                }));
            }
        }
    }
    let mut shape_there = shape.clone();
    shape_there.networks.retain(|key, _| facts.networks.contains_key(&shape.network_name(key)));
    shape_there.volumes.retain(|key, _| volumes && facts.volumes.contains_key(&shape.volume_name(key)));
    remove_networks_and_volumes(&shape_there, &mut steps, &because);
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

/// Removes what is the stack's own.
fn remove_networks_and_volumes(shape: &Shape, steps: &mut Steps, because: &[String]) {
    for (key, network) in &shape.networks {
        if !network.external {
            let name = shape.network_name(key);
            let subject = name.clone();
            steps.engine("remove", &subject, Effect::RemoveNetwork { name }, because);
        }
    }
    for (key, volume) in &shape.volumes {
        if !volume.external {
            let name = shape.volume_name(key);
            let subject = name.clone();
            steps.engine("remove", &subject, Effect::RemoveVolume { name }, because).destroying(&subject);
        }
    }
}
