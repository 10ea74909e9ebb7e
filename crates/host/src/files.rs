//! Files that are there whole or not at all, also after a crash.

use std::{
    ffi::OsString,
    fs::{self, DirBuilder, File, OpenOptions, Permissions},
    io::{self, ErrorKind, Write},
    os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt},
    path::{Path, PathBuf},
    sync::atomic::{AtomicU64, Ordering},
};

/// Who may read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Readers {
    /// Anybody on the machine: 0644, directories 0755.
    Everybody,
    /// The owner alone: 0600, directories 0700.
    Owner,
}

impl Readers {
    fn file_mode(self) -> u32 {
        match self {
            Readers::Everybody => 0o644,
            Readers::Owner => 0o600,
        }
    }

    fn dir_mode(self) -> u32 {
        match self {
            Readers::Everybody => 0o755,
            Readers::Owner => 0o700,
        }
    }
}

/// Puts `bytes` in place of whatever `path` holds: readers see the old file or the new one, never a part.
///
/// # Errors
/// What the file system said; `path` then holds what it held before.
pub fn replace(path: &Path, bytes: &[u8], readers: Readers) -> io::Result<()> {
    let draft = Draft::write(path, bytes, readers)?;
    fs::rename(&draft.path, path)?;
    draft.settled();
    sync_parent(path)
}

/// Writes `path` unless it exists. `Ok(false)`: it does, and was not touched.
///
/// # Errors
/// What the file system said; `path` then does not exist, or is not ours.
pub fn create(path: &Path, bytes: &[u8], readers: Readers) -> io::Result<bool> {
    let draft = Draft::write(path, bytes, readers)?;
    // A link, not a rename: a rename would replace what somebody else wrote in between.
    let linked = fs::hard_link(&draft.path, path);
    drop(draft);
    match linked {
        Err(err) if err.kind() == ErrorKind::AlreadyExists => return Ok(false),
        other => other?,
    }
    sync_parent(path)?;
    Ok(true)
}

/// Removes a file for good. Nothing to do where it is not there.
///
/// # Errors
/// What the file system said.
pub fn remove(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(err) if err.kind() == ErrorKind::NotFound => Ok(()),
        other => other.and_then(|()| sync_parent(path)),
    }
}

/// Makes a directory and whatever is missing above it, durably. One that exists keeps its mode.
///
/// # Errors
/// What the file system said.
pub fn make_dir(dir: &Path, readers: Readers) -> io::Result<()> {
    if dir.is_dir() {
        return Ok(());
    }
    if let Some(above) = dir.parent().filter(|above| !above.as_os_str().is_empty()) {
        make_dir(above, readers)?;
    }
    match DirBuilder::new().mode(readers.dir_mode()).create(dir) {
        Err(err) if err.kind() == ErrorKind::AlreadyExists && dir.is_dir() => Ok(()),
        other => other.and_then(|()| sync_parent(dir)),
    }
}

/// Makes sure that the names in the directory of `path` survive a crash.
///
/// # Errors
/// What the file system said.
pub fn sync_parent(path: &Path) -> io::Result<()> {
    File::open(parent(path))?.sync_all()
}

fn parent(path: &Path) -> &Path {
    match path.parent() {
        Some(above) if !above.as_os_str().is_empty() => above,
        _ => Path::new("."),
    }
}

/// A file beside its place, complete and on disk; gone when dropped before it is settled.
struct Draft {
    path: PathBuf,
}

impl Draft {
    fn write(place: &Path, bytes: &[u8], readers: Readers) -> io::Result<Self> {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let name = place.file_name().ok_or_else(|| io::Error::from(ErrorKind::InvalidInput))?;
        let mut draft = OsString::from(".");
        draft.push(name);
        draft.push(format!(".{}-{}.draft", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed)));
        let path = parent(place).join(draft);
        // Left over by a process of our number that died while it wrote.
        let _ = fs::remove_file(&path);
        let mut file =
            OpenOptions::new().write(true).create_new(true).mode(readers.file_mode()).open(&path)?;
        let draft = Self { path };
        file.write_all(bytes)?;
        // Said again, because the umask took its part of the mode above.
        file.set_permissions(Permissions::from_mode(readers.file_mode()))?;
        file.sync_all()?;
        Ok(draft)
    }

    /// It has its place; there is nothing left to clean up.
    fn settled(mut self) {
        self.path.clear();
    }
}

impl Drop for Draft {
    fn drop(&mut self) {
        if !self.path.as_os_str().is_empty() {
            let _ = fs::remove_file(&self.path);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(dir: &Path) -> Vec<String> {
        let mut names: Vec<String> = fs::read_dir(dir)
            .expect("a directory")
            .map(|entry| entry.expect("an entry").file_name().to_string_lossy().into_owned())
            .collect();
        names.sort();
        names
    }

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).expect("it exists").permissions().mode() & 0o7777
    }

    #[test]
    fn a_replaced_file_holds_the_new_bytes_and_leaves_nothing_beside_it() {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("current");
        replace(&path, b"41", Readers::Everybody).expect("written");
        replace(&path, b"42", Readers::Owner).expect("replaced");
        assert_eq!(fs::read(&path).expect("readable"), b"42");
        assert_eq!(mode(&path), 0o600);
        assert_eq!(names(dir.path()), ["current"]);
    }

    #[test]
    fn a_created_file_is_never_written_twice() {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("manifest.json");
        assert!(create(&path, b"first", Readers::Everybody).expect("written"));
        assert!(!create(&path, b"second", Readers::Everybody).expect("left alone"));
        assert_eq!(fs::read(&path).expect("readable"), b"first");
        assert_eq!(mode(&path), 0o644);
        assert_eq!(names(dir.path()), ["manifest.json"]);
    }

    #[test]
    fn of_many_who_create_one_file_at_once_exactly_one_does() {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("manifest.json");
        let made: usize = std::thread::scope(|scope| {
            let writers: Vec<_> = (0..8)
                .map(|n| {
                    let path = &path;
                    scope.spawn(move || create(path, format!("{n}").as_bytes(), Readers::Owner))
                })
                .collect();
            writers.into_iter().map(|it| usize::from(it.join().expect("ran").expect("wrote"))).sum()
        });
        assert_eq!((made, names(dir.path()).len()), (1, 1));
    }

    #[test]
    fn a_private_directory_is_made_with_what_is_missing_above_it() {
        let dir = tempfile::tempdir().expect("a directory");
        let deep = dir.path().join("blog/releases");
        make_dir(&deep, Readers::Owner).expect("made");
        make_dir(&deep, Readers::Owner).expect("made again");
        assert_eq!((mode(&deep), mode(deep.parent().expect("above"))), (0o700, 0o700));
        let file = deep.join("x");
        replace(&file, b"", Readers::Owner).expect("written");
        remove(&file).expect("removed");
        remove(&file).expect("removed again");
        assert!(make_dir(&file.join("y"), Readers::Owner).is_ok(), "nothing stands in the way any more");
    }
}
