//! The types of the reference's model: what each key holds, and what of it is printed when it is nothing.

/// What a value is.
pub(super) enum Kind {
    Text,
    Bool,
    /// A boolean that is printed also where it is false.
    AnyBool,
    Int,
    /// A number that is printed also where it is nought.
    AnyInt,
    /// No negative number.
    Unsigned,
    AnyUnsigned,
    /// With the precision of 32 bits.
    Float,
    Bytes,
    Duration,
    AnyDuration,
    /// Mode bits of a file.
    Mode,
    /// A number, or `all`.
    Count,
    /// Strings; whole numbers become some.
    Texts,
    /// A string or strings.
    TextOrTexts,
    /// Strings and numbers.
    Printed,
    /// Names to strings, from either syntax; a name alone has an empty one.
    Mapping,
    /// As [`Kind::Mapping`]; a name alone has no value.
    Environment,
    Labels,
    /// Names to what is printed as a string.
    Options,
    /// Names to lists of such.
    MultiOptions,
    /// Names to strings, written as a mapping.
    Dictionary,
    Hosts,
    /// Words of a command; nothing at all is printed as nothing.
    Command,
    /// The test of a health check.
    Test,
    Ulimit,
    Ssh,
    /// A mapping that is printed also where it is empty.
    Struct(&'static [Field]),
    /// A mapping that is printed where it is written.
    Pointer(&'static [Field]),
    List(&'static Kind),
    /// Names of the user's to values.
    Map(&'static Kind, Names),
}

/// Whether names that begin with `x-` are names like others.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Names {
    Any,
    NoExtensions,
}

/// One key of a mapping.
pub(super) struct Field {
    pub(super) key: &'static str,
    pub(super) kind: Kind,
    /// What it is printed as, and whether it is printed where it holds nothing.
    pub(super) printed: Printed,
}

#[derive(Clone, Copy)]
pub(super) enum Printed {
    AsKey,
    Always,
    /// Under another name, always.
    As(&'static str),
    /// It is of use while reading.
    Never,
}

const fn field(key: &'static str, kind: Kind) -> Field {
    Field { key, kind, printed: Printed::AsKey }
}

const fn always(key: &'static str, kind: Kind) -> Field {
    Field { key, kind, printed: Printed::Always }
}

const fn named(key: &'static str, name: &'static str, kind: Kind) -> Field {
    Field { key, kind, printed: Printed::As(name) }
}

const fn unprinted(key: &'static str, kind: Kind) -> Field {
    Field { key, kind, printed: Printed::Never }
}

use Kind::{
    AnyBool, AnyDuration, AnyInt, AnyUnsigned, Bool, Bytes, Count, Dictionary, Duration, Environment, Float,
    Hosts, Int, Labels, List, Map, Mapping, Mode, MultiOptions, Options, Pointer, Ssh, Struct, Test, Text,
    TextOrTexts, Texts, Ulimit, Unsigned,
};

pub(super) const PROJECT: &[Field] = &[
    field("services", Map(&Struct(SERVICE), Names::Any)),
    field("networks", Map(&Struct(NETWORK), Names::Any)),
    field("volumes", Map(&Struct(VOLUME), Names::Any)),
    field("secrets", Map(&Struct(FILE_OBJECT), Names::Any)),
    field("configs", Map(&Struct(FILE_OBJECT), Names::Any)),
    field("models", Map(&Struct(MODEL), Names::NoExtensions)),
];

const SERVICE: &[Field] = &[
    field("profiles", Texts),
    field("annotations", Mapping),
    field("attach", AnyBool),
    field("build", Pointer(BUILD)),
    field("develop", Pointer(DEVELOP)),
    field("blkio_config", Pointer(BLKIO)),
    field("cap_add", Texts),
    field("cap_drop", Texts),
    field("cgroup_parent", Text),
    field("cgroup", Text),
    field("cpu_count", Int),
    field("cpu_percent", Float),
    field("cpu_period", Int),
    field("cpu_quota", Int),
    field("cpu_rt_period", Int),
    field("cpu_rt_runtime", Int),
    field("cpus", Float),
    field("cpuset", Text),
    field("cpu_shares", Int),
    always("command", Kind::Command),
    field("configs", List(&Struct(FILE))),
    field("container_name", Text),
    field("credential_spec", Pointer(CREDENTIAL_SPEC)),
    field("depends_on", Map(&Struct(DEPENDENCY), Names::Any)),
    field("deploy", Pointer(DEPLOY)),
    field("device_cgroup_rules", Texts),
    field("devices", List(&Struct(DEVICE))),
    field("dns", TextOrTexts),
    field("dns_opt", Texts),
    field("dns_search", TextOrTexts),
    field("domainname", Text),
    always("entrypoint", Kind::Command),
    field("provider", Pointer(PROVIDER)),
    field("environment", Environment),
    unprinted("env_file", List(&Struct(ENV_FILE))),
    field("expose", Kind::Printed),
    field("extends", Pointer(EXTENDS)),
    field("external_links", Texts),
    field("extra_hosts", Hosts),
    field("group_add", Texts),
    field("gpus", List(&Struct(DEVICE_REQUEST))),
    field("hostname", Text),
    field("healthcheck", Pointer(HEALTHCHECK)),
    field("image", Text),
    field("init", AnyBool),
    field("ipc", Text),
    field("isolation", Text),
    field("labels", Labels),
    unprinted("label_file", Texts),
    field("links", Texts),
    field("logging", Pointer(LOGGING)),
    field("mem_limit", Bytes),
    field("mem_reservation", Bytes),
    field("memswap_limit", Bytes),
    field("mem_swappiness", Bytes),
    field("mac_address", Text),
    field("models", Map(&Pointer(SERVICE_MODEL), Names::NoExtensions)),
    field("network_mode", Text),
    field("networks", Map(&Pointer(ATTACHMENT), Names::NoExtensions)),
    field("oom_kill_disable", Bool),
    field("oom_score_adj", Int),
    field("pid", Text),
    field("pids_limit", Int),
    field("platform", Text),
    field("ports", List(&Struct(PORT))),
    field("privileged", Bool),
    field("pull_policy", Text),
    unprinted("pull_refresh_after", Text),
    field("read_only", Bool),
    field("restart", Text),
    field("runtime", Text),
    field("scale", AnyInt),
    field("secrets", List(&Struct(FILE))),
    field("security_opt", Texts),
    field("shm_size", Bytes),
    field("stdin_open", Bool),
    field("stop_grace_period", AnyDuration),
    field("stop_signal", Text),
    field("storage_opt", Dictionary),
    field("sysctls", Mapping),
    field("tmpfs", TextOrTexts),
    field("tty", Bool),
    field("ulimits", Map(&Ulimit, Names::NoExtensions)),
    field("use_api_socket", Bool),
    field("user", Text),
    field("userns_mode", Text),
    field("uts", Text),
    field("volumes", List(&Struct(MOUNT))),
    field("volumes_from", Texts),
    field("working_dir", Text),
    field("post_start", List(&Struct(HOOK))),
    field("pre_stop", List(&Struct(HOOK))),
];

const BUILD: &[Field] = &[
    field("context", Text),
    field("dockerfile", Text),
    field("dockerfile_inline", Text),
    field("entitlements", Texts),
    field("args", Environment),
    field("provenance", Text),
    field("sbom", Text),
    field("ssh", Ssh),
    field("labels", Labels),
    field("cache_from", TextOrTexts),
    field("cache_to", TextOrTexts),
    field("no_cache", Bool),
    field("additional_contexts", Mapping),
    field("pull", Bool),
    field("extra_hosts", Hosts),
    field("isolation", Text),
    field("network", Text),
    field("target", Text),
    field("secrets", List(&Struct(FILE))),
    field("shm_size", Bytes),
    field("tags", TextOrTexts),
    field("ulimits", Map(&Ulimit, Names::NoExtensions)),
    field("platforms", TextOrTexts),
    field("privileged", Bool),
];

const DEVELOP: &[Field] = &[field("watch", List(&Struct(TRIGGER)))];
const TRIGGER: &[Field] = &[
    always("path", Text),
    always("action", Text),
    field("target", Text),
    field("exec", Struct(HOOK)),
    field("include", Texts),
    field("ignore", Texts),
    field("initial_sync", Bool),
];
const HOOK: &[Field] = &[
    always("command", Kind::Command),
    field("user", Text),
    field("privileged", Bool),
    field("working_dir", Text),
    field("environment", Environment),
];
const BLKIO: &[Field] = &[
    field("weight", Unsigned),
    field("weight_device", List(&Struct(WEIGHT))),
    field("device_read_bps", List(&Struct(RATE))),
    field("device_read_iops", List(&Struct(RATE))),
    field("device_write_bps", List(&Struct(RATE))),
    field("device_write_iops", List(&Struct(RATE))),
];
const WEIGHT: &[Field] = &[named("path", "Path", Text), named("weight", "Weight", Unsigned)];
const RATE: &[Field] = &[named("path", "Path", Text), named("rate", "Rate", Bytes)];
const FILE: &[Field] = &[
    field("source", Text),
    field("target", Text),
    field("uid", Text),
    field("gid", Text),
    field("mode", Mode),
];
const CREDENTIAL_SPEC: &[Field] = &[field("config", Text), field("file", Text), field("registry", Text)];
const DEPENDENCY: &[Field] = &[field("condition", Text), field("restart", Bool), always("required", Bool)];
const DEPLOY: &[Field] = &[
    field("mode", Text),
    field("replicas", AnyInt),
    field("labels", Labels),
    field("update_config", Pointer(UPDATE)),
    field("rollback_config", Pointer(UPDATE)),
    field("resources", Struct(RESOURCES)),
    field("restart_policy", Pointer(RESTART_POLICY)),
    field("placement", Struct(PLACEMENT)),
    field("endpoint_mode", Text),
];
const UPDATE: &[Field] = &[
    field("parallelism", AnyUnsigned),
    field("delay", Duration),
    field("failure_action", Text),
    field("monitor", Duration),
    field("max_failure_ratio", Float),
    field("order", Text),
];
const RESOURCES: &[Field] = &[field("limits", Pointer(RESOURCE)), field("reservations", Pointer(RESOURCE))];
const RESOURCE: &[Field] = &[
    field("cpus", Float),
    field("memory", Bytes),
    field("pids", Int),
    field("devices", List(&Struct(DEVICE_REQUEST))),
    field("generic_resources", List(&Struct(GENERIC))),
];
const GENERIC: &[Field] = &[field("discrete_resource_spec", Pointer(DISCRETE))];
const DISCRETE: &[Field] = &[always("kind", Text), always("value", Int)];
const RESTART_POLICY: &[Field] = &[
    field("condition", Text),
    field("delay", AnyDuration),
    field("max_attempts", AnyUnsigned),
    field("window", AnyDuration),
];
const PLACEMENT: &[Field] = &[
    field("constraints", Texts),
    field("preferences", List(&Struct(PREFERENCE))),
    field("max_replicas_per_node", Unsigned),
];
const PREFERENCE: &[Field] = &[field("spread", Text)];
const DEVICE: &[Field] = &[field("source", Text), field("target", Text), field("permissions", Text)];
const DEVICE_REQUEST: &[Field] = &[
    field("capabilities", Texts),
    field("driver", Text),
    field("count", Count),
    field("device_ids", Texts),
    field("options", Mapping),
];
const PROVIDER: &[Field] = &[field("type", Text), field("options", MultiOptions)];
const ENV_FILE: &[Field] = &[field("path", Text), always("required", Bool), field("format", Text)];
const EXTENDS: &[Field] = &[field("file", Text), field("service", Text)];
const HEALTHCHECK: &[Field] = &[
    field("test", Test),
    field("timeout", AnyDuration),
    field("interval", AnyDuration),
    field("retries", AnyUnsigned),
    field("start_period", AnyDuration),
    field("start_interval", AnyDuration),
    field("disable", Bool),
];
const LOGGING: &[Field] = &[field("driver", Text), field("options", Options)];
const SERVICE_MODEL: &[Field] = &[field("endpoint_var", Text), field("model_var", Text)];
const ATTACHMENT: &[Field] = &[
    field("aliases", Texts),
    field("driver_opts", Options),
    field("gw_priority", Int),
    field("interface_name", Text),
    field("ipv4_address", Text),
    field("ipv6_address", Text),
    field("link_local_ips", Texts),
    field("mac_address", Text),
    field("priority", Int),
];
const PORT: &[Field] = &[
    field("name", Text),
    field("mode", Text),
    field("host_ip", Text),
    field("target", Unsigned),
    field("published", Text),
    field("protocol", Text),
    field("app_protocol", Text),
];
const MOUNT: &[Field] = &[
    field("type", Text),
    field("source", Text),
    field("target", Text),
    field("read_only", Bool),
    field("consistency", Text),
    field("bind", Pointer(BIND)),
    field("volume", Pointer(MOUNT_VOLUME)),
    field("tmpfs", Pointer(TMPFS)),
    field("image", Pointer(MOUNT_IMAGE)),
];
const BIND: &[Field] = &[
    field("selinux", Text),
    field("propagation", Text),
    field("create_host_path", Bool),
    field("recursive", Text),
];
const MOUNT_VOLUME: &[Field] = &[field("labels", Mapping), field("nocopy", Bool), field("subpath", Text)];
const TMPFS: &[Field] = &[field("size", Bytes), field("mode", Unsigned)];
const MOUNT_IMAGE: &[Field] = &[field("subpath", Text)];

const NETWORK: &[Field] = &[
    field("name", Text),
    field("driver", Text),
    field("driver_opts", Options),
    field("ipam", Struct(IPAM)),
    field("external", Bool),
    field("internal", Bool),
    field("attachable", Bool),
    field("labels", Labels),
    field("enable_ipv4", AnyBool),
    field("enable_ipv6", AnyBool),
];
const IPAM: &[Field] =
    &[field("driver", Text), field("config", List(&Pointer(POOL))), unprinted("options", Options)];
const POOL: &[Field] = &[
    field("subnet", Text),
    field("gateway", Text),
    field("ip_range", Text),
    field("aux_addresses", Mapping),
];
const VOLUME: &[Field] = &[
    field("name", Text),
    field("driver", Text),
    field("driver_opts", Options),
    field("external", Bool),
    field("labels", Labels),
];
const FILE_OBJECT: &[Field] = &[
    field("name", Text),
    field("file", Text),
    field("environment", Text),
    field("content", Text),
    field("external", Bool),
    field("labels", Labels),
    field("driver", Text),
    field("driver_opts", Dictionary),
    field("template_driver", Text),
    unprinted(super::normalize::SECRET_CONTENT, Text),
];
const MODEL: &[Field] =
    &[field("name", Text), field("model", Text), field("context_size", Int), field("runtime_flags", Texts)];
