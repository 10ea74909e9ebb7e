//! A stream becomes a sealed object: `age(zstd(stream))`, the same bytes on every target.
//!
//! ```text
//! source --64 KiB chunks--> [4 at most] --> one blocking thread: hash, zstd, age, hash --> .NAME.partial on each target
//!                                            `End`, sent after the source's exit status --> fsync, read back, rename
//! ```
//! Without `End` nothing gets a name: a `pg_dump` that failed leaves no object.

use std::{
    fs::{self, File},
    future::Future,
    io::{self, Write},
    path::PathBuf,
};

use bytes::{Bytes, BytesMut};
use plan::set::SetId;
use tokio::{
    io::{AsyncRead, AsyncReadExt},
    sync::mpsc,
};

use crate::{
    disk::{Digester, TargetError, TargetTrouble, digest_file, make_directories, sync_directory},
    header::ObjectHeader,
    recipients::Recipients,
    target::Target,
};

/// Chunk size and how many may wait: with the two filters' own buffers, under 2 MiB for any stream.
const CHUNK: usize = 128 * 1024;
const WAITING: usize = 4;

/// `zstd`'s own default: dumps shrink to a third at some 300 MB/s a core.
const LEVEL: i32 = 3;

/// Lengths and hashes of an object, inside and outside its seal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sealed {
    /// Bytes of the stream.
    pub plain_bytes: u64,
    /// SHA-256 of the stream.
    pub plain_sha256: String,
    /// Bytes on the target.
    pub sealed_bytes: u64,
    /// SHA-256 on the target.
    pub sealed_sha256: String,
}

/// An object could not be written. Nothing of it is left.
#[derive(Debug, thiserror::Error)]
pub enum SealError {
    /// What was being read broke.
    #[error("cannot read what becomes `{object}`")]
    Read {
        /// The object.
        object: String,
        /// What was said.
        #[source]
        err: io::Error,
    },
    /// The source was read to its end, and then said that it had failed.
    #[error("what was read for `{object}` is not whole")]
    Source {
        /// The object.
        object: String,
        /// What it said.
        #[source]
        err: Box<dyn std::error::Error + Send + Sync>,
    },
    /// Compression or encryption failed.
    #[error("cannot seal `{object}`")]
    Seal {
        /// The object.
        object: String,
        /// Why.
        #[source]
        err: io::Error,
    },
    /// A target did not take it.
    #[error("cannot write `{object}`")]
    Target {
        /// The object.
        object: String,
        /// Why.
        #[source]
        err: TargetError,
    },
}

/// What the blocking thread is told.
enum Chunk {
    Data(Bytes),
    /// The source is at its end and says that it was whole.
    End,
}

pub(crate) async fn seal_stream<R, X, E>(
    header: ObjectHeader,
    recipients: &Recipients,
    targets: &[Target],
    mut source: R,
    exit: X,
) -> Result<Sealed, SealError>
where
    R: AsyncRead + Unpin,
    X: Future<Output = Result<(), E>>,
    E: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    let object = header.name.clone();
    let (sender, receiver) = mpsc::channel(WAITING);
    let (recipients, targets) = (recipients.clone(), targets.to_vec());
    let thread = tokio::task::spawn_blocking(move || seal_blocking(&header, &recipients, &targets, receiver));

    let fed = feed(&object, &mut source, exit, &sender).await;
    drop(sender);
    let sealed = thread
        .await
        .unwrap_or_else(|err| Err(SealError::Seal { object: object.clone(), err: io::Error::other(err) }));
    // Where the feed failed, the thread only saw its channel close: the feed's error is the cause.
    fed.and(sealed)
}

/// Reads the source to its end. A thread that stopped listening has its own error to tell, so it is none here.
async fn feed<R, X, E>(
    object: &str,
    source: &mut R,
    exit: X,
    sender: &mpsc::Sender<Chunk>,
) -> Result<(), SealError>
where
    R: AsyncRead + Unpin,
    X: Future<Output = Result<(), E>>,
    E: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    loop {
        let mut chunk = BytesMut::with_capacity(CHUNK);
        let mut read = 1;
        while read > 0 && chunk.len() < CHUNK {
            let reading = source.read_buf(&mut chunk).await;
            read = reading.map_err(|err| SealError::Read { object: object.to_owned(), err })?;
        }
        if !chunk.is_empty() && sender.send(Chunk::Data(chunk.freeze())).await.is_err() {
            return Ok(());
        }
        if read == 0 {
            break;
        }
    }
    exit.await.map_err(|err| SealError::Source { object: object.to_owned(), err: err.into() })?;
    let _ = sender.send(Chunk::End).await;
    Ok(())
}

fn seal_blocking(
    header: &ObjectHeader,
    recipients: &Recipients,
    targets: &[Target],
    mut chunks: mpsc::Receiver<Chunk>,
) -> Result<Sealed, SealError> {
    let object = || header.name.clone();
    let untaken = |err| SealError::Target { object: object(), err };
    let failed = |err: io::Error| match err.downcast::<TargetError>() {
        Ok(err) => SealError::Target { object: object(), err },
        Err(err) => SealError::Seal { object: object(), err },
    };
    let files = targets.iter().map(|target| PartialFile::create(target, &header.set, &header.name));
    let tee = Tee { files: files.collect::<Result<_, _>>().map_err(untaken)?, digest: Digester::default() };

    let encryptor =
        age::Encryptor::with_recipients(recipients.as_age()).map_err(|err| failed(io::Error::other(err)))?;
    let mut sealer = encryptor.wrap_output(tee).map_err(failed)?;
    sealer.write_all(&header.frame()).map_err(failed)?;
    let mut packer = zstd::Encoder::new(sealer, LEVEL).map_err(failed)?;
    packer.include_checksum(true).map_err(failed)?;

    let mut plain = Digester::default();
    loop {
        match chunks.blocking_recv() {
            Some(Chunk::Data(chunk)) => {
                plain.update(&chunk);
                packer.write_all(&chunk).map_err(failed)?;
            }
            Some(Chunk::End) => break,
            None => return Err(failed(io::Error::from(io::ErrorKind::Interrupted))),
        }
    }
    let tee = packer.finish().and_then(|sealer| sealer.finish()).map_err(failed)?;
    let (plain_bytes, plain_sha256) = plain.finish();
    let (sealed_bytes, sealed_sha256) = tee.digest.finish();
    for file in tee.files {
        file.publish(sealed_bytes, &sealed_sha256).map_err(untaken)?;
    }
    Ok(Sealed { plain_bytes, plain_sha256, sealed_bytes, sealed_sha256 })
}

/// Writes to every target, and hashes what it wrote.
struct Tee {
    files: Vec<PartialFile>,
    digest: Digester,
}

impl Write for Tee {
    fn write(&mut self, chunk: &[u8]) -> io::Result<usize> {
        for file in &mut self.files {
            file.write_all(chunk)?;
        }
        self.digest.update(chunk);
        Ok(chunk.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// An object that has no name yet. Dropped before [`PartialFile::publish`], it is removed.
pub(crate) struct PartialFile {
    target: Target,
    file: File,
    partial: PathBuf,
    path: PathBuf,
}

impl PartialFile {
    pub(crate) fn create(target: &Target, set: &SetId, name: &str) -> Result<Self, TargetError> {
        let doing = || format!("write `{name}` of set {set}");
        if target.is_committed(set)? {
            return Err(target.trouble(doing(), TargetTrouble::Committed));
        }
        let path = target.object_path(set, name)?;
        let directory = path.parent().expect("an object is inside its set");
        let partial = directory.join(format!(".{name}.partial"));
        let file = make_directories(target.root(), directory).and_then(|()| File::create(&partial));
        let file = file.map_err(|err| target.failed(doing(), err))?;
        Ok(Self { target: target.clone(), file, partial, path })
    }

    /// Makes it durable, reads it back, and only then gives it its name. What an earlier try left is replaced.
    pub(crate) fn publish(self, bytes: u64, sha256: &str) -> Result<(), TargetError> {
        let doing = || format!("finish `{}`", crate::disk::name_of(&self.path));
        let failed = |err| self.target.failed(doing(), err);
        self.file.sync_all().map_err(failed)?;
        if digest_file(&self.partial).map_err(failed)? != (bytes, sha256.to_owned()) {
            return Err(self.target.trouble(doing(), TargetTrouble::Unfaithful));
        }
        fs::rename(&self.partial, &self.path).map_err(failed)?;
        sync_directory(self.path.parent().expect("an object is inside its set")).map_err(failed)
    }
}

impl Write for PartialFile {
    fn write(&mut self, chunk: &[u8]) -> io::Result<usize> {
        let written = self.file.write(chunk);
        let doing = || format!("write `{}`", crate::disk::name_of(&self.path));
        written.map_err(|err| io::Error::other(self.target.failed(doing(), err)))
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Drop for PartialFile {
    fn drop(&mut self) {
        // Renamed already, or nothing worth keeping. What stays after a crash is invisible, and replaced next time.
        let _ = fs::remove_file(&self.partial);
    }
}
