//! A small stack that has one of everything: what tests of whole plans need.

use std::{collections::BTreeMap, time::Duration};

use plan::{Facts, Policy, Seed};
use stack::{
    Attachment, BackupSpec, Build, Condition, Dependency, DrillSpec, Hook, Mount, MountSource, Namespace,
    NetworkKey, Port, Probe, ProbeKind, SecretKind, SecretName, SecretSpec, Service, ServiceName, Shape,
    StackName, State, StateKind, Text, Transit, VolumeKey,
};

use crate::{Behaviour, ModelHost};

/// A machine on which every image of the stack lies.
pub fn machine() -> ModelHost {
    let images = ["pg:16", "bao:2", "bao:3", "migrate:1", "migrate:2", "app:1", "app:2"];
    let crowded = ["nameless:1", "cache:1"];
    let mut host = images.into_iter().chain(crowded).fold(ModelHost::new("blog"), ModelHost::with_image);
    for image in ["nameless:1", "nameless:2"] {
        host = host.with_image_volume(image, "/data");
    }
    host.behave("migrate", Behaviour::Ends { code: 0 });
    host
}

/// db and bao with a volume each, a migration that runs once, and web in front of them. Another version has another
/// migration and another web.
pub fn blog(version: u32) -> Shape {
    let app = format!("app:{version}");
    let mut ready = ProbeKind::http("/ready");
    if let ProbeKind::Http { json, .. } = &mut ready {
        json.insert("status".to_owned(), "ok".into());
    }
    let mut web = Service { image: app.clone(), probes: vec![probe(ready)], ..Service::default() };
    web.ports = vec![Port::tcp(Some(8080), 80)];
    web.networks = on(&["data", "edge"]);
    web.depends_on =
        [after("db", Condition::ServiceHealthy), after("migrate", Condition::ServiceCompletedSuccessfully)]
            .into();
    let mut migrate =
        Service { image: format!("migrate:{version}"), networks: on(&["data"]), ..Service::default() };
    migrate.depends_on = [after("db", Condition::ServiceHealthy)].into();
    let services = [
        ("db", store("pg:16", "dbdata")),
        ("bao", store("bao:2", "baodata")),
        ("migrate", migrate),
        ("web", web),
    ];
    let secret = |kind| SecretSpec { kind, from: None, required: true };
    let postgres = StateKind::Postgres { database: "blog".to_owned(), user: "postgres".to_owned() };
    Shape {
        stack: StackName::from("blog"),
        name: "local".to_owned(),
        production: false,
        live: false,
        engine: None,
        min_healthy: Duration::from_secs(10),
        timeout: Duration::from_secs(60),
        files: vec!["compose.yaml".to_owned()],
        directory: "/srv/blog".to_owned(),
        publishes: None,
        origins: Vec::new(),
        services: services.map(|(name, service)| (ServiceName::from(name), service)).into(),
        networks: ["data", "edge"].map(|key| (NetworkKey::from(key), stack::Network::default())).into(),
        volumes: ["dbdata", "baodata"].map(|key| (VolumeKey::from(key), stack::Volume::default())).into(),
        secrets: [
            (SecretName::from("db_password"), secret(SecretKind::Password { length: 24 })),
            (SecretName::from("app_keys"), secret(SecretKind::Approle)),
        ]
        .into(),
        states: [
            (ServiceName::from("db"), State { kind: postgres, heartbeat: None }),
            (ServiceName::from("bao"), State { kind: StateKind::Transit(transit()), heartbeat: None }),
        ]
        .into(),
        backup: BackupSpec { to: vec!["/mnt/backups".to_owned()], ..BackupSpec::default() },
        controls: BTreeMap::new(),
        drill: DrillSpec::default(),
    }
}

/// The blog as it can be written besides: two of web, which starts again with db, a cache in the network of web, and a
/// db whose volume has no name. Another version has another db, and one web less.
pub fn crowded_blog(version: u32) -> Shape {
    let mut shape = blog(1);
    let mut service =
        |name: &str| -> Service { shape.services.remove(&ServiceName::from(name)).expect("it has one") };
    let (mut db, mut web) = (service("db"), service("web"));
    db.image = format!("nameless:{version}");
    db.mounts.clear();
    db.build = Some(Build { context: "/srv/blog/db".to_owned(), ..Build::default() });
    let hook = |word: &str| Hook { command: vec![Text::literal(word)], ..Hook::default() };
    (db.pre_stop, web.post_start, web.pre_stop) =
        (vec![hook("checkpoint")], vec![hook("warm")], vec![hook("drain")]);
    web.ports.clear();
    web.scale = Some(4 - version);
    web.depends_on.get_mut(&ServiceName::from("db")).expect("it waits for it").restart = true;
    let cache = Service {
        image: "cache:1".to_owned(),
        network_mode: Some(Namespace::Service(ServiceName::from("web"))),
        mounts: vec![Mount { target: "/cache".to_owned(), source: MountSource::Anonymous, read_only: false }],
        ..Service::default()
    };
    let services = [("db", db), ("web", web), ("cache", cache)];
    shape.services.extend(services.map(|(name, service)| (ServiceName::from(name), service)));
    shape.volumes.remove(&VolumeKey::from("dbdata"));
    shape
}

fn transit() -> Transit {
    Transit {
        key: "blog".to_owned(),
        port: 8200,
        shares: 5,
        threshold: 3,
        holders: Vec::new(),
        credential: SecretName::from("app_keys"),
        volume: Some(VolumeKey::from("baodata")),
        dev_token: None,
    }
}

fn store(image: &str, volume: &str) -> Service {
    let source = MountSource::volume(volume);
    let mounts = vec![Mount { target: "/data".to_owned(), source, read_only: false }];
    let probes = vec![probe(ProbeKind::Tcp)];
    Service { image: image.to_owned(), mounts, networks: on(&["data"]), probes, ..Service::default() }
}

fn probe(kind: ProbeKind) -> Probe {
    Probe { port: Some(80), ..Probe::new(kind) }
}

fn on(networks: &[&str]) -> BTreeMap<NetworkKey, Attachment> {
    networks.iter().map(|&key| (NetworkKey::from(key), Attachment::default())).collect()
}

fn after(service: &str, condition: Condition) -> (ServiceName, Dependency) {
    (ServiceName::from(service), Dependency { condition, required: true, restart: false })
}

/// What planners are told, at the machine's time.
pub fn policy(facts: &Facts) -> Policy {
    Policy {
        now: facts.seen_at,
        // Another one each second: ids that a plan makes are not made again.
        seed: Seed { at: facts.seen_at, random: (facts.seen_at.as_second() as u32).to_be_bytes() },
        tool: "test".to_owned(),
        state_dir: "/var/lib/seaworthy".to_owned(),
        confirmed: Some("blog".to_owned()),
        // Whether a holder comes is what a test is about: planners have asked nobody.
        shares: None,
        typed: plan::Typed::default(),
        fetched: false,
    }
}
