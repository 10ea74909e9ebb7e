//! The embedded engine: services as native processes, without root and without a daemon.
//!
//! It isolates nothing. Every service runs as the user who started it, sees the host's files and network, and can
//! reach every other service. It is there for laptops, tests and the demonstration; shapes marked production refuse it.
//!
//! ```text
//!   engine --spawns--> supervisor (own session) --spawns--> service (own process group)
//!      |                    |                                   |
//!      +-- wanted.json -->  +-- state.json                      +-- log
//! ```
//!
//! What runs for a service is `[service.NAME] process`, where `${address:SERVICE}`, `${volume:NAME}`, `${file:NAME}` and
//! `${mount:TARGET}` stand for what the engine made of them. Each service has an address of 127.0.0.0/8 of its own and is
//! told it by `${address:self}`; it has to listen there. Published ports are not forwarded, images, `user`,
//! `working_dir` and health checks are not used, limits are not enforced.

mod address;
mod create;
mod forms;
mod instance;
mod kin;
mod lifecycle;
mod logs;
mod observe;
mod places;
mod run;
mod signals;
mod store;
mod supervise;

use std::{
    net::Ipv4Addr,
    path::{Path, PathBuf},
    time::Duration,
};

use async_trait::async_trait;
use plan::{Container, Effect, Output};
use stack::EngineKind;
use tokio::{net::TcpStream, sync::mpsc, time::timeout};

use crate::{
    Contents, Engine, EngineError, ExecRequest, LogRequest, Observed, Running, Scope, SideJob, Stream,
    Trouble,
};
use instance::Instance;
use places::{Places, fail};

pub use supervise::supervise;

/// How long a connection on this machine may take.
const CONNECT: Duration = Duration::from_secs(5);

/// The embedded engine.
#[derive(Debug, Clone)]
pub struct Process {
    places: Places,
    executable: PathBuf,
}

impl Process {
    /// The engine that keeps everything below `state_dir/process`. Touches nothing.
    ///
    /// `executable` is what runs as supervisor and side job: a binary whose `side supervise DIR` calls [`supervise`].
    pub fn open(state_dir: &Path, executable: PathBuf) -> Self {
        let state_dir = std::path::absolute(state_dir).unwrap_or_else(|_| state_dir.to_owned());
        Self { places: Places { root: state_dir.join("process") }, executable }
    }

    /// The address of the service that a container is of.
    ///
    /// # Errors
    /// When there is no such container.
    pub fn address(&self, container: &str) -> Result<Ipv4Addr, EngineError> {
        let doing = format!("find the address of container `{container}`");
        let instance = self.places.present(container, &doing)?;
        self.address_of(&instance, &instance.spec()?)
    }

    fn address_of(&self, instance: &Instance, spec: &Container) -> Result<Ipv4Addr, EngineError> {
        let address = self.places.address(&instance.project, spec.service.as_str());
        address.map_err(fail(format!("find the address of container `{}`", instance.name)))
    }

    async fn connect(&self, container: &str, port: u16) -> Result<TcpStream, EngineError> {
        let doing = format!("connect to port {port} of container `{container}`");
        // Asked first: another container of the same service would have the same address.
        let instance = self.places.present(container, &doing)?;
        if instance.look()?.life.is_none() {
            return Err(EngineError::new(Trouble::Refused, doing).because("it does not run"));
        }
        let address = self.address(container)?;
        match timeout(CONNECT, TcpStream::connect((address, port))).await {
            Ok(Ok(stream)) => Ok(stream),
            Ok(Err(error)) => Err(EngineError::new(Trouble::Refused, doing)
                .because(error)
                .hint(format!("the service has to listen on {address}: `${{address:self}}` tells it so"))),
            Err(elapsed) => Err(EngineError::new(Trouble::Lost, doing).because(elapsed)),
        }
    }
}

#[async_trait]
impl Engine for Process {
    fn kind(&self) -> EngineKind {
        EngineKind::Process
    }

    async fn observe(&self, scope: &Scope) -> Result<Observed, EngineError> {
        self.observe_scope(scope)
    }

    async fn apply(&self, effect: &Effect, contents: &dyn Contents) -> Result<Output, EngineError> {
        match effect {
            // Images are not used.
            Effect::EnsureImage { .. } | Effect::BuildImage { .. } | Effect::LoadImage { .. } => {
                Ok(Output::Unchanged)
            }
            Effect::EnsureNetwork { network } => self.ensure_network(network),
            Effect::EnsureVolume { volume } => self.ensure_volume(volume),
            Effect::MakeVolume { volume } => self.make_volume(volume),
            Effect::Create { container } => self.create(container, contents),
            Effect::Start { container } => self.start(container).await,
            Effect::Stop { container, grace } => self.stop(container, *grace).await,
            Effect::Resume { container, restart } => self.resume(container, *restart).await,
            Effect::Rename { from, to } => self.rename(from, to),
            // A volume without a name lies in its container's own directory.
            Effect::Remove { container } | Effect::Discard { container } => self.remove(container).await,
            Effect::RemoveNetwork { name } => self.remove_network(name),
            Effect::RemoveVolume { name } => self.remove_volume(name).await,
            Effect::Unmake { thing, name, mark } => self.unmake(*thing, name, mark).await,
        }
    }

    async fn reach(&self, container: &str, port: u16) -> Result<Box<dyn Stream>, EngineError> {
        Ok(Box::new(self.connect(container, port).await?))
    }

    async fn exec(&self, container: &str, request: &ExecRequest) -> Result<Running, EngineError> {
        self.exec_command(container, request)
    }

    async fn side(&self, job: &SideJob) -> Result<Running, EngineError> {
        self.run_side(job)
    }

    async fn logs(
        &self,
        container: &str,
        request: &LogRequest,
    ) -> Result<mpsc::Receiver<String>, EngineError> {
        self.log_lines(container, request)
    }
}
