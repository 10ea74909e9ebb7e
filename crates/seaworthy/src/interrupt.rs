//! Being asked to stop: Ctrl-C, a service manager, a terminal that went away.
//!
//! What is being done is dropped where it stands, as a crash would leave it, and the lock is given back: the journal is
//! whole up to its last entry, and the same command goes on from there.

use std::{fs, time::Duration};

use tokio::{
    signal::unix::{SignalKind, signal},
    sync::oneshot,
};

/// So long whatever cannot be dropped at once, such as a question on a terminal, is waited for.
const PATIENCE: Duration = Duration::from_secs(2);

/// A signal that asks a process to stop.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Interrupt {
    /// The terminal went away.
    Hangup,
    /// Ctrl-C.
    CtrlC,
    /// Somebody ends the process.
    Terminate,
}

impl Interrupt {
    const ALL: [Self; 3] = [Self::Hangup, Self::CtrlC, Self::Terminate];

    /// As `kill -l` names it.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Hangup => "SIGHUP",
            Self::CtrlC => "SIGINT",
            Self::Terminate => "SIGTERM",
        }
    }

    /// What a shell says of a process that the signal ended: scripts see what they always saw.
    pub(crate) fn exit_code(self) -> u8 {
        128 + self.number()
    }

    fn number(self) -> u8 {
        match self {
            Self::Hangup => 1,
            Self::CtrlC => 2,
            Self::Terminate => 15,
        }
    }

    fn kind(self) -> SignalKind {
        match self {
            Self::Hangup => SignalKind::hangup(),
            Self::CtrlC => SignalKind::interrupt(),
            Self::Terminate => SignalKind::terminate(),
        }
    }

    /// `nohup`, and a shell's `&`, begin a process that ignores some: it goes on ignoring them.
    fn is_ignored(self, ignored: u64) -> bool {
        ignored & (1 << (self.number() - 1)) != 0
    }
}

/// Comes back when somebody asks this process to stop.
pub(crate) async fn asked() -> Interrupt {
    let (tell, told) = oneshot::channel();
    let tell = std::sync::Arc::new(std::sync::Mutex::new(Some(tell)));
    let ignored = ignored(&fs::read_to_string("/proc/self/status").unwrap_or_default());
    for interrupt in Interrupt::ALL.into_iter().filter(|interrupt| !interrupt.is_ignored(ignored)) {
        // Where it cannot be heard, it ends the process as it always did.
        let Ok(mut heard) = signal(interrupt.kind()) else { continue };
        let tell = tell.clone();
        tokio::spawn(async move {
            if heard.recv().await.is_none() {
                return;
            }
            if let Some(tell) = tell.lock().ok().and_then(|mut tell| tell.take()) {
                // Nobody hears it where the verb is over already.
                let _ = tell.send(interrupt);
            }
            tokio::time::sleep(PATIENCE).await;
            std::process::exit(interrupt.exit_code().into());
        });
    }
    match told.await {
        Ok(interrupt) => interrupt,
        // No signal is heard: none will come.
        Err(_) => std::future::pending().await,
    }
}

/// The mask of ignored signals of `/proc/PID/status`.
fn ignored(status: &str) -> u64 {
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_that_was_begun_by_nohup_goes_on_ignoring_what_it_ignores() {
        let mask = ignored("Name:\tseaworthy\nSigBlk:\t0000000000000000\nSigIgn:\t0000000000001001\n");
        let heard: Vec<&str> = Interrupt::ALL
            .into_iter()
            .filter(|interrupt| !interrupt.is_ignored(mask))
            .map(Interrupt::as_str)
            .collect();
        assert_eq!(heard, ["SIGINT", "SIGTERM"]);
        assert_eq!(ignored("nothing of the kind"), 0);
    }

    #[test]
    fn a_shell_sees_what_it_always_saw() {
        assert_eq!(Interrupt::ALL.map(Interrupt::exit_code), [129, 130, 143]);
    }
}
