//! PostgreSQL, asked inside its own container over its local socket with its own clients: versions always fit, nothing is
//! published, and the password, where one is needed, goes in by stdin.
//!
//! ```text
//! psql  (held open)   BEGIN REPEATABLE READ; pg_export_snapshot(); counts; heartbeat   ...   COMMIT
//! pg_dump -Fc -Z0 --snapshot=...   ---> DB.postgres.dump.zst.age
//! pg_dumpall --globals-only        ---> DB.postgres.globals.sql.zst.age
//! ```

mod capture;
mod restore;
mod session;

use host::{Engine, EngineError, ExecRequest, Running};
use secrets::Secret;
use tokio::io::AsyncWriteExt;

pub use capture::capture;
pub use restore::{Restored, restore};
pub(crate) use session::heartbeat_of;

use crate::{
    seal::SealError,
    tail::{Ending, ProgramFailed},
};

/// Where a database is, and as whom it is asked.
#[derive(Debug, Clone, Copy)]
pub struct PostgresAccess<'a> {
    /// The server's container.
    pub container: &'a str,
    /// The database.
    pub database: &'a str,
    /// The role.
    pub user: &'a str,
    /// Its password, where the local socket asks for one.
    pub password: Option<&'a Secret<String>>,
}

/// A database could not be captured, or brought back.
#[derive(Debug, thiserror::Error)]
pub enum PostgresError {
    /// A program could not be run beside the server.
    #[error("cannot run `{program}` in `{container}`")]
    Engine {
        /// Which.
        program: &'static str,
        /// Where.
        container: String,
        /// Why.
        #[source]
        err: EngineError,
    },
    /// A program ran and failed.
    #[error("cannot {doing}")]
    Program {
        /// What it was for.
        doing: String,
        /// How it ended.
        #[source]
        err: ProgramFailed,
    },
    /// The connection to a program broke.
    #[error("lost the connection to `{program}`")]
    Lost {
        /// Which.
        program: &'static str,
        /// How.
        #[source]
        err: std::io::Error,
    },
    /// An answer that is not one.
    #[error("cannot {doing}: the server's answer `{answer}` is not understood")]
    Answer {
        /// What was asked.
        doing: String,
        /// What came.
        answer: String,
    },
    /// The stream could not be sealed.
    #[error("cannot seal the dump")]
    Seal(#[from] SealError),
    /// The server did not accept connections in time.
    #[error("the server in `{container}` did not accept connections in {}: {said}", diag::duration(std::time::Duration::from_secs(*.seconds)))]
    NotReady {
        /// Where.
        container: String,
        /// How long it was asked.
        seconds: u64,
        /// What it said last.
        said: String,
    },
    /// There is data where a set would be restored, and nothing is overwritten.
    #[error("the database `{database}` in `{container}` already holds {tables} tables, `{first}` among them")]
    NotEmpty {
        /// The database.
        database: String,
        /// Where.
        container: String,
        /// How many.
        tables: usize,
        /// One of them.
        first: String,
    },
    /// The set's object broke off or was refused on the way in; nothing of it was kept.
    #[error("cannot read what is to be restored")]
    Source(#[source] std::io::Error),
    /// The programs ended well and complained nevertheless.
    #[error("`{program}` reported {errors} errors: {said}")]
    Complained {
        /// Which.
        program: &'static str,
        /// How many.
        errors: usize,
        /// The last it said.
        said: String,
    },
}

/// Gives the client the password that is the first line of stdin; what follows there is the client's own.
///
/// The client's environment could be read by every process of its user, so the password goes by way of a file that only
/// the client has: libpq insists on a plain one, and it has no name any more when the client starts. A `PGPASSWORD` of
/// the container's own would win over it.
const WITH_PASSWORD: &str = r#"umask 077; set -C; IFS= read -r word
for place in /dev/shm /tmp; do
    file=$place/.pgpass-$$; rm -f "$file"
    { printf '*:*:*:*:%s\n' "$(printf %s "$word" | sed 's/[\\:]/\\&/g')" >"$file"; } 2>/dev/null && break
done
exec 3<"$file"; rm -f "$file"; unset word PGPASSWORD
export PGPASSFILE=/proc/self/fd/3; exec "$@""#;

impl PostgresAccess<'_> {
    /// Runs a client in the container, and gives it the password first where there is one.
    async fn run(
        &self,
        engine: &dyn Engine,
        command: Vec<String>,
        stdin: bool,
    ) -> Result<Running, PostgresError> {
        let program = program_of(&command);
        let command = match self.password {
            None => command,
            Some(_) => {
                ["sh", "-c", WITH_PASSWORD, "sh"].into_iter().map(String::from).chain(command).collect()
            }
        };
        let request =
            ExecRequest { command, stdin: stdin || self.password.is_some(), ..ExecRequest::default() };
        let container = self.container.to_owned();
        let started = engine.exec(self.container, &request).await;
        let mut running = started.map_err(|err| PostgresError::Engine { program, container, err })?;
        if let (Some(password), Some(input)) = (self.password, running.stdin.as_mut()) {
            let line = Secret::new(format!("{}\n", password.expose()));
            let written = input.write_all(line.expose().as_bytes()).await;
            written.map_err(|err| PostgresError::Lost { program, err })?;
            input.flush().await.map_err(|err| PostgresError::Lost { program, err })?;
        }
        if !stdin && let Some(mut input) = running.stdin.take() {
            // Its end, not its loss: the program may not have read the line yet.
            input.shutdown().await.map_err(|err| PostgresError::Lost { program, err })?;
        }
        Ok(running)
    }

    /// A client's name and the arguments that all of them take.
    fn command(&self, program: &str, arguments: &[&str]) -> Vec<String> {
        let mut command = vec![program, "--no-password", "--username", self.user];
        command.extend(arguments);
        command.into_iter().map(String::from).collect()
    }

    fn ended(&self, program: &'static str, doing: &str, ending: Ending) -> PostgresError {
        match ending {
            Ending::Engine(err) => {
                PostgresError::Engine { program, container: self.container.to_owned(), err }
            }
            Ending::Failed(err) => PostgresError::Program { doing: doing.to_owned(), err },
        }
    }
}

fn program_of(command: &[String]) -> &'static str {
    match command.first().map(String::as_str) {
        Some("psql") => "psql",
        Some("pg_dump") => "pg_dump",
        Some("pg_dumpall") => "pg_dumpall",
        _ => "pg_restore",
    }
}
