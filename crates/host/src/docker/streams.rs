//! Turns the engine's one multiplexed stream into stdin, stdout, stderr and an exit status.

use std::{
    io,
    pin::Pin,
    task::{Context, Poll},
};

use bollard::{container::LogOutput, errors::Error};
use bytes::Bytes;
use futures_util::{Stream, StreamExt, future::BoxFuture, stream};
use tokio::{
    io::{AsyncRead, AsyncWrite, AsyncWriteExt},
    sync::{mpsc, oneshot},
};
use tokio_util::io::StreamReader;

use super::fail::fail;
use crate::{EngineError, Running, Trouble};

/// Chunks of stdout in flight: the engine sends up to 32 KiB each, so this is half a MiB.
const STDOUT_CHUNKS: usize = 16;

/// Chunks of stderr in flight: many, so that a reader who looks at stderr only after stdout does not stop both.
const STDERR_CHUNKS: usize = 1024;

/// What the engine sends of something that runs.
pub(super) type Output = Pin<Box<dyn Stream<Item = Result<LogOutput, Error>> + Send>>;

/// What the engine takes for something that runs.
pub(super) type Input = Pin<Box<dyn AsyncWrite + Send>>;

/// Something attached to, and how it ends.
pub(super) struct Attached {
    /// What it says.
    pub(super) output: Output,
    /// What it is told, where anything will be.
    pub(super) input: Option<Input>,
    /// What it is, for errors: `` command `pg_dump` in `db` ``.
    pub(super) what: String,
    /// Asks for its exit status, once it has said everything.
    pub(super) finish: BoxFuture<'static, Result<i64, EngineError>>,
    /// Ends it, when nobody listens any more.
    pub(super) abandon: BoxFuture<'static, ()>,
}

impl Attached {
    /// Starts the task that owns the connection: it sends on what comes in until the end, or until stdout, stderr and
    /// the exit status have all been dropped.
    pub(super) fn run(self) -> Running {
        let (stdout, stdout_reader) = mpsc::channel(STDOUT_CHUNKS);
        let (stderr, stderr_reader) = mpsc::channel(STDERR_CHUNKS);
        let (mut exit, exit_reader) = oneshot::channel();
        let Self { mut output, input, what, finish, abandon } = self;
        let lost = format!("wait for {what}");
        tokio::spawn(async move {
            let pumped = tokio::select! {
                pumped = pump(&mut output, &stdout, &stderr) => pumped,
                () = async { tokio::join!(stdout.closed(), stderr.closed(), exit.closed()); } => return abandon.await,
            };
            drop((stdout, stderr));
            let ended = async {
                pumped.map_err(fail(format!("read what {what} says")))?;
                finish.await
            };
            tokio::select! {
                ended = ended => drop(exit.send(ended)),
                () = exit.closed() => abandon.await,
            }
        });
        Running {
            stdin: input.map(|input| Box::new(Stdin(Some(input))) as Box<_>),
            stdout: reader(stdout_reader),
            stderr: reader(stderr_reader),
            exit: Box::pin(async move {
                exit_reader.await.unwrap_or_else(|_| Err(EngineError::new(Trouble::Lost, lost)))
            }),
        }
    }
}

/// Sorts chunks into stdout and stderr. A reader that is gone does not hold up the other. A connection that breaks
/// ends stdout with an error, never with a silent end.
async fn pump(
    output: &mut Output,
    stdout: &mpsc::Sender<io::Result<Bytes>>,
    stderr: &mpsc::Sender<io::Result<Bytes>>,
) -> Result<(), Error> {
    while let Some(chunk) = output.next().await {
        let (to, bytes) = match chunk {
            Ok(LogOutput::StdErr { message }) => (stderr, message),
            Ok(
                LogOutput::StdOut { message } | LogOutput::Console { message } | LogOutput::StdIn { message },
            ) => (stdout, message),
            Err(error) => {
                // Whoever still reads has to know that this is not the end.
                drop(stdout.send(Err(io::Error::other(error.to_string()))).await);
                return Err(error);
            }
        };
        if !bytes.is_empty() {
            drop(to.send(Ok(bytes)).await);
        }
    }
    Ok(())
}

fn reader(mut chunks: mpsc::Receiver<io::Result<Bytes>>) -> Box<dyn AsyncRead + Send + Unpin> {
    Box::new(StreamReader::new(stream::poll_fn(move |cx| chunks.poll_recv(cx))))
}

/// The input of something that runs. Dropping it ends the input, as closing a pipe would.
struct Stdin(Option<Input>);

impl Drop for Stdin {
    fn drop(&mut self) {
        // Outside a runtime the connection dies with the process, which ends the input too.
        if let (Some(mut input), Ok(runtime)) = (self.0.take(), tokio::runtime::Handle::try_current()) {
            runtime.spawn(async move { drop(input.shutdown().await) });
        }
    }
}

impl Stdin {
    fn inner(&mut self) -> Pin<&mut (dyn AsyncWrite + Send)> {
        self.0.as_mut().expect("the input is taken only when this is dropped").as_mut()
    }
}

impl AsyncWrite for Stdin {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.inner().poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.inner().poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.inner().poll_shutdown(cx)
    }
}
