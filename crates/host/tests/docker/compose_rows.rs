//! The rows: each key as a Compose file has it, and as a plan has it.

use serde_json::{Value, json};

use super::Row;

/// What the Compose file says besides its services.
pub(super) fn around() -> Value {
    let options = json!({ "type": "tmpfs", "device": "tmpfs" });
    json!({
        "networks": { "default": {}, "second": network().0 },
        "volumes": { "data": { "labels": { "a": "b" }, "driver_opts": options } },
    })
}

/// A network with everything said of it.
pub(super) fn network() -> (Value, Value) {
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

/// Two subnets cannot be the same: where theirs is, and where ours is.
pub(super) fn subnets() -> (String, String) {
    let of = |third: u32| format!("10.{}.{third}", 200 + std::process::id() % 50);
    (of(7), of(8))
}

fn row(key: &'static str, compose: Value, planned: Value) -> Row {
    Row { key, compose, planned }
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

pub(super) fn rows(project: &str) -> Vec<Row> {
    [itself(), host(), limits(), names(), mounts(project), networks(project)].into_iter().flatten().collect()
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
        row("restart-no", json!({ "restart": "no" }), json!({ "settings": { "restart": "no" } })),
    ]
}

fn limits() -> Vec<Row> {
    let deploy = json!({ "resources": { "limits": { "cpus": "0.5", "memory": "64m", "pids": 9 }, "reservations": { "memory": "32m" } } });
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
            json!({ "weight": 300, "device_read_bps": rate(1), "device_read_iops": rate(2),
            "device_write_bps": rate(3), "device_write_iops": rate(4) }),
            json!({ "blkio": { "weight": 300, "device_read_bps": rate(1), "device_read_iops": rate(2),
                "device_write_bps": rate(3), "device_write_iops": rate(4) } }),
        ),
        limit(
            "ulimits",
            json!({ "nproc": 99, "nofile": { "soft": 10, "hard": 20 } }),
            json!({ "ulimits": { "nproc": { "soft": 99, "hard": 99 }, "nofile": { "soft": 10, "hard": 20 } } }),
        ),
        limit(
            "devices",
            json!(["/dev/null:/dev/nil:rw"]),
            json!({ "devices": [{ "source": "/dev/null", "target": "/dev/nil", "permissions": "rw" }] }),
        ),
        limit("device_cgroup_rules", json!(["c 1:3 mr"]), json!({ "device_cgroup_rules": ["c 1:3 mr"] })),
        limit(
            "gpus",
            json!([{ "driver": "nvidia", "count": 2, "options": { "a": "b" } }]),
            json!({ "device_requests": [{ "driver": "nvidia", "count": 2, "capabilities": ["gpu"], "options": { "a": "b" } }] }),
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
