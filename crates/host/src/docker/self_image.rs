//! An image made of this very binary: the binary, its interpreter, the libraries it needs, and nothing else.
//!
//! Its tag is the hash of what is in it, so it is made once for each build of the binary and never pulled.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use bollard::{body_full, query_parameters::CreateImageOptionsBuilder};
use bytes::Bytes;
use futures_util::TryStreamExt;
use sha2::{Digest, Sha256};

use super::{
    fail::{fail, found},
    side::SIDE,
};
use crate::{EngineError, Trouble};

/// Where the binary stands in the image.
const PROGRAM: &str = "/seaworthy";

const USERS: &[u8] = b"root:x:0:0:root:/:/sbin/nologin\nseaworthy:x:1000:1000:seaworthy:/tmp:/sbin/nologin\n";
const GROUPS: &[u8] = b"root:x:0:\nseaworthy:x:1000:\n";

/// A file of the image: its bytes and its mode.
type Files = BTreeMap<PathBuf, (Bytes, u32)>;

/// Makes sure that `repository:HASH` is there and gives that reference.
pub(super) async fn ensure(
    client: &bollard::Docker,
    executable: &Path,
    repository: &str,
    extra: &[(&str, &[u8], u32)],
) -> Result<String, EngineError> {
    let doing = format!("make image `{repository}` of `{}`", executable.display());
    let executable = seen_from_children(executable);
    let extra: Files = extra
        .iter()
        .map(|(path, bytes, mode)| (path.into(), (Bytes::copy_from_slice(bytes), *mode)))
        .collect();
    // Reading and hashing a whole binary takes a moment in which others should not stand still.
    let gathered = tokio::task::spawn_blocking(move || {
        let contents = contents(&executable, extra)?;
        let tag = hash(&contents);
        Ok((contents, tag))
    });
    let gathered = gathered.await.expect("gathering files does not panic");
    let (contents, tag) = gathered
        .map_err(|error: GatherError| EngineError::new(Trouble::Unsupported, &doing).because(error))?;
    let reference = format!("{repository}:{tag}");
    if found(client.inspect_image(&reference).await).map_err(fail(doing.as_str()))?.is_none() {
        let options = CreateImageOptionsBuilder::default()
            .from_src("-")
            .repo(repository)
            .tag(&tag)
            .changes(configuration(&contents))
            .build();
        let tar =
            archive(&contents).map_err(|error| EngineError::new(Trouble::Refused, &doing).because(error))?;
        let imported = client.create_image(Some(options), Some(body_full(tar)), None);
        imported.try_for_each(async |_| Ok(())).await.map_err(fail(doing))?;
    }
    Ok(reference)
}

/// Why the files of the image could not be gathered.
#[derive(Debug, thiserror::Error)]
enum GatherError {
    #[error("cannot read `{}`", path.display())]
    Read { path: PathBuf, source: std::io::Error },
    #[error("`{}` is not a 64-bit little-endian ELF program", path.display())]
    NotElf { path: PathBuf },
    #[error("the interpreter `{interpreter}` did not list the libraries it would load: {said}")]
    Libraries { interpreter: String, said: String },
}

/// `/proc/self` means another process to a child: name the running binary by our own id. The link opens the very file
/// that runs, also when its name was taken by a newer build.
fn seen_from_children(executable: &Path) -> PathBuf {
    if executable == Path::new("/proc/self/exe") {
        return PathBuf::from(format!("/proc/{}/exe", std::process::id()));
    }
    executable.to_owned()
}

fn contents(executable: &Path, extra: Files) -> Result<Files, GatherError> {
    let program = read(executable)?;
    let interpreter =
        interpreter(&program).ok_or_else(|| GatherError::NotElf { path: executable.to_owned() })?;
    let mut files = Files::from([
        (PathBuf::from("/etc/passwd"), (Bytes::from_static(USERS), 0o644)),
        (PathBuf::from("/etc/group"), (Bytes::from_static(GROUPS), 0o644)),
        (PathBuf::from(PROGRAM), (program, 0o755)),
    ]);
    if let Some(interpreter) = interpreter {
        for library in libraries(&interpreter, executable)? {
            files.insert(library.clone(), (read(&library)?, 0o755));
        }
        files.insert(PathBuf::from(&interpreter), (read(Path::new(&interpreter))?, 0o755));
    }
    files.extend(extra);
    Ok(files)
}

fn read(path: &Path) -> Result<Bytes, GatherError> {
    let bytes = fs::read(path).map_err(|source| GatherError::Read { path: path.to_owned(), source })?;
    Ok(bytes.into())
}

/// The interpreter that an ELF program asks for: `Some(None)` for a static one, `None` for what is no such program.
fn interpreter(elf: &[u8]) -> Option<Option<String>> {
    const MAGIC_64_LITTLE: &[u8] = b"\x7fELF\x02\x01";
    const PT_INTERP: usize = 3;
    let number = |at: usize, size: usize| {
        let bytes = elf.get(at..at.checked_add(size)?)?;
        usize::try_from(bytes.iter().rev().fold(0_u64, |sum, byte| (sum << 8) | u64::from(*byte))).ok()
    };
    if !elf.starts_with(MAGIC_64_LITTLE) {
        return None;
    }
    // Fields of the ELF header, then of each program header: offsets are the format's.
    let (table, entry_size, entries) = (number(0x20, 8)?, number(0x36, 2)?, number(0x38, 2)?);
    for entry in 0..entries {
        let header = table.checked_add(entry * entry_size)?;
        if number(header, 4)? == PT_INTERP {
            let (start, size) = (number(header + 8, 8)?, number(header + 32, 8)?);
            let path = elf.get(start..start.checked_add(size)?)?;
            return Some(Some(String::from_utf8(path.strip_suffix(b"\0")?.to_vec()).ok()?));
        }
    }
    Some(None)
}

/// The libraries that the interpreter would load, by asking it: it knows its caches and search paths best.
fn libraries(interpreter: &str, executable: &Path) -> Result<Vec<PathBuf>, GatherError> {
    let fault = |said: String| GatherError::Libraries { interpreter: interpreter.to_owned(), said };
    let output = Command::new(interpreter).arg("--list").arg(executable).output();
    let output = output.map_err(|error| fault(error.to_string()))?;
    let listed = String::from_utf8_lossy(&output.stdout);
    if !output.status.success() || listed.contains("not found") {
        return Err(fault(format!("{listed}{}", String::from_utf8_lossy(&output.stderr))));
    }
    Ok(listed_paths(&listed))
}

/// Paths in lines such as `libc.so.6 => /lib/libc.so.6 (0x7f…)`.
fn listed_paths(listed: &str) -> Vec<PathBuf> {
    let path = |line: &str| {
        let path = line.split_once("=> ").map_or(line, |(_, path)| path).trim();
        path.split(" (").next().filter(|path| path.starts_with('/')).map(PathBuf::from)
    };
    listed.lines().filter_map(path).collect()
}

fn hash(files: &Files) -> String {
    let mut hash = Sha256::new();
    for (path, (bytes, mode)) in files {
        hash.update(format!("{}\0{mode:o}\0{}\0", path.display(), bytes.len()));
        hash.update(bytes);
    }
    data_encoding::HEXLOWER.encode(&hash.finalize()[..12])
}

fn configuration(files: &Files) -> Vec<String> {
    // The build's own search paths are not those of an empty root.
    let mut directories: Vec<String> = files
        .keys()
        .filter(|path| path.to_string_lossy().contains(".so"))
        .filter_map(|path| Some(path.parent()?.to_string_lossy().into_owned()))
        .collect();
    directories.dedup();
    let mut changes = vec![format!("ENTRYPOINT [\"{PROGRAM}\"]"), format!("LABEL {SIDE}=1")];
    if !directories.is_empty() {
        changes.push(format!("ENV LD_LIBRARY_PATH={}", directories.join(":")));
    }
    changes
}

/// A tar of the image. Times are zero: the same files make the same image.
fn archive(files: &Files) -> std::io::Result<Bytes> {
    let size: usize = files.values().map(|(bytes, _)| bytes.len() + 2048).sum();
    let mut tar = tar::Builder::new(Vec::with_capacity(size + 8192));
    let mut directories: BTreeMap<PathBuf, u32> = BTreeMap::from([(PathBuf::from("/tmp"), 0o1777)]);
    for path in files.keys() {
        for parent in path.ancestors().skip(1).filter(|parent| parent.parent().is_some()) {
            directories.entry(parent.to_owned()).or_insert(0o755);
        }
    }
    for (directory, mode) in &directories {
        let mut header = header(tar::EntryType::Directory, 0, *mode);
        tar.append_data(&mut header, relative(directory), std::io::empty())?;
    }
    for (path, (bytes, mode)) in files {
        let mut header = header(tar::EntryType::Regular, bytes.len() as u64, *mode);
        tar.append_data(&mut header, relative(path), bytes.as_ref())?;
    }
    Ok(tar.into_inner()?.into())
}

fn header(kind: tar::EntryType, size: u64, mode: u32) -> tar::Header {
    let mut header = tar::Header::new_gnu();
    header.set_entry_type(kind);
    header.set_size(size);
    header.set_mode(mode);
    header
}

fn relative(path: &Path) -> &Path {
    path.strip_prefix("/").unwrap_or(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_libraries_of_this_very_test_are_found() {
        let executable = seen_from_children(Path::new("/proc/self/exe"));
        let files = contents(&executable, Files::new()).unwrap();
        assert!(files.contains_key(Path::new(PROGRAM)));
        if interpreter(&files[Path::new(PROGRAM)].0).unwrap().is_some() {
            assert!(files.keys().any(|path| path.to_string_lossy().contains("libc")), "{:?}", files.keys());
        }
    }

    #[test]
    fn what_the_interpreter_lists_is_read_whatever_its_form() {
        let listed = "\tlinux-vdso.so.1 (0x00007ffd)\n\tlibgcc_s.so.1 => /lib/x86_64-linux-gnu/libgcc_s.so.1 \
                      (0x00007f00)\n\t/lib64/ld-linux-x86-64.so.2 (0x00007f01)\n";
        let expected = ["/lib/x86_64-linux-gnu/libgcc_s.so.1", "/lib64/ld-linux-x86-64.so.2"];
        assert_eq!(listed_paths(listed), expected.map(PathBuf::from));
    }

    #[test]
    fn garbage_is_no_program_and_does_not_panic() {
        assert_eq!(interpreter(b"#!/bin/sh"), None);
        assert_eq!(interpreter(b"\x7fELF\x02\x01"), None);
        let mut wild = b"\x7fELF\x02\x01".to_vec();
        wild.resize(256, 0xff);
        assert_eq!(interpreter(&wild), None);
    }

    #[test]
    fn the_tag_changes_with_path_mode_and_bytes() {
        let one = |path: &str, bytes: &'static [u8], mode| {
            hash(&Files::from([(path.into(), (bytes.into(), mode))]))
        };
        let tags =
            [one("/a", b"x", 0o755), one("/b", b"x", 0o755), one("/a", b"y", 0o755), one("/a", b"x", 0o700)];
        let distinct: std::collections::BTreeSet<_> = tags.iter().collect();
        assert_eq!(distinct.len(), 4);
    }
}
