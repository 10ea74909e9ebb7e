//! The same stack as another project: for a throwaway or a place beside the live one.

use crate::{Mount, MountSource, Network, Shape, StackName, Volume};

impl Shape {
    /// A copy under another project name that shares nothing with the original: no published port, no explicit name,
    /// no address, no host network, no writable path of the host, and no network or volume of others. What it would
    /// write to is its own and empty.
    #[must_use]
    pub fn as_project(&self, name: StackName) -> Shape {
        let mut copy = self.clone();
        copy.stack = name;
        copy.live = false;
        for service in copy.services.values_mut() {
            service.expose.extend(service.ports.iter().map(|port| port.target));
            service.ports.clear();
            service.container_name = None;
            if service.network_mode.as_deref() == Some("host") {
                service.network_mode = Some("none".to_owned());
            }
            for attachment in service.networks.values_mut() {
                attachment.ipv4_address = None;
            }
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

/// A path of the host that could be written to becomes a volume without a name.
fn make_its_own(mount: &mut Mount) {
    if matches!(mount.source, MountSource::Bind { content: None, .. }) && !mount.read_only {
        mount.source = MountSource::Anonymous;
    }
}
