//! What this binary does when it runs beside a stack with a volume mounted: `side sqlite-capture|sqlite-restore PATH
//! [HEARTBEAT-SQL]`.
//!
//! ```text
//! sqlite-capture   stdout: the database's bytes              stderr, last line: what was found, as JSON
//! sqlite-restore   stdin:  frames of u32 length and bytes,   stderr, last line: what was found, as JSON
//!                          an empty frame at the end
//! ```

use std::{
    collections::BTreeMap,
    fs::{self, File},
    io::{self, Read, Write},
    path::{Path, PathBuf},
    process::ExitCode,
    time::Duration,
};

use serde::{Deserialize, Serialize};
use sqlx::{AssertSqlSafe, ConnectOptions, Connection, SqliteConnection, sqlite::SqliteConnectOptions};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

use crate::disk::{digest_file, name_of, sync_directory};

/// The subcommands that [`run`] knows.
pub const COMMANDS: [&str; 2] = ["sqlite-capture", "sqlite-restore"];

/// What a side job says on its last line of stderr.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "seaworthy", rename_all = "kebab-case")]
pub(crate) enum Word {
    /// What is in the database that was read or written.
    Found {
        counts: BTreeMap<String, u64>,
        heartbeat: Option<jiff::Timestamp>,
        version: String,
        at: jiff::Timestamp,
    },
    /// Another database is where one was to be restored.
    Occupied { found: String },
    /// It failed.
    Failed { because: String },
}

impl Word {
    /// The word in what a side job said.
    pub(crate) fn find(said: &str) -> Option<Self> {
        said.lines().rev().find_map(|line| serde_json::from_str(line).ok())
    }
}

/// Why a job did not do its work.
#[derive(Debug, thiserror::Error)]
enum JobError {
    #[error("usage: side sqlite-capture|sqlite-restore PATH [HEARTBEAT-SQL]")]
    Usage,
    #[error("cannot {doing} `{}`", path.display())]
    File {
        doing: &'static str,
        path: PathBuf,
        #[source]
        err: io::Error,
    },
    #[error("cannot {doing}")]
    Sql {
        doing: String,
        #[source]
        err: sqlx::Error,
    },
    #[error("the database is not sound: {0}")]
    Unsound(String),
    #[error("the heartbeat query gave `{0}`, which is no time")]
    Heartbeat(String),
    #[error("{0}")]
    Occupied(String),
}

/// Runs a side job: its arguments are those after `side`.
pub async fn run(arguments: &[String]) -> ExitCode {
    let heartbeat = arguments.get(2).map(String::as_str);
    let outcome = match arguments {
        [verb, path, ..] if verb == COMMANDS[0] => {
            capture(Path::new(path), heartbeat, &mut io::stdout().lock()).await
        }
        [verb, path, ..] if verb == COMMANDS[1] => {
            restore(Path::new(path), heartbeat, &mut io::stdin().lock()).await
        }
        _ => Err(JobError::Usage),
    };
    let (word, code) = match outcome {
        Ok(found) => (found, ExitCode::SUCCESS),
        Err(JobError::Occupied(found)) => (Word::Occupied { found }, ExitCode::FAILURE),
        Err(err) => (Word::Failed { because: diag::causes(&err).join(": ") }, ExitCode::FAILURE),
    };
    // stderr is where the word goes; when it is closed, nobody is there to be told.
    let _ = writeln!(io::stderr(), "{}", serde_json::to_string(&word).expect("a word is plain data"));
    code
}

/// Copies the database in one transaction, looks at the copy, and writes it out.
async fn capture(path: &Path, heartbeat: Option<&str>, out: &mut impl Write) -> Result<Word, JobError> {
    let copy = beside(path, "copy");
    let at = jiff::Timestamp::now();
    remove(&copy)?;
    // A copy of a running database by its bytes is malformed as often as not; this one is made by SQLite itself.
    let options = SqliteConnectOptions::new()
        .filename(path)
        .busy_timeout(Duration::from_secs(30))
        .disable_statement_logging();
    let mut live = options.connect().await.map_err(|err| sql("open the database", err))?;
    let copied = sqlx::query("VACUUM INTO ?").bind(copy.to_string_lossy().as_ref()).execute(&mut live).await;
    let copied = copied.map(|_| ()).map_err(|err| sql("copy the database", err));
    live.close().await.map_err(|err| sql("close the database", err))?;
    let looked = match copied {
        Ok(()) => look(&copy, heartbeat, at).await,
        Err(err) => Err(err),
    };
    let opened = looked.and_then(|word| Ok((word, File::open(&copy).map_err(file("open", &copy))?)));
    // Its name goes before the first byte is sent: a job that is killed leaves nothing in the volume.
    remove(&copy)?;
    let (word, mut bytes) = opened?;
    io::copy(&mut bytes, out).and_then(|_| out.flush()).map_err(file("send", &copy))?;
    Ok(word)
}

/// Takes a database in, proves it, and puts it in its place.
async fn restore(path: &Path, heartbeat: Option<&str>, input: &mut impl Read) -> Result<Word, JobError> {
    let fresh = beside(path, "restore");
    let directory = fresh.parent().expect("it is beside the database");
    fs::create_dir_all(directory).map_err(file("make", directory))?;
    let arrived = take_in(&fresh, directory, input);
    let looked = match arrived {
        Ok(()) => look(&fresh, heartbeat, jiff::Timestamp::now()).await,
        Err(err) => Err(file("write", &fresh)(err)),
    };
    let free = match looked {
        Ok(word) => vacant(path, &fresh).await.map(|()| word),
        Err(err) => Err(err),
    };
    if free.is_err() {
        remove(&fresh)?;
    }
    let word = free?;
    // A log of the database that stood here would be replayed into this one.
    for ending in ["-wal", "-shm", "-journal"] {
        remove(&appended(path, ending))?;
    }
    fs::rename(&fresh, path).and_then(|()| sync_directory(directory)).map_err(file("put in place", path))?;
    Ok(word)
}

fn take_in(fresh: &Path, directory: &Path, input: &mut impl Read) -> io::Result<()> {
    let mut file = File::create(fresh)?;
    receive(input, &mut file)?;
    // The application runs as whoever owns the volume's directory; where we may not give it away, it is ours anyway.
    let owner = fs::metadata(directory)?;
    let (uid, gid) =
        (std::os::unix::fs::MetadataExt::uid(&owner), std::os::unix::fs::MetadataExt::gid(&owner));
    let _ = std::os::unix::fs::fchown(&file, Some(uid), Some(gid));
    let _ = file.set_permissions(std::os::unix::fs::PermissionsExt::from_mode(0o640));
    file.sync_all()
}

/// Nothing is overwritten but an empty database, or the very same one.
async fn vacant(path: &Path, fresh: &Path) -> Result<(), JobError> {
    let log = appended(path, "-wal");
    if fs::metadata(&log).is_ok_and(|log| log.len() > 0) {
        return Err(JobError::Occupied("it has a write-ahead log".into()));
    }
    let standing = match digest_file(path) {
        Err(err) if err.kind() == io::ErrorKind::NotFound => return Ok(()),
        standing => standing.map_err(file("read", path))?,
    };
    if standing.0 == 0 || standing == digest_file(fresh).map_err(file("read", fresh))? {
        return Ok(());
    }
    match look(path, None, jiff::Timestamp::now()).await {
        Ok(Word::Found { counts, .. }) if counts.is_empty() => Ok(()),
        Ok(Word::Found { counts, .. }) => Err(JobError::Occupied(format!("{} tables", counts.len()))),
        _ => Err(JobError::Occupied(format!("{} bytes that are no sound database", standing.0))),
    }
}

/// Checks a database that nobody else has open, and counts what is in it.
async fn look(path: &Path, heartbeat: Option<&str>, at: jiff::Timestamp) -> Result<Word, JobError> {
    let options = SqliteConnectOptions::new().filename(path).read_only(true).immutable(true);
    let mut database = options.connect().await.map_err(|err| sql("open the copy", err))?;
    let soundness = text(&mut database, "PRAGMA integrity_check(1)").await?;
    if soundness != "ok" {
        return Err(JobError::Unsound(soundness));
    }
    let version = text(&mut database, "SELECT sqlite_version()").await?;
    let tables = "SELECT coalesce(json_group_array(name), '[]') FROM sqlite_schema WHERE type = 'table'
                   AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\' AND sql NOT LIKE 'CREATE VIRTUAL%'";
    let tables: Vec<String> = serde_json::from_str(&text(&mut database, tables).await?).unwrap_or_default();
    let mut counts = BTreeMap::new();
    for table in tables {
        let count = format!("SELECT CAST(count(*) AS TEXT) FROM \"{}\"", table.replace('"', "\"\""));
        let rows = text(&mut database, &count).await?;
        counts.insert(table, rows.parse().unwrap_or_default());
    }
    let heartbeat = match heartbeat {
        None => None,
        Some(query) => {
            let query = query.trim().trim_end_matches(';');
            let answer = text(&mut database, &format!("SELECT json_array((\n{query}\n))")).await?;
            let value: serde_json::Value = serde_json::from_str(&answer).unwrap_or_default();
            crate::postgres::heartbeat_of(&value[0]).map_err(|()| JobError::Heartbeat(answer))?
        }
    };
    database.close().await.map_err(|err| sql("close the copy", err))?;
    Ok(Word::Found { counts, heartbeat, version, at })
}

async fn text(database: &mut SqliteConnection, query: &str) -> Result<String, JobError> {
    let asked = sqlx::query_scalar(AssertSqlSafe(query.to_owned())).fetch_one(database).await;
    asked.map_err(|err| sql(&format!("ask `{query}`"), err))
}

/// Sends a stream in frames, so that one which breaks off is never taken for whole.
pub(crate) async fn send(
    source: &mut (impl AsyncRead + Unpin),
    out: &mut (impl AsyncWrite + Unpin),
) -> io::Result<()> {
    let mut buffer = vec![0; 128 * 1024];
    loop {
        let read = source.read(&mut buffer).await?;
        let length = u32::try_from(read).expect("a frame is at most 128 KiB");
        let told = match out.write_all(&length.to_le_bytes()).await {
            Ok(()) => out.write_all(&buffer[..read]).await,
            Err(err) => Err(err),
        };
        // A receiver that went away says why itself.
        if read == 0 || told.is_err() {
            return Ok(());
        }
    }
}

fn receive(input: &mut impl Read, out: &mut impl Write) -> io::Result<()> {
    loop {
        let mut length = [0; 4];
        input.read_exact(&mut length)?;
        match u64::from(u32::from_le_bytes(length)) {
            0 => return Ok(()),
            length if io::copy(&mut input.take(length), out)? == length => {}
            _ => return Err(io::ErrorKind::UnexpectedEof.into()),
        }
    }
}

fn beside(path: &Path, what: &str) -> PathBuf {
    path.with_file_name(format!(".{}.seaworthy-{what}", name_of(path)))
}

fn appended(path: &Path, ending: &str) -> PathBuf {
    path.with_file_name(format!("{}{ending}", name_of(path)))
}

fn remove(path: &Path) -> Result<(), JobError> {
    match fs::remove_file(path) {
        Err(err) if err.kind() != io::ErrorKind::NotFound => Err(file("remove", path)(err)),
        _ => Ok(()),
    }
}

fn file(doing: &'static str, path: &Path) -> impl FnOnce(io::Error) -> JobError {
    let path = path.to_owned();
    move |err| JobError::File { doing, path, err }
}

fn sql(doing: &str, err: sqlx::Error) -> JobError {
    JobError::Sql { doing: doing.to_owned(), err }
}

#[cfg(test)]
mod tests;
