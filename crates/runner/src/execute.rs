//! The only loop: it follows a plan, and decides nothing.

use plan::{Action, Entry, Interrupted, Next, Outcome, Output, Step};

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
    take_up(run, clock, told)?;
    loop {
        let plan = run.plan().clone();
        let entry = match run.progress().next(&plan) {
            Next::Do(step) => {
                write(run, Entry::Started { step: step.id.clone(), at: clock.now() }, told)?;
                let result = attempt(run, step, world).await;
                let waits = matches!(result, Err(StepError::Waiting { .. }));
                let entry = after(step, result, clock.now());
                write(run, entry.clone(), told)?;
                if let (true, Entry::Waiting { step, instruction, .. }) = (waits, entry) {
                    return Ok(Ended::Waiting { step, instruction });
                }
                continue;
            }
            Next::TakeBack(step) => match take_back(run, step, world, clock, told).await? {
                Entry::Waiting { step, at, instruction } => {
                    let waiting = Entry::Waiting { step: step.clone(), at, instruction: instruction.clone() };
                    write(run, waiting, told)?;
                    return Ok(Ended::Waiting { step, instruction });
                }
                entry => entry,
            },
            Next::End(outcome) => Entry::Ended { at: clock.now(), outcome },
            Next::Over => {
                let outcome = run.progress().outcome.clone().expect("a run that is over has an outcome");
                return Ok(Ended::Over(outcome));
            }
        };
        write(run, entry, told)?;
    }
}

/// Begins, or takes up what was interrupted: by its plan's policy it goes on or is unwound.
fn take_up(run: &mut Run, clock: &dyn Clock, told: Teller<'_>) -> Result<(), ExecuteError> {
    if run.progress().outcome.is_some() {
        return Ok(());
    }
    // Housekeeping needs nothing that a run holds: what was proven before it stays.
    let proven = run.progress().is_proven(run.plan());
    let interrupted = !run.is_fresh() && run.progress().waiting.is_none() && !proven;
    write(run, Entry::Began { at: clock.now() }, told)?;
    if interrupted && run.plan().interrupted == Interrupted::Unwinds && run.progress().unwinding.is_none() {
        let because = "the run was interrupted, and what it held is gone".to_owned();
        write(run, Entry::Abandoned { at: clock.now(), because }, told)?;
    }
    Ok(())
}

async fn attempt(run: &Run, step: &Step, world: &dyn World) -> Result<Output, StepError> {
    let attested = run.progress().attested.contains(&step.id);
    if attested && matches!(step.action, Action::Person { .. }) {
        return Ok(Output::None);
    }
    let unpermitted = step.destroys.as_ref().filter(|_| run.plan().permits.is_empty());
    if let Some(what) = unpermitted {
        return Err(StepError::failed(format!("`{what}` would be destroyed, and nothing permits it")));
    }
    world.apply(step, &step.action, so_far(run)).await
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

/// Takes one step back. A failing undo ends the run: neither state is in place, and a person has to look.
async fn take_back(
    run: &mut Run,
    step: &Step,
    world: &dyn World,
    clock: &dyn Clock,
    told: Teller<'_>,
) -> Result<Entry, ExecuteError> {
    write(run, Entry::Undoing { step: step.id.clone(), at: clock.now() }, told)?;
    for action in &step.undo {
        let Err(error) = world.apply(step, action, so_far(run)).await else { continue };
        let (undo_error, hint) = match error {
            StepError::Failed { because, hint } => (because, hint),
            // What a person has, an undo waits for too: shares of a key store that comes back sealed.
            StepError::Waiting { instruction } => {
                return Ok(Entry::Waiting { step: step.id.clone(), at: clock.now(), instruction });
            }
        };
        let because = run.progress().unwinding.clone().map(|(_, because)| because).unwrap_or_default();
        let failed =
            Entry::UndoFailed { step: step.id.clone(), at: clock.now(), because: undo_error.clone(), hint };
        write(run, failed, told)?;
        let outcome = Outcome::Stuck { step: step.id.clone(), because, undo_error };
        return Ok(Entry::Ended { at: clock.now(), outcome });
    }
    Ok(Entry::Undone { step: step.id.clone(), at: clock.now() })
}

fn so_far(run: &Run) -> SoFar<'_> {
    SoFar { plan: run.plan(), progress: run.progress() }
}

fn write(run: &mut Run, entry: Entry, told: Teller<'_>) -> Result<(), ExecuteError> {
    let id = run.id().to_owned();
    run.append(entry.clone()).map_err(|source| ExecuteError::Journal { run: id, source })?;
    told(run, &entry);
    Ok(())
}
