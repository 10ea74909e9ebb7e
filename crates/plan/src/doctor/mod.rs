//! From symptoms to causes: what is wrong, how it shows, what to do. Looks at nothing itself.

mod symptoms;
mod words;

use std::collections::BTreeSet;

use diag::{Diagnostic, Severity};
use stack::ServiceName;

pub use symptoms::{
    ClockSeen, Door, EngineSilence, ImageBuiltFor, NameSeen, Patient, PlaceSeen, PortSeen, RegistrySeen,
    RunSeen, Signs, Symptoms,
};
use words::Words;

use crate::{Phase, RunOutcome};

/// Less room than this and an image, a set or a database's next write may already fail.
const LITTLE_ROOM_BYTES: u64 = 256 << 20;

/// Fewer files than this: a single image has thousands.
const FEW_FILES: u64 = 1000;

/// One-time passwords, leases and signed requests are refused by about this much.
const SKEW_SECS: u64 = 30;

/// Words of a container that are shown as evidence where nothing in them was recognised.
const SHOWN_WORDS: usize = 5;

/// Something that is wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cause {
    /// A stable slug: a row of the table.
    pub id: &'static str,
    /// The service that suffers from it; nothing where all do.
    pub service: Option<ServiceName>,
    /// What is wrong, in a sentence.
    pub message: String,
    /// What was seen of it.
    pub evidence: Vec<String>,
    /// What to do about it.
    pub fix: String,
}

/// Where a cause shows.
enum Shows {
    /// In what was seen of the machine and the files.
    Outside(fn(&Symptoms) -> Vec<Cause>),
    /// In a container: counts only where nothing before it explains why it is not well.
    Inside(fn(&Symptoms, &Patient) -> Option<Cause>),
}

/// Every cause, the one most likely to be behind the others first.
const CAUSES: &[Shows] = &[
    Shows::Outside(files),
    Shows::Outside(engine),
    Shows::Outside(state),
    Shows::Outside(room),
    Shows::Outside(clock),
    Shows::Outside(names),
    Shows::Outside(registries),
    Shows::Outside(ports),
    Shows::Outside(sealed),
    Shows::Inside(out_of_memory),
    Shows::Inside(architecture),
    Shows::Inside(in_its_words),
    Shows::Inside(unset_variable),
    Shows::Inside(no_program),
    Shows::Inside(misrouted),
    Shows::Inside(never_healthy),
    Shows::Inside(crashed),
    Shows::Inside(not_running),
    Shows::Outside(absent),
    Shows::Outside(last_run),
];

/// Names what is wrong, most likely first.
pub fn diagnose(symptoms: &Symptoms) -> Vec<Cause> {
    let mut causes: Vec<Cause> = Vec::new();
    for shows in CAUSES {
        let found = match shows {
            Shows::Outside(look) => look(symptoms),
            Shows::Inside(look) => {
                let explained: BTreeSet<_> =
                    causes.iter().filter_map(|cause| cause.service.clone()).collect();
                let left = symptoms.patients.iter().filter(|patient| !explained.contains(&patient.service));
                left.filter_map(|patient| look(symptoms, patient)).collect()
            }
        };
        // Replicas of a service suffer from the same.
        for cause in found {
            if !causes.iter().any(|known| known.id == cause.id && known.message == cause.message) {
                causes.push(cause);
            }
        }
    }
    causes
}

fn files(symptoms: &Symptoms) -> Vec<Cause> {
    let errors = symptoms.files.iter().filter(|said| said.severity == Severity::Error);
    errors
        .map(|said| {
            of_diagnostic(said, "correct the file: seaworthy preflight says whether it is understood")
        })
        .collect()
}

fn state(symptoms: &Symptoms) -> Vec<Cause> {
    symptoms
        .state
        .iter()
        .map(|said| Cause {
            id: "state-directory",
            ..of_diagnostic(said, "--state-dir DIR, with a directory that is yours and writable")
        })
        .collect()
}

/// What is known of it already, with what is known to help.
fn of_diagnostic(said: &Diagnostic, otherwise: &str) -> Cause {
    let is_env = said.place.as_ref().is_some_and(|place| place.file.ends_with(".env"));
    let place = said.place.as_ref().map(ToString::to_string);
    Cause {
        id: if is_env || said.id == "bad-env-file" { "env-invalid" } else { "files-invalid" },
        service: None,
        message: said.message.clone(),
        evidence: place.into_iter().chain(said.causes.iter().cloned()).collect(),
        fix: said.hint.clone().unwrap_or_else(|| otherwise.to_owned()),
    }
}

fn engine(symptoms: &Symptoms) -> Vec<Cause> {
    let Some(silence) = &symptoms.engine else { return Vec::new() };
    let (id, message, fix) = match silence.door {
        Door::Nobody => (
            "engine-absent",
            "no container engine answers",
            "start it: systemctl start docker; or install it; DOCKER_HOST says where else it is",
        ),
        Door::Closed => (
            "engine-denied",
            "the container engine does not let this account in",
            "add the account to the socket's group and log in again: usermod -aG docker USER (as powerful as root); or run as root",
        ),
        Door::Strange => (
            "engine-unsupported",
            "the container engine cannot be spoken to",
            "Docker 20.10 (API 1.41) or later, at unix://PATH or tcp://HOST:PORT",
        ),
        Door::Lost => (
            "engine-lost",
            "the container engine breaks off",
            "look at its own log: journalctl -u docker; then start it again",
        ),
    };
    let mut evidence = silence.said.clone();
    if silence.door == Door::Closed {
        evidence.push(format!("we are {}", silence.account));
        evidence.extend(silence.socket.iter().map(|socket| format!("its socket: {socket}")));
    }
    vec![Cause { id, service: None, message: message.to_owned(), evidence, fix: fix.to_owned() }]
}

fn room(symptoms: &Symptoms) -> Vec<Cause> {
    let full = |place: &PlaceSeen| {
        let PlaceSeen { what, path, free_bytes, free_files } = place;
        let left = match free_files {
            _ if *free_bytes < LITTLE_ROOM_BYTES => format!("{} MiB are free", free_bytes >> 20),
            Some(free) if *free < FEW_FILES => format!("{free} more files can be made"),
            _ => return None,
        };
        Some(Cause {
            id: "disk-full",
            service: None,
            message: format!("{what} has no room left"),
            evidence: vec![format!("`{path}`: {left}")],
            fix: "make room there: docker system df shows what images and logs take, `[backup] keep` prunes sets".to_owned(),
        })
    };
    symptoms.places.iter().filter_map(full).collect()
}

fn clock(symptoms: &Symptoms) -> Vec<Cause> {
    let wrong: Vec<&ClockSeen> =
        symptoms.clocks.iter().filter(|clock| clock.ahead_secs.unsigned_abs() > SKEW_SECS).collect();
    let said = |clock: &&ClockSeen| {
        let by = diag::duration(std::time::Duration::from_secs(clock.ahead_secs.unsigned_abs()));
        let side = if clock.ahead_secs > 0 { "ahead of" } else { "behind" };
        format!("{by} {side} {}", clock.whose)
    };
    let Some(first) = wrong.first() else { return Vec::new() };
    vec![Cause {
        id: "clock-skew",
        service: None,
        message: format!("this machine's clock is {}", said(first)),
        evidence: wrong.iter().map(said).collect(),
        fix: "let the clock be set: timedatectl set-ntp true; certificates and one-time passwords fail until then".to_owned(),
    }]
}

fn names(symptoms: &Symptoms) -> Vec<Cause> {
    let unresolved = |seen: &NameSeen| Cause {
        id: "name-unresolved",
        service: None,
        message: format!("the name `{}` does not resolve here", seen.name),
        evidence: vec![format!("needed as {}", seen.needed_by), seen.said.clone()],
        fix: "check the name, its DNS record, and /etc/resolv.conf of this machine".to_owned(),
    };
    symptoms.names.iter().map(unresolved).collect()
}

fn registries(symptoms: &Symptoms) -> Vec<Cause> {
    let refused = |seen: &RegistrySeen| {
        let said = [seen.said.clone()];
        let row = words::spoken_of(words::OF_ENGINES, &said);
        let (id, means, fix) = row
            .map_or(("registry-refuses", "cannot be fetched", "docker pull says more"), |(row, _)| {
                (row.id, row.means, row.fix)
            });
        let known = match seen.known {
            true => "asked with the credential that the Docker client keeps",
            false => "asked without a credential",
        };
        Cause {
            id,
            service: Some(seen.service.clone()),
            message: format!("image `{}` {means}", seen.image),
            evidence: vec![seen.said.clone(), known.to_owned()],
            fix: fix.to_owned(),
        }
    };
    symptoms.registries.iter().map(refused).collect()
}

fn ports(symptoms: &Symptoms) -> Vec<Cause> {
    let taken = |PortSeen { service, port, holder }: &PortSeen| Cause {
        id: "port-taken",
        service: Some(service.clone()),
        message: format!("host port {port}, which `{service}` publishes, is taken by {holder}"),
        evidence: vec![format!("{holder} listens on {port}")],
        fix: format!("stop it, or publish another port than {port}"),
    };
    symptoms.ports.iter().map(taken).collect()
}

fn sealed(symptoms: &Symptoms) -> Vec<Cause> {
    let sealed = |service: &ServiceName| Cause {
        id: "key-store-sealed",
        service: Some(service.clone()),
        message: format!("the key store `{service}` is sealed: who needs its keys waits"),
        evidence: vec!["it says so of itself".to_owned()],
        fix: "bring the shares of its holders together: seaworthy deploy --shares FILE".to_owned(),
    };
    symptoms.sealed.iter().map(sealed).collect()
}

fn of_patient(id: &'static str, patient: &Patient, means: &str, fix: &str) -> Cause {
    Cause {
        id,
        service: Some(patient.service.clone()),
        message: format!("`{}` {means}", patient.service),
        evidence: vec![format!("container `{}`: {}", patient.container, patient.phase.in_words())],
        fix: fix.to_owned(),
    }
}

impl Cause {
    fn seen(mut self, evidence: impl IntoIterator<Item = String>) -> Self {
        self.evidence.extend(evidence);
        self
    }
}

fn last_words(patient: &Patient) -> Vec<String> {
    let from = patient.words.len().saturating_sub(SHOWN_WORDS);
    patient.words[from..].iter().map(|line| format!("it said: {line}")).collect()
}

fn out_of_memory(_: &Symptoms, patient: &Patient) -> Option<Cause> {
    let cause = of_patient(
        "out-of-memory",
        patient,
        "was killed: it needed more memory than it may have",
        "raise its limit (`mem_limit`, `deploy.resources.limits.memory`), or let it need less",
    );
    patient.signs.out_of_memory.then(|| cause.seen(["the kernel killed it for its memory".to_owned()]))
}

fn architecture(symptoms: &Symptoms, patient: &Patient) -> Option<Cause> {
    let differs =
        |image: &&ImageBuiltFor| image.service == patient.service && image.built_for != image.machine;
    let ImageBuiltFor { image, built_for, machine, .. } = symptoms.images.iter().find(differs)?;
    let means =
        format!("has an image for another kind of machine: `{image}` is for {built_for}, this is {machine}");
    let fix = format!("take an image for {machine}, or name one: `platform: linux/{machine}`");
    Some(of_patient("architecture", patient, &means, &fix).seen(last_words(patient)))
}

/// What it said gives it away: to the engine that could not start it, in its log, in its health check, to our probe.
fn in_its_words(_: &Symptoms, patient: &Patient) -> Option<Cause> {
    let said = [&patient.signs.check, &patient.signs.not_started].into_iter().flatten();
    let lines: Vec<String> = said.chain(&patient.words).cloned().collect();
    let (row, line) = words::spoken_of(words::OF_SERVICES, &lines)?;
    let Words { id, means, fix, .. } = row;
    let named = match *id {
        "setting-missing" => {
            words::variable(line).map(|name| (format!("wants `{name}`, which is not set"), None))
        }
        "setting-invalid" => {
            words::variable(line).map(|name| (format!("does not understand what `{name}` is set to"), None))
        }
        "file-missing" => missing_file(patient, line),
        _ => None,
    };
    let (means, told) = named.unwrap_or(((*means).to_owned(), None));
    let said = std::iter::once(format!("it said: {line}"));
    Some(of_patient(id, patient, &means, fix).seen(said.chain(told)))
}

/// The file, and the variable that told it where to look.
fn missing_file(patient: &Patient, line: &str) -> Option<(String, Option<String>)> {
    let path = words::path(line)?;
    let below = |told: &str| {
        path == told
            || path.strip_prefix(told.trim_end_matches('/')).is_some_and(|rest| rest.starts_with('/'))
    };
    let variable = patient.paths.iter().filter(|(_, told)| below(told)).max_by_key(|(_, told)| told.len());
    Some(match variable {
        Some((name, told)) => (
            format!("misses the file `{path}`, where `{name}` lets it look"),
            Some(format!("`{name}` is `{told}`")),
        ),
        None => (format!("misses the file `{path}`"), None),
    })
}

fn unset_variable(symptoms: &Symptoms, patient: &Patient) -> Option<Cause> {
    let unset: Vec<String> = symptoms
        .files
        .iter()
        .filter(|said| said.id == "unset-variable")
        .map(|said| said.message.clone())
        .collect();
    let ended = matches!(patient.phase, Phase::Exited { .. } | Phase::Restarting);
    let cause = of_patient(
        "variable-unset",
        patient,
        "does not run, and variables of its files are not set",
        "set them in `.env` or in the shell; write `${NAME:?}` where nothing may be empty",
    );
    (ended && !unset.is_empty()).then(|| cause.seen(unset).seen(last_words(patient)))
}

fn no_program(_: &Symptoms, patient: &Patient) -> Option<Cause> {
    let Phase::Exited { code: code @ (126 | 127) } = patient.phase else { return None };
    let means = match code {
        127 => "has no such program as its command names",
        _ => "has a command that cannot be run",
    };
    Some(
        of_patient("no-program", patient, means, "correct its `command` or `entrypoint`")
            .seen(last_words(patient)),
    )
}

/// It answers, and what it answers for does not.
fn misrouted(_: &Symptoms, patient: &Patient) -> Option<Cause> {
    let saw = patient.probe.as_ref()?;
    let gateway = ["502", "503 from upstream", "504", "bad gateway", "gateway timeout"];
    let said = saw.to_lowercase();
    let cause = of_patient(
        "proxy-misroutes",
        patient,
        "answers for a service that it does not reach",
        "its route must name the service and the port that it listens on inside, on a network both are in",
    );
    gateway.iter().any(|words| said.contains(words)).then(|| cause.seen([saw.clone()]))
}

fn never_healthy(_: &Symptoms, patient: &Patient) -> Option<Cause> {
    let Phase::Running { healthy } = patient.phase else { return None };
    let check = patient.signs.check.as_ref().filter(|_| healthy == Some(false));
    let said = check.map(|said| format!("its health check: {said}"));
    let saw = patient.probe.as_ref().map(|saw| format!("its probe: {saw}"));
    let cause = of_patient(
        "never-healthy",
        patient,
        "runs, and is not healthy",
        "the check names what it asked: is that where the service listens, and what its words tell of it? seaworthy logs",
    );
    (healthy == Some(false) || saw.is_some()).then(|| cause.seen(said).seen(saw).seen(last_words(patient)))
}

fn crashed(_: &Symptoms, patient: &Patient) -> Option<Cause> {
    let means = match patient.phase {
        Phase::Exited { code: 0 } => "has ended, and should go on".to_owned(),
        Phase::Exited { code: 137 } => "was killed".to_owned(),
        Phase::Exited { code: 139 } => "crashed: it touched memory that is not its own".to_owned(),
        Phase::Exited { code } => format!("crashed with exit code {code}"),
        Phase::Restarting => "crashes again and again".to_owned(),
        Phase::Running { .. } if patient.signs.restarts > 0 => {
            format!("crashes again and again: it was restarted {} times", patient.signs.restarts)
        }
        _ => return None,
    };
    let fix = format!("its last words tell why: seaworthy logs {}", patient.service);
    Some(of_patient("crashed", patient, &means, &fix).seen(last_words(patient)))
}

fn not_running(_: &Symptoms, patient: &Patient) -> Option<Cause> {
    let said = patient.signs.not_started.iter().map(|said| format!("the engine said: {said}"));
    Some(of_patient("not-running", patient, "does not run", "seaworthy deploy starts it").seen(said))
}

fn absent(symptoms: &Symptoms) -> Vec<Cause> {
    let gone = |service: &ServiceName| Cause {
        id: "container-gone",
        service: Some(service.clone()),
        message: format!("`{service}` is in the live release, and has no container"),
        evidence: vec!["somebody else removed it: no run of ours did".to_owned()],
        fix: "seaworthy deploy makes it again".to_owned(),
    };
    symptoms.absent.iter().map(gone).collect()
}

fn last_run(symptoms: &Symptoms) -> Vec<Cause> {
    let Some(RunSeen { id, verb, outcome, because }) = &symptoms.last_run else { return Vec::new() };
    let (ended, fix) = match outcome {
        RunOutcome::Stuck => {
            ("is stuck", format!("seaworthy runs show {id}; the command that goes on stands there"))
        }
        RunOutcome::Unfinished => ("was interrupted", format!("seaworthy {} takes it up", verb.as_str())),
        _ => ("failed and was taken back", format!("seaworthy runs show {id}")),
    };
    let told = words::spoken_of(words::OF_ENGINES, because)
        .or_else(|| words::spoken_of(words::OF_SERVICES, because));
    let verb = verb.as_str();
    let (id, message, fix) = match told {
        Some((row, _)) => (
            row.id,
            format!("the last {verb} ({id}) {ended}: what it needed {}", row.means),
            row.fix.to_owned(),
        ),
        None => ("last-run", format!("the last {verb} ({id}) {ended}"), fix),
    };
    vec![Cause { id, service: None, message, evidence: because.clone(), fix }]
}
