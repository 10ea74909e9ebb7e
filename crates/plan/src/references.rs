//! Services that a service's settings refer to, as the containers that are meant.

use stack::{Namespace, Service, ServiceName, Shape, VolumesFrom};

/// The same settings with containers in place of services: whose namespaces and mounts are shared, and who is known by
/// which names. An engine need not know the stack to carry them out.
pub(crate) fn name_containers(shape: &Shape, settings: &mut Service, number: u32) {
    for mode in [&mut settings.network_mode, &mut settings.pid, &mut settings.ipc].into_iter().flatten() {
        if let Namespace::Service(service) = mode {
            *mode = Namespace::Engine(format!("container:{}", shape.container_name(service)));
        }
    }
    for from in &mut settings.volumes_from {
        if let VolumesFrom::Service { service, read_only } = from {
            let container = shape.container_name(service);
            *from = VolumesFrom::Container { container, read_only: *read_only };
        }
    }
    let links = std::mem::take(&mut settings.links);
    let linked = links.iter().flat_map(|link| linked(shape, link, number));
    settings.external_links = linked.chain(std::mem::take(&mut settings.external_links)).collect();
}

/// Every container of the linked service, by the alias and by the two names that Compose gives it besides: those with
/// the number of the container that links.
fn linked(shape: &Shape, link: &str, number: u32) -> Vec<String> {
    let (service, alias) = link.split_once(':').unwrap_or((link, link));
    let name = ServiceName::from(service);
    let stack = &shape.stack;
    shape
        .container_names(&name)
        .into_iter()
        .flat_map(|container| {
            [
                format!("{container}:{alias}"),
                format!("{container}:{service}-{number}"),
                format!("{container}:{stack}-{service}-{number}"),
            ]
        })
        .collect()
}
