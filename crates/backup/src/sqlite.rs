//! SQLite in a volume: copied with `VACUUM INTO` by this very binary, run beside the stack with the volume mounted.

use host::{Arg, Engine, EngineError, SideJob};
use plan::set::{Object, Role};
use stack::ServiceName;
use tokio::io::{AsyncRead, AsyncWriteExt};

use crate::{
    postgres::Restored,
    seal::SealError,
    side::Word,
    tail::{Ending, ProgramFailed, Tail, ended_well},
    writer::{SetWriter, object},
};

/// Which file of which volume.
#[derive(Debug, Clone, Copy)]
pub struct SqlitePlace<'a> {
    /// Engine name of the volume.
    pub volume: &'a str,
    /// Path inside it.
    pub path: &'a str,
}

/// A database file could not be captured, or brought back.
#[derive(Debug, thiserror::Error)]
pub enum SqliteError {
    /// The side job could not be run.
    #[error("cannot run a side job on the volume `{volume}`")]
    Engine {
        /// The volume.
        volume: String,
        /// Why.
        #[source]
        err: EngineError,
    },
    /// The side job ran and failed.
    #[error("cannot {doing} `{path}` of the volume `{volume}`")]
    Job {
        /// What it was for.
        doing: &'static str,
        /// The file.
        path: String,
        /// The volume.
        volume: String,
        /// What it said.
        #[source]
        err: ProgramFailed,
    },
    /// There is a database where one would be restored, and nothing is overwritten.
    #[error("`{path}` of the volume `{volume}` already holds data: {found}")]
    NotEmpty {
        /// The file.
        path: String,
        /// The volume.
        volume: String,
        /// What is there.
        found: String,
    },
    /// The side job ended well and did not say what it found.
    #[error("the side job on the volume `{volume}` did not say what it found: {said}")]
    Silent {
        /// The volume.
        volume: String,
        /// What it said instead.
        said: String,
    },
    /// The stream could not be sealed.
    #[error("cannot seal the database")]
    Seal(#[from] SealError),
    /// The set's object broke off or was refused on the way in; what stood there before still does.
    #[error("cannot read what is to be restored")]
    Source(#[source] std::io::Error),
}

/// Captures the database in one transaction: `SERVICE.sqlite.zst.age`.
///
/// # Errors
/// When the database, the side job or a target fails. No object of a failed capture is left.
pub async fn capture(
    engine: &dyn Engine,
    place: SqlitePlace<'_>,
    service: &ServiceName,
    heartbeat: Option<&str>,
    writer: &SetWriter,
) -> Result<Object, SqliteError> {
    let running = place.run(engine, "sqlite-capture", heartbeat, false).await?;
    let tail = Tail::of(running.stderr);
    let mut said = String::new();
    let exit = async {
        said = ended_well("sqlite-capture", running.exit, tail).await?;
        Ok::<_, Ending>(())
    };
    let name = format!("{service}.sqlite.zst.age");
    let sealed = match writer.seal_stream(&name, running.stdout, exit).await {
        Ok(sealed) => sealed,
        Err(SealError::Source { object, err }) => {
            return Err(match err.downcast::<Ending>() {
                Ok(ending) => place.ended("capture", *ending),
                Err(err) => SealError::Source { object, err }.into(),
            });
        }
        Err(err) => return Err(err.into()),
    };
    match Word::find(&said) {
        Some(Word::Found { counts, heartbeat, version, at }) => Ok(Object {
            service: Some(service.clone()),
            server: Some(version),
            counts,
            heartbeat,
            ..object(name, Role::Sqlite, sealed, at)
        }),
        _ => Err(SqliteError::Silent { volume: place.volume.to_owned(), said }),
    }
}

/// Restores the database: the file is complete and proven sound before it takes its place.
///
/// Safe to do twice: the very same database that stands there already is replaced by itself.
///
/// # Errors
/// [`SqliteError::NotEmpty`] where another database is, and whatever the side job or `source` says.
pub async fn restore(
    engine: &dyn Engine,
    place: SqlitePlace<'_>,
    heartbeat: Option<&str>,
    mut source: impl AsyncRead + Unpin,
) -> Result<Restored, SqliteError> {
    let mut running = place.run(engine, "sqlite-restore", heartbeat, true).await?;
    let (tail, silence) = (Tail::of(running.stderr), Tail::of(running.stdout));
    let sent = match running.stdin.take() {
        // The last frame has no length but zero: an input that breaks off is never taken for whole.
        Some(mut input) => {
            let sent = crate::side::send(&mut source, &mut input).await;
            let _ = input.shutdown().await;
            sent
        }
        None => Err(std::io::ErrorKind::BrokenPipe.into()),
    };
    silence.text().await;
    // Waited for even when the source broke: the job takes away what it began.
    let ended = ended_well("sqlite-restore", running.exit, tail).await;
    sent.map_err(SqliteError::Source)?;
    let said = ended.map_err(|ending| place.ended("restore", ending))?;
    match Word::find(&said) {
        Some(Word::Found { counts, heartbeat, .. }) => Ok(Restored { counts, heartbeat, already: false }),
        _ => Err(SqliteError::Silent { volume: place.volume.to_owned(), said }),
    }
}

impl SqlitePlace<'_> {
    async fn run(
        &self,
        engine: &dyn Engine,
        verb: &str,
        heartbeat: Option<&str>,
        stdin: bool,
    ) -> Result<host::Running, SqliteError> {
        let (volume, path) = (self.volume.to_owned(), self.path.to_owned());
        let mut arguments =
            vec![Arg::Literal(verb.to_owned()), Arg::InVolume { volume: volume.clone(), path }];
        arguments.extend(heartbeat.map(|query| Arg::Literal(query.to_owned())));
        // Writable even to read: SQLite's readers take their place in the `-shm` file too.
        let job = SideJob { network: None, volumes: vec![(volume.clone(), true)], arguments, stdin };
        engine.side(&job).await.map_err(|err| SqliteError::Engine { volume, err })
    }

    fn ended(&self, doing: &'static str, ending: Ending) -> SqliteError {
        let (path, volume) = (self.path.to_owned(), self.volume.to_owned());
        match ending {
            Ending::Engine(err) => SqliteError::Engine { volume, err },
            Ending::Failed(err) => match Word::find(&err.said) {
                Some(Word::Occupied { found }) => SqliteError::NotEmpty { path, volume, found },
                _ => SqliteError::Job { doing, path, volume, err },
            },
        }
    }
}
