//! `Shape`: the stack as it should be in one of its declared variations, everything resolved, no secret value in it.
//!
//! Names are Compose's own; what each key means is in the Compose Specification.

mod build;
mod control;
mod mounts;
mod networks;
mod probe;
mod resources;
mod secret;
mod series;
mod service;
mod state;

use std::{collections::BTreeMap, time::Duration};

use serde::{Deserialize, Serialize};

pub use build::Build;
pub use control::Control;
pub use mounts::{
    BindOptions, ContentId, FileMount, FileSource, Mount, MountSource, Recursive, Volume, VolumesFrom,
};
pub use networks::{Attachment, Exposed, Ipam, IpamPool, Network, Port, ipam_or_subnets};
pub use probe::{Authority, Certificate, Over, Probe, ProbeKind, ProbeRole, WebsocketStep};
pub use resources::{Blkio, BlkioRate, BlkioWeight, Device, DeviceRequest, Resources, Ulimit};
pub use secret::{SecretKind, SecretSpec};
pub use series::Series;
pub use service::{
    Condition, Dependency, Healthcheck, Hook, Logging, Namespace, ProcessSpec, PullPolicy, Restart, Service,
};
pub use state::{BackupSpec, DrillSpec, State, StateKind, Transit};

use crate::names::{NetworkKey, SecretName, ServiceName, StackName, VolumeKey};

/// The stack as it should be, in one of its declared variations (local, prod, tunnel).
///
/// It holds references where a value is secret: see [`Text`]. Everything else is resolved.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Shape {
    /// The Compose project name.
    pub stack: StackName,
    /// The name of the variation.
    pub name: String,
    /// Production: forbids what `explain production` lists.
    pub production: bool,
    /// The stack is live: `destroy` and `e2e` are refused.
    pub live: bool,
    /// The engine that `[stack] engine` names, if it names one.
    pub engine: Option<EngineKind>,
    /// How long a release must stay healthy before it is good. Default 10 s.
    pub min_healthy: Duration,
    /// How long a service may take to become ready. Default 60 s.
    pub timeout: Duration,
    /// Compose files in merge order, as the user named them.
    pub files: Vec<String>,
    /// The project directory, absolute.
    pub directory: String,
    /// Host ports this shape may publish; a published port outside the list is a finding. `None`: not declared.
    pub publishes: Option<Vec<u16>>,
    /// Public origins, as declared.
    pub origins: Vec<String>,
    /// Services enabled in this shape.
    pub services: BTreeMap<ServiceName, Service>,
    /// Networks that enabled services use.
    pub networks: BTreeMap<NetworkKey, Network>,
    /// Volumes that enabled services use.
    pub volumes: BTreeMap<VolumeKey, Volume>,
    /// Secrets declared in `[secret]`.
    pub secrets: BTreeMap<SecretName, SecretSpec>,
    /// What must survive, by the service that holds it.
    pub states: BTreeMap<ServiceName, State>,
    /// Where sets go and who can open them.
    pub backup: BackupSpec,
    /// What a drill asserts beside the defaults.
    pub drill: DrillSpec,
    /// What people have to do before a release is put in place, by name.
    #[serde(default)]
    pub controls: BTreeMap<String, Control>,
}

/// Where services run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum EngineKind {
    /// The Docker Engine API.
    Docker,
    /// Native processes; isolates nothing.
    Process,
}

impl EngineKind {
    /// As it is typed.
    pub fn as_str(self) -> &'static str {
        match self {
            EngineKind::Docker => "docker",
            EngineKind::Process => "process",
        }
    }
}

impl Shape {
    /// The name the engine knows a network by: `name:` or `PROJECT_KEY`, as Compose.
    pub fn network_name(&self, key: &NetworkKey) -> String {
        let declared = self.networks.get(key).and_then(|network| network.name.clone());
        declared.unwrap_or_else(|| format!("{}_{key}", self.stack))
    }

    /// The name the engine knows a volume by: `name:` or `PROJECT_KEY`, as Compose.
    pub fn volume_name(&self, key: &VolumeKey) -> String {
        let declared = self.volumes.get(key).and_then(|volume| volume.name.clone());
        declared.unwrap_or_else(|| format!("{}_{key}", self.stack))
    }

    /// The name of a service's first container: `container_name:` or `PROJECT-SERVICE-1`, as Compose.
    pub fn container_name(&self, service: &ServiceName) -> String {
        self.nth_container_name(service, 1)
    }

    /// The name of a service's container of this number, from 1.
    pub fn nth_container_name(&self, service: &ServiceName, number: u32) -> String {
        let declared = self.services.get(service).and_then(|service| service.container_name.clone());
        declared.unwrap_or_else(|| format!("{}-{service}-{number}", self.stack))
    }

    /// The names of all containers that a service should have, first to last; none of one that is scaled to nothing.
    pub fn container_names(&self, service: &ServiceName) -> Vec<String> {
        let replicas = self.services.get(service).map_or(0, Service::replicas);
        (1..=replicas).map(|number| self.nth_container_name(service, number)).collect()
    }

    /// Everything a service depends on: what `depends_on` says, and what it cannot be without: the services whose
    /// namespaces or volumes it shares, and those it is linked to. As Compose, what was written counts first.
    pub fn dependencies(&self, service: &ServiceName) -> BTreeMap<ServiceName, Dependency> {
        let Some(settings) = self.services.get(service) else { return BTreeMap::new() };
        let mut on = settings.depends_on.clone();
        let mut implied = |name: ServiceName, restart: bool| {
            let condition = Condition::ServiceStarted;
            on.entry(name).or_insert(Dependency { condition, required: true, restart });
        };
        for shared in settings.namespaces_shared() {
            implied(shared.clone(), true);
        }
        for from in settings.volumes_shared() {
            implied(from.clone(), false);
        }
        for link in &settings.links {
            implied(ServiceName::new(link.split(':').next().unwrap_or_default()), true);
        }
        on.retain(|name, _| name != service);
        on
    }

    /// True for a service that others wait for until it has ended.
    pub fn runs_once(&self, service: &ServiceName) -> bool {
        let once = Condition::ServiceCompletedSuccessfully;
        self.services
            .values()
            .any(|other| other.depends_on.get(service).is_some_and(|on| on.condition == once))
    }

    /// The key store of the stack, when it declares one.
    pub fn key_store(&self) -> Option<(&ServiceName, &Transit)> {
        self.states.iter().find_map(|(service, state)| match &state.kind {
            StateKind::Transit(transit) => Some((service, transit)),
            _ => None,
        })
    }

    /// Services in an order in which each comes after what it depends on: name order where nothing decides.
    ///
    /// A cycle was refused when the shape was read; services of one would come last.
    pub fn start_order(&self) -> Vec<ServiceName> {
        let mut order: Vec<ServiceName> = Vec::new();
        let mut left: Vec<&ServiceName> = self.services.keys().collect();
        while !left.is_empty() {
            let ready = left.iter().position(|name| {
                let on = self.dependencies(name);
                on.keys().all(|on| order.contains(on) || !self.services.contains_key(on))
            });
            order.push(left.remove(ready.unwrap_or(0)).clone());
        }
        order
    }

    /// These services, and all that they depend on, however far away.
    pub fn with_dependencies(&self, services: &[ServiceName]) -> Vec<ServiceName> {
        let mut all: Vec<ServiceName> = services.to_vec();
        let mut at = 0;
        while at < all.len() {
            let known = self.services.contains_key(&all[at]);
            let on = known.then(|| self.dependencies(&all[at])).into_iter().flatten().map(|(name, _)| name);
            let new: Vec<ServiceName> = on.filter(|name| !all.contains(name)).collect();
            all.extend(new);
            at += 1;
        }
        all
    }
}
