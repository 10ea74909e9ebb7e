//! `demo`: the whole life of a bundled stack, from nothing to a proven recovery.
//!
//! It types the same commands a person would, one after the other, and decides nothing that they do not.

use std::{
    fs, io,
    io::Write,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use diag::{Diagnostic, Exit, Stop};
use host::{Docker, Trouble};
use runner::StateDir;
use secrets::{Secret, Store};
use stack::{EngineKind, SecretName, StackName};

use crate::{cli::DemoArgs, context, settings::Settings, view::View};

const COMPOSE: &str = include_str!("../../../../examples/demo/compose.yaml");
const SETTINGS: &str = include_str!("../../../../examples/demo/seaworthy.toml");
/// How many holders the bundled settings name.
const HOLDERS: usize = 3;
/// How many of them unseal.
const THRESHOLD: usize = 2;

pub(crate) async fn demo(args: DemoArgs, settings: &Settings, view: &View) -> Result<Exit, Stop> {
    let DemoArgs { dir, clean } = args;
    let began = Instant::now();
    let dir = make_place(dir).map_err(|err| unusable(&err))?;
    let (engine, image) = choose_engine(settings, view).await?;
    let demo = Demo::lay_out(dir, engine, image, view.clone())?;
    let took = demo.live().await?;
    demo.tell(&took, began.elapsed(), clean);
    if clean {
        demo.clean()?;
    }
    Ok(Exit::Done)
}

/// One walk through a stack's life.
struct Demo {
    dir: PathBuf,
    engine: EngineKind,
    image: String,
    port: u16,
    executable: PathBuf,
    holders: Vec<Secret<String>>,
    view: View,
}

/// Parts of the walk and what each took.
type Took = Vec<(&'static str, Duration)>;

impl Demo {
    /// Writes the bundled files, and the keys that a real stack's people would keep elsewhere.
    fn lay_out(dir: PathBuf, engine: EngineKind, image: String, view: View) -> Result<Self, Stop> {
        let executable = std::env::current_exe().map_err(|err| unusable(&err))?;
        let written = || -> io::Result<Vec<Secret<String>>> {
            fs::create_dir_all(dir.join("bin"))?;
            fs::create_dir_all(dir.join("backups"))?;
            // The embedded engine runs `seaworthy`, whatever this file is called.
            std::os::unix::fs::symlink(&executable, dir.join("bin/seaworthy"))?;
            fs::write(dir.join("compose.yaml"), COMPOSE)?;
            let identity = secrets::new_identity_file();
            write_private(&dir.join("identity.txt"), identity.expose())?;
            Ok((0..HOLDERS).map(|_| secrets::new_identity_file()).collect())
        };
        let holders = written().map_err(|err| unusable(&err))?;
        let port = free_port().map_err(|err| unusable(&err))?;
        Ok(Self { dir, engine, image, port, executable, holders, view })
    }

    async fn live(&self) -> Result<Took, Stop> {
        let mut took = Took::new();
        let mut part = |name: &'static str, work: &dyn Fn() -> Result<(), Stop>| -> Result<(), Stop> {
            let began = Instant::now();
            work()?;
            took.push((name, began.elapsed()));
            Ok(())
        };
        part("init", &|| {
            self.type_in(&["init"], None, &[0])?;
            self.view.say(
                "(the demo adds what only its author knows: which file is state, what it runs natively)",
            );
            self.write_settings()
        })?;
        part("bootstrap", &|| {
            self.type_in(&["bootstrap", "--shares-out", &self.path("shares")], None, &[0])
        })?;
        part("preflight", &|| self.type_in(&["preflight"], None, &[0]))?;
        part("deploy", &|| self.type_in(&["deploy", "--shares", "-"], Some(self.shares()?), &[0]))?;
        part("load", &|| self.load())?;
        part("backup", &|| self.type_in(&["backup"], None, &[0]))?;
        part("a bad release, undone", &|| self.bad_release())?;
        part("destroy", &|| self.type_in(&["destroy", "--volumes", "--confirm", "demo"], None, &[0]))?;
        part("restore", &|| {
            let identity = self.path("identity.txt");
            self.type_in(&["restore", "--identity", &identity, "--shares", "-"], Some(self.shares()?), &[0])
        })?;
        part("every acknowledged event is there", &|| self.verify())?;
        part("drill", &|| {
            let identity = self.path("identity.txt");
            self.type_in(&["drill", "--identity", &identity, "--shares", "-"], Some(self.shares()?), &[0])
        })?;
        Ok(took)
    }

    /// The bundled settings with the public halves of the keys filled in.
    fn write_settings(&self) -> Result<(), Stop> {
        let identity = fs::read_to_string(self.dir.join("identity.txt"))
            .map(Secret::new)
            .map_err(|err| unusable(&err))?;
        let mut text = SETTINGS.replace("@RECIPIENT@", &public_half(&identity)?);
        for (number, holder) in self.holders.iter().enumerate() {
            text = text.replace(&format!("@HOLDER{}@", number + 1), &public_half(holder)?);
        }
        fs::write(self.dir.join("seaworthy.toml"), text).map_err(|err| unusable(&err))
    }

    /// What two of the holders would type.
    fn shares(&self) -> Result<Secret<String>, Stop> {
        let mut shares = String::new();
        for (number, holder) in self.holders.iter().enumerate().take(THRESHOLD) {
            let path = self.dir.join(format!("shares/share-{}.age", number + 1));
            let sealed = fs::read(&path).map_err(|err| unusable(&err))?;
            let identities = secrets::parse_identities(holder.expose()).map_err(|err| unusable(&err))?;
            let share = secrets::open(&identities, &sealed).map_err(|err| unusable(&err))?;
            shares.push_str(&String::from_utf8_lossy(share.expose()));
            shares.push('\n');
        }
        Ok(Secret::new(shares))
    }

    fn load(&self) -> Result<(), Stop> {
        let secret = self.relay_secret()?;
        let (url, ledger) = (self.url()?, self.path("ledger"));
        let words = [
            "app",
            "load",
            "--url",
            &url,
            "--rate",
            "50",
            "--seconds",
            "4",
            "--ledger",
            &ledger,
            "--secret-file",
            &secret,
        ];
        self.run(&words, None, &[0], &[])
    }

    fn verify(&self) -> Result<(), Stop> {
        let (url, ledger) = (self.url()?, self.path("ledger"));
        self.run(&["app", "load", "verify", "--url", &url, "--ledger", &ledger], None, &[0], &[])
    }

    fn bad_release(&self) -> Result<(), Stop> {
        self.view.say("\n$ RELAY_FAULT=never-ready seaworthy deploy");
        self.run(&["deploy"], None, &[1], &[("RELAY_FAULT", "never-ready")])
    }

    /// The relay's signing secret, as the load client needs it: from the sealed store into a private file.
    fn relay_secret(&self) -> Result<String, Stop> {
        let state = StateDir::new(self.dir.join("state"));
        let store = Store::open(state.stack(&StackName::from("demo")).secrets(), runner::keyring(&state)?);
        let value = store.get(&SecretName::from("relay_jwt"), 1).map_err(|err| unusable(&err))?;
        let path = self.dir.join("relay-secret");
        write_private(&path, value.expose()).map_err(|err| unusable(&err))?;
        Ok(path.display().to_string())
    }

    /// Where the relay is reached from here.
    fn url(&self) -> Result<String, Stop> {
        match self.engine {
            EngineKind::Docker => Ok(format!("http://127.0.0.1:{}", self.port)),
            EngineKind::Process => {
                let engine = host::Process::open(&self.dir.join("state"), self.executable.clone());
                let address = engine.address("demo-relay-1").map_err(|err| unusable(&err))?;
                Ok(format!("http://{address}:8080"))
            }
        }
    }

    /// Says the command as a person would type it, and runs it.
    fn type_in(&self, words: &[&str], input: Option<Secret<String>>, expected: &[i32]) -> Result<(), Stop> {
        self.view.say(&format!("\n$ seaworthy {}", words.join(" ")));
        self.run(words, input, expected, &[])
    }

    fn run(
        &self,
        words: &[&str],
        input: Option<Secret<String>>,
        expected: &[i32],
        environment: &[(&str, &str)],
    ) -> Result<(), Stop> {
        let mut child = self.command(words, environment);
        child.stdin(if input.is_some() { Stdio::piped() } else { Stdio::null() });
        let mut child = child.spawn().map_err(|err| unusable(&err))?;
        if let (Some(input), Some(mut stdin)) = (input, child.stdin.take()) {
            stdin.write_all(input.expose().as_bytes()).map_err(|err| unusable(&err))?;
        }
        let status = child.wait().map_err(|err| unusable(&err))?;
        match status.code() {
            Some(code) if expected.contains(&code) => Ok(()),
            _ => Err(Stop::new(
                Exit::Findings,
                Diagnostic::error("demo", format!("`seaworthy {}` ended with {status}", words.join(" ")))
                    .hint(format!("what there is of it: {}", self.dir.display())),
            )),
        }
    }

    fn command(&self, words: &[&str], environment: &[(&str, &str)]) -> Command {
        let mut command = Command::new(&self.executable);
        if words.first() != Some(&"app") {
            let engine = match self.engine {
                EngineKind::Docker => "docker",
                EngineKind::Process => "process",
            };
            command.args(["--engine", engine]);
        }
        let mut path = std::ffi::OsString::from(self.dir.join("bin"));
        path.push(":");
        path.push(std::env::var_os("PATH").unwrap_or_default());
        command
            .args(words)
            .current_dir(&self.dir)
            .env("PATH", path)
            .env("SEAWORTHY_STATE_DIR", self.dir.join("state"))
            .env("DEMO_IMAGE", &self.image)
            .env("DEMO_PORT", self.port.to_string())
            .envs(environment.iter().copied());
        command
    }

    fn path(&self, name: &str) -> String {
        self.dir.join(name).display().to_string()
    }

    fn tell(&self, took: &Took, total: Duration, clean: bool) {
        let engine = match self.engine {
            EngineKind::Docker => "containers",
            EngineKind::Process => "native processes, which isolates nothing",
        };
        self.view.say(&format!("\nThe demo ran on {engine}:"));
        for (name, duration) in took {
            self.view.say(&format!("  {name:<36} {:>6}", report::text::duration(duration.as_secs_f64())));
        }
        self.view.say(&format!("  {:<36} {:>6}", "in all", report::text::duration(total.as_secs_f64())));
        if clean {
            return;
        }
        let dir = self.dir.display();
        let engine = match self.engine {
            EngineKind::Docker => "",
            EngineKind::Process => " --engine process",
        };
        self.view.say(&format!(
            "\nThe stack is left running, to look at:\n  cd {dir} && export SEAWORTHY_STATE_DIR={dir}/state DEMO_IMAGE={} DEMO_PORT={} PATH={dir}/bin:$PATH\n  seaworthy{engine} status\nRemove it:\n  seaworthy{engine} destroy --volumes --confirm demo && rm -r {dir}",
            self.image, self.port
        ));
    }

    fn clean(&self) -> Result<(), Stop> {
        self.type_in(&["destroy", "--volumes", "--confirm", "demo"], None, &[0])?;
        fs::remove_dir_all(&self.dir).map_err(|err| unusable(&err))
    }
}

/// Docker where it answers, else the embedded engine: only the demo falls back by itself.
async fn choose_engine(settings: &Settings, view: &View) -> Result<(EngineKind, String), Stop> {
    if settings.engine == Some(EngineKind::Process) {
        return Ok((EngineKind::Process, String::new()));
    }
    match Docker::connect().await {
        Ok(docker) => {
            let image = docker.ensure_self_image("seaworthy-demo", &[]).await;
            let image = image.map_err(|err| Stop::precondition(context::engine_trouble(&err)))?;
            view.say(&format!(
                "A container engine answers: the demo runs as containers of {image}, made of this binary."
            ));
            Ok((EngineKind::Docker, image))
        }
        Err(err) if settings.engine.is_none() && matches!(err.trouble, Trouble::Absent | Trouble::Denied) => {
            view.say(
                "No container engine answers: the demo runs as native processes, which isolates nothing.",
            );
            Ok((EngineKind::Process, String::new()))
        }
        Err(err) => Err(Stop::precondition(context::engine_trouble(&err))),
    }
}

/// An empty directory: the one asked for, or a new one.
fn make_place(dir: Option<PathBuf>) -> io::Result<PathBuf> {
    let dir = match dir {
        Some(dir) => std::path::absolute(dir)?,
        None => std::env::temp_dir().join(format!("seaworthy-demo-{}", std::process::id())),
    };
    fs::create_dir_all(&dir)?;
    if fs::read_dir(&dir)?.next().is_some() {
        return Err(io::Error::new(
            io::ErrorKind::AlreadyExists,
            format!("`{}` is not empty", dir.display()),
        ));
    }
    Ok(dir)
}

fn free_port() -> io::Result<u16> {
    Ok(std::net::TcpListener::bind("127.0.0.1:0")?.local_addr()?.port())
}

fn write_private(path: &Path, text: &str) -> io::Result<()> {
    host::files::replace(path, text.as_bytes(), host::files::Readers::Owner)
}

fn public_half(identity: &Secret<String>) -> Result<String, Stop> {
    let halves = secrets::recipients_of(identity.expose()).map_err(|err| unusable(&err))?;
    Ok(halves.into_iter().next().unwrap_or_default())
}

fn unusable(error: &(dyn std::error::Error + 'static)) -> Stop {
    Stop::precondition(
        Diagnostic::error("demo", "the demo cannot be laid out")
            .caused_by(error)
            .hint("--dir DIR, empty and yours"),
    )
}
