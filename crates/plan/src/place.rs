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

use std::collections::{BTreeMap, BTreeSet};

use stack::{Condition, Hook, MountSource, Probe, ProbeRole, Service, ServiceName, Shape};

use crate::{
    Action, AnonymousSeen, ComposeHashes, Container, ContainerSeen, Effect, Facts, ImageKept, KeyStep,
    Moment, Phase, Policy, ResolvedMount, StepId, Thing,
    desired::{self, Versions},
    rollout::leftovers,
    steps::Steps,
};

/// Compose's label for what something was made from.
const CONFIG_HASH: &str = "com.docker.compose.config-hash";

/// How containers are put in place.
pub(crate) struct Placing<'a> {
    pub(crate) shape: &'a Shape,
    pub(crate) facts: &'a Facts,
    pub(crate) versions: &'a Versions,
    pub(crate) release: u64,
    pub(crate) policy: &'a Policy,
    /// What Compose would label with what the shape says.
    pub(crate) compose: &'a ComposeHashes,
    /// The images that a release was made from, where it is one that comes back.
    pub(crate) images: Option<&'a BTreeMap<String, ImageKept>>,
    /// Volumes made by this run are removed when it is taken back: true only where they were absent on purpose
    /// (restore, drill).
    pub(crate) volumes_are_ours: bool,
}

/// A container that the run stops and that ran: what is brought back when the run is taken back.
pub(crate) struct Stopped {
    pub(crate) service: ServiceName,
    /// The name by which it was found.
    pub(crate) container: String,
    /// The restart policy it had.
    pub(crate) restart: stack::Restart,
    /// The step that stops it.
    pub(crate) step: StepId,
}

/// A container that will be made or replaced, and why.
pub(crate) struct Change<'a> {
    pub(crate) container: &'a Container,
    pub(crate) because: &'a [String],
    /// Name of the container it replaces.
    pub(crate) replaces: Option<&'a str>,
}

impl Placing<'_> {
    /// What the first container of `service` should be.
    pub(crate) fn wanted(&self, service: &ServiceName) -> Container {
        let state_dir = &self.policy.state_dir;
        let made = desired::container(self.shape, service, self.versions, self.release, state_dir);
        self.complete(made)
    }

    /// Labelled with Compose's own hash, so that Compose finds nothing to change in it (where that is not known, with
    /// ours: it has to be there), and made from the very image of its release.
    fn complete(&self, mut container: Container) -> Container {
        if let Some(hash) = self.compose.services.get(&container.service) {
            container.labels.insert(CONFIG_HASH.to_owned(), hash.clone());
        }
        container.image_id = self.very_image(&container.settings.image).map(|kept| kept.id.clone());
        container
    }

    /// The image that a reference meant when the release was made, where it means another one now, or none.
    pub(crate) fn very_image(&self, reference: &str) -> Option<&ImageKept> {
        let kept = self.images?.get(reference)?;
        let now = self.facts.images.get(reference);
        (!kept.id.is_empty() && now.is_none_or(|now| now.id != kept.id)).then_some(kept)
    }

    /// What all containers of `service` should be, first to last.
    pub(crate) fn replicas(&self, service: &ServiceName) -> Vec<Container> {
        let state_dir = &self.policy.state_dir;
        let made = desired::replicas(self.shape, service, self.versions, self.release, state_dir);
        made.into_iter().map(|container| self.complete(container)).collect()
    }

    /// The container that stands where `wanted` should: by its name, or where that changed, by service and number.
    pub(crate) fn seen(&self, wanted: &Container) -> Option<&'_ ContainerSeen> {
        let named = self.facts.containers.iter().find(|seen| seen.name == wanted.name);
        named.or_else(|| {
            let same =
                |seen: &ContainerSeen| (&seen.service, seen.number) == (&wanted.service, Some(wanted.number));
            let set_aside = |seen: &ContainerSeen| leftovers(self).any(|left| left.name == seen.name);
            self.facts.containers.iter().find(|seen| same(seen) && !set_aside(seen))
        })
    }

    /// Networks and volumes that `services` need and that are not there.
    pub(crate) fn prepare(&self, steps: &mut Steps, services: &[ServiceName]) {
        self.prepare_networks(steps, services);
        self.prepare_volumes(steps, services);
    }

    fn prepare_networks(&self, steps: &mut Steps, services: &[ServiceName]) {
        let mut seen = BTreeSet::new();
        for name in services {
            for key in self.shape.services[name].networks.keys() {
                let mut network = desired::network(self.shape, key);
                let hash = self.compose.networks.get(key).cloned();
                network.labels.extend(hash.map(|hash| (CONFIG_HASH.to_owned(), hash)));
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
                let hash = self.compose.volumes.get(key).cloned();
                volume.labels.extend(hash.map(|hash| (CONFIG_HASH.to_owned(), hash)));
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

    /// Makes a container where none is, and starts it; nothing is asked of it yet.
    pub(crate) fn place(&self, steps: &mut Steps, container: &Container, because: &[String]) {
        let change = Change { container, because, replaces: None };
        self.make(steps, &change);
        self.take_over(steps, &change);
    }

    /// Removes what this plan made: never what somebody else made under that name while it was being planned.
    pub(crate) fn unmake(&self, thing: Thing, name: &str) -> Effect {
        Effect::Unmake { thing, name: name.to_owned(), mark: self.policy.mark() }
    }

    /// Makes the container under a name that nobody notices; under its own where it replaces nothing.
    pub(crate) fn make(&self, steps: &mut Steps, change: &Change<'_>) {
        let mut container = change.container.clone();
        if let Some(old) = change.replaces {
            container.name.push_str("-next");
            self.carry_over(&mut container, old);
        }
        self.policy.mark().put_on(&mut container.labels);
        let remove = self.unmake(Thing::Container, &container.name);
        let create = Effect::Create { container: Box::new(container) };
        steps.engine("create", &change.container.subject(), create, change.because).undone_by_effect(remove);
    }

    /// Mounts the volumes without a name of the old container at the same places of the new one: what is in them is
    /// all that tells that nobody named them on purpose.
    fn carry_over(&self, container: &mut Container, old: &str) {
        let Some(seen) = self.seen_as(old) else { return };
        let carried = |volume: &&AnonymousSeen| self.is_carried(container, volume);
        for volume in seen.anonymous.iter().filter(carried).collect::<Vec<_>>() {
            container.mounts.retain(|mount| mount.target() != volume.target);
            container.mounts.push(ResolvedMount::volume(&volume.name, &volume.target, false));
        }
    }

    /// Whether the new container has a volume without a name where the old one had this: by the file, or by its image.
    /// An image that is not here yet may ask for one.
    pub(crate) fn is_carried(&self, container: &Container, volume: &AnonymousSeen) -> bool {
        match container.mounts.iter().find(|mount| mount.target() == volume.target) {
            Some(mount) => matches!(mount, ResolvedMount::Anonymous { .. }),
            None => {
                let image = self.facts.images.get(&container.settings.image);
                image.is_none_or(|image| image.volumes.contains(&volume.target))
            }
        }
    }

    /// What was seen of a container that bears this name when its turn comes: one that was set aside has it back.
    pub(crate) fn seen_as(&self, name: &str) -> Option<&ContainerSeen> {
        let named = |wanted: &str| self.facts.containers.iter().find(|seen| seen.name == wanted);
        named(name).or_else(|| named(&format!("{name}-was")))
    }

    /// Gives the new container its name, once the old one was stopped, and starts it.
    pub(crate) fn take_over(&self, steps: &mut Steps, change: &Change<'_>) {
        let subject = change.container.subject();
        let name = &change.container.name;
        if let Some(old) = change.replaces {
            let (was, next) = (format!("{name}-was"), format!("{name}-next"));
            let renames = [("keep", old.to_owned(), was), ("name", next, name.clone())];
            for (kind, from, to) in renames {
                let back = Effect::Rename { from: to.clone(), to: from.clone() };
                steps
                    .engine(kind, &subject, Effect::Rename { from, to }, change.because)
                    .undone_by_effect(back);
            }
        }
        let mut undo = vec![Effect::Stop { container: name.clone(), grace: None }];
        if !self.volumes_are_ours {
            undo.push(Effect::Rename { from: name.clone(), to: self.failed_name(change.container) });
        }
        let start = Effect::Start { container: name.clone() };
        steps
            .engine("start", &subject, start, change.because)
            .undone_by(undo.into_iter().map(|effect| Action::Engine { effect }));
        self.after_start(steps, change.container);
    }

    /// The hooks of a container that was just started.
    fn after_start(&self, steps: &mut Steps, container: &Container) {
        for hook in &container.settings.post_start {
            let action =
                self.hook(&container.service, &container.name, self.release, Moment::PostStart, hook);
            steps.add(
                "hook",
                &container.subject(),
                action,
                &[asked_by(&container.service, Moment::PostStart)],
            );
        }
    }

    fn hook(&self, service: &ServiceName, name: &str, release: u64, moment: Moment, hook: &Hook) -> Action {
        Action::Hook {
            service: service.clone(),
            container: name.to_owned(),
            release,
            moment,
            hook: Box::new(hook.clone()),
            deadline: self.shape.timeout,
        }
    }

    /// The service as the release that runs has it, and that release's number: what its containers were made from. Of
    /// one that no release has, the file is all that is known.
    fn as_it_runs(&self, service: &ServiceName) -> Option<(&Service, u64)> {
        let current = self.facts.releases.iter().find(|release| Some(release.number) == self.facts.current);
        let was = current.and_then(|release| Some((release.shape.services.get(service)?, release.number)));
        was.or_else(|| Some((self.shape.services.get(service)?, self.release)))
    }

    /// What is run in a container before it is stopped: what the release that runs says. Taking a stop back, or a
    /// start, runs none: the container that failed is not asked for its part in it.
    pub(crate) fn before_stop(&self, service: &ServiceName, name: &str) -> Vec<Action> {
        let runs = |seen: &ContainerSeen| seen.name == name && matches!(seen.phase, Phase::Running { .. });
        let Some((settings, release)) =
            self.as_it_runs(service).filter(|_| self.facts.containers.iter().any(runs))
        else {
            return Vec::new();
        };
        settings
            .pre_stop
            .iter()
            .map(|hook| self.hook(service, name, release, Moment::PreStop, hook))
            .collect()
    }

    /// The name under which a container is kept that did not do as it should.
    pub(crate) fn failed_name(&self, container: &Container) -> String {
        let (stack, release) = (&self.shape.stack, self.release);
        let nth = if container.number > 1 { format!("-{}", container.number) } else { String::new() };
        format!("{stack}-{}-{release}{nth}-failed", container.service)
    }

    /// Stops the container that bears `name` now, in whose place `container` is or comes. Gives what has to be brought
    /// back when the run is taken back.
    pub(crate) fn stop(
        &self,
        steps: &mut Steps,
        container: &Container,
        name: &str,
        because: &[String],
    ) -> Option<Stopped> {
        let service = &container.service;
        for hook in self.before_stop(service, name) {
            steps.add("hook", &container.subject(), hook, &[asked_by(service, Moment::PreStop)]);
        }
        let stop = Effect::Stop { container: name.to_owned(), grace: None };
        let step = steps.engine("stop", &container.subject(), stop, because).with_impact().id.clone();
        let seen = self.facts.containers.iter().find(|seen| seen.name == name);
        let restart = seen.and_then(|seen| seen.restart);
        let restart = restart
            .or(self.as_it_runs(service).map(|(was, _)| was.restart))
            .unwrap_or(container.settings.restart);
        self.is_started_again(service, name).then(|| Stopped {
            service: service.clone(),
            container: name.to_owned(),
            restart,
            step,
        })
    }

    /// The hooks that a container of `service` is started with, as the release that runs has them.
    pub(crate) fn after_revival(&self, service: &ServiceName, container: &str) -> Vec<Action> {
        let as_it_runs = self.as_it_runs(service).into_iter();
        as_it_runs
            .flat_map(|(was, release)| {
                was.post_start
                    .iter()
                    .map(move |hook| self.hook(service, container, release, Moment::PostStart, hook))
            })
            .collect()
    }

    /// Whether taking back its stop starts it: not where it had ended before, as a migration has.
    fn is_started_again(&self, service: &ServiceName, old: &str) -> bool {
        match self.facts.containers.iter().find(|seen| seen.name == old).map(|seen| seen.phase) {
            Some(Phase::Created | Phase::Exited { .. } | Phase::Dead) => false,
            Some(Phase::Running { .. } | Phase::Restarting | Phase::Paused) => true,
            // A run that got stuck had stopped it and set it aside.
            None => !self.shape.runs_once(service),
        }
    }

    /// Starts a container that is there and should run.
    pub(crate) fn start(&self, steps: &mut Steps, container: &Container, because: &[String]) {
        let undo = Effect::Stop { container: container.name.clone(), grace: None };
        // Whoever stopped it may have taken its restart policy away.
        let start = Effect::Resume { container: container.name.clone(), restart: container.settings.restart };
        steps.engine("start", &container.subject(), start, because).undone_by_effect(undo);
        self.after_start(steps, container);
    }

    /// Gives a container that runs its restart policy back. It goes on running, whatever becomes of this.
    pub(crate) fn change_policy(&self, steps: &mut Steps, container: &Container, because: &[String]) {
        let name = &container.name;
        let resume = |restart| Effect::Resume { container: name.clone(), restart };
        let was = self.facts.containers.iter().find(|seen| seen.name == *name).and_then(|seen| seen.restart);
        let should = container.settings.restart;
        steps
            .engine("policy", &container.subject(), resume(should), because)
            .undone_by_effect(resume(was.unwrap_or(should)));
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
            steps.add("wait", &container.subject(), action, because).forgiving = self.may_fail(service);
        } else {
            for (kind, action) in gates(self.shape, service, &container.settings, &container.name) {
                steps.add(kind, &container.subject(), action, because);
            }
        }
    }

    /// A job that everybody who waits for it could do without.
    fn may_fail(&self, service: &ServiceName) -> bool {
        let waits = |other: &stack::Service| {
            let on = other.depends_on.get(service);
            on.is_some_and(|on| on.required && on.condition == Condition::ServiceCompletedSuccessfully)
        };
        !self.shape.services.values().any(waits)
    }

    /// The watch over a whole release: all its services that keep running.
    pub(crate) fn watch(&self, steps: &mut Steps) {
        let watched: Vec<_> = self
            .shape
            .services
            .iter()
            .filter(|(name, it)| !self.shape.runs_once(name) && it.replicas() > 0)
            .collect();
        let subjects = watched.iter().flat_map(|(name, service)| {
            let containers = self.shape.container_names(name).into_iter();
            let probes = asked_of(self.shape, service, ProbeRole::Live);
            containers.map(move |container| ((*name).clone(), container, probes.clone()))
        });
        let subjects: Vec<_> = subjects.collect();
        let lasting = self.shape.min_healthy;
        let because = format!("a release is good once it was healthy for {}", diag::duration(lasting));
        let subject =
            if watched.len() == 1 { "1 service".to_owned() } else { format!("{} services", watched.len()) };
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

pub(crate) fn needed_by(service: &ServiceName) -> Vec<String> {
    vec![format!("{service} needs it")]
}

/// The cause of a hook.
pub(crate) fn asked_by(service: &ServiceName, moment: Moment) -> String {
    format!("`{}` of {service} asks for it", moment.as_str())
}

/// What a container must pass before anybody may need it: its startup probes, which have their own time, then those that
/// say it is ready.
pub(crate) fn gates(
    shape: &Shape,
    service: &ServiceName,
    settings: &Service,
    container: &str,
) -> Vec<(&'static str, Action)> {
    let gate = |probes: Vec<Probe>| Action::Probe {
        service: service.clone(),
        container: container.to_owned(),
        deadline: probes.iter().filter_map(|probe| probe.deadline).max().unwrap_or(shape.timeout),
        probes,
    };
    let startup = asked_of(shape, settings, ProbeRole::Startup);
    let first = (!startup.is_empty()).then(|| ("startup", gate(startup)));
    first.into_iter().chain([("probe", gate(asked_of(shape, settings, ProbeRole::Ready)))]).collect()
}

/// The probes of a moment, each with its port and its deadline: whoever asks may know the service as another release has
/// it.
pub(crate) fn asked_of(shape: &Shape, service: &Service, role: ProbeRole) -> Vec<Probe> {
    let with = |probe: &Probe| Probe {
        port: probe.port.or(service.only_port()),
        deadline: probe.deadline.or(Some(shape.timeout)),
        ..probe.clone()
    };
    service.probes_for(role).into_iter().map(with).collect()
}
