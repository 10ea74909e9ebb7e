//! Looks at everything of one stack, and changes nothing.

use std::collections::{BTreeMap, HashMap};

use bollard::{
    models::{
        ContainerInspectResponse, ContainerState, ContainerStateStatusEnum as Status, ContainerSummary,
        HealthStatusEnum, HostConfig, ImageInspect, MountPoint, NetworkInspect, PortMap, RestartPolicy,
        RestartPolicyNameEnum as PolicyName,
    },
    query_parameters::{ListContainersOptionsBuilder, ListNetworksOptionsBuilder, ListVolumesOptionsBuilder},
};
use futures_util::future::try_join_all;
use plan::{AnonymousSeen, ContainerSeen, HostSeen, ImageSeen, Limits, NetworkSeen, Phase, VolumeSeen};
use stack::{EngineKind, Restart, ServiceName};

use super::{
    Docker,
    fail::{fail, found},
    owner::{PROJECT, is_private, project_of},
    ports,
};
use crate::{EngineError, Observed, Scope};

impl Docker {
    pub(super) async fn observe_scope(&self, scope: &Scope) -> Result<Observed, EngineError> {
        let (host, containers, networks, volumes, images, archives) = tokio::try_join!(
            self.host_seen(scope),
            self.containers_seen(&scope.project),
            self.networks_seen(scope),
            self.volumes_seen(scope),
            self.images_seen(&scope.images),
            self.archives_seen(&scope.archives),
        )?;
        Ok(Observed { host, containers, networks, volumes, images, archives })
    }

    async fn host_seen(&self, scope: &Scope) -> Result<HostSeen, EngineError> {
        Ok(HostSeen {
            name: self.machine.clone(),
            engine: EngineKind::Docker,
            version: self.version.clone(),
            api: Some(self.client.client_version().to_string()),
            ports_held: self.ports_held(&scope.project, &scope.ports).await?,
        })
    }

    /// The asked-for host ports that somebody else than this project holds, each with what is known of the holder.
    pub(super) async fn ports_held(
        &self,
        project: &str,
        asked: &[u16],
    ) -> Result<BTreeMap<u16, String>, EngineError> {
        if asked.is_empty() {
            return Ok(BTreeMap::new());
        }
        let running = ListContainersOptionsBuilder::default().build();
        let running = self.client.list_containers(Some(running)).await.map_err(fail("list containers"))?;
        let published: BTreeMap<u16, &ContainerSummary> =
            running.iter().flat_map(|one| published_ports(one).map(move |port| (port, one))).collect();
        let listening = if self.local { ports::listening() } else { BTreeMap::new() };
        let holder = |port: &u16| match (published.get(port), listening.get(port)) {
            (Some(container), _) => foreign_holder(container, project),
            (None, Some(inode)) => {
                Some(ports::process_of(*inode).unwrap_or_else(|| "another process".to_owned()))
            }
            (None, None) => None,
        };
        Ok(asked.iter().filter_map(|port| Some((*port, holder(port)?))).collect())
    }

    async fn containers_seen(&self, project: &str) -> Result<Vec<ContainerSeen>, EngineError> {
        let options = ListContainersOptionsBuilder::default().all(true).filters(&of_project(project)).build();
        let listed = self.client.list_containers(Some(options)).await;
        let listed = listed.map_err(fail(format!("list containers of `{project}`")))?;
        let asked = listed.into_iter().filter_map(|summary| summary.id).map(async |id| {
            let inspected = found(self.client.inspect_container(&id, None).await);
            inspected.map_err(fail(format!("inspect container `{id}`")))
        });
        // One that was removed since it was listed is not there any more.
        let mut seen: Vec<ContainerSeen> =
            try_join_all(asked).await?.into_iter().flatten().map(container_seen).collect();
        seen.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(seen)
    }

    async fn networks_seen(&self, scope: &Scope) -> Result<BTreeMap<String, NetworkSeen>, EngineError> {
        let options = ListNetworksOptionsBuilder::default().filters(&of_project(&scope.project)).build();
        let listed = self.client.list_networks(Some(options)).await.map_err(fail("list networks"))?;
        let mut names: Vec<String> = listed.into_iter().filter_map(|network| network.name).collect();
        names.extend(scope.networks.iter().cloned());
        names.sort();
        names.dedup();
        let asked = names.into_iter().map(async |name| {
            let seen = self.network(&name).await?.map(|network| network_seen(&network));
            Ok(seen.map(|seen| (name, seen)))
        });
        Ok(try_join_all(asked).await?.into_iter().flatten().collect())
    }

    /// The network of exactly this name; the engine would also take the beginning of an id.
    pub(super) async fn network(&self, name: &str) -> Result<Option<NetworkInspect>, EngineError> {
        let network = found(self.client.inspect_network(name, None).await);
        let network = network.map_err(fail(format!("inspect network `{name}`")))?;
        Ok(network.filter(|network| network.name.as_deref() == Some(name)))
    }

    async fn volumes_seen(&self, scope: &Scope) -> Result<BTreeMap<String, VolumeSeen>, EngineError> {
        let options = ListVolumesOptionsBuilder::default().filters(&of_project(&scope.project)).build();
        let listed = self.client.list_volumes(Some(options)).await.map_err(fail("list volumes"))?;
        let mut volumes = listed.volumes.unwrap_or_default();
        let unlisted = scope.volumes.iter().filter(|name| volumes.iter().all(|known| known.name != **name));
        let asked = unlisted.map(async |name| {
            let volume = found(self.client.inspect_volume(name).await);
            volume.map_err(fail(format!("inspect volume `{name}`")))
        });
        volumes.extend(try_join_all(asked.collect::<Vec<_>>()).await?.into_iter().flatten());
        let seen =
            |labels: &HashMap<String, String>| VolumeSeen { project: project_of(Some(labels)).to_owned() };
        Ok(volumes.into_iter().map(|volume| (volume.name, seen(&volume.labels))).collect())
    }

    pub(super) async fn images_seen(
        &self,
        references: &[String],
    ) -> Result<BTreeMap<String, ImageSeen>, EngineError> {
        let asked = references.iter().map(async |reference| {
            let image = self.image(reference).await?;
            Ok(image.map(|image| (reference.clone(), image_seen(image))))
        });
        Ok(try_join_all(asked).await?.into_iter().flatten().collect())
    }
}

fn of_project(project: &str) -> HashMap<String, Vec<String>> {
    HashMap::from([("label".to_owned(), vec![format!("{PROJECT}={project}")])])
}

fn published_ports(container: &ContainerSummary) -> impl Iterator<Item = u16> {
    container.ports.iter().flatten().filter_map(|port| port.public_port)
}

fn foreign_holder(container: &ContainerSummary, project: &str) -> Option<String> {
    let name = container.names.iter().flatten().next().map_or("?", |name| name.trim_start_matches('/'));
    match project_of(container.labels.as_ref()) {
        owner if owner == project => None,
        "" => Some(format!("container `{name}`")),
        owner => Some(format!("container `{name}` of stack `{owner}`")),
    }
}

fn container_seen(inspected: ContainerInspectResponse) -> ContainerSeen {
    let config = inspected.config.unwrap_or_default();
    let mut labels = config.labels.unwrap_or_default();
    let mut anonymous = anonymous(&inspected.mounts.unwrap_or_default());
    anonymous.retain(|volume| !is_private(Some(&labels), &volume.target));
    let mut label = |key: &str| labels.remove(key);
    let state = inspected.state.unwrap_or_default();
    let settings = inspected.network_settings.unwrap_or_default();
    let attached = settings.networks.unwrap_or_default();
    let given = |endpoint: &bollard::models::EndpointSettings| {
        [endpoint.ip_address.clone(), endpoint.global_ipv6_address.clone()]
    };
    let mut addresses: Vec<String> =
        attached.values().flat_map(given).flatten().filter(|address| !address.is_empty()).collect();
    let mut networks: Vec<String> = attached.into_keys().collect();
    networks.sort();
    addresses.sort();
    let declared =
        inspected.host_config.as_ref().and_then(|host| host.port_bindings.clone()).unwrap_or_default();
    // What really is published knows the ports that the engine picked; a stopped container has only its declaration.
    let live = published(&settings.ports.unwrap_or_default());
    ContainerSeen {
        name: inspected.name.unwrap_or_default().trim_start_matches('/').to_owned(),
        id: inspected.id.unwrap_or_default(),
        service: ServiceName::new(label("com.docker.compose.service").unwrap_or_default()),
        number: label("com.docker.compose.container-number").and_then(|number| number.parse().ok()),
        image_id: inspected.image.unwrap_or_default(),
        phase: phase(&state),
        identity: label("seaworthy.identity").unwrap_or_default(),
        compose_hash: label("com.docker.compose.config-hash").unwrap_or_default(),
        restart: inspected.host_config.as_ref().and_then(|host| restart(host.restart_policy.as_ref()?)),
        limits: inspected.host_config.as_ref().map(limits),
        release: label("seaworthy.release").and_then(|release| release.parse().ok()),
        state_dir: label("seaworthy.state"),
        networks,
        anonymous,
        addresses,
        ports: if live.is_empty() { published(&declared) } else { live },
    }
}

fn restart(policy: &RestartPolicy) -> Option<Restart> {
    Some(match policy.name? {
        PolicyName::EMPTY | PolicyName::NO => Restart::No,
        PolicyName::ALWAYS => Restart::Always,
        PolicyName::UNLESS_STOPPED => Restart::UnlessStopped,
        PolicyName::ON_FAILURE => {
            let times = policy.maximum_retry_count.filter(|times| *times > 0);
            Restart::OnFailure(times.and_then(|times| u32::try_from(times).ok()))
        }
    })
}

/// The engine says 0, or nothing, for no limit; -1 too, of processes.
fn limits(host: &HostConfig) -> Limits {
    let memory = host.memory.and_then(|bytes| u64::try_from(bytes).ok());
    Limits {
        memory_bytes: memory.filter(|bytes| *bytes > 0),
        nano_cpus: host.nano_cpus.filter(|cpus| *cpus > 0),
        pids: host.pids_limit.filter(|pids| *pids > 0),
    }
}

/// Volumes without a name among what a container mounts: the engine calls such a one by 64 hexadecimal digits.
pub(super) fn anonymous(mounts: &[MountPoint]) -> Vec<AnonymousSeen> {
    let nameless = |name: &str| name.len() == 64 && name.chars().all(|c| matches!(c, '0'..='9' | 'a'..='f'));
    let volumes = mounts.iter().filter_map(|mount| {
        let name = mount.name.clone().filter(|name| nameless(name))?;
        Some(AnonymousSeen { name, target: mount.destination.clone()? })
    });
    let mut found: Vec<AnonymousSeen> = volumes.collect();
    found.sort_by(|a, b| a.target.cmp(&b.target));
    found
}

/// What a container is doing, from the engine's own words.
pub(super) fn phase(state: &ContainerState) -> Phase {
    match state.status {
        Some(Status::CREATED) => Phase::Created,
        Some(Status::RUNNING | Status::STOPPING) => Phase::Running { healthy: healthy(state) },
        Some(Status::RESTARTING) => Phase::Restarting,
        Some(Status::EXITED) => Phase::Exited { code: state.exit_code.unwrap_or_default() },
        Some(Status::PAUSED) => Phase::Paused,
        Some(Status::DEAD | Status::REMOVING | Status::EMPTY) | None => Phase::Dead,
    }
}

fn healthy(state: &ContainerState) -> Option<bool> {
    match state.health.as_ref()?.status? {
        HealthStatusEnum::HEALTHY => Some(true),
        HealthStatusEnum::STARTING | HealthStatusEnum::UNHEALTHY => Some(false),
        HealthStatusEnum::NONE | HealthStatusEnum::EMPTY => None,
    }
}

fn published(ports: &PortMap) -> Vec<(String, u16, u16)> {
    let mut all: Vec<(String, u16, u16)> = ports
        .iter()
        .flat_map(|(target, bindings)| bindings.iter().flatten().map(move |binding| (target, binding)))
        .filter_map(|(target, binding)| {
            let target = target.split('/').next()?.parse().ok()?;
            let port = binding.host_port.as_deref().and_then(|port| port.parse().ok()).unwrap_or(0);
            Some((binding.host_ip.clone().unwrap_or_default(), port, target))
        })
        .collect();
    all.sort();
    all
}

fn network_seen(network: &NetworkInspect) -> NetworkSeen {
    NetworkSeen {
        internal: network.internal.unwrap_or(false),
        project: project_of(network.labels.as_ref()).to_owned(),
        attached: attached(network),
    }
}

/// Names of the containers attached to a network, sorted.
pub(super) fn attached(network: &NetworkInspect) -> Vec<String> {
    let endpoints = network.containers.iter().flat_map(HashMap::values);
    let mut names: Vec<String> = endpoints.filter_map(|endpoint| endpoint.name.clone()).collect();
    names.sort();
    names
}

fn image_seen(image: ImageInspect) -> ImageSeen {
    let digest = image.repo_digests.unwrap_or_default().into_iter().next();
    // An engine that does not know says the year 1.
    let named_at = image.metadata.and_then(|metadata| metadata.last_tag_time?.parse().ok());
    ImageSeen {
        named_at,
        id: image.id.unwrap_or_default(),
        digest: digest.and_then(|digest| digest.split_once('@').map(|(_, digest)| digest.to_owned())),
        volumes: image.config.and_then(|config| config.volumes).unwrap_or_default(),
    }
}
