//! A `psql` held open: statements in, one line of JSON a row out.

use std::collections::BTreeMap;

use futures_util::future::BoxFuture;
use host::{Engine, EngineError};
use serde::Deserialize;
use serde_json::Value;
use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncWrite, AsyncWriteExt, BufReader, Lines};

use super::{PostgresAccess, PostgresError};
use crate::tail::{Tail, ended_well};

/// Rows of every table that holds a user's data: no catalogue, no extension's own, no parent of partitions.
/// Each name is quoted as the server would, so that two names never look the same.
const COUNTS: &str = r"
SELECT format('SELECT json_build_object(''table'', %L, ''rows'', count(*)) FROM ONLY %I.%I',
              format('%I.%I', n.nspname, c.relname), n.nspname, c.relname)
  FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
 WHERE c.relkind = 'r' AND c.relpersistence <> 't'
   AND n.nspname NOT IN ('pg_catalog', 'information_schema') AND n.nspname !~ '^pg_(toast|temp)'
   AND NOT EXISTS (SELECT FROM pg_catalog.pg_depend d WHERE d.objid = c.oid
                    AND d.classid = 'pg_catalog.pg_class'::regclass AND d.deptype = 'e')
 ORDER BY 1
\gexec
";

/// One conversation with the server.
pub(super) struct Session<'a> {
    access: PostgresAccess<'a>,
    input: Box<dyn AsyncWrite + Send + Unpin>,
    output: Lines<BufReader<Box<dyn AsyncRead + Send + Unpin>>>,
    tail: Tail,
    exit: BoxFuture<'static, Result<i64, EngineError>>,
}

impl<'a> Session<'a> {
    /// Opens a session on `database`.
    pub(super) async fn open(
        engine: &dyn Engine,
        access: PostgresAccess<'a>,
        database: &str,
    ) -> Result<Self, PostgresError> {
        let arguments = ["--no-psqlrc", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "--dbname", database];
        let mut running = access.run(engine, access.command("psql", &arguments), true).await?;
        let input = running
            .stdin
            .take()
            .ok_or(PostgresError::Lost { program: "psql", err: std::io::ErrorKind::BrokenPipe.into() })?;
        let output = BufReader::new(running.stdout).lines();
        let mut session = Self { access, input, output, tail: Tail::of(running.stderr), exit: running.exit };
        // A capture may be longer than the limits a server sets for its applications; row security would hide rows.
        let settings =
            "SET statement_timeout = 0; SET idle_in_transaction_session_timeout = 0; SET row_security = off;";
        match session.write(settings).await {
            Ok(()) => Ok(session),
            Err(err) => Err(session.why("connect to the database", err).await),
        }
    }

    /// Says `statements` and gives the rows that come back, each a line. Consumes the session when it fails: with
    /// `ON_ERROR_STOP`, `psql` is gone then.
    pub(super) async fn ask(
        mut self,
        doing: &str,
        statements: &str,
    ) -> Result<(Self, Vec<String>), PostgresError> {
        const DONE: &str = "seaworthy: answered";
        let said = self.write(&format!("{statements}\nSELECT '{DONE}';\n")).await;
        if let Err(err) = said {
            return Err(self.why(doing, err).await);
        }
        let mut rows = Vec::new();
        loop {
            match self.output.next_line().await {
                Ok(Some(line)) if line == DONE => return Ok((self, rows)),
                Ok(Some(line)) => rows.push(line),
                Ok(None) => return Err(self.why(doing, std::io::ErrorKind::UnexpectedEof.into()).await),
                Err(err) => return Err(self.why(doing, err).await),
            }
        }
    }

    /// The one row that `statements` gives.
    pub(super) async fn one<T: for<'de> Deserialize<'de>>(
        self,
        doing: &str,
        statements: &str,
    ) -> Result<(Self, T), PostgresError> {
        let (session, rows) = self.ask(doing, statements).await?;
        let answer = rows.join("\n");
        match serde_json::from_str(&answer) {
            Ok(value) => Ok((session, value)),
            Err(_) => Err(PostgresError::Answer { doing: doing.to_owned(), answer }),
        }
    }

    /// Rows by table, exact, in the session's snapshot.
    pub(super) async fn counts(self) -> Result<(Self, BTreeMap<String, u64>), PostgresError> {
        #[derive(Deserialize)]
        struct Count {
            table: String,
            rows: u64,
        }
        let doing = "count the rows of every table";
        let (session, rows) = self.ask(doing, COUNTS).await?;
        let mut counts = BTreeMap::new();
        for answer in rows.into_iter().filter(|row| !row.is_empty()) {
            let count: Count = serde_json::from_str(&answer)
                .map_err(|_| PostgresError::Answer { doing: doing.to_owned(), answer })?;
            counts.insert(count.table, count.rows);
        }
        Ok((session, counts))
    }

    /// The newest heartbeat that the stack's own query finds.
    pub(super) async fn heartbeat(
        self,
        query: Option<&str>,
    ) -> Result<(Self, Option<jiff::Timestamp>), PostgresError> {
        let Some(query) = query else { return Ok((self, None)) };
        let doing = "ask for the newest heartbeat";
        // As a value of JSON a time is written in one way, whatever the server's date style is.
        let query = query.trim().trim_end_matches(';');
        let statement = format!("SELECT json_build_object('heartbeat', (\n{query}\n));");
        let (session, row): (_, Value) = self.one(doing, &statement).await?;
        match heartbeat_of(&row["heartbeat"]) {
            Ok(heartbeat) => Ok((session, heartbeat)),
            Err(()) => Err(PostgresError::Answer { doing: doing.to_owned(), answer: row.to_string() }),
        }
    }

    /// Ends the session and sees that it ended well.
    pub(super) async fn close(mut self, doing: &str, statements: &str) -> Result<(), PostgresError> {
        if let Err(err) = self.write(statements).await {
            return Err(self.why(doing, err).await);
        }
        self.finish(doing).await
    }

    async fn write(&mut self, statements: &str) -> std::io::Result<()> {
        self.input.write_all(statements.as_bytes()).await?;
        self.input.write_all(b"\n").await?;
        self.input.flush().await
    }

    /// `psql` is gone; what it said on its way out is the reason, and `err` only the symptom.
    async fn why(self, doing: &str, err: std::io::Error) -> PostgresError {
        match self.finish(doing).await {
            Err(reason) => reason,
            Ok(()) => PostgresError::Lost { program: "psql", err },
        }
    }

    async fn finish(mut self, doing: &str) -> Result<(), PostgresError> {
        // Already gone is as good as ended: its exit status tells.
        let _ = self.input.shutdown().await;
        drop(self.input);
        while let Ok(Some(_)) = self.output.next_line().await {}
        match ended_well("psql", self.exit, self.tail).await {
            Ok(_) => Ok(()),
            Err(ending) => Err(self.access.ended("psql", doing, ending)),
        }
    }
}

/// A heartbeat as a query may give it: a time, or seconds since 1970.
pub(crate) fn heartbeat_of(value: &Value) -> Result<Option<jiff::Timestamp>, ()> {
    match value {
        Value::Null => Ok(None),
        Value::Number(seconds) => seconds_since_epoch(seconds.as_f64().ok_or(())?),
        Value::String(text) => match text.trim().parse::<f64>() {
            Ok(seconds) => seconds_since_epoch(seconds),
            Err(_) => time_of(text.trim()).map(Some),
        },
        _ => Err(()),
    }
}

fn seconds_since_epoch(seconds: f64) -> Result<Option<jiff::Timestamp>, ()> {
    #[expect(clippy::cast_possible_truncation, reason = "jiff refuses what is out of its range")]
    let micros = (seconds * 1e6) as i64;
    jiff::Timestamp::from_microsecond(micros).map(Some).map_err(|_| ())
}

/// With an offset, or without one in UTC.
fn time_of(text: &str) -> Result<jiff::Timestamp, ()> {
    if let Ok(time) = text.parse() {
        return Ok(time);
    }
    let civil: jiff::civil::DateTime = text.parse().map_err(|_| ())?;
    Ok(civil.to_zoned(jiff::tz::TimeZone::UTC).map_err(|_| ())?.timestamp())
}

/// A name or a text as SQL writes it.
pub(super) fn identifier(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// A text as an SQL literal. `E` where there is a backslash: it means the same whatever the server's settings.
pub(super) fn literal(text: &str) -> String {
    format!("E'{}'", text.replace('\\', "\\\\").replace('\'', "''"))
}
