//! Databases that are being written to while they are copied.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

use sqlx::Executor;

use super::*;

async fn open(path: &Path) -> SqliteConnection {
    let options = SqliteConnectOptions::new()
        .filename(path)
        .create_if_missing(true)
        .busy_timeout(Duration::from_secs(10))
        .journal_mode(sqlx::sqlite::SqliteJournalMode::Wal);
    options.connect().await.unwrap()
}

async fn pair_of_tables(path: &Path) -> SqliteConnection {
    let mut database = open(path).await;
    let tables = "CREATE TABLE debit (n INTEGER); CREATE TABLE credit (n INTEGER);
                  CREATE TABLE \"odd \"\" name\" (n INTEGER); CREATE TABLE heartbeat (at TEXT);
                  INSERT INTO heartbeat VALUES ('2026-11-21T01:14:47Z')";
    database.execute(tables).await.unwrap();
    database
}

async fn frames(bytes: &[u8]) -> Vec<u8> {
    let mut framed = Vec::new();
    send(&mut &*bytes, &mut framed).await.unwrap();
    framed
}

fn counts(word: &Word) -> &BTreeMap<String, u64> {
    match word {
        Word::Found { counts, .. } => counts,
        other => panic!("{other:?}"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_copy_taken_under_load_is_one_point_in_time() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("app.db");
    let mut writer = pair_of_tables(&path).await;
    let stop = std::sync::Arc::new(std::sync::atomic::AtomicBool::new(false));
    let asked = std::sync::Arc::clone(&stop);
    let load = tokio::spawn(async move {
        while !asked.load(std::sync::atomic::Ordering::Relaxed) {
            let both = "BEGIN; INSERT INTO debit VALUES (1); INSERT INTO credit VALUES (1); COMMIT";
            writer.execute(both).await.unwrap();
        }
    });
    for _ in 0..10 {
        let mut bytes = Vec::new();
        let word = capture(&path, Some("SELECT max(at) FROM heartbeat;"), &mut bytes).await.unwrap();
        assert_eq!(counts(&word)["debit"], counts(&word)["credit"]);
        assert!(counts(&word).contains_key("odd \" name"));
        let Word::Found { heartbeat, .. } = &word else { panic!() };
        assert_eq!(*heartbeat, Some("2026-11-21T01:14:47Z".parse().unwrap()));
        let restored = directory.path().join("elsewhere/app.db");
        let _ = fs::remove_file(&restored);
        let back = restore(&restored, None, &mut frames(&bytes).await.as_slice()).await.unwrap();
        assert_eq!(counts(&back), counts(&word));
    }
    stop.store(true, std::sync::atomic::Ordering::Relaxed);
    load.await.unwrap();
    let left: Vec<_> =
        fs::read_dir(directory.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert!(!left.iter().any(|name| name.to_string_lossy().contains("seaworthy")), "{left:?}");
}

#[tokio::test]
async fn restoring_twice_is_restoring_once_and_another_database_is_not_overwritten() {
    let directory = tempfile::tempdir().unwrap();
    let source = directory.path().join("app.db");
    pair_of_tables(&source).await.close().await.unwrap();
    let mut bytes = Vec::new();
    capture(&source, None, &mut bytes).await.unwrap();
    let restored = directory.path().join("restored.db");
    // A log that belonged to whatever was here before is not replayed into it.
    fs::write(directory.path().join("restored.db-shm"), b"stale").unwrap();
    for _ in 0..2 {
        restore(&restored, None, &mut frames(&bytes).await.as_slice()).await.unwrap();
    }
    assert!(!directory.path().join("restored.db-shm").exists());

    let mut live = open(&restored).await;
    live.execute("INSERT INTO debit VALUES (1)").await.unwrap();
    live.close().await.unwrap();
    let before = fs::read(&restored).unwrap();
    let refused = restore(&restored, None, &mut frames(&bytes).await.as_slice()).await.unwrap_err();
    assert_eq!(refused.to_string(), "4 tables");
    assert_eq!(fs::read(&restored).unwrap(), before);
}

#[tokio::test]
async fn a_stream_that_breaks_off_or_is_no_sound_database_leaves_what_was_there() {
    let directory = tempfile::tempdir().unwrap();
    let source = directory.path().join("app.db");
    pair_of_tables(&source).await.close().await.unwrap();
    let mut bytes = Vec::new();
    capture(&source, None, &mut bytes).await.unwrap();
    let restored = directory.path().join("restored.db");
    let whole = frames(&bytes).await;
    for length in [0, 3, 4, whole.len() / 2, whole.len() - 4, whole.len() - 1] {
        assert!(restore(&restored, None, &mut &whole[..length]).await.is_err(), "cut at {length}");
    }
    bytes[4096..8192].fill(0x41);
    assert!(restore(&restored, None, &mut frames(&bytes).await.as_slice()).await.is_err());
    let names: Vec<_> =
        fs::read_dir(directory.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(names, ["app.db"]);
}

#[tokio::test]
async fn a_missing_database_is_an_error_and_is_not_made() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("app.db");
    assert!(capture(&path, None, &mut Vec::new()).await.is_err());
    assert!(!path.exists());
}
