//! What an unwinding stopped it starts again, dependencies first, and asks.

use plan::{Action, Effect, Outcome, Plan};
use stack::{ServiceName, Shape};
use testkit::{
    Behaviour, ModelHost,
    blog::{blog, policy},
};

use crate::{scene::Scene, subjects::running};

/// Another db and another web, and the new web never answers.
fn bad_upgrade() -> (ModelHost, Shape) {
    let mut host = running().with_image("pg:17");
    host.behave("app:2", Behaviour::NeverReady);
    let mut shape = blog(2);
    shape.services.get_mut(&ServiceName::from("db")).expect("it has one").image = "pg:17".to_owned();
    (host, shape)
}

fn planned(host: &ModelHost, shape: &Shape) -> Plan {
    let facts = host.observe();
    plan::deploy(shape, &facts, &policy(&facts)).expect("it can be planned")
}

/// What was done to containers that ran before, once the new web had been given up.
fn revived(scene: &Scene) -> Vec<String> {
    let given_up = scene.actions.iter().rposition(|action| match action {
        Action::Engine { effect: Effect::Rename { to, .. } } => to.ends_with("-failed"),
        _ => false,
    });
    let done =
        scene.actions[given_up.expect("it is kept to look at")..].iter().filter_map(|action| match action {
            Action::Engine { effect: Effect::Resume { container, .. } } => Some(format!("start {container}")),
            Action::Probe { container, .. } => Some(format!("ask {container}")),
            _ => None,
        });
    done.collect()
}

#[test]
fn what_ran_is_started_again_after_what_it_needs_and_asked() {
    let (host, shape) = bad_upgrade();
    let mut scene = Scene::new(&host, &planned(&host, &shape));
    let outcome = scene.finish();
    assert!(matches!(outcome, Outcome::Undone { .. }), "{outcome:?}");
    assert_eq!(revived(&scene), ["start blog-db-1", "ask blog-db-1", "start blog-web-1", "ask blog-web-1"]);
    assert_eq!(scene.host.observe().current, Some(1));
}

#[test]
fn a_release_that_does_not_answer_again_is_no_clean_undo() {
    let (mut host, shape) = bad_upgrade();
    let plan = planned(&host, &shape);
    // It runs on until it is stopped, and never answers after that.
    host.behave("pg:16", Behaviour::NeverReady);
    let mut scene = Scene::new(&host, &plan);
    let outcome = scene.finish();
    let Outcome::Stuck { undo_error, .. } = &outcome else { panic!("{outcome:?}") };
    assert_eq!(*undo_error, ["`db` did not become ready: connection refused"]);
    // Web is started and asked all the same: what can serve does.
    assert_eq!(revived(&scene).last().map(String::as_str), Some("ask blog-web-1"));
    assert_eq!(scene.last_line(), "seaworthy logs db");
}
