//! One container of this engine: what is kept of it, and what it is doing.
//!
//! ```text
//! instances/ID/spec.json        what it was made from; references where a value is secret
//! instances/ID/state.json       what was last known of it; written by its supervisor while one lives, else by the engine
//! instances/ID/wanted.json      what the engine wants of it; written by the engine alone
//! instances/ID/private/         0700: launch.json with command and environment, values filled in
//! instances/ID/files/           0700: delivered files, at their targets
//! instances/ID/anonymous/       directories for anonymous volumes and tmpfs
//! instances/ID/lock             held by its supervisor
//! instances/ID/log              what it says, both streams
//! instances/ID/supervisor.log   what its supervisor says: usually nothing
//! ```

use std::{
    collections::BTreeMap,
    fs::{File, OpenOptions},
    io,
    os::unix::fs::OpenOptionsExt,
    path::PathBuf,
    time::Duration,
};

use plan::{Container, Phase};
use rustix::{
    fs::{FlockOperation, flock},
    io::Errno,
};
use serde::{Deserialize, Serialize};
use stack::Restart;

use super::{
    kin::{Birth, Leader, Life},
    places::{Project, fail, read, write},
};
use crate::EngineError;

/// The exit status of a service that ended when nobody was there to see it.
pub(super) const UNSEEN: i64 = -1;

/// The exit status where the program could not be run at all: a shell's.
pub(super) const CANNOT_RUN: i64 = 127;

/// Grace between the stop signal and the end, where the service names none: Compose's.
pub(super) const GRACE: Duration = Duration::from_secs(10);

/// A container: its directory, and the name it has now.
#[derive(Debug, Clone)]
pub(super) struct Instance {
    pub(super) dir: PathBuf,
    pub(super) id: String,
    pub(super) name: String,
    pub(super) project: Project,
}

/// What was last known of an instance.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct State {
    /// Its stage.
    pub(super) stage: Stage,
    /// Who looks after it.
    pub(super) supervisor: Option<Birth>,
    /// Its first process, once there was one.
    pub(super) leader: Option<Leader>,
    /// How often its policy brought it back since it was started.
    pub(super) restarts: u32,
    /// Why it could not be run.
    pub(super) failure: Option<String>,
}

/// A stage in an instance's life. Written before a process is started and after it ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "phase", rename_all = "kebab-case")]
pub(super) enum Stage {
    /// Made, never started.
    Created,
    /// Its process is about to be started.
    Starting,
    /// Its process was started.
    Running,
    /// It ended and will be started again.
    Waiting {
        /// Its last exit status.
        code: i64,
    },
    /// It ended.
    Exited {
        /// Its exit status.
        code: i64,
    },
}

impl State {
    /// An instance that was never started.
    pub(super) fn created() -> Self {
        Self { stage: Stage::Created, supervisor: None, leader: None, restarts: 0, failure: None }
    }
}

/// What the engine wants of an instance.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Wanted {
    /// It has to stop, or stay as it is.
    pub(super) stopped: bool,
    /// The policy in force.
    pub(super) restart: Restart,
    /// Grace for this stop; `None`: its own.
    pub(super) grace: Option<Duration>,
}

/// How to run it. Holds secret values: no `Debug`.
#[derive(Serialize, Deserialize)]
pub(super) struct Launch {
    /// The instance: the mark of its processes.
    pub(super) instance: String,
    /// Program and arguments.
    pub(super) command: Vec<String>,
    /// All of its environment.
    pub(super) environment: BTreeMap<String, String>,
    /// Where it starts.
    pub(super) directory: PathBuf,
    /// What asks it to stop.
    pub(super) stop_signal: i32,
    /// Grace after that.
    pub(super) grace: Duration,
}

/// The files of an instance, by its directory alone: all its supervisor knows.
#[derive(Debug, Clone)]
pub(super) struct Files(pub(super) PathBuf);

impl Files {
    pub(super) fn state(&self) -> io::Result<State> {
        read(&self.0.join("state.json"))?.ok_or_else(|| gone("state.json"))
    }

    pub(super) fn write_state(&self, state: &State) -> io::Result<()> {
        write(&self.0.join("state.json"), state)
    }

    pub(super) fn wanted(&self) -> io::Result<Wanted> {
        read(&self.0.join("wanted.json"))?.ok_or_else(|| gone("wanted.json"))
    }

    pub(super) fn write_wanted(&self, wanted: Wanted) -> io::Result<()> {
        write(&self.0.join("wanted.json"), &wanted)
    }

    pub(super) fn launch(&self) -> io::Result<Launch> {
        read(&self.0.join("private/launch.json"))?.ok_or_else(|| gone("private/launch.json"))
    }

    pub(super) fn write_launch(&self, launch: &Launch) -> io::Result<()> {
        write(&self.0.join("private/launch.json"), launch)
    }

    pub(super) fn spec(&self) -> io::Result<Container> {
        read(&self.0.join("spec.json"))?.ok_or_else(|| gone("spec.json"))
    }

    pub(super) fn write_spec(&self, spec: &Container) -> io::Result<()> {
        write(&self.0.join("spec.json"), spec)
    }

    /// Takes the lock that each supervisor holds as long as it lives, and a process it starts until that is a program of
    /// its own and can be found. `None`: somebody holds it.
    pub(super) fn hold(&self) -> io::Result<Option<File>> {
        let path = self.0.join("lock");
        let lock = OpenOptions::new().create(true).write(true).truncate(false).mode(0o600).open(path)?;
        match flock(&lock, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => Ok(Some(lock)),
            Err(Errno::WOULDBLOCK) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    pub(super) fn log(&self) -> PathBuf {
        self.0.join("log")
    }
}

fn gone(file: &str) -> io::Error {
    io::Error::new(io::ErrorKind::NotFound, format!("`{file}` is not there"))
}

impl Instance {
    pub(super) fn files(&self) -> Files {
        Files(self.dir.clone())
    }

    /// What it was made from.
    pub(super) fn spec(&self) -> Result<Container, EngineError> {
        self.files().spec().map_err(fail(format!("read what container `{}` was made from", self.name)))
    }

    /// What it is doing.
    pub(super) fn look(&self) -> Result<Look, EngineError> {
        let state =
            self.files().state().map_err(fail(format!("read the state of container `{}`", self.name)))?;
        Ok(Look::at(state))
    }
}

/// What was last known of an instance, and what is true of its processes now.
#[derive(Debug, Clone)]
pub(super) struct Look {
    pub(super) state: State,
    /// Its supervisor lives.
    pub(super) supervised: bool,
    /// Its first process lives.
    pub(super) life: Option<Life>,
}

impl Look {
    pub(super) fn at(state: State) -> Self {
        Self {
            supervised: state.supervisor.as_ref().is_some_and(Birth::is_alive),
            life: state.leader.as_ref().and_then(|leader| leader.birth.life()),
            state,
        }
    }

    /// The phase that a survey reports.
    pub(super) fn phase(&self) -> Phase {
        match (self.state.stage, self.life, self.supervised) {
            // Also while a supervisor is about to start it: nothing of it runs yet.
            (Stage::Created, ..) => Phase::Created,
            (Stage::Running, Some(Life::Going), _) => Phase::Running { healthy: None },
            (Stage::Running, Some(Life::Suspended), _) => Phase::Paused,
            // It ended this moment, and its supervisor has not said yet what follows.
            (Stage::Starting | Stage::Running | Stage::Waiting { .. }, _, true) => Phase::Restarting,
            (Stage::Starting | Stage::Running, _, false) => Phase::Exited { code: UNSEEN },
            (Stage::Waiting { code } | Stage::Exited { code }, ..) => Phase::Exited { code },
        }
    }
}

/// What a restart policy says about a service that ended by itself: whether it is brought back.
pub(super) fn comes_back(policy: Restart, code: i64, restarts: u32) -> bool {
    match policy {
        Restart::No => false,
        Restart::Always | Restart::UnlessStopped => true,
        Restart::OnFailure(most) => code != 0 && most.is_none_or(|most| restarts < most),
    }
}

/// The pause before the `n`th restart in a row, from 0: 100 ms doubling to 10 s, so that a service that cannot start
/// does not keep the machine busy.
pub(super) fn pause(n: u32) -> Duration {
    let doubled = Duration::from_millis(100).saturating_mul(1 << n.min(16));
    doubled.min(Duration::from_secs(10))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_phase_follows_from_what_was_recorded_and_what_lives() {
        use Stage::{Created, Exited, Running, Starting, Waiting};
        let (going, suspended) = (Some(Life::Going), Some(Life::Suspended));
        let table = [
            (Created, None, false, Phase::Created),
            (Starting, None, true, Phase::Restarting),
            (Starting, None, false, Phase::Exited { code: UNSEEN }),
            (Running, going, true, Phase::Running { healthy: None }),
            (Running, going, false, Phase::Running { healthy: None }),
            (Running, suspended, true, Phase::Paused),
            (Running, None, true, Phase::Restarting),
            (Running, None, false, Phase::Exited { code: UNSEEN }),
            (Waiting { code: 3 }, None, true, Phase::Restarting),
            (Waiting { code: 3 }, None, false, Phase::Exited { code: 3 }),
            (Exited { code: 0 }, None, false, Phase::Exited { code: 0 }),
            (Exited { code: 143 }, None, true, Phase::Exited { code: 143 }),
        ];
        for (stage, life, supervised, phase) in table {
            let look = Look { state: State { stage, ..State::created() }, supervised, life };
            assert_eq!(look.phase(), phase, "{look:?}");
        }
    }

    #[test]
    fn a_policy_says_who_comes_back() {
        let table = [
            (Restart::No, 1, 0, false),
            (Restart::Always, 0, 9, true),
            (Restart::UnlessStopped, 1, 9, true),
            (Restart::OnFailure(None), 1, 99, true),
            (Restart::OnFailure(None), 0, 0, false),
            (Restart::OnFailure(Some(2)), 1, 1, true),
            (Restart::OnFailure(Some(2)), 1, 2, false),
        ];
        for (policy, code, restarts, expected) in table {
            assert_eq!(comes_back(policy, code, restarts), expected, "{policy:?} {code} {restarts}");
        }
    }

    #[test]
    fn pauses_double_from_a_tenth_of_a_second_to_ten_seconds() {
        let millis: Vec<u128> = (0..9).map(|n| pause(n).as_millis()).collect();
        assert_eq!(millis, [100, 200, 400, 800, 1600, 3200, 6400, 10_000, 10_000]);
        assert_eq!(pause(u32::MAX), Duration::from_secs(10));
    }
}
