//! With nothing in the way, every verb ends as it should.

use crate::{scene::Scene, subjects::subjects};
use plan::{Moment, Outcome};

#[test]
fn every_verb_ends_as_it_should_when_nothing_is_in_the_way() {
    for subject in subjects() {
        let (host, outcome) = subject.whole();
        match (subject.name, &outcome) {
            (name, Outcome::Undone { .. }) if name.starts_with("bad ") => {}
            (name, Outcome::Applied) if !name.starts_with("bad ") => {}
            (name, outcome) => panic!("{name}: {outcome:?}"),
        }
        assert!(!host.has_half_a_set(), "{}", subject.name);
    }
}

#[test]
fn a_run_that_is_over_stays_over() {
    for subject in subjects() {
        let mut scene = Scene::new(&subject.host, &subject.plan);
        let outcome = scene.finish();
        let (entries, looks) = (scene.journal(), scene.host.looks());
        assert_eq!(scene.finish(), outcome, "{}", subject.name);
        assert_eq!((scene.journal(), scene.host.looks()), (entries, looks), "{}", subject.name);
    }
}

#[test]
fn a_migration_that_has_run_is_not_run_again_by_taking_an_upgrade_back() {
    let upgrade = subjects().into_iter().find(|subject| subject.name == "bad upgrade").expect("it is there");
    let before = upgrade.host.starts("migrate:1");
    let (host, _) = upgrade.whole();
    assert_eq!(host.starts("migrate:1"), before);
}

#[test]
fn what_lies_in_a_volume_without_a_name_is_still_there_after_an_upgrade_and_after_taking_one_back() {
    for name in ["crowded upgrade", "bad crowded upgrade"] {
        let subject = subjects().into_iter().find(|subject| subject.name == name).expect("it is there");
        let (host, _) = subject.whole();
        assert_eq!(host.rows("blog-db-1", "posts"), Some(3), "{name}");
    }
}

#[test]
fn no_container_is_asked_twice_for_what_it_does_before_its_stop() {
    for name in ["crowded upgrade", "bad crowded upgrade"] {
        let subject = subjects().into_iter().find(|subject| subject.name == name).expect("it is there");
        let (host, _) = subject.whole();
        assert_eq!(host.most_hooks(Moment::PreStop), 1, "{name}");
    }
}
