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
        policy,
        compose: &facts.compose,
        images: None,
        volumes_are_ours: false,
    };
    let changed_for_us = current_release(facts).is_none_or(|release| *release.shape != *shape);
    let mut plan = Plan::empty(Verb::Deploy, shape, facts, policy);
    let mut steps = Steps::default();
    let gap = compare(&placing);
    let due = placing.due(&gap.staying());
    if !due.is_empty() {
        // What is fetched anew decides whether who uses it changes.
        placing.fetch_images(&mut steps, &due);
        plan.steps = steps.finish();
        plan.again = true;
        let names: Vec<&str> = due.iter().map(ServiceName::as_str).collect();
        plan.not_done.push(format!("what comes of it for {} is decided once it is here", names.join(", ")));
        return Ok(plan);
    }
    if gap.is_closed() && !changed_for_us {
        plan.not_done = gap.not_done;
        plan.not_done.extend(leftovers(&placing).map(|seen| {
            format!("`{}` is left of an earlier run: the next release that is good removes it", seen.name)
        }));
        return Ok(plan);
    }
    let changing = gap.changing();
    placing.fetch_images(&mut steps, &changing);
    clear_the_way(&placing, &mut steps, &gap);
    placing.prepare(&mut steps, &changing);
    let attested = ask_people(shape, facts, policy, &mut steps);
    // What only stood still or was sealed is the release it was: a rollback must not find it twice.
    let number = match facts.current.filter(|_| gap.changes_nothing() && !changed_for_us) {
        Some(current) => current,
        None => {
            let because = vec![match gap.adopts(facts) {
                true => "adopted: nothing recreated".to_owned(),
                false => "every deploy is kept whole, so that it can come back whole".to_owned(),
            }];
            let action = Action::WriteRelease {
                number,
                shape: Box::new(shape.clone()),
                secrets: versions.clone(),
                compose: facts.compose.clone(),
            };
            steps.add("write", &format!("release {number}"), action, &because);
            number
        }
    };
    plan.revivals = put_in_place(&placing, &mut steps, &gap);
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
