//! An engine for tests of this crate: every container is loopback, and its log, state and commands are as told.

use std::process::Stdio;

use async_trait::async_trait;
use plan::{Effect, Output};
use stack::EngineKind;
use tokio::net::TcpStream;

use crate::{
    Arg, Contents, Engine, EngineError, ExecRequest, LogRequest, Observed, Running, Scope, SideJob, Stream,
    Trouble, side,
};

/// Every container is loopback.
#[derive(Debug, Default)]
pub(crate) struct Loopback {
    /// What every container has logged.
    pub(crate) log: Vec<String>,
    /// Side jobs end without a word.
    pub(crate) side_is_mute: bool,
}

#[async_trait]
impl Engine for Loopback {
    fn kind(&self) -> EngineKind {
        EngineKind::Process
    }

    async fn observe(&self, _scope: &Scope) -> Result<Observed, EngineError> {
        Err(EngineError::new(Trouble::Unsupported, "look at anything"))
    }

    async fn apply(&self, _effect: &Effect, _contents: &dyn Contents) -> Result<Output, EngineError> {
        Err(EngineError::new(Trouble::Unsupported, "change anything"))
    }

    async fn reach(&self, container: &str, port: u16) -> Result<Box<dyn Stream>, EngineError> {
        match TcpStream::connect(("127.0.0.1", port)).await {
            Ok(stream) => Ok(Box::new(stream)),
            Err(err) => Err(EngineError::new(Trouble::Refused, format!("reach {container}")).because(err)),
        }
    }

    async fn exec(&self, _container: &str, request: &ExecRequest) -> Result<Running, EngineError> {
        let mut child = tokio::process::Command::new(&request.command[0])
            .args(&request.command[1..])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .map_err(|err| EngineError::new(Trouble::NotFound, "run a command").because(err))?;
        let (stdout, stderr) = (child.stdout.take().expect("piped"), child.stderr.take().expect("piped"));
        let exit = async move {
            let status = child.wait().await;
            Ok(i64::from(status.ok().and_then(|status| status.code()).unwrap_or(-1)))
        };
        let (stdout, stderr) = (Box::new(stdout), Box::new(stderr));
        Ok(Running { stdin: None, stdout, stderr, exit: Box::pin(exit) })
    }

    async fn side(&self, job: &SideJob) -> Result<Running, EngineError> {
        let words = job.arguments.iter().map(|argument| match argument {
            Arg::Literal(word) => word.clone(),
            Arg::InVolume { path, .. } => path.clone(),
        });
        // `dial --within SECS` come first.
        let targets: Vec<String> = words.skip(3).collect();
        let mut lines = Vec::new();
        if !self.side_is_mute {
            for dialled in side::dial(&targets, crate::isolation::WITHIN).await {
                lines.extend(serde_json::to_vec(&dialled).expect("JSON"));
                lines.push(b'\n');
            }
        }
        Ok(Running {
            stdin: None,
            stdout: Box::new(std::io::Cursor::new(lines)),
            stderr: Box::new(tokio::io::empty()),
            exit: Box::pin(async { Ok(0) }),
        })
    }

    async fn logs(
        &self,
        _container: &str,
        request: &LogRequest,
    ) -> Result<tokio::sync::mpsc::Receiver<String>, EngineError> {
        let (sender, receiver) = tokio::sync::mpsc::channel(self.log.len().max(1));
        let skipped = request.tail.map_or(0, |tail| self.log.len().saturating_sub(tail));
        for line in &self.log[skipped..] {
            sender.send(line.clone()).await.expect("room for every line");
        }
        Ok(receiver)
    }
}
