//! The relay's tables, release by release. Forward only: there is no way down but a restored set.

use sqlx::{Any, AnyPool, Transaction};

use super::store::{Dialect, StoreError};

/// The newest schema there is.
pub(super) const NEWEST: i64 = 2;

/// What one migration found and left.
pub(super) struct Migrated {
    pub(super) from: i64,
    pub(super) to: i64,
}

/// Brings the database to `release`'s schema, all of it or nothing. Release N runs on schema N alone: on a newer
/// one it refuses, because it would not know what it breaks.
pub(super) async fn migrate(pool: &AnyPool, dialect: Dialect, release: i64) -> Result<Migrated, StoreError> {
    let mut tx = pool.begin().await.map_err(StoreError::asking("begin a migration"))?;
    let from = current(&mut tx, dialect).await.map_err(StoreError::asking("read the schema's version"))?;
    if from > release {
        return Err(StoreError::Newer { found: from, release });
    }
    for version in from + 1..=release {
        for statement in statements(version, dialect) {
            sqlx::query(*statement).execute(&mut *tx).await.map_err(StoreError::asking("migrate"))?;
        }
    }
    tx.commit().await.map_err(StoreError::asking("commit a migration"))?;
    Ok(Migrated { from, to: release })
}

/// Reads the version under a lock, so that two relays that boot together migrate once.
async fn current(tx: &mut Transaction<'_, Any>, dialect: Dialect) -> Result<i64, sqlx::Error> {
    // Creating it is also what takes SQLite's write lock before anything is read.
    sqlx::query(
        "CREATE TABLE IF NOT EXISTS relay (id BIGINT PRIMARY KEY, schema_version BIGINT NOT NULL, last_seq BIGINT NOT NULL)",
    )
    .execute(&mut **tx)
    .await?;
    if dialect == Dialect::Postgres {
        sqlx::query("LOCK TABLE relay IN ACCESS EXCLUSIVE MODE").execute(&mut **tx).await?;
    }
    sqlx::query(
        "INSERT INTO relay (id, schema_version, last_seq) VALUES (1, 0, 0) ON CONFLICT (id) DO NOTHING",
    )
    .execute(&mut **tx)
    .await?;
    sqlx::query_scalar("SELECT schema_version FROM relay WHERE id = 1").fetch_one(&mut **tx).await
}

fn statements(version: i64, dialect: Dialect) -> &'static [&'static str] {
    match (version, dialect) {
        (1, Dialect::Postgres) => &[
            "CREATE TABLE data_keys (id TEXT PRIMARY KEY, wrapped TEXT NOT NULL)",
            "CREATE TABLE events (seq BIGINT PRIMARY KEY, key_id TEXT NOT NULL REFERENCES data_keys (id), \
             body BYTEA NOT NULL, at TIMESTAMPTZ NOT NULL DEFAULT now())",
            "CREATE TABLE nonces (nonce BYTEA PRIMARY KEY, seq BIGINT NOT NULL UNIQUE, digest BYTEA NOT NULL)",
            "CREATE TABLE heartbeat (id BIGINT PRIMARY KEY, at TIMESTAMPTZ NOT NULL)",
            "UPDATE relay SET schema_version = 1",
        ],
        (1, Dialect::Sqlite) => &[
            "CREATE TABLE data_keys (id TEXT PRIMARY KEY, wrapped TEXT NOT NULL)",
            "CREATE TABLE events (seq BIGINT PRIMARY KEY, key_id TEXT NOT NULL REFERENCES data_keys (id), \
             body BLOB NOT NULL, at TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ', 'now')))",
            "CREATE TABLE nonces (nonce BLOB PRIMARY KEY, seq BIGINT NOT NULL UNIQUE, digest BLOB NOT NULL)",
            "CREATE TABLE heartbeat (id BIGINT PRIMARY KEY, at TEXT NOT NULL)",
            "UPDATE relay SET schema_version = 1",
        ],
        // 28: what sealing adds to a ciphertext, 12 bytes of nonce and 16 of tag.
        (2, _) => &[
            "ALTER TABLE events ADD COLUMN size BIGINT",
            "UPDATE events SET size = length(body) - 28",
            "UPDATE relay SET schema_version = 2",
        ],
        _ => &[],
    }
}
