//! Which keys a Compose file may have: those that are handled, and those of the specification that are not yet.

use diag::{Diagnostic, closest};

use crate::{reading::Reading, tree::Node};

/// The keys of one kind of mapping.
pub(crate) struct Keys {
    /// What the mapping is called in a message.
    pub(crate) of: &'static str,
    pub(crate) handled: &'static [&'static str],
    /// Keys that the specification has and we refuse for now.
    pub(crate) later: &'static [&'static str],
}

pub(crate) const TOP: Keys = Keys {
    of: "a Compose file",
    handled: &["name", "version", "services", "networks", "volumes", "secrets", "configs"],
    later: &["include", "models"],
};

pub(crate) const SERVICE: Keys = Keys {
    of: "a service",
    handled: &[
        "image",
        "command",
        "entrypoint",
        "environment",
        "env_file",
        "ports",
        "expose",
        "networks",
        "network_mode",
        "volumes",
        "tmpfs",
        "secrets",
        "configs",
        "depends_on",
        "healthcheck",
        "restart",
        "user",
        "working_dir",
        "hostname",
        "container_name",
        "init",
        "read_only",
        "privileged",
        "cap_add",
        "cap_drop",
        "security_opt",
        "extra_hosts",
        "sysctls",
        "mem_limit",
        "cpus",
        "pids_limit",
        "shm_size",
        "deploy",
        "stop_signal",
        "stop_grace_period",
        "logging",
        "tty",
        "stdin_open",
        "labels",
        "pull_policy",
        "profiles",
    ],
    later: &[
        "annotations",
        "attach",
        "blkio_config",
        "build",
        "cgroup",
        "cgroup_parent",
        "cpu_count",
        "cpu_percent",
        "cpu_period",
        "cpu_quota",
        "cpu_rt_period",
        "cpu_rt_runtime",
        "cpu_shares",
        "cpuset",
        "credential_spec",
        "develop",
        "device_cgroup_rules",
        "devices",
        "dns",
        "dns_opt",
        "dns_search",
        "domainname",
        "extends",
        "external_links",
        "gpus",
        "group_add",
        "ipc",
        "isolation",
        "label_file",
        "links",
        "mac_address",
        "mem_reservation",
        "mem_swappiness",
        "memswap_limit",
        "models",
        "oom_kill_disable",
        "oom_score_adj",
        "pid",
        "platform",
        "post_start",
        "pre_stop",
        "provider",
        "runtime",
        "scale",
        "storage_opt",
        "ulimits",
        "use_api_socket",
        "userns_mode",
        "uts",
        "volumes_from",
    ],
};

pub(crate) const NETWORK: Keys = Keys {
    of: "a network",
    handled: &["name", "external", "internal", "driver", "driver_opts", "labels", "ipam"],
    later: &["attachable", "enable_ipv4", "enable_ipv6"],
};
pub(crate) const IPAM: Keys = Keys { of: "`ipam`", handled: &["config"], later: &["driver", "options"] };
pub(crate) const POOL: Keys =
    Keys { of: "an address pool", handled: &["subnet"], later: &["gateway", "ip_range", "aux_addresses"] };
pub(crate) const VOLUME: Keys =
    Keys { of: "a volume", handled: &["name", "external", "driver", "driver_opts", "labels"], later: &[] };
pub(crate) const SECRET: Keys = Keys {
    of: "a secret",
    handled: &["name", "file", "environment", "external"],
    later: &["driver", "driver_opts", "labels", "template_driver"],
};
pub(crate) const CONFIG: Keys = Keys {
    of: "a config",
    handled: &["name", "file", "content", "environment", "external"],
    later: &["labels", "template_driver"],
};
pub(crate) const ATTACHMENT: Keys = Keys {
    of: "a service's network",
    handled: &["aliases", "ipv4_address"],
    later: &[
        "driver_opts",
        "gw_priority",
        "interface_name",
        "ipv6_address",
        "link_local_ips",
        "mac_address",
        "priority",
    ],
};
pub(crate) const PORT: Keys = Keys {
    of: "a port",
    handled: &["target", "published", "host_ip", "protocol", "mode"],
    later: &["name", "app_protocol"],
};
pub(crate) const MOUNT: Keys = Keys {
    of: "a mount",
    handled: &["type", "source", "target", "read_only", "bind", "volume", "tmpfs", "consistency"],
    later: &["image"],
};
pub(crate) const MOUNT_BIND: Keys =
    Keys { of: "`bind`", handled: &["create_host_path"], later: &["propagation", "recursive", "selinux"] };
pub(crate) const MOUNT_VOLUME: Keys =
    Keys { of: "`volume`", handled: &[], later: &["labels", "nocopy", "subpath"] };
pub(crate) const MOUNT_TMPFS: Keys = Keys { of: "`tmpfs`", handled: &["size", "mode"], later: &[] };
pub(crate) const FILE: Keys = Keys {
    of: "a service's secret or config",
    handled: &["source", "target", "uid", "gid", "mode"],
    later: &[],
};
pub(crate) const DEPENDENCY: Keys =
    Keys { of: "a dependency", handled: &["condition", "restart", "required"], later: &[] };
pub(crate) const HEALTHCHECK: Keys = Keys {
    of: "`healthcheck`",
    handled: &["test", "interval", "timeout", "retries", "start_period", "start_interval", "disable"],
    later: &[],
};
pub(crate) const LOGGING: Keys = Keys { of: "`logging`", handled: &["driver", "options"], later: &[] };
pub(crate) const ENV_FILE: Keys =
    Keys { of: "an env file", handled: &["path", "required", "format"], later: &[] };
pub(crate) const DEPLOY: Keys = Keys {
    of: "`deploy`",
    handled: &["resources"],
    later: &[
        "endpoint_mode",
        "labels",
        "mode",
        "placement",
        "replicas",
        "restart_policy",
        "rollback_config",
        "update_config",
    ],
};
pub(crate) const RESOURCES: Keys = Keys { of: "`resources`", handled: &["limits"], later: &["reservations"] };
pub(crate) const LIMITS: Keys =
    Keys { of: "`limits`", handled: &["cpus", "memory", "pids"], later: &["devices"] };

/// Says what is wrong with the keys of a mapping: an unknown one, or one that is not handled yet.
pub(crate) fn check(reading: &Reading<'_>, keys: &Keys, node: &Node) {
    let Some(map) = node.as_map() else { return };
    for (key, entry) in map {
        if keys.handled.contains(&key.as_str()) || key.starts_with("x-") {
            continue;
        }
        if keys.later.contains(&key.as_str()) {
            let said =
                Diagnostic::error("not-handled-yet", format!("`{key}` of {} is not handled yet", keys.of));
            reading.say(entry.key_at, said.hint(later_hint(key)));
            continue;
        }
        let said = Diagnostic::error("unknown-key", format!("`{key}` is not a key of {}", keys.of));
        let known = keys.handled.iter().chain(keys.later).copied();
        reading.say(
            entry.key_at,
            match closest(key, known) {
                Some(near) => said.hint(format!("did you mean `{near}`?")),
                None => said.hint("keys of your own start with `x-`"),
            },
        );
    }
}

fn later_hint(key: &str) -> &'static str {
    match key {
        "build" => "build the image beforehand, and name it in `image`",
        "extends" | "include" => "give the files in order with -f, or in the shape's `files`",
        _ => "take it out, or lay an overlay over it with `!reset null`",
    }
}
