//! One set: the order of its captures, and what is removed after it.

use crate::{check, world::World};

#[test]
fn a_set_takes_referrers_first_and_keys_last_between_two_lists_of_keys() {
    check(
        "running: bao=bao:2(keys) db=pg:1(postgres) notes=notes:1(sqlite)
         store: app_keys=1
         verb: backup",
        "check targets — a set that cannot be kept is not begun
         list bao — keys before the first capture
         capture db — `[state.db]` declares it
         capture notes — `[state.notes]` declares it
         canary bao — a restore must prove that these keys open this data
         capture bao — keys come last: none that the data needs can be missing
         list bao — no key may have gone in between
         capture release — losing the state directory must lose nothing
         commit 20261121T011447Z-7f3a91c2 — before this instant no set exists",
    );
}

#[test]
fn a_stack_without_a_key_store_needs_no_lists_and_no_canary() {
    check(
        "running: db=pg:1(postgres)
         verb: backup",
        "check targets — a set that cannot be kept is not begun
         capture db — `[state.db]` declares it
         capture release — losing the state directory must lose nothing
         commit 20261121T011447Z-7f3a91c2 — before this instant no set exists",
    );
}

#[test]
fn what_is_not_captured_is_told_with_its_reason() {
    check(
        "running: db=pg:1(postgres) cache=redis:7(discard it fills itself again)
         verb: backup",
        "check targets — a set that cannot be kept is not begun
         capture db — `[state.db]` declares it
         capture release — losing the state directory must lose nothing
         commit 20261121T011447Z-7f3a91c2 — before this instant no set exists
         - cache is not captured: it fills itself again",
    );
}

#[test]
fn only_whole_sets_beyond_those_to_keep_are_removed_and_after_the_commit() {
    check(
        "stack: keep 3, 4 sets kept
         running: db=pg:1(postgres)
         verb: backup",
        "check targets — a set that cannot be kept is not begun
         capture db — `[state.db]` declares it
         capture release — losing the state directory must lose nothing
         commit 20261121T011447Z-7f3a91c2 — before this instant no set exists
         ? prune set-2 (destroys set-2) — `[backup] keep` is 3
         ? prune set-1 (destroys set-1)",
    );
}

#[test]
fn no_set_is_removed_where_the_settings_do_not_say_how_many_to_keep() {
    check(
        "stack: 9 sets kept
         running: db=pg:1(postgres)
         verb: backup",
        "check targets — a set that cannot be kept is not begun
         capture db — `[state.db]` declares it
         capture release — losing the state directory must lose nothing
         commit 20261121T011447Z-7f3a91c2 — before this instant no set exists",
    );
}

#[test]
fn the_new_set_is_kept_however_few_are_to_be() {
    check(
        "stack: keep 0, 2 sets kept
         running: db=pg:1(postgres)
         verb: backup",
        "check targets — a set that cannot be kept is not begun
         capture db — `[state.db]` declares it
         capture release — losing the state directory must lose nothing
         commit 20261121T011447Z-7f3a91c2 — before this instant no set exists
         ? prune set-2 (destroys set-2) — `[backup] keep` is 0
         ? prune set-1 (destroys set-1)",
    );
}

#[test]
fn the_newest_proven_set_is_kept_however_old_it_is() {
    check(
        "stack: keep 2, 5 sets kept, proves set 1, proves set 2
         running: db=pg:1(postgres)
         verb: backup",
        "check targets — a set that cannot be kept is not begun
         capture db — `[state.db]` declares it
         capture release — losing the state directory must lose nothing
         commit 20261121T011447Z-7f3a91c2 — before this instant no set exists
         ? prune set-4 (destroys set-4) — `[backup] keep` is 2
         ? prune set-3 (destroys set-3)
         ? prune set-1 (destroys set-1)
         - set set-2 is kept: the newest that a drill or a restore proved",
    );
}

#[test]
fn a_proven_set_among_those_to_keep_needs_no_word() {
    check(
        "stack: keep 2, 3 sets kept, proves set 3, proves set 1
         running: db=pg:1(postgres)
         verb: backup",
        "check targets — a set that cannot be kept is not begun
         capture db — `[state.db]` declares it
         capture release — losing the state directory must lose nothing
         commit 20261121T011447Z-7f3a91c2 — before this instant no set exists
         ? prune set-2 (destroys set-2) — `[backup] keep` is 2
         ? prune set-1 (destroys set-1)",
    );
}

#[test]
fn the_newest_set_with_the_release_that_was_good_is_kept_where_another_one_runs() {
    check(
        "stack: keep 1, 3 sets kept, set 1 of release 1, set 2 of release 1, set 3 of release 2, proves set 1
         earlier: db=pg:1(postgres)
         running: db=pg:1(postgres)
         good: 1
         verb: backup",
        "check targets — a set that cannot be kept is not begun
         capture db — `[state.db]` declares it
         capture release — losing the state directory must lose nothing
         commit 20261121T011447Z-7f3a91c2 — before this instant no set exists
         ? prune set-3 (destroys set-3) — `[backup] keep` is 1
         - set set-2 is kept: the newest that holds release 1, the last good one
         - set set-1 is kept: the newest that a drill or a restore proved",
    );
}

#[test]
fn a_removal_that_was_cut_short_is_finished_whatever_is_to_be_kept() {
    check(
        "stack: 2 sets kept, set 9 half removed
         running: db=pg:1(postgres)
         verb: backup",
        "check targets — a set that cannot be kept is not begun
         capture db — `[state.db]` declares it
         capture release — losing the state directory must lose nothing
         commit 20261121T011447Z-7f3a91c2 — before this instant no set exists
         ? prune set-9 (destroys set-9) — its removal was begun: it has a grave and no manifest",
    );
}

#[test]
fn a_plan_permits_by_name_the_sets_that_it_removes_and_nothing_else() {
    let world = "stack: keep 2, 3 sets kept\nrunning: db=pg:1(postgres)\nverb: backup";
    let plan = World::read(world).plan().expect("it can be planned");
    assert_eq!(plan.permits, ["set-2", "set-1"]);
    assert!(plan.may_destroy("set-2"));
    assert!(!plan.may_destroy("set-3"));
}

#[test]
fn a_set_is_not_begun_where_something_is_missing() {
    check(
        "stack: production, no target
         running: bao=bao:2(keys, sealed) db=pg:1(postgres, stopped)
         store: app_keys=1
         verb: backup",
        "exit 4
         error[no-target]: `[backup] to` names no target; hint: to = [\"/mnt/backups\"]
         error[no-recipients]: `[backup] recipients` is empty, and this shape is marked production; hint: age-keygen -o identity.txt; keep it off this host, and put its public key into `recipients`
         error[sealed]: `bao` is sealed; hint: seaworthy deploy --shares FILE
         error[not-running]: `db` holds state and does not run; hint: seaworthy deploy",
    );
}

#[test]
fn keys_that_live_in_memory_are_told_before_anything_is_captured() {
    let expected = "exit 4
         error[keys-without-snapshot]: `bao` runs in development mode, and no set can hold its keys; hint: seaworthy explain keys-without-snapshot";
    check(
        "running: bao=bao:2(keys, forgetful) db=pg:1(postgres)
         store: app_keys=1
         verb: backup",
        expected,
    );
    // Before it was asked, its token says it.
    check(
        "running: bao=bao:2(keys for development, env TOKEN=root, unanswered) db=pg:1(postgres)
         store: app_keys=1
         verb: backup",
        expected,
    );
}

#[test]
fn a_store_for_development_that_can_be_captured_is_captured() {
    let world = "running: bao=bao:2(keys for development, env TOKEN=root) db=pg:1(postgres)
         store: app_keys=1
         verb: backup";
    assert!(World::read(world).plan().is_ok());
}

#[test]
fn a_stack_that_declares_no_state_has_nothing_to_back_up() {
    check(
        "running: web=app:7
         verb: backup",
        "exit 4
         error[nothing-to-back-up]: no service is declared to hold state; hint: write a `[state.NAME]` table for each service that holds data",
    );
}
