//! What an engine must be able to do. Two real ones implement it: Docker and native processes.

use std::{collections::BTreeMap, fmt, path::PathBuf};

use async_trait::async_trait;
use futures_util::future::BoxFuture;
use plan::{
    ArchiveSeen, ContainerSeen, Delivered, Effect, HostSeen, ImageSeen, NetworkSeen, Output, VolumeSeen,
    doctor::Signs,
};
use secrets::Secret;
use stack::{ContentId, EngineKind, Text};
use tokio::io::{AsyncRead, AsyncWrite};

/// A place where services run.
///
/// Contract: `observe`, `images`, `reach`, `exec` and `logs` change nothing. `apply` is idempotent: after a crash nobody knows
/// whether the last call took effect, so it is made again, and what is so already is `Output::Unchanged`.
/// Nothing is removed that does not carry this stack's project label; `Effect::Unmake` removes only what carries its
/// plan's mark as well.
#[async_trait]
pub trait Engine: Send + Sync {
    /// Which one it is.
    fn kind(&self) -> EngineKind;

    /// Looks at everything of one stack.
    async fn observe(&self, scope: &Scope) -> Result<Observed, EngineError>;

    /// What there is of these images, by reference as written. One that runs none has none.
    async fn images(&self, references: &[String]) -> Result<BTreeMap<String, ImageSeen>, EngineError> {
        let _ = references;
        Ok(BTreeMap::new())
    }

    /// Makes one effect true. References in it are resolved through `contents`.
    async fn apply(&self, effect: &Effect, contents: &dyn Contents) -> Result<Output, EngineError>;

    /// Connects to a port of a container from where its network allows it, published or not.
    async fn reach(&self, container: &str, port: u16) -> Result<Box<dyn Stream>, EngineError>;

    /// Runs a command inside a container, as the container's user unless told otherwise.
    async fn exec(&self, container: &str, request: &ExecRequest) -> Result<Running, EngineError>;

    /// Runs this very binary's `side` subcommand beside the stack: inside one of its networks, with its volumes.
    /// Nothing of it stays when it ends or its streams are dropped.
    async fn side(&self, job: &SideJob) -> Result<Running, EngineError>;

    /// The newest log lines of a container, oldest first, stdout and stderr together; with `follow`, goes on until
    /// the receiver is dropped.
    async fn logs(
        &self,
        container: &str,
        request: &LogRequest,
    ) -> Result<tokio::sync::mpsc::Receiver<String>, EngineError>;

    /// Tells what is known besides, for whoever looks for a cause. One that knows no more than it observes tells
    /// nothing. Changes nothing.
    async fn examine(&self, containers: &[String], images: &[String]) -> Result<Examined, EngineError> {
        let _ = (containers, images);
        Ok(Examined::default())
    }

    /// Whether the registry of an image gives it. One that fetches nothing has none to ask. Changes nothing.
    async fn fetchable(&self, image: &str) -> Result<(), Unfetchable> {
        let _ = image;
        Ok(())
    }
}

/// What an engine tells besides, to whoever looks for a cause. What it does not tell is left empty.
#[derive(Debug, Clone, Default)]
pub struct Examined {
    /// What is known of the end of each container that was asked about, and is there.
    pub containers: BTreeMap<String, Signs>,
    /// The architecture of its machine, as images name it.
    pub machine: Option<String>,
    /// That of each image that was asked about, and is there.
    pub images: BTreeMap<String, String>,
    /// Where it keeps images and volumes, if that is on this machine.
    pub keeps: Option<PathBuf>,
    /// What its clock says.
    pub clock: Option<jiff::Timestamp>,
}

/// Why an image could not be had from its registry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unfetchable {
    /// What was said.
    pub said: String,
    /// Whether there was a credential to ask with.
    pub known: bool,
}

/// A two-way stream.
pub trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Stream for T {}

/// What a survey asks an engine about.
#[derive(Debug, Clone, Default)]
pub struct Scope {
    /// The stack's project name.
    pub project: String,
    /// Images to look for, as written.
    pub images: Vec<String>,
    /// Archives to look into, by the image that is sought in them.
    pub archives: BTreeMap<String, String>,
    /// Networks to look for besides those that carry the project's label.
    pub networks: Vec<String>,
    /// Volumes to look for besides those that carry the project's label.
    pub volumes: Vec<String>,
    /// Host ports whose holder is of interest.
    pub ports: Vec<u16>,
}

/// What an engine saw.
#[derive(Debug, Clone)]
pub struct Observed {
    /// The machine and its engine.
    pub host: HostSeen,
    /// Containers with the project's label, by name.
    pub containers: Vec<ContainerSeen>,
    /// Networks, by name.
    pub networks: BTreeMap<String, NetworkSeen>,
    /// Volumes, by name.
    pub volumes: BTreeMap<String, VolumeSeen>,
    /// Images, by reference as asked for.
    pub images: BTreeMap<String, ImageSeen>,
    /// What the archives hold, by the image that was sought.
    pub archives: BTreeMap<String, ArchiveSeen>,
}

/// Resolves the references in an effect, at the last moment.
pub trait Contents: Send + Sync {
    /// The whole string, secrets and held values filled in.
    ///
    /// # Errors
    /// When a reference is unknown or cannot be opened.
    fn text(&self, text: &Text) -> Result<Secret<String>, ContentsError>;

    /// The bytes of a file to deliver.
    ///
    /// # Errors
    /// As [`Contents::text`].
    fn file(&self, file: &Delivered) -> Result<Secret<Vec<u8>>, ContentsError>;

    /// The path below which a release keeps this content: a file, or a directory.
    ///
    /// # Errors
    /// When no release keeps it.
    fn kept(&self, content: &ContentId) -> Result<PathBuf, ContentsError>;
}

/// Why a reference could not be resolved.
#[derive(Debug, Clone, thiserror::Error)]
#[error("cannot resolve {what}: {because}")]
pub struct ContentsError {
    /// The reference, as it was written.
    pub what: String,
    /// Why.
    pub because: String,
}

/// A command to run in a container.
#[derive(Debug, Clone, Default)]
pub struct ExecRequest {
    /// Program and arguments: the engine shows them to whoever may ask it. Never a secret.
    pub command: Vec<String>,
    /// Another user than the container's.
    pub user: Option<String>,
    /// With all that the host allows. Refused by the process engine, which has nothing more to give.
    pub privileged: bool,
    /// Another working directory than the container's.
    pub working_dir: Option<String>,
    /// Variables added to the container's; `None` takes one away.
    pub environment: BTreeMap<String, Option<Secret<String>>>,
    /// Whether anything will be written to its stdin.
    pub stdin: bool,
}

/// A run of this binary beside the stack.
#[derive(Debug, Clone, Default)]
pub struct SideJob {
    /// The engine network it runs in; `None`: none at all.
    pub network: Option<String>,
    /// Volumes it sees, by engine name, and whether it may write to them.
    pub volumes: Vec<(String, bool)>,
    /// Arguments after `side`.
    pub arguments: Vec<Arg>,
    /// Whether anything will be written to its stdin.
    pub stdin: bool,
}

/// An argument of a side job.
#[derive(Debug, Clone)]
pub enum Arg {
    /// As it is: never a secret.
    Literal(String),
    /// The path of a file in one of its volumes.
    InVolume {
        /// Engine name of the volume.
        volume: String,
        /// Path inside it, relative.
        path: String,
    },
}

/// Something that runs and can be spoken to.
pub struct Running {
    /// Its stdin, where it was asked for. Dropping it (after `shutdown`) ends the input.
    pub stdin: Option<Box<dyn AsyncWrite + Send + Unpin>>,
    /// Its stdout.
    pub stdout: Box<dyn AsyncRead + Send + Unpin>,
    /// Its stderr.
    pub stderr: Box<dyn AsyncRead + Send + Unpin>,
    /// Resolves to its exit status once stdout and stderr have been read to their end.
    pub exit: BoxFuture<'static, Result<i64, EngineError>>,
}

impl fmt::Debug for Running {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("Running")
    }
}

/// Which log lines.
#[derive(Debug, Clone, Default)]
pub struct LogRequest {
    /// At most so many; `None`: all.
    pub tail: Option<usize>,
    /// Go on as they come.
    pub follow: bool,
}

/// What kind of trouble an engine met: decides the exit code and the hint, never guessed from text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trouble {
    /// Nobody answers where the engine should be.
    Absent,
    /// It is there and does not let us in.
    Denied,
    /// What was asked about does not exist (image, container, network, volume).
    NotFound,
    /// Something else holds what is needed: a host port, a name.
    Conflict,
    /// It cannot do this (an option of this file, an API too old).
    Unsupported,
    /// Anything else it said.
    Refused,
    /// The connection broke, or a deadline passed.
    Lost,
}

/// An engine could not do what was asked.
#[derive(Debug, thiserror::Error)]
#[error("cannot {doing}")]
pub struct EngineError {
    /// Our attempt, in words: `pull image pg:16`.
    pub doing: String,
    /// What kind of trouble.
    pub trouble: Trouble,
    /// What to do about it, when we know.
    pub hint: Option<String>,
    /// What it said.
    #[source]
    pub source: Option<Box<dyn std::error::Error + Send + Sync>>,
}

impl EngineError {
    /// Trouble while `doing` something.
    pub fn new(trouble: Trouble, doing: impl Into<String>) -> Self {
        Self { doing: doing.into(), trouble, hint: None, source: None }
    }

    /// The same, with what was said.
    #[must_use]
    pub fn because(mut self, source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        self.source = Some(source.into());
        self
    }

    /// The same, with a hint.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }
}
