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
