//! Makes one effect true. What is so already is `Unchanged`.

use std::collections::{BTreeMap, HashMap};

use bollard::{
    models::{NetworkInspect, VolumeCreateRequest},
    query_parameters::RemoveVolumeOptions,
};
use plan::{Effect, NetworkSpec, Output, VolumeSpec, needs};

use super::{
    Docker,
    create::refuse_untold,
    fail::{fail, found, status},
    image::Wanted,
    network,
    observe::attached,
    owner::{PROJECT, project_of, refuse_unowned},
};
use crate::{Contents, EngineError, Trouble};

impl Docker {
    pub(super) async fn apply_effect(
        &self,
        effect: &Effect,
        contents: &dyn Contents,
    ) -> Result<Output, EngineError> {
        match effect {
            Effect::EnsureImage { image, platform, always } => {
                let platform = platform.as_deref();
                self.ensure_image(Wanted { image, platform, always: *always }).await
            }
            Effect::BuildImage { image, build } => self.build_image(image, build, contents).await,
            Effect::EnsureNetwork { network } => self.ensure_network(network).await,
            Effect::EnsureVolume { volume } => self.ensure_volume(volume).await,
            Effect::Create { container } => self.create(container, contents).await,
            Effect::Start { container } => self.start(container).await,
            Effect::Stop { container, grace } => self.stop(container, *grace).await,
            Effect::Resume { container, restart } => self.resume(container, *restart).await,
            Effect::Rename { from, to } => self.rename(from, to).await,
            Effect::Remove { container } => self.remove(container).await,
            Effect::Discard { container } => self.discard(container).await,
            Effect::RemoveNetwork { name } => self.remove_network(name).await,
            Effect::RemoveVolume { name } => self.remove_volume(name).await,
        }
    }

    async fn ensure_network(&self, spec: &NetworkSpec) -> Result<Output, EngineError> {
        let doing = format!("make network `{}`", spec.name);
        // Looked for first: the engine would make a second network of the same name.
        if let Some(network) = self.network(&spec.name).await? {
            same_owner(&spec.labels, project_of(network.labels.as_ref()), &doing)?;
            same_network(spec, &network, &doing)?;
            return Ok(Output::Unchanged);
        }
        refuse_untold(&needs::of_network(spec, self.api()), &doing)?;
        self.client.create_network(network::request(spec)).await.map_err(fail(doing))?;
        Ok(Output::None)
    }

    async fn ensure_volume(&self, spec: &VolumeSpec) -> Result<Output, EngineError> {
        let doing = format!("make volume `{}`", spec.name);
        let there = found(self.client.inspect_volume(&spec.name).await).map_err(fail(doing.as_str()))?;
        if let Some(volume) = there {
            same_owner(&spec.labels, project_of(Some(&volume.labels)), &doing)?;
            return Ok(Output::Unchanged);
        }
        let request = VolumeCreateRequest {
            name: Some(spec.name.clone()),
            driver: spec.driver.clone(),
            driver_opts: Some(map(&spec.driver_opts)),
            labels: Some(map(&spec.labels)),
            ..Default::default()
        };
        self.client.create_volume(request).await.map_err(fail(doing))?;
        Ok(Output::None)
    }

    async fn remove_network(&self, name: &str) -> Result<Output, EngineError> {
        let doing = format!("remove network `{name}`");
        let Some(network) = self.network(name).await? else { return Ok(Output::Unchanged) };
        refuse_unowned(project_of(network.labels.as_ref()), &doing)?;
        let id = network.id.clone().unwrap_or_else(|| name.to_owned());
        match self.client.remove_network(&id).await {
            Ok(()) => Ok(Output::None),
            Err(error) if status(&error) == Some(404) => Ok(Output::Unchanged),
            // The engine answers so when something is attached.
            Err(error) if status(&error) == Some(403) => {
                let who = attached(&network).join("`, `");
                Err(EngineError::new(Trouble::Conflict, doing)
                    .because(error)
                    .hint(format!("still attached to it: `{who}`")))
            }
            Err(error) => Err(fail(doing)(error)),
        }
    }

    async fn remove_volume(&self, name: &str) -> Result<Output, EngineError> {
        let doing = format!("remove volume `{name}`");
        let volume = found(self.client.inspect_volume(name).await).map_err(fail(doing.as_str()))?;
        let Some(volume) = volume else { return Ok(Output::Unchanged) };
        refuse_unowned(project_of(Some(&volume.labels)), &doing)?;
        let removed =
            found(self.client.remove_volume(name, None::<RemoveVolumeOptions>).await).map_err(fail(doing))?;
        Ok(if removed.is_some() { Output::None } else { Output::Unchanged })
    }
}

/// What is there under the wanted name has to carry the wanted project label.
fn same_owner(wanted: &BTreeMap<String, String>, there: &str, doing: &str) -> Result<(), EngineError> {
    let wanted = wanted.get(PROJECT).map_or("", String::as_str);
    if wanted == there {
        return Ok(());
    }
    let because = match there {
        "" => "something of that name is there and belongs to no stack".to_owned(),
        other => format!("something of that name is there and belongs to stack `{other}`"),
    };
    Err(EngineError::new(Trouble::Conflict, doing)
        .because(because)
        .hint("declare it `external: true` to use it as it is, or give ours another `name:`"))
}

/// A network that is there has to shut its containers in exactly as the wanted one does.
fn same_network(spec: &NetworkSpec, there: &NetworkInspect, doing: &str) -> Result<(), EngineError> {
    if there.internal.unwrap_or(false) == spec.internal {
        return Ok(());
    }
    let kind = |internal| if internal { "internal" } else { "not internal" };
    Err(EngineError::new(Trouble::Conflict, doing)
        .because(format!(
            "it is there, and is {} where it should be {}",
            kind(!spec.internal),
            kind(spec.internal)
        ))
        .hint(
            "an engine cannot change that: remove the network, with the containers on it, and deploy again",
        ))
}

/// The engine's models hold hash maps.
pub(super) fn map(ordered: &BTreeMap<String, String>) -> HashMap<String, String> {
    ordered.iter().map(|(key, value)| (key.clone(), value.clone())).collect()
}
