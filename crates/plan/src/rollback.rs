//! Back to a release that was good: image, configuration, environment and secret versions together.

use diag::{Diagnostic, Stop};

use crate::{
    Facts, Plan, Policy, ReleaseSeen, Verb,
    place::Placing,
    refusal::refuse_unready,
    rollout::{clear_the_way, compare, make_good, put_in_place},
    steps::Steps,
};

/// Plans the way back to a release that was good before: image, configuration, environment and secret versions
/// together, from what the release kept.
///
/// # Errors
/// When there is no such release, or as [`crate::deploy`].
pub fn rollback(to: Option<u64>, facts: &Facts, policy: &Policy) -> Result<Plan, Stop> {
    let target = release_to_go_back_to(to, facts)?;
    let shape = &target.shape;
    refuse_unready(shape, facts, policy, &target.secrets)?;
    let placing = Placing {
        shape,
        facts,
        versions: &target.secrets,
        release: target.number,
        policy,
        compose: &target.compose,
        images: Some(&target.images),
        volumes_are_ours: false,
    };
    let mut plan = Plan::empty(Verb::Rollback, shape, facts, policy);
    let gap = compare(&placing);
    plan.not_done = gap.not_done.clone();
    if gap.is_closed() && facts.current == Some(target.number) {
        return Ok(plan);
    }
    let mut steps = Steps::default();
    let changing = gap.changing();
    placing.fetch_images(&mut steps, &changing);
    clear_the_way(&placing, &mut steps, &gap);
    placing.prepare(&mut steps, &changing);
    plan.revivals = put_in_place(&placing, &mut steps, &gap);
    make_good(&placing, &mut steps, target.number, &gap);
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
