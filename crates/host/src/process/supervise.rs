//! The supervisor: one small process a service. It starts the service, brings it back as the policy says, ends it when
//! it is asked to with SIGTERM, and writes down what happens before and after it does.
//!
//! It may die at any moment, by any signal, and nothing is lost: the service goes on, what was written says which
//! process it is, and the next supervisor takes it over.

use std::{
    fs::{File, OpenOptions},
    io::{self, Write},
    os::unix::{
        fs::OpenOptionsExt,
        process::{CommandExt, ExitStatusExt},
    },
    path::Path,
    process::{Child, Command, ExitStatus, Stdio},
    thread,
    time::{Duration, Instant},
};

use rustix::{
    event::{PollFd, PollFlags, poll},
    process::{Pid, PidfdFlags, Signal, pidfd_open, setsid},
};
use tokio::{
    signal::unix::{SignalKind, signal},
    sync::watch,
    time::{sleep, timeout},
};

use super::{
    instance::{CANNOT_RUN, Files, Launch, Stage, State, UNSEEN, comes_back, pause},
    kin::{Birth, Leader, kin},
};

/// A service that ran this long before it ended is brought back without a pause that grew.
const SETTLED: Duration = Duration::from_secs(10);

/// How long processes may take to be gone after SIGKILL.
const KILLED: Duration = Duration::from_secs(5);

/// How long the lock may be held after its supervisor died: a process it was starting holds it until it is a program.
pub(super) const HELD: Duration = Duration::from_secs(5);

/// Runs the service of the instance in `dir` until it ends for good, or SIGTERM asks for its end.
///
/// Ends at once where another supervisor looks after it. Needs a runtime with io, time and signals.
///
/// # Errors
/// When the instance cannot be read or its state not be written. The service then runs on; the engine finds it.
pub async fn supervise(dir: &Path) -> io::Result<()> {
    // Away from the terminal and the process group of whoever started us; that fails only where it is so already.
    let _ = setsid();
    // Before anything is started: from here on SIGTERM is a question and not the end.
    let mut terminate = signal(SignalKind::terminate())?;
    forget_what_was_ignored()?;
    let files = Files(dir.to_owned());
    let Some(_lock) = only_supervisor(&files).await? else { return Ok(()) };
    let mut watch = Watch { launch: files.launch()?, state: files.state()?, files };
    watch.state.supervisor = Some(Birth::of_this_process()?);
    let mut service = watch.take_over_or_start().await?;
    let mut in_a_row = 0;
    while let Some(mut running) = service.take() {
        let started = Instant::now();
        let asked = tokio::select! {
            () = running.ended() => false,
            _ = terminate.recv() => true,
        };
        if asked {
            let code = watch.end(&mut running).await?;
            return watch.record(Stage::Exited { code });
        }
        let code = watch.bury(&mut running).await?;
        in_a_row = if started.elapsed() >= SETTLED { 0 } else { in_a_row };
        let wanted = watch.files.wanted()?;
        if wanted.stopped || !comes_back(wanted.restart, code, watch.state.restarts) {
            return watch.record(Stage::Exited { code });
        }
        watch.record(Stage::Waiting { code })?;
        tokio::select! {
            () = sleep(pause(in_a_row)) => {}
            _ = terminate.recv() => return watch.record(Stage::Exited { code }),
        }
        in_a_row += 1;
        watch.state.restarts += 1;
        service = watch.start(code).await?;
    }
    Ok(())
}

/// Holds the instance; `None`: another supervisor does.
async fn only_supervisor(files: &Files) -> io::Result<Option<File>> {
    let deadline = Instant::now() + HELD;
    loop {
        if let Some(lock) = files.hold()? {
            return Ok(Some(lock));
        }
        if files.state()?.supervisor.is_some_and(|other| other.is_alive()) {
            return Ok(None);
        }
        if Instant::now() > deadline {
            return Err(io::Error::other("nobody looks after it, and somebody holds its lock"));
        }
        sleep(Duration::from_millis(10)).await;
    }
}

/// Makes sure that the service hears every signal that may ask it to stop.
///
/// What a process ignores, its children ignore too, and a shell ignores some for what it runs in the background. What
/// is *handled* is back at its default in a new program, and a handler is all we may install.
fn forget_what_was_ignored() -> io::Result<()> {
    let kinds = [
        SignalKind::hangup(),
        SignalKind::interrupt(),
        SignalKind::quit(),
        SignalKind::user_defined1(),
        SignalKind::user_defined2(),
        SignalKind::alarm(),
        SignalKind::window_change(),
        SignalKind::child(),
    ];
    kinds.into_iter().try_for_each(|kind| signal(kind).map(drop))
}

/// A supervisor's view of its instance.
struct Watch {
    files: Files,
    launch: Launch,
    state: State,
}

impl Watch {
    fn record(&mut self, stage: Stage) -> io::Result<()> {
        self.state.stage = stage;
        self.files.write_state(&self.state)
    }

    /// The service that a supervisor before us left running, or a new one. `None`: it is not to run, or cannot.
    async fn take_over_or_start(&mut self) -> io::Result<Option<Service>> {
        let left = self.state.leader.clone().filter(|leader| leader.birth.is_alive());
        if let Some(leader) = left.filter(|_| self.state.stage == Stage::Running) {
            let Some(end) = end_of(leader.birth.pid)? else { return self.start(UNSEEN).await };
            self.record(Stage::Running)?;
            return Ok(Some(Service { leader, end, child: None }));
        }
        self.state.restarts = 0;
        let last = match self.state.stage {
            Stage::Waiting { code } | Stage::Exited { code } => code,
            _ => UNSEEN,
        };
        self.start(last).await
    }

    /// Starts the service, unless it was asked to stop since; `last` is how it ended before.
    async fn start(&mut self, last: i64) -> io::Result<Option<Service>> {
        // A process of an earlier life would share ports and files with the new one.
        self.clear().await?;
        (self.state.leader, self.state.failure) = (None, None);
        self.record(Stage::Starting)?;
        // Read after we are on record: whoever asks for the stop writes first and then looks for us.
        if self.files.wanted()?.stopped {
            self.record(Stage::Exited { code: last })?;
            return Ok(None);
        }
        let mut log = OpenOptions::new().create(true).append(true).mode(0o600).open(self.files.log())?;
        let child = match command(&self.launch, &log)?.spawn() {
            Ok(child) => child,
            Err(error) => {
                let failure = format!("cannot run `{}`: {error}", self.launch.command[0]);
                writeln!(log, "{failure}")?;
                self.state.failure = Some(failure);
                self.record(Stage::Exited { code: CANNOT_RUN })?;
                return Ok(None);
            }
        };
        let pid = i32::try_from(child.id()).map_err(io::Error::other)?;
        // A child that nobody waited for keeps its number, so neither can be missing.
        let missing = || io::Error::other(format!("/proc does not show process {pid}"));
        let leader = Leader::of(pid).ok_or_else(missing)?;
        let end = end_of(pid)?.ok_or_else(missing)?;
        self.state.leader = Some(leader.clone());
        self.record(Stage::Running)?;
        Ok(Some(Service { leader, end, child: Some(child) }))
    }

    /// Asks the service to stop, and ends it when its grace is over.
    async fn end(&self, running: &mut Service) -> io::Result<i64> {
        let asked = self.files.wanted().ok().filter(|wanted| wanted.stopped);
        let grace = asked.and_then(|wanted| wanted.grace).unwrap_or(self.launch.grace);
        let stop = Signal::from_named_raw(self.launch.stop_signal).unwrap_or(Signal::TERM);
        running.leader.birth.signal_group(stop);
        // A suspended process does not hear anything else.
        running.leader.birth.signal_group(Signal::CONT);
        if timeout(grace, running.ended()).await.is_err() {
            running.leader.birth.signal_group(Signal::KILL);
            running.ended().await;
        }
        self.bury(running).await
    }

    /// Ends what the first process left behind, then takes its exit status: in this order, because its number is its
    /// own until then.
    async fn bury(&self, running: &mut Service) -> io::Result<i64> {
        self.clear().await?;
        Ok(running.child.as_mut().map(Child::wait).transpose()?.map_or(UNSEEN, code))
    }

    async fn clear(&self) -> io::Result<()> {
        end_all(&self.launch.instance, self.state.leader.as_ref()).await
    }
}

/// A running service.
struct Service {
    leader: Leader,
    /// Closed when it ends.
    end: watch::Receiver<()>,
    /// It is our own child; `None`: a supervisor before us started it, and nobody learns its exit status.
    child: Option<Child>,
}

impl Service {
    /// Returns when its first process has ended.
    async fn ended(&mut self) {
        // Nothing is ever sent: the only change there is, is the end.
        while self.end.changed().await.is_ok() {}
    }
}

/// What is closed when the process ends, whoever its parent is; `None`: it is gone.
fn end_of(pid: i32) -> io::Result<Option<watch::Receiver<()>>> {
    let pid = Pid::from_raw(pid).ok_or(io::ErrorKind::InvalidInput)?;
    let held = match pidfd_open(pid, PidfdFlags::empty()) {
        Ok(held) => held,
        Err(rustix::io::Errno::SRCH) => return Ok(None),
        Err(error) => return Err(error.into()),
    };
    let (going, end) = watch::channel(());
    // A plain thread: it holds nothing up when the supervisor ends before the service.
    thread::Builder::new().name("end".to_owned()).spawn(move || {
        let mut waiting = [PollFd::new(&held, PollFlags::IN)];
        while poll(&mut waiting, None) == Err(rustix::io::Errno::INTR) {}
        drop(going);
    })?;
    Ok(Some(end))
}

fn command(launch: &Launch, log: &File) -> io::Result<Command> {
    let mut command = Command::new(&launch.command[0]);
    command
        .args(&launch.command[1..])
        .env_clear()
        .envs(&launch.environment)
        .current_dir(&launch.directory)
        .process_group(0)
        .stdin(Stdio::null())
        .stdout(log.try_clone()?)
        .stderr(log.try_clone()?);
    Ok(command)
}

/// An exit status as a shell reports it.
pub(super) fn code(status: ExitStatus) -> i64 {
    let by_signal = status.signal().map(|signal| 128 + signal);
    i64::from(status.code().or(by_signal).unwrap_or(255))
}

/// Ends every process of an instance with SIGKILL, and returns when none is left.
pub(super) async fn end_all(instance: &str, leader: Option<&Leader>) -> io::Result<()> {
    let deadline = Instant::now() + KILLED;
    loop {
        let left = kin(instance, leader);
        if left.is_empty() {
            return Ok(());
        }
        if Instant::now() > deadline {
            let pids: Vec<String> = left.iter().map(|one| one.pid.to_string()).collect();
            return Err(io::Error::other(format!("processes do not end: {}", pids.join(", "))));
        }
        left.iter().for_each(|one| one.signal(Signal::KILL));
        sleep(Duration::from_millis(10)).await;
    }
}
