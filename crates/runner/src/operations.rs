//! What the verbs do, without saying it to anybody: lock, settle what was interrupted, survey, plan, execute.

use std::{path::PathBuf, sync::Arc, time::Duration};

use backup::Meter;
use diag::{Diagnostic, Exit, Stop};
use host::{Engine, LockError, LockHolder, StackLock};
use plan::{
    Action, Entry, Facts, Outcome, Plan, Policy, Progress, SavedPlan, Seed, SetContents, Typed, Verb,
    set::SetId,
    take_up::{self, Asked},
};
use secrets::{Identities, Keyring};
use stack::{Loaded, Materials, Shape, StackName};

use crate::{
    Clock, Ended, Release, Run, RunStore, StackDir, StateDir, Teller, execute,
    live::{LiveWorld, People, SetAccess},
    survey,
    world::remedy,
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
    /// Its canonical tree, as Compose has it.
    compose: Option<serde_json::Value>,
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
    /// The command as it was typed.
    pub typed: Typed,
    /// Counts what is captured or brought back: whoever gave it watches.
    pub meter: Meter,
    /// The plan to carry out, and no other.
    pub planned: Option<SavedPlan>,
}

/// The project that a verb touches: the stack's own, or one beside it.
#[derive(Clone)]
struct Ground {
    shape: Shape,
    materials: Materials,
    /// The set it reads, for verbs that read one.
    set: Option<SetId>,
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
    /// Whose lock was broken, because they gave no sign of life.
    pub broke: Option<LockHolder>,
}

impl Finished {
    /// A run as it stands.
    fn of(run: &Run) -> Self {
        Self {
            run: Some(run.id().to_owned()),
            plan: run.plan().clone(),
            progress: run.progress().clone(),
            settled: None,
            broke: None,
        }
    }
}

impl Operations {
    /// The stack that `loaded` describes.
    ///
    /// # Errors
    /// When it could not be understood.
    pub fn new(
        engine: Arc<dyn Engine>,
        state: StateDir,
        keyring: Keyring,
        clock: Arc<dyn Clock>,
        loaded: Loaded,
    ) -> Result<Self, Stop> {
        if diag::has_errors(&loaded.diagnostics) {
            return Err(Stop { exit: Exit::Usage, diagnostics: loaded.diagnostics });
        }
        let Some(shape) = loaded.shape else {
            return Err(Stop { exit: Exit::Usage, diagnostics: loaded.diagnostics });
        };
        let (materials, compose) = (loaded.materials, loaded.compose.map(|tree| tree.0));
        Ok(Self { engine, state, keyring, clock, shape, materials, compose })
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
        self.facts_of(&self.shape).await
    }

    fn policy(&self, given: &Given) -> Policy {
        let now = self.clock.now();
        let anew = || Seed { at: now, random: rand::random() };
        Policy {
            now,
            seed: given.planned.as_ref().map_or_else(anew, |saved| saved.seed),
            tool: env!("CARGO_PKG_VERSION").to_owned(),
            state_dir: self.state.root().display().to_string(),
            confirmed: given.confirmed.clone(),
            shares: Some(secrets::keystore::different(&given.people.shares)),
            typed: given.typed.clone(),
            fetched: false,
        }
    }

    /// For a plan that is only looked at: what people bring along will be asked for when it is carried out.
    fn policy_to_look_at(&self, confirmed: Option<String>) -> Policy {
        Policy { confirmed, shares: None, ..self.policy(&Given::default()) }
    }

    /// Plans a verb and does nothing.
    ///
    /// # Errors
    /// As the planner, or the survey.
    pub async fn plan(&self, planner: Planner<'_>, confirmed: Option<String>) -> Result<SavedPlan, Stop> {
        let (facts, policy) = (self.facts().await?, self.policy_to_look_at(confirmed));
        Ok(SavedPlan::new(planner(&self.shape, &facts, &policy)?, &facts, &policy))
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
        let ground = Ground { shape: self.shape.clone(), materials: self.materials.clone(), set: None };
        self.carry_out_on(ground, verb, planner, given, told).await
    }

    /// Reads a set, so that its restore or drill can be planned.
    ///
    /// # Errors
    /// When there is none, its signature is not the expected one, or it cannot be opened.
    pub async fn open_set(&self, set: Option<&str>, given: &Given) -> Result<SetContents, Stop> {
        crate::live::open_contents(&self.set_access(given), set, &self.policy(given)).await
    }

    /// Reads a set whose restore or drill is only planned: nobody is asked for shares.
    ///
    /// # Errors
    /// As [`Operations::open_set`].
    pub async fn open_set_to_look_at(&self, set: Option<&str>, given: &Given) -> Result<SetContents, Stop> {
        let policy = Policy { shares: None, ..self.policy(given) };
        crate::live::open_contents(&self.set_access(given), set, &policy).await
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
        let shape = if self.is_cut_short_in_place()? {
            contents.shape.clone()
        } else {
            plan::restored_shape(contents, &self.facts_of(&contents.shape).await?)
        };
        let given = ask_holders(given, &shape);
        // Decided once, from the stack itself: the facts that the planner gets are those of where it goes.
        let planner = move |shape: &Shape, facts: &Facts, policy: &Policy| {
            plan::restore(contents, shape, facts, policy)
        };
        let set = Some(contents.manifest.set.clone());
        let ground = Ground { shape, materials: Materials::default(), set };
        self.carry_out_on(ground, Verb::Restore, &planner, given, told).await
    }

    /// Plans a restore and does nothing.
    ///
    /// # Errors
    /// As the planner, or the survey.
    pub async fn plan_restore(
        &self,
        contents: &SetContents,
        confirmed: Option<String>,
    ) -> Result<SavedPlan, Stop> {
        let shape = plan::restored_shape(contents, &self.facts_of(&contents.shape).await?);
        let (facts, policy) = (self.facts_of(&shape).await?, self.policy_to_look_at(confirmed));
        Ok(SavedPlan::new(plan::restore(contents, &shape, &facts, &policy)?, &facts, &policy))
    }

    /// Plans a drill and does nothing.
    ///
    /// # Errors
    /// As the planner, or the survey.
    pub async fn plan_drill(&self, contents: &SetContents) -> Result<SavedPlan, Stop> {
        let policy = self.policy_to_look_at(None);
        let facts = self.facts_of(&plan::drill_shape(contents, &policy)).await?;
        Ok(SavedPlan::new(plan::drill(contents, &facts, &policy)?, &facts, &policy))
    }

    /// Whether a restore under the stack's own names was cut short.
    fn is_cut_short_in_place(&self) -> Result<bool, Stop> {
        let unfinished = self.runs().unfinished().map_err(|err| Stop::precondition(said("runs", &err)))?;
        Ok(unfinished.is_some_and(|run| take_up::is_restoring_in_place(&run.plan, &run.progress)))
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
        let policy = self.policy(&given);
        let shape = plan::drill_shape(contents, &policy);
        let given = ask_holders(given, &shape);
        let policy = Policy { shares: self.policy(&given).shares, ..policy };
        let planner = |_: &Shape, facts: &Facts, _: &Policy| plan::drill(contents, facts, &policy);
        let set = Some(contents.manifest.set.clone());
        let ground = Ground { shape, materials: Materials::default(), set };
        self.carry_out_on(ground, Verb::Drill, &planner, given, told).await
    }

    /// A run of this stack that touches the project of `ground`: lock, settle, survey, plan, execute.
    async fn carry_out_on(
        &self,
        ground: Ground,
        verb: Verb,
        planner: Planner<'_>,
        given: Given,
        told: Teller<'_>,
    ) -> Result<Finished, Stop> {
        let home = self.dir();
        home.create().map_err(|err| Stop::precondition(state_unusable(&self.state, &err)))?;
        let lock = Arc::new(self.lock(&home, verb.as_str()).await?);
        let mut finished = self.under(&lock, ground, verb, planner, given, told).await?;
        finished.broke = lock.broke().cloned();
        Ok(finished)
    }

    /// The same, once the stack is locked.
    async fn under(
        &self,
        lock: &Arc<StackLock>,
        ground: Ground,
        verb: Verb,
        planner: Planner<'_>,
        given: Given,
        told: Teller<'_>,
    ) -> Result<Finished, Stop> {
        let planned = given.planned.as_ref().map(|saved| &saved.plan);
        let asked = Asked { verb, set: ground.set.as_ref(), shape: &ground.shape, planned };
        let settled = self.settle(lock, &ground, &asked, &given, told).await?;
        match &settled {
            Some((run, Ended::Waiting { .. })) => return Ok(Finished::of(run)),
            Some((run, Ended::Over(outcome))) if take_up::is_what_was_asked(run.plan(), outcome, &asked) => {
                return Ok(Finished::of(run));
            }
            _ => {}
        }
        let facts = self.facts_of(&ground.shape).await?;
        let mut policy = self.policy(&given);
        let mut plan = planner(&ground.shape, &facts, &policy)?;
        if let Some(saved) = &given.planned {
            saved.refuse_if_stale(&plan, &facts, &policy)?;
        } else if plan.again {
            let fetched = self.run(plan, &self.world(lock, ground.clone(), &given), None, told).await?;
            if fetched.progress.outcome != Some(Outcome::Applied) {
                return Ok(fetched);
            }
            policy = Policy { fetched: true, ..self.policy(&given) };
            plan = planner(&ground.shape, &self.facts_of(&ground.shape).await?, &policy)?;
            if plan.is_empty() {
                return Ok(fetched);
            }
        }
        // Taking up what was asked for before was all there was to do: that is what came of it.
        let taken_up = settled.as_ref().map(|(run, _)| run).filter(|run| run.plan().verb == verb);
        let applied = |run: &&Run| run.progress().outcome == Some(Outcome::Applied);
        if let Some(run) = taken_up.filter(applied).filter(|_| plan.is_empty()) {
            return Ok(Finished::of(run));
        }
        let settled = settled.map(|(run, _)| (run.id().to_owned(), run.progress().clone()));
        let world = self.world(lock, ground, &given);
        self.run(plan, &world, settled, told).await
    }

    /// What a run seals, signs and hashes must be opened and known again: its keys are kept before it begins.
    fn keep_keys(&self) -> Result<(), Stop> {
        self.keyring
            .keep(self.state.root())
            .map_err(|err| Stop::precondition(state_unusable(&self.state, &err)))
    }

    async fn facts_of(&self, shape: &Shape) -> Result<Facts, Stop> {
        let dir = self.state.stack(&shape.stack);
        // A set's shape, or another project's, is not what the files say.
        let compose = self.compose.as_ref().filter(|_| *shape == self.shape);
        survey(&self.engine, shape, &dir, &self.keyring, self.clock.as_ref(), compose)
            .await
            .map_err(|err| Stop::precondition(said("survey", &err)))
    }

    fn world(&self, lock: &Arc<StackLock>, ground: Ground, given: &Given) -> LiveWorld {
        let Ground { shape, materials, set: _ } = ground;
        let compose = self.compose.clone().filter(|_| shape == self.shape);
        LiveWorld {
            lock: lock.clone(),
            engine: self.engine.clone(),
            home: self.dir(),
            place: self.state.stack(&shape.stack),
            keyring: self.keyring.clone(),
            materials,
            shape,
            compose,
            sets: self.set_access(given),
            people: given.people.clone(),
            clock: self.clock.clone(),
            meter: given.meter.clone(),
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
            identities,
            signer: given.signer.clone().unwrap_or_else(|| self.keyring.signer_fingerprint()),
            stack: self.shape.stack.clone(),
        }
    }

    async fn lock(&self, dir: &StackDir, purpose: &str) -> Result<StackLock, Stop> {
        let holder = LockHolder::this_process(purpose, self.clock.now());
        StackLock::acquire(&dir.lock(), &holder, Some(LOCK_PATIENCE)).await.map_err(|err| {
            let said = Diagnostic::from_error("lock-held", &err);
            Stop::precondition(match err {
                LockError::Held { .. } | LockError::Lost { .. } => {
                    said.hint("wait for it, or look at it: seaworthy runs")
                }
                _ => said,
            })
        })
    }

    /// Takes up the run that was interrupted, whatever it was, on the ground it was begun on.
    async fn settle(
        &self,
        lock: &Arc<StackLock>,
        ground: &Ground,
        asked: &Asked<'_>,
        given: &Given,
        told: Teller<'_>,
    ) -> Result<Option<(Run, Ended)>, Stop> {
        let unfinished = self.runs().unfinished().map_err(|err| Stop::precondition(said("runs", &err)))?;
        let Some(unfinished) = unfinished else { return Ok(None) };
        let mut run =
            self.runs().open(&unfinished.id).map_err(|err| Stop::precondition(said("runs", &err)))?;
        self.keep_keys()?;
        let begun_on = self.ground_of(run.plan(), ground);
        if let Some(because) = take_up::unwanted(run.plan(), run.progress(), asked) {
            run.append(Entry::Abandoned { at: self.clock.now(), because })
                .map_err(|err| Stop::precondition(said("runs", &err)))?;
        }
        let world = self.world(lock, begun_on, given);
        let ended = execute(&mut run, &world, self.clock.as_ref(), told)
            .await
            .map_err(|err| Stop::precondition(said("journal", &err)))?;
        Ok(Some((run, ended)))
    }

    /// What a run of this stack was begun on: its own plan knows best.
    fn ground_of(&self, plan: &Plan, ground: &Ground) -> Ground {
        if let Some(shape) = take_up::planned_shape(plan) {
            return Ground { shape: shape.clone(), materials: self.materials.clone(), set: None };
        }
        if plan.project == ground.shape.stack {
            return Ground { shape: ground.shape.clone(), materials: ground.materials.clone(), set: None };
        }
        let shape = match plan.project == self.shape.stack {
            true => self.shape.clone(),
            false => self.shape.as_project(plan.project.clone()),
        };
        Ground { shape, materials: Materials::default(), set: None }
    }

    async fn run(
        &self,
        plan: Plan,
        world: &LiveWorld,
        settled: Option<(String, Progress)>,
        told: Teller<'_>,
    ) -> Result<Finished, Stop> {
        if plan.is_empty() {
            return Ok(Finished { run: None, plan, progress: Progress::default(), settled, broke: None });
        }
        self.keep_keys()?;
        let mut run = self.runs().create(plan).map_err(|err| Stop::precondition(said("runs", &err)))?;
        execute(&mut run, world, self.clock.as_ref(), told)
            .await
            .map_err(|err| Stop::precondition(said("journal", &err)))?;
        let (plan, progress) = (run.plan().clone(), run.progress().clone());
        Ok(Finished { run: Some(run.id().to_owned()), plan, progress, settled, broke: None })
    }

    /// Says that a person did what a waiting run asks for; gives the verb that goes on.
    ///
    /// # Errors
    /// When there is no such run, or it does not wait for something that a person attests.
    pub async fn attest(&self, id: &str, who: &str, proof: &str) -> Result<Verb, Stop> {
        let _lock = self.lock(&self.dir(), "attest").await?;
        let mut run = self.runs().open(id).map_err(|err| Stop::usage(said("runs", &err)))?;
        let Some((step, instruction)) = run.progress().waiting.clone() else {
            let message = format!("run `{id}` does not wait for a person");
            return Err(Stop::usage(Diagnostic::error("not-waiting", message)));
        };
        let waits = run.plan().steps.iter().find(|known| known.id == step).map(|step| &step.action);
        if !matches!(waits, Some(Action::Person { .. })) {
            let message = format!("run `{id}` waits for something that attesting does not give");
            return Err(Stop::usage(Diagnostic::error("not-attestable", message).hint(instruction)));
        }
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

/// Asks for the shares of a key store that comes back sealed, where none were given and somebody can be asked.
fn ask_holders(mut given: Given, shape: &Shape) -> Given {
    let asked = given.people.ask.as_ref().filter(|_| given.people.shares.is_empty());
    if let (Some(ask), Some((service, transit))) = (asked, plan::sealed_store(shape)) {
        given.people.shares = ask(service, transit.threshold);
    }
    given
}

/// A planner: from shape, facts and policy to a plan.
pub type Planner<'a> = &'a (dyn Fn(&Shape, &Facts, &Policy) -> Result<Plan, Stop> + Sync);

/// An error as a diagnostic, with what one of its causes knows to do about it.
pub fn said(id: &str, error: &(dyn std::error::Error + 'static)) -> Diagnostic {
    let said = Diagnostic::from_error(id, error);
    match remedy(error) {
        Some(hint) => said.hint(hint),
        None => said,
    }
}

/// The keys of a state directory. Those that are missing are kept once a run begins; whoever only looks writes nothing.
///
/// # Errors
/// When they cannot be read.
pub fn keyring(state: &StateDir) -> Result<Keyring, Stop> {
    Keyring::looking(state.root()).map_err(|err| Stop::precondition(state_unusable(state, &err)))
}

fn state_unusable(state: &StateDir, error: &(dyn std::error::Error + 'static)) -> Diagnostic {
    Diagnostic::error("state-dir", format!("the state directory `{}` cannot be used", state.root().display()))
        .caused_by(error)
        .hint("--state-dir DIR, with a directory that is yours and writable")
}
