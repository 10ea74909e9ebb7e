//! What the relay keeps, in PostgreSQL or SQLite: a sequence without gaps, and the nonces that were used.

use std::{path::Path, time::Duration};

use sqlx::{AnyPool, any::AnyPoolOptions};

use super::{schema, seal::Sealed};
use crate::wire::NONCE_BYTES;

/// The relay's database.
#[derive(Clone)]
pub(super) struct Store {
    pool: AnyPool,
    dialect: Dialect,
    release: i64,
}

/// Which of the two databases it is; they differ in types and clocks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Dialect {
    Postgres,
    Sqlite,
}

/// Why the database did not do it.
#[derive(Debug, thiserror::Error)]
pub(super) enum StoreError {
    #[error("`--database-url` must begin with postgres:// or sqlite:")]
    Scheme,
    #[error("cannot read the database password from `{path}`")]
    Password {
        path: String,
        #[source]
        err: std::io::Error,
    },
    #[error(
        "the database has schema {found}; release {release} runs on schema {release} alone. Start release {found}, or restore a set from before the upgrade"
    )]
    Newer { found: i64, release: i64 },
    #[error("the database left schema {release} while this release ran on it")]
    Moved { release: i64 },
    #[error("cannot {attempt} in the database")]
    Asking {
        attempt: &'static str,
        #[source]
        err: sqlx::Error,
    },
}

impl StoreError {
    pub(super) fn asking(attempt: &'static str) -> impl Fn(sqlx::Error) -> Self {
        move |err| Self::Asking { attempt, err }
    }
}

/// What became of an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Appended {
    /// It has a new place.
    At(i64),
    /// This very event was kept before.
    Before(i64),
    /// Its nonce was used for another one.
    NonceTaken,
}

/// One kept row.
#[derive(sqlx::FromRow)]
pub(super) struct Row {
    pub(super) seq: i64,
    pub(super) nonce: Vec<u8>,
    pub(super) key_id: String,
    pub(super) body: Vec<u8>,
    #[sqlx(default)]
    pub(super) size: Option<i64>,
}

impl Store {
    /// Prepares the pool; connects when first asked. The password comes from a file, so no argument holds it.
    pub(super) fn open(url: &str, password: Option<&Path>, release: i64) -> Result<Self, StoreError> {
        sqlx::any::install_default_drivers();
        let (dialect, url) = match url.split_once(':') {
            Some(("postgres" | "postgresql", _)) => (Dialect::Postgres, with_password(url, password)?),
            Some(("sqlite", _)) if url.contains('?') => (Dialect::Sqlite, url.to_owned()),
            Some(("sqlite", _)) => (Dialect::Sqlite, format!("{url}?mode=rwc")),
            _ => return Err(StoreError::Scheme),
        };
        let options = AnyPoolOptions::new().acquire_timeout(Duration::from_secs(3)).max_connections(10);
        let options = options.after_connect(move |connection, _| {
            Box::pin(async move {
                if dialect == Dialect::Sqlite {
                    for pragma in [
                        "PRAGMA busy_timeout = 5000",
                        "PRAGMA journal_mode = WAL",
                        "PRAGMA foreign_keys = ON",
                    ] {
                        sqlx::query(pragma).execute(&mut *connection).await?;
                    }
                }
                Ok(())
            })
        });
        let pool = options.connect_lazy(&url).map_err(StoreError::asking("connect"))?;
        Ok(Self { pool, dialect, release })
    }

    pub(super) async fn migrate(&self) -> Result<schema::Migrated, StoreError> {
        schema::migrate(&self.pool, self.dialect, self.release).await
    }

    /// The newest place in the sequence, if the schema is still this release's own.
    pub(super) async fn last_seq(&self) -> Result<i64, StoreError> {
        let found: Option<i64> =
            sqlx::query_scalar("SELECT last_seq FROM relay WHERE id = 1 AND schema_version = $1")
                .bind(self.release)
                .fetch_optional(&self.pool)
                .await
                .map_err(StoreError::asking("read the last place"))?;
        found.ok_or(StoreError::Moved { release: self.release })
    }

    /// Where an event stands that was kept under this nonce.
    pub(super) async fn find(
        &self,
        nonce: &[u8; NONCE_BYTES],
        digest: &[u8; 32],
    ) -> Result<Option<Appended>, StoreError> {
        let found = find(&self.pool, nonce).await.map_err(StoreError::asking("look a nonce up"))?;
        Ok(found.map(|used| used.compared_with(digest)))
    }

    /// Appends one event. Its place is taken from a row that stays locked until the commit: places are given in
    /// the order of commits, one that is rolled back is given again, and no reader sees N+1 before N.
    pub(super) async fn append(
        &self,
        nonce: &[u8; NONCE_BYTES],
        digest: &[u8; 32],
        seal: impl FnOnce(i64) -> Sealed,
    ) -> Result<Appended, StoreError> {
        let failed = StoreError::asking("append an event");
        let mut tx = self.pool.begin().await.map_err(&failed)?;
        let place: Option<i64> = sqlx::query_scalar(
            "UPDATE relay SET last_seq = last_seq + 1 WHERE id = 1 AND schema_version = $1 RETURNING last_seq",
        )
        .bind(self.release)
        .fetch_optional(&mut *tx)
        .await
        .map_err(&failed)?;
        let seq = place.ok_or(StoreError::Moved { release: self.release })?;
        if let Some(used) = find(&mut *tx, nonce).await.map_err(&failed)? {
            tx.rollback().await.map_err(&failed)?;
            return Ok(used.compared_with(digest));
        }
        let sealed = seal(seq);
        let insert = sqlx::query(match self.release {
            1 => "INSERT INTO events (seq, key_id, body) VALUES ($1, $2, $3)",
            _ => "INSERT INTO events (seq, key_id, body, size) VALUES ($1, $2, $3, $4)",
        });
        let mut insert = insert.bind(seq).bind(sealed.key_id).bind(sealed.body);
        if self.release > 1 {
            insert = insert.bind(sealed.size);
        }
        insert.execute(&mut *tx).await.map_err(&failed)?;
        sqlx::query("INSERT INTO nonces (nonce, seq, digest) VALUES ($1, $2, $3)")
            .bind(nonce.to_vec())
            .bind(seq)
            .bind(digest.to_vec())
            .execute(&mut *tx)
            .await
            .map_err(&failed)?;
        tx.commit().await.map_err(&failed)?;
        Ok(Appended::At(seq))
    }

    /// What follows `since`, in order.
    pub(super) async fn after(&self, since: i64, limit: i64) -> Result<Vec<Row>, StoreError> {
        let select = match self.release {
            1 => {
                "SELECT e.seq, n.nonce, e.key_id, e.body FROM events e JOIN nonces n ON n.seq = e.seq \
                  WHERE e.seq > $1 ORDER BY e.seq LIMIT $2"
            }
            _ => {
                "SELECT e.seq, n.nonce, e.key_id, e.body, e.size FROM events e JOIN nonces n ON n.seq = e.seq \
                  WHERE e.seq > $1 ORDER BY e.seq LIMIT $2"
            }
        };
        sqlx::query_as(select)
            .bind(since)
            .bind(limit)
            .fetch_all(&self.pool)
            .await
            .map_err(StoreError::asking("read events"))
    }

    pub(super) async fn keep_key(&self, id: &str, wrapped: &str) -> Result<(), StoreError> {
        sqlx::query("INSERT INTO data_keys (id, wrapped) VALUES ($1, $2)")
            .bind(id.to_owned())
            .bind(wrapped.to_owned())
            .execute(&self.pool)
            .await
            .map_err(StoreError::asking("keep a data key"))?;
        Ok(())
    }

    pub(super) async fn wrapped_key(&self, id: &str) -> Result<String, StoreError> {
        sqlx::query_scalar("SELECT wrapped FROM data_keys WHERE id = $1")
            .bind(id.to_owned())
            .fetch_one(&self.pool)
            .await
            .map_err(StoreError::asking("read a data key"))
    }

    /// Writes the time into the one heartbeat row; the newest one in a backup tells how much it misses.
    pub(super) async fn beat(&self) -> Result<(), StoreError> {
        let upsert = match self.dialect {
            Dialect::Postgres => {
                "INSERT INTO heartbeat (id, at) VALUES (1, now()) ON CONFLICT (id) DO UPDATE SET at = excluded.at"
            }
            Dialect::Sqlite => {
                "INSERT INTO heartbeat (id, at) VALUES (1, strftime('%Y-%m-%dT%H:%M:%fZ', 'now')) ON CONFLICT (id) DO UPDATE SET at = excluded.at"
            }
        };
        sqlx::query(upsert).execute(&self.pool).await.map_err(StoreError::asking("write a heartbeat"))?;
        Ok(())
    }

    pub(super) async fn close(&self) {
        self.pool.close().await;
    }
}

/// A nonce that was used, and for what.
struct Used {
    seq: i64,
    digest: Vec<u8>,
}

impl Used {
    fn compared_with(self, digest: &[u8; 32]) -> Appended {
        if self.digest == digest { Appended::Before(self.seq) } else { Appended::NonceTaken }
    }
}

async fn find<'c>(
    executor: impl sqlx::Executor<'c, Database = sqlx::Any>,
    nonce: &[u8; NONCE_BYTES],
) -> Result<Option<Used>, sqlx::Error> {
    let row: Option<(i64, Vec<u8>)> = sqlx::query_as("SELECT seq, digest FROM nonces WHERE nonce = $1")
        .bind(nonce.to_vec())
        .fetch_optional(executor)
        .await?;
    Ok(row.map(|(seq, digest)| Used { seq, digest }))
}

/// Puts the password of a file behind the user of `postgres://user@host/…`.
fn with_password(url: &str, file: Option<&Path>) -> Result<String, StoreError> {
    let Some(path) = file else { return Ok(url.to_owned()) };
    let password = std::fs::read_to_string(path)
        .map_err(|err| StoreError::Password { path: path.display().to_string(), err })?;
    let quoted: String = password
        .trim()
        .bytes()
        .map(|byte| match byte {
            b'0'..=b'9' | b'A'..=b'Z' | b'a'..=b'z' | b'-' | b'_' => char::from(byte).to_string(),
            _ => format!("%{byte:02X}"),
        })
        .collect();
    Ok(url.replacen('@', &format!(":{quoted}@"), 1))
}
