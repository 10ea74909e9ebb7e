//! Commands inside a container, and its log lines.

use std::time::Duration;

use bollard::{
    container::LogOutput,
    exec::{CreateExecOptions, StartExecOptions, StartExecResults},
    query_parameters::LogsOptionsBuilder,
};
use futures_util::{StreamExt, future};
use secrets::Secret;
use tokio::sync::mpsc;

use super::{
    Docker,
    fail::{fail, status},
    streams::{Attached, Output},
};
use crate::{EngineError, ExecRequest, LogRequest, Running, Trouble};

/// Read buffer of an exec's output: at the default of 8 KiB a dump runs at two thirds of the speed.
const OUTPUT_CAPACITY: usize = 64 * 1024;

/// A line longer than this is given in pieces.
const LONGEST_LINE: usize = 1024 * 1024;

impl Docker {
    pub(super) async fn exec_command(
        &self,
        container: &str,
        request: &ExecRequest,
    ) -> Result<Running, EngineError> {
        let program = request.command.first().map_or("", String::as_str);
        let doing = format!("run `{program}` in container `{container}`");
        let options = CreateExecOptions {
            attach_stdin: Some(request.stdin),
            attach_stdout: Some(true),
            attach_stderr: Some(true),
            cmd: Some(request.command.clone()),
            user: request.user.clone(),
            privileged: Some(request.privileged),
            working_dir: request.working_dir.clone(),
            env: Some(variables(request)),
            ..Default::default()
        };
        let made =
            self.client.create_exec(container, options).await.map_err(|error| match status(&error) {
                // The engine's "conflict" means here that the container does not run.
                Some(409) => EngineError::new(Trouble::Refused, doing.as_str()).because(error),
                // The engine may quote what it was told.
                _ => {
                    let said = scrubbed(&error.to_string(), request);
                    EngineError { source: Some(said.into()), ..fail(doing.as_str())(error) }
                }
            })?;
        let how = StartExecOptions { output_capacity: Some(OUTPUT_CAPACITY), ..Default::default() };
        let started = self.client.start_exec(&made.id, Some(how)).await.map_err(fail(doing.as_str()))?;
        let StartExecResults::Attached { output, input } = started else {
            return Err(EngineError::new(Trouble::Refused, doing).because("the engine did not attach to it"));
        };
        Ok(Attached {
            output,
            input: request.stdin.then_some(input),
            what: format!("`{program}` in container `{container}`"),
            finish: Box::pin(exec_status(self.client.clone(), made.id, doing)),
            // The engine has no way to end an exec; it ends when it next reads or writes.
            abandon: Box::pin(future::ready(())),
        }
        .run())
    }

    pub(super) async fn log_lines(
        &self,
        container: &str,
        request: &LogRequest,
    ) -> Result<mpsc::Receiver<String>, EngineError> {
        let doing = format!("read the logs of container `{container}`");
        // Asked first, so that a missing container is an error and not an empty log.
        self.client.inspect_container(container, None).await.map_err(fail(doing))?;
        let tail = request.tail.map_or_else(|| "all".to_owned(), |lines| lines.to_string());
        let options = LogsOptionsBuilder::default()
            .stdout(true)
            .stderr(true)
            .follow(request.follow)
            .tail(&tail)
            .build();
        let client = self.client.clone();
        let container = container.to_owned();
        let (lines, receiver) = mpsc::channel(256);
        tokio::spawn(async move {
            let output: Output = Box::pin(client.logs(&container, Some(options)));
            tokio::select! {
                () = send_lines(output, &lines) => {}
                () = lines.closed() => {}
            }
        });
        Ok(receiver)
    }
}

/// `KEY=VALUE` for each; a bare `KEY` takes a variable of the container away.
fn variables(request: &ExecRequest) -> Vec<String> {
    let variable = |(key, value): (&String, &Option<Secret<String>>)| match value {
        Some(value) => format!("{key}={}", value.expose()),
        None => key.clone(),
    };
    request.environment.iter().map(variable).collect()
}

fn scrubbed(said: &str, request: &ExecRequest) -> String {
    let values = request.environment.values().flatten().map(Secret::expose).filter(|value| !value.is_empty());
    values.fold(said.to_owned(), |said, value| said.replace(value.as_str(), "[secret]"))
}

/// The exit status of an exec whose streams have ended. It may run on for a moment, or for long where it closed them
/// itself: no limit here, the caller owns the deadline.
async fn exec_status(client: bollard::Docker, id: String, doing: String) -> Result<i64, EngineError> {
    let mut pause = Duration::from_millis(5);
    loop {
        let seen = client.inspect_exec(&id).await.map_err(fail(doing.as_str()))?;
        match (seen.running, seen.exit_code) {
            (Some(false), Some(code)) => return Ok(code),
            _ => tokio::time::sleep(pause).await,
        }
        pause = (pause * 2).min(Duration::from_millis(500));
    }
}

async fn send_lines(mut output: Output, lines: &mpsc::Sender<String>) {
    // Chunks of the two streams come in turns, and a line may be cut over several of its own.
    let (mut out, mut err) = (Vec::new(), Vec::new());
    while let Some(Ok(chunk)) = output.next().await {
        let pending = if matches!(chunk, LogOutput::StdErr { .. }) { &mut err } else { &mut out };
        for piece in chunk.into_bytes().split_inclusive(|byte| *byte == b'\n') {
            pending.extend_from_slice(piece);
            let complete = piece.ends_with(b"\n") || pending.len() > LONGEST_LINE;
            if complete && lines.send(line(pending)).await.is_err() {
                return;
            }
        }
    }
    for mut rest in [out, err].into_iter().filter(|rest| !rest.is_empty()) {
        drop(lines.send(line(&mut rest)).await);
    }
}

/// Takes what is pending as one line, without its end.
fn line(pending: &mut Vec<u8>) -> String {
    let bytes = std::mem::take(pending);
    String::from_utf8_lossy(&bytes).trim_end_matches(['\n', '\r']).to_owned()
}
