//! Stacks that `docker compose` started: taken over as they run, and what somebody changed by hand is seen.

use crate::{check, check_undo};

#[test]
fn a_stack_that_is_what_its_files_say_is_adopted_and_nothing_is_recreated() {
    check(
        "composed: db=pg:1(volume, composed) web=app:7(after db ready, composed)",
        "write release 1 — adopted: nothing recreated
         watch 2 services — a release is good once it was healthy for 10s
         current release 1 — release 1 passed its probes
         good release 1
         - db is adopted as it runs
         - web is adopted as it runs",
    );
}

#[test]
fn an_adopted_stack_has_nothing_to_do() {
    check(
        "running: db=pg:1(volume, composed) web=app:7(after db ready, composed)",
        "- db is as it should be
         - web is as it should be",
    );
}

#[test]
fn only_what_the_files_say_otherwise_is_replaced() {
    check(
        "composed: db=pg:1(volume, composed) web=app:7(composed)
         shape: db=pg:1(volume) web=app:8",
        "pull app:8 — web needs it
         write release 1 — every deploy is kept whole, so that it can come back whole
         create web — `docker compose` made it from other settings
         ! stop web
         keep web
         name web
         start web
         probe web
         watch 2 services — a release is good once it was healthy for 10s
         current release 1 — release 1 passed its probes
         good release 1
         ? remove web — its replacement is good
         - db is adopted as it runs",
    );
}

#[test]
fn after_the_adoption_a_change_is_named_as_of_any_other_service() {
    check(
        "running: db=pg:1(volume, composed) web=app:7(env LOG=info, composed)
         shape: db=pg:1(volume) web=app:7(env LOG=debug)",
        "write release 2 — every deploy is kept whole, so that it can come back whole
         create web — environment LOG changed
         ! stop web
         keep web
         name web
         start web
         probe web
         watch 2 services — a release is good once it was healthy for 10s
         current release 2 — release 2 passed its probes
         good release 2
         ? remove web — its replacement is good
         - db is as it should be",
    );
}

#[test]
fn the_content_of_a_mounted_file_counts_from_the_adoption_on() {
    check(
        "running: proxy=nginx:1(file nginx.conf=aaaa, composed)
         shape: proxy=nginx:1(file nginx.conf=bbbb)",
        "write release 2 — every deploy is kept whole, so that it can come back whole
         create proxy — content of nginx.conf changed
         ! stop proxy
         keep proxy
         name proxy
         start proxy
         probe proxy
         watch 1 service — a release is good once it was healthy for 10s
         current release 2 — release 2 passed its probes
         good release 2
         ? remove proxy — its replacement is good",
    );
}

#[test]
fn a_replaced_container_of_compose_is_taken_back_as_it_was() {
    check_undo(
        "composed: web=app:7(composed)
         shape: web=app:8",
        "create web < unmake container blog-web-1-next
         keep web < rename blog-web-1-was blog-web-1
         name web < rename blog-web-1 blog-web-1-next
         start web < stop blog-web-1, rename blog-web-1 blog-web-1-failed
         current release 1 < current None
         good release 1 < good None
         then web after stop-web: resume blog-web-1, probe blog-web-1",
    );
}

#[test]
fn an_adopted_container_that_was_stopped_by_hand_is_started() {
    check(
        "running: web=app:7(composed, stopped)",
        "start web — it is stopped (exit 0)
         probe web
         watch 1 service — a release is good once it was healthy for 10s
         current release 1 — release 1 passed its probes
         good release 1",
    );
}

#[test]
fn an_orphan_of_an_adopted_stack_is_told_and_never_removed() {
    check(
        "composed: web=app:7(composed)
         also: blog-old-1 of old",
        "write release 1 — adopted: nothing recreated
         watch 1 service — a release is good once it was healthy for 10s
         current release 1 — release 1 passed its probes
         good release 1
         - web is adopted as it runs
         - `blog-old-1` belongs to no service of this shape: left alone (`docker rm -f blog-old-1` removes it)",
    );
}

#[test]
fn a_container_that_was_taken_off_its_network_is_replaced() {
    check(
        "running: web=app:7(off net)",
        "write release 2 — every deploy is kept whole, so that it can come back whole
         create web — it was taken off network `blog_net`
         ! stop web
         keep web
         name web
         start web
         probe web
         watch 1 service — a release is good once it was healthy for 10s
         current release 2 — release 2 passed its probes
         good release 2
         ? remove web — its replacement is good",
    );
}

#[test]
fn a_network_that_somebody_added_is_told() {
    check(
        "running: web=app:7(beside other_net)",
        "- web is as it should be; it was put on network `other_net`",
    );
}

#[test]
fn a_restart_policy_that_was_changed_by_hand_is_changed_back_without_a_stop() {
    check(
        "running: web=app:7(told to restart)",
        "policy web — its restart policy was changed by hand: `always`, and not `no`
         watch 1 service — a release is good once it was healthy for 10s
         current release 1 — release 1 passed its probes
         good release 1",
    );
}

#[test]
fn a_limit_that_was_changed_by_hand_is_undone_by_a_replacement() {
    check(
        "running: web=app:7(told 64)",
        "write release 2 — every deploy is kept whole, so that it can come back whole
         create web — its memory limit was changed by hand: 64 bytes, and not none
         ! stop web
         keep web
         name web
         start web
         probe web
         watch 1 service — a release is good once it was healthy for 10s
         current release 2 — release 2 passed its probes
         good release 2
         ? remove web — its replacement is good",
    );
}
