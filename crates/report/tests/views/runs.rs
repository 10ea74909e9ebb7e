//! A run while it runs, and how it ended.

use diag::Exit;
use plan::{Entry, Outcome, Plan, Progress, RunOutcome, Verb};
use report::{
    RunReport, Told, run_report,
    text::{Style, outcome, progress},
};

use crate::samples::{at, because, deploy, done, failed, fold, person, plan_of, taken_back, undone};

/// All lines a person sees while a journal is written.
fn lines(plan: &Plan, entries: &[Entry]) -> String {
    let mut so_far = Progress::default();
    let mut text = String::new();
    for entry in entries {
        so_far.take(plan, entry).expect("the journal fits the plan");
        for line in progress(plan, &so_far, entry, Style::PLAIN) {
            text.push_str(&line);
            text.push('\n');
        }
    }
    text
}

fn reported(plan: &Plan, entries: &[Entry]) -> RunReport {
    run_report(plan, &fold(plan, entries), Told { run: Some("k7"), diagnostics: &[] })
}

#[test]
fn a_good_deploy_is_followed_line_by_line() {
    let plan = deploy();
    let mut entries = done(&plan, &[2.1, 0.2, 0.4, 0.0, 0.3, 1.2, 0.0]);
    entries.push(Entry::Ended { at: at(4.2), outcome: Outcome::Applied });
    let expected = "  ✓ pull   web:2         2.1s  9bc2d1aa00ff
  ✓ create web           0.2s
  — impact starts here —
  ✓ stop   web           0.4s
  ✓ keep   web           0.0s
  ✓ start  web           0.3s
  ✓ probe  web           1.2s  healthy after 3 probes
  ✓ good   release 42    0.0s
";
    assert_eq!(lines(&plan, &entries), expected);
    let report = reported(&plan, &entries);
    assert_eq!((report.outcome, report.exit), (RunOutcome::Applied, Exit::Done));
    assert_eq!(report.release.live, Some(42));
    assert_eq!(report.impact.failed_requests, None, "nobody measured it");
    let last = "release 42 is good. Took 4.2s. Services were replaced within 1.9s.\n";
    assert_eq!(outcome(&report, Style::PLAIN), last);
}

#[test]
fn a_bad_release_is_taken_back_and_the_hint_comes_last() {
    let plan = deploy();
    let entries = undone(&plan);
    assert!(
        lines(&plan, &entries).contains("  ✗ probe  web             1m  `web` did not become ready in 1m\n")
    );
    assert!(lines(&plan, &entries).ends_with("  ✓ resume web             1s  answers after 2 probes\n"));
    let report = reported(&plan, &entries);
    assert_eq!((report.outcome, report.exit), (RunOutcome::Undone, Exit::Findings));
    assert_eq!(report.release.live, Some(41));
    let expected = "\
error: `web` did not become ready in 1m
  caused by: GET /healthz on web:8080: connection refused
undone: release 41 serves. The failed container is kept: blog-web-42-failed
hint: seaworthy runs show k7 --step 6
";
    assert_eq!(outcome(&report, Style::PLAIN), expected);
}

#[test]
fn a_release_that_does_not_answer_again_is_stuck_and_no_word_says_that_it_serves() {
    let plan = deploy();
    let mut entries = taken_back(&plan);
    let silence = vec!["`web` did not become ready in 1m".to_owned(), "connection refused".to_owned()];
    entries.push(Entry::ReviveFailed {
        service: "web".into(),
        at: at(130.0),
        because: silence.clone(),
        hint: None,
    });
    let (step, because) = (plan.steps[2].id.clone(), because());
    let outcome_entry = Outcome::Stuck { step, because, undo_error: silence };
    entries.push(Entry::Ended { at: at(130.0), outcome: outcome_entry });
    assert!(
        lines(&plan, &entries).ends_with("  ✗ resume web             1m  `web` did not become ready in 1m\n")
    );
    let report = reported(&plan, &entries);
    assert_eq!((report.outcome, report.exit), (RunOutcome::Stuck, Exit::Stuck));
    assert_eq!(report.release.live, None);
    let asked: Vec<(&str, bool)> =
        report.asked_again.iter().map(|asked| (asked.service.as_str(), asked.answers)).collect();
    assert_eq!(asked, [("web", false)]);
    let expected = "\
error: `web` did not become ready in 1m
  caused by: GET /healthz on web:8080: connection refused
error: `web` does not answer any more
  caused by: `web` did not become ready in 1m
  caused by: connection refused
stuck: everything was taken back, and `web` does not answer: a person is needed.
seaworthy logs web
";
    assert_eq!(outcome(&report, Style::PLAIN), expected);
}

#[test]
fn a_key_store_that_comes_back_sealed_is_opened_by_the_same_verb() {
    let plan = deploy();
    let mut entries = taken_back(&plan);
    let instruction = "3 key shares".to_owned();
    entries.push(Entry::Waiting { step: plan.steps[2].id.clone(), at: at(71.0), instruction });
    let text = outcome(&reported(&plan, &entries), Style::PLAIN);
    assert_eq!(text, "waiting: 3 key shares\nseaworthy deploy --shares FILE\n");
}

#[test]
fn a_release_that_nobody_touched_was_left_as_it_was() {
    let plan = deploy();
    let step = plan.steps[0].id.clone();
    let because = vec!["image `web:2` does not exist".to_owned()];
    let entries = [
        Entry::Began { at: at(0.0), epoch: None },
        Entry::Started { step: step.clone(), at: at(0.0) },
        Entry::Failed { step: step.clone(), at: at(1.0), because: because.clone(), hint: None },
        Entry::Undoing { step: step.clone(), at: at(1.0) },
        Entry::Undone { step: step.clone(), at: at(1.0) },
        Entry::Ended { at: at(1.0), outcome: Outcome::Undone { step: Some(step), because } },
    ];
    let text = outcome(&reported(&plan, &entries), Style::PLAIN);
    assert!(text.contains("\nundone: release 41 was left as it was.\n"), "{text}");
}

#[test]
fn an_undo_that_failed_ends_with_the_command_to_run() {
    let plan = deploy();
    let mut entries = failed(&plan);
    let step = plan.steps[5].id.clone();
    let undo_error = vec!["cannot stop `blog-web-1`".to_owned(), "the engine does not answer".to_owned()];
    entries.push(Entry::Undoing { step: step.clone(), at: at(64.0) });
    let because_undo = undo_error.clone();
    entries.push(Entry::UndoFailed { step: step.clone(), at: at(65.0), because: because_undo, hint: None });
    let outcome_entry = Outcome::Stuck { step, because: because(), undo_error };
    entries.push(Entry::Ended { at: at(65.0), outcome: outcome_entry });
    let report = reported(&plan, &entries);
    assert_eq!((report.outcome, report.exit), (RunOutcome::Stuck, Exit::Stuck));
    let expected = "\
error: `web` did not become ready in 1m
  caused by: GET /healthz on web:8080: connection refused
error: cannot stop `blog-web-1`
  caused by: the engine does not answer
stuck: 0 steps were taken back, 6 were not. Neither state is whole: a person is needed.
seaworthy runs show k7 --step 6
";
    assert_eq!(outcome(&report, Style::PLAIN), expected);
}

#[test]
fn a_run_that_waits_for_a_person_ends_with_the_attest_command() {
    let plan = plan_of(Verb::Deploy, vec![person()]);
    let step = plan.steps[0].id.clone();
    let instruction = "enter the hostname in the console".to_owned();
    let entries = [
        Entry::Started { step: step.clone(), at: at(0.0) },
        Entry::Waiting { step, at: at(0.0), instruction },
    ];
    assert_eq!(lines(&plan, &entries), "  … person hostname          waits for a person\n");
    let report = reported(&plan, &entries);
    assert_eq!((report.outcome, report.exit), (RunOutcome::Waiting, Exit::Precondition));
    let expected = "\
waiting: enter the hostname in the console
seaworthy attest k7 --who NAME --proof TEXT
";
    assert_eq!(outcome(&report, Style::PLAIN), expected);
}

#[test]
fn nothing_to_do_is_no_failure() {
    let plan = plan_of(Verb::Deploy, Vec::new());
    let report = run_report(&plan, &Progress::default(), Told::default());
    assert_eq!((report.outcome, report.exit), (RunOutcome::Unchanged, Exit::Done));
    assert_eq!(outcome(&report, Style::PLAIN), "nothing to do: everything is as it should be\n");
}

#[test]
fn an_interrupted_run_says_how_to_go_on() {
    let plan = deploy();
    let report = reported(&plan, &done(&plan, &[2.1]));
    assert_eq!(report.outcome, RunOutcome::Unfinished);
    let expected = "the run was interrupted; the same verb takes it up again\nseaworthy deploy\n";
    assert_eq!(outcome(&report, Style::PLAIN), expected);
}

#[test]
fn what_the_engine_knows_to_do_comes_before_where_to_look() {
    let plan = deploy();
    let mut entries = undone(&plan);
    let hint = Some("host port 80 is held by nginx".to_owned());
    for entry in &mut entries {
        if let Entry::Failed { hint: none, .. } = entry {
            none.clone_from(&hint);
        }
    }
    let report = run_report(&plan, &fold(&plan, &entries), Told { run: Some("k7"), diagnostics: &[] });
    assert_eq!(
        (&report.diagnostics[0].hint, report.next.as_deref()),
        (&hint, Some("seaworthy runs show k7 --step 6"))
    );
    let text = outcome(&report, Style::PLAIN);
    let last = "hint: host port 80 is held by nginx\nseaworthy runs show k7 --step 6\n";
    assert!(text.ends_with(last), "{text}");
}
