//! The context of a build as the engine takes it: a tar of the directory, without what `.dockerignore` leaves out, with
//! a Dockerfile that stands elsewhere put into it. Written as it is read, so that its size does not matter.

use std::{
    fs::{self, Metadata},
    io::{self, Write},
    os::unix::fs::{FileTypeExt, MetadataExt},
    path::{Path, PathBuf},
};

use bytes::Bytes;
use tokio::sync::mpsc::Sender;

use super::ignore::Patterns;

/// The name that a Dockerfile has in a context it is no part of.
const PUT_IN: &str = ".seaworthy.dockerfile";

const IGNORE: &str = ".dockerignore";

/// A directory that is about to be sent.
#[derive(Debug)]
pub(super) struct Context {
    directory: PathBuf,
    /// Path of the Dockerfile in the context.
    pub(super) dockerfile: String,
    /// The text of a Dockerfile that is no part of it.
    put_in: Option<Vec<u8>>,
    /// The text of `.dockerignore`.
    ignore: Option<String>,
}

impl Context {
    /// Looks at what will be sent.
    ///
    /// # Errors
    /// When the Dockerfile is not there, or something cannot be read; with the path.
    pub(super) fn open(build: &stack::Build) -> Result<Self, (PathBuf, io::Error)> {
        let directory = PathBuf::from(&build.context);
        let at = |path: &Path| {
            let path = path.to_owned();
            move |err| (path, err)
        };
        let ignore = match fs::read_to_string(directory.join(IGNORE)) {
            Ok(text) => Some(text),
            Err(err) if err.kind() == io::ErrorKind::NotFound => None,
            Err(err) => return Err((directory.join(IGNORE), err)),
        };
        if !fs::metadata(&directory).map_err(at(&directory))?.is_dir() {
            return Err((directory, io::ErrorKind::NotADirectory.into()));
        }
        let made =
            |dockerfile: String, put_in| Self { directory: directory.clone(), dockerfile, put_in, ignore };
        if let Some(text) = &build.dockerfile_inline {
            return Ok(made(PUT_IN.to_owned(), Some(text.clone().into_bytes())));
        }
        let path = directory.join(build.dockerfile.as_deref().unwrap_or("Dockerfile"));
        // Where it really stands decides: a link may lead out of the context.
        let real = fs::canonicalize(&path).map_err(at(&path))?;
        let root = fs::canonicalize(&directory).map_err(at(&directory))?;
        match real.strip_prefix(&root) {
            Ok(within) => Ok(made(within.to_string_lossy().into_owned(), None)),
            Err(_) => {
                let text = fs::read(&real).map_err(at(&path))?;
                Ok(made(PUT_IN.to_owned(), Some(text)))
            }
        }
    }

    /// Writes the tar, path by path in order.
    ///
    /// # Errors
    /// When something cannot be read, or nobody takes it any more.
    pub(super) fn write(&self, to: impl Write) -> io::Result<()> {
        let patterns = Patterns::read(self.ignore.as_deref().unwrap_or_default());
        let patterns = patterns.keeping(IGNORE).keeping(&self.dockerfile);
        let mut tar = tar::Builder::new(to);
        tar.follow_symlinks(false);
        self.directory(&mut tar, "", &patterns)?;
        if let Some(text) = &self.put_in {
            // It is read and is no part of what is built: so the builder itself leaves it out.
            let ignore = format!("{}\n{PUT_IN}\n{IGNORE}\n", self.ignore.as_deref().unwrap_or_default());
            file(&mut tar, PUT_IN, text)?;
            file(&mut tar, IGNORE, ignore.as_bytes())?;
        }
        tar.into_inner()?.flush()
    }

    fn directory<W: Write>(
        &self,
        tar: &mut tar::Builder<W>,
        below: &str,
        patterns: &Patterns,
    ) -> io::Result<()> {
        let here = self.directory.join(below);
        let mut entries: Vec<_> = fs::read_dir(&here)
            .and_then(Iterator::collect::<io::Result<Vec<_>>>)
            .map_err(|err| io::Error::new(err.kind(), format!("{}: {err}", here.display())))?;
        entries.sort_by_key(fs::DirEntry::file_name);
        for entry in entries {
            let name = entry.file_name();
            let path = if below.is_empty() { PathBuf::from(&name) } else { Path::new(below).join(&name) };
            let shown = path.to_string_lossy().into_owned();
            let metadata = entry.metadata()?;
            let out = patterns.leaves_out(&shown);
            let replaced = self.put_in.is_some() && shown == IGNORE;
            if !out && !replaced {
                self.entry(tar, &path, &metadata)?;
            }
            if metadata.is_dir() && (!out || patterns.may_take_back_below(&shown)) {
                self.directory(tar, &shown, patterns)?;
            }
        }
        Ok(())
    }

    fn entry<W: Write>(&self, tar: &mut tar::Builder<W>, path: &Path, metadata: &Metadata) -> io::Result<()> {
        let place = self.directory.join(path);
        let kind = metadata.file_type();
        if kind.is_socket() {
            return Ok(());
        }
        let unread = |err: io::Error| io::Error::new(err.kind(), format!("{}: {err}", place.display()));
        let mut header = tar::Header::new_gnu();
        header.set_metadata(metadata);
        // Whoever owns it here is nobody in there.
        header.set_uid(0);
        header.set_gid(0);
        header.set_mode(metadata.mode() & 0o7777);
        if kind.is_symlink() {
            header.set_size(0);
            return tar.append_link(&mut header, path, fs::read_link(&place).map_err(unread)?);
        }
        if kind.is_file() {
            let content = fs::File::open(&place).map_err(unread)?;
            // One that grows meanwhile is cut where it ended when it was looked at.
            return tar.append_data(&mut header, path, io::Read::take(content, metadata.len()));
        }
        header.set_size(0);
        tar.append_data(&mut header, path, io::empty())
    }
}

fn file<W: Write>(tar: &mut tar::Builder<W>, path: &str, text: &[u8]) -> io::Result<()> {
    let mut header = tar::Header::new_gnu();
    header.set_size(text.len() as u64);
    header.set_mode(0o600);
    header.set_uid(0);
    header.set_gid(0);
    header.set_mtime(0);
    tar.append_data(&mut header, path, text)
}

/// The writing half of a request's body: each piece is sent on, and an error ends the request where a mere end would
/// look like a whole context.
pub(super) struct Pieces(pub(super) Sender<io::Result<Bytes>>);

impl Write for Pieces {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let sent = self.0.blocking_send(Ok(Bytes::copy_from_slice(bytes)));
        sent.map_err(|_| io::ErrorKind::BrokenPipe)?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn put(dir: &Path, path: &str, text: &str) {
        let path = dir.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    fn sent(build: &stack::Build) -> (String, Vec<(String, String)>) {
        let context = Context::open(build).unwrap();
        let mut bytes = Vec::new();
        context.write(&mut bytes).unwrap();
        let mut tar = tar::Archive::new(bytes.as_slice());
        let entry = |entry: io::Result<tar::Entry<'_, &[u8]>>| {
            let mut entry = entry.unwrap();
            let mut text = String::new();
            io::Read::read_to_string(&mut entry, &mut text).unwrap();
            assert_eq!((entry.header().uid().unwrap(), entry.header().gid().unwrap()), (0, 0));
            (entry.path().unwrap().to_string_lossy().into_owned(), text)
        };
        (context.dockerfile.clone(), tar.entries().unwrap().map(entry).collect())
    }

    fn names(sent: &[(String, String)]) -> Vec<&str> {
        sent.iter().map(|(name, _)| name.as_str()).collect()
    }

    #[test]
    fn a_directory_is_sent_without_what_is_ignored_and_with_its_dockerfile() {
        let dir = tempfile::tempdir().unwrap();
        for (path, text) in [
            ("Dockerfile", "FROM scratch"),
            ("src/a", "1"),
            ("src/b.log", "2"),
            ("x.log", ""),
            ("deep/y/keep", "3"),
            ("deep/z", ""),
        ] {
            put(dir.path(), path, text);
        }
        put(dir.path(), ".dockerignore", "**/*.log\ndeep\n!deep/y/keep\nDockerfile\n");
        std::os::unix::fs::symlink("a", dir.path().join("src/link")).unwrap();
        let build = stack::Build { context: dir.path().to_string_lossy().into_owned(), ..Default::default() };
        let (dockerfile, sent) = sent(&build);
        assert_eq!(dockerfile, "Dockerfile");
        assert_eq!(names(&sent), [".dockerignore", "Dockerfile", "deep/y/keep", "src", "src/a", "src/link"]);
    }

    #[test]
    fn a_dockerfile_that_stands_elsewhere_is_put_in_and_left_out_of_what_is_built() {
        let (dir, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        put(dir.path(), "a", "1");
        put(dir.path(), ".dockerignore", "*.md");
        put(other.path(), "Other", "FROM scratch");
        let context = dir.path().to_string_lossy().into_owned();
        let inline = stack::Build {
            context: context.clone(),
            dockerfile_inline: Some("FROM scratch".into()),
            ..Default::default()
        };
        let outside = stack::Build {
            context,
            dockerfile: Some(other.path().join("Other").to_string_lossy().into_owned()),
            ..Default::default()
        };
        for build in [inline, outside] {
            let (dockerfile, sent) = sent(&build);
            assert_eq!(dockerfile, PUT_IN);
            assert_eq!(names(&sent), ["a", PUT_IN, IGNORE]);
            assert_eq!(sent[1].1, "FROM scratch");
            assert_eq!(sent[2].1, "*.md\n.seaworthy.dockerfile\n.dockerignore\n");
        }
    }

    #[test]
    fn a_dockerfile_that_is_not_there_is_named() {
        let dir = tempfile::tempdir().unwrap();
        let build = stack::Build { context: dir.path().to_string_lossy().into_owned(), ..Default::default() };
        let (path, err) = Context::open(&build).unwrap_err();
        assert_eq!((path, err.kind()), (dir.path().join("Dockerfile"), io::ErrorKind::NotFound));
    }
}
