//! What only people can do: asked before anything is put in place, and not again while their word holds.

use std::time::Duration;

use jiff::ToSpan as _;
use plan::{Attested, Entry, Progress, is_attested};
use stack::Control;

use crate::{compare, text, world::World};

/// A release that ann, asked for the hostname at the time `last` says, must have entered; `every` as declared.
fn world(every: Option<Duration>, last: Option<jiff::Timestamp>) -> World {
    let mut world = World::read("running: web=app:7\nshape: web=app:8");
    let instruction = "enter the hostname in the console".to_owned();
    let control = Control {
        owner: "operations".to_owned(),
        instruction: instruction.clone(),
        done_when: "it resolves".to_owned(),
        every,
    };
    world.shape.controls.insert("hostname".to_owned(), control);
    let attested = |at| Attested { control: "hostname".to_owned(), instruction, who: "ann".to_owned(), at };
    world.facts.attested.extend(last.map(attested));
    world
}

#[test]
fn a_person_is_asked_before_anything_may_be_noticed() {
    let planned = text::of(world(None, None).plan());
    let before: Vec<&str> = planned.lines().take_while(|line| !line.starts_with('!')).collect();
    compare(
        &(before.join("\n") + "\n"),
        "pull app:8 — web needs it
         ask hostname — nobody has attested it
         write release 2 — every deploy is kept whole, so that it can come back whole
         create web — image app:7 → app:8",
    );
}

#[test]
fn whose_word_holds_is_not_asked_again() {
    let now = World::read("running: web=app:7").facts.seen_at;
    let told = world(None, Some(now - 400.hours())).plan().unwrap().not_done;
    assert!(told.iter().any(|line| line.starts_with("ann attested `hostname` on ")), "{told:?}");
    assert!(!text::of(world(None, Some(now - 400.hours())).plan()).contains("ask"));
}

#[test]
fn a_word_that_has_lapsed_or_was_given_for_something_else_is_asked_for_again() {
    let now = World::read("running: web=app:7").facts.seen_at;
    let day = Duration::from_secs(24 * 60 * 60);
    assert!(!text::of(world(Some(day), Some(now - 23.hours())).plan()).contains("ask"));
    assert!(text::of(world(Some(day), Some(now - 25.hours())).plan()).contains("has lapsed"));
    let mut other = world(None, Some(now));
    other.facts.attested[0].instruction = "enter another hostname".to_owned();
    assert!(text::of(other.plan()).contains("nobody has attested it"));
}

#[test]
fn a_word_that_lapsed_while_the_run_waited_lets_nothing_go_on() {
    let day = Duration::from_secs(24 * 60 * 60);
    for (every, holds_after_two_days) in [(None, true), (Some(day), false)] {
        let world = world(every, None);
        let (plan, at) = (world.plan().expect("it can be planned"), world.policy.now);
        let asks = plan.steps.iter().position(|step| step.kind == "ask").expect("a person is asked");
        let mut progress = Progress::default();
        let mut take = |entry| progress.take(&plan, &entry).expect("it follows");
        for step in &plan.steps[..asks] {
            take(Entry::Started { step: step.id.clone(), at });
            take(Entry::Succeeded { step: step.id.clone(), at, output: plan::Output::None });
        }
        let step = &plan.steps[asks];
        take(Entry::Started { step: step.id.clone(), at });
        take(Entry::Waiting { step: step.id.clone(), at, instruction: "enter it".to_owned() });
        assert!(!is_attested(step, &progress, at), "nobody said anything yet");
        let (who, proof) = ("ann".to_owned(), "ticket 7".to_owned());
        progress.take(&plan, &Entry::Attested { step: step.id.clone(), at, who, proof }).expect("it waits");
        assert!(is_attested(step, &progress, at + 23.hours()));
        assert_eq!(is_attested(step, &progress, at + 48.hours()), holds_after_two_days);
    }
}
