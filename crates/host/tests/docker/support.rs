//! A stack of one's own on the real engine, removed when the test ends, however it ends.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    sync::atomic::{AtomicU32, Ordering},
};

use host::{Contents, ContentsError, Docker, Engine, EngineError, ExecRequest, Scope};
use plan::{Container, ContainerSeen, Delivered, Effect, NetworkSpec, Output, VolumeSpec};
use secrets::Secret;
use stack::{Attachment, ContentId, FileSource, Part, Service, Text};
use tokio::io::AsyncReadExt;

const BUSYBOX: &str = "/bin/busybox";
const PROJECT: &str = "com.docker.compose.project";

/// A stack that only this test knows.
pub(crate) struct Stack {
    pub(crate) engine: Docker,
    pub(crate) project: String,
    pub(crate) image: String,
}

impl Stack {
    /// `None`, said loudly, where there is no engine to test against.
    pub(crate) async fn new(name: &str) -> Option<Self> {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let engine = match Docker::connect().await {
            Ok(engine) if Path::new(BUSYBOX).exists() => engine,
            Ok(_) => return skip("no static busybox on this machine"),
            Err(error) => return skip(&format!("no Docker Engine: {error}")),
        };
        let busybox = std::fs::read(BUSYBOX).unwrap();
        let files: [(&str, &[u8], u32); 2] = [(BUSYBOX, &busybox, 0o755), ("/bin/sh", &busybox, 0o755)];
        let engine = engine.with_executable(BUSYBOX);
        let image = engine.ensure_self_image("swt-host-docker", &files).await.unwrap();
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let project = format!("swt-host-{name}-{}-{number}", std::process::id());
        Some(Self { engine, project, image })
    }

    pub(crate) fn name(&self, part: &str) -> String {
        format!("{}-{part}-1", self.project)
    }

    pub(crate) fn labels(&self) -> BTreeMap<String, String> {
        BTreeMap::from([(PROJECT.to_owned(), self.project.clone())])
    }

    pub(crate) fn network(&self, key: &str, internal: bool) -> NetworkSpec {
        NetworkSpec {
            name: format!("{}_{key}", self.project),
            internal,
            labels: self.labels(),
            ..NetworkSpec::default()
        }
    }

    pub(crate) fn volume(&self, key: &str) -> VolumeSpec {
        VolumeSpec {
            name: format!("{}_{key}", self.project),
            driver: None,
            driver_opts: BTreeMap::new(),
            labels: self.labels(),
        }
    }

    /// A service that runs this shell script.
    pub(crate) fn container(&self, service: &str, script: &str) -> Container {
        let command = ["/bin/sh", "-c", script].map(Text::literal).to_vec();
        let settings = Service {
            image: self.image.clone(),
            entrypoint: Some(command),
            environment: BTreeMap::from([("PATH".into(), Some(Text::literal("/bin")))]),
            ..Service::default()
        };
        Container {
            image_id: None,
            name: self.name(service),
            stack: self.project.as_str().into(),
            service: service.into(),
            number: 1,
            release: 1,
            identity: "first".into(),
            settings,
            networks: BTreeMap::new(),
            mounts: Vec::new(),
            files: Vec::new(),
            labels: BTreeMap::from([
                ("seaworthy.release".to_owned(), "1".to_owned()),
                ("seaworthy.state".to_owned(), "/var/lib/seaworthy/x".to_owned()),
            ]),
        }
    }

    pub(crate) async fn apply(&self, effect: &Effect) -> Result<Output, EngineError> {
        self.engine.apply(effect, &Known).await
    }

    /// Does it once, and again: the second time there is nothing to do.
    pub(crate) async fn apply_twice(&self, effect: &Effect) {
        assert_eq!(self.apply(effect).await.unwrap(), Output::None, "first {effect:?}");
        assert_eq!(self.apply(effect).await.unwrap(), Output::Unchanged, "second {effect:?}");
    }

    /// Makes and starts a container.
    pub(crate) async fn run(&self, container: &Container) {
        self.apply(&create(container)).await.unwrap();
        self.apply(&Effect::Start { container: container.name.clone() }).await.unwrap();
    }

    /// The API that is spoken with the engine.
    pub(crate) async fn api(&self) -> plan::needs::Api {
        let observed = self.engine.observe(&self.scope()).await.unwrap();
        plan::needs::parse_api(&observed.host.api.unwrap()).unwrap()
    }

    pub(crate) fn scope(&self) -> Scope {
        Scope { project: self.project.clone(), ..Scope::default() }
    }

    pub(crate) async fn seen(&self, name: &str) -> Option<ContainerSeen> {
        let observed = self.engine.observe(&self.scope()).await.unwrap();
        observed.containers.into_iter().find(|container| container.name == name)
    }

    /// What a shell script in a container prints, and its exit status.
    pub(crate) async fn shell(&self, container: &str, script: &str) -> (String, String, i64) {
        let command = ["/bin/sh", "-c", script].map(str::to_owned).to_vec();
        let request = ExecRequest { command, ..ExecRequest::default() };
        let mut running = self.engine.exec(container, &request).await.unwrap();
        let (mut out, mut err) = (String::new(), String::new());
        running.stdout.read_to_string(&mut out).await.unwrap();
        running.stderr.read_to_string(&mut err).await.unwrap();
        (out, err, running.exit.await.unwrap())
    }
}

impl Drop for Stack {
    fn drop(&mut self) {
        let project = self.project.clone();
        let cleaned = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(clean(project));
        });
        cleaned.join().unwrap();
    }
}

async fn clean(project: String) {
    let engine = Docker::connect().await.unwrap();
    let seen = engine.observe(&Scope { project, ..Scope::default() }).await.unwrap();
    let containers =
        seen.containers.into_iter().map(|container| Effect::Discard { container: container.name });
    let networks = seen.networks.into_keys().map(|name| Effect::RemoveNetwork { name });
    let volumes = seen.volumes.into_keys().map(|name| Effect::RemoveVolume { name });
    for effect in containers.chain(networks).chain(volumes) {
        engine.apply(&effect, &Known).await.unwrap();
    }
}

fn skip<T>(because: &str) -> Option<T> {
    assert!(std::env::var_os("SEAWORTHY_LIVE").is_none_or(|live| live != "1"), "{because}");
    println!("skipped: {because}");
    None
}

pub(crate) fn create(container: &Container) -> Effect {
    Effect::Create { container: Box::new(container.clone()) }
}

pub(crate) fn joined(names: &[&str]) -> BTreeMap<String, Attachment> {
    let attachment = Attachment { aliases: vec!["other-name".into()], ..Attachment::default() };
    names.iter().map(|name| ((*name).to_owned(), attachment.clone())).collect()
}

/// A secret's text: what it stands for is its own name in brackets.
pub(crate) fn secret(name: &str) -> Text {
    Text(vec![Part::Literal("x-".into()), Part::Secret(name.into())])
}

pub(crate) fn file(target: &str, uid: u32, mode: u32) -> Delivered {
    let source = FileSource::Secret { name: "db".into() };
    Delivered { target: target.into(), source, version: Some(1), uid, gid: uid, mode }
}

/// Contents that every test knows.
pub(crate) struct Known;

impl Contents for Known {
    fn text(&self, text: &Text) -> Result<Secret<String>, ContentsError> {
        let known = |part: &Part| match part {
            Part::Secret(name) => Some(format!("<{name}>")),
            _ => None,
        };
        let unknown = || ContentsError { what: text.to_string(), because: "nobody knows it".into() };
        text.resolve(known).map(Secret::new).ok_or_else(unknown)
    }

    fn file(&self, file: &Delivered) -> Result<Secret<Vec<u8>>, ContentsError> {
        Ok(Secret::new(format!("content of {}", file.target).into_bytes()))
    }

    fn kept(&self, content: &ContentId) -> Result<PathBuf, ContentsError> {
        Ok(PathBuf::from(&content.0))
    }
}
