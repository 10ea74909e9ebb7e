//! Which processes are meant: never a bare number, which the system gives to somebody else in time.

use std::{fs, io};

use rustix::process::{Pid, PidfdFlags, Signal, kill_process_group, pidfd_open, pidfd_send_signal};
use serde::{Deserialize, Serialize};

use crate::machine;

/// The variable that marks every process of an instance, whoever started it.
pub(super) const MARK: &str = "SEAWORTHY_INSTANCE";

/// A process by its number and its birth.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Birth {
    /// Its number.
    pub(super) pid: i32,
    /// When it was started, in clock ticks since the boot.
    pub(super) start: u64,
    /// The boot.
    pub(super) boot: String,
}

/// What a living process does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Life {
    /// It runs, or waits for something.
    Going,
    /// A signal stopped it; another lets it go on.
    Suspended,
}

impl Birth {
    /// The process that has this number now.
    pub(super) fn of(pid: i32) -> Option<Self> {
        let stat = Stat::read(pid)?;
        Some(Self { pid, start: stat.start, boot: machine::boot() })
    }

    /// This process.
    pub(super) fn of_this_process() -> io::Result<Self> {
        let pid = rustix::process::getpid().as_raw_nonzero().get();
        Self::of(pid).ok_or_else(|| io::Error::other("/proc does not show this process"))
    }

    /// What it does; `None`: it has ended.
    pub(super) fn life(&self) -> Option<Life> {
        let stat = Stat::read(self.pid)?;
        let same = stat.start == self.start && self.boot == machine::boot();
        match stat.state {
            'Z' | 'X' => None,
            'T' | 't' => same.then_some(Life::Suspended),
            _ => same.then_some(Life::Going),
        }
    }

    /// True while it has not ended.
    pub(super) fn is_alive(&self) -> bool {
        self.life().is_some()
    }

    /// Sends it a signal, if it is still the same process. It may have ended: that is no error.
    pub(super) fn signal(&self, signal: Signal) {
        // The descriptor is opened first: from then on the number cannot mean anybody else.
        let Some(Ok(held)) = Pid::from_raw(self.pid).map(|pid| pidfd_open(pid, PidfdFlags::empty())) else {
            return;
        };
        if self.is_alive() {
            let _ = pidfd_send_signal(held, signal);
        }
    }

    /// Sends a signal to the process group that it leads, if it is still there to lead it.
    pub(super) fn signal_group(&self, signal: Signal) {
        if let Some(pid) = Pid::from_raw(self.pid).filter(|_| self.is_alive()) {
            let _ = kill_process_group(pid, signal);
        }
    }
}

/// Every living process of an instance: those that carry its mark, those of its leader's group, and all that descend
/// from these.
///
/// A process that does all three (forgets its mark, makes its own group, and outlives its parent) is not found.
pub(super) fn kin(instance: &str, leader: Option<&Leader>) -> Vec<Birth> {
    let boot = machine::boot();
    let leader = leader.filter(|leader| leader.birth.boot == boot);
    let this = rustix::process::getpid().as_raw_nonzero().get();
    let all: Vec<Stat> =
        everybody().filter(|one| one.pid != this && !matches!(one.state, 'Z' | 'X')).collect();
    let mut found: Vec<&Stat> = all
        .iter()
        .filter(|one| {
            let of_group = |leader: &Leader| {
                one.group == leader.birth.pid
                    && one.session == leader.session
                    && one.start >= leader.birth.start
            };
            leader.is_some_and(of_group) || carries(one.pid, instance)
        })
        .collect();
    let mut next = 0;
    while next < found.len() {
        let parent = found[next].pid;
        let children = all.iter().filter(|one| one.parent == parent);
        let new: Vec<&Stat> =
            children.filter(|one| !found.iter().any(|known| known.pid == one.pid)).collect();
        found.extend(new);
        next += 1;
    }
    found.into_iter().map(|one| Birth { pid: one.pid, start: one.start, boot: boot.clone() }).collect()
}

/// The first process of an instance: it leads a process group of its own, in the session of the supervisor that
/// started it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Leader {
    /// The process.
    pub(super) birth: Birth,
    /// Its session.
    pub(super) session: i32,
}

impl Leader {
    /// The process that has this number now.
    pub(super) fn of(pid: i32) -> Option<Self> {
        let session = Stat::read(pid)?.session;
        Some(Self { birth: Birth::of(pid)?, session })
    }
}

fn carries(pid: i32, instance: &str) -> bool {
    // Another user's process cannot be read, and is not ours.
    let Ok(environment) = fs::read(format!("/proc/{pid}/environ")) else { return false };
    let mark = format!("{MARK}={instance}");
    environment.split(|byte| *byte == 0).any(|variable| variable == mark.as_bytes())
}

fn everybody() -> impl Iterator<Item = Stat> {
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    entries.filter_map(|entry| Stat::read(entry.file_name().to_str()?.parse().ok()?))
}

/// What `/proc/PID/stat` says, as far as it matters here.
#[derive(Debug, PartialEq, Eq)]
struct Stat {
    pid: i32,
    state: char,
    parent: i32,
    group: i32,
    session: i32,
    start: u64,
}

impl Stat {
    fn read(pid: i32) -> Option<Self> {
        Self::parse(&fs::read_to_string(format!("/proc/{pid}/stat")).ok()?)
    }

    fn parse(line: &str) -> Option<Self> {
        // The name in parentheses may hold anything, parentheses too: what counts begins after the last one.
        let (before, after) = line.rsplit_once(')')?;
        let fields: Vec<&str> = after.split_whitespace().collect();
        Some(Self {
            pid: before.split_once(' ')?.0.parse().ok()?,
            state: fields.first()?.chars().next()?,
            parent: fields.get(1)?.parse().ok()?,
            group: fields.get(2)?.parse().ok()?,
            session: fields.get(3)?.parse().ok()?,
            start: fields.get(19)?.parse().ok()?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_with_parentheses_does_not_move_the_fields() {
        let line = "42 (a) b (c) S 1 42 40 0 -1 4194304 1 2 3 4 5 6 7 8 20 0 1 0 240408 16961536 3356";
        let expected = Stat { pid: 42, state: 'S', parent: 1, group: 42, session: 40, start: 240_408 };
        assert_eq!(Stat::parse(line), Some(expected));
    }

    #[test]
    fn another_process_of_the_same_number_is_not_the_same_process() {
        let this = Birth::of_this_process().expect("a process");
        assert!(this.is_alive());
        assert!(!Birth { start: this.start + 1, ..this.clone() }.is_alive());
        assert!(!Birth { boot: "another".to_owned(), ..this }.is_alive());
    }
}
