//! What a survey of the modelled machine sees.

use plan::{
    ContainerSeen, Facts, HostSeen, ImageSeen, KeyStoreSeen, NetworkSeen, Phase, SecretSeen, SetSeen,
    VolumeSeen, set::Manifest,
};
use stack::{EngineKind, StackName};

use super::{
    ModelHost,
    state::{Made, Place, State},
};

impl ModelHost {
    /// Looks at the stack the machine was made for.
    pub fn observe(&self) -> Facts {
        self.observe_project(&self.state.home)
    }

    /// Looks at one project: the stack, a drill's throwaway, a restore beside it.
    pub fn observe_project(&self, project: &StackName) -> Facts {
        self.state.observe(project)
    }

    /// The manifests of all committed sets, oldest first.
    pub fn manifests(&self) -> Vec<Manifest> {
        let mut found: Vec<Manifest> =
            self.state.sets.values().filter_map(|set| set.manifest.clone()).collect();
        found.sort_by_key(|manifest| manifest.sequence);
        found
    }
}

impl State {
    fn observe(&self, project: &StackName) -> Facts {
        let place = self.places.get(project).cloned().unwrap_or_default();
        let containers = self.containers.iter().filter_map(|(name, made)| self.seen(project, name, made));
        Facts {
            seen_at: self.now,
            host: HostSeen {
                name: "model".to_owned(),
                engine: EngineKind::Docker,
                version: "model".to_owned(),
                api: None,
                ports_held: self.ports_held.clone(),
            },
            containers: containers.collect(),
            networks: self
                .networks
                .iter()
                .map(|(name, network)| {
                    let on = self.containers.iter().filter(|(_, made)| made.networks.contains(name));
                    let attached = on.map(|(container, _)| container.clone()).collect();
                    let seen = NetworkSeen {
                        internal: network.internal,
                        project: network.project.clone(),
                        attached,
                    };
                    (name.clone(), seen)
                })
                .collect(),
            volumes: self
                .volumes
                .iter()
                .map(|(name, volume)| (name.clone(), VolumeSeen { project: volume.project.clone() }))
                .collect(),
            images: self.images.iter().map(|image| (image.clone(), self.image_seen(image))).collect(),
            archives: std::collections::BTreeMap::new(),
            key_stores: self.key_stores_of(project),
            sets: self.sets_seen(),
            compose: plan::ComposeHashes::default(),
            attested: Vec::new(),
            half_removed: Vec::new(),
            secrets: secrets(&place),
            releases: place.releases.into_values().collect(),
            current: place.current,
            good: place.good,
        }
    }

    fn image_seen(&self, image: &str) -> ImageSeen {
        let volumes = self.image_volumes.get(image).cloned().unwrap_or_default();
        ImageSeen { id: format!("id of {image}"), volumes, ..ImageSeen::default() }
    }

    fn seen(&self, project: &StackName, name: &str, made: &Made) -> Option<ContainerSeen> {
        let spec = made.spec.as_ref().filter(|spec| spec.stack == *project)?;
        let running = matches!(self.phase(made), Phase::Running { .. });
        let ports = spec.settings.ports.iter().filter_map(|port| {
            Some(("0.0.0.0".to_owned(), port.published?, port.target)).filter(|_| running)
        });
        Some(ContainerSeen {
            name: name.to_owned(),
            id: made.id.to_string(),
            service: spec.service.clone(),
            number: Some(spec.number),
            image_id: format!("id of {}", spec.settings.image),
            phase: self.phase(made),
            identity: spec.identity.clone(),
            compose_hash: spec.labels.get("com.docker.compose.config-hash").cloned().unwrap_or_default(),
            restart: Some(made.restart),
            limits: None,
            release: Some(spec.release).filter(|_| !spec.identity.is_empty()),
            state_dir: spec.labels.get("seaworthy.state").cloned(),
            networks: made.networks.clone(),
            anonymous: self.anonymous_of(made),
            addresses: Vec::new(),
            ports: ports.collect(),
        })
    }

    fn key_stores_of(
        &self,
        project: &StackName,
    ) -> std::collections::BTreeMap<stack::ServiceName, KeyStoreSeen> {
        let ours = self.containers.iter().filter_map(|(name, made)| {
            let spec = made.spec.as_ref().filter(|spec| spec.stack == *project)?;
            let transit = self.key_stores.get(&spec.service)?;
            let development = transit.dev_token.is_some();
            let initialised = development || self.data_seen(name).is_some_and(|data| data.ring.is_some());
            let version = "model".to_owned();
            let seen =
                KeyStoreSeen { initialised, sealed: made.sealed, development, snapshots: true, version };
            matches!(self.phase(made), Phase::Running { .. }).then(|| (spec.service.clone(), seen))
        });
        ours.collect()
    }

    fn sets_seen(&self) -> Vec<SetSeen> {
        let mut sets: Vec<SetSeen> = self
            .sets
            .values()
            .filter_map(|set| set.manifest.as_ref())
            .map(|manifest| SetSeen {
                id: manifest.set.clone(),
                target: "model".to_owned(),
                point: manifest.point,
                bytes: manifest.objects.iter().map(|object| object.sealed_bytes).sum(),
                sequence: manifest.sequence,
                release: manifest.release,
                proven_at: self.evidence.contains(&manifest.set).then_some(self.now),
            })
            .collect();
        sets.sort_by_key(|set| std::cmp::Reverse(set.sequence));
        sets
    }
}

fn secrets(place: &Place) -> std::collections::BTreeMap<stack::SecretName, SecretSeen> {
    let seen =
        |version: u32| SecretSeen { version, fingerprint: format!("fingerprint of version {version}") };
    place.secrets.iter().map(|(name, &version)| (name.clone(), seen(version))).collect()
}
