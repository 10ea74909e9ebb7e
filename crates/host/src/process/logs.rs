//! What a service said: the end of its log file, and what is added to it.

use std::{
    fs::File,
    io::{self, ErrorKind, Read, Seek, SeekFrom},
    path::Path,
    time::Duration,
};

use tokio::{sync::mpsc, time::sleep};

use super::{Process, places::fail};
use crate::{EngineError, LogRequest};

/// How often a follower looks for more.
const LOOK_AGAIN: Duration = Duration::from_millis(100);

/// How much is read at once.
const BLOCK: usize = 64 * 1024;

/// A line longer than this is given in pieces.
const LONGEST_LINE: usize = 1024 * 1024;

impl Process {
    pub(super) fn log_lines(
        &self,
        container: &str,
        request: &LogRequest,
    ) -> Result<mpsc::Receiver<String>, EngineError> {
        let doing = format!("read the logs of container `{container}`");
        let instance = self.places.present(container, &doing)?;
        let (path, follow, tail) = (instance.files().log(), request.follow, request.tail);
        let from = tail.map_or(Ok(0), |lines| start_of_last(&path, lines)).map_err(fail(doing))?;
        let (lines, receiver) = mpsc::channel(256);
        tokio::spawn(async move {
            let mut reader = Reader { from, pending: Vec::new() };
            // A file that cannot be read any more was removed with its container: the end of the log.
            while let Ok(more) = reader.read(&path) {
                for line in reader.lines() {
                    if lines.send(line).await.is_err() {
                        return;
                    }
                }
                let over = !more && (!follow || lines.is_closed() || !instance.dir.is_dir());
                if over {
                    break;
                }
                if !more {
                    sleep(LOOK_AGAIN).await;
                }
            }
            if !reader.pending.is_empty() {
                drop(lines.send(text(&reader.pending)).await);
            }
        });
        Ok(receiver)
    }
}

/// Where the last so many lines begin.
fn start_of_last(path: &Path, lines: usize) -> io::Result<u64> {
    let mut file = match File::open(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(0),
        other => other?,
    };
    let end = file.metadata()?.len();
    if lines == 0 {
        return Ok(end);
    }
    // The line end that closes the last line does not begin another one.
    let mut at = end.saturating_sub(1);
    let mut left = lines;
    let mut block = vec![0; BLOCK];
    while at > 0 {
        let from = at.saturating_sub(BLOCK as u64);
        let length = usize::try_from(at - from).unwrap_or(BLOCK);
        file.seek(SeekFrom::Start(from))?;
        file.read_exact(&mut block[..length])?;
        for (offset, _) in block[..length].iter().enumerate().rev().filter(|(_, byte)| **byte == b'\n') {
            left -= 1;
            if left == 0 {
                return Ok(from + offset as u64 + 1);
            }
        }
        at = from;
    }
    Ok(0)
}

/// Reads on where it stopped.
struct Reader {
    from: u64,
    pending: Vec<u8>,
}

impl Reader {
    /// Reads one block. `false`: there was nothing.
    fn read(&mut self, path: &Path) -> io::Result<bool> {
        let mut file = match File::open(path) {
            // Nothing was said yet.
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(false),
            other => other?,
        };
        file.seek(SeekFrom::Start(self.from))?;
        let read = file.take(BLOCK as u64).read_to_end(&mut self.pending)?;
        self.from += read as u64;
        Ok(read > 0)
    }

    /// Takes the lines that are complete.
    fn lines(&mut self) -> Vec<String> {
        let complete = self.pending.iter().rposition(|byte| *byte == b'\n').map(|at| at + 1);
        let take = complete.or_else(|| (self.pending.len() > LONGEST_LINE).then_some(self.pending.len()));
        let taken: Vec<u8> = self.pending.drain(..take.unwrap_or(0)).collect();
        taken.split_inclusive(|byte| *byte == b'\n').map(text).collect()
    }
}

fn text(line: &[u8]) -> String {
    String::from_utf8_lossy(line).trim_end_matches(['\n', '\r']).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_lines_are_found_from_the_end_of_any_log() {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("log");
        let check = |log: &str, lines: usize, expected: &str| {
            std::fs::write(&path, log).expect("written");
            let from = usize::try_from(start_of_last(&path, lines).expect("readable")).expect("a short log");
            assert_eq!(&log[from..], expected, "{lines} of {log:?}");
        };
        check("a\nb\nc\n", 2, "b\nc\n");
        check("a\nb\nc", 2, "b\nc");
        check("a\nb\n", 9, "a\nb\n");
        check("a\nb\n", 0, "");
        check("\n\n", 1, "\n");
        check("", 3, "");
        let long = "x".repeat(BLOCK);
        check(&format!("a\n{long}\nb\n"), 2, &format!("{long}\nb\n"));
    }
}
