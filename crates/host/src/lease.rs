//! A lease on a directory that several machines may share, with nothing but renames.
//!
//! ```text
//! LEASES/7/holder     who holds it, or held it last
//! LEASES/7/beat       counts up while it is held
//! LEASES/7/over       it was given back
//! ```
//!
//! The holder of the highest epoch holds the lease, until it gives it back or stops counting. Taking it makes the next
//! epoch: a directory that is renamed into place, which fails where one is there. So there is one holder of each epoch, no
//! clock is compared with another, and a holder that slept too long finds a higher epoch than its own: the number is
//! its fence.

use std::{
    fs, io,
    path::{Path, PathBuf},
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

use serde::{Deserialize, Serialize};

use crate::{
    files::{Readers, make_dir},
    lock::LockHolder,
};

/// Tells claims of one process apart.
static CLAIMS: AtomicU64 = AtomicU64::new(0);

/// So many epochs stay to be looked at.
const KEPT: u64 = 3;

/// Leases of one directory.
#[derive(Debug, Clone)]
pub(crate) struct Leases {
    dir: PathBuf,
}

/// One that is held: [`Leases::take`].
#[derive(Debug)]
pub(crate) struct Lease {
    leases: Leases,
    epoch: u64,
    beat: u64,
}

/// What is seen of the newest epoch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Seen {
    /// Its number.
    pub(crate) epoch: u64,
    /// Who holds it; `None` where that cannot be read.
    pub(crate) holder: Option<LockHolder>,
    /// How far it has counted.
    pub(crate) beat: u64,
    /// It was given back.
    pub(crate) over: bool,
}

#[derive(Debug, Serialize, Deserialize)]
struct Beat {
    beat: u64,
}

impl Leases {
    /// Those kept below `dir`.
    pub(crate) fn new(dir: impl Into<PathBuf>) -> Self {
        Self { dir: dir.into() }
    }

    /// The newest epoch; `None`: nobody ever held it.
    pub(crate) fn newest(&self) -> io::Result<Option<Seen>> {
        let Some(epoch) = self.highest()? else { return Ok(None) };
        let at = self.path(epoch);
        let holder = fs::read(at.join("holder")).ok().and_then(|text| serde_json::from_slice(&text).ok());
        let beat = fs::read(at.join("beat")).ok().and_then(|text| serde_json::from_slice(&text).ok());
        let beat = beat.map_or(0, |Beat { beat }| beat);
        Ok(Some(Seen { epoch, holder, beat, over: at.join("over").exists() }))
    }

    /// Makes the epoch after `seen`. `None`: somebody else was faster.
    pub(crate) fn take(&self, seen: Option<&Seen>, holder: &LockHolder) -> io::Result<Option<Lease>> {
        let epoch = seen.map_or(0, |seen| seen.epoch) + 1;
        make_dir(&self.dir, Readers::Owner)?;
        let nonce = CLAIMS.fetch_add(1, Ordering::Relaxed);
        let claim = self.dir.join(format!("claim-{}-{}-{nonce}", holder.boot, holder.pid));
        fs::create_dir_all(&claim)?;
        put(&claim, "holder", &serde_json::to_vec(holder)?)?;
        let taken = match fs::rename(&claim, self.path(epoch)) {
            Ok(()) => self.highest()? == Some(epoch),
            Err(err) if is_taken(&err) => {
                fs::remove_dir_all(&claim)?;
                return Ok(None);
            }
            Err(err) => return Err(err),
        };
        if !taken {
            // Epochs were taken and swept while we were looking: ours is an old one.
            fs::remove_dir_all(self.path(epoch))?;
            return Ok(None);
        }
        self.sweep(epoch);
        Ok(Some(Lease { leases: self.clone(), epoch, beat: 0 }))
    }

    /// Removes epochs that nobody looks at any more. What cannot be removed is in nobody's way.
    fn sweep(&self, newest: u64) {
        for old in self.epochs().unwrap_or_default() {
            if old + KEPT <= newest {
                let _ = fs::remove_dir_all(self.path(old));
            }
        }
    }

    fn highest(&self) -> io::Result<Option<u64>> {
        Ok(self.epochs()?.into_iter().max())
    }

    fn epochs(&self) -> io::Result<Vec<u64>> {
        let entries = match fs::read_dir(&self.dir) {
            Ok(entries) => entries,
            Err(err) if err.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(err) => return Err(err),
        };
        let names = entries.filter_map(Result::ok).filter_map(|entry| entry.file_name().into_string().ok());
        Ok(names.filter_map(|name| name.parse().ok()).collect())
    }

    fn path(&self, epoch: u64) -> PathBuf {
        self.dir.join(epoch.to_string())
    }
}

impl Lease {
    /// How often it must be counted up.
    pub(crate) const BEAT: Duration = Duration::from_secs(3);
    /// Whoever sees no beat for this long may take the next epoch.
    pub(crate) const LASTS: Duration = Duration::from_secs(12);

    /// Its number.
    pub(crate) fn epoch(&self) -> u64 {
        self.epoch
    }

    /// Counts up: it is still held.
    pub(crate) fn beat(&mut self) -> io::Result<()> {
        self.beat += 1;
        let path = self.leases.path(self.epoch);
        // In place of a directory that was swept none is made anew.
        if !path.is_dir() {
            return Err(io::ErrorKind::NotFound.into());
        }
        put(&path, "beat", &serde_json::to_vec(&Beat { beat: self.beat })?)
    }

    /// Gives it back. Where that cannot be written the lease ends by itself.
    pub(crate) fn give_back(&self) {
        let path = self.leases.path(self.epoch);
        if path.is_dir() {
            let _ = put(&path, "over", b"");
        }
    }

    /// Who holds it now, where somebody else took a later epoch.
    pub(crate) fn lost_to(&self) -> io::Result<Option<Seen>> {
        // Asked before every effect: who it is is read only where there is somebody.
        match self.leases.highest()? {
            Some(highest) if highest != self.epoch => self.leases.newest(),
            _ => Ok(None),
        }
    }
}

/// Writes a file that readers see whole or not at all. Not for ever: whoever held a lease when the power failed is gone.
fn put(dir: &Path, name: &str, bytes: &[u8]) -> io::Result<()> {
    let written = dir.join(format!("{name}.new"));
    fs::write(&written, bytes)?;
    fs::rename(written, dir.join(name))
}

/// A directory with something in it is there already.
fn is_taken(err: &io::Error) -> bool {
    matches!(err.kind(), io::ErrorKind::DirectoryNotEmpty | io::ErrorKind::AlreadyExists)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn holder(purpose: &str) -> LockHolder {
        LockHolder::this_process(purpose, "2026-11-21T03:00:00Z".parse().expect("a time"))
    }

    fn leases() -> (tempfile::TempDir, Leases) {
        let dir = tempfile::tempdir().expect("a directory");
        let leases = Leases::new(dir.path().join("leases"));
        (dir, leases)
    }

    #[test]
    fn one_of_many_that_reach_for_the_same_epoch_gets_it() {
        let (_dir, leases) = leases();
        for _ in 0..50 {
            let seen = leases.newest().expect("readable");
            let winners: Vec<_> = std::thread::scope(|scope| {
                let reach = || leases.take(seen.as_ref(), &holder("deploy")).expect("usable");
                let threads: Vec<_> = (0..8).map(|_| scope.spawn(reach)).collect();
                threads.into_iter().filter_map(|thread| thread.join().expect("ran")).collect()
            });
            assert_eq!(winners.len(), 1);
        }
        let left = fs::read_dir(leases.dir).expect("readable").count();
        assert!(left <= KEPT as usize, "{left} are left");
    }

    #[test]
    fn whoever_looked_too_long_ago_gets_nothing() {
        let (_dir, leases) = leases();
        let long_ago = leases.newest().expect("readable");
        for _ in 0..2 * KEPT {
            let seen = leases.newest().expect("readable");
            leases.take(seen.as_ref(), &holder("deploy")).expect("usable").expect("free");
        }
        let held = leases.newest().expect("readable").expect("there is one");
        assert!(leases.take(long_ago.as_ref(), &holder("backup")).expect("usable").is_none());
        assert_eq!(leases.newest().expect("readable"), Some(held));
    }

    #[test]
    fn a_holder_that_slept_finds_out_who_holds_it_now() {
        let (_dir, leases) = leases();
        let mut slept = leases.take(None, &holder("deploy")).expect("usable").expect("free");
        slept.beat().expect("held");
        assert_eq!(slept.lost_to().expect("readable"), None);
        let seen = leases.newest().expect("readable");
        assert_eq!(seen.as_ref().map(|seen| (seen.epoch, seen.beat, seen.over)), Some((1, 1, false)));
        let _other = leases.take(seen.as_ref(), &holder("backup")).expect("usable").expect("free");
        let lost_to = slept.lost_to().expect("readable").and_then(|seen| seen.holder).expect("somebody");
        assert_eq!(lost_to.purpose, "backup");
    }

    #[test]
    fn what_is_given_back_says_so() {
        let (_dir, leases) = leases();
        leases.take(None, &holder("deploy")).expect("usable").expect("free").give_back();
        assert!(leases.newest().expect("readable").expect("there is one").over);
    }
}
