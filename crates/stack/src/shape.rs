//! `Shape`: the stack as it should be in one of its declared variations, everything resolved, no secret value in it.

use std::{collections::BTreeMap, time::Duration};

use serde::{Deserialize, Serialize};

use crate::{
    names::{NetworkKey, SecretName, ServiceName, StackName, VolumeKey},
    text::Text,
};

/// The stack as it should be, in one of its declared variations (local, prod, tunnel).
///
/// It holds references where a value is secret: see [`Text`]. Everything else is resolved.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Shape {
    /// The Compose project name.
    pub stack: StackName,
    /// The name of the variation.
    pub name: String,
    /// Production: forbids what `explain production` lists.
    pub production: bool,
    /// The stack is live: `destroy` and `e2e` are refused.
    pub live: bool,
    /// The engine that `[stack] engine` names, if it names one.
    pub engine: Option<EngineKind>,
    /// How long a release must stay healthy before it is good. Default 10 s.
    pub min_healthy: Duration,
    /// How long a service may take to become ready. Default 60 s.
    pub timeout: Duration,
    /// Compose files in merge order, as the user named them.
    pub files: Vec<String>,
    /// The project directory, absolute.
    pub directory: String,
    /// Host ports this shape may publish; a published port outside the list is a finding. `None`: not declared.
    pub publishes: Option<Vec<u16>>,
    /// Public origins, as declared.
    pub origins: Vec<String>,
    /// Services enabled in this shape.
    pub services: BTreeMap<ServiceName, Service>,
    /// Networks that enabled services use.
    pub networks: BTreeMap<NetworkKey, Network>,
    /// Volumes that enabled services use.
    pub volumes: BTreeMap<VolumeKey, Volume>,
    /// Secrets declared in `[secret]`.
    pub secrets: BTreeMap<SecretName, SecretSpec>,
    /// What must survive, by the service that holds it.
    pub states: BTreeMap<ServiceName, State>,
    /// Where sets go and who can open them.
    pub backup: BackupSpec,
    /// What a drill asserts beside the defaults.
    pub drill: DrillSpec,
}

/// Where services run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum EngineKind {
    /// The Docker Engine API.
    Docker,
    /// Native processes; isolates nothing.
    Process,
}

/// One service of the stack.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Service {
    /// Image reference as written, interpolated. Empty only where [`Service::process`] is all there is.
    pub image: String,
    /// `pull_policy`: missing by default.
    pub pull_policy: PullPolicy,
    /// Overrides the image's entrypoint.
    pub entrypoint: Option<Vec<Text>>,
    /// Overrides the image's command.
    pub command: Option<Vec<Text>>,
    /// Environment, `env_file`s merged in. A value of `None` is inherited from nowhere: it unsets.
    pub environment: BTreeMap<String, Option<Text>>,
    /// Labels the user wrote.
    pub labels: BTreeMap<String, String>,
    /// Published ports.
    pub ports: Vec<Port>,
    /// Ports the container listens on, unpublished.
    pub expose: Vec<u16>,
    /// Networks it joins, with extra aliases. Empty with [`Service::network_mode`].
    pub networks: BTreeMap<NetworkKey, Attachment>,
    /// `network_mode: none|host`, when given.
    pub network_mode: Option<String>,
    /// Volumes, binds and tmpfs.
    pub mounts: Vec<Mount>,
    /// Files delivered into the container before it starts: Compose secrets and configs.
    pub files: Vec<FileMount>,
    /// What it starts after.
    pub depends_on: BTreeMap<ServiceName, Dependency>,
    /// The container's own health check.
    pub healthcheck: Option<Healthcheck>,
    /// Restart policy.
    pub restart: Restart,
    /// User and group.
    pub user: Option<String>,
    /// Working directory.
    pub working_dir: Option<String>,
    /// Host name.
    pub hostname: Option<String>,
    /// `container_name`, when given.
    pub container_name: Option<String>,
    /// Run an init inside.
    pub init: Option<bool>,
    /// Mount the root file system read-only.
    pub read_only: bool,
    /// Extended privileges.
    pub privileged: bool,
    /// Added capabilities.
    pub cap_add: Vec<String>,
    /// Dropped capabilities.
    pub cap_drop: Vec<String>,
    /// Security options.
    pub security_opt: Vec<String>,
    /// Extra hosts, `name=address`.
    pub extra_hosts: Vec<String>,
    /// Kernel parameters.
    pub sysctls: BTreeMap<String, String>,
    /// Memory limit in bytes.
    pub memory_bytes: Option<u64>,
    /// CPU limit in thousandths of a CPU.
    pub cpu_millis: Option<u64>,
    /// Limit of processes.
    pub pids_limit: Option<i64>,
    /// `/dev/shm` in bytes.
    pub shm_bytes: Option<u64>,
    /// Signal that asks it to stop.
    pub stop_signal: Option<String>,
    /// How long it may take to stop. Default 10 s.
    pub stop_grace: Option<Duration>,
    /// Log driver and its options.
    pub logging: Option<Logging>,
    /// A terminal.
    pub tty: bool,
    /// Keeps stdin open.
    pub stdin_open: bool,
    /// Probes of `[service.NAME]`, in order.
    pub probes: Vec<Probe>,
    /// How it is replaced: `[service.NAME] overlap`.
    pub overlap: Overlap,
    /// What the process engine runs: `[service.NAME] process`.
    pub process: Option<ProcessSpec>,
}

/// What the process engine runs for a service.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct ProcessSpec {
    /// Program and arguments; `${address:db}` is the address given to service `db`, `${volume:data}` the
    /// directory of a volume, `${file:secret_name}` the path of a delivered file.
    pub command: Vec<String>,
    /// Environment added to the service's own; the same `${…}` forms.
    pub environment: BTreeMap<String, String>,
}

/// When an image is fetched.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum PullPolicy {
    /// When it is not there.
    #[default]
    Missing,
    /// At each deploy.
    Always,
    /// Never: it must be there.
    Never,
}

/// One published port.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Port {
    /// Host address, when given.
    pub host_ip: Option<String>,
    /// Host port; `None`: the engine picks one.
    pub published: Option<u16>,
    /// Container port.
    pub target: u16,
    /// `tcp` or `udp`.
    pub protocol: String,
}

/// How a service joins a network.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Attachment {
    /// Names besides the service's own.
    pub aliases: Vec<String>,
    /// A fixed IPv4 address.
    pub ipv4_address: Option<String>,
}

/// Something mounted into a container.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mount {
    /// Absolute path inside.
    pub target: String,
    /// What is mounted.
    pub source: MountSource,
    /// Read-only.
    pub read_only: bool,
}

/// What a mount brings in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "lowercase")]
pub enum MountSource {
    /// A named volume of the stack.
    Volume {
        /// Its key in the Compose file.
        volume: VolumeKey,
    },
    /// A volume without a name.
    Anonymous,
    /// A path of the host. `content` is the hash of what a read-only bind holds: part of the service's identity,
    /// and what a release keeps. Writable binds never have one.
    Bind {
        /// Absolute path.
        path: String,
        /// Hash of the file or tree, for read-only binds up to 200 files and 4 MiB.
        content: Option<ContentId>,
    },
    /// Memory.
    Tmpfs {
        /// Limit in bytes.
        size_bytes: Option<u64>,
        /// Mode bits.
        mode: Option<u32>,
    },
}

/// A Compose secret or config as a file in the container.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileMount {
    /// Absolute path inside.
    pub target: String,
    /// Where the content comes from.
    pub source: FileSource,
    /// Owner, numeric.
    pub uid: u32,
    /// Group, numeric.
    pub gid: u32,
    /// Mode bits. Compose's default is 0444.
    pub mode: u32,
    /// True for `secrets:`: the content is kept sealed.
    pub sensitive: bool,
}

/// Where the content of a delivered file comes from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "lowercase")]
pub enum FileSource {
    /// A secret of `[secret]`.
    Secret {
        /// Its name.
        name: SecretName,
    },
    /// A file, an inline content or a variable, by the hash of its content; the bytes are in the materials.
    Content {
        /// Keyed hash where the file is sensitive, plain SHA-256 otherwise.
        content: ContentId,
        /// What a person calls it (a path, `inline`, a variable's name).
        label: String,
    },
}

/// The hash that names a piece of content. Hex.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ContentId(pub String);

/// `depends_on` of one service.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Dependency {
    /// What must be true of it.
    pub condition: Condition,
    /// False: it may be missing.
    pub required: bool,
    /// True: a change there restarts this one.
    pub restart: bool,
}

/// The condition of a dependency.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Condition {
    /// It was started.
    ServiceStarted,
    /// Its health check or ready probe passed.
    ServiceHealthy,
    /// It ran and ended with 0.
    ServiceCompletedSuccessfully,
}

/// The container's own health check.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Healthcheck {
    /// `["CMD", …]`, `["CMD-SHELL", …]` or `["NONE"]`.
    pub test: Vec<Text>,
    /// Time between checks.
    pub interval: Option<Duration>,
    /// Time a check may take.
    pub timeout: Option<Duration>,
    /// Failures that do not count at first.
    pub start_period: Option<Duration>,
    /// Time between checks during the start period (API 1.44).
    pub start_interval: Option<Duration>,
    /// Failures that make it unhealthy.
    pub retries: Option<u32>,
}

/// Restart policy.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Restart {
    /// Never.
    #[default]
    No,
    /// Always.
    Always,
    /// Unless somebody stopped it.
    UnlessStopped,
    /// When it fails, at most so often.
    OnFailure(Option<u32>),
}

/// Log driver.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Logging {
    /// Its name.
    pub driver: Option<String>,
    /// Its options.
    pub options: BTreeMap<String, String>,
}

/// How a service is replaced.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Overlap {
    /// The old one is stopped before the new one starts.
    #[default]
    Never,
}

/// A network of the stack.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Network {
    /// `name:`, when given; else `PROJECT_KEY`.
    pub name: Option<String>,
    /// It exists already and is not ours.
    pub external: bool,
    /// No way out.
    pub internal: bool,
    /// Driver, when given.
    pub driver: Option<String>,
    /// Driver options.
    pub driver_opts: BTreeMap<String, String>,
    /// Labels the user wrote.
    pub labels: BTreeMap<String, String>,
    /// Address pools: subnet and gateway.
    pub subnets: Vec<String>,
}

/// A volume of the stack.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Volume {
    /// `name:`, when given; else `PROJECT_KEY`.
    pub name: Option<String>,
    /// It exists already and is not ours.
    pub external: bool,
    /// Driver, when given.
    pub driver: Option<String>,
    /// Driver options.
    pub driver_opts: BTreeMap<String, String>,
    /// Labels the user wrote.
    pub labels: BTreeMap<String, String>,
}

/// A secret of `[secret]`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SecretSpec {
    /// How its value comes to be.
    pub kind: SecretKind,
    /// Where the value comes from instead of being generated: `env:…`, `file:…`.
    pub from: Option<String>,
    /// A deploy needs it. Default true.
    pub required: bool,
}

/// The type of a secret: what `bootstrap` generates.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "kebab-case")]
pub enum SecretKind {
    /// URL-safe base64 of N random bytes, as Python's `token_urlsafe(N)`.
    Urlsafe {
        /// Random bytes.
        bytes: usize,
        /// Put before it.
        prefix: String,
    },
    /// Hex of N random bytes.
    Hex {
        /// Random bytes.
        bytes: usize,
        /// Put before it.
        prefix: String,
    },
    /// Standard base64 of N random bytes.
    Base64 {
        /// Random bytes.
        bytes: usize,
    },
    /// Letters and digits that people can type: 24 of them by default.
    Password {
        /// Characters.
        length: usize,
    },
    /// A random UUID (RFC 9562, version 4).
    Uuid,
    /// An EC P-256 private key, PKCS#8 PEM.
    EcP256,
    /// An RSA private key, PKCS#8 PEM.
    Rsa {
        /// Modulus bits: 2048, 3072 or 4096.
        bits: usize,
    },
    /// An Ed25519 private key, PKCS#8 PEM.
    Ed25519,
    /// An X25519 pair, both halves in standard base64, `private:public`.
    X25519,
    /// Issued by the key store when it is bootstrapped: `role_id:secret_id` of the AppRole that may only encrypt
    /// and decrypt with the declared Transit key.
    Approle,
    /// Given by a person or a provider, never generated.
    Given,
}

/// What must survive, and how it is captured.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct State {
    /// What kind of store it is.
    pub kind: StateKind,
    /// SQL that returns the time of the newest heartbeat row, as RFC 3339 text or seconds since 1970.
    pub heartbeat: Option<String>,
}

/// A store that holds state.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum StateKind {
    /// PostgreSQL: dumped from inside its own container in one exported snapshot.
    Postgres {
        /// Database name.
        database: String,
        /// Role; default `postgres`.
        user: String,
    },
    /// SQLite in a volume: copied with `VACUUM INTO`.
    Sqlite {
        /// The volume that holds it.
        volume: VolumeKey,
        /// Path inside that volume.
        path: String,
    },
    /// A key store with a Transit engine (OpenBao, Vault, or the development one).
    Transit(Transit),
    /// Not captured, for a reason that is written down.
    Discard {
        /// Why it may be lost.
        reason: String,
    },
}

/// A key store as `[state.NAME] transit` declares it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Transit {
    /// The Transit key that applications use.
    pub key: String,
    /// The store's API port inside its network.
    pub port: u16,
    /// Key shares made at initialisation.
    pub shares: u8,
    /// Shares needed to unseal.
    pub threshold: u8,
    /// age recipients of the share holders; empty: shares are shown once on a terminal.
    pub holders: Vec<String>,
    /// The secret (type `approle`) that carries the application's credential.
    pub credential: SecretName,
    /// The volume of its data: removed with the store, restored from its snapshot.
    pub volume: Option<VolumeKey>,
    /// Root token of a store that runs in development mode, and so is never initialised by us. Refused in
    /// production; not a secret, because such a store protects nothing.
    pub dev_token: Option<String>,
}

/// `[backup]`.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct BackupSpec {
    /// Directory targets, absolute.
    pub to: Vec<String>,
    /// age recipients that can open a set.
    pub recipients: Vec<String>,
    /// Sets to keep; newest first.
    pub keep: Option<u32>,
    /// How much data may be lost.
    pub rpo: Option<Duration>,
    /// How long a recovery may take.
    pub rto: Option<Duration>,
}

/// `[drill]`.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct DrillSpec {
    /// Services to start and probe in the throwaway; empty: all that hold state or have a probe.
    pub services: Vec<ServiceName>,
}

/// One typed probe of a service.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Probe {
    /// What is asked and what must come back.
    pub kind: ProbeKind,
    /// Container port; default: the service's only exposed or published one.
    pub port: Option<u16>,
    /// When it is asked.
    pub role: ProbeRole,
    /// Time one attempt may take. Default 5 s.
    pub timeout: Duration,
}

/// When a probe is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum ProbeRole {
    /// Before the service counts as started.
    Startup,
    /// Before it counts as ready; also what `validate` asks.
    #[default]
    Ready,
    /// While it runs.
    Live,
}

/// What a probe asks and what must come back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "lowercase")]
pub enum ProbeKind {
    /// An HTTP GET.
    Http {
        /// Path and query.
        path: String,
        /// Accepted status codes; default 200 to 399.
        status: Vec<u16>,
        /// JSON fields that must have these values; dotted path to value. A value `*` means: present.
        json: BTreeMap<String, serde_json::Value>,
        /// `Host` header; default the service's name.
        host: Option<String>,
        /// Speak TLS without checking the name (own probes inside the stack's own networks).
        tls: bool,
    },
    /// A TCP connection.
    Tcp,
    /// A command inside the service's own container that must end with 0.
    Exec {
        /// Program and arguments.
        command: Vec<String>,
    },
    /// A line in the service's log.
    Log {
        /// Text it must contain.
        contains: String,
    },
    /// A websocket: what is sent and what must come back, in order.
    Websocket {
        /// Path and query.
        path: String,
        /// The sequence.
        steps: Vec<WebsocketStep>,
    },
}

/// One step of a websocket probe.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum WebsocketStep {
    /// Send this text.
    Send(String),
    /// The next message must contain this text.
    Expect(String),
}

impl Shape {
    /// The name the engine knows a network by: `name:` or `PROJECT_KEY`, as Compose.
    pub fn network_name(&self, key: &NetworkKey) -> String {
        let declared = self.networks.get(key).and_then(|network| network.name.clone());
        declared.unwrap_or_else(|| format!("{}_{key}", self.stack))
    }

    /// The name the engine knows a volume by: `name:` or `PROJECT_KEY`, as Compose.
    pub fn volume_name(&self, key: &VolumeKey) -> String {
        let declared = self.volumes.get(key).and_then(|volume| volume.name.clone());
        declared.unwrap_or_else(|| format!("{}_{key}", self.stack))
    }

    /// The name of a service's first container: `container_name:` or `PROJECT-SERVICE-1`, as Compose.
    pub fn container_name(&self, service: &ServiceName) -> String {
        let declared = self.services.get(service).and_then(|service| service.container_name.clone());
        declared.unwrap_or_else(|| format!("{}-{service}-1", self.stack))
    }

    /// True for a service that others wait for until it has ended.
    pub fn runs_once(&self, service: &ServiceName) -> bool {
        let once = Condition::ServiceCompletedSuccessfully;
        self.services
            .values()
            .any(|other| other.depends_on.get(service).is_some_and(|on| on.condition == once))
    }

    /// The key store of the stack, when it declares one.
    pub fn key_store(&self) -> Option<(&ServiceName, &Transit)> {
        self.states.iter().find_map(|(service, state)| match &state.kind {
            StateKind::Transit(transit) => Some((service, transit)),
            _ => None,
        })
    }

    /// Services in an order in which each comes after what it depends on: name order where nothing decides.
    ///
    /// A cycle was refused when the shape was read; services of one would come last.
    pub fn start_order(&self) -> Vec<ServiceName> {
        let mut order: Vec<ServiceName> = Vec::new();
        let mut left: Vec<&ServiceName> = self.services.keys().collect();
        while !left.is_empty() {
            let ready = left.iter().position(|name| {
                self.services[*name]
                    .depends_on
                    .keys()
                    .all(|on| order.contains(on) || !self.services.contains_key(on))
            });
            order.push(left.remove(ready.unwrap_or(0)).clone());
        }
        order
    }

    /// These services, and all that they depend on, however far away.
    pub fn with_dependencies(&self, services: &[ServiceName]) -> Vec<ServiceName> {
        let mut all: Vec<ServiceName> = services.to_vec();
        let mut at = 0;
        while at < all.len() {
            let on = self.services.get(&all[at]).into_iter().flat_map(|service| service.depends_on.keys());
            let new: Vec<ServiceName> = on.filter(|name| !all.contains(name)).cloned().collect();
            all.extend(new);
            at += 1;
        }
        all
    }
}

impl Service {
    /// The one port probes talk to when they name none.
    pub fn only_port(&self) -> Option<u16> {
        let mut ports: Vec<u16> =
            self.ports.iter().map(|port| port.target).chain(self.expose.iter().copied()).collect();
        ports.sort_unstable();
        ports.dedup();
        match ports.as_slice() {
            [port] => Some(*port),
            _ => None,
        }
    }

    /// Names of `[secret]` entries it is given, by file, environment or command.
    pub fn secrets_used(&self) -> Vec<SecretName> {
        let texts = self
            .environment
            .values()
            .flatten()
            .chain(self.command.iter().flatten())
            .chain(self.entrypoint.iter().flatten());
        let mut names: Vec<SecretName> =
            texts.flat_map(|text| text.secrets().cloned().collect::<Vec<_>>()).collect();
        names.extend(self.files.iter().filter_map(|file| match &file.source {
            FileSource::Secret { name } => Some(name.clone()),
            FileSource::Content { .. } => None,
        }));
        names.sort();
        names.dedup();
        names
    }
}
