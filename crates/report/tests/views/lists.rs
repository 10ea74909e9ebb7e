//! Lists: runs, sets, a live stack and what it answered.

use diag::{Diagnostic, Exit};
use plan::{Record, SetSeen, set::SetId};
use report::{
    Asked, BackupsReport, RunsReport, Said, ServiceStatus, SetLine, StatusReport, UnreadRun, ValidateReport,
    run_line, text, text::Style,
};

use crate::samples::{at, deploy, fold, undone};

#[test]
fn runs_stand_in_columns() {
    let plan = deploy();
    let entries = undone(&plan);
    let line = run_line(&Record::of("k7", &plan, &entries, &fold(&plan, &entries)));
    let text = text::runs(&RunsReport::new("blog", [Ok(line)]));
    assert_eq!(text, "k7  deploy  2026-11-21 10:00Z  undone  5/7 steps  release 42\n");
    let unread = UnreadRun {
        run: "k6".to_owned(),
        because: vec!["`journal` is damaged".to_owned(), "line 3".to_owned()],
    };
    let text = text::runs(&RunsReport::new("blog", [Err(unread)]));
    assert_eq!(text, "k6  cannot be read: `journal` is damaged: line 3\n");
    assert_eq!(text::runs(&RunsReport::new("blog", [])), "`blog` has no runs yet\n");
}

#[test]
fn sets_say_how_old_they_are_and_whether_anybody_proved_them() {
    let set = SetLine {
        set: "20261121T011447Z-7f3a91c2".to_owned(),
        target: "/mnt/backups".to_owned(),
        point: at(-28_800.0),
        sequence: 3,
        bytes: 1_468_006,
        proven_at: None,
    };
    let report = BackupsReport {
        schema: "seaworthy.backups/1",
        stack: "blog".to_owned(),
        seen_at: at(0.0),
        sets: vec![set],
        incomplete: Vec::new(),
    };
    let expected = "20261121T011447Z-7f3a91c2  #3  8h old  1.4 MiB  never proven  /mnt/backups\n";
    assert_eq!(text::backups(&report), expected);
}

#[test]
fn a_set_that_one_target_lacks_is_told_with_what_completes_it() {
    let seen = |id: &str, target: &str, sequence| SetSeen {
        id: SetId(id.to_owned()),
        target: target.to_owned(),
        point: at(-60.0),
        bytes: 1024,
        sequence,
        release: None,
        proven_at: None,
    };
    let targets = ["/mnt/a".to_owned(), "/mnt/b".to_owned()];
    let sets = [seen("s2", "/mnt/a", 2), seen("s1", "/mnt/a", 1), seen("s1", "/mnt/b", 1)];
    let report = BackupsReport::new("blog", at(0.0), &targets, &sets);
    let expected = "\
s2  #2  1m old  1.0 KiB  never proven  /mnt/a
s1  #1  1m old  1.0 KiB  never proven  /mnt/a
s1  #1  1m old  1.0 KiB  never proven  /mnt/b
set s2 is not on `/mnt/b`: cp -a /mnt/a/blog/sets/s2 /mnt/b/blog/sets/
";
    assert_eq!(text::backups(&report), expected);
    let one = BackupsReport::new("blog", at(0.0), &targets[..1], &sets[..2]);
    assert_eq!(one.incomplete, []);
}

#[test]
fn a_stack_is_shown_service_by_service() {
    let service = |name: &str, state: &str, well| ServiceStatus {
        service: name.to_owned(),
        container: None,
        state: state.to_owned(),
        well,
        degraded: false,
        saw: None,
        release: well.then_some(42),
        ports: if well { vec!["0.0.0.0:80→80".to_owned()] } else { Vec::new() },
    };
    let report = StatusReport {
        schema: "seaworthy.status/1",
        stack: "blog".to_owned(),
        shape: "local".to_owned(),
        engine: "docker 20.10".to_owned(),
        seen_at: at(0.0),
        current: Some(42),
        good: Some(41),
        services: vec![service("db", "absent", false), service("web", "running, healthy", true)],
        others: vec!["blog-web-42-failed".to_owned()],
        drift: vec!["`web` is attached to `blog_edge`, and its file does not say so".to_owned()],
        newest_set: Some(("20261121T011447Z-7f3a91c2".to_owned(), at(-60.0))),
        unfinished_run: None,
    };
    let expected = "\
blog · local · release 42 · docker 20.10
  ✗ db   absent
  ✓ web  running, healthy  release 42  0.0.0.0:80→80
  · blog-web-42-failed  belongs to no service of this shape
  ✗ `web` is attached to `blog_edge`, and its file does not say so
newest set: 20261121T011447Z-7f3a91c2, 1m old
last good: release 41
";
    assert_eq!(text::status(&report, Style::PLAIN), expected);
}

#[test]
fn a_live_stack_answers_where_it_must_and_nowhere_else() {
    let asked = |question: &str, must_answer, saw: &str, passed| Asked {
        question: question.to_owned(),
        must_answer,
        saw: saw.to_owned(),
        passed,
        degraded: false,
    };
    let drift = Diagnostic::error("attached-elsewhere", "`db` is attached to `blog_edge`");
    let report = ValidateReport {
        schema: "seaworthy.validate/1",
        stack: "blog".to_owned(),
        shape: "local".to_owned(),
        exit: Exit::Findings,
        asked: vec![
            asked("GET /healthz on web:8080", true, "200", true),
            asked("5432 of db from network blog_edge", false, "connected to 10.0.0.3", false),
        ],
        drift: vec![Said::from(&drift)],
        not_asked: Vec::new(),
    };
    let expected = "\
must answer
  ✓ GET /healthz on web:8080: 200
must not answer
  ✗ 5432 of db from network blog_edge: connected to 10.0.0.3
error: `db` is attached to `blog_edge`
2 questions, 1 answer wrong · 1 difference
";
    assert_eq!(text::validate(&report, Style::PLAIN), expected);
}
