//! Looks for symptoms wherever something may be wrong with a stack, and changes nothing. What one thing hides, such as
//! an engine that does not answer, keeps nobody from looking at the rest.

use std::{collections::BTreeSet, path::Path, sync::Arc};

use diag::Stop;
use futures_util::future::join_all;
use host::{Engine, EngineError, Examined, LogRequest, Trouble, machine, socket_seen};
use plan::{
    Facts, Outcome, Phase, RunOutcome,
    doctor::{
        ClockSeen, Door, EngineSilence, ImageBuiltFor, NameSeen, Patient, PlaceSeen, PortSeen, RegistrySeen,
        RunSeen, Signs, Symptoms,
    },
};
use secrets::Keyring;
use stack::{Loaded, PullPolicy, Service, ServiceName, Shape, image};

use crate::{Operations, StateDir, SystemClock, discretion::Discretion, survey::images_of};

/// The newest lines of a container's log that are looked at.
const LINES: usize = 50;

/// Characters of a line that are kept: what is wrong stands at its beginning.
const LINE_CHARS: usize = 300;

/// A container that was restarted and has run this long since is well again.
const RECOVERED_SECS: i64 = 600;

/// Who keeps images whose name says no registry.
const HUB: &str = "registry-1.docker.io";

/// Looks at the files that were read, the state directory, the engine that was or was not reached, and the machine.
pub async fn examine(
    state: &StateDir,
    keyring: Result<Keyring, Stop>,
    loaded: Loaded,
    engine: Result<Arc<dyn Engine>, EngineError>,
) -> Symptoms {
    let mut symptoms = Symptoms { files: loaded.diagnostics.clone(), ..Symptoms::default() };
    let shape = loaded.shape.clone();
    let mut keeps = None;
    let keyring = keyring.map_err(|stop| symptoms.state = stop.diagnostics).ok();
    let engine = engine.map_err(|err| symptoms.engine = Some(silence(&err))).ok();
    match (keyring, engine) {
        (Some(keyring), Some(engine)) => {
            match Operations::new(engine, state.clone(), keyring, Arc::new(SystemClock), loaded) {
                Ok(operations) => keeps = operations.examine(&mut symptoms).await,
                Err(_) => symptoms.not_looked_at.push("services: the files are not understood".to_owned()),
            }
        }
        (_, None) => symptoms.not_looked_at.push("services: no engine answers".to_owned()),
        (None, _) => symptoms.not_looked_at.push("services: the state directory cannot be used".to_owned()),
    }
    let targets = shape.iter().flat_map(|shape| &shape.backup.to);
    let targets = targets.map(|path| (format!("the target `{path}`"), Path::new(path).to_owned()));
    let kept = keeps.map(|path| ("the engine".to_owned(), path));
    let places =
        [("the state directory".to_owned(), state.root().to_owned())].into_iter().chain(kept).chain(targets);
    symptoms.places = places.filter_map(|(what, path)| place(what, &path)).collect();
    if let Some(shape) = &shape {
        let (names, clocks) = tokio::join!(unresolved(shape), clocks(shape));
        symptoms.names.extend(names);
        symptoms.clocks.extend(clocks);
    }
    symptoms
}

/// What an engine that does not let itself be used is, and who we are to it.
fn silence(error: &EngineError) -> EngineSilence {
    let door = match error.trouble {
        Trouble::Absent => Door::Nobody,
        Trouble::Denied => Door::Closed,
        Trouble::Lost => Door::Lost,
        _ => Door::Strange,
    };
    EngineSilence { door, said: diag::causes(error), account: machine::account(), socket: socket_seen() }
}

fn place(what: String, path: &Path) -> Option<PlaceSeen> {
    let machine::Room { free_bytes, free_files } = machine::room(path).ok()?;
    Some(PlaceSeen { what, path: path.display().to_string(), free_bytes, free_files })
}

/// The host in `https://HOST[:PORT]/…`, with its port.
fn authority(origin: &str) -> Option<&str> {
    origin.split_once("://")?.1.split('/').next().filter(|authority| !authority.is_empty())
}

fn without_port(authority: &str) -> &str {
    match authority.rsplit_once(':') {
        Some((host, port)) if port.parse::<u16>().is_ok() => host,
        _ => authority,
    }
}

async fn unresolved(shape: &Shape) -> Vec<NameSeen> {
    let asked = shape.origins.iter().filter_map(|origin| Some((without_port(authority(origin)?), origin)));
    let asked = asked.map(async |(name, origin)| {
        let said = machine::resolve(name).await.err()?;
        Some(NameSeen { name: name.to_owned(), needed_by: format!("the origin `{origin}`"), said })
    });
    join_all(asked).await.into_iter().flatten().collect()
}

/// The clocks of registries and origins beside ours: of those that tell.
async fn clocks(shape: &Shape) -> Vec<ClockSeen> {
    let registries = shape.services.values().filter_map(|service| image::registry(&service.image));
    let origins = shape.origins.iter().filter_map(|origin| authority(origin));
    let asked: BTreeSet<&str> = registries.chain(origins).collect();
    let asked = asked.into_iter().map(async |whose| {
        let ahead_secs = machine::ahead_of(whose).await?;
        Some(ClockSeen { whose: format!("`{whose}`"), ahead_secs })
    });
    join_all(asked).await.into_iter().flatten().collect()
}

impl Operations {
    /// Looks at what runs, and why something does not. Gives the place where the engine keeps images and volumes.
    async fn examine(&self, symptoms: &mut Symptoms) -> Option<std::path::PathBuf> {
        let discretion = Discretion::of(&self.dir(), &self.keyring, &self.materials);
        symptoms.last_run = self.last_run(&discretion);
        let facts = match self.facts().await {
            Ok(facts) => facts,
            Err(stop) => {
                symptoms.state = discretion.hush_stop(stop).diagnostics;
                return None;
            }
        };
        let publishes = |(service, settings): (&ServiceName, &Service)| {
            let held = settings.ports.iter().filter_map(|port| {
                let port = port.published?;
                Some((port, facts.host.ports_held.get(&port)?.clone()))
            });
            let seen = |(port, holder)| PortSeen { service: service.clone(), port, holder };
            held.map(seen).collect::<Vec<_>>()
        };
        symptoms.ports = self.shape.services.iter().flat_map(publishes).collect();
        let sealed = facts.key_stores.iter().filter(|(_, seen)| seen.initialised && seen.sealed);
        symptoms.sealed = sealed.map(|(service, _)| service.clone()).collect();
        let has_one = |service: &ServiceName| facts.containers.iter().any(|seen| seen.service == *service);
        let live =
            facts.current.and_then(|current| facts.releases.iter().find(|known| known.number == current));
        let gone =
            live.iter().flat_map(|release| release.shape.services.keys()).filter(|name| !has_one(name));
        symptoms.absent = gone.cloned().collect();
        let names: Vec<String> = facts.containers.iter().map(|seen| seen.name.clone()).collect();
        let examined = self.engine.examine(&names, &images_of(&self.shape)).await.unwrap_or_else(|err| {
            symptoms.not_looked_at.push(format!("what the engine tells: {}", diag::causes(&err).join(": ")));
            Examined::default()
        });
        symptoms.images = self.built_for(&examined);
        if let Some(clock) = examined.clock {
            let ahead_secs = self.clock.now().as_second() - clock.as_second();
            symptoms.clocks.push(ClockSeen { whose: "the engine's machine".to_owned(), ahead_secs });
        }
        let failed = symptoms.last_run.is_some();
        symptoms.patients = self.patients(&facts, &examined, &discretion, failed).await;
        (symptoms.registries, symptoms.names) = self.registries(&facts, &discretion).await;
        examined.keeps
    }

    fn built_for(&self, examined: &Examined) -> Vec<ImageBuiltFor> {
        let of = |(service, settings): (&ServiceName, &Service)| {
            Some(ImageBuiltFor {
                service: service.clone(),
                image: settings.image.clone(),
                built_for: examined.images.get(&settings.image)?.clone(),
                machine: examined.machine.clone()?,
            })
        };
        self.shape.services.iter().filter_map(of).collect()
    }

    /// Containers that are not well, each with what it says. One that a failed run kept tells why that run failed.
    async fn patients(
        &self,
        facts: &Facts,
        examined: &Examined,
        discretion: &Discretion,
        failed: bool,
    ) -> Vec<Patient> {
        let mut ailing = self.ailing(facts).await;
        let ours: Vec<String> =
            self.shape.services.keys().flat_map(|name| self.shape.container_names(name)).collect();
        let mut patients = Vec::new();
        for seen in facts.containers.iter().filter(|seen| failed || ours.contains(&seen.name)) {
            let signs = examined.containers.get(&seen.name).cloned().unwrap_or_default();
            let probe = ailing.remove(&seen.name).filter(|answer| !answer.passed);
            let done = seen.phase == Phase::Exited { code: 0 } && self.shape.runs_once(&seen.service);
            if done || (seen.phase.is_well() && probe.is_none() && !self.restarted_lately(&signs)) {
                continue;
            }
            let hush = |said: String| shortened(&discretion.hush(&said));
            let words = self.words(&seen.name).await.into_iter().map(hush).collect();
            patients.push(Patient {
                service: seen.service.clone(),
                container: seen.name.clone(),
                phase: seen.phase,
                signs: Signs {
                    not_started: signs.not_started.map(hush),
                    check: signs.check.map(hush),
                    ..signs
                },
                probe: probe.map(|answer| shortened(&format!("{}: {}", answer.question, answer.saw))),
                words,
                paths: self.shape.services.get(&seen.service).map(paths).unwrap_or_default(),
            });
        }
        patients
    }

    fn restarted_lately(&self, signs: &Signs) -> bool {
        let up_secs = signs.started_at.map(|at| self.clock.now().as_second() - at.as_second());
        signs.restarts > 0 && up_secs.is_some_and(|up| up < RECOVERED_SECS)
    }

    async fn words(&self, container: &str) -> Vec<String> {
        let request = LogRequest { tail: Some(LINES), follow: false };
        // One that never ran has said nothing.
        let Ok(mut lines) = self.engine.logs(container, &request).await else { return Vec::new() };
        let mut words = Vec::new();
        while let Some(line) = lines.recv().await {
            words.extend(Some(line.trim().to_owned()).filter(|line| !line.is_empty()));
        }
        words
    }

    /// Asks registries for what a deploy would fetch: what is on the host already is fetched from nobody.
    async fn registries(&self, facts: &Facts, discretion: &Discretion) -> (Vec<RegistrySeen>, Vec<NameSeen>) {
        let fetched = self.shape.services.iter().filter(|(_, settings)| {
            let there = facts.images.contains_key(&settings.image);
            let sought = !settings.image.is_empty() && settings.build.is_none() && settings.archive.is_none();
            sought
                && settings.pull_policy != PullPolicy::Never
                && (!there || settings.pull_policy == PullPolicy::Always)
        });
        let (mut refusals, mut names) = (Vec::new(), Vec::new());
        for (service, settings) in fetched {
            let Err(host::Unfetchable { said, known }) = self.engine.fetchable(&settings.image).await else {
                continue;
            };
            let keeper = without_port(image::registry(&settings.image).unwrap_or(HUB));
            match machine::resolve(keeper).await {
                Ok(()) => refusals.push(RegistrySeen {
                    service: service.clone(),
                    image: settings.image.clone(),
                    said: shortened(&discretion.hush(&said)),
                    known,
                }),
                Err(said) => names.push(NameSeen {
                    name: keeper.to_owned(),
                    needed_by: format!("the registry of `{}`", settings.image),
                    said,
                }),
            }
        }
        (refusals, names)
    }

    /// The newest run of the stack, where it came to no good end.
    fn last_run(&self, discretion: &Discretion) -> Option<RunSeen> {
        let runs = self.runs();
        let run = runs.read(&runs.newest().ok()??).ok()?;
        let outcome = RunOutcome::of(&run.plan, &run.progress);
        let because = match &run.progress.outcome {
            Some(Outcome::Undone { because, .. }) => because.clone(),
            Some(Outcome::Stuck { because, undo_error, .. }) => {
                [because.clone(), undo_error.clone()].concat()
            }
            _ => Vec::new(),
        };
        let bad = matches!(outcome, RunOutcome::Undone | RunOutcome::Stuck | RunOutcome::Unfinished);
        bad.then(|| RunSeen {
            id: run.id,
            verb: run.plan.verb,
            outcome,
            because: because.iter().map(|said| shortened(&discretion.hush(said))).collect(),
        })
    }
}

/// Variables of a service that hold a path, and nothing secret.
fn paths(settings: &Service) -> std::collections::BTreeMap<String, String> {
    let plain = settings
        .environment
        .iter()
        .filter_map(|(name, value)| Some((name.clone(), value.as_ref()?.as_literal()?)));
    plain.filter(|(_, value)| value.starts_with('/') && value.len() > 1).collect()
}

/// One line, without what a terminal would obey.
fn shortened(text: &str) -> String {
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    line.chars().filter(|c| !c.is_control()).take(LINE_CHARS).collect()
}
