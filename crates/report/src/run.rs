//! What a verb that acts says: `seaworthy.run/1`, the fold of a journal for people and scripts.

use diag::{Diagnostic, Exit};
use plan::{
    Action, Effect, KeyStep, Outcome, Output, Plan, ProbeSeen, Progress, RunOutcome, Step, StepId, Verb,
    proof::Evidence,
};
use serde::Serialize;
use stack::ServiceName;

use crate::Said;

/// A run, from its plan and its journal.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct RunReport {
    /// `seaworthy.run/1`.
    pub schema: &'static str,
    /// What was asked for.
    pub verb: &'static str,
    /// The stack.
    pub stack: String,
    /// The project whose containers it touched.
    pub project: String,
    /// The shape.
    pub shape: String,
    /// How it ended.
    pub outcome: RunOutcome,
    /// Exit code.
    pub exit: Exit,
    /// The run's id; absent where nothing was begun.
    pub run: Option<String>,
    /// The releases it is about.
    pub release: ReleaseReport,
    /// The set it wrote or read.
    pub set: Option<String>,
    /// Its steps, in order.
    pub steps: Vec<StepReport>,
    /// What people may have noticed.
    pub impact: ImpactReport,
    /// From the first step to the last; `null` where none was begun.
    pub seconds: Option<f64>,
    /// Containers that failed and are kept to look at.
    pub kept: Vec<String>,
    /// Services that an unwinding started again or shook, and whether they answered.
    pub asked_again: Vec<AskedAgain>,
    /// Files written for a person.
    pub wrote: Vec<String>,
    /// What was proven of the set, as it was signed; `null` where no evidence was written.
    pub evidence: Option<Evidence>,
    /// What was looked at and not done, with the reason.
    pub not_done: Vec<String>,
    /// Everything there is to say.
    pub diagnostics: Vec<Said>,
    /// What a person is to do, where the run waits for one.
    pub waiting_for: Option<String>,
    /// What to type next, where a person is needed.
    pub next: Option<String>,
}

/// The releases a run is about.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct ReleaseReport {
    /// The one that serves now.
    pub live: Option<u64>,
    /// The one that was to serve.
    pub tried: Option<u64>,
}

/// One step.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct StepReport {
    /// Its place, from 1.
    pub n: usize,
    /// Its id within the plan.
    pub id: String,
    /// What.
    pub kind: String,
    /// Of what.
    pub subject: String,
    /// How it stands.
    pub state: StepState,
    /// What it took; `null` where it was not begun.
    pub seconds: Option<f64>,
    /// Why it is done.
    pub because: Vec<String>,
}

/// How a step stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum StepState {
    /// Not begun.
    Pending,
    /// Begun and not ended.
    Running,
    /// Done.
    Done,
    /// Done: what was asked works, with less.
    Degraded,
    /// It was so already.
    Unchanged,
    /// Housekeeping that failed and was left.
    Left,
    /// It waits for a person.
    Waiting,
    /// It failed.
    Failed,
    /// It was done and has been taken back.
    Undone,
}

/// A service that was asked once everything was taken back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct AskedAgain {
    /// Which.
    pub service: String,
    /// Whether it answers.
    pub answers: bool,
    /// Why not.
    pub because: Vec<String>,
}

/// What people may have noticed. Figures are `null` unless measured.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize)]
pub struct ImpactReport {
    /// A step that people may notice was begun.
    pub began: bool,
    /// From that step's begin to the last probe that passed.
    pub seconds: Option<f64>,
    /// Requests that failed.
    pub failed_requests: Option<u64>,
}

/// What is known of a run besides its plan and its journal.
#[derive(Debug, Clone, Copy, Default)]
pub struct Told<'a> {
    /// Its id; absent where there was nothing to do.
    pub run: Option<&'a str>,
    /// What else there is to say.
    pub diagnostics: &'a [Diagnostic],
}

/// Folds a run into its report.
pub fn run_report(plan: &Plan, progress: &Progress, told: Told<'_>) -> RunReport {
    let outcome = RunOutcome::of(plan, progress);
    let mut diagnostics: Vec<Said> = told.diagnostics.iter().map(Said::from).collect();
    diagnostics.extend(failure(plan, progress, told).iter().map(Said::from));
    let evidence = evidence(plan, progress);
    diagnostics.extend(degraded(plan, progress, outcome).iter().map(Said::from));
    let unproven = unproven(plan, outcome, evidence.as_ref());
    diagnostics.extend(unproven.iter().map(Said::from));
    let live = match outcome {
        RunOutcome::Applied => plan.release.or(plan.from).filter(|_| plan.verb != Verb::Destroy),
        // Neither of them does, as far as anybody knows.
        RunOutcome::Stuck => None,
        _ => plan.from,
    };
    RunReport {
        schema: "seaworthy.run/1",
        verb: plan.verb.as_str(),
        stack: plan.stack.to_string(),
        project: plan.project.to_string(),
        shape: plan.shape.clone(),
        outcome,
        exit: if unproven.is_some() { Exit::Findings } else { exit_of(outcome) },
        run: told.run.map(ToOwned::to_owned),
        release: ReleaseReport { live, tried: plan.release },
        set: plan.set.as_ref().map(ToString::to_string),
        steps: plan.steps.iter().enumerate().map(|(at, step)| step_report(at + 1, step, progress)).collect(),
        impact: impact(plan, progress),
        seconds: span(progress, |_| true),
        kept: kept(plan, progress),
        asked_again: asked_again(plan, progress),
        wrote: wrote(progress),
        evidence,
        not_done: plan.not_done.clone(),
        diagnostics,
        waiting_for: progress.waiting.as_ref().map(|(_, instruction)| instruction.clone()),
        next: next_command(plan, progress, outcome, told.run),
    }
}

fn exit_of(outcome: RunOutcome) -> Exit {
    match outcome {
        RunOutcome::Applied | RunOutcome::Unchanged => Exit::Done,
        RunOutcome::Undone => Exit::Findings,
        RunOutcome::Waiting | RunOutcome::Unfinished => Exit::Precondition,
        RunOutcome::Stuck => Exit::Stuck,
    }
}

/// The failure as a diagnostic: the nearest cause is the message, the rest are its causes.
fn failure(plan: &Plan, progress: &Progress, told: Told<'_>) -> Vec<Diagnostic> {
    let said = |id: &str, step: Option<&StepId>, because: &[String]| {
        let (first, rest) =
            because.split_first().map_or(("it failed", because), |(one, rest)| (one.as_str(), rest));
        let mut said = Diagnostic::error(id, first);
        said.causes = rest.to_vec();
        let number = step.and_then(|step| number_of(plan, step));
        let known = step.and_then(|id| progress.hints.get(id)).cloned();
        let look = told.run.zip(number).map(|(run, number)| show_step(run, number));
        said.hint = known.or(look);
        said
    };
    match &progress.outcome {
        Some(Outcome::Undone { step, because }) => vec![said("step-failed", step.as_ref(), because)],
        Some(Outcome::Stuck { because, .. }) => {
            let failed = progress.undo_failed.iter();
            let failed = failed.map(|(step, undo_error)| said("undo-failed", Some(step), undo_error));
            let silent = plan.revivals.iter().filter_map(|revival| {
                let service = &revival.service;
                let because = progress.silent(service)?;
                let message = format!("`{service}` does not answer any more");
                let mut said = said("does-not-answer", None, &[&[message], because].concat());
                said.hint = progress.revived.get(service).and_then(|revived| revived.hint.clone());
                Some(said)
            });
            [said("step-failed", None, because)].into_iter().chain(failed).chain(silent).collect()
        }
        _ => Vec::new(),
    }
}

/// Whether something that was asked works, with less.
pub(crate) fn is_degraded(output: &Output) -> bool {
    matches!(output, Output::Probed { seen, .. } if seen.iter().any(|seen| seen.degraded))
}

/// What works with less, once a run has ended well: what a watch heard is newer than what a gate heard.
fn degraded(plan: &Plan, progress: &Progress, outcome: RunOutcome) -> Vec<Diagnostic> {
    if outcome != RunOutcome::Applied {
        return Vec::new();
    }
    let heard = |watching: bool| {
        let steps = plan.steps.iter().filter(move |step| {
            matches!(step.action, Action::Watch { .. } if watching)
                || matches!(step.action, Action::Probe { .. } if !watching)
        });
        let seen = steps.filter_map(|step| match progress.done.get(&step.id)? {
            Output::Probed { seen, .. } => Some(seen),
            _ => None,
        });
        seen.flatten().collect::<Vec<&ProbeSeen>>()
    };
    let watched = heard(true);
    let before = heard(false);
    let older = before.iter().filter(|seen| !watched.iter().any(|newer| newer.probe == seen.probe));
    let mut degraded: Vec<&ProbeSeen> = older.chain(&watched).copied().filter(|seen| seen.degraded).collect();
    degraded.dedup_by_key(|seen| &seen.probe);
    let say = |seen: &ProbeSeen| {
        Diagnostic::warning("degraded", format!("works, with less: {}", seen.probe)).cause(seen.saw.clone())
    };
    degraded.into_iter().map(say).collect()
}

/// What was proven, once it is written down: the fold gives what was signed.
fn evidence(plan: &Plan, progress: &Progress) -> Option<Evidence> {
    let written = plan.steps.iter().any(|step| {
        let kept = matches!(progress.done.get(&step.id), Some(Output::Wrote { .. }));
        matches!(step.action, Action::WriteEvidence { .. }) && kept
    });
    plan::evidence(plan, progress).filter(|_| written)
}

/// A drill that did all its steps and yet does not prove its set: what it was asked for is not so.
fn unproven(plan: &Plan, outcome: RunOutcome, evidence: Option<&Evidence>) -> Option<Diagnostic> {
    if plan.verb != Verb::Drill || outcome != RunOutcome::Applied || evidence.is_some_and(Evidence::proves) {
        return None;
    }
    let set = plan.set.as_ref().map(ToString::to_string).unwrap_or_default();
    let said = |why: &str| Diagnostic::error("not-proven", format!("set {set} is not proven: {why}"));
    Some(match evidence {
        Some(_) => said("what is in it was not all tried")
            .hint("`[drill] services` leaves out what holds keys or data: name it, or leave the list empty"),
        None => said("the run holds no evidence"),
    })
}

fn next_command(plan: &Plan, progress: &Progress, outcome: RunOutcome, run: Option<&str>) -> Option<String> {
    let run = run?;
    match outcome {
        RunOutcome::Waiting => {
            let (waits, _) = progress.waiting.as_ref()?;
            let step = plan.steps.iter().find(|step| step.id == *waits)?;
            Some(match step.action {
                // A key store that was taken back comes back sealed.
                _ if progress.unwinding.is_some() => format!("seaworthy {} --shares FILE", plan.verb),
                // New shares have to go somewhere.
                Action::Keys { step: KeyStep::Bootstrap, .. } => {
                    format!("seaworthy {} --shares-out DIR", plan.verb)
                }
                // Saying that shares were given opens nothing: the verb itself takes them.
                Action::Keys { .. } | Action::Restore { .. } => {
                    format!("seaworthy {} --shares FILE", plan.verb)
                }
                _ => format!("seaworthy attest {run} --who NAME --proof TEXT"),
            })
        }
        RunOutcome::Stuck => {
            let Some((step, _)) = &progress.undo_failed else {
                let silent =
                    plan.revivals.iter().find(|revival| progress.silent(&revival.service).is_some())?;
                return Some(format!("seaworthy logs {}", silent.service));
            };
            Some(show_step(run, number_of(plan, step)?))
        }
        // The hint of the failure says what to do about it; this, where to look.
        RunOutcome::Undone => {
            let (failed, _) = progress.unwinding.as_ref()?;
            let step = failed.as_ref().filter(|step| progress.hints.contains_key(step))?;
            Some(show_step(run, number_of(plan, step)?))
        }
        RunOutcome::Unfinished => Some(format!("seaworthy {}", plan.verb)),
        _ => None,
    }
}

fn number_of(plan: &Plan, step: &StepId) -> Option<usize> {
    plan.steps.iter().position(|known| known.id == *step).map(|at| at + 1)
}

fn show_step(run: &str, number: usize) -> String {
    format!("seaworthy runs show {run} --step {number}")
}

fn step_report(n: usize, step: &Step, progress: &Progress) -> StepReport {
    StepReport {
        n,
        id: step.id.to_string(),
        kind: step.kind.clone(),
        subject: step.subject.clone(),
        state: step_state(&step.id, progress),
        seconds: seconds_of(progress, &step.id),
        because: step.because.clone(),
    }
}

fn step_state(step: &StepId, progress: &Progress) -> StepState {
    let failed = progress.unwinding.as_ref().is_some_and(|(failed, _)| failed.as_ref() == Some(step));
    match progress.done.get(step) {
        _ if failed => StepState::Failed,
        _ if progress.undone.contains(step) => StepState::Undone,
        Some(Output::Unchanged) => StepState::Unchanged,
        Some(Output::Left { .. }) => StepState::Left,
        Some(output) if is_degraded(output) => StepState::Degraded,
        Some(_) => StepState::Done,
        None if progress.waiting.as_ref().is_some_and(|(waits, _)| waits == step) => StepState::Waiting,
        None if progress.running.as_ref() == Some(step) => StepState::Running,
        None => StepState::Pending,
    }
}

/// What a step took.
pub(crate) fn seconds_of(progress: &Progress, step: &StepId) -> Option<f64> {
    let (began, ended) = progress.times.get(step)?;
    Some(between(*began, (*ended)?))
}

/// What it took to bring a service back and hear its answer.
pub(crate) fn revived_in(progress: &Progress, service: &ServiceName) -> Option<f64> {
    let revived = progress.revived.get(service)?;
    Some(between(revived.began, revived.ended?))
}

fn between(from: jiff::Timestamp, to: jiff::Timestamp) -> f64 {
    (to.as_millisecond() - from.as_millisecond()).max(0) as f64 / 1000.0
}

/// From the first begin to the last end of the steps that `of` picks.
fn span(progress: &Progress, of: impl Fn(&StepId) -> bool) -> Option<f64> {
    let times = || progress.times.iter().filter(|(step, _)| of(step)).map(|(_, times)| times);
    let began = times().map(|(began, _)| *began).min()?;
    let ended = times().filter_map(|(_, ended)| *ended).max()?;
    Some(between(began, ended))
}

fn impact(plan: &Plan, progress: &Progress) -> ImpactReport {
    let Some(first) = plan.steps.iter().position(|step| step.impact) else { return ImpactReport::default() };
    let Some((began, _)) = progress.times.get(&plan.steps[first].id) else { return ImpactReport::default() };
    let probes = plan.steps[first..].iter().filter(|step| matches!(step.action, Action::Probe { .. }));
    let answered = probes.filter_map(|step| {
        progress.done.get(&step.id)?;
        progress.times.get(&step.id)?.1
    });
    let applied = progress.outcome == Some(Outcome::Applied);
    ImpactReport {
        began: true,
        seconds: answered.max().filter(|_| applied).map(|ended| between(*began, ended)),
        failed_requests: None,
    }
}

/// Containers that an unwinding set aside under a name that ends with `-failed`.
fn kept(plan: &Plan, progress: &Progress) -> Vec<String> {
    let taken_back = plan.steps.iter().filter(|step| progress.undone.contains(&step.id));
    taken_back
        .flat_map(|step| &step.undo)
        .filter_map(|action| match action {
            Action::Engine { effect: Effect::Rename { to, .. } } if to.ends_with("-failed") => {
                Some(to.clone())
            }
            _ => None,
        })
        .collect()
}

/// In the order in which they were asked.
fn asked_again(plan: &Plan, progress: &Progress) -> Vec<AskedAgain> {
    let asked = plan.revivals.iter().filter_map(|revival| {
        let answer = progress.revived.get(&revival.service)?.answer.as_ref()?;
        let service = revival.service.to_string();
        let because = answer.as_ref().err().cloned().unwrap_or_default();
        Some(AskedAgain { service, answers: answer.is_ok(), because })
    });
    asked.collect()
}

fn wrote(progress: &Progress) -> Vec<String> {
    let outputs = progress.done.values();
    outputs
        .filter_map(|output| match output {
            Output::Wrote { path } => Some(path.clone()),
            _ => None,
        })
        .collect()
}
