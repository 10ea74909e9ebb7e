//! `Facts`: what a survey saw, and when. The planners' second argument.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use stack::{EngineKind, NetworkKey, Restart, SecretName, ServiceName, Shape, VolumeKey};

use crate::set::SetId;

/// What a survey of one host saw of one stack.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Facts {
    /// When it was seen.
    pub seen_at: jiff::Timestamp,
    /// The machine and its engine.
    pub host: HostSeen,
    /// Containers (or supervised processes) that carry the stack's project label, running or not.
    pub containers: Vec<ContainerSeen>,
    /// Networks of the engine, by name: the stack's own, and any external one the shape names.
    pub networks: BTreeMap<String, NetworkSeen>,
    /// Volumes of the engine, by name: the stack's own, and any external one the shape names.
    pub volumes: BTreeMap<String, VolumeSeen>,
    /// Images the shape names, by reference as written; absent: not on the host.
    pub images: BTreeMap<String, ImageSeen>,
    /// Archives that images of the shape are loaded from, by the image.
    #[serde(default)]
    pub archives: BTreeMap<String, ArchiveSeen>,
    /// Releases on disk, oldest first.
    pub releases: Vec<ReleaseSeen>,
    /// The release `current` names.
    pub current: Option<u64>,
    /// The release `good` names.
    pub good: Option<u64>,
    /// Secrets in the sealed store.
    pub secrets: BTreeMap<SecretName, SecretSeen>,
    /// Key stores that could be asked, by service.
    pub key_stores: BTreeMap<ServiceName, KeyStoreSeen>,
    /// Sets on the targets, newest first.
    pub sets: Vec<SetSeen>,
    /// What people have attested, newest first.
    #[serde(default)]
    pub attested: Vec<Attested>,
    /// Sets whose removal was begun and not finished: a grave, and objects that no manifest names.
    #[serde(default)]
    pub half_removed: Vec<SetId>,
    /// What Compose would label with what the shape says.
    #[serde(default)]
    pub compose: ComposeHashes,
}

/// The hashes by which Compose knows whether something is what its file says. They are made with all values filled
/// in; nothing here looks into them.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct ComposeHashes {
    /// Of services.
    pub services: BTreeMap<ServiceName, String>,
    /// Of networks.
    pub networks: BTreeMap<NetworkKey, String>,
    /// Of volumes.
    pub volumes: BTreeMap<VolumeKey, String>,
}

/// A person said that a control was done.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attested {
    /// The control.
    pub control: String,
    /// What they had been asked to do.
    pub instruction: String,
    /// Who.
    pub who: String,
    /// When.
    pub at: jiff::Timestamp,
}

/// The machine and its engine.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HostSeen {
    /// Host name; of an engine on another machine its address.
    pub name: String,
    /// Which engine.
    pub engine: EngineKind,
    /// Its version.
    pub version: String,
    /// Its API version, where it has one.
    pub api: Option<String>,
    /// Host TCP ports somebody listens on who is not this stack: port to what is known of the holder.
    pub ports_held: BTreeMap<u16, String>,
}

/// A container as the engine reports it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ContainerSeen {
    /// Name without the leading slash.
    pub name: String,
    /// Engine's id.
    pub id: String,
    /// Compose's service label.
    pub service: ServiceName,
    /// Compose's number label, from 1; a container of `docker compose run` has none.
    #[serde(default)]
    pub number: Option<u32>,
    /// Image id it was made from.
    pub image_id: String,
    /// What it is doing.
    pub phase: Phase,
    /// `seaworthy.identity` label: what it was made from; empty on a container we did not make.
    pub identity: String,
    /// Compose's label for what it was made from; empty on a container that neither Compose nor we made.
    #[serde(default)]
    pub compose_hash: String,
    /// Its restart policy, where the engine tells.
    #[serde(default)]
    pub restart: Option<Restart>,
    /// Limits that can be changed while it runs, where the engine tells.
    #[serde(default)]
    pub limits: Option<Limits>,
    /// `seaworthy.release` label.
    pub release: Option<u64>,
    /// Name of the state directory that made it: `seaworthy.state` label.
    pub state_dir: Option<String>,
    /// Networks it is attached to, by engine name.
    pub networks: Vec<String>,
    /// Volumes without a name that it mounts: one that the file or its image asked for, made with it or carried over
    /// from the container before it.
    #[serde(default)]
    pub anonymous: Vec<AnonymousSeen>,
    /// Its addresses in them.
    #[serde(default)]
    pub addresses: Vec<String>,
    /// Published `(address, host port, container port)`.
    pub ports: Vec<(String, u16, u16)>,
}

/// Limits that can be changed while a container runs. Nothing is no limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Limits {
    /// Memory in bytes.
    pub memory_bytes: Option<u64>,
    /// Thousand-millionths of a CPU.
    pub nano_cpus: Option<i64>,
    /// Processes.
    pub pids: Option<i64>,
}

/// A volume without a name, mounted into a container.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AnonymousSeen {
    /// What the engine calls it.
    pub name: String,
    /// Where it is mounted.
    pub target: String,
}

/// What a container is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Phase {
    /// Made, never started.
    Created,
    /// Running; `healthy` is the engine's own health check, where there is one.
    Running {
        /// `None`: no health check.
        healthy: Option<bool>,
    },
    /// Being restarted by its policy.
    Restarting,
    /// Ended.
    Exited {
        /// Its exit status.
        code: i64,
    },
    /// Paused by hand.
    Paused,
    /// Dead or being removed.
    Dead,
}

impl Phase {
    /// As a person is told it: `running, healthy`, `stopped (exit 1)`.
    pub fn in_words(self) -> String {
        match self {
            Phase::Created => "made, not started".to_owned(),
            Phase::Running { healthy: None } => "running".to_owned(),
            Phase::Running { healthy: Some(true) } => "running, healthy".to_owned(),
            Phase::Running { healthy: Some(false) } => "running, not healthy".to_owned(),
            Phase::Restarting => "restarting".to_owned(),
            Phase::Exited { code } => format!("stopped (exit {code})"),
            Phase::Paused => "paused".to_owned(),
            Phase::Dead => "dead".to_owned(),
        }
    }

    /// True where it runs and no health check says otherwise.
    pub fn is_well(self) -> bool {
        matches!(self, Phase::Running { healthy: None | Some(true) })
    }
}

/// A network the engine has.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NetworkSeen {
    /// No way out.
    pub internal: bool,
    /// Its project label; empty when it carries none.
    pub project: String,
    /// Names of attached containers.
    pub attached: Vec<String>,
}

/// A volume the engine has.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct VolumeSeen {
    /// Its project label; empty when it carries none.
    pub project: String,
}

/// An image the engine has.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct ImageSeen {
    /// Image id.
    pub id: String,
    /// Repository digest, when it was pulled.
    pub digest: Option<String>,
    /// Paths at which a container of it has a volume, named or not.
    #[serde(default)]
    pub volumes: Vec<String>,
    /// When it was last given this name: pulled, built or loaded.
    #[serde(default)]
    pub named_at: Option<jiff::Timestamp>,
}

/// An archive of images, beside what the engine has under a name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "archive", rename_all = "lowercase")]
pub enum ArchiveSeen {
    /// The engine has the very image that the archive holds under that name.
    Loaded,
    /// The archive holds an image of that name, and the engine none, or another.
    Waiting {
        /// The hash of the image's configuration.
        id: String,
    },
    /// Nothing can be loaded from it.
    Unusable {
        /// Why.
        because: String,
    },
}

/// A release on disk.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReleaseSeen {
    /// Its number.
    pub number: u64,
    /// When it was written.
    pub written_at: jiff::Timestamp,
    /// The shape it holds.
    pub shape: Box<Shape>,
    /// Secret versions it uses.
    pub secrets: BTreeMap<SecretName, u32>,
    /// What Compose would label with what its shape says.
    #[serde(default)]
    pub compose: ComposeHashes,
    /// The images it was made from, by reference as written. One that was kept before images were has none.
    #[serde(default)]
    pub images: BTreeMap<String, ImageKept>,
    /// It passed its probes and its watch at least once.
    #[serde(default)]
    pub was_good: bool,
}

/// An image that a release was made from: a tag may name another one since.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ImageKept {
    /// Image id.
    pub id: String,
    /// `NAME@sha256:…` by which it can be pulled, where it came from a registry.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pulled_as: Option<String>,
}

impl ImageKept {
    /// What a release keeps of an image of this reference, as it was seen.
    pub fn of(reference: &str, seen: &ImageSeen) -> Self {
        let pulled_as =
            seen.digest.as_ref().map(|digest| format!("{}@{digest}", stack::image::repository(reference)));
        Self { id: seen.id.clone(), pulled_as }
    }
}

/// A secret in the sealed store.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SecretSeen {
    /// Newest version, from 1.
    pub version: u32,
    /// Keyed hash of that version's value.
    pub fingerprint: String,
}

/// A key store that was asked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeyStoreSeen {
    /// It has been initialised.
    pub initialised: bool,
    /// It is sealed.
    pub sealed: bool,
    /// It says that it is a development store.
    pub development: bool,
    /// It gives snapshots: one that keeps its keys in memory alone has none.
    #[serde(default = "gives_snapshots")]
    pub snapshots: bool,
    /// Its version.
    pub version: String,
}

/// What was not asked before is found out when it is captured.
fn gives_snapshots() -> bool {
    true
}

/// A committed set on a target.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SetSeen {
    /// Its id.
    pub id: SetId,
    /// The target it was seen on.
    pub target: String,
    /// Its point in time.
    pub point: jiff::Timestamp,
    /// Sealed bytes in all.
    pub bytes: u64,
    /// Its place in the chain.
    pub sequence: u64,
    /// The release in it, when one was deployed.
    #[serde(default)]
    pub release: Option<u64>,
    /// When a drill or a restore last proved it, by evidence that this state directory signed.
    #[serde(default)]
    pub proven_at: Option<jiff::Timestamp>,
}
