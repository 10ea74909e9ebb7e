//! A world in words: what should be, what was seen, what a person typed.
//!
//! ```text
//! earlier: web=app:6                    a good release before the running one; `tried:` one that never was good
//! running: db=pg:1(postgres) web=app:7  the current release, and how its containers stand
//! shape:   db=pg:1(postgres) web=app:8  what should be; left out: what runs
//! store:   session=2                    newest secret versions; `ran with:` those of the running release
//! also:    blog-old-1 of old            a container beside; `volume blog_x` a volume, `port 80 of nginx` a listener
//! stack:   production, live, keep 2     what `seaworthy.toml` says beside
//! verb:    rollback to 1                left out: deploy
//! ```

use std::{collections::BTreeMap, time::Duration};

use diag::Stop;
use plan::{
    ContainerSeen, Facts, HostSeen, ImageSeen, KeyStoreSeen, NetworkSeen, Phase, Plan, Policy, ReleaseSeen,
    SecretSeen, SetContents, SetSeen, VolumeSeen,
    desired::{self, Versions},
    set::{Canary, MANIFEST_SCHEMA, Manifest, Object, Role, SetId},
};
use stack::{BackupSpec, DrillSpec, EngineKind, SecretName, ServiceName, Shape, StackName, State, StateKind};

use crate::spec::Spec;

const STATE: &str = "/var/lib/seaworthy";

/// Everything a planner is told, and which one is asked.
pub(crate) struct World {
    pub(crate) shape: Shape,
    pub(crate) facts: Facts,
    policy: Policy,
    verb: String,
}

impl World {
    /// Reads the words.
    pub(crate) fn read(words: &str) -> World {
        let lines: Vec<(&str, &str)> = words
            .lines()
            .map(str::trim)
            .filter(|line| !line.is_empty())
            .map(|line| line.split_once(':').expect("a line of a world is written `key: words`"))
            .map(|(key, rest)| (key.trim(), rest.trim()))
            .collect();
        let all = |wanted: &str| -> Vec<&str> {
            lines.iter().filter(|(key, _)| *key == wanted).map(|(_, rest)| *rest).collect()
        };
        let one = |wanted: &str| all(wanted).first().copied();
        let store = versions(one("store").unwrap_or_default());
        let ran_with = one("ran with").map_or_else(|| store.clone(), versions);
        let settings: Vec<&str> = one("stack").map(|line| line.split(", ").collect()).unwrap_or_default();
        let mut world = World {
            shape: shape(one("shape").or(one("running")).unwrap_or_default(), &settings),
            facts: facts(&store, &settings),
            policy: policy(one("typed")),
            verb: one("verb").unwrap_or("deploy").to_owned(),
        };
        for (key, rest) in &lines {
            match *key {
                "earlier" | "tried" => world.release(rest, &settings, &ran_with, *key == "earlier"),
                "running" => world.run(rest, &settings, &ran_with),
                "also" => world.also(rest),
                "shape" | "store" | "ran with" | "stack" | "verb" | "typed" => {}
                other => panic!("`{other}` is no line of a world"),
            }
        }
        world
    }

    /// Asks the planner of the verb.
    pub(crate) fn plan(&self) -> Result<Plan, Stop> {
        let World { shape, facts, policy, verb } = self;
        let words: Vec<&str> = verb.split(' ').collect();
        match words.as_slice() {
            ["deploy"] => plan::deploy(shape, facts, policy),
            ["rollback"] => plan::rollback(None, facts, policy),
            ["rollback", "to", number] => {
                plan::rollback(Some(number.parse().expect("a number")), facts, policy)
            }
            ["bootstrap"] => plan::bootstrap(shape, &[], facts, policy),
            ["bootstrap", "with", name] => plan::bootstrap(shape, &[SecretName::from(*name)], facts, policy),
            ["backup"] => plan::backup(shape, facts, policy),
            ["restore"] => {
                plan::restore(&self.set(), &plan::restored_shape(&self.set(), facts), facts, policy)
            }
            ["drill"] => plan::drill(&self.set(), facts, policy),
            ["destroy"] => plan::destroy(shape, false, facts, policy),
            ["destroy", "--volumes"] => plan::destroy(shape, true, facts, policy),
            other => panic!("{other:?} is no verb"),
        }
    }

    fn release(&mut self, words: &str, settings: &[&str], secrets: &Versions, was_good: bool) {
        let number = self.facts.releases.len() as u64 + 1;
        let shape = Box::new(shape(words, settings));
        let secrets = secrets.clone();
        self.facts.releases.push(ReleaseSeen {
            number,
            written_at: self.policy.now,
            shape,
            secrets,
            was_good,
        });
    }

    /// The current release, with a container for each service.
    fn run(&mut self, words: &str, settings: &[&str], secrets: &Versions) {
        if words == "nothing" {
            return;
        }
        self.release(words, settings, secrets, true);
        let release = self.facts.releases.last().expect("it was just written").clone();
        (self.facts.current, self.facts.good) = (Some(release.number), Some(release.number));
        for spec in Spec::read(words) {
            self.stand(&spec, &release);
        }
        let ours = |name: String| (name, VolumeSeen { project: "blog".to_owned() });
        self.facts
            .volumes
            .extend(release.shape.volumes.keys().map(|key| ours(release.shape.volume_name(key))));
        let network = |internal| NetworkSeen { internal, project: "blog".to_owned(), attached: Vec::new() };
        let networks = release.shape.networks.iter();
        self.facts
            .networks
            .extend(networks.map(|(key, it)| (release.shape.network_name(key), network(it.internal))));
    }

    fn stand(&mut self, spec: &Spec, release: &ReleaseSeen) {
        let made = desired::container(&release.shape, &spec.name, &release.secrets, release.number, STATE);
        let image = &made.settings.image;
        self.facts
            .images
            .insert(image.clone(), ImageSeen { id: format!("id of {image}"), digest: None, named_at: None });
        let state_dir = if spec.says("elsewhere") { "/srv/elsewhere" } else { STATE };
        let foreign = spec.says("foreign");
        self.facts.containers.push(ContainerSeen {
            name: made.name.clone(),
            id: made.name.clone(),
            service: spec.name.clone(),
            image_id: format!("id of {image}"),
            phase: spec.phase(),
            identity: if foreign { String::new() } else { made.identity.clone() },
            release: (!foreign).then_some(release.number),
            state_dir: (!foreign).then(|| state_dir.to_owned()),
            networks: made.networks.keys().cloned().collect(),
            addresses: Vec::new(),
            ports: Vec::new(),
        });
        let store = release.shape.key_store().filter(|(name, _)| **name == spec.name);
        if let (Some((name, transit)), Phase::Running { .. }) = (store, spec.phase()) {
            let seen = KeyStoreSeen {
                initialised: true,
                sealed: spec.says("sealed"),
                development: transit.dev_token.is_some(),
                version: "2.0".to_owned(),
            };
            if !spec.says("unanswered") {
                self.facts.key_stores.insert(name.clone(), seen);
            }
        }
    }

    fn also(&mut self, words: &str) {
        match words.split(' ').collect::<Vec<_>>().as_slice() {
            ["port", port, "of", holder] => {
                let port = port.parse().expect("a port is a number");
                self.facts.host.ports_held.insert(port, (*holder).to_owned());
            }
            ["volume", name] => {
                self.facts.volumes.insert((*name).to_owned(), VolumeSeen { project: "blog".to_owned() });
            }
            ["image", name] => {
                let seen = ImageSeen { id: format!("id of {name}"), digest: None, named_at: None };
                self.facts.images.insert((*name).to_owned(), seen);
            }
            ["image", name, "is", "another"] => {
                let seen = ImageSeen { id: format!("another id of {name}"), digest: None, named_at: None };
                self.facts.images.insert((*name).to_owned(), seen);
            }
            [name, "of", service] => self.facts.containers.push(ContainerSeen {
                name: (*name).to_owned(),
                id: (*name).to_owned(),
                service: ServiceName::from(*service),
                image_id: "id of it".to_owned(),
                phase: Phase::Exited { code: 1 },
                identity: "another".to_owned(),
                release: Some(1),
                state_dir: Some(STATE.to_owned()),
                networks: Vec::new(),
                addresses: Vec::new(),
                ports: Vec::new(),
            }),
            other => panic!("{other:?} is nothing that can be there"),
        }
    }

    /// A set of the shape, as a verb has read it.
    pub(crate) fn set(&self) -> SetContents {
        let manifest = Manifest {
            schema: MANIFEST_SCHEMA.to_owned(),
            set: set_id(1),
            stack: self.shape.stack.clone(),
            shape: self.shape.name.clone(),
            chain: "c1".to_owned(),
            sequence: 1,
            previous: None,
            point: self.policy.now,
            keys_at: None,
            tool: "test".to_owned(),
            recipients: Vec::new(),
            release: Some(1),
            objects: self.shape.states.iter().filter_map(object).collect(),
            keys: None,
            canaries: self.shape.key_store().map(|(_, transit)| canary(&transit.key)).into_iter().collect(),
        };
        let secrets = self.shape.secrets.keys().map(|name| (name.clone(), 1)).collect();
        SetContents { manifest, shape: self.shape.clone(), secrets }
    }
}

/// What a set holds of a state.
fn object((service, state): (&ServiceName, &State)) -> Option<Object> {
    let (role, tables) = match state.kind {
        StateKind::Postgres { .. } => (Role::Postgres, vec![("events".to_owned(), 7)]),
        StateKind::Sqlite { .. } => (Role::Sqlite, vec![("notes".to_owned(), 7)]),
        StateKind::Transit(_) => (Role::KeyStore, Vec::new()),
        StateKind::Discard { .. } => return None,
    };
    Some(Object {
        name: format!("{service}.zst.age"),
        role,
        service: Some(service.clone()),
        plain_bytes: 9,
        plain_sha256: "plain".to_owned(),
        sealed_bytes: 8,
        sealed_sha256: "sealed".to_owned(),
        server: None,
        counts: tables.into_iter().collect(),
        heartbeat: None,
        captured_at: now(),
    })
}

fn canary(key: &str) -> Canary {
    Canary { key: key.to_owned(), ciphertext: "vault:v1:c".to_owned(), plain_hmac: "h".to_owned() }
}

fn now() -> jiff::Timestamp {
    "2026-11-21T01:14:47Z".parse().expect("a time is written here")
}

fn set_id(number: u64) -> SetId {
    SetId(format!("set-{number}"))
}

fn versions(words: &str) -> Versions {
    let pairs = words.split(' ').filter_map(|pair| pair.split_once('='));
    pairs
        .map(|(name, version)| (SecretName::from(name), version.parse().expect("a version is a number")))
        .collect()
}

fn policy(typed: Option<&str>) -> Policy {
    Policy {
        now: now(),
        random: [0x7f, 0x3a, 0x91, 0xc2],
        tool: "test".to_owned(),
        state_dir: STATE.to_owned(),
        confirmed: typed.map(str::to_owned),
    }
}

pub(crate) fn shape(words: &str, settings: &[&str]) -> Shape {
    let says = |word: &str| settings.contains(&word);
    let number = |word: &str| settings.iter().find_map(|said| said.strip_prefix(word)?.parse().ok());
    let backup = BackupSpec {
        to: if says("no target") { Vec::new() } else { vec!["/mnt/backups".to_owned()] },
        recipients: if says("recipients") { vec!["age1example".to_owned()] } else { Vec::new() },
        keep: number("keep "),
        ..BackupSpec::default()
    };
    let drilled = settings.iter().filter_map(|said| said.strip_prefix("drills ")).map(ServiceName::from);
    let mut shape = Shape {
        stack: StackName::from("blog"),
        name: "local".to_owned(),
        production: says("production"),
        live: says("live"),
        engine: None,
        min_healthy: Duration::from_secs(10),
        timeout: Duration::from_secs(60),
        files: vec!["compose.yaml".to_owned()],
        directory: "/srv/blog".to_owned(),
        publishes: None,
        origins: Vec::new(),
        services: BTreeMap::new(),
        networks: BTreeMap::new(),
        volumes: BTreeMap::new(),
        secrets: BTreeMap::new(),
        states: BTreeMap::new(),
        controls: BTreeMap::new(),
        drill: DrillSpec { services: drilled.collect() },
        backup,
    };
    for spec in Spec::read(words) {
        spec.add_to(&mut shape);
    }
    shape
}

/// A host on which nothing of the stack is.
fn facts(store: &Versions, settings: &[&str]) -> Facts {
    let process = settings.contains(&"process engine");
    let seen = |(name, version): (&SecretName, &u32)| {
        (name.clone(), SecretSeen { version: *version, fingerprint: format!("of {version}") })
    };
    let sets = settings.iter().find_map(|said| said.strip_suffix(" sets kept")?.parse().ok()).unwrap_or(0);
    let set = |sequence: u64| SetSeen {
        id: set_id(sequence),
        target: "/mnt/backups".to_owned(),
        point: now(),
        bytes: 1,
        sequence,
    };
    Facts {
        seen_at: now(),
        host: HostSeen {
            name: "here".to_owned(),
            engine: if process { EngineKind::Process } else { EngineKind::Docker },
            version: "27".to_owned(),
            api: settings.iter().find_map(|said| said.strip_prefix("api ")).map(str::to_owned),
            ports_held: BTreeMap::new(),
            free_bytes: None,
        },
        containers: Vec::new(),
        networks: BTreeMap::new(),
        volumes: BTreeMap::new(),
        images: BTreeMap::new(),
        releases: Vec::new(),
        current: None,
        good: None,
        secrets: store.iter().map(seen).collect(),
        key_stores: BTreeMap::new(),
        sets: (1..=sets).rev().map(set).collect(),
        attested: Vec::new(),
    }
}
