//! Commands beside a service: `exec` in its surroundings, `side` with the stack's volumes.

use std::{
    io,
    path::Path,
    pin::Pin,
    process::Stdio,
    sync::Arc,
    task::{Context, Poll},
};

use plan::Phase;
use rustix::process::Signal;
use tokio::{
    io::{AsyncRead, ReadBuf},
    process::{Child, Command},
    sync::oneshot,
};

use super::{Process, kin::Birth, places::fail};
use crate::{Arg, EngineError, ExecRequest, Running, SideJob, Trouble};

impl Process {
    /// Runs a command where the service runs, with its environment. There is one user: the request's is not looked at.
    /// There are no privileges to give, and none are pretended.
    pub(super) fn exec_command(
        &self,
        container: &str,
        request: &ExecRequest,
    ) -> Result<Running, EngineError> {
        let program = request.command.first().map_or("", String::as_str);
        let doing = format!("run `{program}` in container `{container}`");
        let instance = self.places.present(container, &doing)?;
        if !matches!(instance.look()?.phase(), Phase::Running { .. }) {
            return Err(EngineError::new(Trouble::Refused, doing).because("it does not run"));
        }
        if request.privileged {
            return Err(EngineError::new(Trouble::Unsupported, doing)
                .because("a process has no more privileges than the program that starts it")
                .hint("take `privileged` out, or use `--engine docker`"));
        }
        let launch = instance.files().launch().map_err(fail(doing.as_str()))?;
        let mut command = Command::new(program);
        command
            .args(request.command.iter().skip(1))
            .env_clear()
            .envs(&launch.environment)
            .current_dir(request.working_dir.as_ref().map_or(launch.directory.as_path(), Path::new));
        for (variable, value) in &request.environment {
            match value {
                Some(value) => command.env(variable, value.expose()),
                None => command.env_remove(variable),
            };
        }
        run(command, request.stdin, doing)
    }

    /// Runs this binary's `side` subcommand. Processes share one network, so the job's is not looked at.
    pub(super) fn run_side(&self, job: &SideJob) -> Result<Running, EngineError> {
        let word = match job.arguments.first() {
            Some(Arg::Literal(word)) => word.as_str(),
            _ => "",
        };
        let doing = format!("run side job `{word}`");
        for (volume, _) in &job.volumes {
            self.places.volume_data(volume, &doing)?;
        }
        let mut command = Command::new(&self.executable);
        command.arg("side").current_dir("/");
        for argument in &job.arguments {
            match argument {
                Arg::Literal(text) => command.arg(text),
                Arg::InVolume { volume, path } => {
                    command.arg(self.places.volume_data(volume, &doing)?.join(path.trim_start_matches('/')))
                }
            };
        }
        run(command, job.stdin, doing)
    }
}

/// Starts a command in a process group of its own. It is ended when its streams and its exit have all been dropped.
fn run(mut command: Command, stdin: bool, doing: String) -> Result<Running, EngineError> {
    command
        .stdin(if stdin { Stdio::piped() } else { Stdio::null() })
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .process_group(0)
        .kill_on_drop(true);
    let mut child = command.spawn().map_err(fail(doing.as_str()))?;
    let taken = "every stream of this command was just asked for";
    let stdin = stdin.then(|| Box::new(child.stdin.take().expect(taken)) as Box<_>);
    let (stdout, stderr) = (child.stdout.take().expect(taken), child.stderr.take().expect(taken));
    let (listening, nobody_listens) = oneshot::channel::<()>();
    let listening = Arc::new(listening);
    let (exit, exited) = oneshot::channel();
    tokio::spawn(async move {
        let ended = wait(child, nobody_listens).await;
        drop(exit.send(ended));
    });
    let heard = |stream| Box::new(Heard { stream, _listening: listening.clone() });
    let (stdout, stderr) = (heard(Stream::Out(stdout)), heard(Stream::Err(stderr)));
    let exit = Box::pin(async move {
        let _listening = listening;
        let lost = || EngineError::new(Trouble::Lost, doing.as_str());
        let status: io::Result<i64> = exited.await.map_err(|_| lost())?;
        status.map_err(|error| lost().because(error))
    });
    Ok(Running { stdin, stdout, stderr, exit })
}

/// Waits for the end, or makes it when nobody listens any more.
async fn wait(mut child: Child, nobody_listens: oneshot::Receiver<()>) -> io::Result<i64> {
    let group = child.id().and_then(|pid| i32::try_from(pid).ok()).and_then(Birth::of);
    let status = tokio::select! {
        status = child.wait() => status?,
        _ = nobody_listens => {
            group.iter().for_each(|leader| leader.signal_group(Signal::KILL));
            child.wait().await?
        }
    };
    Ok(super::supervise::code(status))
}

/// A stream that keeps the command running while it is held.
struct Heard {
    stream: Stream,
    _listening: Arc<oneshot::Sender<()>>,
}

enum Stream {
    Out(tokio::process::ChildStdout),
    Err(tokio::process::ChildStderr),
}

impl AsyncRead for Heard {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match &mut self.stream {
            Stream::Out(stream) => Pin::new(stream).poll_read(cx, buf),
            Stream::Err(stream) => Pin::new(stream).poll_read(cx, buf),
        }
    }
}
