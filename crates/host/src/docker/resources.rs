//! What a container may use of its host.

use bollard::models::{
    DeviceMapping, DeviceRequest, HostConfig, ResourcesBlkioWeightDevice, ResourcesUlimits, ThrottleDevice,
};
use stack::{BlkioRate, Device, Resources};

use super::{effects::map, host_config::list, mounts::clamped};

/// The driver of devices that are named as the Container Device Interface names them.
const CDI: &str = "cdi";

/// The same container, within these limits.
pub(super) fn limit(resources: &Resources, config: HostConfig) -> HostConfig {
    let blkio = resources.blkio.clone().unwrap_or_default();
    let weights = blkio.weight_device.iter().map(|device| ResourcesBlkioWeightDevice {
        path: Some(device.path.clone()),
        weight: Some(device.weight.into()),
    });
    HostConfig {
        memory: resources.memory_bytes.map(clamped),
        memory_reservation: resources.memory_reservation_bytes.map(clamped),
        memory_swap: resources.memory_swap_bytes,
        // Compose cannot say 0.
        memory_swappiness: resources.memory_swappiness.filter(|swappiness| *swappiness != 0),
        oom_kill_disable: Some(resources.oom_kill_disable),
        oom_score_adj: Some(resources.oom_score_adj),
        nano_cpus: resources.nano_cpus,
        cpu_shares: resources.cpu_shares,
        cpu_period: resources.cpu_period,
        cpu_quota: resources.cpu_quota,
        cpu_realtime_period: resources.cpu_rt_period,
        cpu_realtime_runtime: resources.cpu_rt_runtime,
        cpu_count: resources.cpu_count,
        cpu_percent: resources.cpu_percent,
        cpuset_cpus: resources.cpuset.clone(),
        pids_limit: resources.pids_limit.filter(|limit| *limit != 0),
        blkio_weight: blkio.weight,
        blkio_weight_device: some(weights.collect()),
        blkio_device_read_bps: rates(&blkio.device_read_bps),
        blkio_device_read_iops: rates(&blkio.device_read_iops),
        blkio_device_write_bps: rates(&blkio.device_write_bps),
        blkio_device_write_iops: rates(&blkio.device_write_iops),
        ulimits: some(ulimits(resources)),
        devices: some(resources.devices.iter().filter(|device| !device.is_cdi()).map(mapping).collect()),
        device_requests: some(requests(resources)),
        device_cgroup_rules: list(&resources.device_cgroup_rules),
        cgroup_parent: resources.cgroup_parent.clone(),
        ..config
    }
}

fn some<T>(values: Vec<T>) -> Option<Vec<T>> {
    (!values.is_empty()).then_some(values)
}

fn rates(rates: &[BlkioRate]) -> Option<Vec<ThrottleDevice>> {
    let rate =
        |rate: &BlkioRate| ThrottleDevice { path: Some(rate.path.clone()), rate: Some(clamped(rate.rate)) };
    some(rates.iter().map(rate).collect())
}

fn ulimits(resources: &Resources) -> Vec<ResourcesUlimits> {
    let limit = |(name, limit): (&String, &stack::Ulimit)| ResourcesUlimits {
        name: Some(name.clone()),
        soft: Some(limit.soft),
        hard: Some(limit.hard),
    };
    resources.ulimits.iter().map(limit).collect()
}

fn mapping(device: &Device) -> DeviceMapping {
    DeviceMapping {
        path_on_host: Some(device.source.clone()),
        path_in_container: Some(device.target.clone()),
        cgroup_permissions: Some(device.permissions.clone()),
    }
}

fn requests(resources: &Resources) -> Vec<DeviceRequest> {
    let asked = resources.device_requests.iter().map(|asked| DeviceRequest {
        driver: asked.driver.clone(),
        count: Some(asked.count),
        device_ids: list(&asked.device_ids),
        capabilities: Some(vec![asked.capabilities.clone()]),
        options: Some(map(&asked.options)).filter(|options| !options.is_empty()),
    });
    let named: Vec<String> = resources
        .devices
        .iter()
        .filter(|device| device.is_cdi())
        .map(|device| device.source.clone())
        .collect();
    let named = list(&named).map(|names| DeviceRequest {
        driver: Some(CDI.to_owned()),
        device_ids: Some(names),
        ..Default::default()
    });
    asked.chain(named).collect()
}
