//! Starts, stops, renames and removes containers.

use std::time::Duration;

use bollard::{
    errors::Error,
    models::{
        ContainerInspectResponse, ContainerUpdateBody, RestartPolicy, RestartPolicyNameEnum as PolicyName,
    },
    query_parameters::{
        RemoveContainerOptionsBuilder, RemoveVolumeOptions, RenameContainerOptionsBuilder,
        StopContainerOptionsBuilder,
    },
};
use plan::{AnonymousSeen, Output, Phase};
use stack::Restart;

use super::{
    ANSWER_SECS, Docker,
    fail::{fail, status},
    observe::{anonymous, phase},
    owner::{is_private, labels_of, project_of},
};
use crate::{EngineError, Trouble};

/// The engine's own grace time where a container names none.
const GRACE_SECS: i64 = 10;

/// How long the engine may take to finish a removal that is under way.
const REMOVAL: Duration = Duration::from_secs(60);

impl Docker {
    pub(super) async fn start(&self, name: &str) -> Result<Output, EngineError> {
        let doing = format!("start container `{name}`");
        let container = self.present_container(name, &doing).await?;
        match phase_of(&container) {
            Phase::Running { .. } | Phase::Restarting => return Ok(Output::Unchanged),
            Phase::Paused => {
                self.client.unpause_container(name).await.map_err(fail(doing))?;
                return Ok(Output::None);
            }
            Phase::Created | Phase::Exited { .. } | Phase::Dead => {}
        }
        match self.client.start_container(name, None).await {
            Ok(()) => Ok(Output::None),
            Err(error) => Err(self.explain_start(&container, doing, error).await),
        }
    }

    pub(super) async fn stop(&self, name: &str, grace: Option<Duration>) -> Result<Output, EngineError> {
        let doing = format!("stop container `{name}`");
        // What is not there does not run.
        let Some(container) = self.owned_container(name, &doing).await? else { return Ok(Output::Unchanged) };
        // First, so that the engine does not bring it back, not even after a restart of the host.
        let changed = self.set_policy(&container, Restart::No, &doing).await?;
        if matches!(phase_of(&container), Phase::Created | Phase::Exited { .. } | Phase::Dead) {
            return Ok(if changed { Output::None } else { Output::Unchanged });
        }
        let own = container.config.as_ref().and_then(|config| config.stop_timeout).unwrap_or(GRACE_SECS);
        let grace_secs = grace.map_or(own, |grace| i64::try_from(grace.as_secs()).unwrap_or(i64::MAX));
        let answer = Duration::from_secs(ANSWER_SECS) + Duration::from_secs(grace_secs.unsigned_abs());
        let options =
            StopContainerOptionsBuilder::default().t(i32::try_from(grace_secs).unwrap_or(i32::MAX)).build();
        let patient = self.client.clone().with_timeout(answer);
        patient.stop_container(name, Some(options)).await.map_err(fail(doing))?;
        Ok(Output::None)
    }

    pub(super) async fn resume(&self, name: &str, restart: Restart) -> Result<Output, EngineError> {
        let doing = format!("resume container `{name}`");
        let container = self.present_container(name, &doing).await?;
        let changed = self.set_policy(&container, restart, &doing).await?;
        let started = self.start(name).await?;
        Ok(if changed { Output::None } else { started })
    }

    pub(super) async fn rename(&self, from: &str, to: &str) -> Result<Output, EngineError> {
        let doing = format!("rename container `{from}` to `{to}`");
        let (source, target) = (self.owned_container(from, &doing).await?, self.container(to).await?);
        match (source, target) {
            (Some(_), None) => {
                let options = RenameContainerOptionsBuilder::default().name(to).build();
                self.client.rename_container(from, options).await.map_err(fail(doing))?;
                Ok(Output::None)
            }
            (None, Some(_)) => Ok(Output::Unchanged),
            (Some(_), Some(_)) => Err(EngineError::new(Trouble::Conflict, doing)
                .because(format!("a container named `{to}` is there already"))),
            // An undo may be asked for a step that never ran, or after another undo gave the container away.
            (None, None) => Ok(Output::Unchanged),
        }
    }

    /// Removes a container, and of its volumes without a name those that hold nothing but files delivered into it.
    pub(super) async fn remove(&self, name: &str) -> Result<Output, EngineError> {
        self.remove_with(name, |container, volume| is_private(labels_of(container), &volume.target)).await
    }

    /// Removes a container with all its volumes without a name.
    pub(super) async fn discard(&self, name: &str) -> Result<Output, EngineError> {
        self.remove_with(name, |_, _| true).await
    }

    async fn remove_with(
        &self,
        name: &str,
        goes: impl Fn(&ContainerInspectResponse, &AnonymousSeen) -> bool,
    ) -> Result<Output, EngineError> {
        let doing = format!("remove container `{name}`");
        let Some(container) = self.owned_container(name, &doing).await? else { return Ok(Output::Unchanged) };
        self.remove_this_with(&container, name, doing, goes).await
    }

    /// Removes this very container with all its volumes without a name.
    pub(super) async fn discard_this(
        &self,
        container: &ContainerInspectResponse,
        name: &str,
        doing: String,
    ) -> Result<Output, EngineError> {
        self.remove_this_with(container, name, doing, |_, _| true).await
    }

    async fn remove_this_with(
        &self,
        container: &ContainerInspectResponse,
        name: &str,
        doing: String,
        goes: impl Fn(&ContainerInspectResponse, &AnonymousSeen) -> bool,
    ) -> Result<Output, EngineError> {
        let volumes = anonymous(container.mounts.as_deref().unwrap_or_default());
        let (gone, kept): (Vec<_>, Vec<_>) = volumes.into_iter().partition(|volume| goes(container, volume));
        // The engine takes all of them at once, or none.
        let removed = self.remove_container(container, name, kept.is_empty(), doing).await?;
        // It spares those that were carried over from a container before.
        for volume in gone {
            let doing = format!("remove volume `{}` of container `{name}`", volume.name);
            match self.client.remove_volume(&volume.name, None::<RemoveVolumeOptions>).await {
                Ok(()) => {}
                // Gone, or mounted by the container that it was carried over to or from.
                Err(error) if matches!(status(&error), Some(404 | 409)) => {}
                Err(error) => return Err(fail(doing)(error)),
            }
        }
        Ok(removed)
    }

    async fn remove_container(
        &self,
        container: &ContainerInspectResponse,
        name: &str,
        with_volumes: bool,
        doing: String,
    ) -> Result<Output, EngineError> {
        let id = container.id.as_deref().unwrap_or(name);
        let options = RemoveContainerOptionsBuilder::default().force(true).v(with_volumes).build();
        match self.client.remove_container(id, Some(options)).await {
            Ok(()) => Ok(Output::None),
            Err(error) if status(&error) == Some(404) => Ok(Output::Unchanged),
            // Somebody else's removal is under way: the name is free only when that is done.
            Err(error) if status(&error) == Some(409) => self.await_removal(name, doing, error).await,
            Err(error) => Err(fail(doing)(error)),
        }
    }

    async fn await_removal(&self, name: &str, doing: String, error: Error) -> Result<Output, EngineError> {
        let gone = async {
            while self.container(name).await?.is_some() {
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
            Ok(Output::None)
        };
        tokio::time::timeout(REMOVAL, gone).await.unwrap_or_else(|_| Err(fail(doing)(error)))
    }

    /// Gives the container a restart policy; answers whether it had another one.
    async fn set_policy(
        &self,
        container: &ContainerInspectResponse,
        restart: Restart,
        doing: &str,
    ) -> Result<bool, EngineError> {
        let wanted = restart_policy(restart);
        let has = container.host_config.as_ref().and_then(|host| host.restart_policy.as_ref());
        if has.is_some_and(|has| same_policy(has, &wanted)) {
            return Ok(false);
        }
        let id = container.id.as_deref().unwrap_or_default();
        let update = ContainerUpdateBody { restart_policy: Some(wanted), ..Default::default() };
        self.client.update_container(id, update).await.map_err(fail(doing))?;
        Ok(true)
    }

    /// Why a container did not start: a held host port is looked for by its number, and its holder named.
    async fn explain_start(
        &self,
        container: &ContainerInspectResponse,
        doing: String,
        error: Error,
    ) -> EngineError {
        let said = error.to_string();
        if !(said.contains("port is already allocated") || said.contains("address already in use")) {
            return fail(doing)(error);
        }
        let project = project_of(labels_of(container));
        let held = self.ports_held(project, &declared_ports(container)).await.unwrap_or_default();
        let conflict = EngineError::new(Trouble::Conflict, doing).because(error);
        match held.first_key_value() {
            Some((port, holder)) => conflict.hint(format!("host port {port} is held by {holder}")),
            None => conflict.hint(
                "a host port it publishes is held by another container of this stack, or was just let go",
            ),
        }
    }
}

/// What an inspected container is doing.
pub(super) fn phase_of(container: &ContainerInspectResponse) -> Phase {
    container.state.as_ref().map_or(Phase::Dead, phase)
}

/// The engine's form of a restart policy.
pub(super) fn restart_policy(restart: Restart) -> RestartPolicy {
    let (name, retries) = match restart {
        Restart::No => (PolicyName::NO, None),
        Restart::Always => (PolicyName::ALWAYS, None),
        Restart::UnlessStopped => (PolicyName::UNLESS_STOPPED, None),
        Restart::OnFailure(retries) => (PolicyName::ON_FAILURE, retries.map(i64::from)),
    };
    RestartPolicy { name: Some(name), maximum_retry_count: retries }
}

fn same_policy(a: &RestartPolicy, b: &RestartPolicy) -> bool {
    // An engine that was told nothing reports an empty name.
    let name = |policy: &RestartPolicy| match policy.name {
        None | Some(PolicyName::EMPTY) => PolicyName::NO,
        Some(name) => name,
    };
    name(a) == name(b) && a.maximum_retry_count.unwrap_or(0) == b.maximum_retry_count.unwrap_or(0)
}

fn declared_ports(container: &ContainerInspectResponse) -> Vec<u16> {
    let bindings = container.host_config.as_ref().and_then(|host| host.port_bindings.as_ref());
    bindings
        .into_iter()
        .flat_map(|ports| ports.values().flatten().flatten())
        .filter_map(|binding| binding.host_port.as_deref()?.parse().ok())
        .collect()
}
