//! Each call fails, before or after it took effect: the run unwinds, and the same verb typed again succeeds.

use std::collections::BTreeSet;

use plan::{Entry, Outcome};
use testkit::{Fault, ModelHost};

use crate::{
    kinds,
    looks::{difference, may_stay, none_of},
    scene::Scene,
    subjects::{Subject, subjects},
};

/// Kinds of actions that the sweep over failing calls asks for, undos included.
pub(crate) fn kinds_swept() -> BTreeSet<&'static str> {
    subjects().iter().flat_map(|subject| sweep(subject, Fault::FailBefore, false).kinds).collect()
}

#[derive(Default)]
struct Swept {
    cases: usize,
    wrong: Vec<String>,
    kinds: BTreeSet<&'static str>,
}

/// Lets each call fail once.
fn sweep(subject: &Subject, fault: Fault, repeating: bool) -> Swept {
    let (whole, settled) = (subject.whole(), subject.settled(&subject.host));
    let mut swept = Swept::default();
    for call in 1..=whole.0.calls() - subject.host.calls() {
        let mut host = subject.host.clone();
        host.inject(host.calls() + call, fault);
        if repeating {
            host.repeat_every_call();
        }
        let mut scene = Scene::new(&host, &subject.plan);
        let outcome = scene.finish();
        let case = format!("{}, {fault:?} at call {call}", subject.name);
        let wrong = match &outcome {
            Outcome::Applied => applied(&whole.0, &scene, &case),
            Outcome::Undone { .. } => undone(subject, &scene, &case),
            // Only where the call that failed was itself an undo.
            Outcome::Stuck { .. } => stuck(subject, &scene, &case),
        };
        swept.wrong.extend(wrong);
        if !(subject.makes_another && outcome == Outcome::Applied) {
            swept.wrong.extend(again(subject, &settled, &scene, &case));
        }
        swept.cases += 1;
        swept.kinds.extend(scene.actions.iter().flat_map(kinds::of));
    }
    swept
}

/// What failed was housekeeping.
fn applied(whole: &ModelHost, scene: &Scene, case: &str) -> Option<String> {
    if !scene.left_something() {
        return Some(format!("{case}: something failed, and nobody heard of it"));
    }
    let mut differs = difference(whole, &scene.host).without(|line| line.starts_with("sets "));
    differs.new.clear();
    differs.found(case)
}

/// Everything is as before; nothing was lost, no set is half there, and nothing of a throwaway is left.
fn undone(subject: &Subject, scene: &Scene, case: &str) -> Option<String> {
    let (before, now) = (&subject.host, &scene.host);
    if now.has_half_a_set() {
        return Some(format!("{case}: half a set"));
    }
    if subject.one_way {
        return None;
    }
    let pointers = |host: &ModelHost| (host.observe().current, host.observe().good);
    if pointers(before) != pointers(now) {
        return Some(format!("{case}: points at {:?}, was {:?}", pointers(now), pointers(before)));
    }
    let project = subject.plan.project.as_str();
    let left =
        now.looks().lines().find(|line| project != "blog" && line.contains(project)).map(str::to_owned);
    if let Some(left) = left {
        return Some(format!("{case}: left of the throwaway: {left}"));
    }
    // A commit that took effect and failed all the same leaves its set, whole.
    let committed = now.manifests().len() > before.manifests().len();
    let mut differs =
        difference(before, now).with_stores_open().without(|line| committed && line.starts_with("sets "));
    differs.new.retain(|line| !may_stay(line));
    differs.found(case)
}

/// An undo failed, or what ran before did not come back: the journal says so, and a person reads the command to type.
fn stuck(subject: &Subject, scene: &Scene, case: &str) -> Option<String> {
    let journal = scene.journal();
    let mut commands = Vec::new();
    for entry in &journal {
        let (command, because) = match entry {
            Entry::UndoFailed { step, because, .. } => {
                let at = subject.plan.steps.iter().position(|known| known.id == *step);
                let number = at.expect("a step of it") + 1;
                (format!("seaworthy runs show r1 --step {number}"), because)
            }
            Entry::ReviveFailed { service, because, .. } => (format!("seaworthy logs {service}"), because),
            _ => continue,
        };
        if !because[0].starts_with("fault injected") {
            return Some(format!("{case}: stuck by itself: {entry:?}"));
        }
        commands.push(command);
    }
    // What was taken back until then is brought back: what can serve does.
    let undone = |id| journal.iter().any(|entry| matches!(entry, Entry::Undone { step, .. } if step == id));
    let brought_back = |service| {
        journal
            .iter()
            .any(|entry| matches!(entry, Entry::Reviving { service: other, .. } if other == service))
    };
    let forgotten = subject
        .plan
        .revivals
        .iter()
        .find(|revival| revival.after_any.iter().any(undone) && !brought_back(&revival.service));
    if let Some(revival) = forgotten {
        return Some(format!("{case}: `{}` was left standing", revival.service));
    }
    let Some(command) = commands.first() else {
        return Some(format!("{case}: stuck, and nothing failed"));
    };
    (scene.last_line() != *command).then(|| format!("{case}: the last line is {}", scene.last_line()))
}

/// The same verb, typed again, ends as if nothing had ever failed.
fn again(subject: &Subject, settled: &(ModelHost, Outcome), scene: &Scene, case: &str) -> Option<String> {
    let (wanted, outcome) = settled;
    let (found, ended) = subject.settled(&scene.host);
    let same = std::mem::discriminant(outcome) == std::mem::discriminant(&ended);
    if !same {
        return Some(format!("{case}, then again: {ended:?}"));
    }
    // A throwaway that was not cleared away keeps its own names: no later one meets it.
    let throwaway = subject.plan.project.as_str();
    difference(wanted, &found)
        .without(|line| throwaway != "blog" && line.contains(throwaway))
        .found(&format!("{case}, then again"))
}

#[test]
fn a_failure_at_any_call_is_undone_and_the_same_verb_typed_again_succeeds() {
    let faults = [Fault::FailBefore, Fault::FailAfter];
    let subjects = subjects();
    let swept: Vec<Swept> =
        subjects.iter().flat_map(|subject| faults.map(|fault| sweep(subject, fault, false))).collect();
    println!("fail each call: {} cases", swept.iter().map(|swept| swept.cases).sum::<usize>());
    none_of(&swept.into_iter().flat_map(|swept| swept.wrong).collect::<Vec<_>>());
}

#[test]
fn a_failure_at_any_call_is_undone_also_when_every_call_is_made_twice() {
    let swept: Vec<Swept> =
        subjects().iter().map(|subject| sweep(subject, Fault::FailBefore, true)).collect();
    println!("fail each call, made twice: {} cases", swept.iter().map(|swept| swept.cases).sum::<usize>());
    none_of(&swept.into_iter().flat_map(|swept| swept.wrong).collect::<Vec<_>>());
}

#[test]
fn a_failing_undo_is_stuck_says_the_command_and_the_same_verb_typed_again_succeeds() {
    let (mut cases, mut wrong) = (0, Vec::new());
    for subject in subjects() {
        let settled = subject.settled(&subject.host);
        for first in 1..=subject.calls() {
            let mut host = subject.host.clone();
            host.inject(host.calls() + first, Fault::FailAfter);
            let mut scene = Scene::new(&host, &subject.plan);
            scene.finish();
            let last = scene.host.calls() - subject.host.calls();
            // The deepest unwinding has every undo there is; any other one is new in how it begins and ends.
            let seconds = (first + 1..=last)
                .filter(|second| first + 1 == *second || *second == last || first == subject.deepest());
            for second in seconds {
                let mut host = host.clone();
                host.inject(host.calls() + second, Fault::FailBefore);
                let mut scene = Scene::new(&host, &subject.plan);
                if !matches!(scene.finish(), Outcome::Stuck { .. }) {
                    continue;
                }
                let case = format!("{}, failing calls {first} and {second}", subject.name);
                wrong.extend(stuck(&subject, &scene, &case));
                if !subject.for_a_person {
                    wrong.extend(again(&subject, &settled, &scene, &case));
                }
                cases += 1;
            }
        }
    }
    println!("fail each undo: {cases} cases");
    none_of(&wrong);
}
