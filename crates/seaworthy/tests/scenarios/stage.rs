//! Where one scenario is played: a directory of its own, a state directory, and no engine but the embedded one.
//!
//! ```text
//! ~/stack     the scenario's files; where its commands run
//! ~/state     the state directory
//! ~/bin       `seaworthy`, and `as-nobody COMMAND`: as an account that owns nothing here
//! ```
//!
//! `open-shares IDENTITY OUT SHARE…` is done here: what the holders of sealed shares do with `age -d`.

use std::{
    collections::BTreeMap,
    fs, io,
    os::unix::fs::{PermissionsExt, symlink},
    path::{Path, PathBuf},
    process::{self, Stdio},
    sync::LazyLock,
    time::{Duration, Instant},
};

use host::{Contents, ContentsError, Engine, Process};
use plan::{Delivered, Effect};
use secrets::Secret;
use stack::{ContentId, Text};

use crate::{
    normal::normal,
    script::{Command, Script},
};

/// No command of a scenario takes nearly as long.
const PATIENCE: Duration = Duration::from_secs(180);

/// As root by giving root up; anybody else owns nothing of what the scenarios close.
const AS_NOBODY: &str = "#!/bin/sh
[ \"$(id -u)\" = 0 ] || exec \"$@\"
exec setpriv --reuid 65534 --regid 65534 --clear-groups \"$@\"
";

/// The directory of one scenario. Dropping it ends what still runs there and removes it.
pub(crate) struct Stage {
    root: PathBuf,
    docker: bool,
}

impl Stage {
    /// Makes the directories and the files: `others`, then its own.
    pub(crate) fn set(name: &str, script: &Script, others: &[(String, String)]) -> Self {
        let root = Path::new(env!("CARGO_TARGET_TMPDIR")).join("scenarios").join(name);
        let stage = Self { root, docker: script.needs.iter().any(|need| need == "docker") };
        stage.clear();
        for dir in ["stack", "bin"] {
            fs::create_dir_all(stage.root.join(dir)).unwrap();
        }
        symlink(env!("CARGO_BIN_EXE_seaworthy"), stage.root.join("bin/seaworthy")).unwrap();
        let as_nobody = stage.root.join("bin/as-nobody");
        fs::write(&as_nobody, AS_NOBODY).unwrap();
        fs::set_permissions(&as_nobody, fs::Permissions::from_mode(0o755)).unwrap();
        for (path, content) in others.iter().chain(&script.files) {
            let path = stage.root.join("stack").join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, content).unwrap();
        }
        stage
    }

    /// What keeps a scenario with this need from being played here.
    pub(crate) fn lacks(&self, need: &str) -> Option<String> {
        let works = |line: &str| self.shell(line).status().is_ok_and(|status| status.success());
        let (works, otherwise) = match need {
            "root" => {
                (works("[ \"$(id -u)\" = 0 ] && unshare -m true"), "it mounts a file system: run it as root")
            }
            "nobody" => (works("as-nobody seaworthy --version"), "another account cannot run this binary"),
            "docker" => (works("docker version"), "no Docker Engine answers"),
            "script" => (works("script --version"), "there is no `script`, which lends a terminal"),
            "flock" => (works("flock --version"), "there is no `flock`"),
            _ => panic!("a scenario needs `{need}`, and nobody knows what that is"),
        };
        (!works).then(|| otherwise.to_owned())
    }

    /// Types one line and gives what came of it.
    pub(crate) fn play(&self, command: &Command) -> Command {
        let Command { line, .. } = command;
        if let Some(arguments) = line.strip_prefix("open-shares ") {
            self.open_shares(arguments);
            return Command { line: line.clone(), said: String::new() };
        }
        let before = self.files();
        let (code, stdout, stderr) = self.run(line);
        let mut said = String::new();
        for (mark, text) in [('>', stdout), ('!', stderr)] {
            for line in normal(&text, &self.root).lines() {
                said.push_str(format!("{mark} {line}").trim_end());
                said.push('\n');
            }
        }
        if code != 0 {
            let touched = if self.files() == before { ", nothing touched" } else { "" };
            said.push_str(&format!("exit {code}{touched}\n"));
        }
        Command { line: line.clone(), said }
    }

    fn shell(&self, line: &str) -> process::Command {
        let path = std::env::var("PATH").unwrap_or_default();
        let mut shell = process::Command::new("sh");
        shell.args(["-c", line]).current_dir(self.root.join("stack")).env_clear();
        shell.env("PATH", format!("{}:{path}", self.root.join("bin").display()));
        shell.env("HOME", &self.root).env("LANG", "C.UTF-8");
        shell.env("SEAWORTHY_STATE_DIR", self.root.join("state"));
        if !self.docker {
            shell.env("DOCKER_HOST", format!("unix://{}", self.root.join("no-engine.sock").display()));
        }
        shell.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        shell
    }

    /// Its exit code, stdout and stderr, which go through files: a service that lives on may hold them.
    pub(crate) fn run(&self, line: &str) -> (i32, String, String) {
        let (out, err) = (self.root.join("bin/.stdout"), self.root.join("bin/.stderr"));
        let mut shell = self.shell(line);
        shell.stdout(fs::File::create(&out).unwrap()).stderr(fs::File::create(&err).unwrap());
        let mut child = shell.spawn().unwrap();
        let until = Instant::now() + PATIENCE;
        let status = loop {
            if let Some(status) = child.try_wait().unwrap() {
                break status;
            }
            if Instant::now() > until {
                child.kill().unwrap();
            }
            std::thread::sleep(Duration::from_millis(10));
        };
        let text = |path: &Path| String::from_utf8_lossy(&fs::read(path).unwrap()).into_owned();
        (status.code().unwrap_or(-1), text(&out), text(&err))
    }

    /// Every file with its content, every link with its target, every volume. Logs grow by themselves, and a lock that
    /// was taken and given back leaves its file and its number.
    fn files(&self) -> BTreeMap<PathBuf, Vec<u8>> {
        let mut seen = BTreeMap::new();
        let mut left = vec![self.root.join("stack"), self.root.join("state")];
        while let Some(dir) = left.pop() {
            for entry in fs::read_dir(dir).into_iter().flatten() {
                let path = entry.unwrap().path();
                if path.is_symlink() {
                    let target = fs::read_link(&path).unwrap_or_default();
                    seen.insert(path, target.into_os_string().into_encoded_bytes());
                } else if path.ends_with("data") && path.is_dir() {
                    // What a volume holds is its service's, which goes on writing while we look.
                    seen.insert(path, Vec::new());
                } else if path.is_dir() && !path.ends_with("lock.leases") {
                    left.push(path);
                } else if path.is_file() && !path.ends_with("log") && !path.ends_with("lock") {
                    let content = fs::read(&path).unwrap_or_default();
                    seen.insert(path, content);
                }
            }
        }
        seen
    }

    pub(crate) fn open_shares(&self, arguments: &str) {
        let mut words = arguments.split_whitespace().map(|word| self.root.join("stack").join(word));
        let (identity, out) = (words.next().unwrap(), words.next().unwrap());
        let identities = secrets::parse_identities(&fs::read_to_string(identity).unwrap()).unwrap();
        let opened = words.map(|share| {
            let share = secrets::open(&identities, &fs::read(share).unwrap()).unwrap();
            format!("{}\n", String::from_utf8(share.expose().clone()).unwrap().trim())
        });
        fs::write(out, opened.collect::<String>()).unwrap();
    }

    /// Removes every service that a scenario left, then the directory.
    fn clear(&self) {
        static RUNTIME: LazyLock<tokio::runtime::Runtime> =
            LazyLock::new(|| tokio::runtime::Runtime::new().unwrap());
        let state = self.root.join("state");
        let engine = Process::open(&state, PathBuf::from(env!("CARGO_BIN_EXE_seaworthy")));
        let names = |dir: &Path| -> Vec<String> {
            let entries = fs::read_dir(dir).into_iter().flatten().filter_map(Result::ok);
            entries.filter_map(|entry| entry.file_name().into_string().ok()).collect()
        };
        for project in names(&state.join("process")) {
            for container in names(&state.join("process").join(&project).join("containers")) {
                // What cannot be removed says so when the directory cannot be removed either.
                #[expect(clippy::disallowed_methods, reason = "nobody journals what a test clears away")]
                let _ = RUNTIME.block_on(engine.apply(&Effect::Remove { container }, &NoContents));
            }
        }
        match fs::remove_dir_all(&self.root) {
            Err(err) if err.kind() != io::ErrorKind::NotFound => panic!("{}: {err}", self.root.display()),
            _ => {}
        }
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            self.clear();
        }
    }
}

/// Removing needs none.
struct NoContents;

impl Contents for NoContents {
    fn text(&self, _: &Text) -> Result<Secret<String>, ContentsError> {
        unreachable!("removing resolves nothing")
    }

    fn file(&self, _: &Delivered) -> Result<Secret<Vec<u8>>, ContentsError> {
        unreachable!("removing resolves nothing")
    }

    fn kept(&self, _: &ContentId) -> Result<PathBuf, ContentsError> {
        unreachable!("removing resolves nothing")
    }
}
