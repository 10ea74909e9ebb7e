//! The state machine of a run, as a table: every kind of entry in every state, taken or refused.

use plan::{Entry, JournalError, Next, Outcome, Output, Plan, Progress, Revival, StepId};

use crate::world::World;

/// A plan of at least three steps, whose second one stopped `web`.
fn plan() -> Plan {
    let mut plan = World::read("running: nothing\nshape: web=app:7").plan().expect("it can be planned");
    let (after_any, actions) = (vec![plan.steps[1].id.clone()], vec![plan.steps[1].action.clone()]);
    plan.revivals = vec![Revival { service: "web".into(), after_any, actions }];
    plan
}

/// Every state a run can be in, with the entries that lead there. `a` is its first step, `b` its second.
const STATES: [(&str, &str); 17] = [
    ("new", ""),
    ("begun", "began"),
    ("running a", "began, start a"),
    ("a done", "began, start a, done a"),
    ("waiting at b", "began, start a, done a, start b, wait b"),
    ("attested b", "began, start a, done a, start b, wait b, attest b"),
    ("b failed", "began, start a, done a, start b, fail b"),
    ("undoing b", "began, start a, done a, start b, fail b, undo b"),
    ("b undone", "began, start a, done a, start b, fail b, undo b, undone b"),
    ("undo of b failed", "began, start a, done a, start b, fail b, undo b, undofail b"),
    ("all undone", "began, start a, fail a, undo a, undone a"),
    ("both undone", "began, start a, done a, start b, fail b, undo b, undone b, undo a, undone a"),
    (
        "reviving web",
        "began, start a, done a, start b, fail b, undo b, undone b, undo a, undone a, revive web",
    ),
    (
        "web revived",
        "began, start a, done a, start b, fail b, undo b, undone b, undo a, undone a, revive web, revived web",
    ),
    (
        "web silent",
        "began, start a, done a, start b, fail b, undo b, undone b, undo a, undone a, revive web, silent web",
    ),
    ("undo of a failed", "began, start a, done a, start b, fail b, undo b, undone b, undo a, undofail a"),
    ("over", "began, start a, fail a, undo a, undone a, end undone"),
];

const ENTRIES: [&str; 25] = [
    "began",
    "start a",
    "start b",
    "done a",
    "done b",
    "fail a",
    "fail b",
    "wait a",
    "wait b",
    "attest a",
    "attest b",
    "abandon",
    "undo a",
    "undo b",
    "undone a",
    "undone b",
    "undofail a",
    "undofail b",
    "revive web",
    "revived web",
    "silent web",
    "end applied",
    "end undone",
    "end undone-b",
    "end stuck",
];

#[test]
fn every_entry_is_taken_or_refused_in_every_state() {
    let plan = plan();
    let mut table = String::new();
    for (state, entries) in STATES {
        let before = fold(&plan, entries).expect("the state can be reached");
        let taken = ENTRIES.iter().filter(|word| {
            let mut progress = before.clone();
            progress.take(&plan, &entry(&plan, word)).is_ok()
        });
        let taken: Vec<&str> = taken.copied().collect();
        table.push_str(format!("{state}: {}", taken.join(", ")).trim_end());
        table.push('\n');
    }
    let expected = "\
new: began, start a, abandon
begun: began, start a, abandon
running a: began, start a, done a, fail a, wait a, abandon
a done: began, start b, abandon
waiting at b: began, start b, attest b, abandon
attested b: began, start b, attest b, abandon
b failed: began, wait b, undo b, undone b, undofail b
undoing b: began, wait b, undo b, undone b, undofail b
b undone: began, wait a, undo a, undone a, undofail a
undo of b failed: began, wait b, undo b, undone b, undofail b, end stuck
all undone: began, end undone
both undone: began, revive web
reviving web: began, wait b, revive web, revived web, silent web
web revived: began, end undone-b
web silent: began, end stuck
undo of a failed: began, wait a, undo a, undone a, undofail a, revive web
over:
";
    assert!(table == expected, "{table}\nand not\n{expected}");
}

#[test]
fn a_run_is_fresh_until_its_first_entry() {
    let plan = plan();
    for (state, entries) in STATES {
        let progress = fold(&plan, entries).expect("the state can be reached");
        assert_eq!(progress.is_fresh(), entries.is_empty(), "{state}");
    }
}

#[test]
fn a_step_that_the_plan_does_not_have_is_named_with_its_line() {
    let plan = plan();
    let at = plan.made_at;
    let step = StepId("elsewhere".to_owned());
    let entries = [Entry::Began { at, epoch: None }, Entry::Started { step: step.clone(), at }];
    assert_eq!(Progress::fold(&plan, &entries), Err(JournalError::UnknownStep { index: 2, step }));
}

#[test]
fn an_impossible_entry_is_named_with_its_line() {
    let error = fold(&plan(), "began, done a").expect_err("it was not started");
    let said = error.to_string();
    assert!(
        said.starts_with("journal entry 2 cannot follow what stands before it: {\"entry\":\"succeeded\""),
        "{said}"
    );
}

#[test]
fn a_fold_of_the_whole_is_the_fold_of_the_rest_after_the_fold_of_any_part() {
    let plan = plan();
    for (state, entries) in STATES {
        let entries: Vec<Entry> = words(entries).map(|word| entry(&plan, word)).collect();
        let whole = Progress::fold(&plan, &entries).expect("possible");
        for cut in 0..=entries.len() {
            let mut progress = Progress::fold(&plan, &entries[..cut]).expect("possible");
            for entry in &entries[cut..] {
                progress.take(&plan, entry).expect("possible");
            }
            assert_eq!(progress, whole, "{state}, cut at {cut}");
        }
    }
}

#[test]
fn taking_a_run_up_again_changes_nothing() {
    let plan = plan();
    for (state, entries) in STATES.iter().filter(|(state, _)| *state != "over") {
        let before = fold(&plan, entries).expect("possible");
        let mut after = before.clone();
        after.take(&plan, &entry(&plan, "began")).expect("it can always be taken up");
        assert_eq!(before.next(&plan), after.next(&plan), "{state}");
        assert_eq!(
            (before.done, before.undone, before.unwinding),
            (after.done, after.undone, after.unwinding),
            "{state}"
        );
    }
}

#[test]
fn a_run_goes_forward_in_order_and_back_beginning_with_the_step_that_failed() {
    let plan = plan();
    let next = |entries: &str| match fold(&plan, entries).expect("possible").next(&plan) {
        Next::Do(step) => format!("do {}", letter(&plan, &step.id)),
        Next::TakeBack(step) => format!("take back {}", letter(&plan, &step.id)),
        Next::Revive(revival) => format!("revive {}", revival.service),
        Next::End(outcome) => format!("end {outcome:?}"),
        Next::Over => "over".to_owned(),
    };
    let because = "because: [\"it broke\"]";
    let cases = [
        ("", "do a".to_owned()),
        ("began, start a", "do a".to_owned()),
        ("began, start a, done a", "do b".to_owned()),
        ("began, start a, done a, start b, wait b", "do b".to_owned()),
        ("began, start a, done a, start b, fail b", "take back b".to_owned()),
        ("began, start a, done a, start b, abandon", "take back b".to_owned()),
        ("began, start a, done a, start b, fail b, undo b, undone b", "take back a".to_owned()),
        (
            "began, start a, done a, start b, fail b, undo b, undone b, undo a, undone a",
            "revive web".to_owned(),
        ),
        (
            "began, start a, done a, start b, fail b, undo b, undone b, undo a, undone a, revive web",
            "revive web".to_owned(),
        ),
        (
            "began, start a, done a, start b, fail b, undo b, undone b, undo a, undone a, revive web, silent web",
            format!("end Stuck {{ step: {:?}, {because}, undo_error: [\"it broke\"] }}", plan.steps[1].id),
        ),
        (
            "began, start a, done a, start b, fail b, undo b, undone b, undo a, undofail a",
            "revive web".to_owned(),
        ),
        (
            "began, start a, done a, start b, fail b, undo b, undone b, undo a, undofail a, revive web, revived web",
            format!("end Stuck {{ step: {:?}, {because}, undo_error: [\"it broke\"] }}", plan.steps[0].id),
        ),
        ("began, abandon", "end Undone { step: None, because: [\"somebody asked\"] }".to_owned()),
        (
            "began, start a, fail a, undo a, undone a",
            format!("end Undone {{ step: Some({:?}), {because} }}", plan.steps[0].id),
        ),
        ("began, start a, fail a, undo a, undone a, end undone", "over".to_owned()),
    ];
    for (entries, expected) in cases {
        assert_eq!(next(entries), expected, "{entries}");
    }
}

#[test]
fn a_run_is_applied_when_its_last_step_is_done_and_not_before() {
    let plan = plan();
    let mut progress = Progress::default();
    for step in &plan.steps {
        let (step, at) = (step.id.clone(), plan.made_at);
        assert!(matches!(progress.next(&plan), Next::Do(_)));
        let early = Entry::Ended { at, outcome: Outcome::Applied };
        assert!(progress.clone().take(&plan, &early).is_err(), "before {step}");
        progress.take(&plan, &Entry::Started { step: step.clone(), at }).expect("possible");
        progress.take(&plan, &Entry::Succeeded { step, at, output: Output::None }).expect("possible");
    }
    assert_eq!(progress.next(&plan), Next::End(Outcome::Applied));
    let end = Entry::Ended { at: plan.made_at, outcome: Outcome::Applied };
    progress.take(&plan, &end).expect("possible");
    assert_eq!(progress.next(&plan), Next::Over);
}

#[test]
fn a_failure_is_read_with_and_without_what_to_do_about_it() {
    let line = r#"{"entry":"failed","step":"create-web","at":"2026-11-21T01:14:47Z","because":["no"]}"#;
    let entry: Entry = serde_json::from_str(line).expect("as it was written before");
    assert_eq!(entry.hint(), None);
    assert_eq!(serde_json::to_string(&entry).expect("an entry"), line);
    let plan = plan();
    let mut progress = fold(&plan, "began, start a").expect("possible");
    let (step, at) = (plan.steps[0].id.clone(), plan.made_at);
    let hint = Some("make room".to_owned());
    let failed = Entry::Failed { step: step.clone(), at, because: vec!["full".to_owned()], hint };
    progress.take(&plan, &failed).expect("possible");
    assert_eq!(progress.hints[&step], "make room");
}

#[test]
fn a_commit_that_was_begun_is_done_again_and_not_taken_back() {
    let words = "running: db=pg:1(postgres) web=app:7\nstack: keep 1, 2 sets kept\nverb: backup";
    let plan = crate::world::World::read(words).plan().expect("it can be planned");
    let at = plan.made_at;
    let mut progress = Progress::default();
    for step in &plan.steps {
        let step_id = step.id.clone();
        let proven = |progress: &Progress| progress.is_proven(&plan);
        let commits = matches!(step.action, plan::Action::CommitSet { .. });
        assert_eq!(proven(&progress), step.forgiving, "before {step_id}");
        progress.take(&plan, &Entry::Started { step: step_id.clone(), at }).expect("possible");
        assert_eq!(proven(&progress), step.forgiving || commits, "while {step_id}");
        if commits {
            assert!(matches!(progress.next(&plan), Next::Do(next) if next.id == step_id));
            let mut failed = progress.clone();
            let because = vec!["it broke".to_owned()];
            failed
                .take(&plan, &Entry::Failed { step: step_id.clone(), at, because, hint: None })
                .expect("possible");
            assert!(matches!(failed.next(&plan), Next::TakeBack(_)), "one that failed is taken back");
        }
        progress
            .take(&plan, &Entry::Succeeded { step: step_id, at, output: Output::None })
            .expect("possible");
    }
    assert!(plan.steps.iter().any(|step| step.forgiving), "there is something to prune");
}

fn words(entries: &str) -> impl Iterator<Item = &str> {
    entries.split(", ").filter(|word| !word.is_empty())
}

fn fold(plan: &Plan, entries: &str) -> Result<Progress, JournalError> {
    let entries: Vec<Entry> = words(entries).map(|word| entry(plan, word)).collect();
    Progress::fold(plan, &entries)
}

fn letter(plan: &Plan, step: &StepId) -> char {
    let at = plan.steps.iter().position(|known| known.id == *step).expect("a step of the plan");
    char::from(b'a' + u8::try_from(at).expect("few steps"))
}

fn entry(plan: &Plan, word: &str) -> Entry {
    let (verb, of) = word.split_once(' ').unwrap_or((word, "a"));
    let step = plan.steps[usize::from(of == "b")].id.clone();
    let at = plan.made_at;
    let because = vec!["it broke".to_owned()];
    match verb {
        "began" => Entry::Began { at, epoch: None },
        "start" => Entry::Started { step, at },
        "done" => Entry::Succeeded { step, at, output: Output::None },
        "fail" => Entry::Failed { step, at, because, hint: None },
        "wait" => Entry::Waiting { step, at, instruction: "give the shares".to_owned() },
        "attest" => Entry::Attested { step, at, who: "ann".to_owned(), proof: "seen".to_owned() },
        "abandon" => Entry::Abandoned { at, because: "somebody asked".to_owned() },
        "undo" => Entry::Undoing { step, at },
        "undone" => Entry::Undone { step, at },
        "undofail" => Entry::UndoFailed { step, at, because, hint: None },
        "revive" => Entry::Reviving { service: of.into(), at },
        "revived" => Entry::Revived { service: of.into(), at, output: Output::None },
        "silent" => Entry::ReviveFailed { service: of.into(), at, because, hint: None },
        "end" => Entry::Ended { at, outcome: outcome(plan, of, because) },
        other => panic!("`{other}` is no entry"),
    }
}

fn outcome(plan: &Plan, word: &str, because: Vec<String>) -> Outcome {
    match word {
        "applied" => Outcome::Applied,
        "undone-b" => Outcome::Undone { step: Some(plan.steps[1].id.clone()), because },
        "undone" => Outcome::Undone { step: Some(plan.steps[0].id.clone()), because },
        _ => Outcome::Stuck { step: plan.steps[1].id.clone(), undo_error: because.clone(), because },
    }
}

#[test]
fn whoever_holds_an_older_lock_cannot_go_on() {
    let plan = crate::world::World::read("running: web=app:7\nshape: web=app:8").plan().expect("a plan");
    let at = plan.made_at;
    let began = |epoch| Entry::Began { at, epoch };
    let table = [
        (vec![began(Some(7)), began(Some(7))], true),
        (vec![began(Some(7)), began(Some(9)), began(Some(9))], true),
        // A version that knew no numbers.
        (vec![began(None), began(Some(1)), began(None), began(Some(1))], true),
        (vec![began(Some(9)), began(Some(7))], false),
        (vec![began(Some(9)), began(None), began(Some(7))], false),
    ];
    for (entries, follows) in table {
        assert_eq!(Progress::fold(&plan, &entries).is_ok(), follows, "{entries:?}");
    }
}
