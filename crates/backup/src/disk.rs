//! Files that are there whole or not at all, and what a disk can say against it.

use std::{
    fmt, fs,
    fs::File,
    io::{self, Read, Write},
    path::{Path, PathBuf},
};

use rustix::fs::{Advice, CWD, RenameFlags};
use sha2::{Digest, Sha256};

/// A target could not do what was asked.
#[derive(Debug, thiserror::Error)]
#[error("cannot {doing} on the target `{}`{}", target.display(), trouble.in_words())]
pub struct TargetError {
    /// The target's directory.
    pub target: PathBuf,
    /// Our attempt, in words.
    pub doing: String,
    /// What kind of trouble.
    pub trouble: TargetTrouble,
    /// What the system said.
    #[source]
    pub source: Option<io::Error>,
}

/// What kind of trouble a target gave: decides the exit code and the hint, never guessed from text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TargetTrouble {
    /// The directory, or what was asked for in it, is not there.
    Missing,
    /// We may not.
    Denied,
    /// It is mounted read-only.
    ReadOnly,
    /// No space, or the quota is used up.
    Full,
    /// The set is committed: nothing in it changes any more.
    Committed,
    /// Something else stands where this is to be written, and nothing is overwritten.
    Taken,
    /// It holds sets of another chain: another stack of the same name, or one that began anew.
    Foreign,
    /// A newer version wrote what is there.
    Newer,
    /// What was read back is not what was written.
    Unfaithful,
    /// A file there is not what it should be.
    Damaged,
    /// Anything else.
    Broken,
}

impl TargetTrouble {
    fn in_words(self) -> &'static str {
        match self {
            Self::Missing => ": it is not there",
            Self::Denied => ": permission denied",
            Self::ReadOnly => ": it is read-only",
            Self::Full => ": it is full",
            Self::Committed => ": the set is committed",
            Self::Taken => ": something else is there already",
            Self::Foreign => ": it holds another stack's chain of sets",
            Self::Newer => ": another version wrote it",
            Self::Unfaithful => ": what was read back is not what was written",
            Self::Damaged => ": what is there is not readable",
            Self::Broken => "",
        }
    }

    /// A line that says what to do about it, where there is one.
    pub fn hint(self) -> Option<&'static str> {
        Some(match self {
            Self::Missing => "make the directory, or mount what it stands for",
            Self::Denied => "give the user who runs this write access to it",
            Self::ReadOnly => "mount it read-write",
            Self::Full => "free some space there, or name another target",
            Self::Foreign => "use another directory, or another stack name",
            Self::Newer => diag::BY_A_NEWER_ONE,
            Self::Unfaithful => "do not trust this disk: name another target",
            Self::Committed | Self::Taken | Self::Damaged | Self::Broken => return None,
        })
    }

    pub(crate) fn of(err: &io::Error) -> Self {
        match err.kind() {
            io::ErrorKind::NotFound | io::ErrorKind::NotADirectory => Self::Missing,
            io::ErrorKind::PermissionDenied => Self::Denied,
            io::ErrorKind::ReadOnlyFilesystem => Self::ReadOnly,
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Self::Full,
            _ => Self::Broken,
        }
    }
}

/// Writes a small file whole, or leaves what was there: `Ok(false)` when the name was taken.
pub(crate) fn create_only(path: &Path, bytes: &[u8]) -> io::Result<bool> {
    let directory = path.parent().expect("every file we write is inside a directory");
    let scratch = directory.join(format!(".{}.partial-{:08x}", name_of(path), rand::random::<u32>()));
    let outcome = write_synced(&scratch, bytes).and_then(|()| publish_new(&scratch, path));
    let swept = fs::remove_file(&scratch);
    match (&outcome, swept) {
        (Ok(true), Err(err)) if err.kind() != io::ErrorKind::NotFound => return Err(err),
        _ => {}
    }
    let published = outcome?;
    sync_directory(directory)?;
    Ok(published)
}

fn write_synced(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = File::create_new(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}

/// Gives `scratch` the name `path`, where nobody has it. A hard link works on every disk file system and on NFS;
/// `renameat2` is for those without links (exFAT, some FUSE).
fn publish_new(scratch: &Path, path: &Path) -> io::Result<bool> {
    match fs::hard_link(scratch, path) {
        Ok(()) => return Ok(true),
        Err(err) if err.kind() == io::ErrorKind::AlreadyExists => return Ok(false),
        Err(err) if TargetTrouble::of(&err) == TargetTrouble::Full => return Err(err),
        Err(_) => {}
    }
    match rustix::fs::renameat_with(CWD, scratch, CWD, path, RenameFlags::NOREPLACE) {
        Ok(()) => Ok(true),
        Err(rustix::io::Errno::EXIST) => Ok(false),
        Err(errno) => Err(errno.into()),
    }
}

/// Makes a directory's entries durable.
pub(crate) fn sync_directory(path: &Path) -> io::Result<()> {
    File::open(path)?.sync_all()
}

/// Makes `path` and what is missing between it and `root`, which must be there, each durable in its parent.
pub(crate) fn make_directories(root: &Path, path: &Path) -> io::Result<()> {
    if path == root || path.is_dir() {
        return if path.is_dir() { Ok(()) } else { Err(io::ErrorKind::NotFound.into()) };
    }
    let parent = path.parent().ok_or(io::ErrorKind::NotFound)?;
    make_directories(root, parent)?;
    match fs::create_dir(path) {
        Err(err) if err.kind() != io::ErrorKind::AlreadyExists => Err(err),
        _ => sync_directory(parent),
    }
}

/// Reads a file from the disk itself and gives its length and SHA-256.
pub(crate) fn digest_file(path: &Path) -> io::Result<(u64, String)> {
    let mut file = File::open(path)?;
    // The page cache would only tell us what we meant to write. Advice: where it is not taken, nothing is lost.
    let _ = rustix::fs::fadvise(&file, 0, None, Advice::DontNeed);
    let mut digest = Digester::default();
    let mut buffer = vec![0; 256 * 1024];
    loop {
        match file.read(&mut buffer)? {
            0 => return Ok(digest.finish()),
            read => digest.update(&buffer[..read]),
        }
    }
}

/// Counts and hashes.
#[derive(Clone, Default)]
pub(crate) struct Digester {
    bytes: u64,
    hash: Sha256,
}

impl Digester {
    pub(crate) fn update(&mut self, chunk: &[u8]) {
        self.bytes += chunk.len() as u64;
        self.hash.update(chunk);
    }

    pub(crate) fn bytes(&self) -> u64 {
        self.bytes
    }

    pub(crate) fn finish(self) -> (u64, String) {
        (self.bytes, data_encoding::HEXLOWER.encode(&self.hash.finalize()))
    }
}

impl fmt::Debug for Digester {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "Digester({} bytes)", self.bytes)
    }
}

/// The SHA-256 of some bytes, in lower-case hex.
pub(crate) fn sha256(bytes: &[u8]) -> String {
    data_encoding::HEXLOWER.encode(&Sha256::digest(bytes))
}

pub(crate) fn name_of(path: &Path) -> String {
    path.file_name().unwrap_or_default().to_string_lossy().into_owned()
}
