//! What a drill proved, as tables: a stack in words and how far its drill came on the left, the evidence on the right.

use std::fmt::Write;

use plan::{
    Action, Entry, Output, Plan, ProbeSeen, Progress, RestorePart, SetContents, Step,
    proof::{Evidence, Gap, Goal, Ladder},
};

use crate::{compare, world::World};

/// A database, its keys, an application and what migrates it: each of them can answer.
const WHOLE: &str = "running: bao=bao:2(keys) db=pg:1(postgres) move=app:7(after db ready) \
    web=app:7(after move done, after bao, probe)";

#[test]
fn a_drill_of_the_whole_stack_proves_keys_data_and_application() {
    proves(
        WHOLE,
        "level L4
         canary blog decrypts
         table events 7 of 7
         asked GET / on web",
    );
}

#[test]
fn a_restore_proves_its_set_as_a_drill_does() {
    let world = World::read(&format!("{WHOLE}\nverb: restore"));
    let plan = world.plan().expect("it can be planned");
    compare(
        &in_words(&after(&plan, &world.set(), is_evidence)),
        "level L4
         canary blog decrypts
         table events 7 of 7
         asked GET / on web",
    );
}

#[test]
fn a_drill_that_leaves_the_key_store_out_claims_no_canary_and_does_not_prove_the_set() {
    proves(
        &format!("{WHOLE}\nstack: drills db"),
        "level L2, which is no proof
         not proven: the canary of `blog` was not decrypted
         not proven: `bao.zst.age` was not brought back
         not proven: `bao` was not started
         not proven: `move` was not started
         not proven: `web` was not started
         table events 7 of 7",
    );
}

#[test]
fn a_drill_that_leaves_data_out_does_not_prove_the_set() {
    proves(
        &format!("{WHOLE}\nstack: drills bao"),
        "level L2, which is no proof
         not proven: `db.zst.age` was not brought back
         not proven: `db` was not started
         not proven: `move` was not started
         not proven: `web` was not started
         canary blog decrypts",
    );
}

#[test]
fn keys_and_data_without_the_application_are_a_proof_of_the_set_and_not_of_the_stack() {
    proves(
        &format!("{WHOLE}\nstack: drills bao, drills db"),
        "level L3
         not proven: `move` was not started
         not proven: `web` was not started
         canary blog decrypts
         table events 7 of 7",
    );
}

#[test]
fn that_a_service_runs_is_no_answer() {
    proves(
        "running: notes=notes:1(sqlite) web=app:7",
        "level L3
         not proven: `notes` ran, and has no probe or health check to answer
         not proven: `web` ran, and has no probe or health check to answer
         table notes 7 of 7",
    );
    proves(
        "running: notes=notes:1(sqlite, checked) web=app:7(unchecked)",
        "level L3
         not proven: `web` ran, and has no probe or health check to answer
         table notes 7 of 7",
    );
    proves("running: notes=notes:1(sqlite, checked)", "level L4\ntable notes 7 of 7");
}

#[test]
fn only_what_the_journal_tells_is_claimed() {
    let (plan, set) = drill(WHOLE);
    let part = |wanted: fn(&RestorePart) -> bool| move |step: &Step| matches!(&step.action, Action::Restore { part, .. } if wanted(part));
    compare(
        &in_words(&after(&plan, &set, part(|part| matches!(part, RestorePart::Canaries { .. })))),
        "level L2, which is no proof
         not proven: the canary of `blog` was not decrypted
         not proven: `db.zst.age` was not brought back
         not proven: `bao` ran, and has no probe or health check to answer
         not proven: `db` was not started
         not proven: `move` was not started
         not proven: `web` was not started",
    );
    compare(
        &in_words(&after(&plan, &set, |step| step.id.0 == "probe-web")),
        "level L3
         not proven: `web` ran, and has no probe or health check to answer
         canary blog decrypts
         table events 7 of 7",
    );
}

#[test]
fn a_table_that_came_back_with_other_rows_is_no_proof() {
    let (plan, mut set) = drill(WHOLE);
    set.manifest.objects.iter_mut().for_each(|object| {
        object.counts.values_mut().for_each(|rows| *rows += 1);
    });
    let evidence = after(&plan, &set, is_evidence);
    assert_eq!((evidence.level, evidence.proves()), (Ladder::L2, false));
}

#[test]
fn evidence_is_the_same_whenever_it_is_made_again() {
    let (plan, set) = drill(WHOLE);
    let before = after(&plan, &set, is_evidence);
    assert_eq!(before, after(&plan, &set, |_| false), "and what is removed later is no part of it");
    assert_eq!(before.recovery_ms, 1000 * (plan.steps.iter().position(is_evidence).unwrap() as u64 * 2 - 1));
}

#[test]
fn a_plan_that_does_not_say_what_the_whole_is_is_proven_up_to_the_data() {
    let (mut plan, set) = drill(WHOLE);
    for step in &mut plan.steps {
        if let Action::WriteEvidence { goal, .. } = &mut step.action {
            *goal = Goal::default();
        }
    }
    assert_eq!(after(&plan, &set, |_| false).level, Ladder::L3);
}

#[test]
fn a_run_that_verified_nothing_has_no_evidence() {
    let (plan, _) = drill(WHOLE);
    assert_eq!(plan::evidence(&plan, &Progress::default()), None);
}

#[track_caller]
fn proves(world: &str, expected: &str) {
    let (plan, set) = drill(world);
    compare(&in_words(&after(&plan, &set, is_evidence)), expected);
}

fn drill(world: &str) -> (Plan, SetContents) {
    let world = World::read(&format!("{world}\nverb: drill"));
    (world.plan().expect("it can be planned"), world.set())
}

fn is_evidence(step: &Step) -> bool {
    matches!(step.action, Action::WriteEvidence { .. })
}

/// The evidence of a drill whose steps all went well until one that `stop` picks; each took a second.
fn after(plan: &Plan, set: &SetContents, stop: impl Fn(&Step) -> bool) -> Evidence {
    let mut progress = Progress::default();
    let mut now = plan.made_at;
    let mut tick = || {
        now += jiff::SignedDuration::from_secs(1);
        now
    };
    for step in plan.steps.iter().take_while(|step| !stop(step)) {
        let started = Entry::Started { step: step.id.clone(), at: tick() };
        progress.take(plan, &started).expect("possible");
        let done = Entry::Succeeded { step: step.id.clone(), at: tick(), output: output(step, set) };
        progress.take(plan, &done).expect("possible");
    }
    plan::evidence(plan, &progress).expect("a set was verified")
}

fn output(step: &Step, set: &SetContents) -> Output {
    match &step.action {
        Action::VerifySet { .. } => Output::Manifest {
            manifest: Box::new(set.manifest.clone()),
            sha256: "of it".to_owned(),
            target: "/mnt/backups".to_owned(),
        },
        Action::Restore { part: RestorePart::Canaries { .. }, .. } => {
            Output::Canaries { canaries: set.manifest.canaries.clone() }
        }
        Action::Restore { service, part: RestorePart::State { .. }, .. } => {
            let table = if service.as_str() == "notes" { "notes" } else { "events" };
            Output::Restored { counts: [(table.to_owned(), 7)].into(), heartbeat: None }
        }
        Action::Probe { service, probes, .. } => {
            let seen = |_| ProbeSeen {
                probe: format!("GET / on {service}"),
                saw: "200".to_owned(),
                degraded: false,
            };
            Output::Probed { seen: probes.iter().map(seen).collect(), attempts: 1 }
        }
        _ => Output::None,
    }
}

fn in_words(evidence: &Evidence) -> String {
    let mut text = format!("level {:?}", evidence.level);
    text.push_str(if evidence.proves() { "\n" } else { ", which is no proof\n" });
    for gap in &evidence.not_proven {
        let _ = writeln!(text, "not proven: {gap}");
    }
    for canary in &evidence.canaries {
        let _ =
            writeln!(text, "canary {} {}", canary.key, if canary.decrypts { "decrypts" } else { "is dead" });
    }
    for count in &evidence.counts {
        let rows = |rows: Option<u64>| rows.map_or_else(|| "none".to_owned(), |rows| rows.to_string());
        let _ = writeln!(text, "table {} {} of {}", count.table, rows(count.restored), rows(count.captured));
    }
    for probe in &evidence.probes {
        let _ = writeln!(text, "asked {}", probe.probe);
    }
    text
}

#[test]
fn a_gap_is_kept_in_the_paper_by_its_kind() {
    let gap = Gap::Canary { key: "atrest".to_owned() };
    assert_eq!(serde_json::to_string(&gap).unwrap(), r#"{"gap":"canary","key":"atrest"}"#);
}
