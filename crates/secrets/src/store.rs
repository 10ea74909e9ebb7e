//! The sealed store: a stack's secret values, versioned, created and never overwritten.
//!
//! ```text
//! STATE/STACK/secrets/NAME/1.age    the value, sealed to this host; stock `age -d -i STATE/identity` opens it
//! STATE/STACK/secrets/NAME/2.age
//! ```

use std::{
    collections::BTreeMap,
    fs, io,
    path::{Path, PathBuf},
};

use stack::SecretName;

use crate::{
    Keyring, Secret,
    durable::{make_dir, write_new},
    seal::{SealError, open, seal},
};

/// The secret values of one stack.
#[derive(Debug, Clone)]
pub struct Store {
    dir: PathBuf,
    keyring: Keyring,
}

impl Store {
    /// The store in this directory. It is made with the first value.
    pub fn open(dir: PathBuf, keyring: Keyring) -> Self {
        Self { dir, keyring }
    }

    /// Keeps `value` as version 1 unless there is a version already. Returns the newest version, and whether this
    /// call made it.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn put_first(&self, name: &SecretName, value: &Secret<String>) -> Result<(u32, bool), StoreError> {
        if let Some(version) = self.newest(name)? {
            return Ok((version, false));
        }
        if self.write(name, 1, value)? {
            return Ok((1, true));
        }
        Ok((self.newest(name)?.unwrap_or(1), false))
    }

    /// Keeps `value` as the version after the newest, and returns which that is.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn put_next(&self, name: &SecretName, value: &Secret<String>) -> Result<u32, StoreError> {
        let mut version = self.newest(name)?.unwrap_or(0) + 1;
        while !self.write(name, version, value)? {
            version += 1;
        }
        Ok(version)
    }

    /// Keeps `value` as exactly this version: what a restore brings back. Does nothing where the version holds the
    /// same value.
    ///
    /// # Errors
    /// When the version holds another value, or cannot be written.
    pub fn put(&self, name: &SecretName, version: u32, value: &Secret<String>) -> Result<(), StoreError> {
        if self.write(name, version, value)? || self.get(name, version)? == *value {
            return Ok(());
        }
        Err(StoreError::Taken { name: name.clone(), version })
    }

    /// The value of a version.
    ///
    /// # Errors
    /// When there is none, or it does not open.
    pub fn get(&self, name: &SecretName, version: u32) -> Result<Secret<String>, StoreError> {
        let path = self.folder(name)?.join(format!("{version}.age"));
        let sealed = fs::read(&path).map_err(|source| match source.kind() {
            io::ErrorKind::NotFound => StoreError::Missing { name: name.clone(), version },
            _ => StoreError::Read { path: path.clone(), source },
        })?;
        let opened = open(self.keyring.identity(), &sealed);
        let bytes = opened.map_err(|source| StoreError::Open { name: name.clone(), version, source })?;
        let text = std::str::from_utf8(bytes.expose());
        text.map(Secret::from).map_err(|_| StoreError::NotText { name: name.clone(), version })
    }

    /// The newest version of a secret; `None` where it has none.
    ///
    /// # Errors
    /// When the directory cannot be read.
    pub fn newest(&self, name: &SecretName) -> Result<Option<u32>, StoreError> {
        Ok(self.versions(name)?.pop())
    }

    /// All versions of a secret, oldest first.
    ///
    /// # Errors
    /// When the directory cannot be read.
    pub fn versions(&self, name: &SecretName) -> Result<Vec<u32>, StoreError> {
        let mut versions: Vec<u32> =
            entries(&self.folder(name)?)?.iter().filter_map(|file| version_of(file)).collect();
        versions.sort_unstable();
        Ok(versions)
    }

    /// Names of all secrets, whether their values open or not.
    ///
    /// # Errors
    /// When the directory cannot be read.
    pub fn names(&self) -> Result<Vec<SecretName>, StoreError> {
        Ok(entries(&self.dir)?.into_iter().map(SecretName::new).collect())
    }

    /// Every secret with its newest version and that value's keyed fingerprint.
    ///
    /// # Errors
    /// When one of them does not open.
    pub fn list(&self) -> Result<BTreeMap<SecretName, (u32, String)>, StoreError> {
        let mut all = BTreeMap::new();
        for name in self.names()? {
            if let Some(version) = self.newest(&name)? {
                let value = self.get(&name, version)?;
                let fingerprint = self.keyring.fingerprint(value.expose().as_bytes());
                all.insert(name, (version, fingerprint));
            }
        }
        Ok(all)
    }

    /// False: the version exists.
    fn write(&self, name: &SecretName, version: u32, value: &Secret<String>) -> Result<bool, StoreError> {
        let folder = self.folder(name)?;
        let file = format!("{version}.age");
        let failed = |source| StoreError::Write { path: folder.join(&file), source };
        let sealed = seal(&[self.keyring.recipient()], value.expose().as_bytes())
            .map_err(|source| StoreError::Seal { name: name.clone(), source })?;
        make_dir(&folder).map_err(failed)?;
        write_new(&folder, &file, &sealed).map_err(failed)
    }

    /// Names come from files and from sets: one that would leave the directory is refused.
    fn folder(&self, name: &SecretName) -> Result<PathBuf, StoreError> {
        let text = name.as_str();
        if text.is_empty() || text.starts_with('.') || text.contains(['/', '\0']) {
            return Err(StoreError::Name { name: name.clone() });
        }
        Ok(self.dir.join(text))
    }
}

/// Why the store could not do it.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// A name that cannot be a directory's.
    #[error("`{name}` cannot be the name of a secret")]
    Name {
        /// The name.
        name: SecretName,
    },
    /// No such version.
    #[error("secret `{name}` has no version {version}")]
    Missing {
        /// The secret.
        name: SecretName,
        /// The version.
        version: u32,
    },
    /// Versions are never overwritten.
    #[error("secret `{name}` has a version {version} already, with another value")]
    Taken {
        /// The secret.
        name: SecretName,
        /// The version.
        version: u32,
    },
    /// It does not open: truncated, altered, or sealed by another host.
    #[error("cannot open version {version} of secret `{name}`")]
    Open {
        /// The secret.
        name: SecretName,
        /// The version.
        version: u32,
        /// Why.
        #[source]
        source: SealError,
    },
    /// It is no text.
    #[error("version {version} of secret `{name}` is not text")]
    NotText {
        /// The secret.
        name: SecretName,
        /// The version.
        version: u32,
    },
    /// It did not seal.
    #[error("cannot seal secret `{name}`")]
    Seal {
        /// The secret.
        name: SecretName,
        /// Why.
        #[source]
        source: SealError,
    },
    /// A file or directory cannot be read.
    #[error("cannot read `{path}`")]
    Read {
        /// Which.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// A file cannot be written.
    #[error("cannot write `{path}`")]
    Write {
        /// Which.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
}

/// Names in a directory; none where there is no directory. Hidden ones are drafts.
fn entries(dir: &Path) -> Result<Vec<String>, StoreError> {
    let failed = |source| StoreError::Read { path: dir.to_owned(), source };
    let listing = match fs::read_dir(dir) {
        Err(err) if err.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        other => other.map_err(failed)?,
    };
    let names = listing.map(|entry| entry.map(|entry| entry.file_name()));
    let names: Vec<_> = names.collect::<Result<_, _>>().map_err(failed)?;
    let names = names.into_iter().filter_map(|name| name.into_string().ok());
    Ok(names.filter(|name| !name.starts_with('.')).collect())
}

fn version_of(file: &str) -> Option<u32> {
    file.strip_suffix(".age")?.parse().ok().filter(|version| *version > 0)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use super::*;

    fn store() -> (tempfile::TempDir, Store) {
        let dir = tempfile::tempdir().unwrap();
        let keyring = Keyring::open(dir.path()).unwrap();
        let store = Store::open(dir.path().join("cozy/secrets"), keyring);
        (dir, store)
    }

    fn chain(err: &dyn std::error::Error) -> String {
        err.source().map_or_else(|| err.to_string(), |source| format!("{err}: {}", chain(source)))
    }

    #[test]
    fn the_first_value_stays_and_the_next_gets_its_own_version() {
        let (_dir, store) = store();
        let name = SecretName::from("db_password");
        assert_eq!(store.newest(&name).unwrap(), None);
        assert_eq!(store.put_first(&name, &"one".into()).unwrap(), (1, true));
        assert_eq!(store.put_first(&name, &"two".into()).unwrap(), (1, false));
        assert_eq!(store.put_next(&name, &"two".into()).unwrap(), 2);
        assert_eq!(store.get(&name, 1).unwrap().expose(), "one");
        assert_eq!(store.get(&name, 2).unwrap().expose(), "two");
        assert_eq!(store.newest(&name).unwrap(), Some(2));
    }

    #[test]
    fn the_tenth_version_comes_after_the_ninth() {
        let (_dir, store) = store();
        let name = SecretName::from("n");
        (1..=10).for_each(|n| assert_eq!(store.put_next(&name, &"v".into()).unwrap(), n));
        assert_eq!(store.newest(&name).unwrap(), Some(10));
    }

    #[test]
    fn the_list_names_newest_versions_by_keyed_fingerprint() {
        let (_dir, store) = store();
        assert!(store.list().unwrap().is_empty());
        store.put_first(&"a".into(), &"same".into()).unwrap();
        store.put_first(&"b".into(), &"same".into()).unwrap();
        let list = store.list().unwrap();
        assert_eq!(list[&SecretName::from("a")], list[&SecretName::from("b")]);
        assert_eq!(list[&SecretName::from("a")].0, 1);
    }

    #[test]
    fn a_restore_puts_back_a_version_and_never_changes_one() {
        let (_dir, store) = store();
        store.put(&"a".into(), 3, &"x".into()).unwrap();
        store.put(&"a".into(), 3, &"x".into()).unwrap();
        let err = store.put(&"a".into(), 3, &"y".into()).unwrap_err();
        assert_eq!(err.to_string(), "secret `a` has a version 3 already, with another value");
    }

    #[test]
    fn no_value_is_on_disk_in_plain() {
        let (_dir, store) = store();
        store.put_first(&"a".into(), &"canary-value".into()).unwrap();
        let sealed = fs::read(store.dir.join("a/1.age")).unwrap();
        assert!(!sealed.windows(12).any(|window| window == b"canary-value"));
    }

    #[test]
    fn a_truncated_or_flipped_file_is_named() {
        let (_dir, store) = store();
        store.put_first(&"a".into(), &"x".into()).unwrap();
        let path = store.dir.join("a/1.age");
        let whole = fs::read(&path).unwrap();
        fs::write(&path, &whole[..whole.len() - 1]).unwrap();
        let err = chain(&store.get(&"a".into(), 1).unwrap_err());
        assert!(err.starts_with("cannot open version 1 of secret `a`: it is truncated or altered"), "{err}");
        let mut flipped = whole.clone();
        flipped[whole.len() - 1] ^= 1;
        fs::write(&path, flipped).unwrap();
        let err = chain(&store.list().unwrap_err());
        assert!(err.starts_with("cannot open version 1 of secret `a`: it is truncated or altered"), "{err}");
    }

    #[test]
    fn a_name_cannot_leave_the_directory() {
        let (_dir, store) = store();
        assert!(matches!(store.put_first(&"../a".into(), &"x".into()), Err(StoreError::Name { .. })));
    }
}
