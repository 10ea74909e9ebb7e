//! Files that are written once, whole, and stay: after a crash they are there or they are not.

use std::{
    fs::{self, DirBuilder, File, OpenOptions},
    io::{self, Write},
    os::unix::fs::{DirBuilderExt, OpenOptionsExt},
    path::Path,
};

use rustix::fs::{FlockOperation, flock};

/// Writes `dir/name` unless it exists. `Ok(false)`: it did, and was not touched.
///
/// The bytes are on disk before the name is. One writer at a time holds the directory's lock, so a file left over by
/// a writer that died is nobody's and is written over.
pub(crate) fn write_new(dir: &Path, name: &str, bytes: &[u8]) -> io::Result<bool> {
    let handle = File::open(dir)?;
    flock(&handle, FlockOperation::LockExclusive)?;
    let path = dir.join(name);
    if path.try_exists()? {
        return Ok(false);
    }
    let draft = dir.join(format!(".{name}.new"));
    remove_if_there(&draft)?;
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&draft)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    // A link, not a rename: it fails where the name was taken by somebody who does not know our lock.
    let linked = fs::hard_link(&draft, &path);
    remove_if_there(&draft)?;
    match linked {
        Err(err) if err.kind() == io::ErrorKind::AlreadyExists => return Ok(false),
        other => other?,
    }
    handle.sync_all()?;
    Ok(true)
}

/// Makes a directory that only its owner enters, with whatever is missing above it, durably.
pub(crate) fn make_dir(dir: &Path) -> io::Result<()> {
    if dir.is_dir() {
        return Ok(());
    }
    let above = dir.parent().filter(|above| !above.as_os_str().is_empty());
    if let Some(above) = above {
        make_dir(above)?;
    }
    match DirBuilder::new().mode(0o700).create(dir) {
        Err(err) if err.kind() != io::ErrorKind::AlreadyExists => return Err(err),
        _ => {}
    }
    File::open(above.unwrap_or(Path::new(".")))?.sync_all()
}

fn remove_if_there(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(err) if err.kind() == io::ErrorKind::NotFound => Ok(()),
        other => other,
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use super::*;

    #[test]
    fn what_is_there_is_never_written_over() {
        let dir = tempfile::tempdir().unwrap();
        assert!(write_new(dir.path(), "a", b"first").unwrap());
        assert!(!write_new(dir.path(), "a", b"second").unwrap());
        assert_eq!(fs::read(dir.path().join("a")).unwrap(), b"first");
    }

    #[test]
    fn a_draft_that_a_dead_writer_left_is_no_obstacle_and_goes_away() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join(".a.new"), b"half of it").unwrap();
        assert!(write_new(dir.path(), "a", b"whole").unwrap());
        assert_eq!(fs::read(dir.path().join("a")).unwrap(), b"whole");
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
    }

    #[test]
    fn of_many_writers_one_wins() {
        let dir = tempfile::tempdir().unwrap();
        let wins = std::thread::scope(|scope| {
            let writers: Vec<_> = (0..8)
                .map(|n| {
                    let dir = dir.path();
                    scope.spawn(move || write_new(dir, "a", format!("{n}").as_bytes()).unwrap())
                })
                .collect();
            writers.into_iter().map(|writer| writer.join().unwrap()).filter(|won| *won).count()
        });
        assert_eq!(wins, 1);
    }
}
