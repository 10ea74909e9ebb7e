//! What a step does: the vocabulary of every plan. Neutral of the engine; secret values are references.

use std::{collections::BTreeMap, time::Duration};

use serde::{Deserialize, Serialize};
use stack::{
    BindOptions, ContentId, FileSource, Hook, Ipam, Probe, SecretKind, SecretName, Service, ServiceName,
    Shape, StackName, State, Transit,
};

use crate::{ComposeHashes, Seed, desired, proof::Goal, set::SetId};

/// What one step does. Every action is safe to do twice.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "do", rename_all = "kebab-case")]
pub enum Action {
    /// Something the engine does.
    Engine {
        /// What.
        effect: Effect,
    },
    /// Ask a service until it answers as it should, or the deadline passes.
    Probe {
        /// The service asked.
        service: ServiceName,
        /// Its container.
        container: String,
        /// What is asked, all of it. Empty: the engine's health check, else "is running".
        probes: Vec<Probe>,
        /// How long to keep asking.
        deadline: Duration,
    },
    /// Ask all services again and again for this long; any failure fails the step.
    Watch {
        /// Service, container and probes.
        subjects: Vec<(ServiceName, String, Vec<Probe>)>,
        /// How long.
        lasting: Duration,
    },
    /// Wait until a one-shot container has ended with 0.
    AwaitExit {
        /// Its name.
        container: String,
        /// How long to wait.
        deadline: Duration,
    },
    /// Run a command of the user's inside a service's container, at a moment of its life. Done again where it was
    /// interrupted.
    Hook {
        /// The service.
        service: ServiceName,
        /// Its container.
        container: String,
        /// The release whose secrets it is given.
        release: u64,
        /// When.
        moment: Moment,
        /// What is run.
        hook: Box<Hook>,
        /// How long it may take.
        deadline: Duration,
    },
    /// Write the release directory: shape, held values (sealed), files, secret versions.
    WriteRelease {
        /// Its number.
        number: u64,
        /// The shape it holds.
        shape: Box<Shape>,
        /// Secret versions it uses.
        secrets: BTreeMap<SecretName, u32>,
        /// What Compose would label with what the shape says.
        #[serde(default)]
        compose: ComposeHashes,
    },
    /// Point `current` at a release; `None` removes the name.
    PointCurrent {
        /// The release.
        number: Option<u64>,
    },
    /// Point `good` at a release; `None` removes the name.
    PointGood {
        /// The release.
        number: Option<u64>,
    },
    /// Generate version 1 of a secret; does nothing where a version exists.
    GenerateSecret {
        /// Its name.
        name: SecretName,
        /// Its type.
        kind: SecretKind,
        /// Where the value comes from instead of being generated.
        from: Option<String>,
    },
    /// Something done to a key store through its API.
    Keys {
        /// The store's service.
        service: ServiceName,
        /// Its container.
        container: String,
        /// How the stack declares it.
        transit: Transit,
        /// What is done.
        step: KeyStep,
    },
    /// Check that every target takes a set: writes, reads back and removes a small object.
    CheckTargets {
        /// The set that will be written.
        set: SetId,
    },
    /// Capture one state into a sealed object of the set.
    Capture {
        /// The set.
        set: SetId,
        /// The service that holds the state.
        service: ServiceName,
        /// Its container.
        container: String,
        /// What kind of store it is.
        state: State,
    },
    /// Seal the stack's secret values, and the release, into the set.
    CaptureRelease {
        /// The set.
        set: SetId,
        /// The release; `None` where nothing was deployed yet.
        release: Option<u64>,
    },
    /// Write the set's signed, create-only manifest: the instant at which the set exists.
    CommitSet {
        /// The set.
        set: SetId,
    },
    /// Remove the objects of a set that was never committed; does nothing to a committed one.
    AbandonSet {
        /// The set.
        set: SetId,
    },
    /// Remove a committed set whole, manifest first.
    PruneSet {
        /// The set.
        set: SetId,
    },
    /// Read the set's manifest, check its signature and every object's hash, and decode every object once.
    VerifySet {
        /// The set.
        set: SetId,
    },
    /// Bring the stack's secret values back, into the sealed store.
    RestoreSecrets {
        /// The set.
        set: SetId,
    },
    /// Bring the release back: shape, files, held values.
    RestoreRelease {
        /// The set.
        set: SetId,
    },
    /// Bring back what a service holds.
    Restore {
        /// The set.
        set: SetId,
        /// The service restored into.
        service: ServiceName,
        /// Its container.
        container: String,
        /// Which part.
        part: RestorePart,
    },
    /// Write and sign the evidence of a drill or a restore.
    WriteEvidence {
        /// The set it proves.
        set: SetId,
        /// What it is measured by.
        #[serde(default)]
        goal: Goal,
    },
    /// Forget what is kept of a project that was a throwaway: its secrets and releases.
    Forget {
        /// The project.
        project: StackName,
    },
    /// Wait for a person.
    Person {
        /// Which control it is.
        control: String,
        /// Who is asked for: an owner or a role.
        owner: String,
        /// What to do, in one paragraph.
        instruction: String,
        /// What counts as done.
        done_when: String,
        /// How long their word holds; `None`: for this run.
        #[serde(default)]
        holds: Option<Duration>,
    },
}

/// A moment in the life of a container at which commands of the user's are run inside it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Moment {
    /// It was started, and nobody has asked it anything yet.
    PostStart,
    /// It is about to be stopped. One that does not run any more is past it.
    PreStop,
}

impl Moment {
    /// Compose's key for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Moment::PostStart => "post_start",
            Moment::PreStop => "pre_stop",
        }
    }
}

/// Something the engine does.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "effect", rename_all = "kebab-case")]
pub enum Effect {
    /// Make sure the image is there; pulls it where it is not.
    EnsureImage {
        /// Reference as written.
        image: String,
        /// Of which platform; nothing: the engine's own.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        platform: Option<String>,
        /// Pull even when it is there.
        always: bool,
        /// The very image, by its id: pulled by `image`, which then names its digest, where it is not here any more.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        id: Option<String>,
    },
    /// Build the image, from files of this machine or from where the engine fetches them.
    BuildImage {
        /// The name it is given.
        image: String,
        /// How.
        build: Box<stack::Build>,
        /// The versions of secrets that its arguments are given.
        #[serde(default)]
        secrets: desired::Versions,
        /// The release whose values it is given; `None`: those of the files just read.
        #[serde(default)]
        release: Option<u64>,
    },
    /// Load the image from a file of `docker save` on this machine.
    LoadImage {
        /// Its name in the archive.
        image: String,
        /// Path of the archive.
        archive: String,
        /// The hash of the image's configuration, as the archive was seen to hold it.
        id: String,
    },
    /// Make sure the network is there.
    EnsureNetwork {
        /// What it should be.
        network: NetworkSpec,
    },
    /// Make sure the volume is there.
    EnsureVolume {
        /// What it should be.
        volume: VolumeSpec,
    },
    /// Make the volume anew: refused where one of that name is there that does not bear this plan's mark. What is put
    /// into it replaces what is in it, and that must not be somebody else's.
    MakeVolume {
        /// What it should be.
        volume: VolumeSpec,
    },
    /// Make the container with its files in it, and do not start it.
    Create {
        /// Everything about it.
        container: Box<Container>,
    },
    /// Start it.
    Start {
        /// Its name.
        container: String,
    },
    /// Stop it, killing it after the grace time; its restart policy is set to `no` first.
    Stop {
        /// Its name.
        container: String,
        /// Grace before it is killed; `None`: its own.
        grace: Option<Duration>,
    },
    /// Give it back its restart policy and start it: the undo of a stop.
    Resume {
        /// Its name.
        container: String,
        /// The policy.
        restart: stack::Restart,
    },
    /// Rename it. Done already when `from` does not exist; refused when both do.
    Rename {
        /// Its name now.
        from: String,
        /// Its name then.
        to: String,
    },
    /// Remove it. Its anonymous volumes stay, with what is in them.
    Remove {
        /// Its name.
        container: String,
    },
    /// Remove it, and its anonymous volumes with what is in them, but for those that another container mounts.
    Discard {
        /// Its name.
        container: String,
    },
    /// Remove the network.
    RemoveNetwork {
        /// Its name.
        name: String,
    },
    /// Remove the volume and what is in it.
    RemoveVolume {
        /// Its name.
        name: String,
    },
    /// Remove what a plan made, with what is in it; what bears the name and not the plan's mark is somebody else's and
    /// stays.
    Unmake {
        /// What it is.
        thing: Thing,
        /// Its name.
        name: String,
        /// The plan's mark.
        mark: Mark,
    },
}

/// What a plan makes on an engine.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Thing {
    /// A container.
    Container,
    /// A network.
    Network,
    /// A volume.
    Volume,
}

impl Thing {
    /// The word.
    pub fn as_str(self) -> &'static str {
        match self {
            Thing::Container => "container",
            Thing::Network => "network",
            Thing::Volume => "volume",
        }
    }
}

/// What everything that one plan makes is labelled with: a name may be anybody's, this is nobody else's.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Mark(pub String);

impl Mark {
    /// The label.
    pub const LABEL: &str = "seaworthy.made-by";

    /// The mark of a plan made from this seed.
    pub fn new(seed: Seed) -> Self {
        Self(SetId::new(seed).0)
    }

    /// Marks what has these labels.
    pub fn put_on(&self, labels: &mut BTreeMap<String, String>) {
        labels.insert(Self::LABEL.to_owned(), self.0.clone());
    }
}

/// Everything an engine needs to make one container.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Container {
    /// Its name.
    pub name: String,
    /// The stack.
    pub stack: StackName,
    /// The service.
    pub service: ServiceName,
    /// Compose's container number, from 1.
    pub number: u32,
    /// The release it belongs to; 0 for a key store that is made before any. See [`Container::of_release`].
    pub release: u64,
    /// The id of the very image it is made from, where its reference names another one now.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub image_id: Option<String>,
    /// What it is made from: changes whenever the container would differ.
    pub identity: String,
    /// The settings as declared. Networks, mounts and files are in the fields below, resolved.
    pub settings: Service,
    /// Networks by engine name; each with its aliases. The first is joined at creation.
    pub networks: BTreeMap<String, stack::Attachment>,
    /// Mounts with engine names and content paths.
    pub mounts: Vec<ResolvedMount>,
    /// Files copied in before it starts.
    pub files: Vec<Delivered>,
    /// Labels: the user's, Compose's and `seaworthy.*`.
    pub labels: BTreeMap<String, String>,
}

impl Container {
    /// The image it is made from: the very one where that is known, else what its reference names.
    pub fn image(&self) -> &str {
        self.image_id.as_deref().unwrap_or(&self.settings.image)
    }

    /// The release whose content it is made from; `None`: none is there yet, and the files just read are all there is.
    pub fn of_release(&self) -> Option<u64> {
        (self.release > 0).then_some(self.release)
    }
}

/// A mount as the engine is told it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "mount", rename_all = "lowercase")]
pub enum ResolvedMount {
    /// A named volume.
    Volume {
        /// Engine name.
        name: String,
        /// Path inside.
        target: String,
        /// Read-only.
        read_only: bool,
        /// A new volume stays empty.
        #[serde(default)]
        nocopy: bool,
        /// The directory of it that is mounted.
        #[serde(default)]
        subpath: Option<String>,
    },
    /// An anonymous volume.
    Anonymous {
        /// Path inside.
        target: String,
    },
    /// A path of the host as it stands.
    Bind {
        /// Absolute path.
        source: String,
        /// Path inside.
        target: String,
        /// Read-only.
        read_only: bool,
        /// What is said of it besides.
        #[serde(default)]
        options: BindOptions,
    },
    /// Content kept by the release: mounted from there, so that an old release brings its own back.
    Kept {
        /// Which content.
        content: ContentId,
        /// Where it was read from.
        source: String,
        /// Path inside.
        target: String,
        /// What is said of it besides.
        #[serde(default)]
        options: BindOptions,
    },
    /// Memory.
    Tmpfs {
        /// Path inside.
        target: String,
        /// Limit in bytes.
        size_bytes: Option<u64>,
        /// Mode bits.
        mode: Option<u32>,
    },
    /// The files of an image.
    Image {
        /// Its reference.
        image: String,
        /// Path inside.
        target: String,
        /// The directory of it that is mounted.
        subpath: Option<String>,
    },
}

impl ResolvedMount {
    /// A named volume, mounted whole.
    pub fn volume(name: impl Into<String>, target: impl Into<String>, read_only: bool) -> Self {
        Self::Volume { name: name.into(), target: target.into(), read_only, nocopy: false, subpath: None }
    }

    /// Where it is seen inside.
    pub fn target(&self) -> &str {
        match self {
            Self::Volume { target, .. }
            | Self::Anonymous { target }
            | Self::Bind { target, .. }
            | Self::Kept { target, .. }
            | Self::Tmpfs { target, .. }
            | Self::Image { target, .. } => target,
        }
    }
}

/// A file copied into a container before it starts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Delivered {
    /// Absolute path inside.
    pub target: String,
    /// Where the content comes from.
    pub source: FileSource,
    /// The secret's version, where it is one.
    pub version: Option<u32>,
    /// Owner.
    pub uid: u32,
    /// Group.
    pub gid: u32,
    /// Mode bits.
    pub mode: u32,
}

/// A network to make.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct NetworkSpec {
    /// Engine name.
    pub name: String,
    /// No way out.
    pub internal: bool,
    /// Driver, when given.
    pub driver: Option<String>,
    /// Driver options.
    pub driver_opts: BTreeMap<String, String>,
    /// Containers outside of any stack may join it.
    pub attachable: bool,
    /// IPv4 in it; `None`: the engine decides.
    pub enable_ipv4: Option<bool>,
    /// IPv6 in it; `None`: the engine decides.
    pub enable_ipv6: Option<bool>,
    /// Where its addresses come from.
    #[serde(alias = "subnets", deserialize_with = "stack::ipam_or_subnets")]
    pub ipam: Ipam,
    /// Labels.
    pub labels: BTreeMap<String, String>,
}

/// A volume to make.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct VolumeSpec {
    /// Engine name.
    pub name: String,
    /// Driver, when given.
    pub driver: Option<String>,
    /// Driver options.
    pub driver_opts: BTreeMap<String, String>,
    /// Labels.
    pub labels: BTreeMap<String, String>,
}

/// What is done to a key store.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "keys", rename_all = "kebab-case")]
pub enum KeyStep {
    /// Initialise it, hand its shares to their holders, unseal it, make the Transit key, policies and credentials,
    /// revoke the root token. One step, because the root token and the shares exist only in memory.
    Bootstrap,
    /// Unseal it with the holders' shares; nothing to do where it is unsealed. Waits for a person without them.
    Unseal,
    /// Note names and versions of all Transit keys: K0 before the first capture, K1 after the last.
    List {
        /// The set.
        set: SetId,
        /// True for K1, which must hold all of K0 with no raised minimum.
        after: bool,
    },
    /// Encrypt a random value with every key; ciphertext and keyed hash go into the manifest.
    Canary {
        /// The set.
        set: SetId,
    },
    /// Wait until its API answers at all, sealed or not.
    AwaitApi {
        /// How long.
        deadline: Duration,
    },
}

/// What of a service is brought back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "part", rename_all = "kebab-case")]
pub enum RestorePart {
    /// The key store's snapshot, forced into a fresh store that is then unsealed with the holders' shares.
    KeyStore {
        /// How the stack declares it.
        transit: Transit,
    },
    /// Decrypt every canary of the manifest; what comes after needs this to have passed.
    Canaries {
        /// How the stack declares it.
        transit: Transit,
    },
    /// The database or file of one state; counts are compared with the manifest.
    State {
        /// What it is.
        state: State,
    },
}
