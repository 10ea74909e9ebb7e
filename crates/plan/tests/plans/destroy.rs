//! The end of a stack: refused where it is live or its name was not typed.

use crate::check;

#[test]
fn a_destroy_removes_the_stack_from_the_edge_to_the_datastores_and_keeps_its_volumes() {
    check(
        "running: db=pg:1(postgres) web=app:7(after db ready)
         typed: blog
         verb: destroy",
        "! stop blog-web-1 — `blog` was typed
         remove blog-web-1
         ! stop blog-db-1
         remove blog-db-1
         remove blog_net
         current none
         good none
         - volume `blog_dbdata` is kept (`--volumes` removes it)",
    );
}

#[test]
fn volumes_are_destroyed_where_they_were_asked_for_and_each_is_named() {
    check(
        "running: db=pg:1(postgres) web=app:7(after db ready)
         typed: blog
         verb: destroy --volumes",
        "! stop blog-web-1 — `blog` was typed
         remove blog-web-1
         ! stop blog-db-1
         remove blog-db-1
         remove blog_net
         remove blog_dbdata (destroys blog_dbdata)
         current none
         good none",
    );
}

#[test]
fn an_orphan_goes_with_its_stack() {
    check(
        "running: web=app:7
         also: blog-old-1 of old
         typed: blog
         verb: destroy",
        "! stop blog-web-1 — `blog` was typed
         remove blog-web-1
         ! stop blog-old-1
         remove blog-old-1
         remove blog_net
         current none
         good none",
    );
}

#[test]
fn a_live_stack_is_not_destroyed() {
    check(
        "stack: live
         running: web=app:7
         typed: blog
         verb: destroy --volumes",
        "exit 4
         error[live]: `blog` is marked live: it is not destroyed; hint: set `[stack] live = false` first, and mean it",
    );
}

#[test]
fn nothing_is_destroyed_unless_the_stacks_name_was_typed() {
    check(
        "running: web=app:7
         verb: destroy",
        "exit 4
         error[not-confirmed]: the stack's name was not typed; hint: seaworthy destroy --confirm blog",
    );
}

#[test]
fn another_stacks_name_destroys_nothing() {
    check(
        "running: web=app:7
         typed: blob
         verb: destroy",
        "exit 4
         error[not-confirmed]: the stack's name was not typed; hint: seaworthy destroy --confirm blog",
    );
}

#[test]
fn what_is_not_ours_survives() {
    check(
        "running: web=app:7(external, on proxy of others)
         typed: blog
         verb: destroy --volumes",
        "! stop blog-web-1 — `blog` was typed
         remove blog-web-1
         current none
         good none",
    );
}

#[test]
fn nothing_is_left_to_destroy() {
    check(
        "running: nothing
         shape: web=app:7(volume)
         typed: blog
         verb: destroy --volumes",
        "",
    );
}
