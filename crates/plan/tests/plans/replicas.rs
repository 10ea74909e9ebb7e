//! Several containers of one service: made, replaced one after the other, and fewer only once the release is good.

use crate::{check, check_undo};

#[test]
fn a_scaled_service_is_made_one_container_after_the_other() {
    check(
        "running: nothing
         shape: web=app:7(scaled 2)",
        "pull app:7 — web needs it
         network blog_net
         write release 1 — every deploy is kept whole, so that it can come back whole
         create web 1 — it does not exist yet
         start web 1
         probe web 1
         create web 2
         start web 2
         probe web 2
         watch 1 service — a release is good once it was healthy for 10s
         current release 1 — release 1 passed its probes
         good release 1",
    );
}

#[test]
fn each_container_of_a_scaled_service_is_compared() {
    check(
        "running: web=app:7(scaled 2)",
        "- web 1 is as it should be
         - web 2 is as it should be",
    );
}

#[test]
fn a_scaled_service_is_replaced_one_container_after_the_other() {
    check(
        "running: web=app:7(scaled 2)
         shape: web=app:8(scaled 2)",
        "pull app:8 — web needs it
         write release 2 — every deploy is kept whole, so that it can come back whole
         create web 1 — image app:7 → app:8
         ! stop web 1
         keep web 1
         name web 1
         start web 1
         probe web 1
         create web 2
         ! stop web 2
         keep web 2
         name web 2
         start web 2
         probe web 2
         watch 1 service — a release is good once it was healthy for 10s
         current release 2 — release 2 passed its probes
         good release 2
         ? remove web 1 — its replacement is good
         ? remove web 2",
    );
}

#[test]
fn scaling_up_adds_to_what_runs() {
    check(
        "running: web=app:7
         shape: web=app:7(scaled 3)",
        "write release 2 — every deploy is kept whole, so that it can come back whole
         create web 2 — it does not exist yet
         start web 2
         probe web 2
         create web 3
         start web 3
         probe web 3
         watch 1 service — a release is good once it was healthy for 10s
         current release 2 — release 2 passed its probes
         good release 2
         - web 1 is as it should be",
    );
}

#[test]
fn scaling_down_removes_the_highest_numbers_once_the_release_is_good() {
    check(
        "running: web=app:7(scaled 3)
         shape: web=app:7",
        "write release 2 — every deploy is kept whole, so that it can come back whole
         watch 1 service — a release is good once it was healthy for 10s
         current release 2 — release 2 passed its probes
         good release 2
         ? stop web 3 — web is scaled to 1
         ? remove web 3
         ? stop web 2
         ? remove web 2
         - web is as it should be",
    );
}

#[test]
fn a_service_scaled_to_nothing_has_no_container_and_is_not_watched() {
    check(
        "running: db=pg:1 web=app:7
         shape: db=pg:1 web=app:7(scaled 0)",
        "write release 2 — every deploy is kept whole, so that it can come back whole
         watch 1 service — a release is good once it was healthy for 10s
         current release 2 — release 2 passed its probes
         good release 2
         ? stop web 1 — web is scaled to 0
         ? remove web 1
         - db is as it should be",
    );
}

#[test]
fn what_only_one_can_have_is_refused_before_anything_is_touched() {
    check(
        "running: nothing
         shape: web=app:7(scaled 2, named front) api=app:7(scaled 2, port 8080) in=app:7(scaled 2, on net at 10.9.0.2)",
        "exit 4
         error[cannot-scale]: `api` is scaled to 2, and host port 8080 can be held by one only; hint: scale it to 1, or take that out
         error[cannot-scale]: `in` is scaled to 2, and address 10.9.0.2 can be given to one only; hint: scale it to 1, or take that out
         error[cannot-scale]: `web` is scaled to 2, and `container_name: front` can be given to one only; hint: scale it to 1, or take that out",
    );
}

#[test]
fn a_restore_in_place_brings_back_as_many_and_a_drill_one() {
    check(
        "running: nothing
         shape: db=pg:1(postgres) web=app:7(scaled 2)
         verb: restore",
        "verify set-1 — red before any data moves
         restore secrets — set set-1 holds it
         restore release
         pull pg:1 — db needs it
         pull app:7 — web needs it
         network blog_net — db needs it
         volume blog_dbdata
         create db — set set-1 holds it
         start db
         probe db
         restore db
         create web 1
         start web 1
         probe web 1
         create web 2
         start web 2
         probe web 2
         watch 2 services — a release is good once it was healthy for 10s
         current release 1 — the restored stack answers
         good release 1
         ? evidence set-1 — what was proven is kept, signed",
    );
}

#[test]
fn a_container_whose_name_changes_is_replaced_under_its_new_one() {
    check_undo(
        "running: web=app:7
         shape: web=app:7(named front)",
        "create web < unmake container front-next
         keep web < rename front-was blog-web-1
         name web < rename front front-next
         start web < stop front, rename front blog-web-2-failed
         current release 2 < current Some(1)
         good release 2 < good Some(1)
         then web after stop-web: resume blog-web-1, probe blog-web-1",
    );
}

#[test]
fn each_failed_container_of_a_scaled_service_is_kept_under_a_name_of_its_own() {
    check_undo(
        "running: nothing
         shape: web=app:7(scaled 2)",
        "network blog_net < unmake network blog_net
         create web 1 < unmake container blog-web-1
         start web 1 < stop blog-web-1, rename blog-web-1 blog-web-1-failed
         create web 2 < unmake container blog-web-2
         start web 2 < stop blog-web-2, rename blog-web-2 blog-web-1-2-failed
         current release 1 < current None
         good release 1 < good None",
    );
}

#[test]
fn destroy_takes_all_of_them() {
    check(
        "running: web=app:7(scaled 2)
         typed: blog
         verb: destroy",
        "! stop blog-web-1 — `blog` was typed
         remove blog-web-1
         ! stop blog-web-2
         remove blog-web-2
         remove blog_net
         current none
         good none",
    );
}
