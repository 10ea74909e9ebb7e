//! Runs on disk: a plan, and a journal that is only ever appended to.

use std::{
    collections::{BTreeSet, HashMap},
    fs::{self, File, OpenOptions},
    io::{self, Write},
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
    sync::Arc,
};

use host::files::{Readers, make_dir, replace, sync_parent};
use plan::{Attested, Entry, JournalError, PLAN_SCHEMA, Plan, Progress, Record, RunOutcome};

use crate::{
    first::in_todays_words,
    run_index::RunIndex,
    schema::{self, SchemaError},
};

/// Why a run could not be kept or read.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// A file could not be written or read.
    #[error("cannot use `{}`", .path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// What stands in it is not what should.
    #[error("`{}` is damaged at line {line}", .path.display())]
    Damaged {
        /// Which.
        path: PathBuf,
        /// Line, from 1.
        line: usize,
        /// Why.
        #[source]
        source: serde_json::Error,
    },
    /// Another version wrote it.
    #[error("`{}` is of version `{found}`, and this program reads `{known}`", .path.display())]
    Version {
        /// Which.
        path: PathBuf,
        /// What it says.
        found: String,
        /// What is known here.
        known: &'static str,
    },
    /// A line is whole, and says what this version has no word for.
    #[error("`{}` says at line {line} what this version does not know", .path.display())]
    Unheard {
        /// Which.
        path: PathBuf,
        /// Line, from 1.
        line: usize,
        /// What it says.
        #[source]
        source: serde_json::Error,
    },
    /// Its entries do not follow from one another.
    #[error("the journal `{}` tells an impossible story", .path.display())]
    Impossible {
        /// Which.
        path: PathBuf,
        /// Why.
        #[source]
        source: JournalError,
    },
    /// There is no such run.
    #[error("there is no run `{0}`")]
    Unknown(String),
}

impl RunError {
    /// What to do about it: nothing was changed, and nothing needs to be lost.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Version { .. } | Self::Unheard { .. } => Some(diag::BY_A_NEWER_ONE.to_owned()),
            Self::Damaged { path, .. } | Self::Impossible { path, .. } => {
                let run = path.parent().unwrap_or(path).display();
                Some(format!(
                    "bring the file back from a copy; where there is none, set the run aside and look at what it \
                     left with `seaworthy status`: mv {run} {run}.damaged"
                ))
            }
            Self::File { .. } | Self::Unknown(_) => None,
        }
    }
}

/// A run that cannot be read.
#[derive(Debug)]
pub struct Unread {
    /// Its id.
    pub run: String,
    /// Why.
    pub error: RunError,
}

/// All runs of one stack.
#[derive(Debug, Clone)]
pub struct RunStore {
    dir: PathBuf,
}

/// One run: its plan, its journal, and where it stands.
#[derive(Debug)]
pub struct Run {
    id: String,
    plan: Arc<Plan>,
    progress: Progress,
    journal: File,
    path: PathBuf,
    store: RunStore,
}

/// A run as it stood when it was looked at.
#[derive(Debug, Clone)]
pub struct RunSummary {
    /// Its id.
    pub id: String,
    /// Its plan.
    pub plan: Plan,
    /// Where it stands.
    pub progress: Progress,
}

impl RunStore {
    /// The runs kept below `dir`.
    pub fn new(dir: impl Into<PathBuf>) -> Self {
        Self { dir: dir.into() }
    }

    /// Keeps a plan as a new run. Call it with the stack's lock held: it picks the next number.
    ///
    /// # Errors
    /// When the state directory cannot be written.
    pub fn create(&self, plan: Plan) -> Result<Run, RunError> {
        let newest = self.newest()?.as_deref().and_then(number).unwrap_or(0);
        let id = format!("r{}", newest + 1);
        let dir = self.dir.join(&id);
        make_dir(&dir, Readers::Owner).map_err(file(&dir))?;
        let path = dir.join("plan.json");
        let text = serde_json::to_vec_pretty(&plan).expect("a plan always serialises");
        replace(&path, &text, Readers::Owner).map_err(file(&path))?;
        let journal = dir.join("journal");
        let opened = open_for_append(&journal).map_err(file(&journal))?;
        sync_parent(&journal).map_err(file(&journal))?;
        sync_parent(&dir).map_err(file(&dir))?;
        let (plan, progress, store) = (Arc::new(plan), Progress::default(), self.clone());
        Ok(Run { id, plan, progress, journal: opened, path: journal, store })
    }

    /// A run to be carried on. Call it with the stack's lock held: it cuts off a torn last line.
    ///
    /// # Errors
    /// When there is none of that id, or it cannot be read or written.
    pub fn open(&self, id: &str) -> Result<Run, RunError> {
        let path = self.dir.join(id).join("journal");
        let RunSummary { id, plan, progress } = self.read(id)?;
        let journal = open_for_append(&path).map_err(file(&path))?;
        Ok(Run { id, plan: Arc::new(plan), progress, journal, path, store: self.clone() })
    }

    /// A run as it stands, to be looked at: changes nothing, and may be read while another process carries it on.
    ///
    /// # Errors
    /// When there is none of that id, or it cannot be read.
    pub fn read(&self, id: &str) -> Result<RunSummary, RunError> {
        self.look(id).map(|(run, _)| run)
    }

    fn look(&self, id: &str) -> Result<(RunSummary, Vec<Entry>), RunError> {
        let dir = self.dir.join(id);
        let path = dir.join("plan.json");
        if number(id).is_none() || !path.is_file() {
            return Err(RunError::Unknown(id.to_owned()));
        }
        let text = fs::read(&path).map_err(file(&path))?;
        let plan = read_plan(&path, &text)?;
        let path = dir.join("journal");
        let entries = read_journal(&path)?;
        let progress = Progress::fold(&plan, &entries)
            .map_err(|source| RunError::Impossible { path: path.clone(), source })?;
        Ok((RunSummary { id: id.to_owned(), plan, progress }, entries))
    }

    /// The journal of a run.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn journal(&self, id: &str) -> Result<Vec<Entry>, RunError> {
        read_journal(&self.dir.join(id).join("journal"))
    }

    /// The records of all runs, oldest first: from the index, and of what does not stand there from its journal. One
    /// that cannot be read stands among them and hides no other.
    ///
    /// # Errors
    /// When the directory cannot be listed.
    pub fn list(&self) -> Result<Vec<Result<Record, Unread>>, RunError> {
        let mut known = self.index().records();
        let recorded = |id: String| match known.remove(&id) {
            Some(record) => Some(Ok(record)),
            None => self
                .is_begun(&id)
                .then(|| self.record(&id).map_err(|error| Unread { run: id.clone(), error })),
        };
        Ok(self.named()?.into_iter().filter_map(recorded).collect())
    }

    /// The newest run that is not over, when there is one.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn unfinished(&self) -> Result<Option<RunSummary>, RunError> {
        let Some(newest) = self.newest()? else { return Ok(None) };
        if self.index().newest_first().next().is_some_and(|ended| ended.run == newest) {
            return Ok(None);
        }
        let run = self.read(&newest)?;
        Ok(run.progress.outcome.is_none().then_some(run))
    }

    /// Releases of the stack's own project that a run made good. A run that cannot be read proves nothing.
    ///
    /// # Errors
    /// When the runs cannot be listed.
    pub fn good_releases(&self) -> Result<BTreeSet<u64>, RunError> {
        Ok(self.list()?.into_iter().filter_map(|record| record.ok()?.made_good).collect())
    }

    /// What people attested in any run, newest first. A run that cannot be read proves nothing.
    ///
    /// # Errors
    /// When the runs cannot be listed.
    pub fn attested(&self) -> Result<Vec<Attested>, RunError> {
        Ok(self.list()?.into_iter().rev().filter_map(Result::ok).flat_map(|record| record.attested).collect())
    }

    fn record(&self, id: &str) -> Result<Record, RunError> {
        self.look(id).map(|(run, entries)| Record::of(id, &run.plan, &entries, &run.progress))
    }

    /// Adds to the index what is over and does not stand in it.
    fn remember(&self) -> Result<(), RunError> {
        let index = self.index();
        let known: HashMap<String, Record> = index.records();
        let unknown = self.named()?.into_iter().filter(|id| !known.contains_key(id) && self.is_begun(id));
        let over = |record: &Record| !matches!(record.outcome, RunOutcome::Waiting | RunOutcome::Unfinished);
        let over: Vec<Record> = unknown.filter_map(|id| self.record(&id).ok()).filter(over).collect();
        let path = self.index_path();
        index.add(&path, &over).map_err(file(&path))
    }

    fn index(&self) -> RunIndex {
        RunIndex::read(&self.index_path())
    }

    fn index_path(&self) -> PathBuf {
        self.dir.join("index")
    }

    /// The id of the newest run, when there is one.
    ///
    /// # Errors
    /// When the runs cannot be listed.
    pub fn newest(&self) -> Result<Option<String>, RunError> {
        Ok(self.named()?.into_iter().rfind(|id| self.is_begun(id)))
    }

    /// A directory without a plan was never begun.
    fn is_begun(&self, id: &str) -> bool {
        self.dir.join(id).join("plan.json").is_file()
    }

    /// Ids that stand on disk, oldest first, begun or not.
    fn named(&self) -> Result<Vec<String>, RunError> {
        let entries = match fs::read_dir(&self.dir) {
            Ok(entries) => entries,
            Err(err) if err.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(err) => return Err(file(&self.dir)(err)),
        };
        let names = entries.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
        let mut ids: Vec<(u64, String)> = names.filter_map(|id| Some((number(&id)?, id))).collect();
        ids.sort_unstable();
        Ok(ids.into_iter().map(|(_, id)| id).collect())
    }
}

impl Run {
    /// Its id: `r7`.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// Its plan.
    pub fn plan(&self) -> &Plan {
        &self.plan
    }

    /// The same, for whoever carries the run on.
    pub(crate) fn shared_plan(&self) -> Arc<Plan> {
        self.plan.clone()
    }

    /// Where it stands.
    pub fn progress(&self) -> &Progress {
        &self.progress
    }

    /// Writes one entry: checked against what stands before it, on disk when this returns.
    ///
    /// # Errors
    /// When it cannot follow, or cannot be written.
    pub fn append(&mut self, entry: Entry) -> Result<(), RunError> {
        let mut progress = self.progress.clone();
        progress
            .take(&self.plan, &entry)
            .map_err(|source| RunError::Impossible { path: self.path.clone(), source })?;
        let mut line = serde_json::to_vec(&entry).expect("an entry always serialises");
        line.push(b'\n');
        let written = self.journal.write_all(&line).and_then(|()| self.journal.sync_data());
        if let Err(err) = written {
            // Half a line is cut off before anything follows it; where that fails too, the next opening does it.
            self.journal = open_for_append(&self.path).map_err(file(&self.path))?;
            return Err(file(&self.path)(err));
        }
        self.progress = progress;
        if self.progress.outcome.is_some() {
            // Where the index cannot be written, the run is read again by whoever asks.
            let _ = self.store.remember();
        }
        Ok(())
    }
}

fn number(id: &str) -> Option<u64> {
    id.strip_prefix('r')?.parse().ok()
}

/// Reads a journal. A last line without its end was never acknowledged: it is cut off before anything follows it.
fn read_journal(path: &Path) -> Result<Vec<Entry>, RunError> {
    let text = match fs::read(path) {
        Ok(text) => text,
        Err(err) if err.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(err) => return Err(file(path)(err)),
    };
    let lines = text[..last_line_end(&text)].split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
    lines
        .enumerate()
        .map(|(at, line)| {
            serde_json::from_slice(line).map_err(|source| match is_json(line) {
                // Whoever changes a byte by accident seldom writes another sentence; a newer version does.
                true => RunError::Unheard { path: path.to_owned(), line: at + 1, source },
                false => RunError::Damaged { path: path.to_owned(), line: at + 1, source },
            })
        })
        .collect()
}

/// Reads a plan of the one version that is known here. A newer one may still fit: its version is asked all the same.
fn read_plan(path: &Path, text: &[u8]) -> Result<Plan, RunError> {
    schema::read(text, PLAN_SCHEMA).or_else(|unread| match unread {
        SchemaError::Version { found, known } => {
            Err(RunError::Version { path: path.to_owned(), found, known })
        }
        SchemaError::Damaged(source) => read_first(text).ok_or_else(|| RunError::Damaged {
            path: path.to_owned(),
            line: source.line(),
            source,
        }),
    })
}

/// A plan as the first version wrote it, where that is what it is.
fn read_first(text: &[u8]) -> Option<Plan> {
    let mut value = serde_json::from_slice(text).ok()?;
    in_todays_words(&mut value);
    serde_json::from_value(value).ok()
}

fn is_json(line: &[u8]) -> bool {
    serde_json::from_slice::<serde::de::IgnoredAny>(line).is_ok()
}

/// Opens for append, after cutting off a torn last line.
pub(crate) fn open_for_append(path: &Path) -> io::Result<File> {
    let journal = OpenOptions::new().read(true).append(true).create(true).mode(0o600).open(path)?;
    let text = fs::read(path)?;
    let whole = last_line_end(&text);
    if whole < text.len() {
        journal.set_len(whole as u64)?;
        journal.sync_all()?;
    }
    Ok(journal)
}

/// Where the last whole line ends.
pub(crate) fn last_line_end(text: &[u8]) -> usize {
    text.iter().rposition(|byte| *byte == b'\n').map_or(0, |end| end + 1)
}

fn file(path: &Path) -> impl FnOnce(io::Error) -> RunError {
    let path = path.to_owned();
    move |source| RunError::File { path, source }
}
