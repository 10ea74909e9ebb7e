//! To a release: what is replaced, started or left alone, and the cause of each.

use plan::Action;
use stack::ProbeRole;

use crate::{check, world::World};

#[test]
fn a_first_deploy_makes_everything_and_asks_each_service_before_the_next() {
    check(
        "running: nothing
         shape: db=pg:1(volume) web=app:7(after db ready, port 8080)",
        "pull pg:1 — db needs it
         pull app:7 — web needs it
         network blog_net — db needs it
         volume blog_dbdata
         write release 1 — every deploy is kept whole, so that it can come back whole
         create db — it does not exist yet
         start db
         probe db
         create web
         start web
         probe web
         watch 2 services — a release is good once it was healthy for 10s
         current release 1 — release 1 passed its probes
         good release 1",
    );
}

#[test]
fn there_is_nothing_to_do_where_everything_is_as_it_should_be() {
    check(
        "running: db=pg:1(volume) web=app:7(after db ready)",
        "- db is as it should be
         - web is as it should be",
    );
}

#[test]
fn a_service_whose_image_changed_is_replaced_and_no_other() {
    check(
        "running: db=pg:1(volume) web=app:7(after db ready)
         shape: db=pg:1(volume) web=app:8(after db ready)",
        "pull app:8 — web needs it
         write release 2 — every deploy is kept whole, so that it can come back whole
         create web — image app:7 → app:8
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
fn an_image_that_is_on_the_host_is_not_pulled() {
    check(
        "running: web=app:7
         shape: web=app:8
         also: image app:8",
        "write release 2 — every deploy is kept whole, so that it can come back whole
         create web — image app:7 → app:8
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
fn an_image_is_always_pulled_where_the_file_says_so() {
    check(
        "running: web=app:7
         shape: web=app:8(pulled)
         also: image app:8",
        "pull app:8 — `pull_policy` of web is `always`
         write release 2 — every deploy is kept whole, so that it can come back whole
         create web — image app:7 → app:8
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
fn a_tag_that_names_another_image_now_is_deployed() {
    check(
        "running: web=app:latest
         also: image app:latest is another",
        "write release 2 — every deploy is kept whole, so that it can come back whole
         create web — `app:latest` names another image now
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
fn the_content_of_a_mounted_file_is_part_of_the_service() {
    check(
        "running: proxy=nginx:1(file nginx.conf=aaaa) web=app:7
         shape: proxy=nginx:1(file nginx.conf=bbbb) web=app:7",
        "write release 2 — every deploy is kept whole, so that it can come back whole
         create proxy — content of nginx.conf changed
         ! stop proxy
         keep proxy
         name proxy
         start proxy
         probe proxy
         watch 2 services — a release is good once it was healthy for 10s
         current release 2 — release 2 passed its probes
         good release 2
         ? remove proxy — its replacement is good
         - web is as it should be",
    );
}

#[test]
fn a_newer_secret_version_replaces_whoever_is_given_it() {
    check(
        "running: db=pg:1 web=app:7(secret session)
         store: session=2
         ran with: session=1",
        "write release 2 — every deploy is kept whole, so that it can come back whole
         create web — secret session v1 → v2
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
fn a_changed_variable_is_named_and_its_value_is_not() {
    check(
        "running: web=app:7(env LOG=info, env TOKEN=$s3cr3t)
         shape: web=app:7(env LOG=debug, env TOKEN=$0th3r)",
        "write release 2 — every deploy is kept whole, so that it can come back whole
         create web — environment LOG changed; environment TOKEN changed
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
fn a_service_that_left_or_joined_a_network_is_replaced() {
    check(
        "running: web=app:7
         shape: web=app:7(on net, on edge)",
        "network blog_edge — web needs it
         write release 2 — every deploy is kept whole, so that it can come back whole
         create web — its networks changed
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
fn a_container_that_was_stopped_by_hand_is_started_and_not_replaced() {
    check(
        "running: db=pg:1(volume) web=app:7(after db ready, stopped)",
        "         start web — it is stopped (exit 0)
         probe web
         watch 2 services — a release is good once it was healthy for 10s
         current release 1 — release 1 passed its probes
         good release 1
         - db is as it should be",
    );
}

#[test]
fn a_container_that_crashed_says_with_which_status() {
    check(
        "running: web=app:7(crashed)",
        "         start web — it is stopped (exit 137)
         probe web
         watch 1 service — a release is good once it was healthy for 10s
         current release 1 — release 1 passed its probes
         good release 1",
    );
}

#[test]
fn a_paused_container_is_started() {
    check(
        "running: web=app:7(paused)",
        "         start web — it is paused
         probe web
         watch 1 service — a release is good once it was healthy for 10s
         current release 1 — release 1 passed its probes
         good release 1",
    );
}

#[test]
fn a_restarting_container_is_left_to_its_restart_policy() {
    check(
        "running: web=app:7(restarting)",
        "- web is what it should be, and ends again and again: seaworthy logs",
    );
}

#[test]
fn a_container_that_somebody_else_made_is_replaced_by_ours() {
    check(
        "running: web=app:7(foreign)",
        "write release 2 — every deploy is kept whole, so that it can come back whole
         create web — it was not made by us
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
fn a_dead_container_is_replaced() {
    check(
        "running: web=app:7(dead)",
        "write release 2 — every deploy is kept whole, so that it can come back whole
         create web — the engine gave it up
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
fn an_orphan_is_told_and_never_removed() {
    check(
        "running: web=app:7 old=old:1
         shape: web=app:7",
        "write release 2 — every deploy is kept whole, so that it can come back whole
         watch 1 service — a release is good once it was healthy for 10s
         current release 2 — release 2 passed its probes
         good release 2
         - web is as it should be
         - `blog-old-1` belongs to no service of this shape: left alone (`docker rm -f blog-old-1` removes it)",
    );
}

#[test]
fn a_job_runs_to_its_end_before_whoever_waits_for_it() {
    check(
        "running: nothing
         shape: db=pg:1 migrate=migrate:1(after db ready) web=app:7(after migrate done)",
        "pull pg:1 — db needs it
         pull migrate:1 — migrate needs it
         pull app:7 — web needs it
         network blog_net — db needs it
         write release 1 — every deploy is kept whole, so that it can come back whole
         create db — it does not exist yet
         start db
         probe db
         create migrate
         start migrate
         wait migrate
         create web
         start web
         probe web
         watch 2 services — a release is good once it was healthy for 10s
         current release 1 — release 1 passed its probes
         good release 1",
    );
}

#[test]
fn a_job_that_has_run_is_not_run_again() {
    check(
        "running: db=pg:1 migrate=migrate:1(after db ready, ended) web=app:7(after migrate done)",
        "- db is as it should be
         - migrate has run to its end already
         - web is as it should be",
    );
}

#[test]
fn a_job_of_another_version_is_run_again() {
    check(
        "running: migrate=migrate:1(ended) web=app:7(after migrate done)
         shape: migrate=migrate:2 web=app:7(after migrate done)",
        "pull migrate:2 — migrate needs it
         write release 2 — every deploy is kept whole, so that it can come back whole
         create migrate — image migrate:1 → migrate:2
         ! stop migrate
         keep migrate
         name migrate
         start migrate
         wait migrate
         watch 1 service — a release is good once it was healthy for 10s
         current release 2 — release 2 passed its probes
         good release 2
         ? remove migrate — its replacement is good
         - web is as it should be",
    );
}

#[test]
fn a_key_store_is_unsealed_between_the_datastores_and_the_services() {
    check(
        "running: nothing
         shape: bao=bao:2(keys) db=pg:1(postgres) web=app:7(after bao, after db ready, approle app_keys)
         store: app_keys=1",
        "pull bao:2 — bao needs it
         pull pg:1 — db needs it
         pull app:7 — web needs it
         network blog_net — bao needs it
         volume blog_baodata
         volume blog_dbdata — db needs it
         write release 1 — every deploy is kept whole, so that it can come back whole
         create bao — it does not exist yet
         start bao
         api bao — a key store starts sealed
         unseal bao
         probe bao — it does not exist yet
         create db
         start db
         probe db
         create web
         start web
         probe web
         watch 3 services — a release is good once it was healthy for 10s
         current release 1 — release 1 passed its probes
         good release 1",
    );
}

#[test]
fn a_key_store_that_is_sealed_is_unsealed_and_nothing_else_is_touched() {
    check(
        "running: bao=bao:2(keys, sealed) web=app:7(after bao, approle app_keys)
         store: app_keys=1",
        "         api bao — a key store starts sealed
         unseal bao
         probe bao — it is sealed, or has not said that it is open
         watch 2 services — a release is good once it was healthy for 10s
         current release 1 — release 1 passed its probes
         good release 1
         - web is as it should be",
    );
}

#[test]
fn a_key_store_that_does_not_answer_yet_is_waited_for_and_unsealed() {
    check(
        "running: bao=bao:2(keys, unanswered) web=app:7(after bao, approle app_keys)
         store: app_keys=1",
        "         api bao — a key store starts sealed
         unseal bao
         probe bao — it is sealed, or has not said that it is open
         watch 2 services — a release is good once it was healthy for 10s
         current release 1 — release 1 passed its probes
         good release 1
         - web is as it should be",
    );
}

#[test]
fn what_a_stuck_run_set_aside_is_taken_back_first() {
    check(
        "running: db=pg:1(volume)
         also: blog-web-1-was of web
         shape: db=pg:1(volume) web=app:8",
        "pull app:8 — web needs it
         name blog-web-1 — an earlier run left it as `blog-web-1-was`
         write release 2 — every deploy is kept whole, so that it can come back whole
         create web — what it is made from changed
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
fn what_an_earlier_run_left_under_a_name_that_is_needed_is_removed_first_and_the_rest_last() {
    check(
        "running: db=pg:1(volume) web=app:7
         also: blog-web-1-next of web
         also: blog-web-1-was of web
         also: blog-db-1-was of db
         also: blog-web-2-failed of web
         also: blog-web-9-failed of web
         shape: db=pg:1(volume) web=app:8",
        "pull app:8 — web needs it
         clear web — an earlier run left `blog-web-1-next`
         clear web — an earlier run left `blog-web-1-was`
         clear web — an earlier run left `blog-web-2-failed`
         write release 2 — every deploy is kept whole, so that it can come back whole
         create web — image app:7 → app:8
         ! stop web
         keep web
         name web
         start web
         probe web
         watch 2 services — a release is good once it was healthy for 10s
         current release 2 — release 2 passed its probes
         good release 2
         ? remove web — its replacement is good
         ? remove db — a good release followed what an earlier run left
         ? remove web
         - db is as it should be",
    );
}

#[test]
fn what_is_left_of_an_earlier_run_is_told_where_there_is_nothing_to_do() {
    check(
        "running: web=app:7
         also: blog-web-1-was of web",
        "- web is as it should be
         - `blog-web-1-was` is left of an earlier run: the next release that is good removes it",
    );
}

#[test]
fn a_service_may_bear_a_name_that_looks_like_a_leftover() {
    check(
        "running: web=app:7 job=job:1(named nightly-failed)
         shape: web=app:8 job=job:1(named nightly-failed)",
        "pull app:8 — web needs it
         write release 2 — every deploy is kept whole, so that it can come back whole
         create web — image app:7 → app:8
         ! stop web
         keep web
         name web
         start web
         probe web
         watch 2 services — a release is good once it was healthy for 10s
         current release 2 — release 2 passed its probes
         good release 2
         ? remove web — its replacement is good
         - job is as it should be",
    );
}

#[test]
fn a_network_or_volume_of_others_is_used_and_not_made() {
    check(
        "running: nothing
         shape: web=app:7(external, on proxy of others)",
        "pull app:7 — web needs it
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
fn a_release_is_written_for_a_change_that_touches_no_container() {
    check(
        "running: web=app:7
         shape: web=app:7(probe)",
        "write release 2 — every deploy is kept whole, so that it can come back whole
         watch 1 service — a release is good once it was healthy for 10s
         current release 2 — release 2 passed its probes
         good release 2
         - web is as it should be",
    );
}

// shows: D43 D44 D45 D48
#[test]
fn a_slow_start_has_its_own_time_before_it_is_asked_whether_it_is_ready() {
    check(
        "running: nothing
         shape: web=app:7(probe startup, probe, probe live)",
        "pull app:7 — web needs it
         network blog_net
         write release 1 — every deploy is kept whole, so that it can come back whole
         create web — it does not exist yet
         start web
         startup web
         probe web
         watch 1 service — a release is good once it was healthy for 10s
         current release 1 — release 1 passed its probes
         good release 1",
    );
    let words = "running: nothing\nshape: web=app:7(probe startup, probe, probe live)";
    let planned = World::read(words).plan().expect("it plans");
    let asked: Vec<_> = planned
        .steps
        .iter()
        .filter_map(|step| match &step.action {
            Action::Probe { probes, deadline, .. } => Some((probes[0].role, deadline.as_secs())),
            Action::Watch { subjects, .. } => Some((subjects[0].2[0].role, 0)),
            _ => None,
        })
        .collect();
    assert_eq!(asked, [(ProbeRole::Startup, 150), (ProbeRole::Ready, 60), (ProbeRole::Live, 0)]);
}
