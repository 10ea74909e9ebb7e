//! A process that slept while somebody else took its lock: it touches nothing more, wherever it wakes.

use crate::{scene::Scene, subjects::subjects};

#[test]
fn whoever_lost_the_lock_touches_nothing_more_and_the_next_ends_the_run_as_it_should() {
    let mut cases = 0;
    for subject in subjects() {
        let (_, whole) = subject.whole();
        for after in 0.. {
            let mut scene = Scene::new(&subject.host, &subject.plan);
            scene.fenced_after = Some(after);
            if scene.carry_on().is_some() {
                break;
            }
            let (entries, looks, actions) = (scene.journal(), scene.host.looks(), scene.actions.len());
            // It wakes once more, and still has no lock.
            scene.fenced_after = Some(0);
            assert!(scene.carry_on().is_none());
            assert_eq!(
                (scene.journal(), scene.host.looks()),
                (entries, looks),
                "{} at {after}",
                subject.name
            );
            assert_eq!(scene.actions.len(), actions, "{} at {after}", subject.name);
            scene.fenced_after = None;
            scene.restart();
            let outcome = scene.finish();
            let interrupted = matches!(outcome, plan::Outcome::Undone { .. });
            assert!(outcome == whole || interrupted, "{} at {after}: {outcome:?}", subject.name);
            cases += 1;
        }
    }
    println!("{cases} moments at which the lock was lost");
    assert!(cases > 100, "{cases}");
}
