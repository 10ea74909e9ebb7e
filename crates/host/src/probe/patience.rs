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

/// Asks all probes, in order, until all of them pass in one attempt, and each as often in a row as it must; gives what
/// they saw and the attempts it took. A probe with a deadline of its own is waited for so long, and `within` at most.
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
    let began = Instant::now();
    let mut round = Round { engine, subject, probes, until: began + within, in_a_row: vec![0; probes.len()] };
    let mut usual_pause = FIRST_PAUSE;
    let mut attempts = 0;
    let mut last = None;
    let why = loop {
        attempts += 1;
        let missed_by = match round.attempt(&mut phase).await {
            Ok(seen) => return Ok((seen, attempts)),
            Err(Missed::Ended(why)) => break why,
            Err(Missed::Probe(err, missed_by)) => {
                let retry = err.retry;
                // One that the deadline cut short saw nothing: what was seen before it says more.
                if last.is_none() || Instant::now() < round.until {
                    last = Some(err);
                }
                if !retry {
                    break Why::Unaskable;
                }
                missed_by.map(|at| &probes[at])
            }
        };
        let within = missed_by.and_then(|probe| probe.deadline).map_or(within, |own| own.min(within));
        let pause = missed_by.and_then(|probe| probe.interval).unwrap_or(usual_pause);
        if Instant::now() + pause >= began + within {
            break Why::Deadline { within };
        }
        tokio::time::sleep(pause).await;
        usual_pause = (usual_pause * 2).min(LONGEST_PAUSE);
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
    /// What was not as it should be, and the place of its probe, where it is one.
    Probe(ProbeError, Option<usize>),
    Ended(Why),
}

/// What every attempt asks, and what those before it came to.
struct Round<'a> {
    engine: &'a dyn Engine,
    subject: &'a Subject<'a>,
    probes: &'a [Probe],
    until: Instant,
    /// How often each probe has passed since it last did not.
    in_a_row: Vec<u32>,
}

impl Round<'_> {
    async fn attempt<F, Answer>(&mut self, phase: &mut F) -> Result<Vec<ProbeSeen>, Missed>
    where
        F: FnMut() -> Answer,
        Answer: Future<Output = Result<Option<Phase>, EngineError>>,
    {
        let state = format!("state of {}", self.subject.service);
        let missed =
            |saw: String, retry: bool| Missed::Probe(ProbeError { probe: state.clone(), saw, retry }, None);
        let phase = match tokio::time::timeout_at(self.until, phase()).await {
            Ok(Ok(Some(Phase::Exited { code }))) => return Err(Missed::Ended(Why::Ended { code })),
            Ok(Ok(None | Some(Phase::Dead))) => return Err(Missed::Ended(Why::Gone)),
            Ok(Ok(Some(phase))) => phase,
            Ok(Err(err)) => {
                let miss = super::engine_said(&err);
                return Err(missed(miss.saw, miss.retry));
            }
            Err(_) => return Err(missed("the engine does not answer".to_owned(), true)),
        };
        if self.probes.is_empty() {
            return judge_phase(phase)
                .map(|saw| vec![ProbeSeen { probe: state.clone(), saw, degraded: false }])
                .map_err(|saw| missed(saw, true));
        }
        let seen = self.ask_all().await?;
        // A watch that follows looks at the engine's own health check as well: it must not find it still starting.
        if let (Phase::Running { healthy: Some(false) }, Err(saw)) = (phase, judge_phase(phase)) {
            return Err(missed(saw, true));
        }
        Ok(seen)
    }

    /// Every probe once. One that must pass several times in a row misses until it has.
    async fn ask_all(&mut self) -> Result<Vec<ProbeSeen>, Missed> {
        let mut seen = Vec::new();
        let mut too_few = None;
        for (at, probe) in self.probes.iter().enumerate() {
            let left = self.until.saturating_duration_since(Instant::now());
            let hurried = Probe { timeout: probe.timeout.min(left), ..probe.clone() };
            let passed = ask(self.engine, self.subject, &hurried).await.map_err(|err| {
                self.in_a_row[at] = 0;
                Missed::Probe(err, Some(at))
            })?;
            self.in_a_row[at] += 1;
            let (row, wanted) = (self.in_a_row[at], probe.successes);
            if row < wanted && too_few.is_none() {
                let saw = format!("{}, {row} of {wanted} times in a row", passed.saw);
                let err = ProbeError { probe: passed.probe.clone(), saw, retry: true };
                too_few = Some(Missed::Probe(err, Some(at)));
            }
            seen.push(passed);
        }
        too_few.map_or(Ok(seen), Err)
    }
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
