//! SQLite through an engine: the side job's streams, its words, and what becomes of them.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod local;

use std::{fs, path::Path};

use backup::{SqliteError, SqlitePlace, capture_sqlite, open_stream, restore_sqlite};
use local::{Local, files, identities, manifest, set, target, writer};
use sqlx::{ConnectOptions, Connection, Executor, sqlite::SqliteConnectOptions};
use tokio::io::AsyncReadExt;

const PLACE: SqlitePlace<'_> = SqlitePlace { volume: "blog_data", path: "app.db" };

fn engine(volume: &Path) -> Local {
    let tests = std::env::current_exe().unwrap();
    let side = tests.ancestors().nth(2).unwrap().join("examples/sqlite_side");
    Local { environment: Vec::new(), side: vec![side.display().to_string()], volume: volume.to_owned() }
}

async fn database(volume: &Path) {
    let options = SqliteConnectOptions::new().filename(volume.join("app.db")).create_if_missing(true);
    let mut database = options.connect().await.unwrap();
    let rows = "CREATE TABLE events (n INTEGER, body TEXT); CREATE TABLE heartbeat (at INTEGER);
                INSERT INTO heartbeat VALUES (1795223687);
                WITH RECURSIVE n(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n WHERE n < 20000)
                INSERT INTO events SELECT n, hex(randomblob(20)) FROM n";
    database.execute(rows).await.unwrap();
    database.close().await.unwrap();
}

#[tokio::test]
async fn a_database_goes_into_a_set_and_comes_back_elsewhere() {
    let (live, fresh, sets) =
        (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    database(live.path()).await;
    let (target, identities, heartbeat) =
        (target(sets.path()), identities(), Some("SELECT max(at) FROM heartbeat"));
    let writer = writer(&target, &identities, set(1));
    let service = "web".into();
    let object = capture_sqlite(&engine(live.path()), PLACE, &service, heartbeat, &writer).await.unwrap();
    assert_eq!((object.name.as_str(), object.counts["events"]), ("web.sqlite.zst.age", 20_000));

    let manifest = manifest(&writer, vec![object.clone()]);
    let stream = || open_stream(&target, &manifest, &object, &identities);
    let engine = engine(fresh.path());
    let restored = restore_sqlite(&engine, PLACE, heartbeat, stream()).await.unwrap();
    assert_eq!((&restored.counts, restored.heartbeat), (&object.counts, object.heartbeat));
    assert_eq!(restored.heartbeat, Some("2026-11-21T01:14:47Z".parse().unwrap()));

    // A stream that breaks off changes nothing.
    let before = files(fresh.path());
    let broken = stream().take(object.plain_bytes / 2).chain(Breaks);
    let err = restore_sqlite(&engine, PLACE, heartbeat, broken).await.unwrap_err();
    assert!(matches!(err, SqliteError::Source(_)), "{err:?}");
    assert_eq!(files(fresh.path()).keys().collect::<Vec<_>>(), ["app.db"]);
    assert!(files(fresh.path()) == before);
}

#[tokio::test]
async fn another_database_is_named_and_not_overwritten() {
    let (live, taken, sets) =
        (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    database(live.path()).await;
    let (target, identities) = (target(sets.path()), identities());
    let writer = writer(&target, &identities, set(1));
    let service = "web".into();
    let object = capture_sqlite(&engine(live.path()), PLACE, &service, None, &writer).await.unwrap();
    let manifest = manifest(&writer, vec![object.clone()]);
    database(taken.path()).await;
    let stream = open_stream(&target, &manifest, &object, &identities);
    let refused = restore_sqlite(&engine(taken.path()), PLACE, None, stream).await.unwrap_err();
    assert_eq!(refused.to_string(), "`app.db` of the volume `blog_data` already holds data: 2 tables");
}

#[tokio::test]
async fn a_capture_that_fails_leaves_no_object() {
    let (live, sets) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    fs::write(live.path().join("app.db"), vec![7; 8192]).unwrap();
    let writer = writer(&target(sets.path()), &identities(), set(1));
    let service = "web".into();
    let failed = capture_sqlite(&engine(live.path()), PLACE, &service, None, &writer).await.unwrap_err();
    assert!(matches!(failed, SqliteError::Job { .. }), "{failed:?}");
    assert!(files(sets.path()).is_empty());
    assert_eq!(files(live.path()).keys().collect::<Vec<_>>(), ["app.db"]);
}

/// A stream whose sender is gone.
struct Breaks;

impl tokio::io::AsyncRead for Breaks {
    fn poll_read(
        self: std::pin::Pin<&mut Self>,
        _: &mut std::task::Context<'_>,
        _: &mut tokio::io::ReadBuf<'_>,
    ) -> std::task::Poll<std::io::Result<()>> {
        std::task::Poll::Ready(Err(std::io::ErrorKind::ConnectionReset.into()))
    }
}
