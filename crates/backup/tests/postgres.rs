//! Real PostgreSQL servers, made for the test: one is captured while it is written to, another takes the set.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod local;

use std::{
    fs,
    net::TcpListener,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::Duration,
};

use backup::{PostgresAccess, PostgresError, Restored, capture_postgres, open_stream, restore_postgres};
use local::{Local, files, identities, manifest, set, skipped, target, writer};
use plan::set::{Manifest, Object, Role};
use secrets::{Identities, Secret};
use tokio::io::AsyncReadExt;

const HEARTBEAT: &str = "SELECT max(at) FROM heartbeat;";

/// A server of its own, with its own socket; gone when dropped.
struct Server {
    directory: tempfile::TempDir,
    port: u16,
    password: Option<Secret<String>>,
    engine: Local,
}

impl Server {
    /// `None`, loudly, where there is no PostgreSQL.
    fn start(password: Option<&str>) -> Option<Self> {
        let Some(initdb) = program("initdb") else {
            skipped("PostgreSQL's server is not installed");
            return None;
        };
        let directory = tempfile::Builder::new().prefix("swt-pg-").tempdir().unwrap();
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let path = directory.path();
        let (data, pwfile) = (path.join("data"), path.join("password"));
        fs::write(&pwfile, password.unwrap_or("unused")).unwrap();
        if is_root() {
            assert!(Command::new("chown").args(["-R", "postgres"]).arg(path).status().unwrap().success());
        }
        let method = if password.is_some() { "scram-sha-256" } else { "trust" };
        let made = as_postgres(&initdb)
            .args(["--username=owner", "--no-sync", "--encoding=UTF8", "--locale=C", "--auth", method])
            .arg(format!("--pwfile={}", pwfile.display()))
            .arg("--pgdata")
            .arg(&data)
            .output()
            .unwrap();
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        let path = path.display().to_string();
        let engine = Local {
            environment: vec![("PGHOST".into(), path.clone()), ("PGPORT".into(), port.to_string())],
            side: Vec::new(),
            volume: PathBuf::new(),
        };
        let options = format!("-p {port} -k {path} -c listen_addresses=127.0.0.1 -c fsync=off");
        let started = as_postgres(&initdb.with_file_name("pg_ctl"))
            .args(["--wait", "--silent", "--options", &options, "--log"])
            .arg(format!("{path}/log"))
            .arg("--pgdata")
            .arg(&data)
            .arg("start")
            .status()
            .unwrap();
        assert!(started.success());
        Some(Self { directory, port, password: password.map(Secret::from), engine })
    }

    fn access<'a>(&'a self, database: &'a str) -> PostgresAccess<'a> {
        PostgresAccess { container: "db", database, user: "owner", password: self.password.as_ref() }
    }

    fn psql(&self, database: &str, sql: &str) -> Command {
        let mut psql = Command::new("psql");
        psql.args([
            "-X",
            "-q",
            "-A",
            "-t",
            "-v",
            "ON_ERROR_STOP=1",
            "-U",
            "owner",
            "-d",
            database,
            "-c",
            sql,
        ])
        .env("PGHOST", self.directory.path())
        .env("PGPORT", self.port.to_string())
        .stderr(Stdio::piped());
        if let Some(password) = &self.password {
            psql.env("PGPASSWORD", password.expose());
        }
        psql
    }

    fn ask(&self, database: &str, sql: &str) -> String {
        let output = self.psql(database, sql).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let pg_ctl = program("initdb").unwrap().with_file_name("pg_ctl");
        let data = self.directory.path().join("data");
        let _ = as_postgres(&pg_ctl)
            .args(["--silent", "--mode=immediate", "stop", "--pgdata"])
            .arg(data)
            .status();
    }
}

fn program(name: &str) -> Option<PathBuf> {
    let versions = fs::read_dir("/usr/lib/postgresql").ok()?;
    let mut found: Vec<_> = versions.map(|version| version.unwrap().path().join("bin").join(name)).collect();
    found.retain(|path| path.is_file());
    found.sort();
    found.pop()
}

fn is_root() -> bool {
    rustix::process::getuid().is_root()
}

/// The server refuses to run as root.
fn as_postgres(program: &Path) -> Command {
    let mut command = if is_root() {
        let mut command = Command::new("runuser");
        command.args(["-u", "postgres", "--"]).arg(program);
        command
    } else {
        Command::new(program)
    };
    command.current_dir("/tmp").stdout(Stdio::null());
    command
}

/// A database with what makes dumps hard: roles, owners, a view, a sequence, a partitioned table, odd names.
const SCHEMA: &str = r#"
CREATE ROLE app LOGIN PASSWORD 'app-secret';
CREATE ROLE reader;
CREATE TABLE debit (n bigserial PRIMARY KEY);
CREATE TABLE credit (n bigint REFERENCES debit);
CREATE TABLE heartbeat (at timestamptz);
CREATE TABLE stop (n int);
CREATE TABLE "odd | ""name""" (n int);
INSERT INTO "odd | ""name""" SELECT generate_series(1, 5);
CREATE TABLE parts (n int) PARTITION BY RANGE (n);
CREATE TABLE parts_low PARTITION OF parts FOR VALUES FROM (0) TO (100);
INSERT INTO parts SELECT generate_series(1, 7);
CREATE VIEW seen AS SELECT count(*) FROM debit;
CREATE SCHEMA other AUTHORIZATION app;
CREATE TABLE other.blobs AS SELECT n, repeat(md5(n::text), 40) AS body FROM generate_series(1, 4000) n;
ALTER TABLE other.blobs OWNER TO app;
GRANT SELECT ON debit TO reader;
GRANT reader TO app;
"#;

/// Pairs of rows, each pair in one transaction, with a heartbeat, until it is told to stop.
const LOAD: &str = "
DO $$ BEGIN
  WHILE NOT EXISTS (SELECT FROM stop) LOOP
    WITH one AS (INSERT INTO debit DEFAULT VALUES RETURNING n) INSERT INTO credit SELECT n FROM one;
    INSERT INTO heartbeat VALUES (clock_timestamp());
    COMMIT;
  END LOOP;
END $$;";

fn source() -> Option<Server> {
    let server = Server::start(Some("it's a \"secret\" \\ value"))?;
    server.ask("postgres", "CREATE DATABASE \"my blog\"");
    server.ask("my blog", SCHEMA);
    Some(server)
}

fn load(server: &Server) -> Child {
    let load = server.psql("my blog", LOAD).spawn().unwrap();
    while server.ask("my blog", "SELECT count(*) > 100 FROM debit") != "t" {
        std::thread::sleep(Duration::from_millis(20));
    }
    load
}

/// A captured set, and what opens it.
struct Captured {
    directory: tempfile::TempDir,
    manifest: Manifest,
    identities: Identities,
}

impl Captured {
    async fn from(server: &Server) -> Self {
        let (directory, identities) = (tempfile::tempdir().unwrap(), identities());
        let writer = writer(&target(directory.path()), &identities, set(1));
        let access = server.access("my blog");
        let service = "db".into();
        let objects = capture_postgres(&server.engine, access, &service, Some(HEARTBEAT), &writer);
        let objects = within(objects).await.unwrap();
        Self { directory, manifest: manifest(&writer, objects), identities }
    }

    fn object(&self, role: Role) -> &Object {
        self.manifest.objects.iter().find(|object| object.role == role).unwrap()
    }

    fn stream(&self, role: Role) -> backup::OpenStream {
        let target = target(self.directory.path());
        open_stream(&target, &self.manifest, self.object(role), &self.identities)
    }

    async fn restore(&self, server: &Server, database: &str) -> Result<Restored, PostgresError> {
        let dump = self.stream(Role::Postgres);
        self.restore_stream(server, database, dump).await
    }

    async fn restore_stream(
        &self,
        server: &Server,
        database: &str,
        dump: impl tokio::io::AsyncRead + Unpin,
    ) -> Result<Restored, PostgresError> {
        let (access, globals) = (server.access(database), self.stream(Role::PostgresGlobals));
        let (set, patience) = (&self.manifest.set, Duration::from_secs(20));
        within(restore_postgres(&server.engine, access, set, Some(HEARTBEAT), globals, dump, patience)).await
    }
}

async fn within<T>(future: impl Future<Output = T>) -> T {
    tokio::time::timeout(Duration::from_secs(120), future).await.expect("nothing here takes two minutes")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_captured_under_load_comes_back_as_its_snapshot_was() {
    let (Some(live), Some(fresh)) = (source(), Server::start(None)) else { return };
    let mut load = load(&live);
    let captured = Captured::from(&live).await;
    live.ask("my blog", "INSERT INTO stop VALUES (1)");
    assert!(load.wait().unwrap().success());

    let dump = captured.object(Role::Postgres);
    assert_eq!(dump.counts["public.debit"], dump.counts["public.credit"]);
    assert!(dump.counts["public.debit"] >= 100);
    assert_eq!(dump.counts["public.heartbeat"], dump.counts["public.debit"]);
    assert_eq!((dump.counts["public.\"odd | \"\"name\"\"\""], dump.counts["other.blobs"]), (5, 4000));
    assert_eq!(dump.counts.get("public.parts"), None);
    assert_eq!(dump.counts["public.parts_low"], 7);
    // Everything committed by the object's time is inside. One row may carry an earlier time and no commit yet: there is
    // one writer, so at most one transaction is under way.
    let by_then = format!("SELECT count(*) - 1 FROM heartbeat WHERE at < '{}'", dump.captured_at);
    let committed: i64 = live.ask("my blog", &by_then).parse().unwrap();
    assert!(committed <= dump.counts["public.heartbeat"].try_into().unwrap());
    assert!(
        live.ask("my blog", "SELECT count(*) FROM debit").parse::<u64>().unwrap()
            > dump.counts["public.debit"]
    );

    let restored = captured.restore(&fresh, "my blog").await.unwrap();
    assert_eq!(restored, Restored { counts: dump.counts.clone(), heartbeat: dump.heartbeat, already: false });
    assert_eq!(fresh.ask("my blog", "SELECT tableowner FROM pg_tables WHERE tablename = 'blobs'"), "app");
    assert_eq!(fresh.ask("my blog", "SELECT has_table_privilege('app', 'debit', 'SELECT')"), "t");
    assert_eq!(fresh.ask("my blog", "SELECT count FROM seen"), dump.counts["public.debit"].to_string());
    let verifier = "SELECT rolpassword FROM pg_authid WHERE rolname = 'app'";
    assert_eq!(fresh.ask("postgres", verifier), live.ask("postgres", verifier));

    // Twice is once.
    let again = captured.restore(&fresh, "my blog").await.unwrap();
    assert_eq!(again, Restored { already: true, ..restored });
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_restored_over_data_that_is_not_the_sets() {
    let (Some(live), Some(fresh)) = (source(), Server::start(None)) else { return };
    let captured = Captured::from(&live).await;
    fresh.ask("postgres", "CREATE DATABASE taken");
    fresh.ask("taken", "CREATE TABLE precious (n int)");
    let refused = captured.restore(&fresh, "taken").await.unwrap_err();
    assert_eq!(
        refused.to_string(),
        "the database `taken` in `db` already holds 1 tables, `public.precious` among them"
    );
    let roles = fresh.ask("postgres", "SELECT count(*) FROM pg_roles WHERE rolname IN ('app', 'reader')");
    assert_eq!(roles, "0", "it is refused before anything is touched");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restore_that_breaks_off_leaves_the_database_empty_and_the_next_one_fills_it() {
    let (Some(live), Some(fresh)) = (source(), Server::start(None)) else { return };
    let captured = Captured::from(&live).await;
    let bytes = captured.object(Role::Postgres).plain_bytes;
    for kept in [bytes / 2, 100, bytes - 1] {
        let cut = captured.stream(Role::Postgres).take(kept);
        let failed = captured.restore_stream(&fresh, "blog", cut).await;
        // The last byte of a dump is not needed to restore it; whoever restores has verified the object before.
        if let Ok(whole) = failed {
            assert_eq!((whole.counts, kept), (captured.object(Role::Postgres).counts.clone(), bytes - 1));
            return;
        }
        let tables =
            fresh.ask("blog", "SELECT count(*) FROM pg_tables WHERE schemaname IN ('public', 'other')");
        assert_eq!(tables, "0", "{kept}");
    }
    let restored = captured.restore(&fresh, "blog").await.unwrap();
    assert_eq!(restored.counts, captured.object(Role::Postgres).counts);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_capture_that_fails_leaves_no_object_and_says_what_the_server_said() {
    let Some(live) = source() else { return };
    let directory = tempfile::tempdir().unwrap();
    let writer = writer(&target(directory.path()), &identities(), set(1));
    let capture = |access, heartbeat| {
        let (engine, writer) = (&live.engine, &writer);
        async move { within(capture_postgres(engine, access, &"db".into(), heartbeat, writer)).await.unwrap_err() }
    };
    let said = |err: PostgresError| {
        let cause = std::error::Error::source(&err).unwrap().to_string();
        format!("{err}: {cause}")
    };
    // The password is wrong, the heartbeat query is, the database is, and some rows would be hidden from us.
    let wrong = Secret::from("wrong");
    let access = PostgresAccess { password: Some(&wrong), ..live.access("my blog") };
    let refused = said(capture(access, None).await);
    assert!(refused.contains("password authentication failed"), "{refused}");
    assert!(!refused.contains("wrong"), "{refused}");
    let refused = said(capture(live.access("my blog"), Some("SELECT nonsense")).await);
    assert!(refused.starts_with("cannot ask for the newest heartbeat"), "{refused}");
    assert!(refused.contains("column \"nonsense\" does not exist"), "{refused}");
    let refused = said(capture(live.access("nowhere"), None).await);
    assert!(refused.contains("database \"nowhere\" does not exist"), "{refused}");
    let weaken = "CREATE ROLE weak LOGIN PASSWORD 'weak'; GRANT pg_read_all_data TO weak;
                  ALTER TABLE debit ENABLE ROW LEVEL SECURITY";
    live.ask("my blog", weaken);
    let weak = Secret::from("weak");
    let access = PostgresAccess { user: "weak", password: Some(&weak), ..live.access("my blog") };
    let refused = said(capture(access, None).await);
    assert!(refused.contains("row-level security"), "{refused}");
    assert!(files(directory.path()).is_empty(), "{:?}", files(directory.path()).keys());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_does_not_come_up_is_waited_for_and_then_named() {
    if program("initdb").is_none() {
        skipped("PostgreSQL's server is not installed");
        return;
    }
    let nowhere = tempfile::tempdir().unwrap();
    let environment = vec![("PGHOST".into(), nowhere.path().display().to_string())];
    let engine = Local { environment, side: Vec::new(), volume: PathBuf::new() };
    let access = PostgresAccess { container: "db", database: "blog", user: "owner", password: None };
    let patience = Duration::from_millis(600);
    let empty = || tokio::io::empty();
    let failed = restore_postgres(&engine, access, &set(1), None, empty(), empty(), patience).await;
    let Err(PostgresError::NotReady { said, .. }) = failed else { panic!("{failed:?}") };
    assert!(said.contains("No such file or directory"), "{said}");
}
