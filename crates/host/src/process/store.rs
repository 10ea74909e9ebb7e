//! Networks and volumes. A network is a record: processes share the host's. A volume is a directory.

use std::{collections::BTreeMap, fs, io};

use plan::{Mark, NetworkSpec, Output, VolumeSpec};

use super::{
    Process,
    places::{PROJECT, Project, checked, fail, read, write},
};
use crate::{
    EngineError, Trouble,
    files::{Readers, make_dir, sync_parent},
};

impl Process {
    pub(super) fn ensure_network(&self, spec: &NetworkSpec) -> Result<Output, EngineError> {
        let doing = format!("make network `{}`", spec.name);
        let project = self.owner(spec.labels.get(PROJECT), &doing)?;
        if let Some(holder) = self.places.network(&spec.name)? {
            return same_owner(&holder, &project, &doing);
        }
        let made = make_dir(&project.networks(), Readers::Owner)
            .and_then(|()| write(&project.network(&spec.name), spec));
        made.map_err(fail(doing))?;
        Ok(Output::None)
    }

    pub(super) fn remove_network(&self, name: &str) -> Result<Output, EngineError> {
        let Some(project) = self.places.network(name)? else { return Ok(Output::Unchanged) };
        let removed = crate::files::remove(&project.network(name)).and_then(|()| project.tidy());
        removed.map_err(fail(format!("remove network `{name}`")))?;
        Ok(Output::None)
    }

    pub(super) fn ensure_volume(&self, spec: &VolumeSpec) -> Result<Output, EngineError> {
        let doing = format!("make volume `{}`", spec.name);
        let project = self.owner(spec.labels.get(PROJECT), &doing)?;
        if let Some(holder) = self.places.volume(&spec.name)? {
            return same_owner(&holder, &project, &doing);
        }
        make_volume_in(&project, spec).map_err(fail(doing))?;
        Ok(Output::None)
    }

    pub(super) fn make_volume(&self, spec: &VolumeSpec) -> Result<Output, EngineError> {
        match self.volume_labels(&spec.name)? {
            Some(labels) if labels.get(Mark::LABEL) != spec.labels.get(Mark::LABEL) => {
                let doing = format!("make volume `{}`", spec.name);
                Err(EngineError::new(Trouble::Conflict, doing).because(
                    "one of that name is there, and was made by somebody else since this was planned",
                ))
            }
            _ => self.ensure_volume(spec),
        }
    }

    pub(super) async fn remove_volume(&self, name: &str) -> Result<Output, EngineError> {
        let Some(project) = self.places.volume(name)? else { return Ok(Output::Unchanged) };
        let doing = format!("remove volume `{name}`");
        if let Some(user) = volume_user(&project, name)? {
            return Err(
                EngineError::new(Trouble::Conflict, doing).because(format!("container `{user}` mounts it"))
            );
        }
        let dying = project.volumes().join(format!(".removing-{name}"));
        let removed = async {
            // An earlier removal may have been cut short.
            if dying.exists() {
                tokio::fs::remove_dir_all(&dying).await?;
            }
            // First out of sight in one stroke, so that no half of a volume is ever taken for a whole one.
            fs::rename(project.volume(name), &dying)?;
            tokio::fs::remove_dir_all(&dying).await?;
            project.tidy()
        };
        removed.await.map_err(fail(doing))?;
        Ok(Output::None)
    }

    /// The labels of the network of this name, where there is one.
    pub(super) fn network_labels(&self, name: &str) -> Result<Option<BTreeMap<String, String>>, EngineError> {
        let Some(project) = self.places.network(name)? else { return Ok(None) };
        let spec: Option<NetworkSpec> =
            read(&project.network(name)).map_err(fail(format!("read network `{name}`")))?;
        Ok(spec.map(|spec| spec.labels))
    }

    /// The labels of the volume of this name, where there is one.
    pub(super) fn volume_labels(&self, name: &str) -> Result<Option<BTreeMap<String, String>>, EngineError> {
        let Some(project) = self.places.volume(name)? else { return Ok(None) };
        let spec: Option<VolumeSpec> =
            read(&project.volume(name).join("spec.json")).map_err(fail(format!("read volume `{name}`")))?;
        Ok(spec.map(|spec| spec.labels))
    }

    fn owner(&self, project: Option<&String>, doing: &str) -> Result<Project, EngineError> {
        let unlabelled = || {
            EngineError::new(Trouble::Unsupported, doing).because(format!("it carries no `{PROJECT}` label"))
        };
        self.places.project(project.ok_or_else(unlabelled)?)
    }
}

/// A container of the project that mounts the volume.
fn volume_user(project: &Project, name: &str) -> Result<Option<String>, EngineError> {
    let doing = format!("list containers of `{}`", project.name);
    for container in super::places::names_in(&project.containers()).map_err(fail(doing.as_str()))? {
        let Some(instance) = project.container(&container).map_err(fail(doing.as_str()))? else { continue };
        let mounts = instance.spec()?.mounts;
        let uses = |mount: &plan::ResolvedMount| matches!(mount, plan::ResolvedMount::Volume { name: mounted, .. } if mounted == name);
        if mounts.iter().any(uses) {
            return Ok(Some(container));
        }
    }
    Ok(None)
}

fn make_volume_in(project: &Project, spec: &VolumeSpec) -> io::Result<()> {
    checked(&spec.name, "volume").map_err(|error| io::Error::other(error.to_string()))?;
    let making = project.volumes().join(format!(".making-{}", spec.name));
    if making.exists() {
        fs::remove_dir_all(&making)?;
    }
    make_dir(&making.join("data"), Readers::Owner)?;
    write(&making.join("spec.json"), spec)?;
    fs::rename(&making, project.volume(&spec.name))?;
    sync_parent(&making)
}

fn same_owner(holder: &Project, wanted: &Project, doing: &str) -> Result<Output, EngineError> {
    if holder.name == wanted.name {
        return Ok(Output::Unchanged);
    }
    Err(EngineError::new(Trouble::Conflict, doing)
        .because(format!("stack `{}` has one of that name", holder.name)))
}
