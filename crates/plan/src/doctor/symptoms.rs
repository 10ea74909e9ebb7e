//! What a doctor saw. Only what may be wrong stands here; what is well leaves no trace.

use std::collections::BTreeMap;

use diag::Diagnostic;
use stack::ServiceName;

use crate::{Phase, RunOutcome, Verb};

/// Everything that was seen of a stack and its machine that may be a symptom.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Symptoms {
    /// What reading the files had to say.
    pub files: Vec<Diagnostic>,
    /// Why the state directory cannot be used.
    pub state: Vec<Diagnostic>,
    /// Why the engine cannot be used.
    pub engine: Option<EngineSilence>,
    /// Places that something must be written to.
    pub places: Vec<PlaceSeen>,
    /// Clocks that were compared with this machine's.
    pub clocks: Vec<ClockSeen>,
    /// Names that did not resolve.
    pub names: Vec<NameSeen>,
    /// Images that are not on the host and that their registries do not give.
    pub registries: Vec<RegistrySeen>,
    /// Images of services, where the engine tells what machine they are for.
    pub images: Vec<ImageBuiltFor>,
    /// Host ports of the stack that somebody else holds.
    pub ports: Vec<PortSeen>,
    /// Key stores that are sealed.
    pub sealed: Vec<ServiceName>,
    /// Containers that are not well.
    pub patients: Vec<Patient>,
    /// Services of the live release without a container.
    pub absent: Vec<ServiceName>,
    /// The newest run, where it came to no good end.
    pub last_run: Option<RunSeen>,
    /// What could not be looked at, and why.
    pub not_looked_at: Vec<String>,
}

/// Why the engine could not be spoken to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EngineSilence {
    /// What kind of trouble.
    pub door: Door,
    /// Our attempt, and what was said to it.
    pub said: Vec<String>,
    /// Who we are: `user 1000 of groups users, adm`.
    pub account: String,
    /// Its socket, where it can be looked at: `group docker, mode 660`.
    pub socket: Option<String>,
}

/// At what an attempt to speak to the engine failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Door {
    /// Nobody answers.
    Nobody,
    /// It does not let us in.
    Closed,
    /// It is too old, or of a kind we do not speak.
    Strange,
    /// It broke off.
    Lost,
}

/// A directory that something must be written to, and what is left of its file system.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlaceSeen {
    /// What is written there: `the state directory`.
    pub what: String,
    /// Its path.
    pub path: String,
    /// Bytes that we may still write.
    pub free_bytes: u64,
    /// Files that may still be made; nothing where the file system does not count them.
    pub free_files: Option<u64>,
}

/// Another clock beside this machine's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClockSeen {
    /// Whose.
    pub whose: String,
    /// So many seconds this machine is ahead of it.
    pub ahead_secs: i64,
}

/// A name that did not resolve.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NameSeen {
    /// The name.
    pub name: String,
    /// What needs it: `the registry of `web``.
    pub needed_by: String,
    /// What the resolver said.
    pub said: String,
}

/// What a registry said when the engine asked it for an image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RegistrySeen {
    /// The service that needs the image.
    pub service: ServiceName,
    /// The image.
    pub image: String,
    /// What was said.
    pub said: String,
    /// Whether the engine had a credential for it.
    pub known: bool,
}

/// What machine an image is for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ImageBuiltFor {
    /// The service.
    pub service: ServiceName,
    /// Its image.
    pub image: String,
    /// The image's architecture, as images name it: `arm64`.
    pub built_for: String,
    /// The engine's, by the same names.
    pub machine: String,
}

/// A host port somebody else holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PortSeen {
    /// The service that publishes it.
    pub service: ServiceName,
    /// The port.
    pub port: u16,
    /// Who holds it.
    pub holder: String,
}

/// A container that is not well, and everything it says of itself. Secret values are out of its words.
#[derive(Debug, Clone, PartialEq)]
pub struct Patient {
    /// Its service.
    pub service: ServiceName,
    /// Its name.
    pub container: String,
    /// What it is doing.
    pub phase: Phase,
    /// What the engine tells of its end.
    pub signs: Signs,
    /// What its live probe saw.
    pub probe: Option<String>,
    /// Its last words, oldest first.
    pub words: Vec<String>,
    /// Variables of its environment that hold a path.
    pub paths: BTreeMap<String, String>,
}

/// What an engine tells of a container besides its phase.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Signs {
    /// It was killed because it needed more memory than it may have.
    pub out_of_memory: bool,
    /// So often its policy restarted it.
    pub restarts: u64,
    /// Since when it runs, or when it last began to.
    pub started_at: Option<jiff::Timestamp>,
    /// Why the engine could not start it.
    pub not_started: Option<String>,
    /// What its own health check put out last.
    pub check: Option<String>,
}

/// A run that came to no good end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunSeen {
    /// Its id.
    pub id: String,
    /// What was asked for.
    pub verb: Verb,
    /// How it stands.
    pub outcome: RunOutcome,
    /// Why, nearest cause first.
    pub because: Vec<String>,
}
