//! `Facts`: what a survey saw, and when. The planners' second argument.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use stack::{EngineKind, SecretName, ServiceName, Shape};

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
    /// Host name.
    pub name: String,
    /// Which engine.
    pub engine: EngineKind,
    /// Its version.
    pub version: String,
    /// Its API version, where it has one.
    pub api: Option<String>,
    /// Host TCP ports somebody listens on who is not this stack: port to what is known of the holder.
    pub ports_held: BTreeMap<u16, String>,
    /// Free bytes where the engine keeps its data, when known.
    pub free_bytes: Option<u64>,
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
    /// Image id it was made from.
    pub image_id: String,
    /// What it is doing.
    pub phase: Phase,
    /// `seaworthy.identity` label: what it was made from; empty on a container we did not make.
    pub identity: String,
    /// `seaworthy.release` label.
    pub release: Option<u64>,
    /// Name of the state directory that made it: `seaworthy.state` label.
    pub state_dir: Option<String>,
    /// Networks it is attached to, by engine name.
    pub networks: Vec<String>,
    /// Its addresses in them.
    #[serde(default)]
    pub addresses: Vec<String>,
    /// Published `(address, host port, container port)`.
    pub ports: Vec<(String, u16, u16)>,
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
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ImageSeen {
    /// Image id.
    pub id: String,
    /// Repository digest, when it was pulled.
    pub digest: Option<String>,
    /// When it was last given this name: pulled, built or loaded.
    #[serde(default)]
    pub named_at: Option<jiff::Timestamp>,
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
    /// It passed its probes and its watch at least once.
    #[serde(default)]
    pub was_good: bool,
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
    /// Its version.
    pub version: String,
}

/// A committed set on a target.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SetSeen {
    /// Its id.
    pub id: crate::set::SetId,
    /// The target it was seen on.
    pub target: String,
    /// Its point in time.
    pub point: jiff::Timestamp,
    /// Sealed bytes in all.
    pub bytes: u64,
    /// Its place in the chain.
    pub sequence: u64,
}
