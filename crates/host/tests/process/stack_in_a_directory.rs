//! A throwaway stack: an engine over a temporary state directory, and everything it started ended with it.

use std::{
    collections::BTreeMap,
    fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::Command,
    sync::OnceLock,
    time::{Duration, Instant},
};

use host::{Contents, ContentsError, Engine, EngineError, ExecRequest, LogRequest, Process, Running, Scope};
use plan::{Container, ContainerSeen, Delivered, Effect, NetworkSpec, Output, Phase, VolumeSpec};
use secrets::Secret;
use stack::{ContentId, FileSource, Part, ProcessSpec, Service, ServiceName, StackName, Text};
use tokio::io::AsyncReadExt;

const PROJECT_LABEL: &str = "com.docker.compose.project";

/// A stack called `blog` on a process engine of its own.
pub(crate) struct Stack {
    pub(crate) engine: Process,
    pub(crate) state: tempfile::TempDir,
}

impl Stack {
    pub(crate) fn new() -> Self {
        let state = tempfile::tempdir().unwrap();
        Self { engine: Process::open(state.path(), executable()), state }
    }

    pub(crate) async fn try_apply(&self, effect: Effect) -> Result<Output, EngineError> {
        self.engine.apply(&effect, &Values(self.state.path().to_owned())).await
    }

    /// Applies an effect that has to succeed.
    pub(crate) async fn apply(&self, effect: Effect) -> Output {
        let what = format!("{effect:?}");
        match self.try_apply(effect).await {
            Ok(output) => output,
            Err(error) => panic!("{what}: {error}: {:?} {:?}", error.source, error.hint),
        }
    }

    pub(crate) async fn create(&self, container: &Container) -> Output {
        self.apply(Effect::Create { container: Box::new(container.clone()) }).await
    }

    pub(crate) async fn start(&self, name: &str) -> Output {
        self.apply(Effect::Start { container: name.to_owned() }).await
    }

    pub(crate) async fn stop(&self, name: &str) -> Output {
        self.apply(Effect::Stop { container: name.to_owned(), grace: None }).await
    }

    pub(crate) async fn remove(&self, name: &str) -> Output {
        self.apply(Effect::Remove { container: name.to_owned() }).await
    }

    pub(crate) async fn rename(&self, from: &str, to: &str) -> Output {
        self.apply(Effect::Rename { from: from.to_owned(), to: to.to_owned() }).await
    }

    /// A container of `sh -c SCRIPT`, created and started.
    pub(crate) async fn runs(&self, service: &str, script: &str) -> Container {
        let container = shell(service, script);
        self.create(&container).await;
        self.start(&container.name).await;
        container
    }

    pub(crate) async fn seen(&self) -> Vec<ContainerSeen> {
        let scope = Scope { project: "blog".to_owned(), ..Scope::default() };
        self.engine.observe(&scope).await.unwrap().containers
    }

    pub(crate) async fn phase(&self, name: &str) -> Phase {
        let seen = self.seen().await;
        seen.iter()
            .find(|one| one.name == name)
            .unwrap_or_else(|| panic!("{name} is not there: {seen:?}"))
            .phase
    }

    /// Waits until the container is in this phase.
    pub(crate) async fn becomes(&self, name: &str, wanted: Phase) {
        let deadline = Instant::now() + Duration::from_secs(20);
        while self.phase(name).await != wanted {
            let said = self.said(name).await;
            assert!(
                Instant::now() < deadline,
                "{name} is {:?}, not {wanted:?}: {said:?}",
                self.phase(name).await
            );
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// Everything the container said so far.
    pub(crate) async fn said(&self, name: &str) -> Vec<String> {
        self.log(name, LogRequest::default()).await
    }

    pub(crate) async fn log(&self, name: &str, request: LogRequest) -> Vec<String> {
        let mut lines = self.engine.logs(name, &request).await.unwrap();
        let mut all = Vec::new();
        while let Some(line) = lines.recv().await {
            all.push(line);
        }
        all
    }

    /// Waits until the container has said this many lines, and gives them.
    pub(crate) async fn says(&self, name: &str, lines: usize) -> Vec<String> {
        let deadline = Instant::now() + Duration::from_secs(20);
        loop {
            let said = self.said(name).await;
            if said.len() >= lines {
                return said;
            }
            assert!(Instant::now() < deadline, "{name} said only {said:?}");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    pub(crate) async fn exec(&self, name: &str, script: &str) -> (i64, String, String) {
        let command = ["sh", "-c", script].map(str::to_owned).to_vec();
        let request = ExecRequest { command, ..ExecRequest::default() };
        finish(self.engine.exec(name, &request).await.unwrap()).await
    }

    /// The container's directory: a container is a link below `containers`.
    pub(crate) fn dir(&self, name: &str) -> PathBuf {
        fs::canonicalize(self.state.path().join("process/blog/containers").join(name)).unwrap()
    }

    /// What the container's state file says.
    pub(crate) fn state_of(&self, name: &str) -> serde_json::Value {
        serde_json::from_slice(&fs::read(self.dir(name).join("state.json")).unwrap()).unwrap()
    }

    pub(crate) fn supervisor(&self, name: &str) -> i32 {
        pid(&self.state_of(name)["supervisor"]["pid"])
    }

    pub(crate) fn service(&self, name: &str) -> i32 {
        pid(&self.state_of(name)["leader"]["birth"]["pid"])
    }

    pub(crate) fn mode(&self, path: impl AsRef<Path>) -> u32 {
        fs::metadata(path).unwrap().permissions().mode() & 0o7777
    }
}

impl Drop for Stack {
    /// A test that fails leaves nothing running: by process number, from what the engine wrote.
    fn drop(&mut self) {
        let instances = self.state.path().join("process/blog/instances");
        for entry in fs::read_dir(instances).into_iter().flatten().flatten() {
            let Ok(bytes) = fs::read(entry.path().join("state.json")) else { continue };
            let Ok(state) = serde_json::from_slice::<serde_json::Value>(&bytes) else { continue };
            for (place, sign) in [(&state["supervisor"], ""), (&state["leader"]["birth"], "-")] {
                let (Some(pid), Some(start)) = (place["pid"].as_i64(), place["start"].as_u64()) else {
                    continue;
                };
                if started_at(pid) == Some(start) {
                    kill("KILL", &format!("{sign}{pid}"));
                }
            }
        }
    }
}

fn started_at(pid: i64) -> Option<u64> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    stat.rsplit_once(')')?.1.split_whitespace().nth(19)?.parse().ok()
}

fn pid(value: &serde_json::Value) -> i32 {
    i32::try_from(value.as_i64().expect("a process number")).unwrap()
}

pub(crate) fn kill(signal: &str, pid: &str) {
    Command::new("kill").args(["-s", signal, "--", pid]).status().unwrap();
}

/// True while the process runs: one that has ended and was not waited for does not.
pub(crate) fn is_alive(pid: i32) -> bool {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    stat.rsplit_once(')').is_some_and(|(_, after)| !after.trim_start().starts_with(['Z', 'X']))
}

pub(crate) async fn dies(pid: i32) {
    let deadline = Instant::now() + Duration::from_secs(10);
    while is_alive(pid) {
        assert!(Instant::now() < deadline, "process {pid} goes on");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

pub(crate) async fn finish(mut running: Running) -> (i64, String, String) {
    let (mut out, mut err) = (String::new(), String::new());
    running.stdout.read_to_string(&mut out).await.unwrap();
    running.stderr.read_to_string(&mut err).await.unwrap();
    (running.exit.await.unwrap(), out, err)
}

/// A container of the stack that runs `sh -c SCRIPT`.
pub(crate) fn shell(service: &str, script: &str) -> Container {
    let command = ["sh", "-c", script].map(str::to_owned).to_vec();
    let process = ProcessSpec { command, environment: BTreeMap::new() };
    let settings = Service { process: Some(process), ..Service::default() };
    Container {
        image_id: None,
        name: format!("blog-{service}-1"),
        stack: StackName::from("blog"),
        service: ServiceName::from(service),
        number: 1,
        release: 1,
        identity: format!("identity-of-{service}"),
        settings,
        networks: BTreeMap::new(),
        mounts: Vec::new(),
        files: Vec::new(),
        labels: BTreeMap::from([("seaworthy.state".to_owned(), "here".to_owned())]),
    }
}

pub(crate) fn volume(name: &str) -> VolumeSpec {
    let labels = BTreeMap::from([(PROJECT_LABEL.to_owned(), "blog".to_owned())]);
    VolumeSpec { name: name.to_owned(), driver: None, driver_opts: BTreeMap::new(), labels }
}

pub(crate) fn network(name: &str) -> NetworkSpec {
    NetworkSpec {
        name: name.to_owned(),
        internal: true,
        labels: BTreeMap::from([(PROJECT_LABEL.to_owned(), "blog".to_owned())]),
        ..NetworkSpec::default()
    }
}

/// Secrets are `value of NAME`; kept content is below `kept/` of the state directory.
struct Values(PathBuf);

impl Contents for Values {
    fn text(&self, text: &Text) -> Result<Secret<String>, ContentsError> {
        let resolved = text.resolve(|part| match part {
            Part::Literal(text) => Some(text.clone()),
            Part::Secret(name) => Some(format!("value of {name}")),
            Part::Held { .. } => None,
        });
        resolved.map(Secret::new).ok_or_else(|| unknown(&text.to_string()))
    }

    fn file(&self, file: &Delivered) -> Result<Secret<Vec<u8>>, ContentsError> {
        match &file.source {
            FileSource::Secret { name } => Ok(Secret::new(format!("value of {name}").into_bytes())),
            FileSource::Content { label, .. } => Err(unknown(label)),
        }
    }

    fn kept(&self, content: &ContentId) -> Result<PathBuf, ContentsError> {
        Ok(self.0.join("kept").join(&content.0))
    }
}

fn unknown(what: &str) -> ContentsError {
    ContentsError { what: format!("`{what}`"), because: "the test does not hold it".to_owned() }
}

/// The stand-in for the binary. `cargo test` builds it; a run of this test alone builds it here.
fn executable() -> PathBuf {
    static BUILT: OnceLock<PathBuf> = OnceLock::new();
    let locate = || {
        let test = std::env::current_exe().unwrap();
        let path = test.ancestors().nth(2).unwrap().join("examples/supervise");
        if !path.exists() {
            let cargo = std::env::var("CARGO").unwrap_or_else(|_| "cargo".to_owned());
            let built = Command::new(cargo).args(["build", "-p", "host", "--example", "supervise"]).status();
            assert!(built.unwrap().success() && path.exists(), "{} cannot be built", path.display());
        }
        path
    };
    BUILT.get_or_init(locate).clone()
}
