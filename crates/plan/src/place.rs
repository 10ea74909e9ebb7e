//! The part of a plan that puts containers in place: shared by deploy, rollback, bootstrap, restore and drill.
//!
//! A service is replaced stop-first:
//!
//! ```text
//!   create NAME-next      nobody notices              undo: remove NAME-next
//!   stop   NAME           — impact starts here —
//!   rename NAME  NAME-was                             undo: rename NAME-was NAME
//!   rename NAME-next NAME                             undo: rename NAME NAME-next
//!   start  NAME                                       undo: stop NAME, rename NAME STACK-SERVICE-N-failed
//!   probe  NAME
//! ```
//!
//! so that an unwinding ends with the very container that ran before, and keeps the failed one to look at. Not where
//! the volumes were made by the same run: they go, and a container that was kept would hold them. What was stopped is
//! no undo's business: it is brought back once all steps are taken back, see `revival`.

use std::collections::BTreeSet;

use stack::{EngineKind, MountSource, Probe, ProbeRole, PullPolicy, Service, ServiceName, Shape};

use crate::{
    Action, Container, Effect, Facts, KeyStep, Phase, Policy, StepId, Thing,
    desired::{self, Versions},
    steps::Steps,
};

/// How containers are put in place.
pub(crate) struct Placing<'a> {
    pub(crate) shape: &'a Shape,
    pub(crate) facts: &'a Facts,
    pub(crate) versions: &'a Versions,
    pub(crate) release: u64,
    pub(crate) policy: &'a Policy,
    /// Volumes made by this run are removed when it is taken back: true only where they were absent on purpose
    /// (restore, drill).
    pub(crate) volumes_are_ours: bool,
}

/// A service that will be made or replaced, and why.
pub(crate) struct Change {
    pub(crate) container: Container,
    pub(crate) because: Vec<String>,
    /// Name of the container it replaces.
    pub(crate) replaces: Option<String>,
}

impl Placing<'_> {
    /// What `service` should be.
    pub(crate) fn wanted(&self, service: &ServiceName) -> Container {
        desired::container(self.shape, service, self.versions, self.release, &self.policy.state_dir)
    }

    /// Images, networks and volumes that `services` need and that are not there.
    pub(crate) fn prepare(&self, steps: &mut Steps, services: &[ServiceName]) {
        self.prepare_images(steps, services);
        self.prepare_networks(steps, services);
        self.prepare_volumes(steps, services);
    }

    fn prepare_images(&self, steps: &mut Steps, services: &[ServiceName]) {
        // The process engine runs no images.
        if self.facts.host.engine == EngineKind::Process {
            return;
        }
        let mut seen = BTreeSet::new();
        for name in services {
            let service = &self.shape.services[name];
            let always = service.pull_policy == PullPolicy::Always;
            let there = self.facts.images.contains_key(&service.image) && !always;
            if !service.image.is_empty() && !there && seen.insert(service.image.clone()) {
                let effect = Effect::EnsureImage { image: service.image.clone(), always };
                steps.engine("pull", &service.image, effect, &needed_by(name));
            }
        }
    }

    fn prepare_networks(&self, steps: &mut Steps, services: &[ServiceName]) {
        let mut seen = BTreeSet::new();
        for name in services {
            for key in self.shape.services[name].networks.keys() {
                let mut network = desired::network(self.shape, key);
                self.policy.mark().put_on(&mut network.labels);
                let known =
                    self.facts.networks.contains_key(&network.name) || self.shape.networks[key].external;
                if !known && seen.insert(network.name.clone()) {
                    let subject = network.name.clone();
                    let remove = self.unmake(Thing::Network, &subject);
                    steps
                        .engine("network", &subject, Effect::EnsureNetwork { network }, &needed_by(name))
                        .undone_by_effect(remove);
                }
            }
        }
    }

    fn prepare_volumes(&self, steps: &mut Steps, services: &[ServiceName]) {
        let mut seen = BTreeSet::new();
        for name in services {
            for mount in &self.shape.services[name].mounts {
                let MountSource::Volume { volume: key, .. } = &mount.source else { continue };
                let mut volume = desired::volume(self.shape, key);
                self.policy.mark().put_on(&mut volume.labels);
                let known = self.facts.volumes.contains_key(&volume.name) || self.shape.volumes[key].external;
                if !known && seen.insert(volume.name.clone()) {
                    let subject = volume.name.clone();
                    if self.volumes_are_ours {
                        steps
                            .engine("volume", &subject, Effect::MakeVolume { volume }, &needed_by(name))
                            .undone_by_effect(self.unmake(Thing::Volume, &subject));
                    } else {
                        let effect = Effect::EnsureVolume { volume };
                        steps.engine("volume", &subject, effect, &needed_by(name));
                    }
                }
            }
        }
    }

    /// Removes what this plan made: never what somebody else made under that name while it was being planned.
    pub(crate) fn unmake(&self, thing: Thing, name: &str) -> Effect {
        Effect::Unmake { thing, name: name.to_owned(), mark: self.policy.mark() }
    }

    /// Makes or replaces one container and starts it; nothing is asked of it yet. Gives the step that stops what ran
    /// before, where something did.
    pub(crate) fn place(&self, steps: &mut Steps, change: &Change) -> Option<StepId> {
        let service = change.container.service.to_string();
        let name = change.container.name.clone();
        let next = format!("{name}-next");
        let mut container = change.container.clone();
        let made_as = if change.replaces.is_some() { next.clone() } else { name.clone() };
        container.name.clone_from(&made_as);
        self.policy.mark().put_on(&mut container.labels);
        let create = Effect::Create { container: Box::new(container) };
        steps
            .engine("create", &service, create, &change.because)
            .undone_by_effect(self.unmake(Thing::Container, &made_as));
        let mut stopped = None;
        if let Some(old) = &change.replaces {
            stopped = self.set_aside(steps, &service, old, &name, &change.because);
            let (from, to) = (next, name.clone());
            let back = Effect::Rename { from: to.clone(), to: from.clone() };
            steps
                .engine("name", &service, Effect::Rename { from, to }, &change.because)
                .undone_by_effect(back);
        }
        let failed = format!("{}-{service}-{}-failed", self.shape.stack, self.release);
        let mut undo = vec![Effect::Stop { container: name.clone(), grace: None }];
        if !self.volumes_are_ours {
            undo.push(Effect::Rename { from: name.clone(), to: failed });
        }
        let start = Effect::Start { container: name };
        steps
            .engine("start", &service, start, &change.because)
            .undone_by(undo.into_iter().map(|effect| Action::Engine { effect }));
        stopped
    }

    /// Stops the old container and gives it the name under which it waits to be taken back or removed.
    fn set_aside(
        &self,
        steps: &mut Steps,
        service: &str,
        old: &str,
        name: &str,
        because: &[String],
    ) -> Option<StepId> {
        let stop = Effect::Stop { container: old.to_owned(), grace: None };
        let stop = steps.engine("stop", service, stop, because).with_impact().id.clone();
        let was = format!("{name}-was");
        let back = Effect::Rename { from: was.clone(), to: old.to_owned() };
        steps
            .engine("keep", service, Effect::Rename { from: old.to_owned(), to: was }, because)
            .undone_by_effect(back);
        self.is_started_again(service, old).then_some(stop)
    }

    /// Whether taking back its stop starts it: not where it had ended before, as a migration has.
    fn is_started_again(&self, service: &str, old: &str) -> bool {
        match self.facts.containers.iter().find(|seen| seen.name == old).map(|seen| seen.phase) {
            Some(Phase::Created | Phase::Exited { .. } | Phase::Dead) => false,
            Some(Phase::Running { .. } | Phase::Restarting | Phase::Paused) => true,
            // A run that got stuck had stopped it and set it aside.
            None => !self.shape.runs_once(&ServiceName::from(service)),
        }
    }

    /// Starts a container that is there and should run.
    pub(crate) fn start(&self, steps: &mut Steps, container: &Container, because: &[String]) {
        let undo = Effect::Stop { container: container.name.clone(), grace: None };
        // Whoever stopped it may have taken its restart policy away.
        let start = Effect::Resume { container: container.name.clone(), restart: container.settings.restart };
        steps.engine("start", container.service.as_str(), start, because).undone_by_effect(undo);
    }

    /// Waits until a service that was just started is what those after it need: unsealed, ready, or ended.
    pub(crate) fn await_ready(&self, steps: &mut Steps, container: &Container, because: &[String]) {
        let service = &container.service;
        let deadline = self.shape.timeout;
        for (kind, action) in unsealing(self.shape, service, &container.name) {
            steps.add(kind, service.as_str(), action, &["a key store starts sealed".to_owned()]);
        }
        if self.shape.runs_once(service) {
            let action = Action::AwaitExit { container: container.name.clone(), deadline };
            steps.add("wait", service.as_str(), action, because);
        } else {
            let action = Action::Probe {
                service: service.clone(),
                container: container.name.clone(),
                probes: gate_probes(&container.settings),
                deadline,
            };
            steps.add("probe", service.as_str(), action, because);
        }
    }

    /// The watch over a whole release: all its services that keep running.
    pub(crate) fn watch(&self, steps: &mut Steps) {
        let subjects: Vec<_> = self
            .shape
            .services
            .iter()
            .filter(|(name, _)| !self.shape.runs_once(name))
            .map(|(name, service)| (name.clone(), self.shape.container_name(name), gate_probes(service)))
            .collect();
        let lasting = self.shape.min_healthy;
        let because = format!("a release is good once it was healthy for {}", diag::duration(lasting));
        let subject =
            if subjects.len() == 1 { "1 service".to_owned() } else { format!("{} services", subjects.len()) };
        steps.add("watch", &subject, Action::Watch { subjects, lasting }, &[because]);
    }
}

/// What a key store that was just started needs before anybody can use it; nothing for any other service.
pub(crate) fn unsealing(
    shape: &Shape,
    service: &ServiceName,
    container: &str,
) -> Vec<(&'static str, Action)> {
    let Some((_, transit)) = shape.key_store().filter(|(store, _)| *store == service) else {
        return Vec::new();
    };
    let keys = |step: KeyStep| Action::Keys {
        service: service.clone(),
        container: container.to_owned(),
        transit: transit.clone(),
        step,
    };
    vec![("api", keys(KeyStep::AwaitApi { deadline: shape.timeout })), ("unseal", keys(KeyStep::Unseal))]
}

fn needed_by(service: &ServiceName) -> Vec<String> {
    vec![format!("{service} needs it")]
}

/// Probes that gate a start: startup first, then ready; live ones are for later. Each with its port: whoever asks may
/// know the service as another release has it.
pub(crate) fn gate_probes(service: &Service) -> Vec<Probe> {
    let of = |role: ProbeRole| service.probes.iter().filter(move |probe| probe.role == role).cloned();
    let port = service.only_port();
    of(ProbeRole::Startup)
        .chain(of(ProbeRole::Ready))
        .map(|probe| Probe { port: probe.port.or(port), ..probe })
        .collect()
}
