//! One service of the stack.

use std::{collections::BTreeMap, time::Duration};

use serde::{Deserialize, Serialize};

use super::{
    Attachment, Build, Exposed, FileMount, FileSource, Mount, Port, Probe, ProbeRole, Resources, VolumesFrom,
};
use crate::{
    names::{NetworkKey, SecretName, ServiceName},
    text::Text,
};

/// One service of the stack.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Service {
    /// Image reference as written, interpolated; of a service that is built, the name its image is given. Empty only
    /// where [`Service::process`] is all there is.
    pub image: String,
    /// How its image is built, where it is.
    pub build: Option<Build>,
    /// The archive that its image is loaded from, where it is; absolute.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub archive: Option<String>,
    /// `platform`: `os/architecture[/variant]`.
    pub platform: Option<String>,
    /// `pull_policy`: missing by default.
    pub pull_policy: PullPolicy,
    /// Overrides the image's entrypoint.
    pub entrypoint: Option<Vec<Text>>,
    /// Overrides the image's command.
    pub command: Option<Vec<Text>>,
    /// Environment, `env_file`s merged in. A value of `None` is inherited from nowhere: it unsets.
    pub environment: BTreeMap<String, Option<Text>>,
    /// Labels the user wrote, those of `label_file` among them.
    pub labels: BTreeMap<String, String>,
    /// Annotations for the runtime (API 1.43).
    pub annotations: BTreeMap<String, String>,
    /// How many containers of it run: `scale`, or `deploy.replicas`. Nothing: one.
    pub scale: Option<u32>,
    /// Published ports.
    pub ports: Vec<Port>,
    /// Ports the container listens on, unpublished.
    pub expose: Vec<Exposed>,
    /// Networks it joins, with extra aliases. Empty with [`Service::network_mode`].
    pub networks: BTreeMap<NetworkKey, Attachment>,
    /// Whose network it shares, when it has none of its own.
    pub network_mode: Option<Namespace>,
    /// Containers of services by other names: `SERVICE[:ALIAS]`.
    pub links: Vec<String>,
    /// Containers of other stacks by other names: `CONTAINER[:ALIAS]`.
    pub external_links: Vec<String>,
    /// Name servers.
    pub dns: Vec<String>,
    /// Options of the resolver.
    pub dns_opt: Vec<String>,
    /// Domains that are searched.
    pub dns_search: Vec<String>,
    /// `volumes`: volumes, binds, memory, images.
    pub mounts: Vec<Mount>,
    /// `tmpfs`: path to options as the engine takes them (`size=64m,mode=1777`).
    pub tmpfs: BTreeMap<String, String>,
    /// Services and containers whose mounts it shares.
    pub volumes_from: Vec<VolumesFrom>,
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
    /// Groups it is in besides.
    pub group_add: Vec<String>,
    /// Working directory.
    pub working_dir: Option<String>,
    /// Host name.
    pub hostname: Option<String>,
    /// Domain name.
    pub domainname: Option<String>,
    /// Hardware address, of the first network.
    pub mac_address: Option<String>,
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
    /// Security options; of a profile that stands in a file, what it holds: `seccomp={…}`.
    pub security_opt: Vec<String>,
    /// Extra hosts, `name=address`.
    pub extra_hosts: Vec<String>,
    /// Kernel parameters.
    pub sysctls: BTreeMap<String, String>,
    /// Memory, CPU, devices and the rest of what it may use, `deploy.resources` laid over the service's own keys.
    pub resources: Resources,
    /// `/dev/shm` in bytes.
    pub shm_bytes: Option<u64>,
    /// Options of the container's writable layer.
    pub storage_opt: BTreeMap<String, String>,
    /// Whose processes it sees: `pid`.
    pub pid: Option<Namespace>,
    /// Whose shared memory it has: `ipc`.
    pub ipc: Option<Namespace>,
    /// `uts: host`.
    pub uts: Option<String>,
    /// `userns_mode: host`.
    pub userns_mode: Option<String>,
    /// `cgroup: host|private`.
    pub cgroup: Option<String>,
    /// The OCI runtime.
    pub runtime: Option<String>,
    /// Isolation technology of the engine.
    pub isolation: Option<String>,
    /// The engine's own socket is mounted, with the credentials of its client.
    pub use_api_socket: bool,
    /// Signal that asks it to stop.
    pub stop_signal: Option<String>,
    /// How long it may take to stop. Default 10 s.
    pub stop_grace: Option<Duration>,
    /// Log driver and its options.
    pub logging: Option<Logging>,
    /// Commands run inside after it was started.
    pub post_start: Vec<Hook>,
    /// Commands run inside before it is stopped.
    pub pre_stop: Vec<Hook>,
    /// A terminal.
    pub tty: bool,
    /// Keeps stdin open.
    pub stdin_open: bool,
    /// Probes of `[service.NAME]`, in order.
    pub probes: Vec<Probe>,
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
    /// It is built at each deploy.
    Build,
    /// When what is there was pulled longer ago than this.
    Every(Duration),
}

/// A namespace that is shared instead of being the container's own.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Namespace {
    /// That of the first container of a service of the stack.
    Service(ServiceName),
    /// As the engine takes it: `host`, `none`, `container:NAME`, and for networks a network's name.
    Engine(String),
}

/// A command run inside a container at a moment of its life.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Hook {
    /// Program and arguments.
    pub command: Vec<Text>,
    /// Who runs it; default: the container's user.
    pub user: Option<String>,
    /// With extended privileges.
    pub privileged: bool,
    /// Where it runs.
    pub working_dir: Option<String>,
    /// Environment added to the container's.
    pub environment: BTreeMap<String, Option<Text>>,
}

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

impl Service {
    /// How many containers of it run.
    pub fn replicas(&self) -> u32 {
        self.scale.unwrap_or(1)
    }

    /// Services whose network, processes or shared memory are its own too.
    pub fn namespaces_shared(&self) -> impl Iterator<Item = &ServiceName> {
        [&self.network_mode, &self.pid, &self.ipc].into_iter().filter_map(|namespace| match namespace {
            Some(Namespace::Service(service)) => Some(service),
            _ => None,
        })
    }

    /// Services whose volumes it mounts.
    pub fn volumes_shared(&self) -> impl Iterator<Item = &ServiceName> {
        self.volumes_from.iter().filter_map(|from| match from {
            VolumesFrom::Service { service, .. } => Some(service),
            VolumesFrom::Container { .. } => None,
        })
    }

    /// Its probes for a moment of its life, in order. A start has none but its own; where nothing is said for one of
    /// the other two, what is said for another serves.
    pub fn probes_for(&self, role: ProbeRole) -> Vec<&Probe> {
        let serve: &[ProbeRole] = match role {
            ProbeRole::Startup => &[ProbeRole::Startup],
            ProbeRole::Ready => &[ProbeRole::Ready, ProbeRole::Live, ProbeRole::Startup],
            ProbeRole::Live => &[ProbeRole::Live, ProbeRole::Ready, ProbeRole::Startup],
        };
        let of =
            |role: &ProbeRole| self.probes.iter().filter(|probe| probe.role == *role).collect::<Vec<_>>();
        serve.iter().map(of).find(|probes| !probes.is_empty()).unwrap_or_default()
    }

    /// The one port probes talk to when they name none.
    pub fn only_port(&self) -> Option<u16> {
        let mut ports: Vec<u16> = self
            .ports
            .iter()
            .map(|port| port.target)
            .chain(self.expose.iter().map(|port| port.port))
            .collect();
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
            .chain(self.entrypoint.iter().flatten())
            .chain(self.post_start.iter().chain(&self.pre_stop).flat_map(Hook::texts));
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

impl Hook {
    fn texts(&self) -> impl Iterator<Item = &Text> {
        self.command.iter().chain(self.environment.values().flatten())
    }
}

impl Namespace {
    /// True of the host's own.
    pub fn is_host(&self) -> bool {
        matches!(self, Self::Engine(mode) if mode == "host")
    }
}
