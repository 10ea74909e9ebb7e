//! One lock per stack: one run at a time works on it, and everybody else is told who does.

use std::{
    fmt,
    fs::{File, OpenOptions},
    io::{self, Read, Seek, Write},
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex, MutexGuard,
        mpsc::{self, RecvTimeoutError, Sender},
    },
    thread::JoinHandle,
    time::Duration,
};

use rustix::{
    fs::{FlockOperation, flock},
    io::Errno,
};
use serde::{Deserialize, Serialize};
use tokio::time::Instant;

use crate::{
    lease::{Lease, Leases, Seen},
    machine,
};

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
            host: machine::name(),
            purpose: purpose.to_owned(),
            since: now,
            boot: machine::boot(),
        }
    }
}

impl fmt::Display for LockHolder {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "`{}`, process {} on {}, since {:.0}", self.purpose, self.pid, self.host, self.since)
    }
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
    /// It was ours, and somebody took it since.
    #[error(
        "the stack is not held any more: number {epoch} gave no sign of life, and number {now} is {}",
        .holder.as_ref().map_or("another run".to_owned(), ToString::to_string)
    )]
    Lost {
        /// The number it was held under.
        epoch: u64,
        /// The newest one.
        now: u64,
        /// Who has that.
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

/// A stack that is ours until this is dropped, or until somebody who saw no sign of us for too long takes it.
///
/// Two things hold it. On this machine the kernel does, for the process: a holder that died blocks nobody, and is known to
/// be dead at once. Between machines that share the state directory a lease does, by renames alone, with or without locks
/// in the file system; a holder there that gives no sign for twelve seconds is taken to be gone.
#[derive(Debug)]
pub struct StackLock {
    path: PathBuf,
    lease: Arc<Mutex<Lease>>,
    /// Dropped first: the beat ends before the lease is given back.
    beating: Option<Beating>,
    file: Option<File>,
    broken: Option<LockHolder>,
}

/// The thread that counts a lease up.
#[derive(Debug)]
struct Beating {
    /// Nothing is ever sent: it hangs up.
    end: Sender<()>,
    thread: JoinHandle<()>,
}

impl StackLock {
    /// Takes the lock at `path`, waiting for a holder that gives signs of life no longer than `wait`.
    ///
    /// # Errors
    /// When somebody else holds it all that time, or the files cannot be used.
    pub async fn acquire(
        path: &Path,
        holder: &LockHolder,
        wait: Option<Duration>,
    ) -> Result<Self, LockError> {
        let broken = |err| LockError::File { path: path.to_owned(), err };
        let until = Instant::now() + wait.unwrap_or_default();
        let file = lock_file(path, until).await?;
        let (lease, stale) = take_lease(&Leases::new(leases_of(path)), holder, file.is_some(), until)
            .await
            .map_err(|err| match err {
            NotTaken::Held(holder) => LockError::Held { holder },
            NotTaken::File(err) => broken(err),
        })?;
        let lease = Arc::new(Mutex::new(lease));
        let beating = Some(Beating::begin(lease.clone()));
        let mut lock = Self { path: path.to_owned(), lease, beating, file, broken: stale };
        lock.sign(holder).map_err(broken)?;
        Ok(lock)
    }

    /// The fencing number: each holder's is higher than the one before.
    pub fn epoch(&self) -> u64 {
        self.held().epoch()
    }

    /// Whose lock this one took the place of: it had given no sign of life, and never gave it back.
    pub fn broke(&self) -> Option<&LockHolder> {
        self.broken.as_ref()
    }

    /// Makes sure that it is still ours: nobody took a later number while this process slept.
    ///
    /// # Errors
    /// When somebody did, or it cannot be seen.
    pub fn still_ours(&self) -> Result<(), LockError> {
        let held = self.held();
        match held.lost_to() {
            Ok(None) => Ok(()),
            Ok(Some(seen)) => {
                Err(LockError::Lost { epoch: held.epoch(), now: seen.epoch, holder: seen.holder })
            }
            Err(err) => Err(LockError::File { path: self.path.clone(), err }),
        }
    }

    fn held(&self) -> MutexGuard<'_, Lease> {
        self.lease.lock().expect("no thread panics with it")
    }

    fn sign(&mut self, holder: &LockHolder) -> io::Result<()> {
        let Some(file) = &mut self.file else { return Ok(()) };
        file.set_len(0)?;
        file.rewind()?;
        let mut line = serde_json::to_vec(holder)?;
        line.push(b'\n');
        file.write_all(&line)
    }
}

impl Drop for StackLock {
    fn drop(&mut self) {
        if let Some(beating) = self.beating.take() {
            drop(beating.end);
            let _ = beating.thread.join();
        }
        self.held().give_back();
        // Tidiness only: closing the file is what gives it back.
        if let Some(file) = &self.file {
            let _ = file.set_len(0);
        }
    }
}

impl Beating {
    fn begin(lease: Arc<Mutex<Lease>>) -> Self {
        let (end, ended) = mpsc::channel::<()>();
        // A thread, not a task: work that keeps the runtime busy must not look like death.
        let thread = std::thread::spawn(move || {
            while ended.recv_timeout(Lease::BEAT) == Err(RecvTimeoutError::Timeout) {
                // What cannot be counted up is lost in the end, and whoever works finds that out before it acts.
                let _ = lease.lock().expect("no thread panics with it").beat();
            }
        });
        Self { end, thread }
    }
}

fn leases_of(path: &Path) -> PathBuf {
    path.with_extension("leases")
}

/// The kernel's lock on the file at `path`; `None` on a file system that has none.
async fn lock_file(path: &Path, until: Instant) -> Result<Option<File>, LockError> {
    let broken = |err| LockError::File { path: path.to_owned(), err };
    let mut options = OpenOptions::new();
    let file = options.read(true).write(true).create(true).truncate(false).mode(0o600).open(path);
    let file = file.map_err(broken)?;
    loop {
        match flock(&file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => return Ok(Some(file)),
            Err(Errno::NOLCK | Errno::OPNOTSUPP | Errno::NOSYS) => return Ok(None),
            Err(Errno::WOULDBLOCK) => {}
            Err(Errno::INTR) => continue,
            Err(err) => return Err(broken(err.into())),
        }
        if Instant::now() >= until {
            return Err(LockError::Held { holder: read_holder(&file) });
        }
        tokio::time::sleep(LOOK_AGAIN).await;
    }
}

/// Why a lease was not taken.
enum NotTaken {
    Held(Option<LockHolder>),
    File(io::Error),
}

impl From<io::Error> for NotTaken {
    fn from(err: io::Error) -> Self {
        Self::File(err)
    }
}

/// The next lease, and whose it was where that one never gave it back. `locked`: the kernel holds this machine's lock for
/// us, so that nobody on it lives who holds the lease.
async fn take_lease(
    leases: &Leases,
    holder: &LockHolder,
    locked: bool,
    until: Instant,
) -> Result<(Lease, Option<LockHolder>), NotTaken> {
    let mut watched: Option<(u64, u64, Instant)> = None;
    loop {
        let newest = leases.newest()?;
        let held = newest.as_ref().filter(|seen| !seen.over);
        let is_here = |seen: &&Seen| seen.holder.as_ref().is_some_and(|other| other.boot == holder.boot);
        let gone = match held {
            None => true,
            Some(seen) if locked && is_here(&seen) => true,
            Some(seen) => match watched {
                Some((epoch, beat, since)) if (epoch, beat) == (seen.epoch, seen.beat) => {
                    since.elapsed() >= Lease::LASTS
                }
                Some(_) if Instant::now() >= until => return Err(NotTaken::Held(seen.holder.clone())),
                _ => {
                    watched = Some((seen.epoch, seen.beat, Instant::now()));
                    false
                }
            },
        };
        if gone && let Some(lease) = leases.take(newest.as_ref(), holder)? {
            return Ok((lease, held.and_then(|seen| seen.holder.clone())));
        }
        tokio::time::sleep(LOOK_AGAIN).await;
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

    #[tokio::test]
    async fn a_lock_that_was_never_given_back_is_broken_at_once_where_its_holder_was_of_this_machine() {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("lock");
        let leases = Leases::new(leases_of(&path));
        leases.take(None, &holder("deploy")).expect("usable").expect("free");
        let began = Instant::now();
        let lock = StackLock::acquire(&path, &holder("backup"), None).await.expect("nobody holds it");
        assert!(began.elapsed() < Lease::LASTS, "the kernel knows");
        assert_eq!(lock.broke().map(|broken| broken.purpose.as_str()), Some("deploy"));
        assert_eq!(lock.epoch(), 2);
    }

    /// Another machine, by the same directory: the kernel here knows nothing of its locks.
    fn elsewhere(purpose: &str) -> LockHolder {
        LockHolder { host: "elsewhere".to_owned(), boot: "another boot".to_owned(), ..holder(purpose) }
    }

    #[tokio::test(start_paused = true)]
    async fn a_holder_on_another_machine_is_waited_for_while_it_gives_signs_of_life() {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("lock");
        let mut held =
            Leases::new(leases_of(&path)).take(None, &elsewhere("deploy")).expect("usable").expect("free");
        let asking = tokio::spawn(async move {
            StackLock::acquire(&path, &holder("backup"), Some(Duration::from_secs(2))).await.map(|_| ())
        });
        while !asking.is_finished() {
            held.beat().expect("held");
            tokio::time::sleep(Lease::BEAT).await;
        }
        let refused = asking.await.expect("ran").expect_err("held");
        assert!(refused.to_string().contains("`deploy`, process"), "{refused}");
        assert!(refused.to_string().contains("on elsewhere"), "{refused}");
    }

    #[tokio::test(start_paused = true)]
    async fn a_holder_on_another_machine_that_gives_none_loses_it_and_cannot_act_when_it_wakes() {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("lock");
        let slept =
            Leases::new(leases_of(&path)).take(None, &elsewhere("deploy")).expect("usable").expect("free");
        let lock = StackLock::acquire(&path, &holder("backup"), None).await.expect("taken over");
        assert_eq!(lock.broke().map(|broken| broken.host.as_str()), Some("elsewhere"));
        lock.still_ours().expect("it is ours");
        assert!(slept.lost_to().expect("readable").is_some());
        // The other way round: this process slept, and somebody took the next number.
        let seen = Leases::new(leases_of(&path)).newest().expect("readable");
        Leases::new(leases_of(&path))
            .take(seen.as_ref(), &elsewhere("deploy"))
            .expect("usable")
            .expect("free");
        let lost = lock.still_ours().expect_err("lost").to_string();
        assert!(lost.starts_with("the stack is not held any more: number 2 gave no sign"), "{lost}");
        assert!(lost.contains("number 3 is `deploy`"), "{lost}");
    }
}
