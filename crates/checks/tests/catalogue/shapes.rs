//! Small shapes: a stack is what a test says of it, and nothing else.

use std::{collections::BTreeMap, time::Duration};

use checks::{Finding, Input};
use diag::Place;
use plan::SecretSeen;
use stack::{
    Attachment, BackupSpec, Condition, Dependency, DrillSpec, EngineKind, Healthcheck, Mount, MountSource,
    Network, NetworkKey, Part, Port, SecretKind, SecretName, SecretSpec, Service, ServiceName, Shape,
    StackName, State, StateKind, Text, Transit, Volume, VolumeKey,
};

/// A stack that is built up by saying what is in it.
#[derive(Clone)]
pub(crate) struct Stack {
    pub(crate) shape: Shape,
    pub(crate) engine: EngineKind,
    pub(crate) stored: Option<BTreeMap<SecretName, SecretSeen>>,
    pub(crate) held: BTreeMap<stack::ContentId, String>,
    pub(crate) places: BTreeMap<String, Place>,
}

/// An empty stack.
pub(crate) fn stack() -> Stack {
    let shape = Shape {
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
        services: BTreeMap::new(),
        networks: BTreeMap::new(),
        volumes: BTreeMap::new(),
        secrets: BTreeMap::new(),
        states: BTreeMap::new(),
        backup: BackupSpec::default(),
        controls: BTreeMap::new(),
        drill: DrillSpec::default(),
    };
    Stack { shape, engine: EngineKind::Docker, stored: None, held: BTreeMap::new(), places: BTreeMap::new() }
}

impl Stack {
    /// With a service of this image, changed by `change`.
    pub(crate) fn service(mut self, name: &str, image: &str, change: impl FnOnce(&mut Service)) -> Self {
        let mut service = Service { image: image.to_owned(), ..Service::default() };
        change(&mut service);
        for network in service.networks.keys() {
            self.shape.networks.entry(network.clone()).or_default();
        }
        for mount in &service.mounts {
            if let MountSource::Volume { volume, .. } = &mount.source {
                self.shape.volumes.insert(volume.clone(), Volume::default());
            }
        }
        self.shape.services.insert(ServiceName::from(name), service);
        self
    }

    /// The same, as a production shape.
    pub(crate) fn production(mut self) -> Self {
        self.shape.production = true;
        self
    }

    /// The same, with a network that has no way out.
    pub(crate) fn internal(mut self, network: &str) -> Self {
        self.shape
            .networks
            .insert(NetworkKey::from(network), Network { internal: true, ..Network::default() });
        self
    }

    /// The same, with a declared secret.
    pub(crate) fn secret(mut self, name: &str) -> Self {
        let spec = SecretSpec { kind: SecretKind::Password { length: 24 }, from: None, required: true };
        self.shape.secrets.insert(SecretName::from(name), spec);
        self
    }

    /// The same, with a declared state.
    pub(crate) fn state(mut self, service: &str, kind: StateKind) -> Self {
        self.shape.states.insert(ServiceName::from(service), State { kind, heartbeat: None });
        self
    }

    /// The same, changed.
    pub(crate) fn with(mut self, change: impl FnOnce(&mut Shape)) -> Self {
        change(&mut self.shape);
        self
    }

    /// Everything all checks find.
    pub(crate) fn findings(&self) -> Vec<Finding> {
        let materials = stack::Materials { held: self.held.clone(), ..stack::Materials::default() };
        checks::run(&Input {
            shape: &self.shape,
            places: &self.places,
            engine: self.engine,
            materials: Some(&materials),
            stored: self.stored.as_ref(),
            facts: None,
        })
    }

    /// The messages of one check.
    pub(crate) fn messages(&self, check: &str) -> Vec<String> {
        let of = self.findings().into_iter().filter(|finding| finding.check == check);
        of.map(|finding| finding.message).collect()
    }
}

/// Asserts that `check` says `message` of the first stack and nothing of the second.
#[track_caller]
pub(crate) fn red_green(check: &str, red: &Stack, message: &str, green: &Stack) {
    assert!(checks::explain(check).is_some(), "`{check}` is in the catalogue");
    assert_eq!(red.messages(check), [message], "red");
    assert_eq!(green.messages(check), [""; 0], "green");
}

/// Sets a variable to a literal value.
pub(crate) fn env(service: &mut Service, variable: &str, value: &str) {
    service.environment.insert(variable.to_owned(), Some(Text::literal(value)));
}

/// Sets a variable to a text with a secret in it.
pub(crate) fn env_secret(service: &mut Service, variable: &str, secret: &str) {
    let text = Text(vec![Part::Secret(SecretName::from(secret))]);
    service.environment.insert(variable.to_owned(), Some(text));
}

/// A published port, as `8080:80` or `127.0.0.1:8080:80`.
pub(crate) fn publish(service: &mut Service, port: &str) {
    let mut parts: Vec<&str> = port.rsplitn(3, ':').collect();
    parts.reverse();
    let host_ip = (parts.len() == 3).then(|| parts.remove(0).to_owned());
    let number = |text: &str| text.parse().expect("a port number");
    service.ports.push(Port { host_ip, ..Port::tcp(Some(number(parts[0])), number(parts[1])) });
}

/// Joins networks.
pub(crate) fn join(service: &mut Service, networks: &[&str]) {
    for network in networks {
        service.networks.insert(NetworkKey::from(*network), Attachment::default());
    }
}

/// Waits for another service.
pub(crate) fn after(service: &mut Service, other: &str, condition: Condition) {
    let dependency = Dependency { condition, required: true, restart: false };
    service.depends_on.insert(ServiceName::from(other), dependency);
}

/// Mounts a named volume.
pub(crate) fn volume(service: &mut Service, volume: &str, target: &str) {
    let source = MountSource::volume(volume);
    service.mounts.push(Mount { target: target.to_owned(), source, read_only: false });
}

/// Mounts a path of the host.
pub(crate) fn bind(service: &mut Service, path: &str, read_only: bool) {
    let source = MountSource::bind(path);
    service.mounts.push(Mount { target: path.to_owned(), source, read_only });
}

/// A health check that runs a command.
pub(crate) fn healthcheck(words: &[&str]) -> Healthcheck {
    Healthcheck {
        test: words.iter().map(|word| Text::literal(*word)).collect(),
        interval: None,
        timeout: None,
        start_period: None,
        start_interval: None,
        retries: None,
    }
}

/// PostgreSQL as a state.
pub(crate) fn postgres() -> StateKind {
    StateKind::Postgres { database: "blog".to_owned(), user: "postgres".to_owned() }
}

/// A key store as a state.
pub(crate) fn transit() -> StateKind {
    StateKind::Transit(Transit {
        key: "atrest".to_owned(),
        port: 8200,
        shares: 5,
        threshold: 3,
        holders: Vec::new(),
        credential: SecretName::from("credential"),
        volume: Some(VolumeKey::from("baodata")),
        dev_token: Some("dev-root".to_owned()),
    })
}
