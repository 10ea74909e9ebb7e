//! The engine's part: what a container engine does and refuses, name by name.

use std::collections::BTreeMap;

use plan::{
    AnonymousSeen, Container, Effect, Mark, NetworkSpec, Output, Phase, ResolvedMount, Thing, VolumeSpec,
};
use stack::Restart;

use super::{
    Behaviour,
    state::{Made, Owned, Run, State},
};

/// The label that says whose something is.
const PROJECT: &str = "com.docker.compose.project";

impl State {
    pub(crate) fn effect(&mut self, effect: &Effect) -> Result<Output, String> {
        match effect {
            Effect::EnsureImage { image, always, .. } => self.ensure_image(image, *always),
            // Its files, and what an archive holds, are the same each time: the second time finds all of it done.
            Effect::BuildImage { image, .. } | Effect::LoadImage { image, .. } => Ok(self.make_image(image)),
            Effect::EnsureNetwork { network } => self.ensure_network(network),
            Effect::EnsureVolume { volume } => self.ensure_volume(volume),
            Effect::MakeVolume { volume } => self.make_volume(volume),
            Effect::Create { container } => self.create(container),
            Effect::Start { container } => self.start(container),
            Effect::Stop { container, .. } => self.stop(container),
            Effect::Resume { container, restart } => {
                self.made(container)?.restart = *restart;
                self.start(container)
            }
            Effect::Rename { from, to } => self.rename(from, to),
            Effect::Remove { container } => self.remove(container),
            Effect::Discard { container } => self.discard(container),
            Effect::RemoveNetwork { name } => self.remove_network(name),
            Effect::RemoveVolume { name } => self.remove_volume(name),
            Effect::Unmake { thing, name, mark } => self.unmake(*thing, name, mark),
        }
    }

    pub(crate) fn take_name(&mut self, name: &str, networks: &[&str]) {
        let id = self.new_id();
        let made = Made {
            id,
            spec: None,
            networks: networks.iter().map(|&network| network.to_owned()).collect(),
            anonymous: Vec::new(),
            run: Run::Started { at: self.now },
            behaviour: Behaviour::Ready,
            restart: Restart::No,
            sealed: false,
        };
        self.containers.insert(name.to_owned(), made);
    }

    /// What a container is doing now: what it was told, and what became of it since.
    pub(crate) fn phase(&self, made: &Made) -> Phase {
        let at = match made.run {
            Run::Created => return Phase::Created,
            Run::Stopped { code } => return Phase::Exited { code },
            Run::Started { at } => at,
        };
        let ended = |code: i64| match (made.restart, code) {
            (Restart::Always | Restart::UnlessStopped, _) => Phase::Restarting,
            (Restart::OnFailure(_), 1..) => Phase::Restarting,
            _ => Phase::Exited { code },
        };
        match made.behaviour {
            Behaviour::Ends { code } => ended(code),
            Behaviour::DiesAfter(life) if at.checked_add(life).is_ok_and(|end| end <= self.now) => ended(1),
            _ => Phase::Running { healthy: None },
        }
    }

    pub(crate) fn made(&mut self, name: &str) -> Result<&mut Made, String> {
        match self.containers.get_mut(name) {
            Some(made) if made.spec.is_some() => Ok(made),
            Some(_) => Err(format!("container `{name}` belongs to no stack")),
            None => Err(format!("there is no container `{name}`")),
        }
    }

    fn ensure_image(&mut self, image: &str, always: bool) -> Result<Output, String> {
        let there = self.images.contains(image);
        if !self.published.contains(image) && (always || !there) {
            return Err(format!("image `{image}` does not exist"));
        }
        self.images.insert(image.to_owned());
        Ok(if there { Output::Unchanged } else { Output::Image { id: format!("id of {image}") } })
    }

    fn make_image(&mut self, image: &str) -> Output {
        let made = self.images.insert(image.to_owned());
        if made { Output::Image { id: format!("id of {image}") } } else { Output::Unchanged }
    }

    fn ensure_network(&mut self, spec: &NetworkSpec) -> Result<Output, String> {
        let wanted = owned(&spec.labels, spec.internal);
        let Some(there) = self.networks.get(&spec.name) else {
            self.networks.insert(spec.name.clone(), wanted);
            return Ok(Output::None);
        };
        if there.is_as(&wanted) {
            return Ok(Output::Unchanged);
        }
        Err(format!("network `{}` is there and is another one (of `{}`)", spec.name, there.project))
    }

    fn ensure_volume(&mut self, spec: &VolumeSpec) -> Result<Output, String> {
        let wanted = owned(&spec.labels, false);
        let Some(there) = self.volumes.get(&spec.name) else {
            self.volumes.insert(spec.name.clone(), wanted);
            return Ok(Output::None);
        };
        if there.is_as(&wanted) {
            return Ok(Output::Unchanged);
        }
        Err(format!("volume `{}` is there and belongs to `{}`", spec.name, there.project))
    }

    fn make_volume(&mut self, spec: &VolumeSpec) -> Result<Output, String> {
        let mark = spec.labels.get(Mark::LABEL);
        match self.volumes.get(&spec.name) {
            Some(there) if there.mark.as_ref() != mark => {
                Err(format!("volume `{}` was made by somebody else", spec.name))
            }
            _ => self.ensure_volume(spec),
        }
    }

    fn create(&mut self, spec: &Container) -> Result<Output, String> {
        if let Some(there) = self.containers.get(&spec.name) {
            let same = there.run == Run::Created && there.spec.as_deref() == Some(spec);
            return if same {
                Ok(Output::Unchanged)
            } else {
                Err(format!("the name `{}` is taken", spec.name))
            };
        }
        let image = spec.image();
        let name = image.strip_prefix("id of ").unwrap_or(image);
        if !self.images.contains(name) {
            return Err(format!("image `{image}` is not on this host"));
        }
        if let Some(missing) = spec.networks.keys().find(|name| !self.networks.contains_key(*name)) {
            return Err(format!("there is no network `{missing}`"));
        }
        if let Some(missing) = volumes(spec).find(|name| !self.volumes.contains_key(*name)) {
            return Err(format!("there is no volume `{missing}`"));
        }
        let anonymous = self.make_anonymous(spec);
        let made = Made {
            id: self.new_id(),
            anonymous,
            networks: spec.networks.keys().cloned().collect(),
            run: Run::Created,
            behaviour: Behaviour::Ready,
            restart: spec.settings.restart,
            sealed: false,
            spec: Some(Box::new(spec.clone())),
        };
        self.containers.insert(spec.name.clone(), made);
        Ok(Output::None)
    }

    /// Volumes without a name: those that the file asks for, and those that the image does where nothing is mounted.
    fn make_anonymous(&mut self, spec: &Container) -> Vec<AnonymousSeen> {
        let declared = self.image_volumes.get(&spec.settings.image).cloned().unwrap_or_default();
        let free = |target: &&String| spec.mounts.iter().all(|mount| mount.target() != target.as_str());
        let asked = spec.mounts.iter().filter_map(|mount| match mount {
            ResolvedMount::Anonymous { target } => Some(target.clone()),
            _ => None,
        });
        let targets: Vec<String> = asked.chain(declared.iter().filter(free).cloned()).collect();
        let made = targets.into_iter().map(|target| {
            let name = format!("{:064x}", self.new_id());
            self.volumes.insert(name.clone(), Owned { project: String::new(), internal: false, mark: None });
            self.anonymous.insert(name.clone());
            AnonymousSeen { name, target }
        });
        made.collect()
    }

    fn start(&mut self, name: &str) -> Result<Output, String> {
        self.made(name)?;
        let made = &self.containers[name];
        if matches!(self.phase(made), Phase::Running { .. } | Phase::Restarting) {
            return Ok(Output::Unchanged);
        }
        // A job that has ended, or a service that ends at once, is started again by every start.
        let spec = made.spec.as_deref().expect("made by us, which was just asked");
        self.free_ports(name, spec)?;
        self.free_volumes(name, spec)?;
        let behaviour = [spec.settings.image.as_str(), spec.service.as_str()]
            .into_iter()
            .find_map(|key| self.behaviours.get(key).cloned())
            .unwrap_or_default();
        let sealed = self.key_stores.get(&spec.service).is_some_and(|transit| transit.dev_token.is_none());
        let now = self.now;
        *self.starts.entry(spec.settings.image.clone()).or_default() += 1;
        let made = self.made(name)?;
        made.run = Run::Started { at: now };
        made.behaviour = behaviour;
        made.sealed = sealed;
        Ok(Output::None)
    }

    fn free_ports(&self, name: &str, spec: &Container) -> Result<(), String> {
        for port in spec.settings.ports.iter().filter_map(|port| port.published) {
            if let Some(holder) = self.ports_held.get(&port) {
                return Err(format!("port {port} is held by {holder}"));
            }
            let publishes =
                |other: &Container| other.settings.ports.iter().any(|other| other.published == Some(port));
            if let Some(other) = self.runs_beside(name, publishes) {
                return Err(format!("port {port} is held by container `{other}`"));
            }
        }
        Ok(())
    }

    /// Two at once on one writable volume ruin it; a real engine lets them.
    fn free_volumes(&self, name: &str, spec: &Container) -> Result<(), String> {
        for volume in writable(spec) {
            // Replicas of one service share what they share on purpose.
            let shares = |other: &Container| other.service == spec.service && other.number != spec.number;
            let writes = |other: &Container| !shares(other) && writable(other).any(|it| it == volume);
            if let Some(other) = self.runs_beside(name, writes) {
                return Err(format!("volume `{volume}` is being written by container `{other}`"));
            }
        }
        Ok(())
    }

    /// Another container of ours that runs, and of which something is true.
    fn runs_beside(&self, name: &str, is_so: impl Fn(&Container) -> bool) -> Option<&String> {
        let mut others = self.containers.iter().filter(|(other, _)| *other != name);
        let found = others.find(|(_, made)| {
            let runs = matches!(self.phase(made), Phase::Running { .. } | Phase::Restarting);
            runs && made.spec.as_deref().is_some_and(&is_so)
        });
        found.map(|(other, _)| other)
    }

    fn stop(&mut self, name: &str) -> Result<Output, String> {
        if !self.containers.contains_key(name) {
            return Ok(Output::Unchanged);
        }
        let phase = self.phase(&self.containers[name]);
        let made = self.made(name)?;
        made.restart = Restart::No;
        made.run = match phase {
            Phase::Created => Run::Created,
            Phase::Exited { code } => Run::Stopped { code },
            Phase::Restarting => Run::Stopped { code: 1 },
            _ => Run::Stopped { code: 0 },
        };
        Ok(Output::None)
    }

    fn rename(&mut self, from: &str, to: &str) -> Result<Output, String> {
        match (self.containers.contains_key(from), self.containers.contains_key(to)) {
            (true, false) => {
                self.made(from)?;
                let made = self.containers.remove(from).expect("it was just looked up");
                self.containers.insert(to.to_owned(), made);
                Ok(Output::None)
            }
            // Where neither is there, an unwinding has named it `-failed` already: nothing bears the old name.
            (false, _) => Ok(Output::Unchanged),
            (true, true) => Err(format!("the name `{to}` is taken")),
        }
    }

    fn remove(&mut self, name: &str) -> Result<Output, String> {
        if !self.containers.contains_key(name) {
            return Ok(Output::Unchanged);
        }
        self.made(name)?;
        let made = self.containers.remove(name).expect("it was just looked up");
        self.data.remove(&format!("container {}", made.id));
        Ok(Output::None)
    }

    fn discard(&mut self, name: &str) -> Result<Output, String> {
        let volumes = self.containers.get(name).map(|made| self.anonymous_of(made)).unwrap_or_default();
        let removed = self.remove(name)?;
        for volume in volumes {
            let mounts = |made: &Made| self.anonymous_of(made).iter().any(|other| other.name == volume.name);
            if !self.containers.values().any(mounts) {
                self.volumes.remove(&volume.name);
                self.anonymous.remove(&volume.name);
                self.data.remove(&volume.name);
            }
        }
        Ok(removed)
    }

    fn unmake(&mut self, thing: Thing, name: &str, mark: &Mark) -> Result<Output, String> {
        let carried = match thing {
            Thing::Container => {
                let spec = self.containers.get(name).and_then(|made| made.spec.as_ref());
                spec.and_then(|spec| spec.labels.get(Mark::LABEL))
            }
            Thing::Network => self.networks.get(name).and_then(|network| network.mark.as_ref()),
            Thing::Volume => self.volumes.get(name).and_then(|volume| volume.mark.as_ref()),
        };
        match thing {
            _ if carried != Some(&mark.0) => Ok(Output::Unchanged),
            Thing::Container => self.discard(name),
            Thing::Network => self.remove_network(name),
            Thing::Volume => self.remove_volume(name),
        }
    }

    fn remove_network(&mut self, name: &str) -> Result<Output, String> {
        let Some(network) = self.networks.get(name) else { return Ok(Output::Unchanged) };
        if network.project.is_empty() {
            return Err(format!("network `{name}` belongs to no stack"));
        }
        // A container that does not run holds no place on a network.
        let attached = self.containers.iter().find(|(_, made)| {
            let runs = matches!(self.phase(made), Phase::Running { .. } | Phase::Restarting);
            runs && made.networks.iter().any(|attached| attached == name)
        });
        if let Some((container, _)) = attached {
            return Err(format!("network `{name}` has `{container}` on it"));
        }
        self.networks.remove(name);
        Ok(Output::None)
    }

    fn remove_volume(&mut self, name: &str) -> Result<Output, String> {
        let Some(volume) = self.volumes.get(name) else { return Ok(Output::Unchanged) };
        if volume.project.is_empty() {
            return Err(format!("volume `{name}` belongs to no stack"));
        }
        let uses = |made: &Made| made.spec.as_deref().is_some_and(|spec| volumes(spec).any(|it| it == name));
        if let Some((container, _)) = self.containers.iter().find(|(_, made)| uses(made)) {
            return Err(format!("volume `{name}` is in use by container `{container}`"));
        }
        self.volumes.remove(name);
        self.data.remove(name);
        Ok(Output::None)
    }
}

/// Whose a network or volume with these labels is.
fn owned(labels: &BTreeMap<String, String>, internal: bool) -> Owned {
    let project = labels.get(PROJECT).cloned().unwrap_or_default();
    Owned { project, internal, mark: labels.get(Mark::LABEL).cloned() }
}

impl Owned {
    /// Whether it is what was wanted, whoever made it.
    fn is_as(&self, wanted: &Owned) -> bool {
        (&self.project, self.internal) == (&wanted.project, wanted.internal)
    }
}

fn volumes(spec: &Container) -> impl Iterator<Item = &String> {
    spec.mounts.iter().filter_map(|mount| match mount {
        ResolvedMount::Volume { name, .. } => Some(name),
        _ => None,
    })
}

fn writable(spec: &Container) -> impl Iterator<Item = &String> {
    spec.mounts.iter().filter_map(|mount| match mount {
        ResolvedMount::Volume { name, read_only: false, .. } => Some(name),
        _ => None,
    })
}
