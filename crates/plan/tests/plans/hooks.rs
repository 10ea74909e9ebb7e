//! Commands of the user's inside a container: after each start, before each stop.

use crate::{check, check_undo};

#[test]
fn a_replacement_runs_what_the_old_one_asked_for_before_its_stop_and_the_new_one_after_its_start() {
    check(
        "running: web=app:7(at start, at stop)
         shape: web=app:8(at start, at stop)",
        "pull app:8 — web needs it
         write release 2 — every deploy is kept whole, so that it can come back whole
         create web — image app:7 → app:8
         hook web — `pre_stop` of web asks for it
         ! stop web — image app:7 → app:8
         keep web
         name web
         start web
         hook web — `post_start` of web asks for it
         probe web — image app:7 → app:8
         watch 1 service — a release is good once it was healthy for 10s
         current release 2 — release 2 passed its probes
         good release 2
         ? remove web — its replacement is good",
    );
}

#[test]
fn taken_back_no_hook_of_a_stop_is_run_again_and_the_old_one_starts_as_it_always_does() {
    check_undo(
        "running: web=app:7(at start, at stop)
         shape: web=app:8(at start, at stop)",
        "create web < unmake container blog-web-1-next
         keep web < rename blog-web-1-was blog-web-1
         name web < rename blog-web-1 blog-web-1-next
         start web < stop blog-web-1, rename blog-web-1 blog-web-2-failed
         current release 2 < current Some(1)
         good release 2 < good Some(1)
         then web after stop-web: resume blog-web-1, post_start in blog-web-1, probe blog-web-1",
    );
}

#[test]
fn a_container_that_stands_still_is_past_its_stop() {
    check(
        "running: web=app:7(at start, at stop, stopped)",
        "start web — it is stopped (exit 0)
         hook web — `post_start` of web asks for it
         probe web — it is stopped (exit 0)
         watch 1 service — a release is good once it was healthy for 10s
         current release 1 — release 1 passed its probes
         good release 1",
    );
}

#[test]
fn a_restart_is_a_stop_and_a_start() {
    check(
        "running: db=pg:1 web=app:7(after db restart, at start, at stop)
         shape: db=pg:2 web=app:7(after db restart, at start, at stop)",
        "pull pg:2 — db needs it
         write release 2 — every deploy is kept whole, so that it can come back whole
         create db — image pg:1 → pg:2
         hook web — `pre_stop` of web asks for it
         ! stop web — db is replaced, and it is restarted with it
         ! stop db — image pg:1 → pg:2
         keep db
         name db
         start db
         probe db
         start web — db is replaced, and it is restarted with it
         hook web — `post_start` of web asks for it
         probe web — db is replaced, and it is restarted with it
         watch 2 services — a release is good once it was healthy for 10s
         current release 2 — release 2 passed its probes
         good release 2
         ? remove db — its replacement is good",
    );
}

#[test]
fn destroy_asks_for_the_last_time_and_waits_for_nobody() {
    check(
        "running: web=app:7(at stop)
         typed: blog
         verb: destroy",
        "? hook blog-web-1 — `blog` was typed
         ! stop blog-web-1
         remove blog-web-1
         remove blog_net
         current none
         good none",
    );
}
