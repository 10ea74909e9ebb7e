//! A deploy that replaces `web`, and the journals it may have.

use std::time::Duration;

use plan::{
    Action, Effect, Entry, Interrupted, Outcome, Output, PLAN_SCHEMA, Plan, Progress, Revival, Step, StepId,
    Verb,
};
use stack::{Restart, StackName};

/// `seconds` after the plan was made.
pub(crate) fn at(seconds: f64) -> jiff::Timestamp {
    let start = "2026-11-21T10:00:00Z".parse::<jiff::Timestamp>().expect("a timestamp");
    start + jiff::SignedDuration::from_millis((seconds * 1000.0) as i64)
}

/// One step.
pub(crate) fn step(kind: &str, subject: &str, because: &str, action: Action) -> Step {
    Step {
        id: StepId(format!("{kind}-{subject}").replace([' ', ':'], "-")),
        kind: kind.to_owned(),
        subject: subject.to_owned(),
        after: Vec::new(),
        action,
        because: vec![because.to_owned()],
        undo: Vec::new(),
        impact: false,
        forgiving: false,
        destroys: None,
    }
}

fn engine(effect: Effect) -> Action {
    Action::Engine { effect }
}

fn rename(from: &str, to: &str) -> Action {
    engine(Effect::Rename { from: from.to_owned(), to: to.to_owned() })
}

/// A plan of `verb` with these steps.
pub(crate) fn plan_of(verb: Verb, steps: Vec<Step>) -> Plan {
    Plan {
        schema: PLAN_SCHEMA.to_owned(),
        verb,
        stack: StackName::from("blog"),
        project: StackName::from("blog"),
        shape: "local".to_owned(),
        made_at: at(0.0),
        tool: "0.1.0".to_owned(),
        release: None,
        from: Some(41),
        set: None,
        steps,
        revivals: Vec::new(),
        not_done: Vec::new(),
        interrupted: Interrupted::Continues,
        again: false,
        permits: Vec::new(),
    }
}

/// Release 42 from 41: `web` is replaced, stop first.
pub(crate) fn deploy() -> Plan {
    let because = "image `web:1` is now `web:2`";
    let web = "blog-web-1".to_owned();
    let pull =
        engine(Effect::EnsureImage { image: "web:2".to_owned(), platform: None, always: false, id: None });
    let stop = engine(Effect::Stop { container: web.clone(), grace: None });
    let start = engine(Effect::Start { container: web.clone() });
    let probe = Action::Probe {
        service: "web".into(),
        container: web.clone(),
        probes: Vec::new(),
        deadline: Duration::from_secs(60),
    };
    let mut steps = vec![
        step("pull", "web:2", "web needs it", pull),
        step("create", "web", because, start.clone()),
        step("stop", "web", because, stop.clone()),
        step("keep", "web", because, rename("blog-web-1", "blog-web-1-was")),
        step("start", "web", because, start.clone()),
        step("probe", "web", because, probe),
        step("good", "release 42", "release 42 passed its probes", Action::PointGood { number: Some(42) }),
    ];
    steps[2].impact = true;
    steps[4].undo = vec![stop, rename("blog-web-1", "blog-web-42-failed")];
    let mut plan = plan_of(Verb::Deploy, steps);
    plan.release = Some(42);
    let resume = engine(Effect::Resume { container: web.clone(), restart: Restart::Always });
    let actions = vec![resume, plan.steps[5].action.clone()];
    plan.revivals =
        vec![Revival { service: "web".into(), after_any: vec![plan.steps[2].id.clone()], actions }];
    plan.not_done = vec!["db is as it should be".to_owned()];
    plan
}

/// The journal of a run that did `seconds.len()` steps, each taking so long.
pub(crate) fn done(plan: &Plan, seconds: &[f64]) -> Vec<Entry> {
    let mut entries = vec![Entry::Began { at: at(0.0), epoch: None }];
    let mut now = 0.0;
    for (step, took) in plan.steps.iter().zip(seconds) {
        entries.push(Entry::Started { step: step.id.clone(), at: at(now) });
        now += took;
        let output = match step.kind.as_str() {
            "pull" => Output::Image { id: "sha256:9bc2d1aa00ff11ee22".to_owned() },
            "probe" => Output::Probed { seen: Vec::new(), attempts: 3 },
            _ => Output::None,
        };
        entries.push(Entry::Succeeded { step: step.id.clone(), at: at(now), output });
    }
    entries
}

/// The journal of a deploy whose probe failed and that was taken back, until what ran before is asked.
pub(crate) fn taken_back(plan: &Plan) -> Vec<Entry> {
    let mut entries = failed(plan);
    for step in plan.steps[..6].iter().rev() {
        entries.push(Entry::Undoing { step: step.id.clone(), at: at(70.0) });
        entries.push(Entry::Undone { step: step.id.clone(), at: at(70.0) });
    }
    entries.push(Entry::Reviving { service: "web".into(), at: at(70.0) });
    entries
}

/// The same, and what ran before answers again.
pub(crate) fn undone(plan: &Plan) -> Vec<Entry> {
    let mut entries = taken_back(plan);
    let output = Output::Probed { seen: Vec::new(), attempts: 2 };
    entries.push(Entry::Revived { service: "web".into(), at: at(71.0), output });
    let outcome = Outcome::Undone { step: Some(plan.steps[5].id.clone()), because: because() };
    entries.push(Entry::Ended { at: at(71.0), outcome });
    entries
}

/// The same, until the probe failed.
pub(crate) fn failed(plan: &Plan) -> Vec<Entry> {
    let mut entries = done(plan, &[2.1, 0.2, 0.4, 0.0, 0.3]);
    let probe = plan.steps[5].id.clone();
    entries.push(Entry::Started { step: probe.clone(), at: at(3.0) });
    entries.push(Entry::Failed { step: probe, at: at(63.0), because: because(), hint: None });
    entries
}

/// Why the probe failed.
pub(crate) fn because() -> Vec<String> {
    let causes = ["`web` did not become ready in 1m", "GET /healthz on web:8080: connection refused"];
    causes.map(ToOwned::to_owned).into()
}

/// Folds a journal.
pub(crate) fn fold(plan: &Plan, entries: &[Entry]) -> Progress {
    Progress::fold(plan, entries).expect("the journal fits the plan")
}

/// A step for a person.
pub(crate) fn person() -> Step {
    let action = Action::Person {
        control: "kettle".to_owned(),
        owner: "operator".to_owned(),
        instruction: "enter the hostname in the console".to_owned(),
        done_when: "the hostname resolves".to_owned(),
        holds: None,
    };
    step("person", "hostname", "the console has no API", action)
}
