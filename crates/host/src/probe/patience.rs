//! Asking again until it is as it should be, for so long and no longer.

use std::time::Duration;

use plan::{Phase, ProbeSeen};
use stack::Probe;
use tokio::time::Instant;

use super::{ProbeError, Subject, ask, excerpt};
use crate::{Engine, EngineError, LogRequest, Scope};

/// Pause after the first failed attempt; it doubles up to [`LONGEST_PAUSE`], so that a quick start is seen quickly
/// and a slow one is not hammered.
const FIRST_PAUSE: Duration = Duration::from_millis(250);
const LONGEST_PAUSE: Duration = Duration::from_secs(1);

/// Log lines that an error repeats.
const LAST_WORDS: usize = 10;

/// A service did not become ready.
#[derive(Debug, Clone, thiserror::Error)]
#[error("`{service}` {why}")]
pub struct NotReady {
    /// The service.
    pub service: String,
    /// What ended the waiting.
    pub why: Why,
    /// What was seen last, when anything was asked.
    #[source]
    pub last: Option<ProbeError>,
    /// Times it was asked.
    pub attempts: u32,
    /// The newest lines of its log, oldest first.
    pub last_words: Vec<String>,
}

/// What ended the waiting.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Why {
    /// Time ran out.
    #[error("did not become ready in {}", diag::duration(*.within))]
    Deadline {
        /// How long was waited.
        within: Duration,
    },
    /// Its container has ended, with this status.
    #[error("ended before it was ready (exit {code})")]
    Ended {
        /// Its exit status.
        code: i64,
    },
    /// Its container is not there.
    #[error("has no container any more")]
    Gone,
    /// Asking again cannot help.
    #[error("cannot be asked")]
    Unaskable,
}

impl NotReady {
    /// The chain of causes as a journal keeps it, nearest first; the service's last words come last.
    pub fn because(&self) -> Vec<String> {
        let mut because = vec![self.to_string()];
        if let Some(last) = &self.last {
            let times =
                if self.attempts == 1 { "once".to_owned() } else { format!("{} times", self.attempts) };
            because.push(format!("{last} (tried {times})"));
        }
        if !self.last_words.is_empty() {
            because.push(format!("its last words: {}", self.last_words.join(" ⏎ ")));
        }
        because
    }
}

/// Asks all probes, in order, until all of them pass in one attempt; gives what they saw and the attempts it took.
///
/// The engine's own health check must pass too, where there is one. Without probes it alone decides, and where there is
/// none, that it runs. `phase` is asked
/// before every attempt (`None`: the container is not there), so that a container that has ended is not waited for.
///
/// # Errors
/// When the deadline passes, the container ends or goes, or asking again cannot help.
pub async fn ask_until<F, Answer>(
    engine: &dyn Engine,
    subject: &Subject<'_>,
    probes: &[Probe],
    within: Duration,
    mut phase: F,
) -> Result<(Vec<ProbeSeen>, u32), NotReady>
where
    F: FnMut() -> Answer,
    Answer: Future<Output = Result<Option<Phase>, EngineError>>,
{
    let until = Instant::now() + within;
    let mut pause = FIRST_PAUSE;
    let mut attempts = 0;
    let mut last = None;
    let why = loop {
        attempts += 1;
        match attempt(engine, subject, probes, until, &mut phase).await {
            Ok(seen) => return Ok((seen, attempts)),
            Err(Missed::Ended(why)) => break why,
            Err(Missed::Probe(err)) => {
                let retry = err.retry;
                // One that the deadline cut short saw nothing: what was seen before it says more.
                if last.is_none() || Instant::now() < until {
                    last = Some(err);
                }
                if !retry {
                    break Why::Unaskable;
                }
            }
        }
        if Instant::now() + pause >= until {
            break Why::Deadline { within };
        }
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(LONGEST_PAUSE);
    };
    let last_words = last_words(engine, subject).await;
    Err(NotReady { service: subject.service.to_string(), why, last, attempts, last_words })
}

/// What a container is doing, from the engine's survey of its project; `None`: it is not there.
///
/// # Errors
/// When the engine cannot look.
pub async fn phase_of(
    engine: &dyn Engine,
    project: &str,
    container: &str,
) -> Result<Option<Phase>, EngineError> {
    let scope = Scope { project: project.to_owned(), ..Scope::default() };
    let observed = engine.observe(&scope).await?;
    Ok(observed.containers.into_iter().find(|seen| seen.name == container).map(|seen| seen.phase))
}

enum Missed {
    Probe(ProbeError),
    Ended(Why),
}

async fn attempt<F, Answer>(
    engine: &dyn Engine,
    subject: &Subject<'_>,
    probes: &[Probe],
    until: Instant,
    phase: &mut F,
) -> Result<Vec<ProbeSeen>, Missed>
where
    F: FnMut() -> Answer,
    Answer: Future<Output = Result<Option<Phase>, EngineError>>,
{
    let state = format!("state of {}", subject.service);
    let phase = match tokio::time::timeout_at(until, phase()).await {
        Ok(Ok(Some(Phase::Exited { code }))) => return Err(Missed::Ended(Why::Ended { code })),
        Ok(Ok(None | Some(Phase::Dead))) => return Err(Missed::Ended(Why::Gone)),
        Ok(Ok(Some(phase))) => phase,
        Ok(Err(err)) => {
            let miss = super::engine_said(&err);
            return Err(Missed::Probe(ProbeError { probe: state, saw: miss.saw, retry: miss.retry }));
        }
        Err(_) => {
            let saw = "the engine does not answer".to_owned();
            return Err(Missed::Probe(ProbeError { probe: state, saw, retry: true }));
        }
    };
    if probes.is_empty() {
        return judge_phase(phase)
            .map(|saw| vec![ProbeSeen { probe: state.clone(), saw }])
            .map_err(|saw| Missed::Probe(ProbeError { probe: state, saw, retry: true }));
    }
    let mut seen = Vec::new();
    for probe in probes {
        let left = until.saturating_duration_since(Instant::now());
        let probe = Probe { timeout: probe.timeout.min(left), ..probe.clone() };
        seen.push(ask(engine, subject, &probe).await.map_err(Missed::Probe)?);
    }
    // A watch that follows looks at the engine's own health check as well: it must not find it still starting.
    if let (Phase::Running { healthy: Some(false) }, Err(saw)) = (phase, judge_phase(phase)) {
        return Err(Missed::Probe(ProbeError { probe: state, saw, retry: true }));
    }
    Ok(seen)
}

/// What is seen of a container that nothing else is asked of; the error is what to go on waiting for.
fn judge_phase(phase: Phase) -> Result<String, String> {
    if phase.is_well() { Ok(phase.in_words()) } else { Err(phase.in_words()) }
}

/// Whatever can be had of its log in a moment: an error is told without it rather than late.
async fn last_words(engine: &dyn Engine, subject: &Subject<'_>) -> Vec<String> {
    const MOMENT: Duration = Duration::from_secs(3);
    let request = LogRequest { tail: Some(LAST_WORDS), follow: false };
    let mut kept = Vec::new();
    let _ = tokio::time::timeout(MOMENT, async {
        let Ok(mut lines) = engine.logs(subject.container, &request).await else { return };
        while let Some(line) = lines.recv().await {
            kept.push(excerpt(&line));
        }
    })
    .await;
    kept.retain(|line: &String| !line.is_empty());
    kept.split_off(kept.len().saturating_sub(LAST_WORDS))
}
