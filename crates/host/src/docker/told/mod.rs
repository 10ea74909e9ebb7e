//! What the engine is told of a service, key by key: the difference that each key makes to the request.

mod mounts;
mod networks;

use serde_json::{Map, Value, json};

use super::{
    container::{Resolver, request},
    create::tests::{Canary, container},
    endpoints,
};
use crate::EngineError;

/// Everything the engine is told of `spec`, with that which old APIs are told apart.
fn told(spec: &plan::Container, api: (usize, usize)) -> Result<Value, EngineError> {
    let request = request(spec, &mut Resolver::new(&Canary, "make it", api))?;
    let mut body = serde_json::to_value(&request.body).unwrap();
    if let Some(address) = request.mac_address {
        body["MacAddress"] = address.into();
    }
    for (name, endpoint) in endpoints::afterwards(spec, api) {
        body["afterwards"][name] = serde_json::to_value(endpoint).unwrap();
    }
    Ok(body)
}

/// What `told` says that `bare` does not.
fn difference(told: &Value, bare: &Value) -> Value {
    let (Value::Object(told), Value::Object(bare)) = (told, bare) else { return told.clone() };
    let mut more = Map::new();
    for (key, value) in told {
        match bare.get(key) {
            Some(same) if same == value => {}
            Some(other) => drop(more.insert(key.clone(), difference(value, other))),
            None => drop(more.insert(key.clone(), value.clone())),
        }
    }
    Value::Object(more)
}

/// A container whose `settings`, `networks` and `mounts` are these, over a bare one.
fn spec(said: &Value) -> plan::Container {
    let mut spec = serde_json::to_value(container("app")).unwrap();
    for (part, said) in said.as_object().unwrap() {
        match (said, spec[part].as_object_mut()) {
            (Value::Object(said), Some(part)) => part.extend(said.clone()),
            _ => spec[part] = said.clone(),
        }
    }
    serde_json::from_value(spec).unwrap()
}

#[track_caller]
fn check_api(api: (usize, usize), said: Value, expected: &Value) {
    let bare = told(&container("app"), api).unwrap();
    let told = told(&spec(&said), api).unwrap_or_else(|error| panic!("{said} is refused: {error:?}"));
    assert_eq!(difference(&told, &bare), *expected, "of {said}");
}

/// One key of a service, and what it adds to the request.
#[track_caller]
fn check(settings: Value, expected: Value) {
    check_api((1, 41), json!({ "settings": settings }), &expected);
}

#[track_caller]
fn check_host(settings: Value, expected: Value) {
    check(settings, json!({ "HostConfig": expected }));
}

#[track_caller]
fn refused(said: Value, because: &str) {
    let error = told(&spec(&said), (1, 41)).unwrap_err();
    assert_eq!(error.trouble, crate::Trouble::Unsupported);
    assert_eq!(error.source.unwrap().to_string(), because, "of {said}");
}

#[test]
fn of_a_bare_service_little_is_said() {
    let bare = told(&container("app"), (1, 41)).unwrap();
    let mut expected = json!({
        "Image": "app:1", "Env": [], "ExposedPorts": {},
        "Tty": false, "OpenStdin": false, "AttachStdout": true, "AttachStderr": true,
        "HostConfig": {
            "NetworkMode": "none", "PortBindings": {}, "Privileged": false, "ReadonlyRootfs": false,
            "OomKillDisable": false, "OomScoreAdj": 0, "RestartPolicy": { "Name": "" },
        },
    });
    expected["Labels"] = bare["Labels"].clone();
    assert_eq!(bare, expected);
}

#[test]
fn the_container_itself() {
    check(json!({ "command": [[{ "literal": "run" }]] }), json!({ "Cmd": ["run"] }));
    check(json!({ "entrypoint": [[{ "literal": "/bin/app" }]] }), json!({ "Entrypoint": ["/bin/app"] }));
    let environment = json!({ "A": [{ "literal": "1" }], "B": null });
    check(json!({ "environment": environment }), json!({ "Env": ["A=1", "B"] }));
    check(json!({ "user": "1000:1000" }), json!({ "User": "1000:1000" }));
    check(json!({ "working_dir": "/srv" }), json!({ "WorkingDir": "/srv" }));
    check(json!({ "hostname": "web" }), json!({ "Hostname": "web" }));
    check(json!({ "domainname": "example.org" }), json!({ "Domainname": "example.org" }));
    check(json!({ "tty": true }), json!({ "Tty": true }));
    check(json!({ "stdin_open": true }), json!({ "OpenStdin": true }));
    check(json!({ "stop_signal": "SIGUSR1" }), json!({ "StopSignal": "SIGUSR1" }));
    check(json!({ "stop_grace": { "secs": 1, "nanos": 500_000_000 } }), json!({ "StopTimeout": 2 }));
    let health = json!({ "test": [[{ "literal": "NONE" }]], "interval": { "secs": 5, "nanos": 0 }, "timeout": null,
        "start_period": { "secs": 1, "nanos": 0 }, "start_interval": { "secs": 2, "nanos": 0 }, "retries": 3 });
    let expected = json!({ "Test": ["NONE"], "Interval": 5_000_000_000_u64, "StartPeriod": 1_000_000_000,
        "StartInterval": 2_000_000_000, "Retries": 3 });
    let said = json!({ "settings": { "healthcheck": health } });
    check_api((1, 44), said, &json!({ "Healthcheck": expected }));
}

#[test]
fn what_the_host_gives_and_keeps() {
    check_host(json!({ "annotations": { "a": "b" } }), json!({ "Annotations": { "a": "b" } }));
    check_host(json!({ "group_add": ["mail", "7"] }), json!({ "GroupAdd": ["mail", "7"] }));
    check_host(json!({ "init": false }), json!({ "Init": false }));
    check_host(json!({ "privileged": true }), json!({ "Privileged": true }));
    check_host(json!({ "read_only": true }), json!({ "ReadonlyRootfs": true }));
    let added = json!({ "cap_add": ["net_admin", "CAP_CHOWN", "NET_ADMIN"], "cap_drop": ["all"] });
    check_host(added, json!({ "CapAdd": ["CAP_CHOWN", "CAP_NET_ADMIN"], "CapDrop": ["ALL"] }));
    check_host(
        json!({ "sysctls": { "net.core.somaxconn": "1" } }),
        json!({ "Sysctls": { "net.core.somaxconn": "1" } }),
    );
    check_host(json!({ "shm_bytes": 65536 }), json!({ "ShmSize": 65536 }));
    check_host(json!({ "storage_opt": { "size": "1G" } }), json!({ "StorageOpt": { "size": "1G" } }));
    check_host(json!({ "uts": "host" }), json!({ "UTSMode": "host" }));
    check_host(json!({ "userns_mode": "host" }), json!({ "UsernsMode": "host" }));
    check_host(json!({ "cgroup": "private" }), json!({ "CgroupnsMode": "private" }));
    check_host(json!({ "isolation": "default" }), json!({ "Isolation": "default" }));
    check_host(json!({ "runtime": "runc" }), json!({ "Runtime": "runc" }));
    check_host(json!({ "pid": { "engine": "host" } }), json!({ "PidMode": "host" }));
    check_host(json!({ "ipc": { "engine": "shareable" } }), json!({ "IpcMode": "shareable" }));
    let logging = json!({ "driver": "local", "options": { "max-size": "1m" } });
    let expected = json!({ "Type": "local", "Config": { "max-size": "1m" } });
    check_host(json!({ "logging": logging }), json!({ "LogConfig": expected }));
    check_host(json!({ "restart": "always" }), json!({ "RestartPolicy": { "Name": "always" } }));
    let policy = json!({ "Name": "on-failure", "MaximumRetryCount": 3 });
    check_host(json!({ "restart": { "on-failure": 3 } }), json!({ "RestartPolicy": policy }));
    refused(json!({ "settings": { "cgroup": "odd" } }), "`cgroup: odd` is nothing the engine knows");
}

#[test]
fn security_options() {
    check_host(
        json!({ "security_opt": ["no-new-privileges"] }),
        json!({ "SecurityOpt": ["no-new-privileges"] }),
    );
    let open = json!({ "MaskedPaths": [], "ReadonlyPaths": [] });
    check_host(json!({ "security_opt": ["systempaths=unconfined"] }), open);
    let profile = "seccomp={\"defaultAction\":\"SCMP_ACT_ALLOW\"}";
    check_host(json!({ "security_opt": [profile] }), json!({ "SecurityOpt": [profile] }));
    let because = "the seccomp profile `./p.json` was not read";
    refused(json!({ "settings": { "security_opt": ["seccomp=./p.json"] } }), because);
}

#[test]
fn resources() {
    let cases = [
        (
            json!({ "memory_bytes": 1, "memory_reservation_bytes": 2, "memory_swap_bytes": -1 }),
            json!({ "Memory": 1, "MemoryReservation": 2, "MemorySwap": -1 }),
        ),
        (json!({ "memory_swappiness": 10 }), json!({ "MemorySwappiness": 10 })),
        (json!({ "memory_swappiness": 0, "pids_limit": 0 }), json!({})),
        (
            json!({ "oom_kill_disable": true, "oom_score_adj": -5 }),
            json!({ "OomKillDisable": true, "OomScoreAdj": -5 }),
        ),
        (
            json!({ "nano_cpus": 5, "cpu_shares": 6, "cpu_period": 7, "cpu_quota": 8 }),
            json!({ "NanoCpus": 5, "CpuShares": 6, "CpuPeriod": 7, "CpuQuota": 8 }),
        ),
        (
            json!({ "cpu_rt_period": 1, "cpu_rt_runtime": 2, "cpu_count": 3, "cpu_percent": 4, "cpuset": "0-1" }),
            json!({ "CpuRealtimePeriod": 1, "CpuRealtimeRuntime": 2, "CpuCount": 3, "CpuPercent": 4, "CpusetCpus": "0-1" }),
        ),
        (json!({ "pids_limit": -1 }), json!({ "PidsLimit": -1 })),
        (
            json!({ "ulimits": { "nofile": { "soft": 1, "hard": 2 } } }),
            json!({ "Ulimits": [{ "Name": "nofile", "Soft": 1, "Hard": 2 }] }),
        ),
        (
            json!({ "blkio": { "weight": 300, "weight_device": [{ "path": "/dev/sda", "weight": 400 }],
            "device_read_bps": [{ "path": "/dev/sda", "rate": 1 }], "device_read_iops": [{ "path": "/dev/sda", "rate": 2 }],
            "device_write_bps": [{ "path": "/dev/sda", "rate": 3 }], "device_write_iops": [{ "path": "/dev/sda", "rate": 4 }] } }),
            json!({ "BlkioWeight": 300, "BlkioWeightDevice": [{ "Path": "/dev/sda", "Weight": 400 }],
            "BlkioDeviceReadBps": [{ "Path": "/dev/sda", "Rate": 1 }], "BlkioDeviceReadIOps": [{ "Path": "/dev/sda", "Rate": 2 }],
            "BlkioDeviceWriteBps": [{ "Path": "/dev/sda", "Rate": 3 }], "BlkioDeviceWriteIOps": [{ "Path": "/dev/sda", "Rate": 4 }] }),
        ),
        (
            json!({ "devices": [{ "source": "/dev/fuse", "target": "/dev/fuse", "permissions": "rw" }] }),
            json!({ "Devices": [{ "PathOnHost": "/dev/fuse", "PathInContainer": "/dev/fuse", "CgroupPermissions": "rw" }] }),
        ),
        (
            json!({ "devices": [{ "source": "vendor.com/gpu=0", "target": "vendor.com/gpu=0", "permissions": "" }] }),
            json!({ "DeviceRequests": [{ "Driver": "cdi", "DeviceIDs": ["vendor.com/gpu=0"] }] }),
        ),
        (
            json!({ "device_requests": [{ "driver": "nvidia", "count": -1, "capabilities": ["gpu"] }] }),
            json!({ "DeviceRequests": [{ "Driver": "nvidia", "Count": -1, "Capabilities": [["gpu"]] }] }),
        ),
        (
            json!({ "device_cgroup_rules": ["c 1:3 mr"], "cgroup_parent": "/stack" }),
            json!({ "DeviceCgroupRules": ["c 1:3 mr"], "CgroupParent": "/stack" }),
        ),
    ];
    for (said, expected) in cases {
        let expected = if expected == json!({}) { json!({}) } else { json!({ "HostConfig": expected }) };
        check(json!({ "resources": said }), expected);
    }
}

#[test]
fn names_of_the_network_and_its_ports() {
    check_host(json!({ "dns": ["9.9.9.9"] }), json!({ "Dns": ["9.9.9.9"] }));
    check_host(
        json!({ "dns_opt": ["ndots:1"], "dns_search": ["example.org"] }),
        json!({ "DnsOptions": ["ndots:1"], "DnsSearch": ["example.org"] }),
    );
    check_host(
        json!({ "extra_hosts": ["up=host-gateway", "six=::1"] }),
        json!({ "ExtraHosts": ["up:host-gateway", "six:::1"] }),
    );
    check_host(
        json!({ "external_links": ["other:elsewhere", "third"] }),
        json!({ "Links": ["other:elsewhere", "third:third"] }),
    );
    check(
        json!({ "expose": [{ "port": 53, "protocol": "udp" }] }),
        json!({ "ExposedPorts": { "53/udp": {} } }),
    );
    let port = |more: Value| {
        let mut port = json!({ "host_ip": null, "published": null, "target": 80, "protocol": "tcp" });
        port.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        json!({ "ports": [port] })
    };
    let bound = |binding: Value| json!({ "ExposedPorts": { "80/tcp": {} }, "HostConfig": { "PortBindings": { "80/tcp": [binding] } } });
    check(port(json!({})), bound(json!({ "HostPort": "" })));
    check(
        port(json!({ "host_ip": "127.0.0.1", "published": 8080 })),
        bound(json!({ "HostIp": "127.0.0.1", "HostPort": "8080" })),
    );
    check(
        port(json!({ "published": 8000, "published_until": 8010 })),
        bound(json!({ "HostPort": "8000-8010" })),
    );
}

#[test]
fn namespaces_of_others() {
    check_host(json!({ "network_mode": { "engine": "host" } }), json!({ "NetworkMode": "host" }));
    check_host(
        json!({ "network_mode": { "engine": "container:db" } }),
        json!({ "NetworkMode": "container:db" }),
    );
    check(
        json!({ "network_mode": { "engine": "disabled" } }),
        json!({ "NetworkDisabled": true, "HostConfig": { "NetworkMode": "disabled" } }),
    );
    let from = json!([{ "of": "container", "container": "db", "read_only": true },
        { "of": "container", "container": "web", "read_only": false }]);
    check_host(json!({ "volumes_from": from }), json!({ "VolumesFrom": ["db:ro", "web"] }));
}

#[test]
fn the_engines_own_socket() {
    check(
        json!({ "use_api_socket": true }),
        json!({
            "Env": ["DOCKER_CONFIG=/run/secrets/docker"],
            "HostConfig": { "Binds": ["/var/run/docker.sock:/var/run/docker.sock:rw"] },
        }),
    );
    let own = json!({ "use_api_socket": true, "environment": { "DOCKER_CONFIG": [{ "literal": "/mine" }] } });
    check(
        own,
        json!({
            "Env": ["DOCKER_CONFIG=/mine"],
            "HostConfig": { "Binds": ["/var/run/docker.sock:/var/run/docker.sock:rw"] },
        }),
    );
}
