//! The ledger: one line for each acknowledgement, on disk before the client counts on it.

use std::{
    fs::{File, OpenOptions},
    io::{self, Write},
    path::Path,
};

use serde::{Deserialize, Serialize};
use tokio::sync::mpsc;

/// One acknowledged event.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Entry {
    pub(super) seq: i64,
    /// Base64, as on the wire.
    pub(super) nonce: String,
    /// Hex SHA-256 of the ciphertext.
    pub(super) sha256: String,
    /// When the acknowledgement came.
    pub(super) at: jiff::Timestamp,
}

/// Opens a ledger to append to it. A line that a crash tore is closed off; readers skip it.
pub(super) fn open(path: &Path) -> io::Result<File> {
    let torn = std::fs::read(path).is_ok_and(|bytes| bytes.last().is_some_and(|last| *last != b'\n'));
    let mut file = OpenOptions::new().create(true).append(true).open(path)?;
    if torn {
        file.write_all(b"\n")?;
    }
    Ok(file)
}

/// Writes entries as they come, one fsync for all that came meanwhile, until the last sender is gone.
pub(super) fn keep(mut file: File, mut entries: mpsc::UnboundedReceiver<Entry>) -> io::Result<()> {
    let mut batch = Vec::new();
    while entries.blocking_recv_many(&mut batch, 1000) > 0 {
        let mut lines = Vec::new();
        for entry in batch.drain(..) {
            serde_json::to_writer(&mut lines, &entry)?;
            lines.push(b'\n');
        }
        file.write_all(&lines)?;
        file.sync_data()?;
    }
    Ok(())
}

/// Reads a ledger. Only its torn lines, which were never counted on, are left out.
pub(super) fn read(path: &Path) -> io::Result<Vec<Entry>> {
    let text = std::fs::read_to_string(path)?;
    Ok(text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect())
}
