//! One lock per stack: one run at a time works on it, and everybody else is told who does.

use std::{
    fmt,
    fs::{File, OpenOptions},
    io::{self, Read, Seek, Write},
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
    time::Duration,
};

use rustix::fs::{FlockOperation, flock};
use serde::{Deserialize, Serialize};
use tokio::time::Instant;

/// How often somebody who waits looks again.
const LOOK_AGAIN: Duration = Duration::from_millis(100);

/// Who holds a stack.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LockHolder {
    /// Process id.
    pub pid: u32,
    /// The machine.
    pub host: String,
    /// What for: `deploy`, `backup`.
    pub purpose: String,
    /// Since when.
    pub since: jiff::Timestamp,
    /// The boot it runs in, so that a process id is not taken for another after a restart.
    pub boot: String,
}

impl LockHolder {
    /// This process, for this purpose.
    pub fn this_process(purpose: &str, now: jiff::Timestamp) -> Self {
        Self {
            pid: std::process::id(),
            host: this_machine(),
            purpose: purpose.to_owned(),
            since: now,
            boot: kernel_says("random/boot_id"),
        }
    }
}

impl fmt::Display for LockHolder {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "`{}`, process {} on {}, since {:.0}", self.purpose, self.pid, self.host, self.since)
    }
}

/// The name of this machine.
pub(crate) fn this_machine() -> String {
    kernel_says("hostname")
}

fn kernel_says(what: &str) -> String {
    let text = std::fs::read_to_string(Path::new("/proc/sys/kernel").join(what));
    text.map(|text| text.trim().to_owned()).unwrap_or_default()
}

/// Why a stack could not be locked.
#[derive(Debug, thiserror::Error)]
pub enum LockError {
    /// Somebody else works on it.
    #[error("the stack is held by {}", .holder.as_ref().map_or("another run".to_owned(), ToString::to_string))]
    Held {
        /// Who, when the lock file says so.
        holder: Option<LockHolder>,
    },
    /// The lock file cannot be used.
    #[error("cannot lock `{}`", path.display())]
    File {
        /// Its path.
        path: PathBuf,
        /// Why.
        #[source]
        err: io::Error,
    },
}

/// A stack that is ours until this is dropped.
///
/// The kernel holds the lock for the process, so a holder that died blocks nobody; the file only says who it is.
#[derive(Debug)]
pub struct StackLock {
    file: File,
}

impl StackLock {
    /// Takes the lock, waiting for it no longer than `wait`.
    ///
    /// # Errors
    /// When somebody else holds it all that time, or the file cannot be used.
    pub async fn acquire(
        path: &Path,
        holder: &LockHolder,
        wait: Option<Duration>,
    ) -> Result<Self, LockError> {
        let broken = |err| LockError::File { path: path.to_owned(), err };
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(path)
            .map_err(broken)?;
        let until = wait.map(|wait| Instant::now() + wait);
        loop {
            match flock(&file, FlockOperation::NonBlockingLockExclusive) {
                Ok(()) => break,
                Err(rustix::io::Errno::WOULDBLOCK) => {}
                Err(rustix::io::Errno::INTR) => continue,
                Err(err) => return Err(broken(err.into())),
            }
            if until.is_none_or(|until| Instant::now() >= until) {
                return Err(LockError::Held { holder: read_holder(&file) });
            }
            tokio::time::sleep(LOOK_AGAIN).await;
        }
        let mut lock = Self { file };
        lock.sign(holder).map_err(broken)?;
        Ok(lock)
    }

    fn sign(&mut self, holder: &LockHolder) -> io::Result<()> {
        self.file.set_len(0)?;
        self.file.rewind()?;
        let mut line = serde_json::to_vec(holder)?;
        line.push(b'\n');
        self.file.write_all(&line)
    }
}

impl Drop for StackLock {
    fn drop(&mut self) {
        // Tidiness only: closing the file is what gives the lock back.
        let _ = self.file.set_len(0);
    }
}

/// Who the lock file names. `None` between a holder's taking the lock and signing it.
fn read_holder(mut file: &File) -> Option<LockHolder> {
    let mut text = String::new();
    file.rewind().ok()?;
    file.read_to_string(&mut text).ok()?;
    serde_json::from_str(&text).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn holder(purpose: &str) -> LockHolder {
        LockHolder::this_process(purpose, "2026-11-21T03:00:00Z".parse().expect("a time"))
    }

    #[tokio::test]
    async fn whoever_comes_second_is_told_who_holds_the_stack() {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("lock");
        let first = StackLock::acquire(&path, &holder("deploy"), None).await.expect("free");
        let refused = StackLock::acquire(&path, &holder("backup"), None).await.expect_err("held");
        let said = refused.to_string();
        assert!(said.starts_with("the stack is held by `deploy`, process "), "{said}");
        assert!(said.ends_with("since 2026-11-21T03:00:00Z"), "{said}");
        drop(first);
        StackLock::acquire(&path, &holder("backup"), None).await.expect("free again");
    }

    #[tokio::test]
    async fn whoever_waits_gets_it_once_it_is_free() {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("lock");
        let first = StackLock::acquire(&path, &holder("deploy"), None).await.expect("free");
        let second = tokio::spawn(async move {
            StackLock::acquire(&path, &holder("backup"), Some(Duration::from_secs(10))).await.map(drop)
        });
        tokio::time::sleep(Duration::from_millis(250)).await;
        assert!(!second.is_finished());
        drop(first);
        second.await.expect("ran").expect("got it");
    }

    #[tokio::test]
    async fn the_name_of_a_holder_that_died_blocks_nobody() {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("lock");
        let dead = LockHolder { pid: 1, boot: "another boot".to_owned(), ..holder("deploy") };
        std::fs::write(&path, serde_json::to_vec(&dead).expect("JSON")).expect("written");
        StackLock::acquire(&path, &holder("deploy"), None).await.expect("nobody holds it");
    }

    #[tokio::test]
    async fn a_lock_in_a_directory_that_is_not_there_is_an_error_that_names_it() {
        let missing = Path::new("/nonexistent/blog/lock");
        let err = StackLock::acquire(missing, &holder("deploy"), None).await.expect_err("no directory");
        assert_eq!(err.to_string(), "cannot lock `/nonexistent/blog/lock`");
    }
}
