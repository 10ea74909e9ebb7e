//! A network as the engine wants to be told it.

use bollard::models::{Ipam, IpamConfig, NetworkCreateRequest};
use plan::NetworkSpec;
use stack::IpamPool;

use super::effects::map;

/// The request that makes it.
pub(super) fn request(spec: &NetworkSpec) -> NetworkCreateRequest {
    NetworkCreateRequest {
        name: spec.name.clone(),
        driver: spec.driver.clone(),
        internal: Some(spec.internal),
        attachable: Some(spec.attachable),
        enable_ipv4: spec.enable_ipv4,
        enable_ipv6: spec.enable_ipv6,
        options: Some(map(&spec.driver_opts)),
        labels: Some(map(&spec.labels)),
        ipam: addresses(spec),
        ..Default::default()
    }
}

/// Where its addresses come from; nothing said leaves it to the engine.
fn addresses(spec: &NetworkSpec) -> Option<Ipam> {
    let pool = |pool: &IpamPool| IpamConfig {
        subnet: pool.subnet.clone(),
        ip_range: pool.ip_range.clone(),
        gateway: pool.gateway.clone(),
        auxiliary_addresses: Some(map(&pool.aux_addresses)).filter(|addresses| !addresses.is_empty()),
    };
    let ipam = &spec.ipam;
    (*ipam != stack::Ipam::default()).then(|| Ipam {
        driver: ipam.driver.clone(),
        config: (!ipam.pools.is_empty()).then(|| ipam.pools.iter().map(pool).collect()),
        options: Some(map(&ipam.options)).filter(|options| !options.is_empty()),
    })
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    #[track_caller]
    fn check(said: Value, expected: Value) {
        let mut spec =
            serde_json::to_value(NetworkSpec { name: "n".into(), ..NetworkSpec::default() }).unwrap();
        let mut told =
            json!({ "Name": "n", "Internal": false, "Attachable": false, "Options": {}, "Labels": {} });
        spec.as_object_mut().unwrap().extend(said.as_object().unwrap().clone());
        told.as_object_mut().unwrap().extend(expected.as_object().unwrap().clone());
        let spec = serde_json::from_value(spec).unwrap();
        assert_eq!(serde_json::to_value(request(&spec)).unwrap(), told, "of {said}");
    }

    #[test]
    fn each_key_of_a_network_is_told() {
        check(json!({}), json!({}));
        check(
            json!({ "driver": "bridge", "driver_opts": { "o": "1" } }),
            json!({ "Driver": "bridge", "Options": { "o": "1" } }),
        );
        check(
            json!({ "internal": true, "attachable": true }),
            json!({ "Internal": true, "Attachable": true }),
        );
        check(
            json!({ "enable_ipv4": false, "enable_ipv6": true }),
            json!({ "EnableIPv4": false, "EnableIPv6": true }),
        );
        check(json!({ "labels": { "a": "b" } }), json!({ "Labels": { "a": "b" } }));
        let pool = json!({ "subnet": "10.9.0.0/16", "gateway": "10.9.0.1", "ip_range": "10.9.1.0/24", "aux_addresses": { "nas": "10.9.0.5" } });
        let told = json!({ "Subnet": "10.9.0.0/16", "Gateway": "10.9.0.1", "IPRange": "10.9.1.0/24", "AuxiliaryAddresses": { "nas": "10.9.0.5" } });
        check(
            json!({ "ipam": { "driver": "default", "pools": [pool], "options": { "x": "y" } } }),
            json!({ "IPAM": { "Driver": "default", "Config": [told], "Options": { "x": "y" } } }),
        );
    }
}
