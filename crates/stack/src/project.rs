//! The same stack as another project: for a throwaway or a place beside the live one.

use crate::{
    Exposed, Mount, MountSource, Namespace, Network, Service, Shape, StackName, Volume, VolumesFrom,
};

impl Shape {
    /// A copy under another project name that shares nothing with the original: no published port, no explicit name,
    /// no address, no namespace, device or writable path of the host, and no network, volume or container of others.
    /// What it would write to is its own and empty; one container of each service is enough.
    #[must_use]
    pub fn as_project(&self, name: StackName) -> Shape {
        let mut copy = self.clone();
        copy.stack = name;
        copy.live = false;
        // What people did for the stack has been done.
        copy.controls.clear();
        for service in copy.services.values_mut() {
            let listened = service
                .ports
                .iter()
                .map(|port| Exposed { port: port.target, protocol: port.protocol.clone() });
            service.expose.extend(listened);
            service.ports.clear();
            service.container_name = None;
            service.scale = None;
            for attachment in service.networks.values_mut() {
                attachment.ipv4_address = None;
                attachment.ipv6_address = None;
                attachment.link_local_ips.clear();
                attachment.mac_address = None;
            }
            leave_the_host(service);
            service.mounts.iter_mut().for_each(make_its_own);
        }
        for network in copy.networks.values_mut() {
            *network =
                Network { internal: network.internal, labels: network.labels.clone(), ..Network::default() };
        }
        for volume in copy.volumes.values_mut() {
            *volume = Volume { labels: volume.labels.clone(), ..Volume::default() };
        }
        copy
    }
}

/// What a service shares with its host, or with containers of others, becomes its own or nothing.
fn leave_the_host(service: &mut Service) {
    // Without a network of its own it would not be the host's any more, but anybody's who is on the default one.
    if matches!(service.network_mode, Some(Namespace::Engine(_))) {
        service.network_mode = Some(Namespace::Engine("none".to_owned()));
    }
    for namespace in [&mut service.pid, &mut service.ipc] {
        if matches!(namespace, Some(Namespace::Engine(_))) {
            *namespace = None;
        }
    }
    service.uts = None;
    service.userns_mode = None;
    service.use_api_socket = false;
    service.mac_address = None;
    service.external_links.clear();
    service.volumes_from.retain(|from| matches!(from, VolumesFrom::Service { .. }));
    service.resources.devices.clear();
}

/// A path of the host that could be written to becomes a volume without a name.
fn make_its_own(mount: &mut Mount) {
    if matches!(mount.source, MountSource::Bind { content: None, .. }) && !mount.read_only {
        mount.source = MountSource::Anonymous;
    }
}
