//! A [`Container`] as the engine wants to be told it: nothing but translation.

use std::{collections::HashMap, time::Duration};

use bollard::models::{
    ContainerCreateBody, EndpointIpamConfig, EndpointSettings, HealthConfig, HostConfig, HostConfigLogConfig,
    Mount, MountImageOptions, MountTmpfsOptions, MountType, NetworkingConfig, PortBinding, PortMap,
};
use plan::{Container, ResolvedMount};
use secrets::Secret;
use stack::{Attachment, Healthcheck, Namespace, Port, Service, ServiceName, Text};

use super::{
    effects::map,
    files,
    lifecycle::restart_policy,
    owner::{IDENTITY, PROJECT},
};
use crate::{Contents, EngineError, Trouble};

/// Health checks got their own interval for the start in this API.
const START_INTERVAL_API: (usize, usize) = (1, 44);

/// What references in a container stand for, looked up once, and what has to be kept out of errors.
pub(super) struct Resolver<'a> {
    contents: &'a dyn Contents,
    doing: &'a str,
    /// API of the engine that the container is made for.
    pub(super) api: (usize, usize),
    /// Values that were filled in.
    filled: Vec<Secret<String>>,
}

impl<'a> Resolver<'a> {
    pub(super) fn new(contents: &'a dyn Contents, doing: &'a str, api: (usize, usize)) -> Self {
        Self { contents, doing, api, filled: Vec::new() }
    }

    fn text(&mut self, text: &Text) -> Result<String, EngineError> {
        if let Some(literal) = text.as_literal() {
            return Ok(literal);
        }
        let value = self.contents.text(text).map_err(|error| self.unresolved(error))?;
        let plain = value.expose().clone();
        self.filled.push(value);
        Ok(plain)
    }

    fn texts(&mut self, texts: &[Text]) -> Result<Vec<String>, EngineError> {
        texts.iter().map(|text| self.text(text)).collect()
    }

    fn unresolved(&self, error: crate::ContentsError) -> EngineError {
        EngineError::new(Trouble::NotFound, self.doing).because(error)
    }

    /// What the engine said, without any value that was filled in.
    pub(super) fn scrub(&self, said: &str) -> String {
        let values = self.filled.iter().map(Secret::expose).filter(|value| !value.is_empty());
        values.fold(said.to_owned(), |said, value| said.replace(value.as_str(), "[secret]"))
    }
}

/// The request that makes the container, its first network included.
pub(super) fn body(
    spec: &Container,
    resolver: &mut Resolver<'_>,
) -> Result<ContainerCreateBody, EngineError> {
    let settings = &spec.settings;
    let command = settings.command.as_deref().map(|texts| resolver.texts(texts)).transpose()?;
    let entrypoint = settings.entrypoint.as_deref().map(|texts| resolver.texts(texts)).transpose()?;
    let healthcheck = settings.healthcheck.as_ref().map(|check| health(check, resolver)).transpose()?;
    let exposed = settings
        .expose
        .iter()
        .map(|port| format!("{}/{}", port.port, port.protocol))
        .chain(settings.ports.iter().map(inside));
    let first = spec.networks.first_key_value();
    let endpoints = first.map(|(name, attachment)| (name.clone(), endpoint(&spec.service, attachment)));
    Ok(ContainerCreateBody {
        image: Some(settings.image.clone()),
        cmd: command,
        entrypoint,
        env: Some(environment(settings, resolver)?),
        healthcheck,
        labels: Some(labels(spec)),
        user: settings.user.clone(),
        working_dir: settings.working_dir.clone(),
        hostname: settings.hostname.clone(),
        tty: Some(settings.tty),
        open_stdin: Some(settings.stdin_open),
        stop_signal: settings.stop_signal.clone(),
        stop_timeout: settings.stop_grace.map(whole_seconds),
        exposed_ports: Some(exposed.collect()),
        networking_config: endpoints
            .map(|endpoint| NetworkingConfig { endpoints_config: Some(HashMap::from([endpoint])) }),
        host_config: Some(host_config(spec, resolver)?),
        ..Default::default()
    })
}

/// How a service joins a network: known by its own name, as with Compose, and by the names it was given.
pub(super) fn endpoint(service: &ServiceName, attachment: &Attachment) -> EndpointSettings {
    let mut aliases = vec![service.as_str().to_owned()];
    aliases.extend(attachment.aliases.iter().filter(|alias| *alias != service.as_str()).cloned());
    let fixed =
        |address: &String| EndpointIpamConfig { ipv4_address: Some(address.clone()), ..Default::default() };
    EndpointSettings {
        aliases: Some(aliases),
        ipam_config: attachment.ipv4_address.as_ref().map(fixed),
        ..Default::default()
    }
}

fn host_config(spec: &Container, resolver: &Resolver<'_>) -> Result<HostConfig, EngineError> {
    let settings = &spec.settings;
    let first = spec.networks.keys().next().cloned();
    let shared = settings.network_mode.as_ref().map(|mode| match mode {
        Namespace::Engine(mode) => mode.clone(),
        Namespace::Service(service) => format!("container:{}-{service}-1", spec.stack),
    });
    let mode = first.or(shared).unwrap_or_else(|| "none".to_owned());
    let mut binds = Vec::new();
    let mut mounts = Vec::new();
    for mount in &spec.mounts {
        match (writable_bind(mount), mount) {
            (Some(bind), _) => binds.push(bind),
            (None, mount) => mounts.push(engine_mount(mount, resolver)?),
        }
    }
    mounts.extend(files::private_directories(spec).into_iter().map(anonymous));
    Ok(HostConfig {
        network_mode: Some(mode),
        restart_policy: Some(restart_policy(settings.restart)),
        port_bindings: Some(port_bindings(&settings.ports)),
        binds: Some(binds),
        mounts: Some(mounts),
        memory: settings.resources.memory_bytes.map(clamped),
        nano_cpus: settings.resources.nano_cpus,
        pids_limit: settings.resources.pids_limit,
        shm_size: settings.shm_bytes.map(clamped),
        init: settings.init,
        readonly_rootfs: Some(settings.read_only),
        privileged: Some(settings.privileged),
        cap_add: Some(settings.cap_add.clone()),
        cap_drop: Some(settings.cap_drop.clone()),
        security_opt: Some(settings.security_opt.clone()),
        // Compose writes `name=address`, the engine wants `name:address`.
        extra_hosts: Some(settings.extra_hosts.iter().map(|host| host.replacen('=', ":", 1)).collect()),
        sysctls: Some(map(&settings.sysctls)),
        log_config: settings.logging.as_ref().map(|logging| HostConfigLogConfig {
            typ: logging.driver.clone(),
            config: Some(map(&logging.options)),
        }),
        ..Default::default()
    })
}

/// The labels as planned, and those without which Compose's own commands or we would not know the container again.
fn labels(spec: &Container) -> HashMap<String, String> {
    let mut labels = map(&spec.labels);
    let number = spec.number.to_string();
    let needed = [
        (PROJECT, spec.stack.as_str()),
        ("com.docker.compose.service", spec.service.as_str()),
        ("com.docker.compose.container-number", number.as_str()),
        ("com.docker.compose.oneoff", "False"),
        // `docker compose ps` shows only what carries one. Ours changes exactly when the container would differ.
        ("com.docker.compose.config-hash", spec.identity.as_str()),
        (IDENTITY, spec.identity.as_str()),
    ];
    for (key, value) in needed {
        labels.entry(key.to_owned()).or_insert_with(|| value.to_owned());
    }
    labels
}

/// `KEY=VALUE` for each; a bare `KEY` takes a variable of the image away.
fn environment(settings: &Service, resolver: &mut Resolver<'_>) -> Result<Vec<String>, EngineError> {
    let pairs = settings.environment.iter().map(|(key, value)| match value {
        Some(value) => Ok(format!("{key}={}", resolver.text(value)?)),
        None => Ok(key.clone()),
    });
    pairs.collect()
}

fn health(check: &Healthcheck, resolver: &mut Resolver<'_>) -> Result<HealthConfig, EngineError> {
    if check.start_interval.is_some() && resolver.api < START_INTERVAL_API {
        let (major, minor) = resolver.api;
        return Err(EngineError::new(Trouble::Unsupported, resolver.doing)
            .because(format!("the engine's API {major}.{minor} has no `start_interval` for health checks"))
            .hint("remove `start_interval`, or update the engine to Docker 25 (API 1.44)"));
    }
    Ok(HealthConfig {
        test: Some(resolver.texts(&check.test)?),
        interval: check.interval.map(nanoseconds),
        timeout: check.timeout.map(nanoseconds),
        start_period: check.start_period.map(nanoseconds),
        start_interval: check.start_interval.map(nanoseconds),
        retries: check.retries.map(i64::from),
    })
}

/// A container's port as the engine writes it: `80/tcp`.
fn inside(port: &Port) -> String {
    format!("{}/{}", port.target, port.protocol)
}

fn port_bindings(ports: &[Port]) -> PortMap {
    let mut bindings = PortMap::new();
    for port in ports {
        let binding = PortBinding {
            host_ip: port.host_ip.clone(),
            // An empty host port lets the engine pick one.
            host_port: Some(port.published.map(|port| port.to_string()).unwrap_or_default()),
        };
        bindings.entry(inside(port)).or_default().get_or_insert_default().push(binding);
    }
    bindings
}

/// A writable bind in the engine's old form, which makes the directory where it is missing, as Compose does.
///
/// A read-only one that is missing is a mistake, and the other form says so.
fn writable_bind(mount: &ResolvedMount) -> Option<String> {
    match mount {
        ResolvedMount::Bind { source, target, read_only: false, .. } if !source.contains(':') => {
            Some(format!("{source}:{target}"))
        }
        _ => None,
    }
}

fn engine_mount(mount: &ResolvedMount, resolver: &Resolver<'_>) -> Result<Mount, EngineError> {
    let made = |typ, source: Option<String>, target: &String, read_only| Mount {
        typ: Some(typ),
        source,
        target: Some(target.clone()),
        read_only: Some(read_only),
        ..Default::default()
    };
    Ok(match mount {
        ResolvedMount::Volume { name, target, read_only, .. } => {
            made(MountType::VOLUME, Some(name.clone()), target, *read_only)
        }
        ResolvedMount::Anonymous { target } => anonymous(target.clone()),
        ResolvedMount::Bind { source, target, read_only, .. } => {
            made(MountType::BIND, Some(source.clone()), target, *read_only)
        }
        ResolvedMount::Kept { content, target, .. } => {
            let path = resolver.contents.kept(content).map_err(|error| resolver.unresolved(error))?;
            made(MountType::BIND, Some(path.to_string_lossy().into_owned()), target, true)
        }
        ResolvedMount::Tmpfs { target, size_bytes, mode } => Mount {
            tmpfs_options: Some(MountTmpfsOptions {
                size_bytes: size_bytes.map(clamped),
                mode: mode.map(i64::from),
                options: None,
            }),
            ..made(MountType::TMPFS, None, target, false)
        },
        ResolvedMount::Image { image, target, subpath } => Mount {
            image_options: Some(MountImageOptions { subpath: subpath.clone() }),
            ..made(MountType::IMAGE, Some(image.clone()), target, false)
        },
    })
}

fn anonymous(target: String) -> Mount {
    Mount { typ: Some(MountType::VOLUME), target: Some(target), ..Default::default() }
}

fn clamped(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

fn nanoseconds(duration: Duration) -> i64 {
    i64::try_from(duration.as_nanos()).unwrap_or(i64::MAX)
}

/// Whole seconds, never fewer than asked for.
fn whole_seconds(duration: Duration) -> i64 {
    clamped(duration.as_secs() + u64::from(duration.subsec_nanos() > 0))
}
