//! Where everything that is kept has its place on disk.
//!
//! ```text
//! STATE/identity, signer, fingerprint.key       the keyring (0600)
//! STATE/STACK/runs/ID/{plan.json, journal}      append-only
//! STATE/STACK/releases/N/                       immutable
//! STATE/STACK/files/HASH                        content that releases mount
//! STATE/STACK/current, good                     names of releases
//! STATE/STACK/secrets/NAME/VERSION.age          sealed
//! STATE/STACK/evidence/                         signed
//! STATE/STACK/lock
//! ```

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use host::files::{Readers, make_dir, remove, replace};
use stack::StackName;

/// The state directory of one machine.
#[derive(Debug, Clone)]
pub struct StateDir {
    root: PathBuf,
}

impl StateDir {
    /// The state directory at `root`, absolute; made on first use.
    pub fn new(root: impl Into<PathBuf>) -> Self {
        Self { root: root.into() }
    }

    /// Its path.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// The part that belongs to one stack.
    pub fn stack(&self, name: &StackName) -> StackDir {
        StackDir { root: self.root.join(name.as_str()) }
    }
}

/// What is kept of one stack.
#[derive(Debug, Clone)]
pub struct StackDir {
    root: PathBuf,
}

impl StackDir {
    /// Its path.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// Runs.
    pub fn runs(&self) -> PathBuf {
        self.root.join("runs")
    }

    /// Releases.
    pub fn releases(&self) -> PathBuf {
        self.root.join("releases")
    }

    /// Content that releases mount.
    pub fn files(&self) -> PathBuf {
        self.root.join("files")
    }

    /// Sealed secret values.
    pub fn secrets(&self) -> PathBuf {
        self.root.join("secrets")
    }

    /// Evidence of drills and restores.
    pub fn evidence(&self) -> PathBuf {
        self.root.join("evidence")
    }

    /// The lock.
    pub fn lock(&self) -> PathBuf {
        self.root.join("lock")
    }

    /// Makes the directory, for its owner only.
    ///
    /// # Errors
    /// When it cannot be made or written to.
    pub fn create(&self) -> io::Result<()> {
        make_dir(&self.root, Readers::Owner)
    }

    /// The release that `name` (`current` or `good`) points at.
    ///
    /// # Errors
    /// When the file is there and cannot be read, or holds no number.
    pub fn pointer(&self, name: &str) -> io::Result<Option<u64>> {
        match fs::read_to_string(self.root.join(name)) {
            Ok(text) => text.trim().parse().map(Some).map_err(|_| {
                io::Error::new(
                    io::ErrorKind::InvalidData,
                    format!("`{name}` does not hold the number of a release"),
                )
            }),
            Err(err) if err.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(err) => Err(err),
        }
    }

    /// Points `name` at a release, or at none.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn point(&self, name: &str, release: Option<u64>) -> io::Result<()> {
        let path = self.root.join(name);
        match release {
            Some(number) => replace(&path, format!("{number}\n").as_bytes(), Readers::Owner),
            None => remove(&path),
        }
    }

    /// Forgets everything kept of a throwaway.
    ///
    /// # Errors
    /// When it cannot be removed.
    pub fn forget(&self) -> io::Result<()> {
        match fs::remove_dir_all(&self.root) {
            Err(err) if err.kind() != io::ErrorKind::NotFound => Err(err),
            _ => Ok(()),
        }
    }
}
