//! One service.

use std::{collections::BTreeMap, time::Duration};

use diag::Diagnostic;

use super::{
    fields::Fields,
    files::{self, Around},
    mounts, networks, ports, resources, security,
};
use crate::{
    names::ServiceName,
    reading::Reading,
    shape::{
        Build, Condition, Dependency, Healthcheck, Hook, Logging, Namespace, PullPolicy, Restart, Service,
    },
    text::Text,
    tree::Node,
    values,
};

/// Reads one service.
pub(super) fn service(reading: &Reading<'_>, around: &Around<'_>, node: &Node) -> Service {
    let fields = Fields::of(reading, node);
    let network_mode = namespace(&fields, "network_mode");
    Service {
        image: fields.string("image").unwrap_or_default(),
        build: fields.fields("build").map(|build| self::build(&build)),
        platform: fields.string("platform"),
        pull_policy: pull_policy(&fields),
        entrypoint: fields.texts("entrypoint"),
        command: fields.texts("command"),
        environment: fields.environment("environment"),
        labels: fields.pairs("labels"),
        annotations: fields.pairs("annotations"),
        scale: scale(&fields),
        ports: ports::published(&fields),
        expose: ports::exposed(&fields),
        networks: if network_mode.is_some() { BTreeMap::new() } else { networks::attachments(&fields) },
        network_mode,
        links: fields.strings("links"),
        external_links: fields.strings("external_links"),
        dns: fields.strings("dns"),
        dns_opt: fields.strings("dns_opt"),
        dns_search: fields.strings("dns_search"),
        mounts: mounts::mounts(&fields),
        tmpfs: mounts::tmpfs(&fields),
        volumes_from: mounts::volumes_from(&fields),
        files: files::files(&fields, around),
        depends_on: depends_on(&fields),
        healthcheck: fields.fields("healthcheck").map(|check| healthcheck(&check)),
        restart: restart(&fields),
        user: fields.string("user"),
        group_add: fields.strings("group_add"),
        working_dir: fields.string("working_dir"),
        hostname: fields.string("hostname"),
        domainname: fields.string("domainname"),
        mac_address: fields.string("mac_address"),
        container_name: fields.string("container_name"),
        init: fields.boolean("init"),
        read_only: fields.flag("read_only"),
        privileged: fields.flag("privileged"),
        cap_add: fields.strings("cap_add"),
        cap_drop: fields.strings("cap_drop"),
        security_opt: security::security_opt(&fields),
        extra_hosts: fields.strings("extra_hosts"),
        sysctls: fields.pairs("sysctls"),
        resources: resources::resources(&fields),
        shm_bytes: fields.size("shm_size"),
        storage_opt: fields.pairs("storage_opt"),
        pid: namespace(&fields, "pid"),
        ipc: namespace(&fields, "ipc"),
        uts: fields.string("uts"),
        userns_mode: fields.string("userns_mode"),
        cgroup: fields.string("cgroup"),
        runtime: fields.string("runtime"),
        isolation: fields.string("isolation"),
        use_api_socket: fields.flag("use_api_socket"),
        stop_signal: fields.string("stop_signal"),
        stop_grace: fields.duration("stop_grace_period"),
        logging: fields
            .fields("logging")
            .map(|logging| Logging { driver: logging.string("driver"), options: logging.pairs("options") }),
        post_start: fields.each("post_start").map(|hook| self::hook(&hook)).collect(),
        pre_stop: fields.each("pre_stop").map(|hook| self::hook(&hook)).collect(),
        tty: fields.flag("tty"),
        stdin_open: fields.flag("stdin_open"),
        ..Service::default()
    }
}

fn build(fields: &Fields<'_, '_>) -> Build {
    Build {
        context: fields.string("context").unwrap_or_default(),
        dockerfile: fields.string("dockerfile"),
        dockerfile_inline: fields.string("dockerfile_inline"),
        args: fields.environment("args"),
        target: fields.string("target"),
        labels: fields.pairs("labels"),
        tags: fields.strings("tags"),
        cache_from: fields.strings("cache_from"),
        no_cache: fields.flag("no_cache"),
        pull: fields.flag("pull"),
        network: fields.string("network"),
        platform: match fields.strings("platforms").as_slice() {
            [one] => Some(one.clone()),
            [] => None,
            _ => {
                let message = "an image is built for one platform here, and more are named";
                let said = Diagnostic::error("not-handled-yet", message);
                fields
                    .reading
                    .note(fields.at("platforms"), said.hint("name the platform of this machine alone"));
                None
            }
        },
        extra_hosts: fields.strings("extra_hosts"),
        shm_bytes: fields.size("shm_size"),
    }
}

fn hook(fields: &Fields<'_, '_>) -> Hook {
    Hook {
        command: fields.texts("command").unwrap_or_default(),
        user: fields.string("user"),
        privileged: fields.flag("privileged"),
        working_dir: fields.string("working_dir"),
        environment: fields.environment("environment"),
    }
}

/// How many containers run. What both keys say was found to be the same.
fn scale(fields: &Fields<'_, '_>) -> Option<u32> {
    let wanted = "a number of containers";
    let replicas = || fields.fields("deploy")?.number("replicas", wanted);
    fields.number("scale", wanted).or_else(replicas)
}

fn pull_policy(fields: &Fields<'_, '_>) -> PullPolicy {
    let day = Duration::from_secs(86_400);
    let policy = fields.read(
        "pull_policy",
        "one of missing, always, never, build, daily, weekly, every_DURATION",
        |text| {
            Some(match text {
                "always" => PullPolicy::Always,
                "never" => PullPolicy::Never,
                "build" => PullPolicy::Build,
                "daily" => PullPolicy::Every(day),
                "weekly" => PullPolicy::Every(day * 7),
                text => match text.strip_prefix("every_") {
                    Some(time) => {
                        PullPolicy::Every(Duration::from_nanos(values::duration(time)?.try_into().ok()?))
                    }
                    // Anything else that the specification lets pass means this to the reference too.
                    None => PullPolicy::Missing,
                },
            })
        },
    );
    policy.unwrap_or_default()
}

/// The namespace of a service, of a container, of the host.
fn namespace(fields: &Fields<'_, '_>, key: &str) -> Option<Namespace> {
    let mode = fields.string(key)?;
    Some(match mode.strip_prefix("service:") {
        Some(service) => Namespace::Service(ServiceName::new(service)),
        None => Namespace::Engine(mode),
    })
}

fn restart(fields: &Fields<'_, '_>) -> Restart {
    let policy = fields.fields("deploy").and_then(|deploy| deploy.fields("restart_policy"));
    if let Some(policy) = policy {
        let attempts = policy.int("max_attempts").and_then(|attempts| u32::try_from(attempts).ok());
        let condition = policy.read("condition", "one of none, on-failure, any", |text| {
            Some(match text {
                "none" | "no" => Restart::No,
                "on-failure" => Restart::OnFailure(attempts.filter(|attempts| *attempts > 0)),
                "any" | "always" => Restart::Always,
                "unless-stopped" => Restart::UnlessStopped,
                _ => return None,
            })
        });
        return condition.unwrap_or_default();
    }
    let wanted = "one of no, always, unless-stopped, on-failure, on-failure:N";
    let read = |text: &str| match text {
        "no" | "none" => Some(Restart::No),
        "always" | "any" => Some(Restart::Always),
        "unless-stopped" => Some(Restart::UnlessStopped),
        "on-failure" => Some(Restart::OnFailure(None)),
        text => {
            let attempts: u32 = text.strip_prefix("on-failure:")?.parse().ok()?;
            Some(Restart::OnFailure(Some(attempts).filter(|attempts| *attempts > 0)))
        }
    };
    fields.read("restart", wanted, read).unwrap_or_default()
}

fn depends_on(fields: &Fields<'_, '_>) -> BTreeMap<ServiceName, Dependency> {
    let dependency = |(name, entry): (&String, &crate::tree::Entry)| {
        let fields = Fields::of(fields.reading, &entry.node);
        let condition = match entry.node.str("condition").map(|condition| &**condition) {
            Some("service_healthy") => Condition::ServiceHealthy,
            Some("service_completed_successfully") => Condition::ServiceCompletedSuccessfully,
            _ => Condition::ServiceStarted,
        };
        let dependency =
            Dependency { condition, required: fields.flag("required"), restart: fields.flag("restart") };
        (ServiceName::new(name.as_str()), dependency)
    };
    fields.entries("depends_on").map(dependency).collect()
}

fn healthcheck(fields: &Fields<'_, '_>) -> Healthcheck {
    let test = fields.texts("test").unwrap_or_default();
    Healthcheck {
        test: if fields.flag("disable") { vec![Text::literal("NONE")] } else { test },
        interval: fields.duration("interval"),
        timeout: fields.duration("timeout"),
        start_period: fields.duration("start_period"),
        start_interval: fields.duration("start_interval"),
        retries: fields.number("retries", "a number of failures"),
    }
}
