//! The rows: each key as a Compose file has it, and as a plan has it.

use plan::needs::Api;
use serde_json::{Value, json};

use super::Row;

/// What the Compose file says besides its services.
pub(super) fn around(api: Api) -> Value {
    let options = json!({ "type": "tmpfs", "device": "tmpfs" });
    let mut networks = json!({ "default": {} });
    for (key, _, (compose, _)) in networks_of(api) {
        networks[key] = compose;
    }
    json!({
        "networks": networks,
        "volumes": { "data": { "driver": "local", "labels": { "a": "b" }, "driver_opts": options } },
    })
}

/// A network: its key, its labels, and what is said of it in both ways.
pub(super) type Told = (&'static str, &'static [(&'static str, &'static str)], (Value, Value));

/// Networks that engines of this API can be told of.
pub(super) fn networks_of(api: Api) -> Vec<Told> {
    let mut networks = vec![("second", [].as_slice(), network()), ("third", [("a", "b")].as_slice(), six())];
    if api >= (1, 48) {
        networks.push(("fourth", &[], six_alone()));
    }
    networks
}

/// A network with everything said of it.
fn network() -> (Value, Value) {
    let option = json!({ "com.docker.network.bridge.enable_icc": "false" });
    let pool = |network: &str| {
        let at = |address: &str| format!("{network}.{address}");
        json!([{ "subnet": at("0/24"), "gateway": at("1"), "ip_range": at("128/25"), "aux_addresses": { "nas": at("9") } }])
    };
    let both = json!({ "driver": "bridge", "driver_opts": option, "internal": true, "attachable": true });
    let with = |key: &str, ipam: Value| {
        let mut said = both.clone();
        said["ipam"] = json!({ "driver": "default", key: ipam });
        said
    };
    (with("config", pool(&subnets().0)), with("pools", pool(&subnets().1)))
}

/// A network of both families.
fn six() -> (Value, Value) {
    let (theirs, ours) = prefixes();
    let said = |prefix: &str| json!([{ "subnet": format!("{prefix}::/64") }]);
    (
        json!({ "enable_ipv6": true, "labels": { "a": "b" }, "ipam": { "config": said(&theirs) } }),
        json!({ "enable_ipv6": true, "ipam": { "pools": said(&ours) } }),
    )
}

/// A network of one family.
fn six_alone() -> (Value, Value) {
    let said = json!({ "enable_ipv6": true, "enable_ipv4": false });
    (said.clone(), said)
}

/// As [`subnets`].
pub(super) fn prefixes() -> (String, String) {
    let of = |last: u32| format!("fd00:5ea:{:x}:{last}", std::process::id() % 0xffff);
    (of(7), of(8))
}

/// Two subnets cannot be the same: where theirs is, and where ours is.
pub(super) fn subnets() -> (String, String) {
    let of = |third: u32| format!("10.{}.{third}", 200 + std::process::id() % 50);
    (of(7), of(8))
}

fn row(key: &'static str, compose: Value, planned: Value) -> Row {
    Row { key, compose, planned, since: (1, 41) }
}

/// The row of a mount, with what the file says of it: by that it is decided whether an engine can be told of it.
fn newer_mount(key: &'static str, said: Value, source: Value, planned: Value) -> Row {
    let settings = json!({ "mounts": [{ "target": "/t", "source": source, "read_only": planned["read_only"] == true }] });
    row(key, json!({ "volumes": [said] }), json!({ "mounts": [planned], "settings": settings }))
}

/// A row that only engines of this API and later can be told.
fn since(minor: usize, row: Row) -> Row {
    Row { since: (1, minor), ..row }
}

/// A key whose words are the same in both.
fn same(key: &'static str, said: Value) -> Row {
    row(key, json!({ key: said }), json!({ "settings": { key: said } }))
}

/// A key that limits what the container may use.
fn limit(key: &'static str, said: Value, planned: Value) -> Row {
    row(key, json!({ key: said }), json!({ "settings": { "resources": planned } }))
}

fn mount(key: &'static str, said: Value, planned: Value) -> Row {
    row(key, json!({ "volumes": [said] }), json!({ "mounts": [planned] }))
}

pub(super) fn rows(project: &str, image: &str) -> Vec<Row> {
    let all =
        [itself(), host(), limits(), names(), mounts(project), networks(project), newer(project, image)];
    all.into_iter().flatten().collect()
}

/// What engines older than some cannot be told.
fn newer(project: &str, image: &str) -> Vec<Row> {
    let health = json!({ "test": ["CMD", "true"], "start_period": "9s", "start_interval": "1s" });
    let seconds = |secs: u64| json!({ "secs": secs, "nanos": 0 });
    let checked = json!({ "test": [[{ "literal": "CMD" }], [{ "literal": "true" }]], "interval": null, "timeout": null,
        "start_period": seconds(9), "start_interval": seconds(1), "retries": null });
    let network = |key: &'static str, other: &str, said: Value| {
        let both = |name: &dyn Fn(&str) -> String| json!({ name("default"): {}, name(other): said });
        row(
            key,
            json!({ "networks": both(&str::to_owned) }),
            json!({ "networks": both(&|name| format!("{project}_{name}")) }),
        )
    };
    let named = "example.org/class=one";
    let read_only = json!({ "propagation": "rprivate", "recursive": "readonly" });
    vec![
        since(
            43,
            row(
                "annotations",
                json!({ "annotations": { "a": "b" } }),
                json!({ "settings": { "annotations": { "a": "b" } } }),
            ),
        ),
        since(
            44,
            row(
                "healthcheck-start_interval",
                json!({ "healthcheck": health }),
                json!({ "settings": { "healthcheck": checked } }),
            ),
        ),
        since(44, network("networks-mac_address", "second", json!({ "mac_address": "02:42:ac:11:00:08" }))),
        since(
            44,
            newer_mount(
                "bind-readonly",
                json!({ "type": "bind", "source": "/tmp", "target": "/t", "read_only": true, "bind": read_only }),
                json!({ "kind": "bind", "path": "/tmp", "content": null, "options": read_only }),
                json!({ "mount": "bind", "source": "/tmp", "target": "/t", "read_only": true, "options": read_only }),
            ),
        ),
        since(
            44,
            row(
                "devices-cdi",
                json!({ "devices": [named] }),
                json!({ "settings": { "resources": { "devices": [{ "source": named, "target": named, "permissions": "rwm" }] } } }),
            ),
        ),
        since(
            45,
            newer_mount(
                "volume-subpath",
                json!({ "type": "volume", "source": "data", "target": "/t", "volume": { "subpath": "below" } }),
                json!({ "kind": "volume", "volume": "data", "subpath": "below" }),
                json!({ "mount": "volume", "name": format!("{project}_data"), "target": "/t", "read_only": false, "subpath": "below" }),
            ),
        ),
        since(
            48,
            newer_mount(
                "image",
                json!({ "type": "image", "source": image, "target": "/t", "image": { "subpath": "bin" } }),
                json!({ "kind": "image", "image": image, "subpath": "bin" }),
                json!({ "mount": "image", "image": image, "target": "/t", "subpath": "bin" }),
            ),
        ),
        since(48, network("networks-gw_priority", "fourth", json!({ "gw_priority": 7 }))),
        since(49, network("networks-interface_name", "second", json!({ "interface_name": "eth7" }))),
    ]
}

fn itself() -> Vec<Row> {
    let text = |words: &[&str]| -> Value { words.iter().map(|word| json!([{ "literal": word }])).collect() };
    let health = json!({ "test": ["CMD", "true"], "interval": "5s", "timeout": "2s", "start_period": "1s", "retries": 3 });
    let seconds = |secs: u64| json!({ "secs": secs, "nanos": 0 });
    let checked = json!({ "test": text(&["CMD", "true"]), "interval": seconds(5), "timeout": seconds(2),
        "start_period": seconds(1), "start_interval": null, "retries": 3 });
    vec![
        row("bare", json!({}), json!({})),
        row(
            "command",
            json!({ "command": ["a", "b"] }),
            json!({ "settings": { "command": text(&["a", "b"]) } }),
        ),
        row(
            "entrypoint",
            json!({ "entrypoint": ["/a"] }),
            json!({ "settings": { "entrypoint": text(&["/a"]) } }),
        ),
        row(
            "environment",
            json!({ "environment": { "A": "1" } }),
            json!({ "settings": { "environment": { "A": [{ "literal": "1" }] } } }),
        ),
        same("user", json!("1000:1000")),
        same("working_dir", json!("/tmp")),
        same("hostname", json!("web")),
        same("domainname", json!("example.org")),
        same("tty", json!(true)),
        same("stdin_open", json!(true)),
        same("stop_signal", json!("SIGUSR1")),
        row(
            "stop_grace_period",
            json!({ "stop_grace_period": "7s" }),
            json!({ "settings": { "stop_grace": seconds(7) } }),
        ),
        row(
            "healthcheck",
            json!({ "healthcheck": health }),
            json!({ "settings": { "healthcheck": checked } }),
        ),
        row(
            "healthcheck-disable",
            json!({ "healthcheck": { "disable": true } }),
            json!({ "settings": { "healthcheck": { "test": text(&["NONE"]), "interval": null, "timeout": null,
                "start_period": null, "start_interval": null, "retries": null } } }),
        ),
        row(
            "labels",
            json!({ "labels": { "a": "b" } }),
            json!({ "settings": { "labels": { "a": "b" } },
            "labels": { "a": "b" } }),
        ),
        row(
            "mac_address",
            json!({ "mac_address": "02:42:ac:11:00:07" }),
            json!({ "settings": { "mac_address": "02:42:ac:11:00:07" } }),
        ),
    ]
}

fn host() -> Vec<Row> {
    vec![
        same("group_add", json!(["7", "8"])),
        same("init", json!(true)),
        same("platform", json!("linux/amd64")),
        same("privileged", json!(true)),
        same("read_only", json!(true)),
        same("cap_add", json!(["NET_ADMIN", "sys_time"])),
        same("cap_drop", json!(["ALL"])),
        same("sysctls", json!({ "net.core.somaxconn": "1024" })),
        row("shm_size", json!({ "shm_size": "1m" }), json!({ "settings": { "shm_bytes": 1 << 20 } })),
        same("uts", json!("host")),
        same("userns_mode", json!("host")),
        same("cgroup", json!("private")),
        same("runtime", json!("runc")),
        same("isolation", json!("default")),
        row("pid", json!({ "pid": "host" }), json!({ "settings": { "pid": { "engine": "host" } } })),
        row(
            "ipc",
            json!({ "ipc": "shareable" }),
            json!({ "settings": { "ipc": { "engine": "shareable" } } }),
        ),
        row(
            "security_opt",
            json!({ "security_opt": ["no-new-privileges", "systempaths=unconfined"] }),
            json!({ "settings": { "security_opt": ["no-new-privileges", "systempaths=unconfined"] } }),
        ),
        row(
            "logging",
            json!({ "logging": { "driver": "local", "options": { "max-size": "1m" } } }),
            json!({ "settings": { "logging": { "driver": "local", "options": { "max-size": "1m" } } } }),
        ),
        row("restart-always", json!({ "restart": "always" }), json!({ "settings": { "restart": "always" } })),
        row(
            "restart-on-failure",
            json!({ "restart": "on-failure:3" }),
            json!({ "settings": { "restart": { "on-failure": 3 } } }),
        ),
        row(
            "deploy-restart_policy",
            json!({ "deploy": { "restart_policy": { "condition": "on-failure", "max_attempts": 2 } } }),
            json!({ "settings": { "restart": { "on-failure": 2 } } }),
        ),
        row("restart-no", json!({ "restart": "no" }), json!({ "settings": { "restart": "no" } })),
    ]
}

fn limits() -> Vec<Row> {
    let deploy = json!({ "resources": { "limits": { "cpus": "0.5", "memory": "64m", "pids": 9 }, "reservations": { "memory": "32m" } } });
    let device = |may: &str| json!([{ "source": "/dev/null", "target": "/dev/nil", "permissions": may }]);
    let weight = json!([{ "path": "/dev/null", "weight": 200 }]);
    let rate = |rate: u64| json!([{ "path": "/dev/null", "rate": rate }]);
    vec![
        limit("mem_limit", json!("64m"), json!({ "memory_bytes": 64 << 20 })),
        limit("mem_reservation", json!("32m"), json!({ "memory_reservation_bytes": 32 << 20 })),
        row(
            "memswap_limit",
            json!({ "mem_limit": "64m", "memswap_limit": "128m" }),
            json!({ "settings": { "resources": { "memory_bytes": 64 << 20, "memory_swap_bytes": 128 << 20 } } }),
        ),
        limit("mem_swappiness", json!(10), json!({ "memory_swappiness": 10 })),
        row(
            "oom_kill_disable",
            json!({ "mem_limit": "64m", "oom_kill_disable": true }),
            json!({ "settings": { "resources": { "memory_bytes": 64 << 20, "oom_kill_disable": true } } }),
        ),
        limit("oom_score_adj", json!(100), json!({ "oom_score_adj": 100 })),
        limit("cpus", json!(0.5), json!({ "nano_cpus": 500_000_000 })),
        limit("cpu_shares", json!(512), json!({ "cpu_shares": 512 })),
        row(
            "cpu_quota",
            json!({ "cpu_period": 50000, "cpu_quota": 25000 }),
            json!({ "settings": { "resources": { "cpu_period": 50000, "cpu_quota": 25000 } } }),
        ),
        limit("cpuset", json!("0"), json!({ "cpuset": "0" })),
        limit("pids_limit", json!(9), json!({ "pids_limit": 9 })),
        limit(
            "deploy",
            deploy,
            json!({ "memory_bytes": 64 << 20, "memory_reservation_bytes": 32 << 20,
            "nano_cpus": 500_000_000, "pids_limit": 9 }),
        ),
        limit(
            "blkio_config",
            json!({ "weight": 300, "weight_device": weight, "device_read_bps": rate(1), "device_read_iops": rate(2),
            "device_write_bps": rate(3), "device_write_iops": rate(4) }),
            json!({ "blkio": { "weight": 300, "weight_device": weight, "device_read_bps": rate(1), "device_read_iops": rate(2),
                "device_write_bps": rate(3), "device_write_iops": rate(4) } }),
        ),
        limit(
            "ulimits",
            json!({ "nproc": 99, "nofile": { "soft": 10, "hard": 20 } }),
            json!({ "ulimits": { "nproc": { "soft": 99, "hard": 99 }, "nofile": { "soft": 10, "hard": 20 } } }),
        ),
        limit("devices", json!(["/dev/null:/dev/nil:rw"]), json!({ "devices": device("rw") })),
        row(
            "devices-long",
            json!({ "devices": device("r") }),
            json!({ "settings": { "resources": { "devices": device("r") } } }),
        ),
        limit("cpu_count", json!(1), json!({ "cpu_count": 1 })),
        limit("cpu_percent", json!(50), json!({ "cpu_percent": 50 })),
        limit("device_cgroup_rules", json!(["c 1:3 mr"]), json!({ "device_cgroup_rules": ["c 1:3 mr"] })),
        limit(
            "gpus",
            json!([{ "driver": "nvidia", "count": 2, "options": { "a": "b" } }]),
            json!({ "device_requests": [{ "driver": "nvidia", "count": 2, "capabilities": ["gpu"], "options": { "a": "b" } }] }),
        ),
        row(
            "gpus-named",
            json!({ "gpus": [{ "driver": "nvidia", "device_ids": ["0", "3"], "capabilities": ["utility"] }] }),
            json!({ "settings": { "resources": { "device_requests": [{ "driver": "nvidia", "count": 0, "device_ids": ["0", "3"],
                "capabilities": ["utility", "gpu"] }] } } }),
        ),
        row(
            "deploy-devices",
            json!({ "deploy": { "resources": { "reservations": { "devices": [
                { "driver": "nvidia", "count": 2, "capabilities": ["gpu"], "options": { "a": "b" } },
                { "driver": "nvidia", "device_ids": ["0"], "capabilities": ["gpu"] } ] } } } }),
            json!({ "settings": { "resources": { "device_requests": [
                { "driver": "nvidia", "count": 2, "capabilities": ["gpu"], "options": { "a": "b" } },
                { "driver": "nvidia", "count": 0, "device_ids": ["0"], "capabilities": ["gpu"] } ] } } }),
        ),
        limit("cgroup_parent", json!("/swt"), json!({ "cgroup_parent": "/swt" })),
    ]
}

fn names() -> Vec<Row> {
    let port = |published: Value, until: Value| {
        json!([{ "host_ip": "127.0.0.1", "published": published,
        "published_until": until, "target": 80, "protocol": "udp" }])
    };
    vec![
        same("dns", json!(["9.9.9.9"])),
        same("dns_opt", json!(["ndots:1"])),
        same("dns_search", json!(["example.org"])),
        row(
            "extra_hosts",
            json!({ "extra_hosts": ["up=host-gateway", "six=::1"] }),
            json!({ "settings": { "extra_hosts": ["up=host-gateway", "six=::1"] } }),
        ),
        row(
            "expose",
            json!({ "expose": ["53/udp", "80"] }),
            json!({ "settings": { "expose": [{ "port": 53, "protocol": "udp" }, { "port": 80, "protocol": "tcp" }] } }),
        ),
        row(
            "ports",
            json!({ "ports": ["127.0.0.1:28080:80/udp"] }),
            json!({ "settings": { "ports": port(json!(28080), json!(null)) } }),
        ),
        row(
            "ports-long",
            json!({ "ports": [{ "host_ip": "127.0.0.1", "published": "28081", "target": 80, "protocol": "udp", "mode": "host" }] }),
            json!({ "settings": { "ports": port(json!(28081), json!(null)) } }),
        ),
        row(
            "ports-of-a-range",
            json!({ "ports": ["127.0.0.1:28080-28090:80/udp"] }),
            json!({ "settings": { "ports": port(json!(28080), json!(28090)) } }),
        ),
        row(
            "ports-unchosen",
            json!({ "ports": ["127.0.0.1::80/udp"] }),
            json!({ "settings": { "ports": port(json!(null), json!(null)) } }),
        ),
    ]
}

fn mounts(project: &str) -> Vec<Row> {
    let bind = |options: Value, read_only: bool| json!({ "mount": "bind", "source": "/tmp", "target": "/t", "read_only": read_only, "options": options });
    let volume = |nocopy: bool, read_only: bool| {
        json!({ "mount": "volume", "name": format!("{project}_data"),
        "target": "/t", "read_only": read_only, "nocopy": nocopy })
    };
    let long = |bind: Value| json!({ "type": "bind", "source": "/tmp", "target": "/t", "bind": bind });
    vec![
        mount("bind", json!("/tmp:/t"), bind(json!({ "create_host_path": true }), false)),
        mount(
            "bind-ro",
            json!("/tmp:/t:ro,z"),
            bind(json!({ "create_host_path": true, "selinux": "z" }), true),
        ),
        mount("bind-not-created", long(json!({ "create_host_path": false })), bind(json!({}), false)),
        mount(
            "bind-selinux",
            long(json!({ "create_host_path": true, "selinux": "z" })),
            bind(json!({ "create_host_path": true, "selinux": "z" }), false),
        ),
        mount(
            "bind-propagation",
            long(json!({ "create_host_path": false, "propagation": "rprivate" })),
            bind(json!({ "propagation": "rprivate" }), false),
        ),
        mount(
            "bind-recursive",
            long(json!({ "create_host_path": false, "recursive": "disabled" })),
            bind(json!({ "recursive": "disabled" }), false),
        ),
        mount(
            "bind-kept",
            json!("/tmp:/t:ro"),
            json!({ "mount": "kept", "content": "/tmp", "source": "/tmp", "target": "/t", "options": { "create_host_path": true } }),
        ),
        mount("volume", json!("data:/t"), volume(false, false)),
        mount("volume-ro", json!("data:/t:ro"), volume(false, true)),
        mount(
            "volume-nocopy",
            json!({ "type": "volume", "source": "data", "target": "/t", "volume": { "nocopy": true } }),
            volume(true, false),
        ),
        mount(
            "volume-anonymous",
            json!("/t-anonymous"),
            json!({ "mount": "anonymous", "target": "/t-anonymous" }),
        ),
        mount(
            "volume-tmpfs",
            json!({ "type": "tmpfs", "target": "/t", "tmpfs": { "size": 65536, "mode": 0o700 } }),
            json!({ "mount": "tmpfs", "target": "/t", "size_bytes": 65536, "mode": 0o700 }),
        ),
        row(
            "tmpfs",
            json!({ "tmpfs": ["/run:size=64k", "/t"] }),
            json!({ "settings": { "tmpfs": { "/run": "size=64k", "/t": "" } } }),
        ),
        row(
            "volumes_from",
            json!({ "volumes_from": ["volume"] }),
            json!({ "settings": { "volumes_from": [{ "of": "service", "service": "volume", "read_only": false }] } }),
        ),
        row(
            "use_api_socket",
            json!({ "use_api_socket": true }),
            json!({ "settings": { "use_api_socket": true } }),
        ),
    ]
}

fn networks(project: &str) -> Vec<Row> {
    let on = |networks: Value| {
        let networks = networks.as_object().unwrap().iter();
        networks
            .map(|(key, said)| (format!("{project}_{key}"), said.clone()))
            .collect::<serde_json::Map<_, _>>()
    };
    let joined = |key: &'static str, compose: Value, planned: Value| {
        row(key, json!({ "networks": compose }), json!({ "networks": on(planned) }))
    };
    vec![
        joined("networks", json!(["default", "second"]), json!({ "default": {}, "second": {} })),
        joined(
            "networks-aliases",
            json!({ "default": { "aliases": ["www"] } }),
            json!({ "default": { "aliases": ["www"] } }),
        ),
        joined(
            "networks-priority",
            json!({ "default": { "priority": 1 }, "second": { "priority": 9 } }),
            json!({ "default": { "priority": 1 }, "second": { "priority": 9 } }),
        ),
        joined(
            "networks-driver_opts",
            json!({ "default": { "driver_opts": { "a": "b" } } }),
            json!({ "default": { "driver_opts": { "a": "b" } } }),
        ),
        joined(
            "networks-link_local",
            json!({ "default": { "link_local_ips": ["169.254.8.8"] } }),
            json!({ "default": { "link_local_ips": ["169.254.8.8"] } }),
        ),
        row(
            "networks-ipv4_address",
            json!({ "networks": { "second": { "ipv4_address": format!("{}.50", subnets().0) } } }),
            json!({ "networks": on(json!({ "second": { "ipv4_address": format!("{}.50", subnets().1) } })) }),
        ),
        row(
            "networks-ipv6_address",
            json!({ "networks": { "third": { "ipv6_address": format!("{}::50", prefixes().0) } } }),
            json!({ "networks": on(json!({ "third": { "ipv6_address": format!("{}::50", prefixes().1) } })) }),
        ),
        row(
            "external_links",
            json!({ "external_links": [format!("{project}-theirs-bare-1:out")] }),
            json!({ "settings": { "external_links": [format!("{project}-bare-1:out")] } }),
        ),
        row(
            "network_mode-none",
            json!({ "network_mode": "none" }),
            json!({ "settings": { "network_mode": { "engine": "none" } } }),
        ),
        row(
            "network_mode-host",
            json!({ "network_mode": "host" }),
            json!({ "settings": { "network_mode": { "engine": "host" } } }),
        ),
        row(
            "network_mode-service",
            json!({ "network_mode": "service:bare" }),
            json!({ "settings": { "network_mode": { "service": "bare" } } }),
        ),
        row(
            "links",
            json!({ "links": ["bare:other"] }),
            json!({ "settings": { "external_links": [
            format!("{project}-bare-1:other"), format!("{project}-bare-1:bare-1"), format!("{project}-bare-1:{project}-bare-1")] } }),
        ),
    ]
}

/// Why no row is about a key that is run: it is nothing an engine is told of one container that is only made.
pub(super) const WITHOUT_A_ROW: &[(&str, &str)] = &[
    ("name", READ),
    ("include", READ),
    ("include.[].path", READ),
    ("include.[].env_file", READ),
    ("include.[].project_directory", READ),
    ("services.*.env_file", READ),
    ("services.*.env_file.[].format", READ),
    ("services.*.env_file.[].path", READ),
    ("services.*.env_file.[].required", READ),
    ("services.*.extends", READ),
    ("services.*.extends.file", READ),
    ("services.*.extends.service", READ),
    ("services.*.label_file", READ),
    ("services.*.profiles", READ),
    ("services.*.container_name", NAME),
    ("networks.*.name", NAME),
    ("volumes.*.name", NAME),
    (
        "services.*.storage_opt",
        "the file system of this machine takes no quota, so that no engine here takes it",
    ),
    (
        "services.*.cpu_rt_period",
        "the kernel of this machine schedules nothing in real time, and engines refuse it",
    ),
    (
        "services.*.cpu_rt_runtime",
        "the kernel of this machine schedules nothing in real time, and engines refuse it",
    ),
    ("services.*.build", BUILT),
    ("services.*.build.args", BUILT),
    ("services.*.build.cache_from", BUILT),
    ("services.*.build.context", BUILT),
    ("services.*.build.dockerfile", BUILT),
    ("services.*.build.dockerfile_inline", BUILT),
    ("services.*.build.extra_hosts", BUILT),
    ("services.*.build.labels", BUILT),
    ("services.*.build.network", BUILT),
    ("services.*.build.no_cache", BUILT),
    ("services.*.build.platforms", BUILT),
    ("services.*.build.pull", BUILT),
    ("services.*.build.shm_size", BUILT),
    ("services.*.build.tags", BUILT),
    ("services.*.build.target", BUILT),
    ("services.*.pull_policy", BUILT),
    ("services.*.depends_on", ORDER),
    ("services.*.depends_on.*.condition", ORDER),
    ("services.*.depends_on.*.required", ORDER),
    ("services.*.depends_on.*.restart", ORDER),
    ("services.*.post_start", ORDER),
    ("services.*.post_start.[].command", ORDER),
    ("services.*.post_start.[].environment", ORDER),
    ("services.*.post_start.[].privileged", ORDER),
    ("services.*.post_start.[].user", ORDER),
    ("services.*.post_start.[].working_dir", ORDER),
    ("services.*.pre_stop", ORDER),
    ("services.*.pre_stop.[].command", ORDER),
    ("services.*.pre_stop.[].environment", ORDER),
    ("services.*.pre_stop.[].privileged", ORDER),
    ("services.*.pre_stop.[].user", ORDER),
    ("services.*.pre_stop.[].working_dir", ORDER),
    ("services.*.deploy.replicas", MANY),
    ("services.*.scale", MANY),
    ("secrets", COPIED),
    ("secrets.*.environment", COPIED),
    ("secrets.*.external", COPIED),
    ("secrets.*.external.name", COPIED),
    ("secrets.*.file", COPIED),
    ("secrets.*.name", COPIED),
    ("services.*.secrets", COPIED),
    ("services.*.secrets.[].gid", COPIED),
    ("services.*.secrets.[].mode", COPIED),
    ("services.*.secrets.[].source", COPIED),
    ("services.*.secrets.[].target", COPIED),
    ("services.*.secrets.[].uid", COPIED),
    ("configs", COPIED),
    ("configs.*.content", COPIED),
    ("configs.*.environment", COPIED),
    ("configs.*.external", COPIED),
    ("configs.*.external.name", COPIED),
    ("configs.*.file", COPIED),
    ("configs.*.name", COPIED),
    ("services.*.configs", COPIED),
    ("services.*.configs.[].gid", COPIED),
    ("services.*.configs.[].mode", COPIED),
    ("services.*.configs.[].source", COPIED),
    ("services.*.configs.[].target", COPIED),
    ("services.*.configs.[].uid", COPIED),
    ("networks.*.external", OTHERS),
    ("networks.*.external.name", OTHERS),
    ("volumes.*.external", OTHERS),
    ("volumes.*.external.name", OTHERS),
];

const NAME: &str = "it is a name, and names differ";
const READ: &str = "it is gone once the file was read: the corpus compares what it came to";
const BUILT: &str = "it is about the image, and both containers are made of the same";
const ORDER: &str = "it is about what runs when: crates/runner/tests and ci/live compare what came of it";
const MANY: &str = "it is about how many containers there are, and each is like the first";
const COPIED: &str = "Compose mounts the file where we copy it: what is seen inside is compared in files.rs";
const OTHERS: &str = "it says that somebody else made it";
