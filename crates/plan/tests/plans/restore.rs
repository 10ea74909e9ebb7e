//! A set brought back: keys, canaries, data, application.

use std::collections::BTreeMap;

use plan::{
    Action, Container, Effect, Plan, ResolvedMount,
    set::{Object, Role},
};
use stack::Namespace;

use crate::{check, world::World};

#[test]
fn a_set_comes_back_under_its_own_names_where_nothing_is_left() {
    check(
        "running: nothing
         shape: bao=bao:2(keys) db=pg:1(postgres) web=app:7(after db ready, after bao)
         verb: restore",
        "verify set-1 — red before any data moves
         restore secrets — set set-1 holds it
         restore release
         pull bao:2 — bao needs it
         pull pg:1 — db needs it
         pull app:7 — web needs it
         network blog_net — bao needs it
         volume blog_baodata
         volume blog_dbdata — db needs it
         create bao — set set-1 holds it
         start bao
         api bao
         restore bao
         canaries bao — no row is moved before the keys have proved themselves
         create db — set set-1 holds it
         start db
         probe db
         restore db
         create web
         start web
         probe web
         watch 3 services — a release is good once it was healthy for 10s
         current release 1 — the restored stack answers
         good release 1
         ? evidence set-1 — what was proven is kept, signed",
    );
}

#[test]
fn a_set_comes_back_beside_where_the_volumes_exist() {
    check(
        "running: db=pg:1(postgres) web=app:7(after db ready, port 8080)
         verb: restore",
        "as blog-restore-set-1
         verify set-1 — red before any data moves
         restore secrets — set set-1 holds it
         restore release
         network blog-restore-set-1_net — db needs it
         volume blog-restore-set-1_dbdata
         create db — set set-1 holds it
         start db
         probe db
         restore db
         create web
         start web
         probe web
         ? evidence set-1 — what was proven is kept, signed
         - `blog` still has its volumes and is left alone: the set is restored beside it as `blog-restore-set-1`",
    );
}

#[test]
fn one_volume_that_is_left_is_enough_to_stay_beside() {
    check(
        "running: nothing
         shape: db=pg:1(postgres)
         also: volume blog_dbdata
         verb: restore",
        "as blog-restore-set-1
         verify set-1 — red before any data moves
         restore secrets — set set-1 holds it
         restore release
         pull pg:1 — db needs it
         network blog-restore-set-1_net
         volume blog-restore-set-1_dbdata
         create db — set set-1 holds it
         start db
         probe db
         restore db
         ? evidence set-1 — what was proven is kept, signed
         - `blog` still has its volumes and is left alone: the set is restored beside it as `blog-restore-set-1`",
    );
}

#[test]
fn a_file_is_put_back_before_its_program_opens_it() {
    check(
        "running: nothing
         shape: notes=notes:1(sqlite)
         verb: restore",
        "verify set-1 — red before any data moves
         restore secrets — set set-1 holds it
         restore release
         pull notes:1 — notes needs it
         network blog_net
         volume blog_notesdata
         restore notes — set set-1 holds it
         create notes
         start notes
         probe notes
         watch 1 service — a release is good once it was healthy for 10s
         current release 1 — the restored stack answers
         good release 1
         ? evidence set-1 — what was proven is kept, signed",
    );
}

#[test]
fn a_live_stack_is_not_restored_unless_its_name_was_typed() {
    check(
        "stack: live
         running: nothing
         shape: db=pg:1(postgres)
         verb: restore",
        "exit 4
         error[live]: `blog` is marked live; hint: seaworthy restore --confirm blog",
    );
}

#[test]
fn a_live_stack_is_restored_where_its_name_was_typed() {
    check(
        "stack: live
         running: nothing
         shape: db=pg:1(postgres)
         typed: blog
         verb: restore",
        "verify set-1 — red before any data moves
         restore secrets — set set-1 holds it
         restore release
         pull pg:1 — db needs it
         network blog_net
         volume blog_dbdata
         create db — set set-1 holds it
         start db
         probe db
         restore db
         watch 1 service — a release is good once it was healthy for 10s
         current release 1 — the restored stack answers
         good release 1
         ? evidence set-1 — what was proven is kept, signed",
    );
}

#[test]
fn a_set_whose_keys_come_back_sealed_waits_for_the_shares_before_anything_is_begun() {
    check(
        "running: nothing
         shape: bao=bao:2(keys) db=pg:1(postgres)
         as typed: restore set-1 --identity owner.txt
         shares: 0
         verb: restore",
        "exit 4
         error[shares-needed]: `bao` comes back sealed: 3 different key shares open it, and none was given; hint: seaworthy restore set-1 --identity owner.txt --shares FILE",
    );
    check(
        "running: bao=bao:2(keys) db=pg:1(postgres)
         as typed: drill --shares one.txt --identity owner.txt
         shares: 2
         verb: drill",
        "exit 4
         error[shares-needed]: `bao` comes back sealed: 3 different key shares open it, and 2 were given; hint: seaworthy drill --identity owner.txt --shares FILE",
    );
}

#[test]
fn a_live_stack_whose_shares_were_not_given_is_told_one_command_for_both() {
    check(
        "stack: live
         running: nothing
         shape: bao=bao:2(keys) db=pg:1(postgres)
         as typed: restore
         shares: 0
         verb: restore",
        "exit 4
         error[live]: `blog` is marked live
         error[shares-needed]: `bao` comes back sealed: 3 different key shares open it, and none was given; hint: seaworthy restore --confirm blog --shares FILE",
    );
}

#[test]
fn a_token_for_development_that_this_shape_does_not_give_to_the_store_opens_nothing() {
    check(
        "running: nothing
         shape: bao=bao:2(keys for development)
         shares: 0
         verb: restore",
        "exit 4
         error[shares-needed]: `bao` comes back sealed: 3 different key shares open it, and none was given; hint: seaworthy restore --shares FILE",
    );
}

#[test]
fn a_drill_that_starts_no_key_store_needs_no_shares() {
    check(
        "stack: drills db
         running: bao=bao:2(keys) db=pg:1(postgres)
         shares: 0
         verb: drill",
        "as blog-drill-7f3a91c2
         verify set-1 — red before any data moves
         restore secrets — set set-1 holds it
         restore release
         network blog-drill-7f3a91c2_net — db needs it
         volume blog-drill-7f3a91c2_dbdata
         create db — set set-1 holds it
         start db
         probe db
         restore db
         evidence set-1 — what was proven is kept, signed
         ? remove db — a throwaway is thrown away
         ? remove blog-drill-7f3a91c2_net
         ? remove blog-drill-7f3a91c2_baodata
         ? remove blog-drill-7f3a91c2_dbdata
         ? forget blog-drill-7f3a91c2
         - `bao` is not named in `[drill] services`: it is left out, and so the set will not be proven",
    );
}

/// A set sealed to `recipients`, with a key store in it or not, and what is said to who holds `held`.
#[track_caller]
fn opened(recipients: &[&str], keys: bool, held: &[&str], typed: &str, expected: &str) {
    let world = World::read(&format!("running: db=pg:1(postgres)\nas typed: {typed}\nshares: 0"));
    let mut manifest = world.set().manifest;
    manifest.recipients = recipients.iter().map(|&one| one.to_owned()).collect();
    if keys {
        manifest.objects.push(Object {
            name: "bao.keystore.snap.zst.age".to_owned(),
            role: Role::KeyStore,
            service: Some("bao".into()),
            plain_bytes: 1,
            plain_sha256: String::new(),
            sealed_bytes: 1,
            sealed_sha256: String::new(),
            server: None,
            counts: BTreeMap::new(),
            heartbeat: None,
            captured_at: manifest.point,
        });
    }
    let held: Vec<String> = held.iter().map(|&one| one.to_owned()).collect();
    let said = match plan::can_be_opened(&manifest, &held, &world.policy) {
        Ok(()) => "it is opened".to_owned(),
        Err(stop) => format!("exit {} {}", stop.exit.code(), stop.diagnostics[0]),
    };
    assert_eq!(said, expected);
}

#[test]
fn a_set_is_opened_by_any_of_its_recipients() {
    opened(&["age1ann", "age1bob"], true, &["age1bob"], "drill", "it is opened");
    // What an older set says of its recipients may be nothing: its objects know.
    opened(&[], true, &["age1bob"], "drill", "it is opened");
}

#[test]
fn a_set_that_is_sealed_to_others_says_the_command_that_goes_on() {
    opened(
        &["age1ann"],
        false,
        &["age1us"],
        "restore set-1 --from /mnt/b",
        "exit 4 error[identity-needed]: no identity at hand opens set set-1: it is sealed to age1ann; hint: seaworthy restore set-1 --from /mnt/b --identity FILE",
    );
    // The holders are woken at once, not when the identity was found.
    opened(
        &["age1ann"],
        true,
        &["age1us"],
        "drill --identity stranger.txt",
        "exit 4 error[identity-needed]: no identity at hand opens set set-1: it is sealed to age1ann; caused by: `bao` in it comes back sealed: its holders' shares are needed too; hint: seaworthy drill --identity FILE --shares FILE",
    );
}

#[test]
fn a_drill_proves_a_set_and_throws_its_place_away() {
    check(
        "running: bao=bao:2(keys) db=pg:1(postgres) web=app:7(after db ready, after bao, port 8080)
         verb: drill",
        "as blog-drill-7f3a91c2
         verify set-1 — red before any data moves
         restore secrets — set set-1 holds it
         restore release
         network blog-drill-7f3a91c2_net — bao needs it
         volume blog-drill-7f3a91c2_baodata
         volume blog-drill-7f3a91c2_dbdata — db needs it
         create bao — set set-1 holds it
         start bao
         api bao
         restore bao
         canaries bao — no row is moved before the keys have proved themselves
         create db — set set-1 holds it
         start db
         probe db
         restore db
         create web
         start web
         probe web
         evidence set-1 — what was proven is kept, signed
         ? remove web — a throwaway is thrown away
         ? remove db
         ? remove bao
         ? remove blog-drill-7f3a91c2_net
         ? remove blog-drill-7f3a91c2_baodata
         ? remove blog-drill-7f3a91c2_dbdata
         ? forget blog-drill-7f3a91c2",
    );
}

#[test]
fn a_drill_starts_what_it_is_told_to_and_what_that_needs() {
    check(
        "stack: drills web
         running: db=pg:1(postgres) web=app:7(after db ready) mail=mail:1
         verb: drill",
        "as blog-drill-7f3a91c2
         verify set-1 — red before any data moves
         restore secrets — set set-1 holds it
         restore release
         network blog-drill-7f3a91c2_net — db needs it
         volume blog-drill-7f3a91c2_dbdata
         create db — set set-1 holds it
         start db
         probe db
         restore db
         create web
         start web
         probe web
         evidence set-1 — what was proven is kept, signed
         ? remove web — a throwaway is thrown away
         ? remove db
         ? remove blog-drill-7f3a91c2_net
         ? remove blog-drill-7f3a91c2_dbdata
         ? forget blog-drill-7f3a91c2
         - `mail` is not named in `[drill] services`: it is left out",
    );
}

/// Everything a plan names to the engine, and what it would mount, publish or join.
fn touched(plan: &Plan) -> Vec<String> {
    let effects = plan.steps.iter().filter_map(|step| match &step.action {
        Action::Engine { effect } => Some(effect),
        _ => None,
    });
    let of_container = |container: &Container| {
        let mounts = container.mounts.iter().filter_map(|mount| match mount {
            ResolvedMount::Volume { name, .. } => Some(name.clone()),
            ResolvedMount::Bind { source, read_only: false, .. } => Some(source.clone()),
            _ => None,
        });
        let ports = container.settings.ports.iter().map(|port| format!("port {:?}", port.published));
        let mode = container.settings.network_mode.iter().filter_map(|mode| match mode {
            Namespace::Engine(mode) if mode != "none" => Some(mode.clone()),
            _ => None,
        });
        let addresses = container.networks.values().filter_map(|on| on.ipv4_address.clone());
        let networks = container.networks.keys().cloned();
        let name = [container.name.clone()];
        name.into_iter().chain(mounts).chain(ports).chain(mode).chain(addresses).chain(networks).collect()
    };
    let names = |effect: &Effect| -> Vec<String> {
        match effect {
            Effect::EnsureImage { .. } | Effect::BuildImage { .. } | Effect::LoadImage { .. } => Vec::new(),
            Effect::EnsureNetwork { network } if !network.internal => {
                vec![format!("{} with a way out", network.name)]
            }
            Effect::EnsureNetwork { network } => {
                let subnets = network.ipam.pools.iter().filter_map(|pool| pool.subnet.clone());
                [network.name.clone()].into_iter().chain(subnets).collect()
            }
            Effect::EnsureVolume { volume } | Effect::MakeVolume { volume } => vec![volume.name.clone()],
            Effect::Create { container } => of_container(container),
            Effect::Start { container }
            | Effect::Stop { container, .. }
            | Effect::Resume { container, .. }
            | Effect::Remove { container }
            | Effect::Discard { container } => vec![container.clone()],
            Effect::Rename { from, to } => vec![from.clone(), to.clone()],
            Effect::RemoveNetwork { name } | Effect::RemoveVolume { name } | Effect::Unmake { name, .. } => {
                vec![name.clone()]
            }
        }
    };
    effects.flat_map(names).collect()
}

/// A stack that shares all it can with its host and with others.
const ENTANGLED: &str = "running: db=pg:1(postgres, external) notes=notes:1(sqlite, named notes) \
    files=files:1(bind /srv/files) web=app:7(on proxy of others, on net at 10.9.0.2, port 8080) top=top:1(host network)";

#[test]
fn a_drill_touches_nothing_that_the_live_stack_has_and_none_of_its_networks_leads_out() {
    let plan = World::read(&format!("{ENTANGLED}\nverb: drill")).plan().expect("it can be planned");
    let foreign: Vec<String> =
        touched(&plan).into_iter().filter(|name| !name.starts_with("blog-drill-7f3a91c2")).collect();
    assert_eq!(foreign, Vec::<String>::new());
}

#[test]
fn a_restore_beside_touches_nothing_that_the_live_stack_has() {
    let plan = World::read(&format!("{ENTANGLED}\nverb: restore")).plan().expect("it can be planned");
    let foreign = touched(&plan).into_iter().filter(|name| !name.starts_with("blog-restore-set-1"));
    assert_eq!(foreign.collect::<Vec<_>>(), Vec::<String>::new());
}
