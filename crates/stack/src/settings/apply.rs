//! What `seaworthy.toml` says, laid over what Compose says: the shape.

use std::{collections::BTreeMap, time::Duration};

use diag::{Diagnostic, closest};

use super::{
    Named, Settings, probe,
    raw::{RawControl, RawShape},
    secret, state,
};
use crate::{
    compose::interpolate,
    names::{SecretName, ServiceName, StackName},
    read::Compose,
    reading::Reading,
    shape::{BackupSpec, Control, DrillSpec, ProcessSpec, Shape, State},
    tree::Spot,
    variables::Variables,
};

impl Settings {
    /// The shape, of everything that was read.
    pub(crate) fn apply(
        &self,
        reading: &Reading<'_>,
        shape: &Named<RawShape>,
        mut compose: Compose,
        stack: StackName,
        files: Vec<String>,
        variables: &Variables,
    ) -> Shape {
        self.services(reading, &mut compose);
        let secrets: BTreeMap<SecretName, _> = self
            .secrets
            .iter()
            .map(|named| (SecretName::new(named.name.as_str()), secret::secret(reading, self, named)))
            .collect();
        self.secret_users(reading, &compose);
        let mut states = self.states(reading, &compose);
        states.retain(|service, _| compose.services.contains_key(service));
        let drill = self.drill(reading, &compose);
        let lasting = |given: Option<super::raw::Lasting>, seconds| {
            given.map_or(Duration::from_secs(seconds), |given| given.0)
        };
        Shape {
            stack,
            name: shape.name.clone(),
            production: shape.value.production,
            live: self.stack.live,
            engine: self.stack.engine,
            min_healthy: lasting(self.stack.min_healthy, 10),
            timeout: lasting(self.stack.timeout, 60),
            files,
            directory: reading.directory(),
            publishes: shape.value.publishes.clone(),
            origins: shape.value.origins.clone(),
            services: compose.services,
            networks: compose.networks,
            volumes: compose.volumes,
            secrets,
            states,
            backup: self.backup(reading, variables),
            drill,
            controls: self.controls.iter().map(control).collect(),
        }
    }

    fn services(&self, reading: &Reading<'_>, compose: &mut Compose) {
        for named in &self.services {
            if !self.known(reading, &named.name, named.at, compose) {
                continue;
            }
            let probes = named.value.probe.iter().filter_map(|raw| {
                let at = self.spot(Some(raw.span()));
                probe::probe(reading, at, raw.get_ref())
            });
            let probes: Vec<_> = probes.collect();
            let Some(service) = compose.services.get_mut(&ServiceName::new(named.name.as_str())) else {
                continue;
            };
            service.probes = probes;
            if let Some(archive) = &named.value.archive {
                let at = self.spot(Some(archive.span()));
                if service.build.is_some() {
                    let said = Diagnostic::error(
                        "conflict",
                        format!("the image of `{}` is built, and loaded from an archive", named.name),
                    );
                    reading
                        .say(at, said.hint("take `build` out, or lay an overlay over it with `!reset null`"));
                }
                service.archive = Some(archive_path(&reading.directory(), archive.get_ref()));
            }
            service.process = named.value.process.as_ref().map(|process| ProcessSpec {
                command: process.command.clone(),
                environment: process.environment.clone(),
            });
        }
    }

    fn states(&self, reading: &Reading<'_>, compose: &Compose) -> BTreeMap<ServiceName, State> {
        let state = |named| {
            let state = state::state(reading, self, named, compose);
            let known = self.known(reading, &named.name, named.at, compose);
            state.filter(|_| known).map(|state| (ServiceName::new(named.name.as_str()), state))
        };
        self.states.iter().filter_map(state).collect()
    }

    fn drill(&self, reading: &Reading<'_>, compose: &Compose) -> DrillSpec {
        let known = |name: &&toml::Spanned<String>| {
            self.known(reading, name.get_ref(), self.spot(Some(name.span())), compose)
                && compose.services.contains_key(&ServiceName::new(name.get_ref()))
        };
        let services = self.drill.services.iter().filter(known);
        DrillSpec { services: services.map(|name| ServiceName::new(name.get_ref())).collect() }
    }

    /// Targets are directories beside the file, `${…}` filled in.
    fn backup(&self, reading: &Reading<'_>, variables: &Variables) -> BackupSpec {
        let target = |to: &toml::Spanned<String>| {
            let at = self.spot(Some(to.span()));
            let filled = interpolate::filled(reading, variables, at, to.get_ref())?;
            match filled.first_secret().map_or(Ok(filled.to_string()), |secret| Err(secret.to_owned())) {
                Ok(path) if path.contains("://") => {
                    let said = Diagnostic::error(
                        "not-handled-yet",
                        "a target that is no directory is not handled yet",
                    );
                    reading.say(at, said.hint("name a directory"));
                    None
                }
                Ok(path) if !path.is_empty() => Some(reading.absolute(&path)),
                Ok(_) => {
                    let said = Diagnostic::error("wrong-type", "this target is an empty path");
                    reading.say(at, said.hint("name a directory"));
                    None
                }
                Err(secret) => {
                    let message = crate::read::in_structure(&secret, "a path");
                    reading.error(at, "secret-in-structure", message);
                    None
                }
            }
        };
        BackupSpec {
            to: self.backup.to.iter().filter_map(target).collect(),
            recipients: self.backup.recipients.clone(),
            keep: self.backup.keep,
            rpo: self.backup.rpo.map(|rpo| rpo.0),
            rto: self.backup.rto.map(|rto| rto.0),
        }
    }

    /// `used_by` names services that exist, and that do use the secret.
    fn secret_users(&self, reading: &Reading<'_>, compose: &Compose) {
        for secret in &self.secrets {
            for user in &secret.value.used_by {
                let at = self.spot(Some(user.span()));
                let name = user.get_ref();
                self.known(reading, name, at, compose);
                let Some(service) = compose.services.get(&ServiceName::new(name)) else { continue };
                if !service.secrets_used().iter().any(|used| used.as_str() == secret.name) {
                    let message =
                        format!("`{name}` is said to use the secret `{}`, and is not given it", secret.name);
                    let said = Diagnostic::warning("unused-secret", message);
                    reading.say(
                        at,
                        said.hint("add it to the service's `secrets:`, or take it out of `used_by`"),
                    );
                }
            }
        }
    }

    /// Whether Compose has a service, enabled or not; where it has not, that is said.
    fn known(&self, reading: &Reading<'_>, name: &str, at: Spot, compose: &Compose) -> bool {
        let known = compose.declared.contains(name);
        if !known {
            reading.say(at, not_in_compose("service", name, compose.declared.iter().map(String::as_str)));
        }
        known
    }
}

fn control(named: &Named<RawControl>) -> (String, Control) {
    let RawControl { owner, instruction, done_when, every } = &named.value;
    let control = Control {
        owner: owner.clone(),
        instruction: instruction.clone(),
        done_when: done_when.clone(),
        every: every.map(|every| every.0),
    };
    (named.name.clone(), control)
}

/// What to say where a name of the file is not one of Compose.
pub(super) fn not_in_compose<'k>(what: &str, name: &str, known: impl Iterator<Item = &'k str>) -> Diagnostic {
    let message = format!("the Compose files have no {what} `{name}`");
    let said = Diagnostic::error(&format!("unknown-{what}"), message);
    match closest(name, known) {
        Some(near) => said.hint(format!("did you mean `{near}`?")),
        None => said.hint("take it out, or add it to the Compose file"),
    }
}

/// Relative to the project directory, as other paths of the stack.
fn archive_path(directory: &str, path: &str) -> String {
    if path.starts_with('/') {
        return path.to_owned();
    }
    format!("{}/{}", directory.trim_end_matches('/'), path.trim_start_matches("./"))
}
