//! What a change of one service asks of those that depend on it, share with it, or are linked to it.

use crate::{check, check_undo};

#[test]
fn a_service_that_asks_for_it_stands_still_while_what_it_depends_on_is_replaced() {
    check(
        "running: db=pg:1 web=app:7(after db ready restart)
         shape: db=pg:2 web=app:7(after db ready restart)",
        "pull pg:2 — db needs it
         write release 2 — every deploy is kept whole, so that it can come back whole
         create db — image pg:1 → pg:2
         ! stop web — db is replaced, and it is restarted with it
         ! stop db — image pg:1 → pg:2
         keep db
         name db
         start db
         probe db
         start web — db is replaced, and it is restarted with it
         probe web
         watch 2 services — a release is good once it was healthy for 10s
         current release 2 — release 2 passed its probes
         good release 2
         ? remove db — its replacement is good",
    );
}

#[test]
fn taken_back_it_is_started_only_once_what_it_depends_on_runs_again() {
    check_undo(
        "running: db=pg:1 web=app:7(after db ready restart)
         shape: db=pg:2 web=app:7(after db ready restart)",
        "create db < unmake container blog-db-1-next
         keep db < rename blog-db-1-was blog-db-1
         name db < rename blog-db-1 blog-db-1-next
         start db < stop blog-db-1, rename blog-db-1 blog-db-2-failed
         start web < stop blog-web-1
         current release 2 < current Some(1)
         good release 2 < good Some(1)
         then db after stop-db: resume blog-db-1, probe blog-db-1
         then web after stop-web: resume blog-web-1, probe blog-web-1",
    );
}

#[test]
fn a_service_that_does_not_ask_for_it_is_left_alone() {
    check(
        "running: db=pg:1 web=app:7(after db ready)
         shape: db=pg:2 web=app:7(after db ready)",
        "pull pg:2 — db needs it
         write release 2 — every deploy is kept whole, so that it can come back whole
         create db — image pg:1 → pg:2
         ! stop db
         keep db
         name db
         start db
         probe db
         watch 2 services — a release is good once it was healthy for 10s
         current release 2 — release 2 passed its probes
         good release 2
         ? remove db — its replacement is good
         - web is as it should be",
    );
}

#[test]
fn a_service_in_the_network_of_another_is_replaced_with_it() {
    check(
        "running: vpn=vpn:1 app=app:7(in vpn)
         shape: vpn=vpn:2 app=app:7(in vpn)",
        "pull vpn:2 — vpn needs it
         write release 2 — every deploy is kept whole, so that it can come back whole
         create vpn — image vpn:1 → vpn:2
         ! stop app — vpn, whose namespace it shares, is replaced
         ! stop vpn — image vpn:1 → vpn:2
         keep vpn
         name vpn
         start vpn
         probe vpn
         create app — vpn, whose namespace it shares, is replaced
         keep app
         name app
         start app
         probe app
         watch 2 services — a release is good once it was healthy for 10s
         current release 2 — release 2 passed its probes
         good release 2
         ? remove vpn — its replacement is good
         ? remove app",
    );
}

#[test]
fn a_service_in_the_network_of_one_that_stood_still_is_started_again_with_it() {
    check(
        "running: vpn=vpn:1(stopped) app=app:7(in vpn)",
        "start vpn — it is stopped (exit 0)
         probe vpn
         ! stop app — vpn, whose namespace it shares, is started
         start app
         probe app
         watch 2 services — a release is good once it was healthy for 10s
         current release 1 — release 1 passed its probes
         good release 1",
    );
}

#[test]
fn what_shares_with_a_service_comes_after_it_whatever_it_is_called() {
    check(
        "running: nothing
         shape: a=app:7(linked b) b=app:7(with c) c=app:7(in d) d=app:7",
        "pull app:7 — d needs it
         network blog_net
         write release 1 — every deploy is kept whole, so that it can come back whole
         create d — it does not exist yet
         start d
         probe d
         create c
         start c
         probe c
         create b
         start b
         probe b
         create a
         start a
         probe a
         watch 4 services — a release is good once it was healthy for 10s
         current release 1 — release 1 passed its probes
         good release 1",
    );
}

#[test]
fn a_service_that_mounts_the_volumes_of_another_is_replaced_with_it_and_need_not_stand_still() {
    check(
        "running: db=pg:1 tools=app:7(with db)
         shape: db=pg:2 tools=app:7(with db)",
        "pull pg:2 — db needs it
         write release 2 — every deploy is kept whole, so that it can come back whole
         create db — image pg:1 → pg:2
         ! stop db
         keep db
         name db
         start db
         probe db
         create tools — db, whose volumes it mounts, is replaced
         ! stop tools
         keep tools
         name tools
         start tools
         probe tools
         watch 2 services — a release is good once it was healthy for 10s
         current release 2 — release 2 passed its probes
         good release 2
         ? remove db — its replacement is good
         ? remove tools",
    );
}

#[test]
fn a_dependency_that_may_be_missing_may_be_missing() {
    check(
        "running: nothing
         shape: web=app:7(after cache maybe)",
        "pull app:7 — web needs it
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
fn a_job_that_nobody_needs_may_fail() {
    check(
        "running: nothing
         shape: seed=seed:1 web=app:7(after seed done maybe)",
        "pull seed:1 — seed needs it
         pull app:7 — web needs it
         network blog_net — seed needs it
         write release 1 — every deploy is kept whole, so that it can come back whole
         create seed — it does not exist yet
         start seed
         ? wait seed
         create web
         start web
         probe web
         watch 1 service — a release is good once it was healthy for 10s
         current release 1 — release 1 passed its probes
         good release 1",
    );
}
