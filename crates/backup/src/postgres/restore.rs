//! Brings a database back: into an empty one, in one transaction, and counts what came.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use host::Engine;
use plan::set::SetId;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt};

use super::{
    PostgresAccess, PostgresError, program_of,
    session::{Session, identifier, literal},
};
use crate::tail::{Tail, ended_well};

/// What stands in a state after it was brought back.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Restored {
    /// Rows by table.
    pub counts: BTreeMap<String, u64>,
    /// The newest heartbeat.
    pub heartbeat: Option<jiff::Timestamp>,
    /// It had been restored from this set before, and nothing was done.
    pub already: bool,
}

/// Restores roles and then the dump, and counts as the capture did; comparing is the caller's business.
///
/// Safe to do twice: before anything else the database is marked (its comment) with the set, and the dump comes in one
/// transaction. So a marked database is either still empty, and is restored, or whole, and is only counted.
///
/// # Errors
/// [`PostgresError::NotEmpty`] where there is data that is not this set's, and whatever the server or `dump` says.
pub async fn restore(
    engine: &dyn Engine,
    access: PostgresAccess<'_>,
    set: &SetId,
    heartbeat: Option<&str>,
    globals: impl AsyncRead + Unpin,
    dump: impl AsyncRead + Unpin,
    patience: Duration,
) -> Result<Restored, PostgresError> {
    await_server(engine, access, patience).await?;
    make_database(engine, access).await?;
    let already = prepare(engine, access, set).await?;
    if !already {
        let roles = ["--no-psqlrc", "-q", "-v", "VERBOSITY=sqlstate", "--dbname", access.database];
        let said = feed(engine, access, access.command("psql", &roles), "restore the roles", globals).await?;
        complaints("psql", &said)?;
        let data = ["--exit-on-error", "--single-transaction", "--dbname", access.database];
        let command = access.command("pg_restore", &data);
        let said = feed(engine, access, command, "restore the data", dump).await?;
        complaints("pg_restore", &said)?;
    }
    let session = Session::open(engine, access, access.database).await?;
    // Without statistics the first queries of a restored database may take minutes.
    let prepare = "ANALYZE; BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY;";
    let (session, _) = session.ask("analyse what was restored", prepare).await?;
    let (session, counts) = session.counts().await?;
    let (session, heartbeat) = session.heartbeat(heartbeat).await?;
    session.close("close the snapshot", "COMMIT;").await?;
    Ok(Restored { counts, heartbeat, already })
}

/// Waits until the server takes connections for good. The public images first start one that only listens on its
/// socket, prepare it, and stop it again; whatever is restored into that one is cut off.
async fn await_server(
    engine: &dyn Engine,
    access: PostgresAccess<'_>,
    patience: Duration,
) -> Result<(), PostgresError> {
    /// A server that listens nowhere is only believed after this long as the same process.
    const SOCKET_ONLY: &str = "5 seconds";
    let ready = format!(
        "SELECT to_json(current_setting('listen_addresses') <> ''
                        OR clock_timestamp() - pg_postmaster_start_time() > '{SOCKET_ONLY}'::interval);"
    );
    let began = Instant::now();
    loop {
        let asked = async {
            let session = Session::open(engine, access, MAINTENANCE).await?;
            let (session, ready): (_, bool) = session.one("ask whether it is ready", &ready).await?;
            session.close("ask whether it is ready", "").await?;
            Ok(ready)
        };
        let said = match asked.await {
            Ok(true) => return Ok(()),
            Ok(false) => "it is still being prepared".to_owned(),
            Err(PostgresError::Program { err, .. }) => err.said,
            Err(PostgresError::Lost { err, .. }) => err.to_string(),
            Err(other) => return Err(other),
        };
        if began.elapsed() >= patience {
            let container = access.container.to_owned();
            return Err(PostgresError::NotReady { container, seconds: patience.as_secs(), said });
        }
        tokio::time::sleep(Duration::from_millis(250)).await;
    }
}

/// The database that every cluster is made with.
const MAINTENANCE: &str = "postgres";

/// Makes the database where the server does not have it.
async fn make_database(engine: &dyn Engine, access: PostgresAccess<'_>) -> Result<(), PostgresError> {
    let doing = format!("make the database `{}`", access.database);
    let make = format!("CREATE DATABASE {} TEMPLATE template0", identifier(access.database));
    let statement = format!(
        "SELECT {} WHERE NOT EXISTS (SELECT FROM pg_catalog.pg_database WHERE datname = {})\n\\gexec",
        literal(&make),
        literal(access.database),
    );
    let session = Session::open(engine, access, MAINTENANCE).await?;
    let (session, _) = session.ask(&doing, &statement).await?;
    session.close(&doing, "").await
}

/// Marks an empty database with the set. `true` when this set stands in it already.
async fn prepare(
    engine: &dyn Engine,
    access: PostgresAccess<'_>,
    set: &SetId,
) -> Result<bool, PostgresError> {
    let mark = format!("restored by seaworthy from set {set}");
    let session = Session::open(engine, access, access.database).await?;
    let doing = "look at what the database holds";
    // A restore that was cut off may still be at work in the server; nothing that it did is committed.
    let look = format!(
        "SELECT to_json(coalesce(shobj_description(oid, 'pg_database') = {}, false))
           FROM pg_catalog.pg_database WHERE datname = current_database();",
        literal(&mark)
    );
    let (mut session, marked): (_, bool) = session.one(doing, &look).await?;
    if marked {
        let end = "SELECT count(pg_terminate_backend(pid)) FROM pg_catalog.pg_stat_activity
                    WHERE datname = current_database() AND application_name = 'pg_restore';";
        (session, _) = session.ask("end a restore that was cut off", end).await?;
    }
    let (session, counts) = session.counts().await?;
    match (counts.keys().next(), marked) {
        (Some(_), true) => session.close(doing, "").await.map(|()| true),
        (Some(first), false) => {
            let refusal = PostgresError::NotEmpty {
                database: access.database.to_owned(),
                container: access.container.to_owned(),
                tables: counts.len(),
                first: first.clone(),
            };
            session.close(doing, "").await?;
            Err(refusal)
        }
        (None, _) => {
            let comment =
                format!("COMMENT ON DATABASE {} IS {};", identifier(access.database), literal(&mark));
            session.close("mark the database", &comment).await.map(|()| false)
        }
    }
}

/// Runs a client, gives it all of `source`, and waits for its good end. What it said is the answer.
async fn feed(
    engine: &dyn Engine,
    access: PostgresAccess<'_>,
    command: Vec<String>,
    doing: &str,
    mut source: impl AsyncRead + Unpin,
) -> Result<String, PostgresError> {
    let program = program_of(&command);
    let mut running = access.run(engine, command, true).await?;
    let mut input = running
        .stdin
        .take()
        .ok_or(PostgresError::Lost { program, err: std::io::ErrorKind::BrokenPipe.into() })?;
    let (tail, silence) = (Tail::of(running.stderr), Tail::of(running.stdout));
    let mut buffer = vec![0; 128 * 1024];
    loop {
        let read = match source.read(&mut buffer).await {
            Ok(0) => break,
            Ok(read) => read,
            // Without the rest of its input `pg_restore` fails, and its transaction with it.
            Err(err) => return Err(PostgresError::Source(err)),
        };
        if input.write_all(&buffer[..read]).await.is_err() {
            // It stopped reading: why, its exit status tells.
            break;
        }
    }
    let _ = input.shutdown().await;
    drop(input);
    silence.text().await;
    ended_well(program, running.exit, tail).await.map_err(|ending| access.ended(program, doing, ending))
}

/// Counts what a client complained of although it ended well. That a role exists is none: the server was made with it.
fn complaints(program: &'static str, said: &str) -> Result<(), PostgresError> {
    const DUPLICATE_OBJECT: &str = "42710";
    let is_complaint = |line: &&str| {
        let line = line.to_ascii_lowercase();
        line.contains("error:") && !line.trim_end().ends_with(DUPLICATE_OBJECT)
    };
    match said.lines().filter(is_complaint).count() {
        0 => Ok(()),
        errors => Err(PostgresError::Complained { program, errors, said: said.to_owned() }),
    }
}
