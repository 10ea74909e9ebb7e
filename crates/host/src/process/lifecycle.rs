//! Starts, stops, renames and removes containers.

use std::{
    collections::BTreeMap,
    fs::{self, File, OpenOptions},
    io,
    os::unix::fs::OpenOptionsExt,
    process::Stdio,
    time::{Duration, Instant},
};

use plan::{Mark, Output, Phase, Thing};
use rustix::{
    fs::{CWD, RenameFlags, renameat_with},
    process::Signal,
};
use stack::Restart;
use tokio::{
    process::{Child, Command},
    time::sleep,
};

use super::{
    Process,
    instance::{Files, Instance, Look, Stage, UNSEEN},
    kin::{Birth, kin},
    places::{checked, fail},
    supervise::{HELD, end_all},
};
use crate::{EngineError, Trouble, files::sync_parent};

/// How long a supervisor may take to say what became of a service it was told to start, or that just ended.
const SAY: Duration = Duration::from_secs(10);

/// How long a supervisor may take after the grace time is over.
const EXTRA: Duration = Duration::from_secs(10);

/// How often somebody who waits looks again.
const LOOK_AGAIN: Duration = Duration::from_millis(10);

impl Process {
    pub(super) async fn start(&self, name: &str) -> Result<Output, EngineError> {
        let doing = format!("start container `{name}`");
        let instance = self.places.present(name, &doing)?;
        let look = settled(&instance).await?;
        match look.phase() {
            Phase::Running { .. } | Phase::Restarting if look.supervised => return Ok(Output::Unchanged),
            Phase::Paused => {
                look.state.leader.iter().for_each(|leader| leader.birth.signal_group(Signal::CONT));
                if look.supervised {
                    return Ok(Output::None);
                }
            }
            // What runs without a supervisor is taken over by a new one.
            _ => {}
        }
        let files = instance.files();
        let mut wanted = files.wanted().map_err(fail(doing.as_str()))?;
        if wanted.stopped {
            (wanted.stopped, wanted.grace) = (false, None);
            files.write_wanted(wanted).map_err(fail(doing.as_str()))?;
        }
        let mut supervisor = self.spawn_supervisor(&instance).map_err(fail(doing.as_str()))?;
        await_start(&instance, &mut supervisor, &doing).await
    }

    pub(super) async fn resume(&self, name: &str, restart: Restart) -> Result<Output, EngineError> {
        let doing = format!("resume container `{name}`");
        let instance = self.places.present(name, &doing)?;
        let files = instance.files();
        let mut wanted = files.wanted().map_err(fail(doing.as_str()))?;
        let changed = wanted.restart != restart;
        if changed {
            wanted.restart = restart;
            files.write_wanted(wanted).map_err(fail(doing))?;
        }
        let started = self.start(name).await?;
        Ok(if changed { Output::None } else { started })
    }

    pub(super) async fn stop(&self, name: &str, grace: Option<Duration>) -> Result<Output, EngineError> {
        // What is not there does not run.
        let Some(instance) = self.places.container(name)? else { return Ok(Output::Unchanged) };
        let changed = halt(&instance, grace).await.map_err(fail(format!("stop container `{name}`")))?;
        Ok(if changed { Output::None } else { Output::Unchanged })
    }

    pub(super) async fn remove(&self, name: &str) -> Result<Output, EngineError> {
        let doing = format!("remove container `{name}`");
        match self.places.container(name)? {
            Some(instance) => remove_this(&instance, &doing).await,
            None => Ok(Output::Unchanged),
        }
    }

    /// Removes what carries the mark.
    pub(super) async fn unmake(&self, thing: Thing, name: &str, mark: &Mark) -> Result<Output, EngineError> {
        let made = |labels: &BTreeMap<String, String>| labels.get(Mark::LABEL) == Some(&mark.0);
        let doing = format!("remove container `{name}`");
        match thing {
            Thing::Container => match self.places.container(name)? {
                Some(instance) if made(&instance.spec()?.labels) => remove_this(&instance, &doing).await,
                _ => Ok(Output::Unchanged),
            },
            Thing::Network if self.network_labels(name)?.is_some_and(|labels| made(&labels)) => {
                self.remove_network(name)
            }
            Thing::Volume if self.volume_labels(name)?.is_some_and(|labels| made(&labels)) => {
                self.remove_volume(name).await
            }
            Thing::Network | Thing::Volume => Ok(Output::Unchanged),
        }
    }

    pub(super) fn rename(&self, from: &str, to: &str) -> Result<Output, EngineError> {
        let doing = format!("rename container `{from}` to `{to}`");
        checked(to, "container")?;
        // Where neither is there, as when an unwinding has named it `-failed` already, nothing bears the old name.
        let Some(instance) = self.places.container(from)? else { return Ok(Output::Unchanged) };
        let taken = |error: Option<io::Error>| {
            let error = error.unwrap_or_else(|| io::ErrorKind::AlreadyExists.into());
            fail(doing.as_str())(error)
        };
        if self.places.container(to)?.is_some() {
            return Err(taken(None));
        }
        let (old, new) = (instance.project.link(from), instance.project.link(to));
        renameat_with(CWD, &old, CWD, &new, RenameFlags::NOREPLACE)
            .map_err(|error| taken(Some(error.into())))?;
        sync_parent(&new).map_err(fail(doing.as_str()))?;
        Ok(Output::None)
    }

    /// Starts a supervisor that nothing ties to us: neither our streams, nor our environment, nor our session.
    fn spawn_supervisor(&self, instance: &Instance) -> io::Result<Child> {
        let said = instance.dir.join("supervisor.log");
        let said = OpenOptions::new().create(true).append(true).mode(0o600).open(said)?;
        Command::new(&self.executable)
            .args(["side", "supervise"])
            .arg(&instance.dir)
            .env_clear()
            .current_dir("/")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(said)
            .spawn()
    }
}

async fn remove_this(instance: &Instance, doing: &str) -> Result<Output, EngineError> {
    halt(instance, Some(Duration::ZERO)).await.map_err(fail(doing))?;
    let link = instance.project.link(&instance.name);
    let removed = fs::remove_file(&link).and_then(|()| sync_parent(&link));
    // The link was what made it a container. The rest goes with it, now or at the next chance.
    removed.and_then(|()| instance.project.tidy()).map_err(fail(doing))?;
    Ok(Output::None)
}

/// The instance once it is clear what follows: its supervisor may be about to write that the service has ended.
async fn settled(instance: &Instance) -> Result<Look, EngineError> {
    let deadline = Instant::now() + SAY;
    loop {
        let look = instance.look()?;
        let unsaid = match look.state.stage {
            Stage::Running => look.life.is_none(),
            Stage::Waiting { .. } => false,
            Stage::Created | Stage::Starting | Stage::Exited { .. } => true,
        };
        if !(unsaid && look.supervised) || Instant::now() > deadline {
            return Ok(look);
        }
        sleep(LOOK_AGAIN).await;
    }
}

/// Waits until a supervisor says what became of the service.
async fn await_start(
    instance: &Instance,
    supervisor: &mut Child,
    doing: &str,
) -> Result<Output, EngineError> {
    let deadline = Instant::now() + SAY;
    let pid = supervisor.id().and_then(|pid| i32::try_from(pid).ok());
    loop {
        let ended = supervisor.try_wait().map_err(fail(doing))?;
        let look = instance.look()?;
        let ours = look.state.supervisor.as_ref().map(|birth| birth.pid) == pid;
        let said = !matches!(look.state.stage, Stage::Created | Stage::Starting);
        if said && (ours || look.supervised) {
            return match look.state.failure {
                Some(failure) => Err(EngineError::new(Trouble::Refused, doing).because(failure)),
                None => Ok(Output::None),
            };
        }
        // One that found another at work ended well; then it is the other that we wait for.
        if let Some(status) = ended.filter(|_| !look.supervised) {
            let log = instance.dir.join("supervisor.log");
            return Err(EngineError::new(Trouble::Refused, doing)
                .because(format!("its supervisor ended at once ({status})"))
                .hint(format!("see {}", log.display())));
        }
        if Instant::now() > deadline {
            return Err(EngineError::new(Trouble::Lost, doing).because("its supervisor says nothing"));
        }
        sleep(LOOK_AGAIN).await;
    }
}

/// Ends an instance and everything that belongs to it, with or without a supervisor. `false`: nothing was alive and
/// nothing had to be changed.
async fn halt(instance: &Instance, grace: Option<Duration>) -> io::Result<bool> {
    let files = instance.files();
    let mut wanted = files.wanted()?;
    let before = wanted;
    (wanted.stopped, wanted.restart, wanted.grace) = (true, Restart::No, grace);
    if wanted != before {
        files.write_wanted(wanted)?;
    }
    // Read after that is on disk: a supervisor that is not on record by now will find it there, and not start anything.
    let look = Look::at(files.state()?);
    let limit = match grace {
        Some(grace) => grace,
        None => files.launch()?.grace,
    };
    let mut changed = before.restart != wanted.restart;
    if let Some(supervisor) = look.state.supervisor.as_ref().filter(|_| look.supervised) {
        changed = true;
        supervisor.signal(Signal::TERM);
        if !gone(supervisor, limit + EXTRA).await {
            supervisor.signal(Signal::KILL);
            gone(supervisor, EXTRA).await;
        }
    }
    // Nobody starts anything while we look for what is left.
    let _lock = unattended(&files).await?;
    let look = Look::at(files.state()?);
    let leader = look.state.leader.as_ref();
    if kin(&instance.id, leader).is_empty() {
        if matches!(look.state.stage, Stage::Created | Stage::Exited { .. }) {
            return Ok(changed);
        }
    } else if let Some(leader) = leader.filter(|leader| leader.birth.is_alive()) {
        let stop = Signal::from_named_raw(files.launch()?.stop_signal).unwrap_or(Signal::TERM);
        leader.birth.signal_group(stop);
        leader.birth.signal_group(Signal::CONT);
        gone(&leader.birth, limit).await;
    }
    end_all(&instance.id, leader).await?;
    let code = match look.state.stage {
        Stage::Waiting { code } | Stage::Exited { code } => code,
        Stage::Created | Stage::Starting | Stage::Running => UNSEEN,
    };
    let mut state = look.state;
    state.stage = Stage::Exited { code };
    files.write_state(&state)?;
    Ok(true)
}

/// Holds an instance whose supervisor has ended.
async fn unattended(files: &Files) -> io::Result<File> {
    let deadline = Instant::now() + HELD;
    loop {
        if let Some(lock) = files.hold()? {
            return Ok(lock);
        }
        if Instant::now() > deadline {
            return Err(io::Error::other("its supervisor has ended, and somebody holds its lock"));
        }
        sleep(LOOK_AGAIN).await;
    }
}

/// Waits for the end of a process. `false`: it goes on.
async fn gone(process: &Birth, limit: Duration) -> bool {
    let deadline = Instant::now() + limit;
    while process.is_alive() {
        if Instant::now() >= deadline {
            return false;
        }
        sleep(LOOK_AGAIN).await;
    }
    true
}
