//! What becomes of every key of the specification: the one table that says so. `docs/compose.md` is made of it.

use std::sync::OnceLock;

use diag::Diagnostic;

use crate::{
    compose::rules::Rules,
    reading::Reading,
    tree::{Node, Spot, Value},
};

/// What becomes of a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    /// It is done as Compose does it.
    Run,
    /// A verb that acts refuses it, for a reason. It can still be rendered.
    Refused(&'static str),
    /// It changes nothing, for a reason, and that is said.
    Ignored(&'static str),
}

/// The keys of one kind of mapping, by what becomes of them.
struct Mapping {
    /// Where such mappings stand: `services.*.ports.[]`.
    path: &'static str,
    run: &'static [&'static str],
    refused: &'static [(&'static str, &'static str)],
    ignored: &'static [(&'static str, &'static str)],
}

const fn run(path: &'static str, run: &'static [&'static str]) -> Mapping {
    Mapping { path, run, refused: &[], ignored: &[] }
}

const SWARM: &str = "it is for a swarm, and a stack runs on one machine";
const BUILDER: &str = "the engine builds without it, and what is built would be another image";
const DEVELOP: &str = "it is for working on the code: nothing is watched here";
const MODELS: &str = "no engine here serves models";
const PROVIDER: &str = "a program of somebody else's would run with the deployer's rights";
const WINDOWS: &str = "it is for containers of Windows";
const ENGINE: &str = "the engine has no such setting";
const NO_FILE: &str = "the content is a file beside the stack, a variable, or declared in [secret]";
const HINT: &str = "it says something to other tools";
const LABELS: &str = "a file in a container has no labels";

const FILE: &[&str] = &["source", "target", "uid", "gid", "mode"];
const HOOK: &[&str] = &["command", "user", "privileged", "working_dir", "environment"];
const DEVICES: &[&str] = &["capabilities", "count", "device_ids", "driver", "options"];
const LIMIT: &[&str] = &["hard", "soft"];
const RATE: &[&str] = &["path", "rate"];

const TABLE: &[Mapping] = &[
    Mapping {
        path: "",
        run: &["name", "include", "services", "networks", "volumes", "secrets", "configs"],
        refused: &[("models", MODELS)],
        ignored: &[("version", "it means nothing any more")],
    },
    run("include.[]", &["path", "env_file", "project_directory"]),
    Mapping {
        path: "services.*",
        run: &[
            "annotations",
            "blkio_config",
            "build",
            "cap_add",
            "cap_drop",
            "cgroup",
            "cgroup_parent",
            "command",
            "configs",
            "container_name",
            "cpu_count",
            "cpu_percent",
            "cpu_period",
            "cpu_quota",
            "cpu_rt_period",
            "cpu_rt_runtime",
            "cpu_shares",
            "cpus",
            "cpuset",
            "depends_on",
            "deploy",
            "device_cgroup_rules",
            "devices",
            "dns",
            "dns_opt",
            "dns_search",
            "domainname",
            "entrypoint",
            "env_file",
            "environment",
            "expose",
            "extends",
            "external_links",
            "extra_hosts",
            "gpus",
            "group_add",
            "healthcheck",
            "hostname",
            "image",
            "init",
            "ipc",
            "isolation",
            "label_file",
            "labels",
            "links",
            "logging",
            "mac_address",
            "mem_limit",
            "mem_reservation",
            "mem_swappiness",
            "memswap_limit",
            "network_mode",
            "networks",
            "oom_kill_disable",
            "oom_score_adj",
            "pid",
            "pids_limit",
            "platform",
            "ports",
            "post_start",
            "pre_stop",
            "privileged",
            "profiles",
            "pull_policy",
            "read_only",
            "restart",
            "runtime",
            "scale",
            "secrets",
            "security_opt",
            "shm_size",
            "stdin_open",
            "stop_grace_period",
            "stop_signal",
            "storage_opt",
            "sysctls",
            "tmpfs",
            "tty",
            "ulimits",
            "use_api_socket",
            "user",
            "userns_mode",
            "uts",
            "volumes",
            "volumes_from",
            "working_dir",
        ],
        refused: &[("credential_spec", WINDOWS), ("models", MODELS), ("provider", PROVIDER)],
        ignored: &[
            ("attach", "no verb follows the logs of a stack while it starts it"),
            ("develop", DEVELOP),
            ("pull_refresh_after", "Compose itself makes nothing of it: write `pull_policy: every_…`"),
        ],
    },
    Mapping { path: "services.*.develop", run: &[], refused: &[], ignored: &[("watch", DEVELOP)] },
    Mapping {
        path: "services.*.develop.watch.[]",
        run: &[],
        refused: &[],
        ignored: &[
            ("action", DEVELOP),
            ("exec", DEVELOP),
            ("ignore", DEVELOP),
            ("include", DEVELOP),
            ("initial_sync", DEVELOP),
            ("path", DEVELOP),
            ("target", DEVELOP),
        ],
    },
    Mapping {
        path: "services.*.develop.watch.[].exec",
        run: &[],
        refused: &[],
        ignored: &[
            ("command", DEVELOP),
            ("environment", DEVELOP),
            ("privileged", DEVELOP),
            ("user", DEVELOP),
            ("working_dir", DEVELOP),
        ],
    },
    Mapping {
        path: "services.*.deploy",
        run: &["replicas", "resources", "restart_policy"],
        refused: &[],
        ignored: &[
            ("endpoint_mode", SWARM),
            ("labels", SWARM),
            ("mode", SWARM),
            ("placement", SWARM),
            ("rollback_config", SWARM),
            ("update_config", SWARM),
        ],
    },
    Mapping { path: "services.*.deploy.rollback_config", run: &[], refused: &[], ignored: ROLLING },
    Mapping { path: "services.*.deploy.update_config", run: &[], refused: &[], ignored: ROLLING },
    run("services.*.deploy.resources", &["limits", "reservations"]),
    run("services.*.deploy.resources.limits", &["cpus", "memory", "pids"]),
    Mapping {
        path: "services.*.deploy.resources.reservations",
        run: &["devices", "memory"],
        refused: &[],
        ignored: &[("cpus", SWARM), ("generic_resources", SWARM)],
    },
    Mapping {
        path: "services.*.deploy.resources.reservations.generic_resources.[]",
        run: &[],
        refused: &[],
        ignored: &[("discrete_resource_spec", SWARM)],
    },
    Mapping {
        path: "services.*.deploy.resources.reservations.generic_resources.[].discrete_resource_spec",
        run: &[],
        refused: &[],
        ignored: &[("kind", SWARM), ("value", SWARM)],
    },
    run("services.*.deploy.resources.reservations.devices.[]", DEVICES),
    Mapping {
        path: "services.*.deploy.restart_policy",
        run: &["condition", "max_attempts"],
        refused: &[],
        ignored: &[("delay", ENGINE), ("window", ENGINE)],
    },
    Mapping {
        path: "services.*.deploy.placement",
        run: &[],
        refused: &[],
        ignored: &[("constraints", SWARM), ("max_replicas_per_node", SWARM), ("preferences", SWARM)],
    },
    Mapping {
        path: "services.*.deploy.placement.preferences.[]",
        run: &[],
        refused: &[],
        ignored: &[("spread", SWARM)],
    },
    Mapping {
        path: "services.*.build",
        run: &[
            "args",
            "cache_from",
            "context",
            "dockerfile",
            "dockerfile_inline",
            "extra_hosts",
            "labels",
            "network",
            "no_cache",
            "platforms",
            "pull",
            "shm_size",
            "tags",
            "target",
        ],
        refused: &[
            ("additional_contexts", BUILDER),
            ("entitlements", BUILDER),
            ("privileged", BUILDER),
            ("secrets", BUILDER),
            ("ssh", BUILDER),
        ],
        ignored: &[
            ("cache_to", "layers are kept by the engine alone"),
            ("isolation", WINDOWS),
            ("provenance", "nothing is pushed, so that nobody would see it"),
            ("sbom", "nothing is pushed, so that nobody would see it"),
            ("ulimits", "the engine's own limits hold while it builds"),
        ],
    },
    Mapping {
        path: "services.*.build.secrets.[]",
        run: &[],
        refused: &[
            ("gid", BUILDER),
            ("mode", BUILDER),
            ("source", BUILDER),
            ("target", BUILDER),
            ("uid", BUILDER),
        ],
        ignored: &[],
    },
    Mapping {
        path: "services.*.build.ulimits.*",
        run: &[],
        refused: &[],
        ignored: &[
            ("hard", "the engine's own limits hold while it builds"),
            ("soft", "the engine's own limits hold while it builds"),
        ],
    },
    run(
        "services.*.blkio_config",
        &[
            "device_read_bps",
            "device_read_iops",
            "device_write_bps",
            "device_write_iops",
            "weight",
            "weight_device",
        ],
    ),
    run("services.*.blkio_config.device_read_bps.[]", RATE),
    run("services.*.blkio_config.device_read_iops.[]", RATE),
    run("services.*.blkio_config.device_write_bps.[]", RATE),
    run("services.*.blkio_config.device_write_iops.[]", RATE),
    run("services.*.blkio_config.weight_device.[]", &["path", "weight"]),
    run("services.*.configs.[]", FILE),
    Mapping {
        path: "services.*.credential_spec",
        run: &[],
        refused: &[("config", WINDOWS), ("file", WINDOWS), ("registry", WINDOWS)],
        ignored: &[],
    },
    run("services.*.depends_on.*", &["condition", "required", "restart"]),
    run("services.*.devices.[]", &["permissions", "source", "target"]),
    run("services.*.env_file.[]", &["format", "path", "required"]),
    run("services.*.extends", &["file", "service"]),
    Mapping {
        path: "services.*.provider",
        run: &[],
        refused: &[("options", PROVIDER), ("type", PROVIDER)],
        ignored: &[],
    },
    run("services.*.gpus.[]", DEVICES),
    run(
        "services.*.healthcheck",
        &["disable", "interval", "retries", "start_interval", "start_period", "test", "timeout"],
    ),
    run("services.*.logging", &["driver", "options"]),
    Mapping {
        path: "services.*.models.*",
        run: &[],
        refused: &[("endpoint_var", MODELS), ("model_var", MODELS)],
        ignored: &[],
    },
    run(
        "services.*.networks.*",
        &[
            "aliases",
            "driver_opts",
            "gw_priority",
            "interface_name",
            "ipv4_address",
            "ipv6_address",
            "link_local_ips",
            "mac_address",
            "priority",
        ],
    ),
    Mapping {
        path: "services.*.ports.[]",
        run: &["host_ip", "mode", "protocol", "published", "target"],
        refused: &[],
        ignored: &[("app_protocol", HINT), ("name", HINT)],
    },
    run("services.*.post_start.[]", HOOK),
    run("services.*.pre_stop.[]", HOOK),
    run("services.*.secrets.[]", FILE),
    run("services.*.ulimits.*", LIMIT),
    Mapping {
        path: "services.*.volumes.[]",
        run: &["bind", "image", "read_only", "source", "target", "tmpfs", "type", "volume"],
        refused: &[],
        ignored: &[("consistency", "it tunes how files are shared with a machine that is not Linux")],
    },
    run("services.*.volumes.[].bind", &["create_host_path", "propagation", "recursive", "selinux"]),
    Mapping {
        path: "services.*.volumes.[].volume",
        run: &["nocopy", "subpath"],
        refused: &[],
        ignored: &[("labels", "a volume is labelled where it is declared")],
    },
    run("services.*.volumes.[].tmpfs", &["mode", "size"]),
    run("services.*.volumes.[].image", &["subpath"]),
    Mapping {
        path: "models.*",
        run: &[],
        refused: &[("context_size", MODELS), ("model", MODELS), ("name", MODELS), ("runtime_flags", MODELS)],
        ignored: &[],
    },
    run(
        "networks.*",
        &[
            "attachable",
            "driver",
            "driver_opts",
            "enable_ipv4",
            "enable_ipv6",
            "external",
            "internal",
            "ipam",
            "labels",
            "name",
        ],
    ),
    Mapping {
        path: "networks.*.ipam",
        run: &["config", "driver"],
        refused: &[],
        ignored: &[("options", "Compose itself makes nothing of it")],
    },
    run("networks.*.ipam.config.[]", &["aux_addresses", "gateway", "ip_range", "subnet"]),
    run("networks.*.external", &["name"]),
    run("volumes.*", &["driver", "driver_opts", "external", "labels", "name"]),
    run("volumes.*.external", &["name"]),
    Mapping {
        path: "secrets.*",
        run: &["environment", "external", "file", "name"],
        refused: &[("driver", NO_FILE), ("driver_opts", NO_FILE), ("template_driver", NO_FILE)],
        ignored: &[("labels", LABELS)],
    },
    run("secrets.*.external", &["name"]),
    Mapping {
        path: "configs.*",
        run: &["content", "environment", "external", "file", "name"],
        refused: &[("template_driver", NO_FILE)],
        ignored: &[("labels", LABELS)],
    },
    run("configs.*.external", &["name"]),
];

const ROLLING: &[(&str, &str)] = &[
    ("delay", SWARM),
    ("failure_action", SWARM),
    ("max_failure_ratio", SWARM),
    ("monitor", SWARM),
    ("order", SWARM),
    ("parallelism", SWARM),
];

impl Mapping {
    fn keys(&self) -> impl Iterator<Item = (&'static str, Fate)> {
        let run = self.run.iter().map(|key| (*key, Fate::Run));
        let refused = self.refused.iter().map(|(key, why)| (*key, Fate::Refused(why)));
        run.chain(refused).chain(self.ignored.iter().map(|(key, why)| (*key, Fate::Ignored(why))))
    }
}

/// Every key of the specification by its path, and what becomes of it. `*` is any name, `[]` any item.
pub fn keys() -> Vec<(String, Fate)> {
    let path = |mapping: &Mapping, key: &str| match mapping.path {
        "" => key.to_owned(),
        path => format!("{path}.{key}"),
    };
    TABLE.iter().flat_map(|mapping| mapping.keys().map(|(key, fate)| (path(mapping, key), fate))).collect()
}

/// Says which keys of the project are refused or ignored.
pub(super) fn check(reading: &Reading<'_>, file: &Node) {
    static FATES: OnceLock<Rules<Fate>> = OnceLock::new();
    let said = |(path, fate): &(String, Fate)| (*fate != Fate::Run).then(|| (path.clone(), *fate));
    let fates = FATES.get_or_init(|| Rules::of_paths(keys().iter().filter_map(said)));
    walk(reading, file, ("", file.at), fates);
}

/// `key` is that of the node, and where it stands.
fn walk(reading: &Reading<'_>, node: &Node, key: (&str, Spot), fates: &Rules<Fate>) {
    match fates.rule {
        Some(Fate::Refused(why)) => return refuse(reading, key, why),
        Some(Fate::Ignored(why)) => return ignore(reading, node, key, why),
        _ => {}
    }
    match &node.value {
        Value::Map(map) => {
            for (key, entry) in map.iter().filter(|(key, _)| !key.starts_with("x-")) {
                if let Some(below) = fates.step(key) {
                    walk(reading, &entry.node, (key, entry.key_at), below);
                }
            }
        }
        Value::List(list) => {
            if let Some(below) = fates.step("[]") {
                list.iter().for_each(|item| walk(reading, item, ("", item.at), below));
            }
        }
        _ => {}
    }
}

fn refuse(reading: &Reading<'_>, (key, at): (&str, Spot), why: &str) {
    let said = Diagnostic::error("refused-key", format!("`{key}` cannot be run"));
    reading.note(at, said.cause(why).hint("take it out, or lay an overlay over it with `!reset null`"));
}

fn ignore(reading: &Reading<'_>, node: &Node, (key, at): (&str, Spot), why: &str) {
    if node.as_map().is_some_and(|map| map.is_empty()) {
        return;
    }
    let said = Diagnostic::note("ignored-key", format!("`{key}` changes nothing"));
    reading.note(at, said.cause(why));
}
