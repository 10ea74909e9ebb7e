//! What a program says on its stderr: the last of it is kept for the error that may need it.

use host::EngineError;
use tokio::{
    io::{AsyncRead, AsyncReadExt},
    task::JoinHandle,
};

/// Enough for the last words of any client; a program that talks without end costs no more.
const KEPT: usize = 8 * 1024;

/// A task that reads a stream to its end and keeps its last part.
pub(crate) struct Tail(JoinHandle<String>);

impl Tail {
    pub(crate) fn of(mut stream: Box<dyn AsyncRead + Send + Unpin>) -> Self {
        Self(tokio::spawn(async move {
            let (mut kept, mut buffer) = (Vec::new(), [0; 4096]);
            while let Ok(read @ 1..) = stream.read(&mut buffer).await {
                kept.extend_from_slice(&buffer[..read]);
                let surplus = kept.len().saturating_sub(KEPT);
                kept.drain(..surplus);
            }
            String::from_utf8_lossy(&kept).trim().to_owned()
        }))
    }

    /// The last words, once the stream has ended.
    pub(crate) async fn text(self) -> String {
        self.0.await.unwrap_or_default()
    }
}

/// A program inside a container ended badly.
#[derive(Debug, thiserror::Error)]
#[error("`{program}` ended with {status}: {words}", words = last_words(said))]
pub struct ProgramFailed {
    /// Its name.
    pub program: String,
    /// Its exit status.
    pub status: i64,
    /// The last it wrote to stderr.
    pub said: String,
}

fn last_words(said: &str) -> &str {
    if said.is_empty() { "it said nothing" } else { said }
}

/// Why a program's end is not a good one.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Ending {
    #[error(transparent)]
    Engine(#[from] EngineError),
    #[error(transparent)]
    Failed(#[from] ProgramFailed),
}

/// Waits for the end of a program whose stdout was read to its end, and asks that it ended with 0.
pub(crate) async fn ended_well(
    program: &str,
    exit: impl Future<Output = Result<i64, EngineError>>,
    tail: Tail,
) -> Result<String, Ending> {
    // The exit status is only known once stderr was read too, so both are waited for at once.
    let (status, said) = tokio::join!(exit, tail.text());
    match status? {
        0 => Ok(said),
        status => Err(ProgramFailed { program: program.to_owned(), status, said }.into()),
    }
}
