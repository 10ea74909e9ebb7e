//! Makes one effect true. What is so already is `Unchanged`.

use std::collections::{BTreeMap, HashMap};

use bollard::{
    models::{NetworkInspect, Volume, VolumeCreateRequest},
    query_parameters::RemoveVolumeOptions,
};
use plan::{Effect, Mark, NetworkSpec, Output, Thing, VolumeSpec, needs};

use super::{
    Docker,
    create::refuse_untold,
    fail::{fail, found, status},
    image::Wanted,
    network,
    observe::attached,
    owner::{PROJECT, labels_of, made_by_somebody_else, mark_in, mark_of, project_of, refuse_unowned},
};
use crate::{Contents, EngineError, Trouble};

impl Docker {
    pub(super) async fn apply_effect(
        &self,
        effect: &Effect,
        contents: &dyn Contents,
    ) -> Result<Output, EngineError> {
        match effect {
            Effect::EnsureImage { image, platform, always, id } => {
                let platform = platform.as_deref();
                let wanted = Wanted { image, platform, always: *always };
                match id {
                    Some(id) => self.ensure_very_image(wanted, id).await,
                    None => self.ensure_image(wanted).await,
                }
            }
            Effect::LoadImage { image, archive, id } => self.load_image(image, archive, id).await,
            Effect::BuildImage { image, build, .. } => self.build_image(image, build, contents).await,
            Effect::EnsureNetwork { network } => self.ensure_network(network).await,
            Effect::EnsureVolume { volume } => self.ensure_volume(volume).await,
            Effect::MakeVolume { volume } => self.make_volume(volume).await,
            Effect::Create { container } => self.create(container, contents).await,
            Effect::Start { container } => self.start(container).await,
            Effect::Stop { container, grace } => self.stop(container, *grace).await,
            Effect::Resume { container, restart } => self.resume(container, *restart).await,
            Effect::Rename { from, to } => self.rename(from, to).await,
            Effect::Remove { container } => self.remove(container).await,
            Effect::Discard { container } => self.discard(container).await,
            Effect::RemoveNetwork { name } => self.remove_network(name).await,
            Effect::RemoveVolume { name } => self.remove_volume(name).await,
            Effect::Unmake { thing, name, mark } => self.unmake(*thing, name, mark).await,
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
        if let Some(volume) = self.volume(&spec.name, &doing).await? {
            same_owner(&spec.labels, project_of(Some(&volume.labels)), &doing)?;
            return Ok(Output::Unchanged);
        }
        self.create_volume(spec, &doing).await?;
        Ok(Output::None)
    }

    async fn make_volume(&self, spec: &VolumeSpec) -> Result<Output, EngineError> {
        let doing = format!("make volume `{}`", spec.name);
        match self.volume(&spec.name, &doing).await? {
            Some(volume) if mark_of(Some(&volume.labels)) == mark_in(&spec.labels) => Ok(Output::Unchanged),
            Some(_) => Err(made_by_somebody_else(doing)),
            None => {
                // The engine gives the one that is there, where somebody else was quicker.
                let volume = self.create_volume(spec, &doing).await?;
                match mark_of(Some(&volume.labels)) == mark_in(&spec.labels) {
                    true => Ok(Output::None),
                    false => Err(made_by_somebody_else(doing)),
                }
            }
        }
    }

    async fn create_volume(&self, spec: &VolumeSpec, doing: &str) -> Result<Volume, EngineError> {
        let request = VolumeCreateRequest {
            name: Some(spec.name.clone()),
            driver: spec.driver.clone(),
            driver_opts: Some(map(&spec.driver_opts)),
            labels: Some(map(&spec.labels)),
            ..Default::default()
        };
        self.client.create_volume(request).await.map_err(fail(doing))
    }

    async fn remove_network(&self, name: &str) -> Result<Output, EngineError> {
        let doing = format!("remove network `{name}`");
        let Some(network) = self.network(name).await? else { return Ok(Output::Unchanged) };
        refuse_unowned(project_of(network.labels.as_ref()), &doing)?;
        self.remove_this_network(&network, name, doing).await
    }

    async fn remove_this_network(
        &self,
        network: &NetworkInspect,
        name: &str,
        doing: String,
    ) -> Result<Output, EngineError> {
        let id = network.id.as_deref().unwrap_or(name);
        match self.client.remove_network(id).await {
            Ok(()) => Ok(Output::None),
            Err(error) if status(&error) == Some(404) => Ok(Output::Unchanged),
            // The engine answers so when something is attached.
            Err(error) if status(&error) == Some(403) => {
                let who = attached(network).join("`, `");
                Err(EngineError::new(Trouble::Conflict, doing)
                    .because(error)
                    .hint(format!("still attached to it: `{who}`")))
            }
            Err(error) => Err(fail(doing)(error)),
        }
    }

    async fn remove_volume(&self, name: &str) -> Result<Output, EngineError> {
        let doing = format!("remove volume `{name}`");
        let Some(volume) = self.volume(name, &doing).await? else { return Ok(Output::Unchanged) };
        refuse_unowned(project_of(Some(&volume.labels)), &doing)?;
        self.remove_this_volume(name, doing).await
    }

    async fn remove_this_volume(&self, name: &str, doing: String) -> Result<Output, EngineError> {
        let removed =
            found(self.client.remove_volume(name, None::<RemoveVolumeOptions>).await).map_err(fail(doing))?;
        Ok(if removed.is_some() { Output::None } else { Output::Unchanged })
    }

    async fn volume(&self, name: &str, doing: &str) -> Result<Option<Volume>, EngineError> {
        found(self.client.inspect_volume(name).await).map_err(fail(doing))
    }

    /// Removes what carries the mark. The question and the removal are about one id, where the engine gives ids: a name
    /// may be somebody else's a moment later.
    async fn unmake(&self, thing: Thing, name: &str, mark: &Mark) -> Result<Output, EngineError> {
        let doing = format!("remove {} `{name}`", thing.as_str());
        let made = |labels| mark_of(labels) == Some(mark.0.as_str());
        match thing {
            Thing::Container => match self.container(name).await? {
                Some(container) if made(labels_of(&container)) => {
                    self.discard_this(&container, name, doing).await
                }
                _ => Ok(Output::Unchanged),
            },
            Thing::Network => match self.network(name).await? {
                Some(network) if made(network.labels.as_ref()) => {
                    self.remove_this_network(&network, name, doing).await
                }
                _ => Ok(Output::Unchanged),
            },
            Thing::Volume => match self.volume(name, &doing).await? {
                Some(volume) if made(Some(&volume.labels)) => self.remove_this_volume(name, doing).await,
                _ => Ok(Output::Unchanged),
            },
        }
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
