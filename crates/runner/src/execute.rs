//! The only loop: it follows a plan, and decides nothing.

use host::LockError;
use plan::{Entry, Next, Outcome, Output, Revival, Step};

use crate::{Clock, Run, RunError, SoFar, StepError, World};

/// Hears every entry once it is on disk; the run has taken it.
pub type Teller<'a> = &'a (dyn Fn(&Run, &Entry) + Sync);

/// How a run stands when `execute` returns.
#[derive(Debug, Clone, PartialEq)]
pub enum Ended {
    /// It is over.
    Over(Outcome),
    /// A person must act; calling `execute` again goes on.
    Waiting {
        /// The step that waits.
        step: plan::StepId,
        /// What the person is to do.
        instruction: String,
    },
}

/// The run could not be carried on: nothing is known to be wrong with the host.
#[derive(Debug, thiserror::Error)]
pub enum ExecuteError {
    /// The journal could not be written: no step is begun that is not announced.
    #[error("cannot keep the journal of run `{run}`")]
    Journal {
        /// The run.
        run: String,
        /// Why.
        #[source]
        source: RunError,
    },
    /// Somebody else works on the stack now: the run is theirs to take up.
    #[error("run `{run}` is not ours any more")]
    Lost {
        /// The run.
        run: String,
        /// Whose it is.
        #[source]
        source: Box<LockError>,
    },
    /// The plan does not pass its own lint.
    #[error("the plan of run `{run}` is not sound: {}", .wrong.join("; "))]
    Unsound {
        /// The run.
        run: String,
        /// What is wrong with it.
        wrong: Vec<String>,
    },
}

/// Carries a run on until it is over or a person must act.
///
/// Each entry is on disk before the host is touched. Calling it again *is* resume: there is no second path.
///
/// # Errors
/// When the journal cannot be written, or the plan is not sound.
pub async fn execute(
    run: &mut Run,
    world: &dyn World,
    clock: &dyn Clock,
    told: Teller<'_>,
) -> Result<Ended, ExecuteError> {
    let wrong = plan::lint(run.plan());
    if !wrong.is_empty() {
        return Err(ExecuteError::Unsound { run: run.id().to_owned(), wrong });
    }
    take_up(run, world, clock, told)?;
    let plan = run.shared_plan();
    loop {
        let entry = match run.progress().next(&plan) {
            Next::Do(step) => {
                write(run, world, Entry::Started { step: step.id.clone(), at: clock.now() }, told)?;
                let result = attempt(run, step, world, clock.now()).await;
                after(step, result, clock.now())
            }
            Next::TakeBack(step) => take_back(run, step, world, clock, told).await?,
            Next::Revive(revival) => revive(run, revival, world, clock, told).await?,
            Next::End(outcome) => Entry::Ended { at: clock.now(), outcome },
            Next::Over => {
                let outcome = run.progress().outcome.clone().expect("a run that is over has an outcome");
                return Ok(Ended::Over(outcome));
            }
        };
        write(run, world, entry.clone(), told)?;
        if let Entry::Waiting { step, instruction, .. } = entry {
            return Ok(Ended::Waiting { step, instruction });
        }
    }
}

/// Begins, or takes up what was interrupted: by its plan's policy it goes on or is unwound.
fn take_up(
    run: &mut Run,
    world: &dyn World,
    clock: &dyn Clock,
    told: Teller<'_>,
) -> Result<(), ExecuteError> {
    if run.progress().outcome.is_some() {
        return Ok(());
    }
    let lapsed = plan::take_up::lapsed(run.plan(), run.progress());
    let epoch = fence(run, world)?;
    write(run, world, Entry::Began { at: clock.now(), epoch }, told)?;
    match lapsed {
        Some(because) => write(run, world, Entry::Abandoned { at: clock.now(), because }, told),
        None => Ok(()),
    }
}

async fn attempt(
    run: &Run,
    step: &Step,
    world: &dyn World,
    now: jiff::Timestamp,
) -> Result<Output, StepError> {
    if plan::is_attested(step, run.progress(), now) {
        return Ok(Output::None);
    }
    let unpermitted = step.destroys.as_ref().filter(|what| !run.plan().may_destroy(what));
    if let Some(what) = unpermitted {
        return Err(StepError::failed(format!("`{what}` would be destroyed, and nothing permits it")));
    }
    world.apply(&step.action, so_far(run)).await
}

fn after(step: &Step, result: Result<Output, StepError>, at: jiff::Timestamp) -> Entry {
    let step_id = step.id.clone();
    match result {
        Ok(output) => Entry::Succeeded { step: step_id, at, output },
        Err(StepError::Waiting { instruction }) => Entry::Waiting { step: step_id, at, instruction },
        Err(StepError::Failed { because, .. }) if step.forgiving => {
            Entry::Succeeded { step: step_id, at, output: Output::Left { because: because.join(": ") } }
        }
        Err(StepError::Failed { because, hint }) => Entry::Failed { step: step_id, at, because, hint },
    }
}

/// Takes one step back.
async fn take_back(
    run: &mut Run,
    step: &Step,
    world: &dyn World,
    clock: &dyn Clock,
    told: Teller<'_>,
) -> Result<Entry, ExecuteError> {
    write(run, world, Entry::Undoing { step: step.id.clone(), at: clock.now() }, told)?;
    for action in &step.undo {
        let Err(error) = world.apply(action, so_far(run)).await else { continue };
        let (step, at) = (step.id.clone(), clock.now());
        return Ok(match error {
            StepError::Failed { because, hint } => Entry::UndoFailed { step, at, because, hint },
            StepError::Waiting { instruction } => Entry::Waiting { step, at, instruction },
        });
    }
    Ok(Entry::Undone { step: step.id.clone(), at: clock.now() })
}

/// Brings one service back and asks it. Where it does not come, the run goes on with the next: what can serve does.
async fn revive(
    run: &mut Run,
    revival: &Revival,
    world: &dyn World,
    clock: &dyn Clock,
    told: Teller<'_>,
) -> Result<Entry, ExecuteError> {
    let service = revival.service.clone();
    write(run, world, Entry::Reviving { service: service.clone(), at: clock.now() }, told)?;
    let mut output = Output::None;
    for action in &revival.actions {
        let result = world.apply(action, so_far(run)).await;
        let at = clock.now();
        match result {
            Ok(made) => output = made,
            Err(StepError::Failed { because, hint }) => {
                return Ok(Entry::ReviveFailed { service, at, because, hint });
            }
            // A key store comes back sealed, and only people have its shares.
            Err(StepError::Waiting { instruction }) => {
                let step = revival.after_any[0].clone();
                return Ok(Entry::Waiting { step, at, instruction });
            }
        }
    }
    Ok(Entry::Revived { service, at: clock.now(), output })
}

fn so_far(run: &Run) -> SoFar<'_> {
    SoFar { plan: run.plan(), progress: run.progress() }
}

fn fence(run: &Run, world: &dyn World) -> Result<Option<u64>, ExecuteError> {
    world.fence().map_err(|source| ExecuteError::Lost { run: run.id().to_owned(), source: Box::new(source) })
}

/// Writes an entry, where the stack is still ours: what it announces is done next.
fn write(run: &mut Run, world: &dyn World, entry: Entry, told: Teller<'_>) -> Result<(), ExecuteError> {
    fence(run, world)?;
    let id = run.id().to_owned();
    run.append(entry.clone()).map_err(|source| ExecuteError::Journal { run: id, source })?;
    told(run, &entry);
    Ok(())
}
