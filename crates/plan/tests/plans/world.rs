//! A world in words: what should be, what was seen, what a person typed.
//!
//! ```text
//! earlier: web=app:6                    a good release before the running one; `tried:` one that never was good
//! running: db=pg:1(postgres) web=app:7  the current release, and how its containers stand
//! composed: web=app:7                   no release, and containers that `docker compose` made
//! shape:   db=pg:1(postgres) web=app:8  what should be; left out: what runs
//! store:   session=2                    newest secret versions; `ran with:` those of the running release
//! also:    blog-old-1 of old            a container beside; `volume blog_x` a volume, `port 80 of nginx` a listener
//! stack:   production, live, keep 2     what `seaworthy.toml` says beside; `3 sets kept`, `proves set 1`,
//!                                       `set 1 of release 2`, `set 9 half removed`: what the targets hold
//! good:    1                            the good release, where it is not the running one
//! verb:    rollback to 1                left out: deploy
//! shares:  0                            key shares that were given; left out: nobody was asked
//! as typed: restore --from /mnt/b       the command line
//! ```

use std::{collections::BTreeMap, time::Duration};

use diag::Stop;
use plan::{
    ArchiveSeen, ComposeHashes, Container, ContainerSeen, Facts, HostSeen, ImageSeen, KeyStoreSeen,
    NetworkSeen, Phase, Plan, Policy, ReleaseSeen, SecretSeen, Seed, SetContents, SetSeen, Typed, VolumeSeen,
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
    pub(crate) policy: Policy,
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
        let should = one("shape").or(one("running")).or(one("composed")).unwrap_or_default();
        let mut world = World {
            shape: shape(should, &settings),
            facts: facts(&store, &settings),
            policy: Policy {
                typed: Typed(one("as typed").unwrap_or("restore").split(' ').map(str::to_owned).collect()),
                shares: one("shares").map(|shares| shares.parse().expect("a number")),
                fetched: settings.contains(&"images fetched"),
                ..policy(one("typed"))
            },
            verb: one("verb").unwrap_or("deploy").to_owned(),
        };
        world.facts.compose = compose_hashes(should);
        for (key, rest) in &lines {
            match *key {
                "composed" => {
                    world.run(rest, &settings, &ran_with);
                    world.facts.releases.pop();
                    (world.facts.current, world.facts.good) = (None, None);
                }
                "earlier" | "tried" => world.release(rest, &settings, &ran_with, *key == "earlier"),
                "running" => world.run(rest, &settings, &ran_with),
                "good" => world.facts.good = Some(rest.parse().expect("a number")),
                "also" => world.also(rest),
                "shape" | "store" | "ran with" | "stack" | "verb" | "typed" | "as typed" | "shares" => {}
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
            compose: compose_hashes(words),
            images: BTreeMap::new(),
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
        let number = release.number;
        for made in desired::replicas(&release.shape, &spec.name, &release.secrets, number, STATE) {
            self.stand_one(spec, release, &made);
        }
    }

    fn stand_one(&mut self, spec: &Spec, release: &ReleaseSeen, made: &Container) {
        let image = &made.settings.image;
        self.facts.images.insert(image.clone(), image_seen(&format!("id of {image}")));
        let state_dir = if spec.says("elsewhere") { "/srv/elsewhere" } else { STATE };
        let foreign = spec.says("foreign");
        let composed = spec.says("composed");
        self.facts.containers.push(ContainerSeen {
            name: made.name.clone(),
            id: made.name.clone(),
            service: spec.name.clone(),
            number: Some(made.number),
            image_id: format!("id of {image}"),
            phase: spec.phase(),
            identity: if foreign || composed { String::new() } else { made.identity.clone() },
            compose_hash: if composed { spec.compose_hash() } else { String::new() },
            restart: Some(spec.restart_seen(&made.settings)),
            limits: spec.limits_seen(),
            release: (!foreign && !composed).then_some(release.number),
            state_dir: (!foreign && !composed).then(|| state_dir.to_owned()),
            networks: spec.networks_seen(made.networks.keys().cloned().collect()),
            anonymous: spec.anonymous(),
            addresses: Vec::new(),
            ports: Vec::new(),
        });
        let store = release.shape.key_store().filter(|(name, _)| **name == spec.name);
        if let (Some((name, transit)), Phase::Running { .. }) = (store, spec.phase()) {
            let seen = KeyStoreSeen {
                initialised: true,
                sealed: spec.says("sealed"),
                development: transit.dev_token.is_some(),
                snapshots: !spec.says("forgetful"),
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
                let seen = image_seen(&format!("id of {name}"));
                self.facts.images.insert((*name).to_owned(), seen);
            }
            ["image", name, "with", "a", "volume", "at", target] => {
                let volumes = vec![(*target).to_owned()];
                let seen = ImageSeen { volumes, ..image_seen(&format!("id of {name}")) };
                self.facts.images.insert((*name).to_owned(), seen);
            }
            ["image", name, "fetched", at] => {
                let named_at = Some(at.parse().expect("a time is written like now"));
                let seen = ImageSeen { named_at, ..image_seen(&format!("id of {name}")) };
                self.facts.images.insert((*name).to_owned(), seen);
            }
            ["image", name, "is", "another"] => {
                let seen = image_seen(&format!("another id of {name}"));
                self.facts.images.insert((*name).to_owned(), seen);
            }
            [name, "of", service] => self.facts.containers.push(ContainerSeen {
                name: (*name).to_owned(),
                id: (*name).to_owned(),
                service: ServiceName::from(*service),
                number: None,
                image_id: "id of it".to_owned(),
                phase: Phase::Exited { code: 1 },
                identity: "another".to_owned(),
                compose_hash: String::new(),
                restart: None,
                limits: None,
                release: Some(1),
                state_dir: Some(STATE.to_owned()),
                networks: Vec::new(),
                anonymous: Vec::new(),
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

/// What Compose would label: a service's own words stand for all that it looks at.
fn compose_hashes(words: &str) -> ComposeHashes {
    let hash = |spec: &Spec| (spec.name.clone(), spec.compose_hash());
    ComposeHashes { services: Spec::read(words).iter().map(hash).collect(), ..ComposeHashes::default() }
}

fn image_seen(id: &str) -> ImageSeen {
    ImageSeen { id: id.to_owned(), ..ImageSeen::default() }
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
        seed: Seed { at: now(), random: [0x7f, 0x3a, 0x91, 0xc2] },
        tool: "test".to_owned(),
        state_dir: STATE.to_owned(),
        confirmed: typed.map(str::to_owned),
        shares: None,
        typed: Typed::default(),
        fetched: false,
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
    let release_of = |sequence: u64| {
        let of = format!("set {sequence} of release ");
        settings.iter().find_map(|said| said.strip_prefix(&of)?.parse().ok())
    };
    let set = |sequence: u64| SetSeen {
        id: set_id(sequence),
        target: "/mnt/backups".to_owned(),
        point: now(),
        bytes: 1,
        sequence,
        release: release_of(sequence),
        proven_at: settings.contains(&format!("proves set {sequence}").as_str()).then(now),
    };
    let half = settings
        .iter()
        .filter_map(|said| said.strip_prefix("set ")?.strip_suffix(" half removed")?.parse().ok());
    let archives = settings.iter().filter_map(|said| said.strip_prefix("archive of "));
    let archives = archives.map(|said| {
        let (image, what) = said.split_once(" is ").expect("an image and what is seen");
        let seen = match what {
            "loaded" => ArchiveSeen::Loaded,
            "waiting" => ArchiveSeen::Waiting { id: "sha256:00".to_owned() },
            because => ArchiveSeen::Unusable { because: because.to_owned() },
        };
        (image.to_owned(), seen)
    });
    Facts {
        archives: archives.collect(),
        seen_at: now(),
        host: HostSeen {
            name: "here".to_owned(),
            engine: if process { EngineKind::Process } else { EngineKind::Docker },
            version: "27".to_owned(),
            api: settings.iter().find_map(|said| said.strip_prefix("api ")).map(str::to_owned),
            ports_held: BTreeMap::new(),
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
        compose: ComposeHashes::default(),
        attested: Vec::new(),
        half_removed: half.map(set_id).collect(),
    }
}
