//! One merged service to a [`Service`].

use std::collections::BTreeMap;

use diag::Diagnostic;

use crate::{
    content, environment,
    fields::{Fields, plain, wrong},
    keys, mounts,
    names::{NetworkKey, ServiceName},
    reading::Reading,
    shape::{
        Attachment, Condition, Dependency, Exposed, Healthcheck, Logging, Namespace, Port, PullPolicy,
        Resources, Restart, Service,
    },
    text::Text,
    tree::Node,
    values,
    variables::Variables,
};

/// What a service may refer to.
pub(crate) struct Around<'n> {
    /// The merged file.
    pub(crate) file: &'n Node,
    /// What `${NAME}` can stand for.
    pub(crate) variables: &'n Variables,
}

/// Reads one service. The parts that are wrong are said and left out.
pub(crate) fn service(reading: &Reading<'_>, around: &Around<'_>, node: &Node) -> Service {
    let fields = Fields::of(reading, node, &keys::SERVICE);
    let network_mode = network_mode(&fields);
    let limits = Limits::of(&fields);
    // Which services are on was decided before; here only what is wrong with the list is said.
    fields.strings("profiles");
    Service {
        image: fields.string("image").unwrap_or_default(),
        pull_policy: pull_policy(&fields),
        entrypoint: fields.texts("entrypoint"),
        command: fields.texts("command"),
        environment: environment::environment(&fields, around.variables),
        labels: fields.pairs("labels"),
        ports: fields.items("ports").iter().filter_map(|item| port(reading, item)).collect(),
        expose: fields.items("expose").iter().filter_map(|item| exposed(reading, item)).collect(),
        networks: if network_mode.is_some() { BTreeMap::new() } else { networks(&fields) },
        network_mode,
        mounts: mounts::mounts(&fields),
        files: content::files(&fields, around.file, around.variables),
        depends_on: depends_on(&fields),
        healthcheck: fields.fields("healthcheck", &keys::HEALTHCHECK).map(|fields| healthcheck(&fields)),
        restart: restart(&fields),
        user: fields.string("user"),
        working_dir: fields.string("working_dir"),
        hostname: fields.string("hostname"),
        container_name: container_name(&fields),
        init: fields.boolean("init"),
        read_only: fields.boolean("read_only").unwrap_or_default(),
        privileged: fields.boolean("privileged").unwrap_or_default(),
        cap_add: fields.strings("cap_add"),
        cap_drop: fields.strings("cap_drop"),
        security_opt: security_opt(&fields),
        extra_hosts: extra_hosts(&fields),
        sysctls: fields.pairs("sysctls"),
        resources: Resources {
            memory_bytes: limits.memory_bytes,
            nano_cpus: limits.cpu_millis.and_then(|millis| i64::try_from(millis * 1_000_000).ok()),
            pids_limit: limits.pids,
            ..Resources::default()
        },
        shm_bytes: fields.bytes("shm_size"),
        stop_signal: fields.string("stop_signal"),
        stop_grace: fields.duration("stop_grace_period"),
        logging: fields
            .fields("logging", &keys::LOGGING)
            .map(|fields| Logging { driver: fields.string("driver"), options: fields.pairs("options") }),
        tty: fields.boolean("tty").unwrap_or_default(),
        stdin_open: fields.boolean("stdin_open").unwrap_or_default(),
        ..Service::default()
    }
}

/// Limits, from the service's own keys or from `deploy.resources.limits`.
struct Limits {
    memory_bytes: Option<u64>,
    cpu_millis: Option<u64>,
    pids: Option<i64>,
}

impl Limits {
    fn of(fields: &Fields<'_, '_>) -> Self {
        let deploy = fields.fields("deploy", &keys::DEPLOY);
        let resources = deploy.and_then(|deploy| deploy.fields("resources", &keys::RESOURCES));
        let limits = resources.and_then(|resources| resources.fields("limits", &keys::LIMITS));
        let (memory, cpus) = (fields.bytes("mem_limit"), fields.cpu_millis("cpus"));
        let pids: Option<i64> = fields.number("pids_limit");
        let deployed_memory = limits.and_then(|limits| limits.bytes("memory"));
        let deployed_cpus = limits.and_then(|limits| limits.cpu_millis("cpus"));
        let deployed_pids = limits.and_then(|limits| limits.number("pids"));
        Self {
            // Nought means: no limit.
            memory_bytes: one_of_two(fields, "mem_limit", memory, deployed_memory).filter(|limit| *limit > 0),
            cpu_millis: one_of_two(fields, "cpus", cpus, deployed_cpus).filter(|limit| *limit > 0),
            pids: one_of_two(fields, "pids_limit", pids, deployed_pids),
        }
    }
}

/// A limit that may stand in two places, and must be the same in both.
fn one_of_two<T: PartialEq>(
    fields: &Fields<'_, '_>,
    key: &str,
    own: Option<T>,
    deployed: Option<T>,
) -> Option<T> {
    if own.is_some() && deployed.is_some() && own != deployed {
        let message = format!("`{key}` and `deploy.resources.limits` say different things");
        let at = fields.node(key).map_or(fields.node.at, |node| node.at);
        fields.reading.say(at, Diagnostic::error("conflict", message).hint("keep one of the two"));
    }
    deployed.or(own)
}

/// One of several words, or an error that names them.
fn choice<T>(fields: &Fields<'_, '_>, key: &str, choices: &[(&str, T)], later: &[&str]) -> Option<T>
where
    T: Copy,
{
    let node = fields.node(key)?;
    let word = fields.string(key)?;
    if let Some((_, chosen)) = choices.iter().find(|(known, _)| *known == word) {
        return Some(*chosen);
    }
    if later.iter().any(|prefix| word.starts_with(prefix)) {
        let message = format!("`{key}: {}` is not handled yet", fields.reading.shown(&node.scalar()?));
        fields.reading.error(node.at, "not-handled-yet", message);
    } else {
        let words: Vec<&str> = choices.iter().map(|(word, _)| *word).collect();
        wrong(fields.reading, node, key, &format!("one of {}", words.join(", ")));
    }
    None
}

fn pull_policy(fields: &Fields<'_, '_>) -> PullPolicy {
    let choices = [
        ("missing", PullPolicy::Missing),
        ("if_not_present", PullPolicy::Missing),
        ("always", PullPolicy::Always),
        ("never", PullPolicy::Never),
    ];
    choice(fields, "pull_policy", &choices, &["build", "daily", "weekly", "every_", "refresh"])
        .unwrap_or_default()
}

fn network_mode(fields: &Fields<'_, '_>) -> Option<Namespace> {
    let later = ["bridge", "service:", "container:"];
    let mode = choice(fields, "network_mode", &[("none", "none"), ("host", "host")], &later)?;
    if let Some(networks) = fields.node("networks") {
        let message = "`network_mode` and `networks` exclude each other";
        fields.reading.say(networks.at, Diagnostic::error("conflict", message).hint("keep one of the two"));
    }
    Some(Namespace::Engine(mode.to_owned()))
}

fn restart(fields: &Fields<'_, '_>) -> Restart {
    let wanted = "one of no, always, unless-stopped, on-failure, on-failure:N";
    let read = |text: &str| match text {
        "no" | "false" | "" => Some(Restart::No),
        "always" => Some(Restart::Always),
        "unless-stopped" => Some(Restart::UnlessStopped),
        "on-failure" => Some(Restart::OnFailure(None)),
        text => Some(Restart::OnFailure(Some(text.strip_prefix("on-failure:")?.parse().ok()?))),
    };
    fields.read("restart", wanted, read).unwrap_or_default()
}

fn port(reading: &Reading<'_>, item: &Node) -> Option<Port> {
    let fields = Fields::of(reading, item, &keys::PORT);
    let Some(target) = fields.read("target", "a port from 1 to 65535", values::port) else {
        if item.as_map().is_some_and(|map| !map.contains_key("target")) {
            reading.error(item.at, "missing-key", "a port needs its `target`");
        }
        return None;
    };
    let range = |text: &str| if text.is_empty() { Some((0, 0)) } else { values::port_range(text) };
    let published = fields.read("published", "a port from 1 to 65535", range);
    if let Some((low, high)) = published
        && low != high
    {
        let said =
            Diagnostic::error("not-handled-yet", "a range of host ports for one port is not handled yet");
        reading.say(item.at, said.hint("name one host port, or none"));
    }
    choice(&fields, "mode", &[("ingress", ()), ("host", ())], &[]);
    let protocols = [("tcp", "tcp"), ("udp", "udp")];
    let protocol = choice(&fields, "protocol", &protocols, &["sctp"]).unwrap_or("tcp");
    Some(Port {
        host_ip: fields.string("host_ip").filter(|ip| !ip.is_empty()),
        published: published.map(|(low, _)| low).filter(|port| *port > 0),
        published_until: None,
        target,
        protocol: protocol.to_owned(),
    })
}

fn exposed(reading: &Reading<'_>, item: &Node) -> Option<Exposed> {
    let text = plain(reading, item, "expose")?;
    let port = values::port(text.strip_suffix("/tcp").unwrap_or(&text));
    if port.is_none() {
        wrong(reading, item, "expose", "a port from 1 to 65535");
    }
    port.map(|port| Exposed { port, protocol: "tcp".to_owned() })
}

fn networks(fields: &Fields<'_, '_>) -> BTreeMap<NetworkKey, Attachment> {
    let mut joined: BTreeMap<NetworkKey, Attachment> = fields
        .entries("networks")
        .into_iter()
        .map(|(name, entry)| {
            let fields = Fields::of(fields.reading, &entry.node, &keys::ATTACHMENT);
            let attachment = Attachment {
                aliases: fields.strings("aliases"),
                ipv4_address: fields.string("ipv4_address"),
                ..Attachment::default()
            };
            (NetworkKey::new(name), attachment)
        })
        .collect();
    if joined.is_empty() {
        joined.insert(NetworkKey::from("default"), Attachment::default());
    }
    joined
}

fn depends_on(fields: &Fields<'_, '_>) -> BTreeMap<ServiceName, Dependency> {
    let conditions = [
        ("service_started", Condition::ServiceStarted),
        ("service_healthy", Condition::ServiceHealthy),
        ("service_completed_successfully", Condition::ServiceCompletedSuccessfully),
    ];
    let dependency = |(name, entry): (&str, &crate::tree::Entry)| {
        let fields = Fields::of(fields.reading, &entry.node, &keys::DEPENDENCY);
        if entry.node.as_map().is_some_and(|map| !map.contains_key("condition")) {
            fields.reading.error(
                entry.node.at,
                "missing-key",
                "a dependency in the long form needs its `condition`",
            );
        }
        let dependency = Dependency {
            condition: choice(&fields, "condition", &conditions, &[]).unwrap_or(Condition::ServiceStarted),
            required: fields.boolean("required").unwrap_or(true),
            restart: fields.boolean("restart").unwrap_or_default(),
        };
        (ServiceName::new(name), dependency)
    };
    fields.entries("depends_on").into_iter().map(dependency).collect()
}

fn healthcheck(fields: &Fields<'_, '_>) -> Healthcheck {
    let disabled = fields.boolean("disable").unwrap_or_default();
    let test = fields.texts("test").unwrap_or_default();
    let known = ["CMD", "CMD-SHELL", "NONE"];
    if let (Some(node), Some(first)) = (fields.node("test"), test.first())
        && !first.as_literal().is_some_and(|word| known.contains(&word.as_str()))
    {
        let said = Diagnostic::error("wrong-type", "`test` must begin with CMD, CMD-SHELL or NONE");
        fields.reading.say(node.at, said.hint("or write it as one string, which runs in a shell"));
    }
    Healthcheck {
        test: if disabled { vec![Text::literal("NONE")] } else { test },
        interval: fields.duration("interval"),
        timeout: fields.duration("timeout"),
        start_period: fields.duration("start_period"),
        start_interval: fields.duration("start_interval"),
        retries: fields.number("retries"),
    }
}

fn container_name(fields: &Fields<'_, '_>) -> Option<String> {
    let node = fields.node("container_name")?;
    let name = fields.string("container_name")?;
    let good = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '-');
    if name.len() < 2 || !name.chars().all(good) || !name.starts_with(|c: char| c.is_ascii_alphanumeric()) {
        let shown = fields.reading.shown(&node.scalar()?);
        let said = Diagnostic::error("bad-name", format!("`{shown}` is no name for a container"));
        fields.reading.say(
            node.at,
            said.hint("use two or more letters, digits, `_`, `.`, `-`, a letter or digit first"),
        );
    }
    Some(name)
}

fn security_opt(fields: &Fields<'_, '_>) -> Vec<String> {
    let options = fields.strings("security_opt");
    for (index, option) in options.iter().enumerate() {
        if options[..index].contains(option) {
            let at = fields.items("security_opt").get(index).map_or(fields.node.at, |item| item.at);
            fields.reading.error(at, "duplicate-item", format!("`security_opt` says `{option}` twice"));
        }
    }
    options
}

fn extra_hosts(fields: &Fields<'_, '_>) -> Vec<String> {
    let Some(node) = fields.node("extra_hosts") else { return Vec::new() };
    let address = |address: &str| address.trim_start_matches('[').trim_end_matches(']').to_owned();
    let mut hosts: Vec<String> = match node.as_map() {
        Some(_) => fields
            .pairs("extra_hosts")
            .into_iter()
            .map(|(host, ip)| format!("{host}={}", address(&ip)))
            .collect(),
        None => fields
            .items("extra_hosts")
            .iter()
            .filter_map(|item| {
                let text = plain(fields.reading, item, "extra_hosts")?;
                let split = text.split_once('=').or_else(|| text.split_once(':'));
                if split.is_none() {
                    wrong(fields.reading, item, "extra_hosts", "`NAME=ADDRESS`");
                }
                split.map(|(host, ip)| format!("{host}={}", address(ip)))
            })
            .collect(),
    };
    hosts.sort();
    hosts
}
