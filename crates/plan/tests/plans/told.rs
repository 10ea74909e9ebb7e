//! What an engine is told of a container: the shape with everything resolved that only the shape knows.

use stack::{Attachment, Namespace, Network, NetworkKey, Service, ServiceName, Shape, VolumesFrom};

use crate::world;

fn told(shape: &Shape, service: &str) -> plan::Container {
    plan::desired::container(shape, &ServiceName::from(service), &plan::desired::Versions::new(), 1, "/state")
}

#[test]
fn a_service_that_is_meant_is_told_as_its_containers() {
    let mut shape = world::shape("db=pg:16(named the-db) cache=cache:7 web=app:7", &[]);
    shape.services.get_mut(&ServiceName::from("cache")).expect("it is there").scale = Some(2);
    let web = Service {
        network_mode: Some(Namespace::Service("db".into())),
        pid: Some(Namespace::Engine("host".into())),
        ipc: Some(Namespace::Service("db".into())),
        volumes_from: vec![VolumesFrom::Service { service: "db".into(), read_only: true }],
        links: vec!["db".into(), "cache:fast".into()],
        external_links: vec!["other:elsewhere".into()],
        ..Service::default()
    };
    shape.services.insert("web".into(), web);
    let told = told(&shape, "web").settings;
    assert_eq!(told.network_mode, Some(Namespace::Engine("container:the-db".into())));
    assert_eq!(told.pid, Some(Namespace::Engine("host".into())));
    assert_eq!(told.ipc, Some(Namespace::Engine("container:the-db".into())));
    let from = VolumesFrom::Container { container: "the-db".into(), read_only: true };
    assert_eq!(told.volumes_from, [from]);
    assert_eq!(told.links, Vec::<String>::new());
    assert_eq!(
        told.external_links,
        [
            "the-db:db",
            "the-db:db-1",
            "the-db:blog-db-1",
            "blog-cache-1:fast",
            "blog-cache-1:cache-1",
            "blog-cache-1:blog-cache-1",
            "blog-cache-2:fast",
            "blog-cache-2:cache-1",
            "blog-cache-2:blog-cache-1",
            "other:elsewhere",
        ]
    );
}

#[test]
fn among_networks_of_one_priority_the_first_key_is_the_main_one_whatever_the_engine_calls_it() {
    let mut shape = world::shape("web=app:7", &[]);
    let named = |name: &str| Network { name: Some(name.to_owned()), ..Network::default() };
    shape.networks.insert(NetworkKey::from("a"), named("zebra"));
    shape.networks.insert(NetworkKey::from("b"), named("ape"));
    let web = shape.services.get_mut(&ServiceName::from("web")).expect("it is there");
    web.networks = ["a", "b"].map(|key| (NetworkKey::from(key), Attachment::default())).into();
    let networks = told(&shape, "web").networks;
    assert!(networks["zebra"].priority > networks["ape"].priority);
}
