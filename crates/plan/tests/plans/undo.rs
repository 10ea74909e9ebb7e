//! What takes each step back, in the order in which that is done.

use crate::{check_undo, compare, text, world::World};

#[test]
fn a_replacement_ends_with_the_very_container_that_ran_and_keeps_the_failed_one() {
    check_undo(
        "running: web=app:7
         shape: web=app:8",
        "create web < unmake container blog-web-1-next
         keep web < rename blog-web-1-was blog-web-1
         name web < rename blog-web-1 blog-web-1-next
         start web < stop blog-web-1, rename blog-web-1 blog-web-2-failed
         current release 2 < current Some(1)
         good release 2 < good Some(1)
         then web after stop-web: resume blog-web-1, probe blog-web-1",
    );
}

/// What is brought back, of all that takes a plan back.
#[track_caller]
fn check_revivals(world: &str, expected: &str) {
    let plan = World::read(world).plan().expect("it can be planned");
    let text = text::undos(&plan);
    let revivals: String =
        text.lines().filter_map(|line| line.strip_prefix("then ")).map(|line| format!("{line}\n")).collect();
    compare(&revivals, expected);
}

#[test]
fn what_was_stopped_is_brought_back_after_what_it_needs_and_each_is_asked() {
    check_revivals(
        "running: app=app:7(after db ready) db=pg:1(volume) proxy=nginx:1(after app) other=other:1
         shape: app=app:8(after db ready) db=pg:2(volume) proxy=nginx:2(after app) other=other:1",
        "db after stop-db: resume blog-db-1, probe blog-db-1
         app after stop-app: resume blog-app-1, probe blog-app-1
         proxy after stop-proxy: resume blog-proxy-1, probe blog-proxy-1",
    );
}

#[test]
fn the_order_is_that_of_the_release_that_ran() {
    check_revivals(
        "running: app=app:7(after db ready) db=pg:1(volume)
         shape: app=app:8 db=pg:2(volume, after app)",
        "db after stop-db: resume blog-db-1, probe blog-db-1
         app after stop-app: resume blog-app-1, probe blog-app-1",
    );
}

#[test]
fn whoever_needs_what_was_stopped_and_ran_on_is_asked_too() {
    check_revivals(
        "running: app=app:7(after db ready) db=pg:1(volume) proxy=nginx:1(after app) sick=app:7(after db ready, stopped)
         shape: app=app:7(after db ready) db=pg:2(volume) proxy=nginx:1(after app) sick=app:7(after db ready)",
        "db after stop-db: resume blog-db-1, probe blog-db-1
         app after stop-db: probe blog-app-1
         proxy after stop-db: probe blog-proxy-1",
    );
}

#[test]
fn a_key_store_that_was_stopped_is_unsealed_before_anybody_is_asked() {
    check_revivals(
        "running: bao=bao:2(keys) web=app:7(after bao ready)
         shape: bao=bao:3(keys) web=app:8(after bao ready)",
        "bao after stop-bao: resume blog-bao-1, api blog-bao-1, unseal blog-bao-1, probe blog-bao-1
         web after stop-web: resume blog-web-1, probe blog-web-1",
    );
}

#[test]
fn a_job_that_was_running_is_started_again_and_not_asked() {
    check_revivals(
        "running: migrate=migrate:1 web=app:7(after migrate done)
         shape: migrate=migrate:2 web=app:7(after migrate done)",
        "migrate after stop-migrate: resume blog-migrate-1
         web after stop-migrate: probe blog-web-1",
    );
}

#[test]
fn a_first_deploy_keeps_its_volumes_and_removes_its_networks() {
    check_undo(
        "running: nothing
         shape: db=pg:1(volume)",
        "network blog_net < unmake network blog_net
         create db < unmake container blog-db-1
         start db < stop blog-db-1, rename blog-db-1 blog-db-1-failed
         current release 1 < current None
         good release 1 < good None",
    );
}

#[test]
fn a_container_that_did_not_run_is_not_started_by_taking_it_back() {
    check_undo(
        "running: migrate=migrate:1(ended) web=app:7(after migrate done)
         shape: migrate=migrate:2 web=app:7(after migrate done)",
        "create migrate < unmake container blog-migrate-1-next
         keep migrate < rename blog-migrate-1-was blog-migrate-1
         name migrate < rename blog-migrate-1 blog-migrate-1-next
         start migrate < stop blog-migrate-1, rename blog-migrate-1 blog-migrate-2-failed
         current release 2 < current Some(1)
         good release 2 < good Some(1)",
    );
}

#[test]
fn a_backup_abandons_the_set_it_began() {
    check_undo(
        "running: db=pg:1(postgres)
         verb: backup",
        "check targets < abandon the set",
    );
}

#[test]
fn a_restore_takes_back_the_volumes_it_made() {
    check_undo(
        "running: nothing
         shape: db=pg:1(postgres)
         verb: restore",
        "network blog_net < unmake network blog_net
         volume blog_dbdata < unmake volume blog_dbdata
         create db < unmake container blog-db-1
         start db < stop blog-db-1
         current release 1 < current None
         good release 1 < good None",
    );
}

#[test]
fn a_drill_takes_back_all_of_its_throwaway() {
    check_undo(
        "running: db=pg:1(postgres)
         verb: drill",
        "restore secrets < forget blog-drill-7f3a91c2
         network blog-drill-7f3a91c2_net < unmake network blog-drill-7f3a91c2_net
         volume blog-drill-7f3a91c2_dbdata < unmake volume blog-drill-7f3a91c2_dbdata
         create db < unmake container blog-drill-7f3a91c2-db-1
         start db < stop blog-drill-7f3a91c2-db-1",
    );
}

#[test]
fn a_destroy_takes_nothing_back() {
    check_undo(
        "running: web=app:7
         typed: blog
         verb: destroy",
        "",
    );
}
