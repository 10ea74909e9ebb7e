//! Gives `stack::load` the bytes it asks for.

use std::{
    collections::BTreeMap,
    fs, io,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
};

use stack::{Files, Found, Load, Loaded, Request};

/// A read-only bind larger than this is not part of a service's identity.
const MOST_FILES: usize = 200;
/// As [`MOST_FILES`], in bytes.
const MOST_BYTES: u64 = 4 * 1024 * 1024;
/// A Compose file or a settings file larger than this is not read: the largest seen in public is far below it.
const LARGEST_FILE: u64 = 64 * 1024 * 1024;

/// Reads a stack from the file system.
pub fn load(request: &Request) -> Loaded {
    let mut files = Files::new();
    loop {
        match stack::load(request, &files) {
            Load::Done(loaded) => return *loaded,
            Load::Needs(paths) => files.extend(paths.into_iter().map(|path| {
                let found = look(Path::new(&path));
                (path, found)
            })),
        }
    }
}

fn look(path: &Path) -> Found {
    let meta = match fs::metadata(path) {
        Ok(meta) => meta,
        Err(err) if matches!(err.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {
            return Found::Missing;
        }
        Err(err) => return Found::Unreadable(err.to_string()),
    };
    if meta.is_dir() {
        return look_into(path);
    }
    if !meta.is_file() {
        // A socket or a device has no content of its own: it is mounted as it is.
        return Found::LargeDirectory;
    }
    if meta.len() > LARGEST_FILE {
        return Found::Unreadable(format!("it has {} bytes; at most {LARGEST_FILE} are read", meta.len()));
    }
    match fs::read(path) {
        Ok(bytes) => Found::File { bytes, mode: meta.permissions().mode() & 0o7777 },
        Err(err) => Found::Unreadable(err.to_string()),
    }
}

fn look_into(root: &Path) -> Found {
    let mut members = BTreeMap::new();
    let mut bytes_seen = 0;
    let mut left: Vec<PathBuf> = vec![root.to_owned()];
    while let Some(dir) = left.pop() {
        let entries = match fs::read_dir(&dir) {
            Ok(entries) => entries,
            Err(err) => return Found::Unreadable(err.to_string()),
        };
        for entry in entries.filter_map(Result::ok) {
            let path = entry.path();
            let Ok(meta) = fs::metadata(&path) else { continue };
            if meta.is_dir() {
                left.push(path);
                continue;
            }
            bytes_seen += meta.len();
            if members.len() >= MOST_FILES || bytes_seen > MOST_BYTES || !meta.is_file() {
                return Found::LargeDirectory;
            }
            let Ok(bytes) = fs::read(&path) else { return Found::LargeDirectory };
            let name = path.strip_prefix(root).expect("a member stands below its root");
            members.insert(name.to_string_lossy().into_owned(), (bytes, meta.permissions().mode() & 0o7777));
        }
    }
    Found::Directory(members)
}
