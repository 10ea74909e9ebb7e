//! Which images are pulled or built, and when.

use crate::check;

const REPLACED: &str = "write release 2 — every deploy is kept whole, so that it can come back whole
         create web — `app:7` names another image now
         ! stop web
         keep web
         name web
         start web
         probe web
         watch 1 service — a release is good once it was healthy for 10s
         current release 2 — release 2 passed its probes
         good release 2
         ? remove web — its replacement is good";

#[test]
fn an_image_that_is_pulled_at_each_deploy_is_pulled_before_it_is_known_what_changes() {
    check(
        "running: web=app:7(pulled)",
        "pull app:7 — `pull_policy` of web is `always`
         - what comes of it for web is decided once it is here",
    );
}

#[test]
fn a_pull_that_brought_the_same_image_changes_nothing() {
    check(
        "stack: images fetched
         running: web=app:7(pulled)",
        "- web is as it should be",
    );
}

#[test]
fn a_pull_that_brought_another_image_replaces_whoever_uses_it() {
    check(
        "stack: images fetched
         running: web=app:7(pulled)
         also: image app:7 is another",
        REPLACED,
    );
}

#[test]
fn an_image_is_pulled_anew_once_it_is_as_old_as_the_file_says() {
    check(
        "running: web=app:7(daily)
         also: image app:7 fetched 2026-11-19T00:00:00Z",
        "pull app:7 — it was fetched at 2026-11-19T00:00:00Z, and web says how often that is done
         - what comes of it for web is decided once it is here",
    );
}

#[test]
fn an_image_that_is_younger_is_left_alone() {
    check(
        "running: web=app:7(daily)
         also: image app:7 fetched 2026-11-21T00:00:00Z",
        "- web is as it should be",
    );
}

#[test]
fn an_image_that_is_not_here_is_built_where_the_file_says_how() {
    check(
        "running: db=pg:1
         shape: db=pg:1 web=blog-web(built)",
        "build blog-web — web needs it
         write release 2 — every deploy is kept whole, so that it can come back whole
         create web — it does not exist yet
         start web
         probe web
         watch 2 services — a release is good once it was healthy for 10s
         current release 2 — release 2 passed its probes
         good release 2
         - db is as it should be",
    );
}

#[test]
fn an_image_that_was_built_is_not_built_again() {
    check("running: web=blog-web(built)", "- web is as it should be");
}

#[test]
fn an_image_is_built_at_each_deploy_where_the_file_says_so() {
    check(
        "running: web=blog-web(built anew)",
        "build blog-web — `pull_policy` of web is `build`
         - what comes of it for web is decided once it is here",
    );
}

#[test]
fn an_image_that_is_never_pulled_may_be_built() {
    check(
        "running: nothing
         shape: web=blog-web(built, never)",
        "build blog-web — web needs it
         network blog_net
         write release 1 — every deploy is kept whole, so that it can come back whole
         create web — it does not exist yet
         start web
         probe web
         watch 1 service — a release is good once it was healthy for 10s
         current release 1 — release 1 passed its probes
         good release 1",
    );
}

#[test]
fn an_image_that_is_never_pulled_has_to_be_here() {
    check(
        "running: nothing
         shape: web=app:7(never)",
        "exit 4
         error[image-absent]: `web` needs image `app:7`, which is not here and is never pulled; hint: build or load it, or take `pull_policy: never` out",
    );
}

const FIRST: &str = " — web needs it
         network blog_net
         write release 1 — every deploy is kept whole, so that it can come back whole
         create web — it does not exist yet
         start web
         probe web
         watch 1 service — a release is good once it was healthy for 10s
         current release 1 — release 1 passed its probes
         good release 1";

#[test]
fn an_image_that_an_archive_holds_is_loaded_before_anything_is_touched() {
    check(
        "running: nothing
         stack: archive of app:7 is waiting
         shape: web=app:7(archived)",
        &format!("load app:7{FIRST}"),
    );
}

#[test]
fn another_image_of_the_same_name_is_loaded_before_it_is_known_what_changes() {
    check(
        "stack: archive of app:7 is waiting
         running: web=app:7(archived)",
        "load app:7 — `/srv/blog/web.tar` holds another image of that name
         - what comes of it for web is decided once it is here",
    );
}

#[test]
fn an_archive_whose_image_is_loaded_changes_nothing() {
    check(
        "stack: archive of app:7 is loaded
         running: web=app:7(archived)",
        "- web is as it should be",
    );
}

#[test]
fn an_archive_that_gives_no_image_is_no_matter_while_the_image_is_here() {
    check(
        "stack: archive of app:7 is not there
         running: web=app:7(archived)",
        "- web is as it should be",
    );
}

#[test]
fn an_archive_that_gives_no_image_is_refused_where_the_image_is_needed() {
    check(
        "running: nothing
         stack: archive of app:7 is not there
         shape: web=app:7(archived)",
        "exit 4
         error[archive-unusable]: `web` needs image `app:7`, and `/srv/blog/web.tar` cannot give it; caused by: not there; hint: write it with `docker save -o /srv/blog/web.tar app:7`",
    );
}

#[test]
fn a_build_is_told_which_version_of_a_secret_it_is_given() {
    let plan = crate::world::World::read(
        "running: nothing
         store: token=1
         shape: web=blog-web(secret token, built-with token)",
    )
    .plan()
    .expect("it can be planned");
    let versions = plan.steps.iter().find_map(|step| match &step.action {
        plan::Action::Engine { effect: plan::Effect::BuildImage { secrets, .. } } => Some(secrets.clone()),
        _ => None,
    });
    assert_eq!(versions, Some([("token".into(), 1)].into()));
}
