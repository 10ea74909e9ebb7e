//! Takes a database into the set: everything in one snapshot, and the counts that prove it later.

use std::collections::BTreeMap;

use host::Engine;
use plan::set::{Object, Role};
use serde::Deserialize;
use stack::ServiceName;

use super::{PostgresAccess, PostgresError, program_of, session::Session};
use crate::{
    seal::{SealError, Sealed},
    tail::{Ending, Tail, ended_well},
    writer::{SetWriter, object},
};

/// What the server says of itself, first thing in the snapshot.
#[derive(Debug, Deserialize)]
struct Opening {
    snapshot: String,
    version: String,
    superuser: bool,
}

/// Captures one database: its dump, then the roles of its server.
///
/// Both objects carry the instant just before the snapshot was taken: whatever was committed by then is inside.
///
/// # Errors
/// When the server, a client or a target fails. No object of a failed capture is left.
pub async fn capture(
    engine: &dyn Engine,
    access: PostgresAccess<'_>,
    service: &ServiceName,
    heartbeat: Option<&str>,
    writer: &SetWriter,
) -> Result<Vec<Object>, PostgresError> {
    let session = Session::open(engine, access, access.database).await?;
    let asked = "read the server's clock";
    let (session, point): (_, jiff::Timestamp) =
        session.one(asked, "SELECT to_json(clock_timestamp());").await?;
    let (session, opening): (_, Opening) = session.one("open a snapshot", OPEN).await?;
    let (session, counts) = session.counts().await?;
    let (session, newest) = session.heartbeat(heartbeat).await?;

    let snapshot = format!("--snapshot={}", opening.snapshot);
    let dump = ["-Fc", "-Z0", snapshot.as_str(), "--dbname", access.database];
    let name = format!("{service}.postgres.dump.zst.age");
    let dump = stream(engine, access, access.command("pg_dump", &dump), &name, writer).await?;

    let mut globals = vec!["--globals-only", "--database", access.database];
    if !opening.superuser {
        // Only a superuser may read password verifiers; the roles themselves are worth having.
        globals.push("--no-role-passwords");
    }
    let globals_name = format!("{service}.postgres.globals.sql.zst.age");
    let command = access.command("pg_dumpall", &globals);
    let globals = stream(engine, access, command, &globals_name, writer).await?;
    // A session that broke meanwhile took its snapshot with it: then pg_dump has failed, or this does.
    session.close("close the snapshot", "COMMIT;").await?;

    let of_this_server = |object: Object| Object {
        service: Some(service.clone()),
        server: Some(opening.version.clone()),
        ..object
    };
    let dump = Object { counts, heartbeat: newest, ..object(name, Role::Postgres, dump, point) };
    let globals =
        Object { counts: BTreeMap::new(), ..object(globals_name, Role::PostgresGlobals, globals, point) };
    Ok(vec![of_this_server(dump), of_this_server(globals)])
}

const OPEN: &str = "
BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY;
SELECT json_build_object('snapshot', pg_export_snapshot(), 'version', current_setting('server_version_num'),
                         'superuser', current_setting('is_superuser')::boolean);";

/// Runs a client and seals what it writes; its exit status decides whether there is an object.
async fn stream(
    engine: &dyn Engine,
    access: PostgresAccess<'_>,
    command: Vec<String>,
    name: &str,
    writer: &SetWriter,
) -> Result<Sealed, PostgresError> {
    let program = program_of(&command);
    let running = access.run(engine, command, false).await?;
    let tail = Tail::of(running.stderr);
    let exit = async { ended_well(program, running.exit, tail).await.map(|_| ()) };
    match writer.seal_stream(name, running.stdout, exit).await {
        Ok(sealed) => Ok(sealed),
        Err(SealError::Source { object, err }) => Err(match err.downcast::<Ending>() {
            Ok(ending) => access.ended(program, &format!("dump `{}`", access.database), *ending),
            Err(err) => SealError::Source { object, err }.into(),
        }),
        Err(err) => Err(err.into()),
    }
}
