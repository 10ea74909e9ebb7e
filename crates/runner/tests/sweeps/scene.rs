//! One run of a plan on a modelled machine, with its journal on disk.

use std::{
    fs,
    path::{Path, PathBuf},
    sync::{Mutex, PoisonError},
};

use async_trait::async_trait;
use futures_util::FutureExt;
use host::LockError;
use plan::{Action, Entry, Output, Plan, Progress};
use runner::{Clock, Ended, ExecuteError, Run, RunStore, SoFar, StepError, World, execute};
use testkit::{ModelHost, Refusal};

/// The modelled machine as a world: it reads the announcement from the journal on disk, as after a crash.
struct Modelled {
    host: Mutex<ModelHost>,
    journal: Mutex<Journal>,
    actions: Mutex<Vec<Action>>,
    watched: bool,
    /// So many entries may be written: before the next, somebody else takes the lock.
    entries_left: Mutex<Option<usize>>,
}

#[async_trait]
impl World for Modelled {
    async fn apply(&self, action: &Action, so_far: SoFar<'_>) -> Result<Output, StepError> {
        let result = {
            let mut journal = own(&self.journal);
            let entries = journal.read();
            if self.watched {
                let folded = Progress::fold(so_far.plan, entries).expect("the journal tells one story");
                assert_eq!(folded, *so_far.progress, "a step is told what stands on disk");
            }
            own(&self.actions).push(action.clone());
            own(&self.host).act(so_far.plan, action, entries)
        };
        match result {
            Ok(output) => Ok(output),
            Err(Refusal::Failed(because)) => Err(StepError::failed(because)),
            Err(Refusal::Waiting(instruction)) => Err(StepError::Waiting { instruction }),
            // Whoever asked is dead: nobody hears of it, and nothing more is written.
            Err(Refusal::Crashed) => std::future::pending().await,
            Err(Refusal::Contract(because)) => panic!("the contract is broken: {because}"),
        }
    }

    fn fence(&self) -> Result<Option<u64>, LockError> {
        match &mut *own(&self.entries_left) {
            None => Ok(None),
            Some(0) => Err(LockError::Lost { epoch: 1, now: 2, holder: None }),
            Some(left) => {
                *left -= 1;
                Ok(Some(1))
            }
        }
    }
}

fn own<T>(held: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    held.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A journal that grows: each line is parsed once.
struct Journal {
    path: PathBuf,
    read: usize,
    entries: Vec<Entry>,
}

impl Journal {
    fn read(&mut self) -> &[Entry] {
        let text = fs::read(&self.path).expect("the journal is there");
        assert_eq!(text.last(), Some(&b'\n'), "the announcement is whole");
        let new = text[self.read..].split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
        self.entries.extend(new.map(|line| serde_json::from_slice::<Entry>(line).expect("an entry")));
        self.read = text.len();
        &self.entries
    }
}

/// Time stands still: what waits moves the machine's own clock.
struct Still(jiff::Timestamp);

impl Clock for Still {
    fn now(&self) -> jiff::Timestamp {
        self.0
    }
}

/// The machine at the instant at which a line of the journal had just been written.
pub(crate) struct Moment {
    pub(crate) host: ModelHost,
    /// Lines in the journal, this one included.
    pub(crate) lines: usize,
}

/// A plan, its run on disk, and the machine it touches.
pub(crate) struct Scene {
    dir: tempfile::TempDir,
    plan: Plan,
    id: String,
    pub(crate) host: ModelHost,
    /// The holders keep their shares: whoever is started again must be given them again.
    shares_stay_with_holders: bool,
    /// Actions that were asked for, in order.
    pub(crate) actions: Vec<Action>,
    /// Whether moments are kept, and what each step is told is compared with the disk: for those who need it.
    pub(crate) watched: bool,
    /// So many times the lock is found to be ours still.
    pub(crate) fenced_after: Option<usize>,
    pub(crate) moments: Vec<Moment>,
}

impl Scene {
    /// A run that was not begun.
    pub(crate) fn new(host: &ModelHost, plan: &Plan) -> Self {
        let dir = scratch();
        let run = RunStore::new(dir.path()).create(plan.clone()).expect("a directory of our own");
        let mut host = host.clone();
        host.turn_to(&plan.project);
        let id = run.id().to_owned();
        let shares_stay_with_holders = !host.has_shares();
        Self {
            shares_stay_with_holders,
            dir,
            plan: plan.clone(),
            id,
            host,
            actions: Vec::new(),
            watched: false,
            fenced_after: None,
            moments: Vec::new(),
        }
    }

    /// The same run as another process finds it: these bytes in its journal, and the machine like this.
    pub(crate) fn found(moment: &ModelHost, plan: &Plan, journal: &[u8]) -> Self {
        let scene = Self::new(moment, plan);
        fs::write(scene.journal_path(), journal).expect("a directory of our own");
        scene
    }

    /// Opens the run from disk and carries it on; `None`: everything stopped.
    pub(crate) fn carry_on(&mut self) -> Option<Ended> {
        let mut run = RunStore::new(self.dir.path()).open(&self.id).expect("the run can be read again");
        let journal = Journal { path: self.journal_path(), read: 0, entries: Vec::new() };
        let world = Modelled {
            host: Mutex::new(self.host.clone()),
            journal: Mutex::new(journal),
            actions: Mutex::default(),
            watched: self.watched,
            entries_left: Mutex::new(self.fenced_after),
        };
        let moments = Mutex::new(Vec::new());
        let lines = self.journal().len();
        let told = |_: &Run, _: &Entry| {
            if !self.watched {
                return;
            }
            let mut moments = own(&moments);
            let lines = lines + moments.len() + 1;
            moments.push(Moment { host: own(&world.host).clone(), lines });
        };
        let clock = Still(self.plan.made_at);
        // Nothing here waits but a machine that has stopped.
        let ended = execute(&mut run, &world, &clock, &told).now_or_never();
        self.moments.extend(moments.into_inner().unwrap_or_else(PoisonError::into_inner));
        self.actions.append(&mut own(&world.actions));
        self.host = world.host.into_inner().unwrap_or_else(PoisonError::into_inner);
        match ended? {
            Ok(ended) => Some(ended),
            Err(ExecuteError::Lost { .. }) => None,
            Err(err) => panic!("the journal can be written and the plan is sound: {err}"),
        }
    }

    /// Carries it on to its end, through every stop, giving what it waits for.
    pub(crate) fn finish(&mut self) -> plan::Outcome {
        loop {
            match self.carry_on() {
                None => self.restart(),
                Some(Ended::Over(outcome)) => return outcome,
                Some(Ended::Waiting { step, .. }) => self.help(&step),
            }
        }
    }

    /// After a stop: another process finds the run.
    pub(crate) fn restart(&mut self) {
        self.host.restart();
        if self.shares_stay_with_holders {
            self.host.give_shares(false);
        }
    }

    /// Does what a waiting run asks of a person.
    fn help(&mut self, step: &plan::StepId) {
        let waits = self.plan.steps.iter().find(|known| known.id == *step).expect("a step of this plan");
        if let Action::Person { .. } = waits.action {
            let mut run = RunStore::new(self.dir.path()).open(&self.id).expect("the run can be read again");
            let (who, proof) = ("ann".to_owned(), "ticket 7".to_owned());
            let entry = Entry::Attested { step: step.clone(), at: self.plan.made_at, who, proof };
            run.append(entry).expect("it waits for this");
        } else {
            self.host.give_shares(true);
        }
    }

    /// What a person reads last.
    pub(crate) fn last_line(&self) -> String {
        let run = RunStore::new(self.dir.path()).open(&self.id).expect("the run can be read again");
        let told = report::Told { run: Some(&self.id), diagnostics: &[] };
        let report = report::run_report(run.plan(), run.progress(), told);
        let text = report::text::outcome(&report, report::text::Style::PLAIN);
        text.lines().last().unwrap_or_default().to_owned()
    }

    /// True where housekeeping was left undone.
    pub(crate) fn left_something(&self) -> bool {
        let left = |entry: &Entry| matches!(entry, Entry::Succeeded { output: Output::Left { .. }, .. });
        self.journal().iter().any(left)
    }

    /// The entries on disk.
    pub(crate) fn journal(&self) -> Vec<Entry> {
        RunStore::new(self.dir.path()).journal(&self.id).expect("the journal can be read")
    }

    /// The lines on disk, each with its end.
    pub(crate) fn lines(&self) -> Vec<Vec<u8>> {
        let text = fs::read(self.journal_path()).expect("the journal can be read");
        text.split_inclusive(|byte| *byte == b'\n').map(<[u8]>::to_vec).collect()
    }

    fn journal_path(&self) -> PathBuf {
        self.dir.path().join(&self.id).join("journal")
    }
}

/// A directory in memory where there is one: a sweep writes some hundred thousand lines, each synced.
fn scratch() -> tempfile::TempDir {
    let memory = Path::new("/dev/shm");
    let made = if memory.is_dir() { tempfile::tempdir_in(memory) } else { tempfile::tempdir() };
    made.expect("a temporary directory")
}
