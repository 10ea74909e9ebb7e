//! Typed probes, asked through the engine: from where the service's own network allows it, never from the host's.
//!
//! [`ask`] asks once. [`ask_until`] asks until everything is as it should be, the deadline passes, or the container
//! has ended; what it says then is exactly what was seen last.

mod http;
mod json;
mod patience;
mod websocket;

#[cfg(test)]
mod tests;

use std::time::Duration;

use plan::ProbeSeen;
use stack::{Probe, ProbeKind, Service, ServiceName};
use tokio::io::{AsyncRead, AsyncReadExt};

use crate::{Engine, EngineError, ExecRequest, LogRequest, Stream, Trouble};

pub use patience::{NotReady, Why, ask_until, phase_of};

/// Characters of a foreign body or line that an error repeats.
const EXCERPT_CHARS: usize = 200;

/// Who is asked.
#[derive(Debug, Clone, Copy)]
pub struct Subject<'a> {
    /// The service: what people are told.
    pub service: &'a ServiceName,
    /// Its container.
    pub container: &'a str,
    /// The port probes talk to when they name none.
    pub port: Option<u16>,
}

impl<'a> Subject<'a> {
    /// A service with its settings at hand.
    pub fn new(service: &'a ServiceName, container: &'a str, settings: &Service) -> Self {
        Self { service, container, port: settings.only_port() }
    }
}

/// A probe did not see what it should have.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{probe}: {saw}")]
pub struct ProbeError {
    /// The probe in words: `GET /healthz on web:8080`.
    pub probe: String,
    /// What was seen instead: `503, status is "starting", expected "ok"`.
    pub saw: String,
    /// Asking again may help. False where the question itself is wrong, or the engine is not there.
    pub retry: bool,
}

/// What went wrong, before it is known in which words the probe is told.
struct Miss {
    saw: String,
    retry: bool,
}

impl Miss {
    fn seen(saw: impl Into<String>) -> Self {
        Self { saw: saw.into(), retry: true }
    }

    fn useless(saw: impl Into<String>) -> Self {
        Self { saw: saw.into(), retry: false }
    }
}

/// Asks once, for at most the probe's own timeout.
///
/// # Errors
/// When what comes back is not what the probe expects; the error says what was seen.
pub async fn ask(engine: &dyn Engine, subject: &Subject<'_>, probe: &Probe) -> Result<ProbeSeen, ProbeError> {
    let port = probe.port.or(subject.port);
    let words = in_words(subject, probe, port);
    let answer = tokio::time::timeout(probe.timeout, answer(engine, subject, probe, port)).await;
    let answer =
        answer.unwrap_or_else(|_| Err(Miss::seen(format!("timed out after {}", span(probe.timeout)))));
    match answer {
        Ok(saw) => Ok(ProbeSeen { probe: words, saw }),
        Err(Miss { saw, retry }) => Err(ProbeError { probe: words, saw, retry }),
    }
}

/// The probe as a person reads it: `GET /health/ready on relay:8080`.
pub fn in_words(subject: &Subject<'_>, probe: &Probe, port: Option<u16>) -> String {
    let service = subject.service;
    let at = port.map_or_else(|| service.to_string(), |port| format!("{service}:{port}"));
    match &probe.kind {
        ProbeKind::Http { path, tls: false, .. } => format!("GET {path} on {at}"),
        ProbeKind::Http { path, tls: true, .. } => format!("GET {path} on {at} over TLS"),
        ProbeKind::Tcp => format!("TCP connection to {at}"),
        ProbeKind::Exec { command } => format!("`{}` in {service}", excerpt(&command.join(" "))),
        ProbeKind::Log { contains } => format!("\"{}\" in the log of {service}", excerpt(contains)),
        ProbeKind::Websocket { path, .. } => format!("websocket {path} on {at}"),
    }
}

async fn answer(
    engine: &dyn Engine,
    subject: &Subject<'_>,
    probe: &Probe,
    port: Option<u16>,
) -> Result<String, Miss> {
    match &probe.kind {
        ProbeKind::Http { .. } => {
            http::get(reach(engine, subject, port).await?, subject.service, port, &probe.kind).await
        }
        ProbeKind::Tcp => connected(reach(engine, subject, port).await?).await,
        ProbeKind::Exec { command } => exec(engine, subject, command).await,
        ProbeKind::Log { contains } => log_line(engine, subject, contains).await,
        ProbeKind::Websocket { path, steps } => {
            let stream = reach(engine, subject, port).await?;
            websocket::converse(stream, subject.service, port, path, steps).await
        }
    }
}

async fn reach(
    engine: &dyn Engine,
    subject: &Subject<'_>,
    port: Option<u16>,
) -> Result<Box<dyn Stream>, Miss> {
    let Some(port) = port else {
        let service = subject.service;
        return Err(Miss::useless(format!(
            "`{service}` has not exactly one port, so the probe must name one (`port = …`)"
        )));
    };
    engine.reach(subject.container, port).await.map_err(|err| engine_said(&err))
}

/// A connection made through a proxy is known to be refused only once it ends, so a moment is given to it.
async fn connected(mut stream: Box<dyn Stream>) -> Result<String, Miss> {
    const MOMENT: Duration = Duration::from_millis(150);
    match tokio::time::timeout(MOMENT, stream.read_u8()).await {
        Ok(Err(_)) => Err(Miss::seen("connection refused or closed at once")),
        Ok(Ok(_)) | Err(_) => Ok("connected".to_owned()),
    }
}

async fn exec(engine: &dyn Engine, subject: &Subject<'_>, command: &[String]) -> Result<String, Miss> {
    let request = ExecRequest { command: command.to_vec(), ..ExecRequest::default() };
    let running = engine.exec(subject.container, &request).await.map_err(|err| engine_said(&err))?;
    let (stdout, stderr) = tokio::join!(read_some(running.stdout), read_some(running.stderr));
    match running.exit.await {
        Ok(0) => Ok("exit 0".to_owned()),
        Ok(code) => {
            let said = [stderr, stdout].into_iter().find(|said| !said.trim().is_empty());
            let said = said.map_or_else(String::new, |said| format!(", it said: {}", excerpt(&said)));
            Err(Miss::seen(format!("exit {code}{said}")))
        }
        Err(err) => Err(engine_said(&err)),
    }
}

/// Reads to the end, keeping the first few thousand bytes.
async fn read_some(mut from: impl AsyncRead + Unpin) -> String {
    const KEPT_BYTES: usize = 4096;
    let mut kept = Vec::new();
    let mut buffer = [0; 4096];
    while let Ok(read @ 1..) = from.read(&mut buffer).await {
        kept.extend_from_slice(&buffer[..read.min(KEPT_BYTES.saturating_sub(kept.len()))]);
    }
    String::from_utf8_lossy(&kept).into_owned()
}

async fn log_line(engine: &dyn Engine, subject: &Subject<'_>, contains: &str) -> Result<String, Miss> {
    let request = LogRequest { tail: None, follow: false };
    let mut lines = engine.logs(subject.container, &request).await.map_err(|err| engine_said(&err))?;
    let mut last = None;
    while let Some(line) = lines.recv().await {
        if line.contains(contains) {
            // Not the line: it may hold anything, and what a probe saw is kept and signed.
            return Ok("found".to_owned());
        }
        last = Some(line);
    }
    Err(Miss::seen(match last {
        Some(line) => format!("not in the log, whose last line is: {}", excerpt(&line)),
        None => "not in the log, which is empty".to_owned(),
    }))
}

/// What the engine said, as what a probe saw. A refused connection is a refused connection, however it was found out.
fn engine_said(err: &EngineError) -> Miss {
    let mut chain = vec![err.to_string()];
    let mut next: Option<&(dyn std::error::Error + 'static)> =
        err.source.as_ref().map(|source| &**source as &(dyn std::error::Error + 'static));
    while let Some(cause) = next {
        let kind = cause.downcast_ref::<std::io::Error>().map(std::io::Error::kind);
        if let Some(words) = kind.and_then(connection_words) {
            return Miss::seen(words);
        }
        chain.push(cause.to_string());
        next = cause.source();
    }
    let retry = !matches!(err.trouble, Trouble::Absent | Trouble::Denied | Trouble::Unsupported);
    Miss { saw: excerpt(&chain.join(": ")), retry }
}

fn connection_words(kind: std::io::ErrorKind) -> Option<&'static str> {
    use std::io::ErrorKind;
    match kind {
        ErrorKind::ConnectionRefused => Some("connection refused"),
        ErrorKind::ConnectionReset => Some("connection reset"),
        ErrorKind::HostUnreachable | ErrorKind::NetworkUnreachable => Some("unreachable"),
        ErrorKind::TimedOut => Some("connection timed out"),
        _ => None,
    }
}

/// At most [`EXCERPT_CHARS`] characters, on one line, nothing a terminal would act on.
fn excerpt(text: &str) -> String {
    let mut line = String::new();
    for word in text.split_whitespace() {
        if !line.is_empty() {
            line.push(' ');
        }
        line.extend(word.chars().filter(|c| !c.is_control()));
        if line.chars().count() > EXCERPT_CHARS {
            let cut: String = line.chars().take(EXCERPT_CHARS - 1).collect();
            return format!("{cut}…");
        }
    }
    line
}

/// A duration as a person reads it: `5s`, `0.3s`.
fn span(duration: Duration) -> String {
    if duration.subsec_millis() == 0 {
        format!("{}s", duration.as_secs())
    } else {
        format!("{:.1}s", duration.as_secs_f64())
    }
}
