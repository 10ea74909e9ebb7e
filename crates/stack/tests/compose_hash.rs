//! What Compose 2.40.3 itself printed for these trees (`config --format json`, `config --hash '*'`).

use std::collections::BTreeMap;

use serde_json::Value;
use stack::compose_hash;

const SERVICES: &str = include_str!("hashes/services.json");

#[test]
fn a_service_has_the_hash_that_compose_gives_it() {
    let printed: Value = serde_json::from_str(SERVICES).expect("it is JSON");
    let services = printed.as_object().expect("services by name");
    assert_eq!(services.len(), 12);
    for (name, service) in services {
        let hash = compose_hash::of_service(&service["says"], &BTreeMap::new());
        assert_eq!(hash, service["hash"], "{name}");
    }
}

#[test]
fn a_service_that_shares_with_another_is_made_from_its_container() {
    let service =
        serde_json::json!({ "network_mode": "service:vpn", "volumes_from": ["db:ro", "container:x:ro"] });
    assert_eq!(compose_hash::refers_to(&service), ["vpn".into(), "db".into()]);
    let ids = [("vpn".into(), "1a".to_owned()), ("db".into(), "2b".to_owned())].into();
    let resolved = serde_json::json!({ "network_mode": "container:1a", "volumes_from": ["2b", "x"] });
    let none = BTreeMap::new();
    assert_eq!(compose_hash::of_service(&service, &ids), compose_hash::of_service(&resolved, &none));
}
