//! What `runs` and `backups` say: `seaworthy.runs/1`, `seaworthy.backups/1`.

use plan::{Record, RunOutcome, SetSeen};
use serde::Serialize;

/// All runs of a stack, newest first.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct RunsReport {
    /// `seaworthy.runs/1`.
    pub schema: &'static str,
    /// The stack.
    pub stack: String,
    /// Its runs.
    pub runs: Vec<RunLine>,
    /// Runs that cannot be read: damaged, or of a newer version.
    pub unread: Vec<UnreadRun>,
}

/// A run that cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct UnreadRun {
    /// Its id.
    pub run: String,
    /// Why, nearest first.
    pub because: Vec<String>,
}

/// One run.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct RunLine {
    /// Its id.
    pub run: String,
    /// The verb.
    pub verb: &'static str,
    /// When its plan was made.
    pub at: jiff::Timestamp,
    /// How it stands.
    pub outcome: RunOutcome,
    /// The release it was for.
    pub release: Option<u64>,
    /// The set it wrote or read.
    pub set: Option<String>,
    /// Steps done, of all.
    pub done: usize,
    /// Steps of the plan.
    pub steps: usize,
}

impl RunsReport {
    /// A report on these runs, and on those that cannot be read.
    pub fn new(stack: &str, rows: impl IntoIterator<Item = Result<RunLine, UnreadRun>>) -> Self {
        let (mut runs, mut unread) = (Vec::new(), Vec::new());
        for row in rows {
            match row {
                Ok(run) => runs.push(run),
                Err(run) => unread.push(run),
            }
        }
        Self { schema: "seaworthy.runs/1", stack: stack.to_owned(), runs, unread }
    }
}

/// The line of one run.
pub fn run_line(record: &Record) -> RunLine {
    RunLine {
        run: record.run.clone(),
        verb: record.verb.as_str(),
        at: record.at,
        outcome: record.outcome,
        release: record.release,
        set: record.set.clone(),
        done: record.done,
        steps: record.steps,
    }
}

/// All sets of a stack on its targets, newest first.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct BackupsReport {
    /// `seaworthy.backups/1`.
    pub schema: &'static str,
    /// The stack.
    pub stack: String,
    /// When they were looked for.
    pub seen_at: jiff::Timestamp,
    /// The sets.
    pub sets: Vec<SetLine>,
    /// Sets that are whole on one target and not on another: a commit was cut short, or a target was added.
    pub incomplete: Vec<Incomplete>,
}

/// A set that one target lacks.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Incomplete {
    /// Its id.
    pub set: String,
    /// A target that has it.
    pub whole_on: String,
    /// The target that lacks it.
    pub missing_on: String,
}

/// One set on one target.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct SetLine {
    /// Its id.
    pub set: String,
    /// The target.
    pub target: String,
    /// Its point in time.
    pub point: jiff::Timestamp,
    /// Its place in the chain.
    pub sequence: u64,
    /// Sealed bytes in all.
    pub bytes: u64,
    /// When a drill or a restore last proved it; `None`: never.
    pub proven_at: Option<jiff::Timestamp>,
}

impl BackupsReport {
    /// A report on these sets, each as seen on one of `targets`.
    pub fn new(stack: &str, seen_at: jiff::Timestamp, targets: &[String], sets: &[SetSeen]) -> Self {
        let line = |set: &SetSeen| SetLine {
            set: set.id.to_string(),
            target: set.target.clone(),
            point: set.point,
            sequence: set.sequence,
            bytes: set.bytes,
            proven_at: set.proven_at,
        };
        Self {
            schema: "seaworthy.backups/1",
            stack: stack.to_owned(),
            seen_at,
            sets: sets.iter().map(line).collect(),
            incomplete: incomplete(targets, sets),
        }
    }
}

/// Every set is to be on every target.
fn incomplete(targets: &[String], sets: &[SetSeen]) -> Vec<Incomplete> {
    let mut incomplete: Vec<Incomplete> = Vec::new();
    for set in sets {
        let has_it = |target: &String| sets.iter().any(|seen| seen.id == set.id && seen.target == *target);
        let missing = targets.iter().filter(|target| !has_it(target)).map(|target| Incomplete {
            set: set.id.to_string(),
            whole_on: set.target.clone(),
            missing_on: target.clone(),
        });
        for lack in missing {
            let told = |known: &Incomplete| (&known.set, &known.missing_on) == (&lack.set, &lack.missing_on);
            if !incomplete.iter().any(told) {
                incomplete.push(lack);
            }
        }
    }
    incomplete
}
