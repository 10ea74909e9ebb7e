//! One line for each run that is over, so that nobody folds thousands of journals to list them.
//!
//! ```text
//! runs/index       {"schema":"seaworthy.run-index/1"}, then a record a line, in the order in which runs ended
//! ```
//!
//! The journals alone are true: a line that is missing, cut or damaged costs only the reading of its run. Nothing is
//! synced, and whoever ends a run adds what is missing.

use std::{
    collections::HashMap,
    fs,
    io::{self, Write},
    path::Path,
};

use plan::Record;

use crate::run_store::{last_line_end, open_for_append};

/// The first line.
const HEADER: &[u8] = b"{\"schema\":\"seaworthy.run-index/1\"}\n";

/// The lines of the index as they lie on disk.
pub(crate) struct RunIndex {
    text: Vec<u8>,
}

impl RunIndex {
    /// Reads the index; one that is not there, or is of another version, knows nothing.
    pub(crate) fn read(path: &Path) -> Self {
        let mut text = fs::read(path).unwrap_or_default();
        text.truncate(last_line_end(&text));
        if !text.starts_with(HEADER) {
            text.clear();
        }
        Self { text }
    }

    /// What it knows of each run, by id.
    pub(crate) fn records(&self) -> HashMap<String, Record> {
        self.newest_first().map(|record| (record.run.clone(), record)).collect()
    }

    /// What it knows, the run that ended last first. What is damaged is passed over.
    pub(crate) fn newest_first(&self) -> impl Iterator<Item = Record> {
        let lines = self.text.rsplit(|byte| *byte == b'\n');
        lines.filter_map(|line| serde_json::from_slice(line).ok())
    }

    /// Adds runs that are over. Call it with the stack's lock held.
    pub(crate) fn add(&self, path: &Path, records: &[Record]) -> io::Result<()> {
        let mut lines = Vec::new();
        let mut index = open_for_append(path)?;
        if self.text.is_empty() {
            index.set_len(0)?;
            lines.extend_from_slice(HEADER);
        }
        for record in records {
            serde_json::to_writer(&mut lines, record)?;
            lines.push(b'\n');
        }
        index.write_all(&lines)
    }
}
