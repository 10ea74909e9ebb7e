//! What the engine's errors mean to us: one place that reads status codes and io kinds.

use std::io;

use bollard::errors::Error;

use crate::{EngineError, Trouble};

/// Makes an [`EngineError`] of what the engine said while we were `doing` something.
pub(super) fn fail(doing: impl Into<String>) -> impl FnOnce(Error) -> EngineError {
    let doing = doing.into();
    move |error| EngineError::new(trouble(&error), doing).because(error)
}

/// What was found, or `None` where the engine says that there is no such thing.
pub(super) fn found<T>(answer: Result<T, Error>) -> Result<Option<T>, Error> {
    match answer {
        Ok(value) => Ok(Some(value)),
        Err(error) if status(&error) == Some(404) => Ok(None),
        Err(error) => Err(error),
    }
}

/// The HTTP status of an answer that was an error.
pub(super) fn status(error: &Error) -> Option<u16> {
    match error {
        Error::DockerResponseServerError { status_code, .. } => Some(*status_code),
        _ => None,
    }
}

/// What kind of trouble an io error at the socket is.
pub(super) fn connection_trouble(kind: io::ErrorKind) -> Trouble {
    match kind {
        io::ErrorKind::PermissionDenied => Trouble::Denied,
        io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused => Trouble::Absent,
        _ => Trouble::Lost,
    }
}

fn trouble(error: &Error) -> Trouble {
    match error {
        Error::DockerResponseServerError { status_code, .. } => match status_code {
            401 => Trouble::Denied,
            404 => Trouble::NotFound,
            409 => Trouble::Conflict,
            501 => Trouble::Unsupported,
            _ => Trouble::Refused,
        },
        Error::DockerStreamError { .. } | Error::DockerContainerWaitError { .. } => Trouble::Refused,
        Error::SocketNotFoundError(_) => Trouble::Absent,
        Error::IOError { err } => connection_trouble(err.kind()),
        Error::RequestTimeoutError | Error::HyperResponseError { .. } => Trouble::Lost,
        other => io_beneath(other).map_or(Trouble::Refused, |error| connection_trouble(error.kind())),
    }
}

/// The io error that an error of the HTTP client stands on.
fn io_beneath(error: &Error) -> Option<&io::Error> {
    diag::chain(error).find_map(|error| error.downcast_ref())
}
