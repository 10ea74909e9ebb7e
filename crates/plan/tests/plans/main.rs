//! What each verb decides, as tables: a world in words on the left, the plan in words on the right.

mod adoption;
mod backup;
mod bootstrap;
mod control;
mod dependencies;
mod deploy;
mod destroy;
mod determinism;
mod doctor;
mod evidence;
mod hooks;
mod images;
mod journal;
mod lint;
mod refusals;
mod replicas;
mod restore;
mod rollback;
mod saved;
mod spec;
mod take_up;
mod text;
mod told;
mod undo;
mod volumes;
mod world;

/// Plans the verb of `world` and compares the plan, or the refusal, with `expected`. Indentation does not count.
#[track_caller]
fn check(world: &str, expected: &str) {
    let planned = world::World::read(world).plan();
    if let Ok(plan) = &planned {
        assert_eq!(plan::lint(plan), Vec::<String>::new(), "the plan is sound");
    }
    compare(&text::of(planned), expected);
}

/// As [`check`], but each step that can be taken back with what takes it back, in the order in which that is done.
#[track_caller]
fn check_undo(world: &str, expected: &str) {
    let plan = world::World::read(world).plan().expect("it can be planned");
    compare(&text::undos(&plan), expected);
}

#[track_caller]
fn compare(found: &str, expected: &str) {
    assert!(found == dedent(expected), "planned\n{found}and not\n{}", dedent(expected));
}

fn dedent(text: &str) -> String {
    let lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
    lines.map(|line| format!("{line}\n")).collect()
}
