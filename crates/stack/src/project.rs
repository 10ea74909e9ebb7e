//! The same stack as another project: for a throwaway or a place beside the live one.

use crate::{Shape, StackName};

impl Shape {
    /// A copy under another project name that shares nothing with the original: no published port, no explicit
    /// name of a container, network or volume that is the stack's own.
    #[must_use]
    pub fn as_project(&self, name: StackName) -> Shape {
        let mut copy = self.clone();
        copy.stack = name;
        copy.live = false;
        for service in copy.services.values_mut() {
            service.expose.extend(service.ports.iter().map(|port| port.target));
            service.ports.clear();
            service.container_name = None;
        }
        for network in copy.networks.values_mut().filter(|network| !network.external) {
            network.name = None;
        }
        for volume in copy.volumes.values_mut().filter(|volume| !volume.external) {
            volume.name = None;
        }
        copy
    }
}
