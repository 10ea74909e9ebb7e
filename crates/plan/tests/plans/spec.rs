//! One service in words: `web=app:7(after db ready, port 8080, secret session)`.

use std::time::Duration;

use plan::{AnonymousSeen, Limits, Phase};
use stack::{
    Attachment, Build, Condition, ContentId, Dependency, FileMount, FileSource, Healthcheck, Hook, Ipam,
    IpamPool, Mount, MountSource, Namespace, NetworkKey, Part, Port, Probe, ProbeKind, ProbeRole, Restart,
    SecretKind, SecretName, SecretSpec, Service, ServiceName, Shape, State, StateKind, Text, Transit,
    VolumeKey, VolumesFrom,
};

/// A service, and how its container stands.
pub(crate) struct Spec {
    pub(crate) name: ServiceName,
    image: String,
    words: Vec<String>,
}

impl Spec {
    /// All services of a line.
    pub(crate) fn read(line: &str) -> Vec<Spec> {
        let mut specs: Vec<String> = vec![String::new()];
        let mut depth = 0;
        for c in line.chars() {
            match c {
                '(' => depth += 1,
                ')' => depth -= 1,
                _ => {}
            }
            if c == ' ' && depth == 0 {
                specs.push(String::new());
            } else {
                specs.last_mut().expect("there is always one").push(c);
            }
        }
        specs
            .iter()
            .filter(|spec| !spec.is_empty() && *spec != "nothing")
            .map(|spec| Self::one(spec))
            .collect()
    }

    fn one(spec: &str) -> Spec {
        let (head, words) = spec.split_once('(').unwrap_or((spec, ""));
        let (name, image) = head.split_once('=').expect("a service is written name=image");
        let words = words.trim_end_matches(')').split(", ").filter(|word| !word.is_empty());
        Spec {
            name: ServiceName::from(name),
            image: image.to_owned(),
            words: words.map(str::to_owned).collect(),
        }
    }

    /// True when this word stands in its parentheses.
    pub(crate) fn says(&self, word: &str) -> bool {
        self.words.iter().any(|said| said == word)
    }

    /// How its container stands.
    pub(crate) fn phase(&self) -> Phase {
        let phases = [
            ("stopped", Phase::Exited { code: 0 }),
            ("crashed", Phase::Exited { code: 137 }),
            ("ended", Phase::Exited { code: 0 }),
            ("dead", Phase::Dead),
            ("paused", Phase::Paused),
            ("created", Phase::Created),
            ("restarting", Phase::Restarting),
        ];
        let said = phases.into_iter().find(|(word, _)| self.says(word));
        said.map_or(Phase::Running { healthy: None }, |(_, phase)| phase)
    }

    /// Volumes without a name that its container mounts: `kept /data`, made by its file or by its image.
    pub(crate) fn anonymous(&self) -> Vec<AnonymousSeen> {
        let targets = self
            .words
            .iter()
            .filter_map(|word| word.strip_prefix("kept ").or_else(|| word.strip_prefix("nameless ")));
        let named = |target: &str| AnonymousSeen {
            name: format!("a1b2{}", target.replace('/', "-")),
            target: target.to_owned(),
        };
        targets.map(named).collect()
    }

    /// Compose's hash of it: of its words, but for those that say how it stands and what Compose does not look at.
    pub(crate) fn compose_hash(&self) -> String {
        let ours = [
            "composed",
            "after",
            "probe",
            "file",
            "scaled",
            "stopped",
            "restarting",
            "off",
            "beside",
            "told",
        ];
        let first = |word: &str| word.split(' ').next().unwrap_or_default().to_owned();
        let words: Vec<&String> =
            self.words.iter().filter(|word| !ours.contains(&first(word).as_str())).collect();
        format!("hash of {} {words:?}", self.image)
    }

    /// Networks of its container: `off net` and `beside other` were done by hand.
    pub(crate) fn networks_seen(&self, mut networks: Vec<String>) -> Vec<String> {
        for word in &self.words {
            match word.split_once(' ') {
                Some(("off", network)) => networks.retain(|name| !name.ends_with(network)),
                Some(("beside", network)) => networks.push(network.to_owned()),
                _ => {}
            }
        }
        networks
    }

    /// Limits of its container: `told 64` bytes of memory was done by hand.
    pub(crate) fn limits_seen(&self) -> Option<Limits> {
        let bytes = self.words.iter().find_map(|word| word.strip_prefix("told ")?.parse().ok());
        Some(Limits { memory_bytes: bytes, ..Limits::default() })
    }

    /// The restart policy of its container: `told to restart` was done by hand.
    pub(crate) fn restart_seen(&self, settings: &Service) -> Restart {
        if self.says("told to restart") { Restart::Always } else { settings.restart }
    }

    /// Adds it to a shape.
    pub(crate) fn add_to(&self, shape: &mut Shape) {
        let mut service = Service { image: self.image.clone(), ..Service::default() };
        for word in &self.words {
            let (verb, rest) = word.split_once(' ').unwrap_or((word, ""));
            self.understand(verb, rest, &mut service, shape);
        }
        if service.networks.is_empty() && service.network_mode.is_none() {
            join(&mut service, shape, "net");
        }
        shape.services.insert(self.name.clone(), service);
    }

    fn understand(&self, verb: &str, rest: &str, service: &mut Service, shape: &mut Shape) {
        match verb {
            "stopped" | "crashed" | "ended" | "dead" | "paused" | "created" | "restarting" | "foreign"
            | "sealed" | "elsewhere" | "unanswered" | "kept" | "composed" | "off" | "beside" | "told"
            | "forgetful" => {}
            "scaled" => service.scale = Some(rest.parse().expect("how many is a number")),
            "nameless" => {
                let source = MountSource::Anonymous;
                service.mounts.push(Mount { target: rest.to_owned(), source, read_only: false });
            }
            "in" => service.network_mode = Some(Namespace::Service(ServiceName::from(rest))),
            "linked" => service.links.push(rest.to_owned()),
            "with" => service
                .volumes_from
                .push(VolumesFrom::Service { service: ServiceName::from(rest), read_only: false }),
            "after" => depend(service, rest),
            "port" => {
                let published = Some(rest.parse().expect("a port is a number"));
                service.ports.push(Port::tcp(published, 80));
            }
            "env" => {
                let (name, value) = rest.split_once('=').expect("a variable is written NAME=VALUE");
                // `$VALUE` came from the shell: the shape holds its keyed hash.
                let text = value
                    .strip_prefix('$')
                    .map_or_else(|| Text::literal(value), |held| held_text(name, held));
                service.environment.insert(name.to_owned(), Some(text));
            }
            "annotated" => {
                service.annotations.insert(rest.to_owned(), "yes".to_owned());
            }
            "host" => service.network_mode = Some(Namespace::Engine("host".to_owned())),
            "named" => service.container_name = Some(rest.to_owned()),
            "on" => join(service, shape, rest),
            "pulled" => service.pull_policy = stack::PullPolicy::Always,
            "never" => service.pull_policy = stack::PullPolicy::Never,
            "daily" => service.pull_policy = stack::PullPolicy::Every(Duration::from_secs(24 * 60 * 60)),
            "built" => {
                service.build = Some(Build { context: "/srv/blog".to_owned(), ..Build::default() });
                if rest == "anew" {
                    service.pull_policy = stack::PullPolicy::Build;
                }
            }
            "archived" => service.archive = Some("/srv/blog/web.tar".to_owned()),
            "built-with" => {
                let args = [("TOKEN".to_owned(), Some(Text(vec![stack::Part::Secret(rest.into())])))].into();
                service.build = Some(Build { context: "/srv/blog".to_owned(), args, ..Build::default() });
            }
            "at" => {
                let command = vec![Text::literal("true")];
                let hook = Hook { command, ..Hook::default() };
                match rest {
                    "start" => service.post_start.push(hook),
                    "stop" => service.pre_stop.push(hook),
                    other => panic!("`{other}` is no moment"),
                }
            }
            "probe" => service.probes.push(probe(rest)),
            "checked" => service.healthcheck = Some(health_check("CMD")),
            "unchecked" => service.healthcheck = Some(health_check("NONE")),
            "volume" | "external" | "file" | "bind" => self.mount(verb, rest, service, shape),
            "secret" => give(service, shape, rest, SecretKind::Password { length: 24 }),
            "given" => give(service, shape, rest, SecretKind::Given),
            "approle" => give(service, shape, rest, SecretKind::Approle),
            "postgres" | "sqlite" | "keys" | "discard" => self.state(verb, rest, service, shape),
            other => panic!("`{other}` is no word for a service"),
        }
    }

    fn mount(&self, verb: &str, rest: &str, service: &mut Service, shape: &mut Shape) {
        let key = VolumeKey::new(format!("{}data", self.name));
        let (source, read_only) = match verb {
            "file" => {
                let (path, content) = rest.split_once('=').expect("a file is written PATH=CONTENT");
                let content = Some(ContentId(content.to_owned()));
                (
                    MountSource::Bind {
                        path: format!("/srv/blog/{path}"),
                        content,
                        options: stack::BindOptions::default(),
                    },
                    true,
                )
            }
            "bind" => (MountSource::bind(rest), false),
            _ => {
                let external = verb == "external";
                shape.volumes.insert(key.clone(), stack::Volume { external, ..stack::Volume::default() });
                (MountSource::volume(key), false)
            }
        };
        service.mounts.push(Mount { target: "/data".to_owned(), source, read_only });
    }

    fn state(&self, verb: &str, rest: &str, service: &mut Service, shape: &mut Shape) {
        let volume = VolumeKey::new(format!("{}data", self.name));
        let kind = match verb {
            "postgres" => StateKind::Postgres { database: "blog".to_owned(), user: "postgres".to_owned() },
            "sqlite" => StateKind::Sqlite { volume: volume.clone(), path: "blog.db".to_owned() },
            "discard" => StateKind::Discard { reason: rest.to_owned() },
            _ => StateKind::Transit(Transit {
                key: "blog".to_owned(),
                port: 8200,
                shares: 5,
                threshold: 3,
                holders: Vec::new(),
                credential: SecretName::from("app_keys"),
                volume: Some(volume),
                dev_token: (rest == "for development").then(|| "root".to_owned()),
            }),
        };
        if verb == "keys" {
            shape.secrets.insert("app_keys".into(), spec(SecretKind::Approle));
        }
        if verb != "discard" {
            self.mount("volume", "", service, shape);
        }
        shape.states.insert(self.name.clone(), State { kind, heartbeat: None });
    }
}

fn depend(service: &mut Service, rest: &str) {
    let (rest, restart) = rest.strip_suffix(" restart").map_or((rest, false), |rest| (rest, true));
    let (rest, required) = rest.strip_suffix(" maybe").map_or((rest, true), |rest| (rest, false));
    let (on, condition) = match rest.split_once(' ') {
        Some((on, "done")) => (on, Condition::ServiceCompletedSuccessfully),
        Some((on, _)) => (on, Condition::ServiceHealthy),
        None => (rest, Condition::ServiceStarted),
    };
    let dependency = Dependency { condition, required, restart };
    service.depends_on.insert(ServiceName::from(on), dependency);
}

/// `edge`, `edge of others`, or `edge at 10.9.0.2`.
fn join(service: &mut Service, shape: &mut Shape, words: &str) {
    let words: Vec<&str> = words.split(' ').collect();
    let (key, external, address) = match words.as_slice() {
        [key, "of", "others"] => (*key, true, None),
        [key, "at", address] => (*key, false, Some((*address).to_owned())),
        _ => (words[0], false, None),
    };
    let pool = |_| IpamPool { subnet: Some("10.9.0.0/24".to_owned()), ..IpamPool::default() };
    let ipam = Ipam { pools: address.iter().map(pool).collect(), ..Ipam::default() };
    let name = external.then(|| key.to_owned());
    let network = stack::Network { external, name, ipam, ..stack::Network::default() };
    shape.networks.insert(NetworkKey::from(key), network);
    let attachment = Attachment { ipv4_address: address, ..Attachment::default() };
    service.networks.insert(NetworkKey::from(key), attachment);
}

fn give(service: &mut Service, shape: &mut Shape, name: &str, kind: SecretKind) {
    let name = SecretName::from(name);
    shape.secrets.insert(name.clone(), spec(kind));
    let target = format!("/run/secrets/{name}");
    let source = FileSource::Secret { name };
    service.files.push(FileMount { target, source, uid: 0, gid: 0, mode: 0o444, sensitive: true });
}

fn held_text(variable: &str, value: &str) -> Text {
    let id = ContentId(format!("keyed hash of {value}"));
    Text(vec![Part::Held { variable: variable.to_owned(), id }])
}

fn spec(kind: SecretKind) -> SecretSpec {
    SecretSpec { kind, from: None, required: true }
}

fn health_check(first: &str) -> Healthcheck {
    Healthcheck {
        test: vec![Text::literal(first)],
        interval: None,
        timeout: None,
        start_period: None,
        start_interval: None,
        retries: None,
    }
}

/// One that is asked when `role` says; without a word, of what is ready. A start may take long.
fn probe(role: &str) -> Probe {
    let role = match role {
        "startup" => ProbeRole::Startup,
        "live" => ProbeRole::Live,
        _ => ProbeRole::Ready,
    };
    let deadline = (role == ProbeRole::Startup).then(|| Duration::from_secs(150));

    Probe { port: Some(80), role, deadline, ..Probe::new(ProbeKind::http("/ready")) }
}
