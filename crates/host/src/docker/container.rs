//! A [`Container`] as the engine wants to be told it: nothing but translation, equal to what Compose 2.40.3 tells it.
//!
//! On purpose different: secrets and configs are copied in and not mounted, a read-only bind comes from what the
//! release keeps, other containers are named and not given by id, and fractions of a grace time are not cut off.

use std::{collections::HashMap, time::Duration};

use bollard::models::{ContainerCreateBody, HealthConfig};
use plan::Container;
use secrets::Secret;
use stack::{Healthcheck, Namespace, Service, Text};

use super::{
    api_socket,
    effects::map,
    endpoints, files,
    host_config::host_config,
    owner::{IDENTITY, PRIVATE, PROJECT},
    publishing,
};
use crate::{Contents, EngineError, Trouble};

/// What references in a container stand for, looked up once, and what has to be kept out of errors.
pub(super) struct Resolver<'a> {
    pub(super) contents: &'a dyn Contents,
    pub(super) doing: &'a str,
    /// API of the engine that the container is made for.
    pub(super) api: (usize, usize),
    /// Values that were filled in.
    filled: Vec<Secret<String>>,
}

impl<'a> Resolver<'a> {
    pub(super) fn new(contents: &'a dyn Contents, doing: &'a str, api: (usize, usize)) -> Self {
        Self { contents, doing, api, filled: Vec::new() }
    }

    pub(super) fn text(&mut self, text: &Text) -> Result<String, EngineError> {
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

    pub(super) fn unresolved(&self, error: crate::ContentsError) -> EngineError {
        EngineError::new(Trouble::NotFound, self.doing).because(error)
    }

    /// It cannot be told to the engine, and why.
    pub(super) fn unsupported(&self, because: impl Into<String>) -> EngineError {
        EngineError::new(Trouble::Unsupported, self.doing).because(because.into())
    }

    /// What the engine said, without any value that was filled in.
    pub(super) fn scrub(&self, said: &str) -> String {
        let values = self.filled.iter().map(Secret::expose).filter(|value| !value.is_empty());
        values.fold(said.to_owned(), |said, value| said.replace(value.as_str(), "[secret]"))
    }
}

/// The request that makes the container.
pub(super) struct Request {
    /// What every API takes.
    pub(super) body: ContainerCreateBody,
    /// The hardware address of the whole container, which APIs before 1.44 have and the client's types lack.
    pub(super) mac_address: Option<String>,
}

/// The request that makes the container, its networks included as far as the API takes them.
pub(super) fn request(spec: &Container, resolver: &mut Resolver<'_>) -> Result<Request, EngineError> {
    let settings = &spec.settings;
    let command = settings.command.as_deref().map(|texts| resolver.texts(texts)).transpose()?;
    let entrypoint = settings.entrypoint.as_deref().map(|texts| resolver.texts(texts)).transpose()?;
    let healthcheck = settings.healthcheck.as_ref().map(|check| health(check, resolver)).transpose()?;
    let disabled = matches!(&settings.network_mode, Some(Namespace::Engine(mode)) if mode == "disabled");
    let body = ContainerCreateBody {
        image: Some(settings.image.clone()),
        cmd: command,
        entrypoint,
        env: Some(environment(settings, resolver)?),
        healthcheck,
        labels: Some(labels(spec)),
        user: settings.user.clone(),
        working_dir: settings.working_dir.clone(),
        hostname: settings.hostname.clone(),
        domainname: settings.domainname.clone(),
        tty: Some(settings.tty),
        open_stdin: Some(settings.stdin_open),
        attach_stdout: Some(true),
        attach_stderr: Some(true),
        stop_signal: settings.stop_signal.clone(),
        stop_timeout: settings.stop_grace.map(whole_seconds),
        exposed_ports: Some(publishing::exposed(settings)),
        network_disabled: disabled.then_some(true),
        networking_config: endpoints::at_creation(spec, resolver.api),
        host_config: Some(host_config(spec, resolver)?),
        ..Default::default()
    };
    Ok(Request { body, mac_address: endpoints::whole_mac_address(spec, resolver.api) })
}

/// The name the container bears once it is in place, whatever it is called while it is made.
pub(super) fn canonical_name(spec: &Container) -> String {
    let declared = spec.settings.container_name.clone();
    declared.unwrap_or_else(|| format!("{}-{}-{}", spec.stack, spec.service, spec.number))
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
    let private = files::private_directories(spec);
    if !private.is_empty() {
        labels.insert(PRIVATE.to_owned(), private.into_iter().collect::<Vec<_>>().join("\n"));
    }
    labels
}

/// `KEY=VALUE` for each; a bare `KEY` takes a variable of the image away.
fn environment(settings: &Service, resolver: &mut Resolver<'_>) -> Result<Vec<String>, EngineError> {
    let pairs = settings.environment.iter().map(|(key, value)| match value {
        Some(value) => Ok(format!("{key}={}", resolver.text(value)?)),
        None => Ok(key.clone()),
    });
    let mut pairs: Vec<String> = pairs.collect::<Result<_, EngineError>>()?;
    pairs.extend(api_socket::variable(settings));
    Ok(pairs)
}

fn health(check: &Healthcheck, resolver: &mut Resolver<'_>) -> Result<HealthConfig, EngineError> {
    Ok(HealthConfig {
        test: Some(resolver.texts(&check.test)?),
        interval: check.interval.map(nanoseconds),
        timeout: check.timeout.map(nanoseconds),
        start_period: check.start_period.map(nanoseconds),
        start_interval: check.start_interval.map(nanoseconds),
        retries: check.retries.map(i64::from),
    })
}

fn nanoseconds(duration: Duration) -> i64 {
    i64::try_from(duration.as_nanos()).unwrap_or(i64::MAX)
}

/// Whole seconds, never fewer than asked for.
fn whole_seconds(duration: Duration) -> i64 {
    i64::try_from(duration.as_secs() + u64::from(duration.subsec_nanos() > 0)).unwrap_or(i64::MAX)
}
