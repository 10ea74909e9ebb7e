//! A sealed object becomes its stream again, and is refused before its end where anything is not as the manifest says.

use std::{
    cell::RefCell,
    fs::File,
    io::{self, BufReader, Read},
    path::Path,
    pin::Pin,
    rc::Rc,
    task::{Context, Poll, ready},
};

use bytes::{Buf, Bytes};
use plan::set::{Manifest, Object, SetId};
use secrets::{Identities, Secret};
use tokio::{
    io::{AsyncRead, AsyncReadExt, ReadBuf},
    sync::mpsc,
};

use crate::{
    disk::{Digester, TargetError, digest_file},
    header::ObjectHeader,
    meter::Meter,
    target::Target,
};

const CHUNK: usize = 128 * 1024;
const WAITING: usize = 4;

/// Why an object is refused.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// It is not on the target, or the target cannot be read.
    #[error(transparent)]
    Target(#[from] TargetError),
    /// It ends before its end.
    #[error("`{object}` is truncated: {found} of {expected} bytes are there")]
    Truncated {
        /// The object.
        object: String,
        /// Bytes there.
        found: u64,
        /// Bytes the manifest names.
        expected: u64,
    },
    /// Its bytes are not those that were written.
    #[error("`{object}` was changed after it was written: its SHA-256 is not the manifest's")]
    Damaged {
        /// The object.
        object: String,
    },
    /// It is whole, and none of these identities opens it.
    #[error("none of the identities given opens `{object}`: it is sealed to {recipients}")]
    WrongIdentity {
        /// The object.
        object: String,
        /// To whom the manifest says it is sealed.
        recipients: String,
    },
    /// It is whole, and it is another object, or another set's.
    #[error("`{object}` of set {expected_set} is really `{found}` of set {found_set}")]
    OtherObject {
        /// Whose place it takes.
        object: String,
        /// The set it stands in.
        expected_set: SetId,
        /// What it is.
        found: String,
        /// The set it belongs to.
        found_set: SetId,
    },
    /// It has the bytes that the manifest names, and they are not an object of ours.
    #[error("`{object}` has the manifest's SHA-256 and cannot be decoded: {because}")]
    Undecodable {
        /// The object.
        object: String,
        /// What does not fit.
        because: String,
    },
}

/// Everything an object is checked against.
#[derive(Clone)]
struct Expected {
    target: Target,
    header: ObjectHeader,
    object: Object,
    recipients: String,
}

impl Expected {
    fn new(target: &Target, manifest: &Manifest, object: &Object) -> Self {
        Self {
            target: target.clone(),
            header: ObjectHeader::new(&manifest.set, manifest.sequence, &object.name),
            object: object.clone(),
            recipients: manifest.recipients.join(", "),
        }
    }
}

/// Opens an object. The stream ends without error only when its header, both lengths and both hashes are the manifest's.
///
/// What is read before the end is not proven yet: a reader that acts on it must be able to take that back, or
/// [`verify_object`] must have come before.
pub fn open_stream(
    target: &Target,
    manifest: &Manifest,
    object: &Object,
    identities: &Identities,
) -> OpenStream {
    let (expected, identities) = (Expected::new(target, manifest, object), identities.clone());
    let (sender, receiver) = mpsc::channel(WAITING);
    tokio::task::spawn_blocking(move || {
        let outcome = decode(&expected, &identities, |chunk| sender.blocking_send(Ok(Some(chunk))).is_ok());
        // A reader that went away has nobody to tell.
        let _ = sender.blocking_send(outcome.map(|()| None));
    });
    OpenStream { receiver, chunk: Bytes::new(), ended: false }
}

/// Opens an object that fits in memory, whole and proven.
///
/// # Errors
/// Every [`OpenError`].
pub async fn open_bytes(
    target: &Target,
    manifest: &Manifest,
    object: &Object,
    identities: &Identities,
) -> Result<Secret<Vec<u8>>, OpenError> {
    let mut bytes = Vec::new();
    match open_stream(target, manifest, object, identities).read_to_end(&mut bytes).await {
        Ok(_) => Ok(Secret::new(bytes)),
        Err(err) => Err(err
            .downcast::<OpenError>()
            .unwrap_or_else(|err| OpenError::Target(target.failed(format!("open `{}`", object.name), err)))),
    }
}

/// Reads an object whole, decodes it, and compares both lengths and both hashes; `meter` counts what was decoded.
///
/// # Errors
/// Every [`OpenError`].
pub async fn verify_object(
    target: &Target,
    manifest: &Manifest,
    object: &Object,
    identities: &Identities,
    meter: &Meter,
) -> Result<(), OpenError> {
    let (expected, identities) = (Expected::new(target, manifest, object), identities.clone());
    let meter = meter.clone();
    let count = move |chunk: Bytes| {
        meter.add(chunk.len());
        true
    };
    let decoded = tokio::task::spawn_blocking(move || decode(&expected, &identities, count)).await;
    joined(target, object, decoded)
}

/// Compares length and hash of the sealed object: all that can be proven without an identity.
///
/// # Errors
/// Missing, truncated, damaged.
pub async fn verify_sealed(target: &Target, manifest: &Manifest, object: &Object) -> Result<(), OpenError> {
    let expected = Expected::new(target, manifest, object);
    let compared = tokio::task::spawn_blocking(move || {
        let path = expected.target.object_path(&expected.header.set, &expected.object.name)?;
        compare_sealed(&expected, &path)
    });
    joined(target, object, compared.await)
}

fn joined(
    target: &Target,
    object: &Object,
    outcome: Result<Result<(), OpenError>, tokio::task::JoinError>,
) -> Result<(), OpenError> {
    outcome.unwrap_or_else(|err| {
        Err(target.failed(format!("read `{}`", object.name), io::Error::other(err)).into())
    })
}

/// Why decoding stopped, before it is known whether the bytes are at fault.
enum Stopped {
    Io(io::Error),
    NoMatchingIdentity,
    Because(String),
    Other(ObjectHeader),
    Unread,
}

impl From<io::Error> for Stopped {
    fn from(err: io::Error) -> Self {
        Self::Io(err)
    }
}

/// Decodes into `sink` until that says `false`.
fn decode(
    expected: &Expected,
    identities: &Identities,
    sink: impl FnMut(Bytes) -> bool,
) -> Result<(), OpenError> {
    let path = expected.target.object_path(&expected.header.set, &expected.object.name)?;
    let stopped = match decode_file(expected, &path, identities, sink) {
        Ok(()) => return Ok(()),
        Err(stopped) => stopped,
    };
    let object = expected.object.name.clone();
    // Damage looks like many things to a decoder; the bytes themselves tell which it is. Two answers need no second look:
    // a header out of an intact seal is what it says, and a reader that went away asks nothing.
    if !matches!(&stopped, Stopped::Other(_) | Stopped::Unread) {
        compare_sealed(expected, &path)?;
    }
    Err(match stopped {
        Stopped::Other(found) => {
            let expected_set = expected.header.set.clone();
            OpenError::OtherObject { object, expected_set, found: found.name, found_set: found.set }
        }
        Stopped::Unread => OpenError::Undecodable { object, because: "nobody reads it".into() },
        Stopped::NoMatchingIdentity => {
            OpenError::WrongIdentity { object, recipients: expected.recipients.clone() }
        }
        Stopped::Because(because) => OpenError::Undecodable { object, because },
        Stopped::Io(err) if err.get_ref().is_none() && err.raw_os_error().is_some() => {
            expected.target.failed(format!("read `{object}`"), err).into()
        }
        Stopped::Io(err) => OpenError::Undecodable { object, because: err.to_string() },
    })
}

fn decode_file(
    expected: &Expected,
    path: &Path,
    identities: &Identities,
    mut sink: impl FnMut(Bytes) -> bool,
) -> Result<(), Stopped> {
    let file = File::open(path)?;
    if file.metadata()?.len() != expected.object.sealed_bytes {
        return Err(Stopped::Because("its length is not the manifest's".into()));
    }
    let sealed = Rc::new(RefCell::new(Digester::default()));
    let source = BufReader::with_capacity(CHUNK, Hashing { inner: file, digest: Rc::clone(&sealed) });
    let decryptor = age::Decryptor::new_buffered(source).map_err(stopped_by_age)?;
    let mut opened = decryptor.decrypt(identities.iter()).map_err(stopped_by_age)?;
    match ObjectHeader::read(&mut opened)? {
        Some(found) if found == expected.header => {}
        Some(found) => return Err(Stopped::Other(found)),
        None => return Err(Stopped::Because("it does not begin with an object's header".into())),
    }
    let mut stream = zstd::Decoder::new(opened)?;
    let mut plain = Digester::default();
    let mut buffer = vec![0; CHUNK];
    loop {
        let read = stream.read(&mut buffer)?;
        if read == 0 {
            break;
        }
        plain.update(&buffer[..read]);
        // A stream that swells beyond its length is stopped here, not when memory or disk are full.
        if plain.bytes() > expected.object.plain_bytes {
            return Err(Stopped::Because("it holds more than the manifest says".into()));
        }
        if !sink(Bytes::copy_from_slice(&buffer[..read])) {
            return Err(Stopped::Unread);
        }
    }
    if plain.finish() != (expected.object.plain_bytes, expected.object.plain_sha256.clone()) {
        return Err(Stopped::Because("what it holds is not what the manifest says".into()));
    }
    let digest = sealed.take().finish();
    if digest != (expected.object.sealed_bytes, expected.object.sealed_sha256.clone()) {
        return Err(Stopped::Because("its bytes are not those of the manifest".into()));
    }
    Ok(())
}

fn stopped_by_age(err: age::DecryptError) -> Stopped {
    match err {
        age::DecryptError::Io(err) => Stopped::Io(err),
        age::DecryptError::NoMatchingKeys => Stopped::NoMatchingIdentity,
        other => Stopped::Because(other.to_string()),
    }
}

fn compare_sealed(expected: &Expected, path: &Path) -> Result<(), OpenError> {
    let Object { name, sealed_bytes, sealed_sha256, .. } = &expected.object;
    let digest = digest_file(path);
    let (found, hash) = digest.map_err(|err| expected.target.failed(format!("read `{name}`"), err))?;
    if found < *sealed_bytes {
        return Err(OpenError::Truncated { object: name.clone(), found, expected: *sealed_bytes });
    }
    if hash == *sealed_sha256 { Ok(()) } else { Err(OpenError::Damaged { object: name.clone() }) }
}

/// Hashes what is read through it.
struct Hashing<R> {
    inner: R,
    digest: Rc<RefCell<Digester>>,
}

impl<R: Read> Read for Hashing<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.inner.read(buffer)?;
        self.digest.borrow_mut().update(&buffer[..read]);
        Ok(read)
    }
}

/// The plaintext of an object as it is decoded. Its errors carry an [`OpenError`].
#[derive(Debug)]
pub struct OpenStream {
    receiver: mpsc::Receiver<Result<Option<Bytes>, OpenError>>,
    chunk: Bytes,
    ended: bool,
}

impl AsyncRead for OpenStream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        while self.chunk.is_empty() && !self.ended {
            match ready!(self.receiver.poll_recv(cx)) {
                Some(Ok(Some(chunk))) => self.chunk = chunk,
                Some(Ok(None)) => self.ended = true,
                Some(Err(err)) => return Poll::Ready(Err(io::Error::other(err))),
                // The thread is gone without a verdict, or the verdict was an error already given.
                None => return Poll::Ready(Err(io::ErrorKind::UnexpectedEof.into())),
            }
        }
        let length = self.chunk.len().min(buffer.remaining());
        buffer.put_slice(&self.chunk[..length]);
        self.chunk.advance(length);
        Poll::Ready(Ok(()))
    }
}
