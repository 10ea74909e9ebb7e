//! The linter says what is wrong with a plan it did not write, and nothing about one that is sound.

use plan::{Action, Effect, Plan, StepId, lint, set::SetId};

use crate::world::World;

/// A sound plan that replaces one service, changed by `spoil`.
#[track_caller]
fn check(spoil: impl FnOnce(&mut Plan), expected: &[&str]) {
    let mut plan = World::read("running: web=app:7\nshape: web=app:8").plan().expect("it can be planned");
    spoil(&mut plan);
    assert_eq!(lint(&plan), expected);
}

fn remove_volume() -> Action {
    Action::Engine { effect: Effect::RemoveVolume { name: "blog_data".to_owned() } }
}

#[test]
fn a_sound_plan_and_an_empty_one_pass() {
    check(|_| {}, &[]);
    let empty = |plan: &mut Plan| {
        plan.steps.clear();
        plan.revivals.clear();
    };
    check(empty, &[]);
}

#[test]
fn a_service_that_is_brought_back_after_nothing_or_twice_is_found() {
    let nowhere = "`web` is brought back after steps that the plan does not have";
    check(|plan| plan.revivals[0].after_any.clear(), &[nowhere]);
    check(|plan| plan.revivals[0].after_any = vec![StepId("stop-db".to_owned())], &[nowhere]);
    let twice = "`web` is brought back twice";
    check(|plan| plan.revivals.push(plan.revivals[0].clone()), &[twice, twice]);
}

#[test]
fn two_steps_of_one_name_are_found() {
    check(
        |plan| plan.steps[1].id = plan.steps[0].id.clone(),
        &[
            "two steps are called `pull-app-8`",
            "`pull-app-8` comes after `pull-app-8`, which does not stand before it",
            "`create-web` comes after `write-release-2`, which does not stand before it",
        ],
    );
}

#[test]
fn a_step_that_comes_after_one_behind_it_is_found() {
    check(
        |plan| plan.steps[0].after = vec![StepId("probe-web".to_owned())],
        &["`pull-app-8` comes after `probe-web`, which does not stand before it"],
    );
}

#[test]
fn a_step_without_a_cause_is_found() {
    check(|plan| plan.steps[2].because.clear(), &["`create-web` has no cause"]);
}

#[test]
fn housekeeping_that_could_be_undone_is_found() {
    check(|plan| plan.steps[2].forgiving = true, &["`create-web` is housekeeping and yet can be undone"]);
}

#[test]
fn a_volume_that_goes_without_a_word_is_found() {
    check(
        |plan| plan.steps[0].action = remove_volume(),
        &["`pull-app-8` removes a volume and does not say so"],
    );
}

#[test]
fn a_set_that_goes_without_a_word_is_found_though_it_is_housekeeping() {
    let pruning = |plan: &mut Plan| {
        plan.steps[0].action = Action::PruneSet { set: SetId("set-1".to_owned()) };
        plan.steps[0].forgiving = true;
    };
    check(pruning, &["`pull-app-8` removes a set and does not say so"]);
}

#[test]
fn a_permission_holds_for_what_it_names() {
    check(
        |plan| {
            plan.steps[0].action = remove_volume();
            plan.steps[0].destroys = Some("blog_data".to_owned());
            plan.permits = vec!["set-1".to_owned()];
        },
        &["`pull-app-8` destroys `blog_data`, and nothing permits it"],
    );
}

#[test]
fn data_that_is_destroyed_with_nobodys_permission_is_found() {
    let destroying = |plan: &mut Plan| {
        plan.steps[0].action = remove_volume();
        plan.steps[0].destroys = Some("blog_data".to_owned());
    };
    check(destroying, &["`pull-app-8` destroys `blog_data`, and nothing permits it"]);
    check(
        |plan| {
            destroying(plan);
            plan.permits = vec!["blog".to_owned()];
        },
        &[],
    );
}

/// Swaps what two steps do, and says what is wrong then.
fn swapped(world: &str, one: &str, other: &str) -> Vec<String> {
    let mut plan = World::read(world).plan().expect("it can be planned");
    let at = |id: &str| plan.steps.iter().position(|step| step.id.0 == id).expect("it has that step");
    let (one, other) = (at(one), at(other));
    let action = plan.steps[one].action.clone();
    plan.steps[one].action = std::mem::replace(&mut plan.steps[other].action, action);
    lint(&plan)
}

#[test]
fn a_set_that_is_taken_in_another_order_is_found() {
    let backup = "running: bao=bao:2(keys) db=pg:1(postgres)\nstore: app_keys=1\nverb: backup";
    assert_eq!(
        swapped(backup, "capture-db", "capture-bao"),
        ["`capture-db` captures keys before data that may need newer ones"]
    );
    let commit = "commit-20261121T011447Z-7f3a91c2";
    assert_eq!(
        swapped(backup, "capture-release", commit),
        ["`capture-release` commits a set before all of it is captured"]
    );
}

#[test]
fn a_set_that_is_removed_before_the_new_one_is_there_is_found_and_so_is_the_new_one_itself() {
    let backup = "stack: keep 1, 1 sets kept\nrunning: db=pg:1(postgres)\nverb: backup";
    let commit = "commit-20261121T011447Z-7f3a91c2";
    assert_eq!(
        swapped(backup, commit, "prune-set-1"),
        [
            "`commit-20261121T011447Z-7f3a91c2` removes a set and does not say so",
            "`commit-20261121T011447Z-7f3a91c2` removes a set before the new one exists"
        ]
    );
    let mut plan = World::read(backup).plan().expect("it can be planned");
    let set = plan.set.clone().expect("it writes one");
    plan.steps.last_mut().expect("it prunes").action = Action::PruneSet { set };
    assert_eq!(lint(&plan), ["`prune-set-1` removes the very set that is written"]);
}

// shows: A43
#[test]
fn a_set_that_is_brought_back_in_another_order_is_found() {
    let restore = "running: nothing\nshape: bao=bao:2(keys) db=pg:1(postgres)\nverb: restore";
    assert_eq!(
        swapped(restore, "canaries-bao", "restore-db"),
        ["`canaries-bao` moves data before the keys have proved themselves"]
    );
    assert_eq!(
        swapped(restore, "restore-bao", "canaries-bao"),
        ["`restore-bao` asks canaries before the keys are there"]
    );
}
