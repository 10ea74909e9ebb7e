//! What a container may use of its host: the service's own keys, and `deploy.resources` over them.

use super::fields::Fields;
use crate::shape::{Blkio, BlkioRate, BlkioWeight, Device, DeviceRequest, Resources, Ulimit};
use crate::tree::{Node, Value};

/// Reads them all.
pub(super) fn resources(fields: &Fields<'_, '_>) -> Resources {
    let deploy = fields.fields("deploy").and_then(|deploy| deploy.fields("resources"));
    let limits = deploy.and_then(|resources| resources.fields("limits"));
    let reservations = deploy.and_then(|resources| resources.fields("reservations"));
    let memory = limits.and_then(|limits| limits.size("memory")).or_else(|| fields.size("mem_limit"));
    let reserved = reservations.and_then(|reserved| reserved.size("memory"));
    let cpus = limits.and_then(|limits| limits.float("cpus")).or_else(|| fields.float("cpus"));
    Resources {
        memory_bytes: memory,
        memory_reservation_bytes: reserved.or_else(|| fields.size("mem_reservation")),
        memory_swap_bytes: fields.bytes("memswap_limit"),
        memory_swappiness: fields.bytes("mem_swappiness"),
        oom_kill_disable: fields.flag("oom_kill_disable"),
        oom_score_adj: fields.int("oom_score_adj").unwrap_or_default(),
        nano_cpus: cpus.map(|cpus| (cpus * 1e9).round() as i64),
        cpu_shares: fields.int("cpu_shares"),
        cpu_period: fields.int("cpu_period"),
        cpu_quota: fields.int("cpu_quota"),
        cpu_rt_period: fields.int("cpu_rt_period"),
        cpu_rt_runtime: fields.int("cpu_rt_runtime"),
        cpu_count: fields.int("cpu_count"),
        cpu_percent: fields.float("cpu_percent").map(|percent| (percent * 100.0).round() as i64),
        cpuset: fields.string("cpuset"),
        pids_limit: limits.and_then(|limits| limits.int("pids")).or_else(|| fields.int("pids_limit")),
        blkio: fields.fields("blkio_config").map(|blkio| self::blkio(&blkio)),
        ulimits: fields.entries("ulimits").map(|(name, entry)| (name.clone(), ulimit(&entry.node))).collect(),
        devices: fields.each("devices").map(|device| self::device(&device)).collect(),
        device_cgroup_rules: fields.strings("device_cgroup_rules"),
        device_requests: requests(fields, reservations),
        cgroup_parent: fields.string("cgroup_parent"),
    }
}

fn ulimit(node: &Node) -> Ulimit {
    match node.value {
        Value::Int(limit) => Ulimit { soft: limit, hard: limit },
        _ => {
            let limit = |key| node.get(key).and_then(Node::as_int).unwrap_or_default();
            Ulimit { soft: limit("soft"), hard: limit("hard") }
        }
    }
}

fn device(fields: &Fields<'_, '_>) -> Device {
    let source = fields.string("source").unwrap_or_default();
    Device {
        target: fields.string("target").unwrap_or_else(|| source.clone()),
        source,
        permissions: fields.string("permissions").unwrap_or_else(|| "rwm".to_owned()),
    }
}

/// Devices asked for by what they can do: reservations, then `gpus`, which are asked for as such.
fn requests(fields: &Fields<'_, '_>, reservations: Option<Fields<'_, '_>>) -> Vec<DeviceRequest> {
    let request = |fields: Fields<'_, '_>| DeviceRequest {
        driver: fields.string("driver"),
        count: fields.int("count").unwrap_or_default(),
        device_ids: fields.strings("device_ids"),
        capabilities: fields.strings("capabilities"),
        options: fields.pairs("options"),
    };
    let reserved = reservations.into_iter().flat_map(|reserved| reserved.each("devices")).map(request);
    let gpus = fields.each("gpus").map(request).map(|mut gpu| {
        gpu.capabilities.push("gpu".to_owned());
        gpu
    });
    reserved.chain(gpus).collect()
}

fn blkio(fields: &Fields<'_, '_>) -> Blkio {
    let rates = |key: &str| {
        let rate = |fields: Fields<'_, '_>| BlkioRate {
            path: fields.string("Path").unwrap_or_default(),
            rate: fields.size("Rate").unwrap_or_default(),
        };
        fields.each(key).map(rate).collect()
    };
    let wanted = "a weight from 10 to 1000";
    Blkio {
        weight: fields.number("weight", wanted),
        weight_device: fields
            .each("weight_device")
            .map(|device| BlkioWeight {
                path: device.string("Path").unwrap_or_default(),
                weight: device.number("Weight", wanted).unwrap_or_default(),
            })
            .collect(),
        device_read_bps: rates("device_read_bps"),
        device_read_iops: rates("device_read_iops"),
        device_write_bps: rates("device_write_bps"),
        device_write_iops: rates("device_write_iops"),
    }
}
