//! What the verbs do, without saying it to anybody: lock, settle what was interrupted, survey, plan, execute.

use std::{path::PathBuf, sync::Arc, time::Duration};

use diag::{Diagnostic, Exit, Stop};
use host::{Engine, LockError, LockHolder, StackLock};
use plan::{Entry, Facts, Plan, Policy, Progress, SetContents, Verb};
use secrets::{Identities, Keyring};
use stack::{Loaded, Materials, Shape, StackName};

use crate::{
    Clock, Ended, Release, Run, RunStore, StackDir, StateDir, Teller, execute,
    live::{LiveWorld, People, SetAccess},
    survey,
};

/// How long a verb waits for another one to let go of the stack.
const LOCK_PATIENCE: Duration = Duration::from_secs(2);

/// One stack on one host, as a verb finds it.
pub struct Operations {
    /// Where services run.
    pub engine: Arc<dyn Engine>,
    /// The state directory.
    pub state: StateDir,
    /// Its keys.
    pub keyring: Keyring,
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// The stack as it should be.
    pub shape: Shape,
    /// The bytes behind its references.
    pub materials: Materials,
}

/// What a verb was given besides its stack.
#[derive(Default)]
pub struct Given {
    /// What only people have.
    pub people: People,
    /// The stack's name, typed.
    pub confirmed: Option<String>,
    /// The target to read; default: the first of the shape's.
    pub from: Option<PathBuf>,
    /// Identities that open sets; default: the one in the state directory.
    pub identities: Option<Identities>,
    /// The signer a set must carry; default: this state directory's own.
    pub signer: Option<String>,
}

/// A run that came to rest.
#[derive(Debug)]
pub struct Finished {
    /// Its id; `None`: there was nothing to do.
    pub run: Option<String>,
    /// Its plan.
    pub plan: Plan,
    /// Where it stands.
    pub progress: Progress,
    /// The run that had been interrupted and was settled first, and how it stands.
    pub settled: Option<(String, Progress)>,
}

impl Finished {
    /// A run as it stands.
    fn of(run: &Run) -> Self {
        Self {
            run: Some(run.id().to_owned()),
            plan: run.plan().clone(),
            progress: run.progress().clone(),
            settled: None,
        }
    }
}

impl Operations {
    /// The stack that `loaded` describes.
    ///
    /// # Errors
    /// When it could not be understood, or the state directory cannot be used.
    pub fn new(
        engine: Arc<dyn Engine>,
        state: StateDir,
        clock: Arc<dyn Clock>,
        loaded: Loaded,
    ) -> Result<Self, Stop> {
        if diag::has_errors(&loaded.diagnostics) {
            return Err(Stop { exit: Exit::Usage, diagnostics: loaded.diagnostics });
        }
        let Some(shape) = loaded.shape else {
            return Err(Stop { exit: Exit::Usage, diagnostics: loaded.diagnostics });
        };
        let keyring = open_keyring(&state)?;
        Ok(Self { engine, state, keyring, clock, shape, materials: loaded.materials })
    }

    /// What is kept of the stack.
    pub fn dir(&self) -> StackDir {
        self.state.stack(&self.shape.stack)
    }

    /// Its runs.
    pub fn runs(&self) -> RunStore {
        RunStore::new(self.dir().runs())
    }

    /// What is seen of it now.
    ///
    /// # Errors
    /// When something that must be known could not be looked at.
    pub async fn facts(&self) -> Result<Facts, Stop> {
        survey(&self.engine, &self.shape, &self.dir(), &self.keyring, self.clock.as_ref())
            .await
            .map_err(|err| Stop::precondition(said("survey", &err)))
    }

    fn policy(&self, confirmed: Option<String>) -> Policy {
        Policy {
            now: self.clock.now(),
            random: rand::random(),
            tool: env!("CARGO_PKG_VERSION").to_owned(),
            state_dir: self.state.root().display().to_string(),
            confirmed,
        }
    }

    /// Plans a verb and does nothing.
    ///
    /// # Errors
    /// As the planner, or the survey.
    pub async fn plan(&self, planner: Planner<'_>, confirmed: Option<String>) -> Result<Plan, Stop> {
        let facts = self.facts().await?;
        planner(&self.shape, &facts, &self.policy(confirmed))
    }

    /// Carries a verb out on the stack's own project.
    ///
    /// # Errors
    /// When it could not be begun: nothing was touched then. A run that failed and was undone is no error.
    pub async fn carry_out(
        &self,
        verb: Verb,
        planner: Planner<'_>,
        given: Given,
        told: Teller<'_>,
    ) -> Result<Finished, Stop> {
        let dir = self.dir();
        dir.create().map_err(|err| Stop::precondition(state_unusable(&self.state, &err)))?;
        let _lock = self.lock(&dir, verb).await?;
        let confirmed = given.confirmed.clone();
        let sets = self.set_access(&given);
        let world = self.world(
            dir.clone(),
            dir,
            Some(self.shape.clone()),
            self.materials.clone(),
            sets,
            given.people,
        );
        let settled = self.settle(verb, &world, told).await?;
        if let Some((run, Ended::Waiting { .. })) = &settled {
            return Ok(Finished::of(run));
        }
        let facts = self.facts().await?;
        let plan = planner(&self.shape, &facts, &self.policy(confirmed))?;
        // Taking up what was asked for before was all there was to do: that is what came of it.
        let taken_up = settled.as_ref().map(|(run, _)| run).filter(|run| run.plan().verb == verb);
        let applied = |run: &&Run| run.progress().outcome == Some(plan::Outcome::Applied);
        if let Some(run) = taken_up.filter(applied).filter(|_| plan.is_empty()) {
            return Ok(Finished::of(run));
        }
        let settled = settled.map(|(run, _)| (run.id().to_owned(), run.progress().clone()));
        self.run(plan, &world, settled, told).await
    }

    /// Reads a set, so that its restore or drill can be planned.
    ///
    /// # Errors
    /// When there is none, its signature is not the expected one, or it cannot be opened.
    pub async fn open_set(&self, set: Option<&str>, given: &Given) -> Result<SetContents, Stop> {
        let sets = self.set_access(given);
        crate::live::open_contents(&sets, set).await
    }

    /// Carries a restore out: under the stack's own names, or beside it.
    ///
    /// # Errors
    /// As [`Operations::carry_out`].
    pub async fn restore(
        &self,
        contents: &SetContents,
        given: Given,
        told: Teller<'_>,
    ) -> Result<Finished, Stop> {
        let facts = self.facts_of(&contents.shape).await?;
        let shape = plan::restored_shape(contents, &facts);
        // Decided once, from the stack itself: the facts that the planner gets are those of where it goes.
        let planner = move |shape: &Shape, facts: &Facts, policy: &Policy| {
            plan::restore(contents, shape, facts, policy)
        };
        self.elsewhere(Verb::Restore, shape, &planner, given, told).await
    }

    /// Drills a set in a throwaway.
    ///
    /// # Errors
    /// As [`Operations::carry_out`].
    pub async fn drill(
        &self,
        contents: &SetContents,
        given: Given,
        told: Teller<'_>,
    ) -> Result<Finished, Stop> {
        let policy = self.policy(None);
        let shape = plan::drill_shape(contents, &policy);
        let planner = |_: &Shape, facts: &Facts, _: &Policy| plan::drill(contents, facts, &policy);
        self.elsewhere(Verb::Drill, shape, &planner, given, told).await
    }

    /// A run of the stack that touches `shape`'s project.
    async fn elsewhere(
        &self,
        verb: Verb,
        shape: Shape,
        planner: Planner<'_>,
        given: Given,
        told: Teller<'_>,
    ) -> Result<Finished, Stop> {
        let home = self.dir();
        home.create().map_err(|err| Stop::precondition(state_unusable(&self.state, &err)))?;
        let _lock = self.lock(&home, verb).await?;
        let confirmed = given.confirmed.clone();
        let interrupted = self.interrupted()?;
        // A drill that was cut short had a throwaway of its own: that one is taken away first.
        let touched =
            interrupted.as_ref().map_or_else(|| shape.stack.clone(), |run| run.plan().project.clone());
        let as_touched =
            if touched == shape.stack { shape.clone() } else { shape.as_project(touched.clone()) };
        let sets = self.set_access(&given);
        let settling = self.world(
            home.clone(),
            self.state.stack(&touched),
            Some(as_touched),
            Materials::default(),
            sets,
            given.people.clone(),
        );
        let settled = self.settle(verb, &settling, told).await?;
        if let Some((run, ended)) = &settled {
            let done = matches!(ended, Ended::Over(plan::Outcome::Applied) | Ended::Waiting { .. });
            if done && run.plan().verb == verb {
                return Ok(Finished::of(run));
            }
        }
        let facts = self.facts_of(&shape).await?;
        let plan = planner(&shape, &facts, &self.policy(confirmed))?;
        let world = LiveWorld { place: self.state.stack(&shape.stack), shape: Some(shape), ..settling };
        let settled = settled.map(|(run, _)| (run.id().to_owned(), run.progress().clone()));
        self.run(plan, &world, settled, told).await
    }

    async fn facts_of(&self, shape: &Shape) -> Result<Facts, Stop> {
        let dir = self.state.stack(&shape.stack);
        survey(&self.engine, shape, &dir, &self.keyring, self.clock.as_ref())
            .await
            .map_err(|err| Stop::precondition(said("survey", &err)))
    }

    fn world(
        &self,
        home: StackDir,
        place: StackDir,
        shape: Option<Shape>,
        materials: Materials,
        sets: SetAccess,
        people: People,
    ) -> LiveWorld {
        LiveWorld {
            engine: self.engine.clone(),
            home,
            place,
            keyring: self.keyring.clone(),
            materials,
            shape,
            sets,
            people,
            clock: self.clock.clone(),
        }
    }

    /// Where sets are, and who can open them.
    fn set_access(&self, given: &Given) -> SetAccess {
        let identities = given.identities.clone().unwrap_or_else(|| self.keyring.identity().clone());
        let targets = match &given.from {
            Some(from) => vec![from.clone()],
            None => self.shape.backup.to.iter().map(PathBuf::from).collect(),
        };
        SetAccess {
            targets,
            recipients: self.shape.backup.recipients.clone(),
            identities: Some(identities),
            signer: Some(given.signer.clone().unwrap_or_else(|| self.keyring.signer_fingerprint())),
            stack: Some(self.shape.stack.clone()),
        }
    }

    async fn lock(&self, dir: &StackDir, verb: Verb) -> Result<StackLock, Stop> {
        let holder = LockHolder::this_process(verb.as_str(), self.clock.now());
        StackLock::acquire(&dir.lock(), &holder, Some(LOCK_PATIENCE)).await.map_err(|err| {
            let said = Diagnostic::from_error("lock-held", &err);
            Stop::precondition(match err {
                LockError::Held { .. } => said.hint("wait for it, or look at it: seaworthy runs"),
                _ => said,
            })
        })
    }

    fn interrupted(&self) -> Result<Option<Run>, Stop> {
        self.runs().unfinished().map_err(|err| Stop::precondition(said("runs", &err)))
    }

    /// Takes up the run that was interrupted: the same verb goes on by its plan's policy, another one is unwound.
    async fn settle(
        &self,
        verb: Verb,
        world: &LiveWorld,
        told: Teller<'_>,
    ) -> Result<Option<(Run, Ended)>, Stop> {
        let Some(mut run) = self.interrupted()? else { return Ok(None) };
        if run.plan().verb != verb && run.progress().unwinding.is_none() {
            let because = format!("`{verb}` was asked for while `{}` had not ended", run.plan().verb);
            run.append(Entry::Abandoned { at: self.clock.now(), because })
                .map_err(|err| Stop::precondition(said("runs", &err)))?;
        }
        let ended = execute(&mut run, world, self.clock.as_ref(), told)
            .await
            .map_err(|err| Stop::precondition(said("journal", &err)))?;
        Ok(Some((run, ended)))
    }

    async fn run(
        &self,
        plan: Plan,
        world: &LiveWorld,
        settled: Option<(String, Progress)>,
        told: Teller<'_>,
    ) -> Result<Finished, Stop> {
        if plan.is_empty() {
            return Ok(Finished { run: None, plan, progress: Progress::default(), settled });
        }
        let mut run = self.runs().create(plan).map_err(|err| Stop::precondition(said("runs", &err)))?;
        execute(&mut run, world, self.clock.as_ref(), told)
            .await
            .map_err(|err| Stop::precondition(said("journal", &err)))?;
        let (plan, progress) = (run.plan().clone(), run.progress().clone());
        Ok(Finished { run: Some(run.id().to_owned()), plan, progress, settled })
    }

    /// Says that a person did what a waiting run asks for; gives the verb that goes on.
    ///
    /// # Errors
    /// When there is no such run, or it does not wait.
    pub fn attest(&self, id: &str, who: &str, proof: &str) -> Result<Verb, Stop> {
        let mut run = self.runs().open(id).map_err(|err| Stop::usage(said("runs", &err)))?;
        let Some((step, _)) = run.progress().waiting.clone() else {
            return Err(Stop::usage(Diagnostic::error(
                "not-waiting",
                format!("run `{id}` does not wait for a person"),
            )));
        };
        let entry =
            Entry::Attested { step, at: self.clock.now(), who: who.to_owned(), proof: proof.to_owned() };
        run.append(entry).map_err(|err| Stop::precondition(said("runs", &err)))?;
        Ok(run.plan().verb)
    }

    /// The release whose shape runs now.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn live_release(state: &StateDir, stack: &StackName) -> Result<Option<Release>, Stop> {
        let dir = state.stack(stack);
        let number = dir.pointer("current").map_err(|err| Stop::precondition(said("state", &err)))?;
        number
            .map(|number| Release::read(&dir, number))
            .transpose()
            .map_err(|err| Stop::precondition(said("state", &err)))
    }
}

/// A planner: from shape, facts and policy to a plan.
pub type Planner<'a> = &'a (dyn Fn(&Shape, &Facts, &Policy) -> Result<Plan, Stop> + Sync);

fn said(id: &str, error: &(dyn std::error::Error + 'static)) -> Diagnostic {
    Diagnostic::from_error(id, error)
}

/// Opens the keys of a state directory.
///
/// # Errors
/// When it cannot be written or read.
pub fn open_keyring(state: &StateDir) -> Result<Keyring, Stop> {
    Keyring::open(state.root()).map_err(|err| Stop::precondition(state_unusable(state, &err)))
}

/// The keys of a state directory that was used before; makes none.
///
/// # Errors
/// When they cannot be read.
pub fn existing_keyring(state: &StateDir) -> Result<Option<Keyring>, Stop> {
    Keyring::existing(state.root()).map_err(|err| Stop::precondition(state_unusable(state, &err)))
}

fn state_unusable(state: &StateDir, error: &(dyn std::error::Error + 'static)) -> Diagnostic {
    Diagnostic::error("state-dir", format!("the state directory `{}` cannot be used", state.root().display()))
        .caused_by(error)
        .hint("--state-dir DIR, with a directory that is yours and writable")
}
