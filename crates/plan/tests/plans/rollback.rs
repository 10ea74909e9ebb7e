//! Back to a release that was good: all of it, or none.

use plan::{Action, Effect};

use crate::{check, text, world::World};

#[test]
fn a_rollback_brings_back_image_content_environment_and_secret_versions_together() {
    check(
        "earlier: web=app:6(file app.conf=aaaa, env MODE=old, secret session)
         running: web=app:7(file app.conf=bbbb, env MODE=new, secret session)
         store: session=1
         verb: rollback",
        "pull app:6 — web needs it
         create web — image app:7 → app:6; environment MODE changed; content of app.conf changed
         ! stop web
         keep web
         name web
         start web
         probe web
         watch 1 service — a release is good once it was healthy for 10s
         current release 1 — release 1 passed its probes
         good release 1
         ? remove web — its replacement is good",
    );
}

#[test]
fn a_rollback_goes_to_the_release_that_is_named() {
    check(
        "earlier: web=app:5
         earlier: web=app:6
         running: web=app:7
         verb: rollback to 1",
        "pull app:5 — web needs it
         create web — image app:7 → app:5
         ! stop web
         keep web
         name web
         start web
         probe web
         watch 1 service — a release is good once it was healthy for 10s
         current release 1 — release 1 passed its probes
         good release 1
         ? remove web — its replacement is good",
    );
}

#[test]
fn a_rollback_passes_over_a_release_that_was_never_good() {
    check(
        "earlier: web=app:5
         tried: web=app:6
         running: web=app:7
         verb: rollback",
        "pull app:5 — web needs it
         create web — image app:7 → app:5
         ! stop web
         keep web
         name web
         start web
         probe web
         watch 1 service — a release is good once it was healthy for 10s
         current release 1 — release 1 passed its probes
         good release 1
         ? remove web — its replacement is good",
    );
}

#[test]
fn a_release_that_was_never_good_is_not_gone_back_to_by_its_number_either() {
    check(
        "earlier: web=app:5
         tried: web=app:6
         running: web=app:7
         verb: rollback to 2",
        "exit 4
         error[no-such-release]: release 2 was never good; hint: releases that were good: 1, 3",
    );
}

#[test]
fn a_rollback_from_the_first_release_has_nowhere_to_go() {
    check(
        "running: web=app:7
         verb: rollback",
        "exit 4
         error[no-such-release]: there is no earlier release to go back to; hint: releases that were good: 1",
    );
}

#[test]
fn a_rollback_to_a_release_that_does_not_exist_names_those_that_do() {
    check(
        "earlier: web=app:6
         running: web=app:7
         verb: rollback to 9",
        "exit 4
         error[no-such-release]: there is no release 9 to go back to; hint: releases that were good: 1, 2",
    );
}

#[test]
fn a_rollback_to_itself_does_nothing() {
    check(
        "running: web=app:7
         verb: rollback to 1",
        "- web is as it should be",
    );
}

#[test]
fn a_rollback_to_itself_starts_what_stands_still() {
    check(
        "running: web=app:7(stopped)
         verb: rollback to 1",
        "start web — it is stopped (exit 0)
         probe web
         watch 1 service — a release is good once it was healthy for 10s
         current release 1 — release 1 passed its probes
         good release 1",
    );
}

#[test]
fn a_rollback_tells_of_a_service_that_the_older_release_did_not_have() {
    check(
        "earlier: web=app:6
         running: web=app:7 cache=redis:7
         verb: rollback",
        "pull app:6 — web needs it
         create web — image app:7 → app:6
         ! stop web
         keep web
         name web
         start web
         probe web
         watch 1 service — a release is good once it was healthy for 10s
         current release 1 — release 1 passed its probes
         good release 1
         ? remove web — its replacement is good
         - `blog-cache-1` belongs to no service of this shape: left alone (`docker rm -f blog-cache-1` removes it)",
    );
}

/// A release made from `app:7` as it was, and a tag that names another image since.
fn a_tag_that_moved() -> (World, plan::Plan) {
    let mut world = World::read("verb: rollback\nearlier: web=app:7\nrunning: web=app:8\nshape: web=app:8");
    let kept = plan::ImageKept { id: "sha256:old".to_owned(), pulled_as: Some("app@sha256:0ld".to_owned()) };
    world.facts.releases[0].images.insert("app:7".to_owned(), kept);
    let now = plan::ImageSeen { id: "sha256:new".to_owned(), ..plan::ImageSeen::default() };
    world.facts.images.insert("app:7".to_owned(), now);
    let plan = world.plan().expect("it can be planned");
    (world, plan)
}

#[test]
fn a_release_comes_back_from_the_very_image_it_was_made_from() {
    let (_, plan) = a_tag_that_moved();
    let effects: Vec<&Effect> = plan
        .steps
        .iter()
        .filter_map(|step| match &step.action {
            Action::Engine { effect } => Some(effect),
            _ => None,
        })
        .collect();
    let Effect::EnsureImage { image, id, .. } = effects[0] else { panic!("{:?}", effects[0]) };
    assert_eq!((image.as_str(), id.as_deref()), ("app@sha256:0ld", Some("sha256:old")));
    let made = effects.iter().find_map(|effect| match effect {
        Effect::Create { container } => Some(container),
        _ => None,
    });
    assert_eq!(made.expect("web is made anew").image(), "sha256:old");
}

#[test]
fn once_it_is_back_it_is_as_it_should_be_and_a_deploy_takes_what_the_tag_names_now() {
    let (mut world, plan) = a_tag_that_moved();
    let made = plan.steps.iter().find_map(|step| match &step.action {
        Action::Engine { effect: Effect::Create { container } } => Some(container.as_ref().clone()),
        _ => None,
    });
    let made = made.expect("web is made anew");
    let web = world.facts.containers.iter_mut().find(|seen| seen.service.as_str() == "web").expect("web");
    web.image_id = made.image_id.clone().expect("the very image");
    web.identity = made.identity.clone();
    web.release = Some(1);
    world.facts.current = Some(1);
    let back = plan::rollback(Some(1), &world.facts, &world.policy).expect("it can be planned");
    assert!(back.is_empty(), "{}", text::of(Ok(back)));
    let shape = world.facts.releases[0].shape.clone();
    let deploy = plan::deploy(&shape, &world.facts, &world.policy).expect("it can be planned");
    assert!(text::of(Ok(deploy)).contains("create web — `app:7` names another image now"));
}
