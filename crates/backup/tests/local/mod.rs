//! What the tests of this crate stand on: keys, targets, and an engine that runs commands on this very machine.
#![allow(
    dead_code,
    unreachable_pub,
    clippy::unwrap_used,
    reason = "each test file uses its own part; a test may panic"
)]

use std::{
    collections::BTreeMap,
    fs,
    path::Path,
    process::{Command, Stdio},
};

use async_trait::async_trait;
use backup::{Meter, Recipients, SetWriter, SignedManifest, Target};
use ed25519_dalek::{Signer, SigningKey};
use host::{
    Arg, Contents, Engine, EngineError, ExecRequest, LogRequest, Observed, Running, Scope, SideJob, Stream,
    Trouble,
};
use plan::{
    Effect, Output,
    set::{MANIFEST_SCHEMA, Manifest, Object, SetId},
};
use secrets::{Identities, parse_identities};
use stack::{EngineKind, StackName};

pub fn identity_text() -> String {
    use age::secrecy::ExposeSecret;
    age::x25519::Identity::generate().to_string().expose_secret().to_owned()
}

pub fn identities() -> Identities {
    parse_identities(&identity_text()).unwrap()
}

pub fn stack() -> StackName {
    "blog".into()
}

pub fn target(path: &Path) -> Target {
    Target::open(path, &stack())
}

pub fn set(number: u32) -> SetId {
    SetId(format!("20261121T0114{number:02}Z-7f3a91c2"))
}

pub fn writer(target: &Target, identities: &Identities, set: SetId) -> SetWriter {
    let recipients = Recipients::of(identities).unwrap();
    SetWriter { set, sequence: 1, recipients, targets: vec![target.clone()], meter: Meter::default() }
}

/// Seals bytes as an object; for tests that need some object.
pub async fn seal(writer: &SetWriter, bytes: &[u8]) -> Object {
    let secret = secrets::Secret::new(bytes.to_vec());
    writer.secrets(&secret, jiff::Timestamp::UNIX_EPOCH).await.unwrap()
}

pub fn manifest(writer: &SetWriter, objects: Vec<Object>) -> Manifest {
    Manifest {
        schema: MANIFEST_SCHEMA.into(),
        set: writer.set.clone(),
        stack: stack(),
        shape: "local".into(),
        chain: "c0ffee".into(),
        sequence: writer.sequence,
        previous: None,
        point: "2026-11-21T01:14:47.25Z".parse().unwrap(),
        keys_at: None,
        tool: "0.1.0".into(),
        recipients: writer.recipients.to_strings(),
        release: Some(3),
        objects,
        keys: None,
        canaries: Vec::new(),
    }
}

pub fn signing_key() -> SigningKey {
    SigningKey::from_bytes(&[7; 32])
}

pub fn fingerprint(key: &SigningKey) -> String {
    format!("ed25519:{}", data_encoding::HEXLOWER.encode(key.verifying_key().as_bytes()))
}

pub fn signed(manifest: Manifest) -> SignedManifest {
    let key = signing_key();
    SignedManifest::sign(manifest, &fingerprint(&key), |bytes| key.sign(bytes).to_bytes()).unwrap()
}

/// `false`, loudly, when a program that the test compares with is not here.
pub fn installed(programs: &[&str]) -> bool {
    let missing = |program: &&&str| {
        let found =
            Command::new("sh").args(["-c", "command -v \"$0\"", program]).stdout(Stdio::null()).status();
        !found.is_ok_and(|status| status.success())
    };
    let Some(program) = programs.iter().find(missing) else { return true };
    skipped(&format!("`{program}` is not installed"));
    false
}

/// Says that a test did not run; where everything must be there, that is a failure.
pub fn skipped(why: &str) {
    eprintln!("skipped: {why}");
    assert!(std::env::var("SEAWORTHY_LIVE").as_deref() != Ok("1"), "SEAWORTHY_LIVE=1 and {why}");
}

/// Every file below a directory with its content: to see that nothing changed, or nothing is left.
pub fn files(root: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut found = BTreeMap::new();
    let mut waiting = vec![root.to_owned()];
    while let Some(directory) = waiting.pop() {
        for entry in fs::read_dir(directory).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                waiting.push(path);
            } else {
                let name = path.strip_prefix(root).unwrap().display().to_string();
                found.insert(name, fs::read(&path).unwrap());
            }
        }
    }
    found
}

/// Runs what would run in a container as processes of this machine.
pub struct Local {
    /// Set for every command: how its clients find the server's socket.
    pub environment: Vec<(String, String)>,
    /// What `side` runs, before the job's own arguments.
    pub side: Vec<String>,
    /// The directory that stands for every volume.
    pub volume: std::path::PathBuf,
}

impl Local {
    fn spawn(&self, command: &[String], stdin: bool) -> Result<Running, EngineError> {
        let failed = |err: std::io::Error| EngineError::new(Trouble::Refused, "run a command").because(err);
        let mut child = tokio::process::Command::new(&command[0])
            .args(&command[1..])
            .envs(self.environment.iter().cloned())
            .stdin(if stdin { Stdio::piped() } else { Stdio::null() })
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .map_err(failed)?;
        Ok(Running {
            stdin: child.stdin.take().map(|input| Box::new(input) as _),
            stdout: Box::new(child.stdout.take().unwrap()),
            stderr: Box::new(child.stderr.take().unwrap()),
            exit: Box::pin(async move {
                let status = child.wait().await.map_err(failed)?;
                Ok(i64::from(status.code().unwrap_or(137)))
            }),
        })
    }
}

fn unsupported<T>() -> Result<T, EngineError> {
    Err(EngineError::new(Trouble::Unsupported, "do that in a test"))
}

#[async_trait]
impl Engine for Local {
    fn kind(&self) -> EngineKind {
        EngineKind::Process
    }

    async fn observe(&self, _: &Scope) -> Result<Observed, EngineError> {
        unsupported()
    }

    async fn apply(&self, _: &Effect, _: &dyn Contents) -> Result<Output, EngineError> {
        unsupported()
    }

    async fn reach(&self, _: &str, _: u16) -> Result<Box<dyn Stream>, EngineError> {
        unsupported()
    }

    async fn exec(&self, _: &str, request: &ExecRequest) -> Result<Running, EngineError> {
        self.spawn(&request.command, request.stdin)
    }

    async fn side(&self, job: &SideJob) -> Result<Running, EngineError> {
        let argument = |argument: &Arg| match argument {
            Arg::Literal(text) => text.clone(),
            Arg::InVolume { path, .. } => self.volume.join(path).display().to_string(),
        };
        let command: Vec<String> =
            self.side.iter().cloned().chain(job.arguments.iter().map(argument)).collect();
        self.spawn(&command, job.stdin)
    }

    async fn logs(
        &self,
        _: &str,
        _: &LogRequest,
    ) -> Result<tokio::sync::mpsc::Receiver<String>, EngineError> {
        unsupported()
    }
}
