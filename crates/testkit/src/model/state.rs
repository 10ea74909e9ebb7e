//! What the modelled machine is made of, and which part does which action.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use plan::{
    Action, AnonymousSeen, Container, ImageKept, Moment, Output, ReleaseSeen,
    set::{KeyList, Manifest, Object, SetId},
};
use stack::{Restart, SecretKind, SecretName, ServiceName, StackName, Transit};

use super::{Behaviour, Refusal};

/// Everything the machine holds.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct State {
    pub(crate) now: jiff::Timestamp,
    pub(crate) home: StackName,
    pub(crate) acting_on: StackName,
    pub(crate) next_id: u64,
    pub(crate) containers: BTreeMap<String, Made>,
    pub(crate) networks: BTreeMap<String, Owned>,
    pub(crate) volumes: BTreeMap<String, Owned>,
    /// Those of the volumes that have no name of their own.
    pub(crate) anonymous: BTreeSet<String>,
    /// Where a container of an image has a volume.
    pub(crate) image_volumes: BTreeMap<String, Vec<String>>,
    /// What stores keep in a volume, or in a container that has none.
    pub(crate) data: BTreeMap<String, Data>,
    pub(crate) images: BTreeSet<String>,
    pub(crate) published: BTreeSet<String>,
    pub(crate) ports_held: BTreeMap<u16, String>,
    pub(crate) behaviours: BTreeMap<String, Behaviour>,
    /// The state directory, by project.
    pub(crate) places: BTreeMap<StackName, Place>,
    pub(crate) key_stores: BTreeMap<ServiceName, Transit>,
    pub(crate) shares_at_hand: bool,
    pub(crate) sets: BTreeMap<SetId, Kept>,
    pub(crate) targets_full: bool,
    pub(crate) evidence: Vec<SetId>,
    /// Hooks that were run: the container's number among all that were made, and the moment.
    pub(crate) hooks: Vec<(u64, Moment)>,
    /// How often containers of an image were started.
    pub(crate) starts: BTreeMap<String, u32>,
}

/// A container that was made.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Made {
    pub(crate) id: u64,
    /// As it was asked for; `None`: somebody else's.
    pub(crate) spec: Option<Box<Container>>,
    pub(crate) networks: Vec<String>,
    /// Volumes without a name that were made with it, and where they are mounted.
    pub(crate) anonymous: Vec<AnonymousSeen>,
    pub(crate) run: Run,
    pub(crate) behaviour: Behaviour,
    pub(crate) restart: Restart,
    /// True for a key store that was started and not unsealed since.
    pub(crate) sealed: bool,
}

/// What a container was told to do last.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Run {
    Created,
    Started { at: jiff::Timestamp },
    Stopped { code: i64 },
}

/// A network or volume and whose it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Owned {
    /// Empty: nobody's.
    pub(crate) project: String,
    pub(crate) internal: bool,
    /// The mark of the plan that made it.
    pub(crate) mark: Option<String>,
}

/// What a store keeps.
#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) struct Data {
    pub(crate) rows: BTreeMap<String, u64>,
    pub(crate) heartbeat: Option<jiff::Timestamp>,
    pub(crate) ring: Option<Ring>,
}

/// The keys of a key store that was initialised. Another initialisation has another number.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Ring {
    pub(crate) number: u64,
    pub(crate) keys: KeyList,
}

/// One project's place in the state directory.
#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) struct Place {
    pub(crate) releases: BTreeMap<u64, ReleaseSeen>,
    pub(crate) current: Option<u64>,
    pub(crate) good: Option<u64>,
    pub(crate) secrets: BTreeMap<SecretName, u32>,
}

/// A set on the targets.
#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) struct Kept {
    pub(crate) objects: Vec<Object>,
    pub(crate) data: BTreeMap<ServiceName, Data>,
    pub(crate) secrets: BTreeMap<SecretName, u32>,
    pub(crate) release: Option<ReleaseSeen>,
    pub(crate) before: Option<KeyList>,
    pub(crate) canary: Option<(u64, plan::set::Canary)>,
    pub(crate) manifest: Option<Manifest>,
    pub(crate) damaged: bool,
}

impl State {
    pub(crate) fn new(home: StackName) -> Self {
        Self {
            now: "2026-11-21T03:00:00Z".parse().expect("a time is written here"),
            acting_on: home.clone(),
            next_id: 1,
            containers: BTreeMap::new(),
            networks: BTreeMap::new(),
            volumes: BTreeMap::new(),
            anonymous: BTreeSet::new(),
            image_volumes: BTreeMap::new(),
            data: BTreeMap::new(),
            images: BTreeSet::new(),
            published: BTreeSet::new(),
            ports_held: BTreeMap::new(),
            behaviours: BTreeMap::new(),
            places: [(home.clone(), Place::default())].into(),
            home,
            key_stores: BTreeMap::new(),
            shares_at_hand: true,
            sets: BTreeMap::new(),
            targets_full: false,
            evidence: Vec::new(),
            hooks: Vec::new(),
            starts: BTreeMap::new(),
        }
    }

    /// Sends an action to the part that does it.
    pub(crate) fn perform(&mut self, action: &Action) -> Result<Output, Refusal> {
        match action {
            Action::Engine { effect } => Ok(self.effect(effect)?),
            Action::Probe { service, container, probes, deadline } => {
                Ok(self.probe(service, container, probes, *deadline)?)
            }
            Action::Watch { subjects, lasting } => Ok(self.watch(subjects, *lasting)?),
            Action::AwaitExit { container, deadline } => Ok(self.await_exit(container, *deadline)?),
            Action::Keys { service, container, transit, step } => {
                self.keys(service, container, transit, step)
            }
            Action::Person { instruction, .. } => Err(Refusal::Waiting(instruction.clone())),
            Action::Hook { service, container, moment, .. } => Ok(self.hook(service, container, *moment)?),
            Action::WriteRelease { .. }
            | Action::PointCurrent { .. }
            | Action::PointGood { .. }
            | Action::GenerateSecret { .. }
            | Action::Forget { .. } => Ok(self.keep(action)?),
            Action::CheckTargets { .. }
            | Action::Capture { .. }
            | Action::CaptureRelease { .. }
            | Action::CommitSet { .. }
            | Action::AbandonSet { .. }
            | Action::PruneSet { .. }
            | Action::VerifySet { .. }
            | Action::WriteEvidence { .. } => Ok(self.sets(action)?),
            Action::RestoreSecrets { set } => Ok(self.restore_secrets(set)?),
            Action::RestoreRelease { set } => Ok(self.restore_release(set)?),
            Action::Restore { set, service, container, part } => self.restore(set, service, container, part),
        }
    }

    /// What belongs to the state directory.
    fn keep(&mut self, action: &Action) -> Result<Output, String> {
        let now = self.now;
        match action {
            Action::WriteRelease { number, shape, secrets, compose } => {
                let place = self.place();
                let same = |kept: &ReleaseSeen| kept.shape == *shape && kept.secrets == *secrets;
                match place.releases.get(number) {
                    Some(kept) if same(kept) => return Ok(Output::Unchanged),
                    Some(_) => return Err(format!("release {number} is there already and is another one")),
                    None => {}
                }
                let kept = |image: String| {
                    let seen = ImageKept { id: format!("id of {image}"), pulled_as: None };
                    (image, seen)
                };
                let written = ReleaseSeen {
                    number: *number,
                    written_at: now,
                    shape: shape.clone(),
                    secrets: secrets.clone(),
                    compose: compose.clone(),
                    images: shape.services.values().map(|service| service.image.clone()).map(kept).collect(),
                    was_good: false,
                };
                place.releases.insert(*number, written);
            }
            Action::PointCurrent { number } | Action::PointGood { number } => {
                let place = self.place();
                if let Some(number) = number.filter(|number| !place.releases.contains_key(number)) {
                    return Err(format!("there is no release {number} to point at"));
                }
                match action {
                    Action::PointCurrent { .. } => place.current = *number,
                    _ => {
                        place.good = *number;
                        if let Some(good) = number.and_then(|number| place.releases.get_mut(&number)) {
                            good.was_good = true;
                        }
                    }
                }
            }
            Action::GenerateSecret { name, kind, from } => {
                let secrets = &mut self.place().secrets;
                if let Some(version) = secrets.get(name) {
                    return Ok(Output::Secret { version: *version });
                }
                if from.is_none() && matches!(kind, SecretKind::Given | SecretKind::Approle) {
                    return Err(format!("secret `{name}` is not one that is generated"));
                }
                secrets.insert(name.clone(), 1);
                return Ok(Output::Secret { version: 1 });
            }
            Action::Forget { project } => {
                if *project == self.home {
                    return Err(format!("`{project}` is no throwaway"));
                }
                self.places.remove(project);
            }
            other => return Err(format!("not of the state directory: {other:?}")),
        }
        Ok(Output::None)
    }

    /// The place of the project that is acted on.
    pub(crate) fn place(&mut self) -> &mut Place {
        self.places.entry(self.acting_on.clone()).or_default()
    }

    pub(crate) fn pass(&mut self, time: Duration) {
        self.now = self.now.checked_add(time).unwrap_or(self.now);
    }

    pub(crate) fn new_id(&mut self) -> u64 {
        self.next_id += 1;
        self.next_id
    }

    /// Where a container keeps its data: its first volume, else itself.
    pub(crate) fn keeps_in(&self, container: &str) -> Option<String> {
        let made = self.containers.get(container)?;
        let volumes = made.spec.iter().flat_map(|spec| &spec.mounts).filter_map(|mount| match mount {
            plan::ResolvedMount::Volume { name, .. } => Some(name.clone()),
            _ => None,
        });
        let anonymous = made.anonymous.iter().map(|volume| volume.name.clone());
        Some(volumes.chain(anonymous).next().unwrap_or_else(|| format!("container {}", made.id)))
    }

    /// Volumes without a name that a container mounts: made with it, or carried over.
    pub(crate) fn anonymous_of(&self, made: &Made) -> Vec<AnonymousSeen> {
        let carried = made.spec.iter().flat_map(|spec| &spec.mounts).filter_map(|mount| match mount {
            plan::ResolvedMount::Volume { name, target, .. } if self.anonymous.contains(name) => {
                Some(AnonymousSeen { name: name.clone(), target: target.clone() })
            }
            _ => None,
        });
        carried.chain(made.anonymous.iter().cloned()).collect()
    }

    pub(crate) fn data_of(&mut self, container: &str) -> Option<&mut Data> {
        let place = self.keeps_in(container)?;
        Some(self.data.entry(place).or_default())
    }

    pub(crate) fn data_seen(&self, container: &str) -> Option<&Data> {
        self.data.get(&self.keeps_in(container)?)
    }

    /// The state with its clock stopped, and starts not counted: waiting twice takes longer, a job that was started
    /// twice has run twice, and that is no difference.
    pub(crate) fn timeless(&self) -> Self {
        let epoch = jiff::Timestamp::UNIX_EPOCH;
        let mut state = self.clone();
        state.now = epoch;
        state.starts.clear();
        // A hook that was interrupted is run again.
        state.hooks.dedup();
        for made in state.containers.values_mut() {
            if let Run::Started { at } = &mut made.run {
                *at = epoch;
            }
        }
        for object in state.sets.values_mut().flat_map(|set| &mut set.objects) {
            object.captured_at = epoch;
        }
        state
    }

    /// What two histories must agree in, as text.
    pub(crate) fn looks(&self) -> String {
        let mut lines = Vec::new();
        for (name, made) in &self.containers {
            // What Compose made from the same is the same.
            let identity = made.spec.as_ref().map_or("", |spec| match spec.identity.as_str() {
                "" => spec.labels.get("com.docker.compose.config-hash").map_or("", String::as_str),
                identity => identity,
            });
            let run = match self.phase(made) {
                plan::Phase::Running { .. } => "running".to_owned(),
                other => format!("{other:?}").to_lowercase(),
            };
            let sealed = if made.sealed { " sealed" } else { "" };
            let rows = |name: &str| self.data.get(name).map(|data| data.rows.clone()).unwrap_or_default();
            let kept = self.anonymous_of(made);
            let keeps =
                kept.iter().map(|volume| format!(" keeps at {} {:?}", volume.target, rows(&volume.name)));
            let (restart, keeps) = (made.restart, keeps.collect::<String>());
            lines.push(format!("container {name} {run}{sealed} restart {restart:?} from {identity}{keeps}"));
        }
        lines.extend(self.networks.iter().map(|(name, it)| format!("network {name} of {}", it.project)));
        let mounted: BTreeSet<String> = self
            .containers
            .values()
            .flat_map(|made| self.anonymous_of(made))
            .map(|volume| volume.name)
            .collect();
        // What they are called depends on how often somebody tried; an empty one is no loss.
        for name in self.anonymous.difference(&mounted) {
            let rows = self.data.get(name).map(|data| data.rows.clone()).unwrap_or_default();
            if !rows.is_empty() {
                lines.push(format!("volume without a name and without a container rows {rows:?}"));
            }
        }
        for (name, it) in self.volumes.iter().filter(|(name, _)| !self.anonymous.contains(*name)) {
            let data = self.data.get(name).cloned().unwrap_or_default();
            let ring = data.ring.map_or(String::new(), |ring| format!(" keys {:?}", ring.keys.keys));
            lines.push(format!("volume {name} of {} rows {:?}{ring}", it.project, data.rows));
        }
        for (project, place) in self.places.iter().filter(|(_, place)| **place != Place::default()) {
            let releases: Vec<&u64> = place.releases.keys().collect();
            let (current, good, secrets) = (place.current, place.good, &place.secrets);
            lines.push(format!(
                "{project}: releases {releases:?} current {current:?} good {good:?} {secrets:?}"
            ));
        }
        let committed = self.sets.values().filter(|set| set.manifest.is_some()).count();
        lines.push(format!("sets {committed} and {} half", self.sets.len() - committed));
        lines.join("\n")
    }
}
