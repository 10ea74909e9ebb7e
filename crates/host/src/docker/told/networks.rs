//! What the engine is told of a container's networks.

use serde_json::{Value, json};

use super::check_api;

/// What the engine is told of networks, at creation and afterwards.
#[track_caller]
fn check_networks(api: (usize, usize), said: Value, expected: Value) {
    check_api(api, said, &expected);
}

#[test]
fn networks() {
    let names = json!(["shop-app-1", "app"]);
    check_networks(
        (1, 41),
        json!({ "networks": { "net": {} } }),
        json!({
            "HostConfig": { "NetworkMode": "net" },
            "NetworkingConfig": { "EndpointsConfig": { "net": { "Aliases": names } } },
        }),
    );
    // While it is made under another name, it is known by the one it will have.
    let said = json!({ "name": "shop-app-1-next", "networks": { "net": { "aliases": ["app", "www"] } } });
    check_networks(
        (1, 41),
        said,
        json!({
            "HostConfig": { "NetworkMode": "net" },
            "NetworkingConfig": { "EndpointsConfig": { "net": { "Aliases": ["shop-app-1", "app", "www"], "IPAMConfig": {} } } },
        }),
    );
    let all = json!({ "ipv4_address": "10.1.0.9", "ipv6_address": "fd00::9", "link_local_ips": ["169.254.8.8"],
        "driver_opts": { "o": "1" }, "gw_priority": 3, "interface_name": "eth7", "mac_address": "02:42:ac:11:00:09" });
    let told = json!({ "Aliases": names, "GwPriority": 3,
        "IPAMConfig": { "IPv4Address": "10.1.0.9", "IPv6Address": "fd00::9", "LinkLocalIPs": ["169.254.8.8"] },
        "IPAddress": "10.1.0.9", "IPv6Gateway": "fd00::9",
        "DriverOpts": { "o": "1", "com.docker.network.endpoint.ifname": "eth7" }, "MacAddress": "02:42:ac:11:00:09" });
    check_networks(
        (1, 49),
        json!({ "networks": { "net": all } }),
        json!({
            "HostConfig": { "NetworkMode": "net" }, "NetworkingConfig": { "EndpointsConfig": { "net": told } },
        }),
    );
}

#[test]
fn the_main_network_is_that_of_the_highest_priority_and_old_engines_join_the_others_later() {
    let said = json!({ "networks": { "a": {}, "b": { "priority": 9 } } });
    let (a, b) = (
        json!({ "Aliases": ["shop-app-1", "app"] }),
        json!({ "Aliases": ["shop-app-1", "app"], "IPAMConfig": {} }),
    );
    check_networks(
        (1, 41),
        said.clone(),
        json!({
            "HostConfig": { "NetworkMode": "b" },
            "NetworkingConfig": { "EndpointsConfig": { "b": b } }, "afterwards": { "a": a },
        }),
    );
    check_networks(
        (1, 44),
        said,
        json!({
            "HostConfig": { "NetworkMode": "b" }, "NetworkingConfig": { "EndpointsConfig": { "a": a, "b": b } },
        }),
    );
}

#[test]
fn a_hardware_address_is_the_containers_before_1_44_and_its_main_networks_after() {
    let address = "02:42:ac:11:00:07";
    let said = json!({ "settings": { "mac_address": address }, "networks": { "net": {} } });
    let names = json!(["shop-app-1", "app"]);
    let host = json!({ "NetworkMode": "net" });
    check_networks(
        (1, 43),
        said.clone(),
        json!({ "MacAddress": address, "HostConfig": host,
        "NetworkingConfig": { "EndpointsConfig": { "net": { "Aliases": names } } } }),
    );
    check_networks(
        (1, 44),
        said,
        json!({ "HostConfig": host,
        "NetworkingConfig": { "EndpointsConfig": { "net": { "Aliases": names, "MacAddress": address } } } }),
    );
}
