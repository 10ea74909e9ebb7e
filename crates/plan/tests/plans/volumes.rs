//! Volumes without a name: what is in them outlives the container that they were made with.

use crate::check;
use crate::world::World;
use plan::{Action, Effect, ResolvedMount};

/// What the containers that a plan makes mount by name, each as `NAME at TARGET`.
fn mounted(world: &str) -> Vec<String> {
    let plan = World::read(world).plan().expect("it can be planned");
    let containers = plan.steps.into_iter().filter_map(|step| match step.action {
        Action::Engine { effect: Effect::Create { container } } => Some(container),
        _ => None,
    });
    let mounts = containers.flat_map(|container| container.mounts);
    let named = mounts.filter_map(|mount| match mount {
        ResolvedMount::Volume { name, target, .. } => Some(format!("{name} at {target}")),
        ResolvedMount::Anonymous { target } => Some(format!("a new one at {target}")),
        _ => None,
    });
    named.collect()
}

#[test]
fn a_volume_without_a_name_goes_on_to_the_next_container() {
    let carried = mounted(
        "running: db=pg:1(nameless /data)
         shape: db=pg:2(nameless /data)",
    );
    assert_eq!(carried, ["a1b2-data at /data"]);
}

#[test]
fn a_volume_that_the_image_asked_for_goes_on_too() {
    let carried = mounted(
        "running: db=pg:1(kept /var/lib)
         shape: db=pg:2
         also: image pg:2 with a volume at /var/lib",
    );
    assert_eq!(carried, ["a1b2-var-lib at /var/lib"]);
}

#[test]
fn an_image_that_is_not_here_yet_may_ask_for_it() {
    let carried = mounted(
        "running: db=pg:1(kept /var/lib)
         shape: db=pg:2",
    );
    assert_eq!(carried, ["a1b2-var-lib at /var/lib"]);
}

#[test]
fn a_volume_that_has_a_name_now_takes_its_place_and_the_other_stays() {
    let world = "running: db=pg:1(kept /data)
         shape: db=pg:1(volume)";
    assert_eq!(mounted(world), ["blog_dbdata at /data"]);
    check(
        world,
        "volume blog_dbdata — db needs it
         write release 2 — every deploy is kept whole, so that it can come back whole
         create db — its volumes changed
         ! stop db
         keep db
         name db
         start db
         probe db
         watch 1 service — a release is good once it was healthy for 10s
         current release 2 — release 2 passed its probes
         good release 2
         ? remove db — its replacement is good
         - volume `a1b2-data` of db at /data stays, and nothing mounts it any more (`docker volume rm a1b2-data` removes it)",
    );
}

#[test]
fn a_replica_that_goes_leaves_its_volumes() {
    check(
        "running: web=app:7(scaled 2, nameless /data)
         shape: web=app:7(scaled 1, nameless /data)",
        "write release 2 — every deploy is kept whole, so that it can come back whole
         watch 1 service — a release is good once it was healthy for 10s
         current release 2 — release 2 passed its probes
         good release 2
         ? stop web 2 — web is scaled to 1
         ? remove web 2
         - web is as it should be
         - volume `a1b2-data` of web at /data stays, and nothing mounts it any more (`docker volume rm a1b2-data` removes it)",
    );
}

#[test]
fn destroy_keeps_them_and_says_so() {
    check(
        "running: db=pg:1(nameless /data)
         typed: blog
         verb: destroy",
        "! stop blog-db-1 — `blog` was typed
         remove blog-db-1
         remove blog_net
         current none
         good none
         - volume `a1b2-data` of blog-db-1 at /data is kept (`--volumes` removes it)",
    );
}

#[test]
fn destroy_takes_them_only_with_the_other_volumes_and_declares_it() {
    check(
        "running: db=pg:1(nameless /data)
         typed: blog
         verb: destroy --volumes",
        "! stop blog-db-1 — `blog` was typed
         remove blog-db-1 (destroys volumes without a name of blog-db-1)
         remove blog_net
         current none
         good none",
    );
}
