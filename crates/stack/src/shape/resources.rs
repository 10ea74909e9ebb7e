//! What a container may use of its host.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// What a container may use of its host; `None` is the engine's default, which is no limit.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Resources {
    /// Memory limit in bytes.
    pub memory_bytes: Option<u64>,
    /// Memory that is left to it when the host runs short, in bytes.
    pub memory_reservation_bytes: Option<u64>,
    /// Memory and swap together, in bytes; -1 is no limit.
    pub memory_swap_bytes: Option<i64>,
    /// How readily its memory is swapped out: 0 to 100.
    pub memory_swappiness: Option<i64>,
    /// The kernel may not kill it for want of memory.
    pub oom_kill_disable: bool,
    /// How soon it is killed for want of memory: -1000 to 1000.
    pub oom_score_adj: i64,
    /// CPU limit in thousand-millionths of a CPU.
    pub nano_cpus: Option<i64>,
    /// CPU weight among containers.
    pub cpu_shares: Option<i64>,
    /// Period of the CPU quota in microseconds.
    pub cpu_period: Option<i64>,
    /// CPU time in each period in microseconds.
    pub cpu_quota: Option<i64>,
    /// Real-time period in microseconds.
    pub cpu_rt_period: Option<i64>,
    /// Real-time run time in microseconds.
    pub cpu_rt_runtime: Option<i64>,
    /// Number of CPUs (Windows).
    pub cpu_count: Option<i64>,
    /// Hundredths of a percent of the CPUs (Windows).
    pub cpu_percent: Option<i64>,
    /// CPUs it may run on: `0-3`, `0,1`.
    pub cpuset: Option<String>,
    /// Limit of processes; -1 is no limit.
    pub pids_limit: Option<i64>,
    /// Block devices: weights and rates.
    pub blkio: Option<Blkio>,
    /// Limits of the shell's `ulimit`, by name.
    pub ulimits: BTreeMap<String, Ulimit>,
    /// Devices of the host.
    pub devices: Vec<Device>,
    /// Rules of the device cgroup: `c 1:3 mr`.
    pub device_cgroup_rules: Vec<String>,
    /// Devices asked for by what they can do: `gpus`, and reservations.
    pub device_requests: Vec<DeviceRequest>,
    /// The cgroup that its own stands below.
    pub cgroup_parent: Option<String>,
}

/// A soft and a hard limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ulimit {
    /// What holds until it is raised.
    pub soft: i64,
    /// What it can be raised to.
    pub hard: i64,
}

/// A device of the host.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Device {
    /// Path on the host, or the qualified name of a CDI device.
    pub source: String,
    /// Path inside.
    pub target: String,
    /// `r`, `w`, `m` together.
    pub permissions: String,
}

impl Device {
    /// True where it is named as the Container Device Interface names devices: `VENDOR/CLASS=NAME`.
    pub fn is_cdi(&self) -> bool {
        let Some((kind, name)) = self.source.split_once('=') else { return false };
        let Some((vendor, class)) = kind.split_once('/') else { return false };
        let part = |part: &str, marks: &str| {
            let letter = |c: char| c.is_ascii_alphanumeric();
            part.starts_with(letter)
                && part.ends_with(letter)
                && part.chars().all(|c| letter(c) || marks.contains(c))
        };
        self.source == self.target && part(vendor, "_-.") && part(class, "_-") && part(name, "_-.:")
    }
}

/// Devices asked for by what they can do.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct DeviceRequest {
    /// Driver, when given.
    pub driver: Option<String>,
    /// How many; -1 is all.
    pub count: i64,
    /// Or which.
    pub device_ids: Vec<String>,
    /// What they must be able to do.
    pub capabilities: Vec<String>,
    /// Options of the driver.
    pub options: BTreeMap<String, String>,
}

/// Weights and rates of block devices.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Blkio {
    /// Weight among containers: 10 to 1000.
    pub weight: Option<u16>,
    /// Weight by device.
    pub weight_device: Vec<BlkioWeight>,
    /// Bytes read a second, by device.
    pub device_read_bps: Vec<BlkioRate>,
    /// Reads a second, by device.
    pub device_read_iops: Vec<BlkioRate>,
    /// Bytes written a second, by device.
    pub device_write_bps: Vec<BlkioRate>,
    /// Writes a second, by device.
    pub device_write_iops: Vec<BlkioRate>,
}

/// The weight of one device.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BlkioWeight {
    /// Its path.
    pub path: String,
    /// The weight.
    pub weight: u16,
}

/// The rate of one device.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BlkioRate {
    /// Its path.
    pub path: String,
    /// The rate.
    pub rate: u64,
}
