//! A run while it runs, and how it ended.

use diag::Exit;
use plan::{Entry, Outcome, Plan, Progress, Verb};
use report::{
    RunOutcome, RunReport, Told, run_report,
    text::{Style, outcome, progress},
};

use crate::samples::{at, because, deploy, done, failed, fold, person, plan_of, undone};

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
        lines(&plan, &entries)
            .contains("  ✗ probe  web         1m 00s  `web` did not become ready in 60 s\n")
    );
    let report = reported(&plan, &entries);
    assert_eq!((report.outcome, report.exit), (RunOutcome::Undone, Exit::Findings));
    let expected = "\
error: `web` did not become ready in 60 s
  caused by: GET /healthz on web:8080: connection refused
undone: release 41 serves. The failed container is kept: blog-web-42-failed
hint: seaworthy runs show k7 --step 6
";
    assert_eq!(outcome(&report, Style::PLAIN), expected);
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
error: `web` did not become ready in 60 s
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
