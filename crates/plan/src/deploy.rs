//! To a release: the difference between what should run and what was seen running, in the order it must close.

use diag::Stop;
use stack::{ServiceName, Shape};

use crate::{
    Action, Facts, Plan, Policy, ReleaseSeen, Verb,
    control::ask_people,
    desired::Versions,
    place::Placing,
    refusal::refuse_unready,
    rollout::{clear_the_way, compare, leftovers, make_good, put_in_place},
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
    let gap = compare(&placing);
    if gap.is_closed() && !changed_for_us {
        plan.not_done = gap.not_done;
        plan.not_done.extend(leftovers(&placing).map(|seen| {
            format!("`{}` is left of an earlier run: the next release that is good removes it", seen.name)
        }));
        return Ok(plan);
    }
    clear_the_way(&placing, &mut steps, &gap);
    let changing: Vec<ServiceName> =
        gap.changes.iter().map(|change| change.container.service.clone()).collect();
    placing.prepare(&mut steps, &changing);
    let attested = ask_people(shape, facts, policy, &mut steps);
    // What only stood still or was sealed is the release it was: a rollback must not find it twice.
    let number = match facts.current.filter(|_| gap.changes.is_empty() && !changed_for_us) {
        Some(current) => current,
        None => {
            let because = vec!["every deploy is kept whole, so that it can come back whole".to_owned()];
            let action =
                Action::WriteRelease { number, shape: Box::new(shape.clone()), secrets: versions.clone() };
            steps.add("write", &format!("release {number}"), action, &because);
            number
        }
    };
    put_in_place(&placing, &mut steps, &gap);
    make_good(&placing, &mut steps, number, &gap);
    plan.steps = steps.finish();
    plan.not_done = gap.not_done;
    plan.not_done.extend(attested);
    plan.release = Some(number);
    Ok(plan)
}

/// The newest version of every declared secret.
pub(crate) fn current_versions(shape: &Shape, facts: &Facts) -> Versions {
    shape.secrets.keys().filter_map(|name| Some((name.clone(), facts.secrets.get(name)?.version))).collect()
}

fn current_release(facts: &Facts) -> Option<&ReleaseSeen> {
    facts.releases.iter().find(|release| Some(release.number) == facts.current)
}
