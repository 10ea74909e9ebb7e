//! A plan on paper is carried out while it is what would be done, and refused once anything that mattered is another.

use diag::Exit;
use jiff::ToSpan as _;
use plan::{SavedPlan, Verb};
use stack::EngineKind;

use crate::world::World;

const RUNNING: &str = "running: web=app:7, db=pg:16\nshape: web=app:8, db=pg:16";

fn saved(world: &World) -> SavedPlan {
    SavedPlan::new(world.plan().expect("it can be planned"), &world.facts, &world.policy)
}

/// What it is refused with in another world; `None`: it is carried out.
fn refused(saved: &SavedPlan, world: &mut World) -> Option<Vec<String>> {
    world.policy.seed = saved.seed;
    let now = world.plan().expect("it can be planned");
    let stop = saved.refuse_if_stale(&now, &world.facts, &world.policy).err()?;
    assert_eq!(stop.exit, Exit::Stale);
    Some(stop.diagnostics[0].causes.clone())
}

/// What changes in between, and what is said of it; nothing: it did not matter.
type Between = (&'static str, fn(&mut World), &'static [&'static str]);

const BETWEEN: [Between; 10] = [
    ("nothing", |_| {}, &[]),
    ("an hour passes", |world| world.policy.now += 1.hours(), &[]),
    (
        "somebody listens on a port that is not ours",
        |world| {
            world.facts.host.ports_held.insert(9, "inetd".to_owned());
        },
        &[],
    ),
    (
        "the file says another image",
        |world| {
            let mut other = World::read("running: web=app:7, db=pg:16\nshape: web=app:9, db=pg:16");
            std::mem::swap(&mut other.shape, &mut world.shape);
        },
        &["`pull-app-8-` would not be done any more", "`pull-app-9-` would be done too: "],
    ),
    (
        "the file says another variable",
        |world| {
            let web = world.shape.services.values_mut().next_back().expect("web");
            web.environment.insert("MODE".to_owned(), Some(stack::Text::literal("slow")));
        },
        &["`create-web` differs in `container.settings.environment.MODE`"],
    ),
    (
        "a container dies",
        |world| world.facts.containers.retain(|seen| seen.service.as_str() != "db"),
        &["`create-db` would be done too: it does not exist"],
    ),
    (
        "another tool",
        |world| world.policy.tool = "9.9.9".to_owned(),
        &["it was planned by version test, and this is 9.9.9"],
    ),
    ("another host", |world| world.facts.host.name = "elsewhere".to_owned(), &["the host was `"]),
    (
        "another engine",
        |world| world.facts.host.api = Some("1.52".to_owned()),
        &["the API of the engine was `"],
    ),
    (
        "a state directory elsewhere",
        |world| {
            world.policy.state_dir = "/elsewhere".to_owned();
            world.facts.containers.iter_mut().for_each(|seen| seen.state_dir = Some("/elsewhere".to_owned()));
        },
        &["the state directory was `"],
    ),
];

#[test]
fn it_is_refused_where_what_mattered_is_another_and_only_there() {
    for (between, change, told) in BETWEEN {
        let paper = saved(&World::read(RUNNING));
        let mut world = World::read(RUNNING);
        change(&mut world);
        let causes = refused(&paper, &mut world).unwrap_or_default();
        assert_eq!(causes.is_empty(), told.is_empty(), "{between}: {causes:#?}");
        for wanted in told {
            assert!(
                causes.iter().any(|cause| cause.starts_with(wanted)),
                "{between}: {wanted} in {causes:#?}"
            );
        }
    }
}

#[test]
fn what_was_done_already_is_not_done_twice() {
    let paper = saved(&World::read(RUNNING));
    let mut done = World::read("running: web=app:8, db=pg:16\nshape: web=app:8, db=pg:16");
    let causes = refused(&paper, &mut done).expect("stale");
    assert_eq!(causes.last().map(String::as_str), Some("nothing would be done"), "{causes:#?}");
}

#[test]
fn it_comes_back_from_its_file_as_it_was() {
    let paper = saved(&World::read(RUNNING));
    let text = serde_json::to_vec(&paper).expect("JSON");
    assert_eq!(SavedPlan::read("p.json", &text), Ok(paper));
}

#[test]
fn two_of_the_same_made_at_other_times_do_not_differ() {
    let one = saved(&World::read(RUNNING));
    let mut world = World::read(RUNNING);
    world.policy.seed = plan::Seed { at: world.policy.now + 1.hours(), random: [1, 2, 3, 4] };
    let other = saved(&world);
    assert_ne!(one, other);
    assert_eq!(one.differences(&other), Vec::<String>::new());
}

#[test]
fn what_is_no_plan_file_is_refused_by_its_name() {
    let unsound = {
        let mut paper = saved(&World::read(RUNNING));
        paper.plan.steps[0].because.clear();
        serde_json::to_vec(&paper).expect("JSON")
    };
    let table: [(&[u8], &str); 5] = [
        (b"", "`p.json` is no plan file: EOF while parsing a value at line 1 column 0"),
        (b"{}", "`p.json` is no plan file: it has no `schema`"),
        (
            br#"{"schema": "seaworthy.plan-file/9"}"#,
            "`p.json` is no plan file: its schema is `seaworthy.plan-file/9`, not `seaworthy.plan-file/1`",
        ),
        (br#"{"schema": "seaworthy.plan-file/1"}"#, "`p.json` is no plan file: missing field `on`"),
        (&unsound, "the plan in `p.json` is not sound: `pull-app-8-` has no cause"),
    ];
    for (text, told) in table {
        let said = SavedPlan::read("p.json", text).expect_err("no plan");
        assert_eq!(format!("{}: {}", said.message, said.causes.join("; ")), told);
    }
}

#[test]
fn it_is_carried_out_by_its_own_verb() {
    let paper = saved(&World::read(RUNNING));
    assert!(paper.refuse_as(Verb::Deploy).is_ok());
    assert_eq!(paper.refuse_as(Verb::Rollback).expect_err("another verb").exit, Exit::Usage);
    assert_eq!(paper.on.engine, EngineKind::Docker);
}
