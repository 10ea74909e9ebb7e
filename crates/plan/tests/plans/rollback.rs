//! Back to a release that was good: all of it, or none.

use crate::check;

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
