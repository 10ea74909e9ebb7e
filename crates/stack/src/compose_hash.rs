//! The hashes that Compose labels with what it makes, to see later what changed: SHA-256 of what Go's `json.Marshal`
//! gives for its own structures.
//!
//! The canonical tree has the same keys and values as these; it does not have their order. [`SERVICE`] and its kin
//! are the order of the fields in the types of compose-go 2.9; a map's keys are sorted, there as here.

use std::collections::BTreeMap;

use serde_json::{Map, Value};
use sha2::{Digest, Sha256};

use crate::ServiceName;

/// The hash of a service: what `docker compose config --hash` prints, where nobody is referred to.
///
/// `service` is its canonical tree with all values in it, `$` doubled as Compose prints it. A container is what it
/// was made from, so `ids` gives the id of the first container of each service that this one shares with.
pub fn of_service(service: &Value, ids: &BTreeMap<ServiceName, String>) -> String {
    let mut service = undoubled(service);
    if let Value::Object(fields) = &mut service {
        for left_out in ["build", "pull_policy", "scale", "depends_on", "profiles"] {
            fields.remove(left_out);
        }
        if let Some(Value::Object(deploy)) = fields.get_mut("deploy") {
            deploy.remove("replicas");
        }
        refer_to_containers(fields, ids);
    }
    digest(&service, &As::Struct(SERVICE))
}

/// The hash of a network.
pub fn of_network(network: &Value) -> String {
    digest(&undoubled(network), &As::Struct(NETWORK))
}

/// The hash of a volume.
pub fn of_volume(volume: &Value) -> String {
    let mut volume = undoubled(volume);
    if let Value::Object(fields) = &mut volume {
        fields.entry("driver").or_insert_with(|| "local".into());
    }
    digest(&volume, &As::Struct(VOLUME))
}

/// Services whose containers' ids are part of what a service is made from.
pub fn refers_to(service: &Value) -> Vec<ServiceName> {
    let modes = MODES.iter().filter_map(|key| service.get(key)?.as_str()?.strip_prefix("service:"));
    let from = service.get("volumes_from").and_then(Value::as_array).into_iter().flatten();
    let from = from.filter_map(Value::as_str).filter(|from| !from.starts_with("container:"));
    let from = from.map(|from| from.split(':').next().unwrap_or_default());
    modes.chain(from).map(ServiceName::from).collect()
}

/// Keys that may name a service whose namespace is shared.
const MODES: [&str; 3] = ["network_mode", "ipc", "pid"];

/// Puts containers in place of services, as Compose does before it makes a container.
fn refer_to_containers(fields: &mut Map<String, Value>, ids: &BTreeMap<ServiceName, String>) {
    for key in MODES {
        let shared = fields.get(key).and_then(Value::as_str).and_then(|mode| mode.strip_prefix("service:"));
        if let Some(id) = shared.and_then(|service| ids.get(&ServiceName::from(service))) {
            fields.insert(key.to_owned(), format!("container:{id}").into());
        }
    }
    for from in fields.get_mut("volumes_from").and_then(Value::as_array_mut).into_iter().flatten() {
        let Some(text) = from.as_str() else { continue };
        let mut parts = text.split(':');
        let first = parts.next().unwrap_or_default();
        let container = match (first, parts.next()) {
            // How it is mounted is forgotten here, in Compose too.
            ("container", Some(name)) => Some(name.to_owned()),
            _ => ids.get(&ServiceName::from(first)).cloned(),
        };
        if let Some(container) = container {
            *from = container.into();
        }
    }
}

fn digest(tree: &Value, order: &As) -> String {
    let mut text = String::new();
    write(tree, order, &mut text);
    data_encoding::HEXLOWER.encode(&Sha256::digest(text))
}

/// The tree without the second `$` of each pair: Compose doubles them where it prints a file.
fn undoubled(tree: &Value) -> Value {
    match tree {
        Value::String(text) => text.replace("$$", "$").into(),
        Value::Array(items) => items.iter().map(undoubled).collect(),
        Value::Object(fields) => {
            let pairs = fields.iter().map(|(key, value)| (key.replace("$$", "$"), undoubled(value)));
            Value::Object(pairs.collect())
        }
        other => other.clone(),
    }
}

/// What a value is in Go, as far as order goes.
enum As {
    /// Its fields in the order in which they are declared.
    Struct(&'static [(&'static str, As)]),
    /// A list of such values.
    List(&'static As),
    /// A map, keys sorted.
    Map(&'static As),
    /// Anything that has no order of its own to keep.
    Plain,
}

fn write(value: &Value, order: &As, text: &mut String) {
    match (value, order) {
        (Value::Object(fields), As::Struct(order)) => {
            let known = order.iter().filter_map(|(key, inner)| Some((*key, fields.get(*key)?, inner)));
            write_fields(known, text);
        }
        (Value::Object(fields), order) => {
            let inner = if let As::Map(inner) = order { inner } else { &As::Plain };
            let sorted: BTreeMap<&str, &Value> =
                fields.iter().map(|(key, value)| (key.as_str(), value)).collect();
            write_fields(sorted.into_iter().map(|(key, value)| (key, value, inner)), text);
        }
        (Value::Array(items), order) => {
            let inner = if let As::List(inner) = order { inner } else { &As::Plain };
            text.push('[');
            for (at, item) in items.iter().enumerate() {
                if at > 0 {
                    text.push(',');
                }
                write(item, inner, text);
            }
            text.push(']');
        }
        (Value::String(string), _) => write_string(string, text),
        (other, _) => text.push_str(&other.to_string()),
    }
}

fn write_fields<'a>(fields: impl Iterator<Item = (&'a str, &'a Value, &'a As)>, text: &mut String) {
    text.push('{');
    for (at, (key, value, order)) in fields.enumerate() {
        if at > 0 {
            text.push(',');
        }
        write_string(key, text);
        text.push(':');
        write(value, order, text);
    }
    text.push('}');
}

/// As Go writes a string: safe to stand in a web page.
fn write_string(string: &str, text: &mut String) {
    for c in Value::from(string).to_string().chars() {
        match c {
            '<' | '>' | '&' | '\u{2028}' | '\u{2029}' => text.push_str(&format!("\\u{:04x}", u32::from(c))),
            other => text.push(other),
        }
    }
}

/// Fields without an order of their own.
macro_rules! fields {
    ($($key:literal $(: $order:expr)?),* $(,)?) => {
        &[$(($key, fields!(@ $($order)?))),*]
    };
    (@) => { As::Plain };
    (@ $order:expr) => { $order };
}

static SERVICE: &[(&str, As)] = fields![
    "profiles",
    "annotations",
    "attach",
    "build",
    "develop": As::Struct(DEVELOP),
    "blkio_config": As::Struct(BLKIO),
    "cap_add",
    "cap_drop",
    "cgroup_parent",
    "cgroup",
    "cpu_count",
    "cpu_percent",
    "cpu_period",
    "cpu_quota",
    "cpu_rt_period",
    "cpu_rt_runtime",
    "cpus",
    "cpuset",
    "cpu_shares",
    "command",
    "configs": As::List(&As::Struct(FILE)),
    "container_name",
    "credential_spec": As::Struct(fields!["config", "file", "registry"]),
    "depends_on",
    "deploy": As::Struct(DEPLOY),
    "device_cgroup_rules",
    "devices": As::List(&As::Struct(fields!["source", "target", "permissions"])),
    "dns",
    "dns_opt",
    "dns_search",
    "dockerfile",
    "domainname",
    "entrypoint",
    "provider": As::Struct(fields!["type", "options"]),
    "environment",
    "env_file": As::List(&As::Struct(fields!["path", "required", "format"])),
    "expose",
    "extends": As::Struct(fields!["file", "service"]),
    "external_links",
    "extra_hosts",
    "group_add",
    "gpus": As::List(&As::Struct(DEVICE_REQUEST)),
    "hostname",
    "healthcheck": As::Struct(fields![
        "test", "timeout", "interval", "retries", "start_period", "start_interval", "disable",
    ]),
    "image",
    "init",
    "ipc",
    "isolation",
    "labels",
    "label_file",
    "links",
    "logging": As::Struct(fields!["driver", "options"]),
    "log_driver",
    "log_opt",
    "mem_limit",
    "mem_reservation",
    "memswap_limit",
    "mem_swappiness",
    "mac_address",
    "models": As::Map(&As::Struct(fields!["endpoint_var", "model_var"])),
    "net",
    "network_mode",
    "networks": As::Map(&As::Struct(fields![
        "aliases", "driver_opts", "gw_priority", "interface_name", "ipv4_address", "ipv6_address",
        "link_local_ips", "mac_address", "priority",
    ])),
    "oom_kill_disable",
    "oom_score_adj",
    "pid",
    "pids_limit",
    "platform",
    "ports": As::List(&As::Struct(fields![
        "name", "mode", "host_ip", "target", "published", "protocol", "app_protocol",
    ])),
    "privileged",
    "pull_policy",
    "read_only",
    "restart",
    "runtime",
    "scale",
    "secrets": As::List(&As::Struct(FILE)),
    "security_opt",
    "shm_size",
    "stdin_open",
    "stop_grace_period",
    "stop_signal",
    "storage_opt",
    "sysctls",
    "tmpfs",
    "tty",
    "ulimits": As::Map(&As::Struct(fields!["single", "soft", "hard"])),
    "use_api_socket",
    "user",
    "userns_mode",
    "uts",
    "volume_driver",
    "volumes": As::List(&As::Struct(MOUNT)),
    "volumes_from",
    "working_dir",
    "post_start": As::List(&As::Struct(HOOK)),
    "pre_stop": As::List(&As::Struct(HOOK)),
];

static FILE: &[(&str, As)] = fields!["source", "target", "uid", "gid", "mode"];

static HOOK: &[(&str, As)] = fields!["command", "user", "privileged", "working_dir", "environment"];

static DEVELOP: &[(&str, As)] = fields![
    "watch": As::List(&As::Struct(fields![
        "path", "action", "target", "exec": As::Struct(HOOK), "include", "ignore", "initial_sync",
    ])),
];

static BLKIO: &[(&str, As)] = fields![
    "weight",
    "weight_device": As::List(&As::Struct(fields!["Path", "Weight"])),
    "device_read_bps": As::List(&As::Struct(RATE)),
    "device_read_iops": As::List(&As::Struct(RATE)),
    "device_write_bps": As::List(&As::Struct(RATE)),
    "device_write_iops": As::List(&As::Struct(RATE)),
];

static RATE: &[(&str, As)] = fields!["Path", "Rate"];

static DEVICE_REQUEST: &[(&str, As)] = fields!["capabilities", "driver", "count", "device_ids", "options"];

static DEPLOY: &[(&str, As)] = fields![
    "mode",
    "replicas",
    "labels",
    "update_config": As::Struct(UPDATE),
    "rollback_config": As::Struct(UPDATE),
    "resources": As::Struct(fields!["limits": As::Struct(RESOURCE), "reservations": As::Struct(RESOURCE)]),
    "restart_policy": As::Struct(fields!["condition", "delay", "max_attempts", "window"]),
    "placement": As::Struct(fields![
        "constraints", "preferences": As::List(&As::Struct(fields!["spread"])), "max_replicas_per_node",
    ]),
    "endpoint_mode",
];

static UPDATE: &[(&str, As)] =
    fields!["parallelism", "delay", "failure_action", "monitor", "max_failure_ratio", "order"];

static RESOURCE: &[(&str, As)] = fields![
    "cpus",
    "memory",
    "pids",
    "devices": As::List(&As::Struct(DEVICE_REQUEST)),
    "generic_resources": As::List(&As::Struct(fields![
        "discrete_resource_spec": As::Struct(fields!["kind", "value"]),
    ])),
];

static MOUNT: &[(&str, As)] = fields![
    "type",
    "source",
    "target",
    "read_only",
    "consistency",
    "bind": As::Struct(fields!["selinux", "propagation", "create_host_path", "recursive"]),
    "volume": As::Struct(fields!["labels", "nocopy", "subpath"]),
    "tmpfs": As::Struct(fields!["size", "mode"]),
    "image": As::Struct(fields!["subpath"]),
];

static NETWORK: &[(&str, As)] = fields![
    "name",
    "driver",
    "driver_opts",
    "ipam": As::Struct(fields![
        "driver", "config": As::List(&As::Struct(fields!["subnet", "gateway", "ip_range", "aux_addresses"])),
    ]),
    "external",
    "internal",
    "attachable",
    "labels",
    "enable_ipv4",
    "enable_ipv6",
];

static VOLUME: &[(&str, As)] = fields!["name", "driver", "driver_opts", "external", "labels"];
