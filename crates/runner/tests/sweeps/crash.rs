//! Everything stops around each call and around each line of the journal, and the run is taken up again.

use plan::{Entry, Interrupted, Outcome};
use testkit::{Fault, ModelHost};

use crate::{
    looks::{difference, none_of},
    scene::Scene,
    subjects::{Subject, subjects},
};

/// However it was cut, a run that was taken up again left what an uninterrupted one leaves, or what was before.
fn wrong(subject: &Subject, whole: &(ModelHost, Outcome), scene: &mut Scene, cut: &str) -> Option<String> {
    let outcome = scene.finish();
    let case = format!("{}, {cut}", subject.name);
    if scene.host.has_half_a_set() {
        return Some(format!("{case}: half a set"));
    }
    if outcome == whole.1 {
        let same = scene.host.looks() == whole.0.looks();
        return (!same)
            .then(|| format!("{case}: {outcome:?}\n{}\nand not\n{}", scene.host.looks(), whole.0.looks()));
    }
    // Its commit is the one thing of a run that nobody takes back: whoever has a set is told so.
    if scene.host.manifests().len() > subject.host.manifests().len() {
        return Some(format!("{case}: {outcome:?}, and the set is there"));
    }
    let unwinds = subject.plan.interrupted == Interrupted::Unwinds;
    if !unwinds || !matches!(outcome, Outcome::Undone { .. }) {
        return Some(format!("{case}: {outcome:?}"));
    }
    difference(&subject.host, &scene.host).found(&case)
}

#[test]
fn a_stop_around_any_call_leaves_what_an_uninterrupted_run_leaves_or_what_was_before() {
    let (mut cases, mut found) = (0, Vec::new());
    for subject in subjects() {
        let whole = subject.whole();
        for call in 1..=subject.calls() {
            for fault in [Fault::CrashBefore, Fault::CrashAfter] {
                let mut host = subject.host.clone();
                host.inject(host.calls() + call, fault);
                let mut scene = Scene::new(&host, &subject.plan);
                found.extend(wrong(&subject, &whole, &mut scene, &format!("{fault:?} at call {call}")));
                cases += 1;
            }
        }
    }
    println!("crash around calls: {cases} cases");
    none_of(&found);
}

#[test]
fn a_stop_at_any_line_of_the_journal_leaves_what_an_uninterrupted_run_leaves_or_what_was_before() {
    let (mut cases, mut found) = (0, Vec::new());
    for subject in subjects() {
        let whole = subject.whole();
        let mut scene = Scene::new(&subject.host, &subject.plan);
        scene.watched = true;
        scene.finish();
        let lines = scene.lines();
        for moment in &scene.moments {
            let (written, last) = lines.split_at(moment.lines - 1);
            let last = &last[0];
            let before = written.concat();
            let torn = [before.as_slice(), &last[..last.len() / 2]].concat();
            let after = [before.as_slice(), last].concat();
            for (cut, journal) in [("before", before), ("within", torn), ("after", after)] {
                let mut scene = Scene::found(&moment.host, &subject.plan, &journal);
                found.extend(wrong(&subject, &whole, &mut scene, &format!("{cut} line {}", moment.lines)));
                cases += 1;
            }
        }
    }
    println!("crash at journal lines: {cases} cases");
    none_of(&found);
}

#[test]
fn a_stop_while_taking_up_what_was_stopped_changes_nothing_either() {
    let (mut cases, mut found) = (0, Vec::new());
    for subject in
        subjects().into_iter().filter(|subject| ["upgrade", "bad upgrade", "drill"].contains(&subject.name))
    {
        let whole = subject.whole();
        let calls = whole.0.calls() - subject.host.calls();
        for first in 1..=calls {
            for second in first + 1..=first + 3 {
                let mut host = subject.host.clone();
                host.inject(host.calls() + first, Fault::CrashAfter);
                let mut scene = Scene::new(&host, &subject.plan);
                assert_eq!(scene.carry_on(), None);
                scene.restart();
                scene.host.inject(subject.host.calls() + second, Fault::CrashAfter);
                found.extend(wrong(
                    &subject,
                    &whole,
                    &mut scene,
                    &format!("stopped at calls {first} and {second}"),
                ));
                cases += 1;
            }
        }
    }
    println!("crash twice: {cases} cases");
    none_of(&found);
}

#[test]
fn a_backup_or_drill_that_only_had_housekeeping_left_is_not_taken_back() {
    for subject in subjects().into_iter().filter(|subject| ["backup", "drill"].contains(&subject.name)) {
        let housekeeping =
            subject.plan.steps.iter().position(|step| step.forgiving).expect("it ends with some");
        // Undos of the steps before are never asked for, so a call is a step.
        let mut host = subject.host.clone();
        host.inject(host.calls() + housekeeping + 1, Fault::CrashBefore);
        let mut scene = Scene::new(&host, &subject.plan);
        assert_eq!(scene.finish(), Outcome::Applied, "{}", subject.name);
        assert_eq!(scene.host.looks(), subject.whole().0.looks(), "{}", subject.name);
    }
}

#[test]
fn an_unwinding_that_needs_the_shares_waits_for_them() {
    let name = "bad upgrade of the key store";
    let subject = subjects().into_iter().find(|subject| subject.name == name).expect("it is there");
    let waits_while_unwinding = |call: usize| {
        let mut host = subject.host.clone();
        host.inject(host.calls() + call, Fault::CrashAfter);
        let mut scene = Scene::new(&host, &subject.plan);
        scene.finish();
        let journal = scene.journal();
        let unwinding = journal.iter().position(|entry| matches!(entry, Entry::Failed { .. }));
        let waiting = journal.iter().rposition(|entry| matches!(entry, Entry::Waiting { .. }));
        unwinding.is_some() && waiting > unwinding
    };
    let waited = (1..=subject.calls()).filter(|call| waits_while_unwinding(*call)).count();
    assert!(waited > 0, "a key store that comes back sealed is unsealed by its holders");
}
