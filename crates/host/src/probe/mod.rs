//! Typed probes, asked through the engine: from where the service's own network allows it, never from the host's.
//!
//! [`ask`] asks once. [`ask_until`] asks until everything is as it should be, the deadline passes, or the container
//! has ended; what it says then is exactly what was seen last.

mod http;
mod json;
mod metric;
mod patience;
mod tls;
mod websocket;

#[cfg(test)]
mod tests;

use std::time::Duration;

use plan::ProbeSeen;
use stack::{Over, Probe, ProbeKind, Service, ServiceName};
use tokio::{
    io::{AsyncRead, AsyncReadExt},
    time::Instant,
};

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

/// What came back, and is good enough.
struct Saw {
    words: String,
    /// It works, with less.
    degraded: bool,
}

impl Saw {
    fn well(words: impl Into<String>) -> Self {
        Self { words: words.into(), degraded: false }
    }
}

/// The way to whom one question goes.
struct Way<'a> {
    engine: &'a dyn Engine,
    subject: &'a Subject<'a>,
    port: Option<u16>,
    /// No answer is waited for after this.
    until: Instant,
}

/// Asks once, for at most the probe's own timeout.
///
/// # Errors
/// When what comes back is not what the probe expects; the error says what was seen.
pub async fn ask(engine: &dyn Engine, subject: &Subject<'_>, probe: &Probe) -> Result<ProbeSeen, ProbeError> {
    let port = probe.port.or(subject.port);
    let words = in_words(subject, probe, port);
    let until = Instant::now() + probe.timeout;
    let way = Way { engine, subject, port, until };
    let answer = tokio::time::timeout_at(until, answer(&way, probe)).await;
    let answer = answer
        .unwrap_or_else(|_| Err(Miss::seen(format!("timed out after {}", diag::duration(probe.timeout)))));
    match answer {
        Ok(Saw { words: saw, degraded }) => Ok(ProbeSeen { probe: words, saw, degraded }),
        Err(Miss { saw, retry }) => Err(ProbeError { probe: words, saw, retry }),
    }
}

/// The probe as a person reads it: `GET /health/ready on relay:8080`.
pub fn in_words(subject: &Subject<'_>, probe: &Probe, port: Option<u16>) -> String {
    let service = subject.service;
    let at = port.map_or_else(|| service.to_string(), |port| format!("{service}:{port}"));
    let over_tls = |over: &Over| if over.tls { " over TLS" } else { "" };
    match &probe.kind {
        ProbeKind::Http { path, over, .. } => format!("GET {path} on {at}{}", over_tls(over)),
        ProbeKind::Tcp => format!("TCP connection to {at}"),
        ProbeKind::Tls { .. } => format!("TLS with {at}"),
        ProbeKind::Exec { command, .. } => format!("`{}` in {service}", excerpt(&command.join(" "))),
        ProbeKind::File { path } => format!("file {path} in {service}"),
        ProbeKind::Log { contains } => format!("\"{}\" in the log of {service}", excerpt(contains)),
        ProbeKind::Metric { series, over, .. } => format!("metric {series} of {at}{}", over_tls(over)),
        ProbeKind::Websocket { path, over, .. } => format!("websocket {path} on {at}{}", over_tls(over)),
    }
}

async fn answer(way: &Way<'_>, probe: &Probe) -> Result<Saw, Miss> {
    match &probe.kind {
        ProbeKind::Http { .. } => http::get(way, &probe.kind).await,
        ProbeKind::Tcp => connected(way.reach().await?).await,
        ProbeKind::Tls { certificate } => {
            let name = way.subject.service.as_str();
            let (_, said) = tls::encrypted(way.reach().await?, name, certificate.as_ref()).await?;
            Ok(Saw::well(said.unwrap_or_else(|| "connected".to_owned())))
        }
        ProbeKind::Exec { command, output } => exec(way, command, output.as_deref()).await,
        ProbeKind::File { path } => file(way, path).await,
        ProbeKind::Log { contains } => log_line(way, contains).await,
        ProbeKind::Metric { series, path, min, max, over } => {
            metric::read(way, path, over, series, [min.as_ref(), max.as_ref()]).await
        }
        ProbeKind::Websocket { path, steps, over } => websocket::converse(way, path, steps, over).await,
    }
}

impl Way<'_> {
    async fn reach(&self) -> Result<Box<dyn Stream>, Miss> {
        let Some(port) = self.port else {
            let service = self.subject.service;
            return Err(Miss::useless(format!(
                "`{service}` has not exactly one port, so the probe must name one (`port = …`)"
            )));
        };
        self.engine.reach(self.subject.container, port).await.map_err(|err| engine_said(&err))
    }

    /// A stream for HTTP, in the clear or over TLS.
    async fn open(&self, over: &Over) -> Result<Box<dyn Stream>, Miss> {
        let stream = self.reach().await?;
        if !over.tls {
            return Ok(stream);
        }
        let authority = self.authority(over);
        let name = authority.rsplit_once(':').map_or(authority.as_str(), |(host, _)| host);
        let (stream, _) = tls::encrypted(stream, name, over.certificate.as_ref()).await?;
        Ok(Box::new(stream))
    }

    /// Whom HTTP is asked of, as the `Host` header says it.
    fn authority(&self, over: &Over) -> String {
        let service = self.subject.service;
        over.host.clone().unwrap_or_else(|| match self.port {
            Some(port) if port != 80 && port != 443 => format!("{service}:{port}"),
            _ => service.to_string(),
        })
    }
}

/// A connection made through a proxy is known to be refused only once it ends, so a moment is given to it.
async fn connected(mut stream: Box<dyn Stream>) -> Result<Saw, Miss> {
    const MOMENT: Duration = Duration::from_millis(150);
    match tokio::time::timeout(MOMENT, stream.read_u8()).await {
        Ok(Err(_)) => Err(Miss::seen("connection refused or closed at once")),
        Ok(Ok(_)) | Err(_) => Ok(Saw::well("connected")),
    }
}

async fn exec(way: &Way<'_>, command: &[String], output: Option<&str>) -> Result<Saw, Miss> {
    let request = ExecRequest { command: command.to_vec(), ..ExecRequest::default() };
    let (code, stdout, stderr) =
        run(way.engine, way.subject.container, &request).await.map_err(|err| engine_said(&err))?;
    let said = excerpt(first_said(&stdout, &stderr));
    match (code, output) {
        (0, None) => Ok(Saw::well("exit 0")),
        (0, Some(wanted)) if stdout.contains(wanted) => {
            Ok(Saw::well(format!("exit 0, {:?}", excerpt(wanted))))
        }
        (0, Some(wanted)) => {
            let said = if said.is_empty() { "nothing" } else { &said };
            Err(Miss::seen(format!("exit 0, expected {:?}; it said: {said}", excerpt(wanted))))
        }
        (code, _) if said.is_empty() => Err(Miss::seen(format!("exit {code}"))),
        (code, _) => Err(Miss::seen(format!("exit {code}, it said: {said}"))),
    }
}

/// Asked with `test`, which whatever has a shell has: only the container knows what it sees at a path.
async fn file(way: &Way<'_>, path: &str) -> Result<Saw, Miss> {
    let command = ["test", "-e", path].map(str::to_owned).to_vec();
    let request = ExecRequest { command, ..ExecRequest::default() };
    match run_to_end(way.engine, way.subject.container, &request).await {
        Ok((0, _)) => Ok(Saw::well("there")),
        Ok((1, said)) if said.is_empty() => Err(Miss::seen("not there")),
        Ok((code, said)) => Err(Miss::seen(format!("`test` cannot tell: exit {code}, it said: {said}"))),
        Err(err) => Err(engine_said(&err)),
    }
}

/// Runs a command in a container to its end: its exit status, and the first of what it said, stderr before stdout.
///
/// # Errors
/// When it could not be run.
pub async fn run_to_end(
    engine: &dyn Engine,
    container: &str,
    request: &ExecRequest,
) -> Result<(i64, String), EngineError> {
    let (code, stdout, stderr) = run(engine, container, request).await?;
    Ok((code, excerpt(first_said(&stdout, &stderr))))
}

fn first_said<'t>(stdout: &'t str, stderr: &'t str) -> &'t str {
    [stderr, stdout].into_iter().find(|said| !said.trim().is_empty()).unwrap_or_default()
}

async fn run(
    engine: &dyn Engine,
    container: &str,
    request: &ExecRequest,
) -> Result<(i64, String, String), EngineError> {
    let running = engine.exec(container, request).await?;
    let (stdout, stderr) = tokio::join!(read_some(running.stdout), read_some(running.stderr));
    Ok((running.exit.await?, stdout, stderr))
}

/// Reads to the end, keeping the first page or two.
async fn read_some(mut from: impl AsyncRead + Unpin) -> String {
    const KEPT_BYTES: usize = 64 << 10;
    let mut kept = Vec::new();
    let mut buffer = [0; 4096];
    while let Ok(read @ 1..) = from.read(&mut buffer).await {
        kept.extend_from_slice(&buffer[..read.min(KEPT_BYTES.saturating_sub(kept.len()))]);
    }
    String::from_utf8_lossy(&kept).into_owned()
}

async fn log_line(way: &Way<'_>, contains: &str) -> Result<Saw, Miss> {
    let request = LogRequest { tail: None, follow: false };
    let mut lines =
        way.engine.logs(way.subject.container, &request).await.map_err(|err| engine_said(&err))?;
    let mut last = None;
    while let Some(line) = lines.recv().await {
        if line.contains(contains) {
            // Not the line: it may hold anything, and what a probe saw is kept and signed.
            return Ok(Saw::well("found"));
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
    if let Some(words) = connection_words(err) {
        return Miss::seen(words);
    }
    let retry = !matches!(err.trouble, Trouble::Absent | Trouble::Denied | Trouble::Unsupported);
    Miss { saw: excerpt(&diag::causes(err).join(": ")), retry }
}

/// What became of a connection, where that is what an error stands on.
fn connection_words(error: &(dyn std::error::Error + 'static)) -> Option<&'static str> {
    use std::io::{Error, ErrorKind};
    let kinds = diag::chain(error).filter_map(|error| error.downcast_ref::<Error>().map(Error::kind));
    kinds.into_iter().find_map(|kind| match kind {
        ErrorKind::ConnectionRefused => Some("connection refused"),
        ErrorKind::ConnectionReset => Some("connection reset"),
        ErrorKind::HostUnreachable | ErrorKind::NetworkUnreachable => Some("unreachable"),
        ErrorKind::TimedOut => Some("connection timed out"),
        _ => None,
    })
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
