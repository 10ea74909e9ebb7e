//! The Docker Engine, spoken to over its API, 1.41 and later.
//!
//! Names and labels are Compose's, as the plan gives them, so that `docker compose ps|logs|exec` work on our stacks.

mod api_socket;
mod archive;
mod build;
mod container;
mod create;
mod credentials;
mod effects;
mod endpoints;
mod examine;
mod exec;
mod fail;
mod files;
mod greeting;
mod host_config;
mod image;
mod lifecycle;
mod meanwhile;
mod mounts;
mod network;
mod observe;
mod owner;
mod ports;
mod publishing;
mod reach;
mod resources;
mod self_image;
mod side;
mod streams;
#[cfg(test)]
mod told;

use std::{collections::BTreeMap, fmt, io, path::PathBuf, sync::Arc};

use async_trait::async_trait;
use bollard::ClientVersion;
use plan::{Effect, ImageSeen, Output};
use stack::EngineKind;
use tokio::{
    net::{TcpStream, UnixStream},
    sync::OnceCell,
};

use crate::{
    Contents, Engine, EngineError, Examined, ExecRequest, LogRequest, Observed, Running, Scope, SideJob,
    Stream, Trouble, Unfetchable, machine,
};
pub use examine::socket_seen;
use fail::{connection_trouble, fail};
use greeting::{Greeting, greet};

/// Where the engine listens unless `DOCKER_HOST` says otherwise.
const SOCKET: &str = "/var/run/docker.sock";

/// The oldest API that has everything used here: that of Docker 20.10.
const OLDEST_API: (usize, usize) = (1, 41);

/// How long the engine may take to begin an answer. Stopping a container adds its grace time.
const ANSWER_SECS: u64 = 120;

/// The Docker Engine of this machine, or the one that `DOCKER_HOST` names.
#[derive(Debug)]
pub struct Docker {
    client: bollard::Docker,
    /// The engine's own version.
    version: String,
    /// The machine it runs on: its name, or its address where it is another one.
    machine: String,
    /// Who hears of pulls and builds while they go on.
    listener: meanwhile::Listener,
    /// Where credentials of registries are kept.
    registries: credentials::Client,
    /// It runs on this machine: its containers' addresses can be dialled, its directories looked at.
    local: bool,
    /// What the side container's image is made of.
    executable: PathBuf,
    side_image: OnceCell<String>,
    /// Set once what dead runs left behind was removed.
    swept: OnceCell<()>,
}

impl Docker {
    /// Connects to the engine that `DOCKER_HOST` names, else to `/var/run/docker.sock`.
    ///
    /// # Errors
    /// [`Trouble::Absent`] when nobody answers, [`Trouble::Denied`] when the socket may not be opened,
    /// [`Trouble::Unsupported`] when its API is older than 1.41 or the address is of a kind we do not speak.
    pub async fn connect() -> Result<Self, EngineError> {
        Self::connect_to(&std::env::var("DOCKER_HOST").unwrap_or_default()).await
    }

    /// Connects to the engine at `host`, written as in `DOCKER_HOST`; empty: the usual socket.
    ///
    /// # Errors
    /// As [`Docker::connect`].
    pub async fn connect_to(host: &str) -> Result<Self, EngineError> {
        let address = Address::of(host)?;
        let Greeting { api, version } = address.greeted().await.map_err(explain_connection)?;
        if (api.major_version, api.minor_version) < OLDEST_API {
            return Err(EngineError::new(Trouble::Unsupported, format!("use a Docker Engine of API {api}"))
                .hint("Docker 20.10 (API 1.41) or later is needed"));
        }
        let newest = bollard::API_DEFAULT_VERSION;
        let client = address.client(if api < *newest { &api } else { newest })?;
        let (local, machine) = match address {
            Address::Socket(_) => (true, machine::name()),
            Address::Tcp(address) => (false, address.to_owned()),
        };
        let executable = PathBuf::from("/proc/self/exe");
        let registries = credentials::Client::of_environment();
        Ok(Self {
            client,
            version,
            machine,
            listener: meanwhile::Listener::default(),
            registries,
            local,
            executable,
            side_image: OnceCell::new(),
            swept: OnceCell::new(),
        })
    }

    /// The API that is spoken with it.
    fn api(&self) -> (usize, usize) {
        let version = self.client.client_version();
        (version.major_version, version.minor_version)
    }

    /// The same engine, telling how far a pull or a build has come: each time a few words in place of the last.
    #[must_use]
    pub fn telling(mut self, listener: impl Fn(&str) + Send + Sync + 'static) -> Self {
        self.listener = meanwhile::Listener(Arc::new(listener));
        self
    }

    /// The same engine, with credentials of registries from another directory than `DOCKER_CONFIG` or `~/.docker`.
    #[must_use]
    pub fn with_credentials_of(mut self, directory: impl Into<PathBuf>) -> Self {
        self.registries.dir = Some(directory.into());
        self
    }

    /// The same engine, with side containers made of another executable than the running one.
    #[must_use]
    pub fn with_executable(mut self, path: impl Into<PathBuf>) -> Self {
        self.executable = path.into();
        self.side_image = OnceCell::new();
        self
    }

    /// Makes sure that there is an image `repository:HASH` made of this very binary and the libraries it needs, and
    /// gives its reference. Its entrypoint is the binary; `/tmp`, root and user 1000 are there; `extra` are further
    /// files as path, bytes and mode.
    ///
    /// # Errors
    /// When the binary cannot be read or the engine does not take the image.
    pub async fn ensure_self_image(
        &self,
        repository: &str,
        extra: &[(&str, &[u8], u32)],
    ) -> Result<String, EngineError> {
        self_image::ensure(&self.client, &self.executable, repository, extra).await
    }
}

#[async_trait]
impl Engine for Docker {
    fn kind(&self) -> EngineKind {
        EngineKind::Docker
    }

    async fn observe(&self, scope: &Scope) -> Result<Observed, EngineError> {
        self.observe_scope(scope).await
    }

    async fn apply(&self, effect: &Effect, contents: &dyn Contents) -> Result<Output, EngineError> {
        self.sweep_side_containers().await;
        self.apply_effect(effect, contents).await
    }

    async fn reach(&self, container: &str, port: u16) -> Result<Box<dyn Stream>, EngineError> {
        self.reach_port(container, port).await
    }

    async fn exec(&self, container: &str, request: &ExecRequest) -> Result<Running, EngineError> {
        self.exec_command(container, request).await
    }

    async fn side(&self, job: &SideJob) -> Result<Running, EngineError> {
        self.sweep_side_containers().await;
        self.run_side(job).await
    }

    async fn logs(
        &self,
        container: &str,
        request: &LogRequest,
    ) -> Result<tokio::sync::mpsc::Receiver<String>, EngineError> {
        self.log_lines(container, request).await
    }

    async fn images(&self, references: &[String]) -> Result<BTreeMap<String, ImageSeen>, EngineError> {
        self.images_seen(references).await
    }

    async fn examine(&self, containers: &[String], images: &[String]) -> Result<Examined, EngineError> {
        self.examine_them(containers, images).await
    }

    async fn fetchable(&self, image: &str) -> Result<(), Unfetchable> {
        self.ask_registry(image).await
    }
}

/// Where an engine listens.
#[derive(Debug)]
enum Address<'h> {
    /// On this machine.
    Socket(&'h str),
    /// `HOST:PORT`.
    Tcp(&'h str),
}

impl<'h> Address<'h> {
    fn of(host: &'h str) -> Result<Self, EngineError> {
        if let Some(address) = host.strip_prefix("tcp://").or_else(|| host.strip_prefix("http://")) {
            return Ok(Self::Tcp(address.trim_end_matches('/')));
        }
        match host.strip_prefix("unix://") {
            Some(path) => Ok(Self::Socket(path)),
            None if host.is_empty() => Ok(Self::Socket(SOCKET)),
            None => {
                let doing = format!("use the Docker Engine at `{host}`");
                Err(EngineError::new(Trouble::Unsupported, doing)
                    .hint("DOCKER_HOST may be unix://PATH or tcp://HOST:PORT"))
            }
        }
    }

    /// Opens a connection and says the first word: the one place where "absent" and "denied" can be told apart for
    /// certain.
    async fn greeted(&self) -> Result<Greeting, EngineError> {
        let refused = |error: io::Error| {
            let doing = format!("connect to the Docker Engine at `{self}`");
            EngineError::new(connection_trouble(error.kind()), doing).because(error)
        };
        match self {
            Self::Socket(path) => greet(UnixStream::connect(path).await.map_err(refused)?).await,
            Self::Tcp(address) => greet(TcpStream::connect(address).await.map_err(refused)?).await,
        }
    }

    fn client(&self, api: &ClientVersion) -> Result<bollard::Docker, EngineError> {
        let client = match self {
            Self::Socket(path) => bollard::Docker::connect_with_unix(path, ANSWER_SECS, api),
            Self::Tcp(address) => bollard::Docker::connect_with_http(address, ANSWER_SECS, api),
        };
        client.map_err(fail(format!("use the Docker Engine at `{self}`")))
    }
}

impl fmt::Display for Address<'_> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Socket(path) => out.write_str(path),
            Self::Tcp(address) => write!(out, "tcp://{address}"),
        }
    }
}

/// Adds what a person can do about an engine that does not answer or does not let us in.
fn explain_connection(error: EngineError) -> EngineError {
    match error.trouble {
        Trouble::Absent | Trouble::Lost => {
            error.hint("start the Docker Engine, or run without one: `--engine process`")
        }
        Trouble::Denied => error.hint(
            "run as root, or add yourself to the `docker` group and log in again (that group is as powerful as root)",
        ),
        _ => error,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn an_engine_that_is_not_there_is_absent_and_the_hint_names_the_other_engine() {
        let error = Docker::connect_to("unix:///nonexistent/docker.sock").await.unwrap_err();
        assert_eq!(error.trouble, Trouble::Absent);
        assert!(error.hint.unwrap().contains("--engine process"));
    }

    #[tokio::test]
    async fn a_socket_nobody_listens_on_is_absent_too() {
        let path = std::env::temp_dir().join(format!("swt-host-docker-{}.sock", std::process::id()));
        let _ = std::fs::remove_file(&path);
        drop(std::os::unix::net::UnixListener::bind(&path).unwrap());
        let error = Docker::connect_to(&format!("unix://{}", path.display())).await.unwrap_err();
        std::fs::remove_file(&path).unwrap();
        assert_eq!(error.trouble, Trouble::Absent);
    }

    #[test]
    fn a_socket_we_may_not_open_is_denied_and_the_hint_names_the_group() {
        let error = explain_connection(EngineError::new(
            connection_trouble(std::io::ErrorKind::PermissionDenied),
            "connect to the Docker Engine",
        ));
        assert_eq!(error.trouble, Trouble::Denied);
        assert!(error.hint.unwrap().contains("`docker` group"));
    }

    #[tokio::test]
    async fn an_address_of_a_kind_we_do_not_speak_is_unsupported() {
        let error = Docker::connect_to("npipe://./pipe/docker").await.unwrap_err();
        assert_eq!(error.trouble, Trouble::Unsupported);
    }
}
