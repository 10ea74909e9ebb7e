//! What becomes of a run that was interrupted, as a table: how far it came, what is typed, what is done with it.

use plan::{
    Entry, Outcome, Plan, Progress, Verb,
    set::SetId,
    take_up::{self, Asked},
};

use crate::world::World;

const WORLD: &str = "running: web=app:7\nshape: web=app:8";

fn begun() -> (World, Plan, Progress) {
    let world = World::read(WORLD);
    let plan = world.plan().expect("it can be planned");
    let at = world.policy.now;
    let entries = [Entry::Began { at, epoch: None }, Entry::Started { step: plan.steps[0].id.clone(), at }];
    let progress = Progress::fold(&plan, &entries).expect("it begins");
    (world, plan, progress)
}

fn asked<'a>(world: &'a World, verb: Verb) -> Asked<'a> {
    Asked { verb, set: None, shape: &world.shape, planned: None }
}

#[test]
fn asked_for_again_it_goes_on() {
    let (world, plan, progress) = begun();
    assert_eq!(take_up::unwanted(&plan, &progress, &asked(&world, Verb::Deploy)), None);
}

#[test]
fn it_is_taken_back_where_something_else_is_asked_for() {
    let (world, plan, progress) = begun();
    let other = World::read("running: web=app:7\nshape: web=app:9");
    let mut another = plan.clone();
    another.steps.pop();
    let set = SetId("20261121T030000Z-00000000".to_owned());
    let table = [
        (asked(&world, Verb::Backup), "`backup` was asked for while `deploy` had not ended"),
        (asked(&other, Verb::Deploy), "the files say something else now than when it was planned"),
        (
            Asked { planned: Some(&another), ..asked(&world, Verb::Deploy) },
            "another plan was given while it had not ended",
        ),
        (
            Asked { set: Some(&set), ..asked(&world, Verb::Deploy) },
            "set 20261121T030000Z-00000000 was asked for while another one was not done with",
        ),
    ];
    for (asked, because) in table {
        assert_eq!(take_up::unwanted(&plan, &progress, &asked).as_deref(), Some(because));
    }
    let same = Asked { planned: Some(&plan), ..asked(&world, Verb::Deploy) };
    assert_eq!(take_up::unwanted(&plan, &progress, &same), None);
}

#[test]
fn once_it_is_being_taken_back_that_goes_on_whatever_is_asked_for() {
    let (world, plan, mut progress) = begun();
    let abandoned = Entry::Abandoned { at: world.policy.now, because: "a test".to_owned() };
    progress.take(&plan, &abandoned).expect("it can be given up");
    for verb in [Verb::Deploy, Verb::Backup, Verb::Destroy] {
        assert_eq!(take_up::unwanted(&plan, &progress, &asked(&world, verb)), None);
    }
}

#[test]
fn a_given_plan_is_carried_out_once_and_a_changed_file_is_deployed_after_it() {
    let (world, plan, _) = begun();
    let undone = Outcome::Undone { step: None, because: Vec::new() };
    let given = Asked { planned: Some(&plan), ..asked(&world, Verb::Deploy) };
    let plain = asked(&world, Verb::Deploy);
    assert!(take_up::is_what_was_asked(&plan, &Outcome::Applied, &given));
    assert!(!take_up::is_what_was_asked(&plan, &Outcome::Applied, &plain));
    assert!(!take_up::is_what_was_asked(&plan, &undone, &given));
}
