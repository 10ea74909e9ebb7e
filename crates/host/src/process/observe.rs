//! Looks at everything of one stack, and changes nothing.

use std::collections::BTreeMap;

use plan::{ContainerSeen, HostSeen, NetworkSeen, VolumeSeen};
use plan::{NetworkSpec, VolumeSpec};
use stack::EngineKind;

use super::{
    Process,
    instance::Instance,
    places::{PROJECT, Project, fail, names_in, read},
};
use crate::{EngineError, Observed, Scope, Trouble, machine};

impl Process {
    pub(super) fn observe_scope(&self, scope: &Scope) -> Result<Observed, EngineError> {
        let project = self.places.project(&scope.project)?;
        let containers = self.containers(&project)?;
        let networks = self.networks(&project, &scope.networks, &containers)?;
        let volumes = self.volumes(&project, &scope.volumes)?;
        // Images are not used, so none is ever there.
        Ok(Observed {
            host: self.host(),
            containers,
            networks,
            volumes,
            images: BTreeMap::new(),
            archives: BTreeMap::new(),
        })
    }

    fn host(&self) -> HostSeen {
        HostSeen {
            name: machine::name(),
            engine: EngineKind::Process,
            version: env!("CARGO_PKG_VERSION").to_owned(),
            api: None,
            // Each service has an address of its own and no port of the host is published: nobody is in the way.
            ports_held: BTreeMap::new(),
        }
    }

    fn networks(
        &self,
        project: &Project,
        also: &[String],
        containers: &[ContainerSeen],
    ) -> Result<BTreeMap<String, NetworkSeen>, EngineError> {
        let doing = format!("list networks of `{}`", project.name);
        let files = names_in(&project.networks()).map_err(fail(doing.as_str()))?;
        let own = files.iter().filter_map(|file| file.strip_suffix(".json")).map(str::to_owned);
        let mut seen = BTreeMap::new();
        for name in own.chain(also.iter().cloned()) {
            let Some(holder) = self.places.network(&name)? else { continue };
            let Some(spec) = read::<NetworkSpec>(&holder.network(&name)).map_err(fail(doing.as_str()))?
            else {
                continue;
            };
            let attached = containers.iter().filter(|container| container.networks.contains(&name));
            let attached = attached.map(|container| container.name.clone()).collect();
            let project = spec.labels.get(PROJECT).cloned().unwrap_or_default();
            seen.insert(name, NetworkSeen { internal: spec.internal, project, attached });
        }
        Ok(seen)
    }

    fn volumes(
        &self,
        project: &Project,
        also: &[String],
    ) -> Result<BTreeMap<String, VolumeSeen>, EngineError> {
        let doing = format!("list volumes of `{}`", project.name);
        let own = names_in(&project.volumes()).map_err(fail(doing.as_str()))?;
        let mut seen = BTreeMap::new();
        for name in own.into_iter().chain(also.iter().cloned()) {
            let Some(holder) = self.places.volume(&name)? else { continue };
            let spec: Option<VolumeSpec> =
                read(&holder.volume(&name).join("spec.json")).map_err(fail(doing.as_str()))?;
            let project = spec.and_then(|spec| spec.labels.get(PROJECT).cloned()).unwrap_or_default();
            seen.insert(name, VolumeSeen { project });
        }
        Ok(seen)
    }

    fn containers(&self, project: &Project) -> Result<Vec<ContainerSeen>, EngineError> {
        let doing = format!("list containers of `{}`", project.name);
        let mut seen = Vec::new();
        for name in names_in(&project.containers()).map_err(fail(doing.as_str()))? {
            let Some(instance) = project.container(&name).map_err(fail(doing.as_str()))? else { continue };
            match self.container_seen(instance) {
                Ok(container) => seen.push(container),
                // Removed since its name was read.
                Err(error) if error.trouble == Trouble::NotFound && !project.link(&name).is_symlink() => {}
                Err(error) => return Err(error),
            }
        }
        Ok(seen)
    }

    fn container_seen(&self, instance: Instance) -> Result<ContainerSeen, EngineError> {
        let (spec, look) = (instance.spec()?, instance.look()?);
        Ok(ContainerSeen {
            phase: look.phase(),
            anonymous: Vec::new(),
            addresses: vec![self.address_of(&instance, &spec)?.to_string()],
            state_dir: spec.labels.get("seaworthy.state").cloned(),
            networks: spec.networks.into_keys().collect(),
            number: Some(spec.number),
            service: spec.service,
            identity: spec.identity,
            compose_hash: String::new(),
            restart: None,
            limits: None,
            release: Some(spec.release),
            name: instance.name,
            id: instance.id,
            image_id: String::new(),
            ports: Vec::new(),
        })
    }
}
