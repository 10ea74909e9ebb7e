//! What a container gets from its host, and what it is kept from.

use std::str::FromStr;

use bollard::models::{
    HostConfig, HostConfigCgroupnsModeEnum, HostConfigIsolationEnum, HostConfigLogConfig, RestartPolicy,
    RestartPolicyNameEnum,
};
use plan::Container;
use stack::{Namespace, Restart, Service, VolumesFrom};

use super::{
    api_socket, container::Resolver, effects::map, endpoints, files, lifecycle::restart_policy, mounts,
    publishing, resources,
};
use crate::EngineError;

pub(super) fn host_config(spec: &Container, resolver: &Resolver<'_>) -> Result<HostConfig, EngineError> {
    let settings = &spec.settings;
    let (mut binds, mut mounts) = mounts::binds_and_mounts(spec, resolver)?;
    binds.extend(api_socket::bind(settings));
    mounts.extend(files::private_directories(spec).into_iter().map(mounts::anonymous));
    let security = security(settings, resolver)?;
    let config = HostConfig {
        annotations: Some(map(&settings.annotations)).filter(|annotations| !annotations.is_empty()),
        network_mode: Some(network_mode(spec)),
        restart_policy: Some(policy(settings.restart)),
        port_bindings: Some(publishing::bindings(&settings.ports)),
        binds: list(&binds),
        mounts: Some(mounts).filter(|mounts| !mounts.is_empty()),
        volumes_from: list(&volumes_from(spec)),
        tmpfs: Some(map(&settings.tmpfs)).filter(|tmpfs| !tmpfs.is_empty()),
        links: links(settings),
        dns: list(&settings.dns),
        dns_options: list(&settings.dns_opt),
        dns_search: list(&settings.dns_search),
        // Compose writes `name=address`, the engine wants `name:address`.
        extra_hosts: list(
            &settings.extra_hosts.iter().map(|host| host.replacen('=', ":", 1)).collect::<Vec<_>>(),
        ),
        ipc_mode: settings.ipc.as_ref().map(|mode| namespace(spec, mode)),
        pid_mode: settings.pid.as_ref().map(|mode| namespace(spec, mode)),
        uts_mode: settings.uts.clone(),
        userns_mode: settings.userns_mode.clone(),
        cgroupns_mode: word::<HostConfigCgroupnsModeEnum>("cgroup", settings.cgroup.as_ref(), resolver)?,
        isolation: word::<HostConfigIsolationEnum>("isolation", settings.isolation.as_ref(), resolver)?,
        runtime: settings.runtime.clone(),
        shm_size: settings.shm_bytes.map(mounts::clamped),
        storage_opt: Some(map(&settings.storage_opt)).filter(|options| !options.is_empty()),
        init: settings.init,
        readonly_rootfs: Some(settings.read_only),
        privileged: Some(settings.privileged),
        group_add: list(&settings.group_add),
        cap_add: list(&capabilities(&settings.cap_add)),
        cap_drop: list(&capabilities(&settings.cap_drop)),
        security_opt: list(&security.options),
        masked_paths: security.paths_are_open.then(Vec::new),
        readonly_paths: security.paths_are_open.then(Vec::new),
        sysctls: Some(map(&settings.sysctls)).filter(|sysctls| !sysctls.is_empty()),
        log_config: settings.logging.as_ref().map(|logging| HostConfigLogConfig {
            typ: logging.driver.clone(),
            config: Some(map(&logging.options)),
        }),
        ..Default::default()
    };
    Ok(resources::limit(&settings.resources, config))
}

/// Other containers by other names: `CONTAINER:ALIAS`.
pub(super) fn links(settings: &Service) -> Option<Vec<String>> {
    let link = |link: &String| match link.split_once(':') {
        Some(_) => link.clone(),
        None => format!("{link}:{link}"),
    };
    list(&settings.external_links.iter().map(link).collect::<Vec<_>>())
}

/// The network that the container has before any other, or whose it shares.
fn network_mode(spec: &Container) -> String {
    let declared = spec.settings.network_mode.as_ref().map(|mode| namespace(spec, mode));
    let main = || endpoints::in_order(spec).first().map(|(name, _)| (*name).clone());
    declared.or_else(main).unwrap_or_else(|| "none".to_owned())
}

/// The plan names containers, not services; of one it did not name, the first container is meant.
fn namespace(spec: &Container, namespace: &Namespace) -> String {
    match namespace {
        Namespace::Engine(mode) => mode.clone(),
        Namespace::Service(service) => format!("container:{}-{service}-1", spec.stack),
    }
}

/// Compose forgets `:ro` of a service's; here it is kept.
fn volumes_from(spec: &Container) -> Vec<String> {
    let from = |from: &VolumesFrom| {
        let (container, read_only) = match from {
            VolumesFrom::Container { container, read_only } => (container.clone(), *read_only),
            VolumesFrom::Service { service, read_only } => {
                (format!("{}-{service}-1", spec.stack), *read_only)
            }
        };
        if read_only { format!("{container}:ro") } else { container }
    };
    spec.settings.volumes_from.iter().map(from).collect()
}

/// Said by its silence where there is none, as Compose does: to an update of a container that would mean "as it was".
fn policy(restart: Restart) -> RestartPolicy {
    match restart {
        Restart::No => RestartPolicy { name: Some(RestartPolicyNameEnum::EMPTY), maximum_retry_count: None },
        other => restart_policy(other),
    }
}

/// As the engine writes them, each once.
fn capabilities(named: &[String]) -> Vec<String> {
    let canonical = |name: &String| match name.to_uppercase() {
        all if all == "ALL" => all,
        name if name.starts_with("CAP_") => name,
        name => format!("CAP_{name}"),
    };
    let mut capabilities: Vec<String> = named.iter().map(canonical).collect();
    capabilities.sort();
    capabilities.dedup();
    capabilities
}

struct Security {
    options: Vec<String>,
    /// Nothing of `/proc` and `/sys` is hidden.
    paths_are_open: bool,
}

fn security(settings: &Service, resolver: &Resolver<'_>) -> Result<Security, EngineError> {
    let mut security = Security { options: Vec::new(), paths_are_open: false };
    for option in &settings.security_opt {
        let profile = option.strip_prefix("seccomp=").or_else(|| option.strip_prefix("seccomp:"));
        match profile {
            _ if option == "systempaths=unconfined" => security.paths_are_open = true,
            // The profile itself was read with the files of the stack, so that a release brings its own back.
            Some(profile) if profile.starts_with('{') => {
                let compact = serde_json::from_str::<serde::de::IgnoredAny>(profile);
                compact.map_err(|error| {
                    resolver.unsupported(format!("a seccomp profile is no JSON: {error}"))
                })?;
                security.options.push(format!("seccomp={profile}"));
            }
            Some(word) if word != "unconfined" && word != "builtin" => {
                return Err(resolver.unsupported(format!("the seccomp profile `{word}` was not read")));
            }
            _ => security.options.push(option.clone()),
        }
    }
    Ok(security)
}

/// One of the words that the engine knows.
fn word<T: FromStr>(
    key: &str,
    word: Option<&String>,
    resolver: &Resolver<'_>,
) -> Result<Option<T>, EngineError> {
    let parse = |word: &String| {
        word.parse().map_err(|_| resolver.unsupported(format!("`{key}: {word}` is nothing the engine knows")))
    };
    word.map(parse).transpose()
}

/// An empty list is nothing said.
pub(super) fn list(values: &[String]) -> Option<Vec<String>> {
    (!values.is_empty()).then(|| values.to_vec())
}
