//! Where things are below `STATE/process`. Nothing here has a meaning that a person with `ls` and `cat` cannot see.
//!
//! ```text
//! PROJECT/containers/NAME       a link to ../instances/ID: renaming is one rename(2), and no path of a service changes
//! PROJECT/instances/ID/         one container: see `instance`
//! PROJECT/volumes/NAME/         spec.json, data/
//! PROJECT/networks/NAME.json
//! PROJECT/addresses.json        which service has which address
//! ```

use std::{
    fs,
    io::{self, ErrorKind},
    path::{Path, PathBuf},
};

use serde::{Serialize, de::DeserializeOwned};

use super::instance::Instance;
use crate::{
    EngineError, Trouble,
    files::{self, Readers},
};

/// Compose's label for the project something belongs to.
pub(super) const PROJECT: &str = "com.docker.compose.project";

/// Everything the engine keeps: `STATE/process`.
#[derive(Debug, Clone)]
pub(super) struct Places {
    pub(super) root: PathBuf,
}

/// What is kept of one project.
#[derive(Debug, Clone)]
pub(super) struct Project {
    pub(super) dir: PathBuf,
    pub(super) name: String,
}

impl Places {
    /// The project, there or not.
    pub(super) fn project(&self, name: &str) -> Result<Project, EngineError> {
        checked(name, "project")?;
        Ok(Project { dir: self.root.join(name), name: name.to_owned() })
    }

    /// Every project that something is kept of.
    pub(super) fn projects(&self) -> io::Result<Vec<Project>> {
        let named = |name: String| Project { dir: self.root.join(&name), name };
        Ok(names_in(&self.root)?.into_iter().map(named).collect())
    }

    /// The container of this name, whatever its project: names are the engine's own, as Docker's are.
    pub(super) fn container(&self, name: &str) -> Result<Option<Instance>, EngineError> {
        checked(name, "container")?;
        self.first(name, "container", |project| project.container(name))
    }

    /// The same, where it has to be there.
    pub(super) fn present(&self, name: &str, doing: &str) -> Result<Instance, EngineError> {
        self.container(name)?
            .ok_or_else(|| EngineError::new(Trouble::NotFound, doing).because("there is no such container"))
    }

    /// The project that has the volume.
    pub(super) fn volume(&self, name: &str) -> Result<Option<Project>, EngineError> {
        checked(name, "volume")?;
        self.first(name, "volume", |project| Ok(project.volume(name).is_dir().then(|| project.clone())))
    }

    /// The directory that a volume is.
    pub(super) fn volume_data(&self, name: &str, doing: &str) -> Result<PathBuf, EngineError> {
        match self.volume(name)? {
            Some(project) => Ok(project.volume(name).join("data")),
            None => {
                Err(EngineError::new(Trouble::NotFound, doing)
                    .because(format!("there is no volume `{name}`")))
            }
        }
    }

    /// The project that has the network.
    pub(super) fn network(&self, name: &str) -> Result<Option<Project>, EngineError> {
        checked(name, "network")?;
        self.first(name, "network", |project| Ok(project.network(name).is_file().then(|| project.clone())))
    }

    fn first<T>(
        &self,
        name: &str,
        what: &str,
        find: impl Fn(&Project) -> io::Result<Option<T>>,
    ) -> Result<Option<T>, EngineError> {
        let look = || {
            for project in self.projects()? {
                if let Some(found) = find(&project)? {
                    return Ok(Some(found));
                }
            }
            Ok(None)
        };
        look().map_err(fail(format!("look for {what} `{name}`")))
    }
}

impl Project {
    pub(super) fn containers(&self) -> PathBuf {
        self.dir.join("containers")
    }

    pub(super) fn instances(&self) -> PathBuf {
        self.dir.join("instances")
    }

    pub(super) fn volumes(&self) -> PathBuf {
        self.dir.join("volumes")
    }

    pub(super) fn volume(&self, name: &str) -> PathBuf {
        self.volumes().join(name)
    }

    pub(super) fn networks(&self) -> PathBuf {
        self.dir.join("networks")
    }

    pub(super) fn network(&self, name: &str) -> PathBuf {
        self.networks().join(format!("{name}.json"))
    }

    pub(super) fn addresses(&self) -> PathBuf {
        self.dir.join("addresses.json")
    }

    /// The link that gives a container its name.
    pub(super) fn link(&self, container: &str) -> PathBuf {
        self.containers().join(container)
    }

    /// The container of this name.
    pub(super) fn container(&self, name: &str) -> io::Result<Option<Instance>> {
        match fs::read_link(self.link(name)) {
            Ok(target) => {
                let id = target.file_name().and_then(|id| id.to_str()).unwrap_or_default().to_owned();
                let dir = self.instances().join(&id);
                Ok(Some(Instance { dir, id, name: name.to_owned(), project: self.clone() }))
            }
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Removes what a crash left of containers that have no name (any more), and the project itself once nothing is
    /// left of it.
    pub(super) fn tidy(&self) -> io::Result<()> {
        let mut named = Vec::new();
        for name in names_in(&self.containers())? {
            named.extend(self.container(&name)?.map(|instance| instance.id));
        }
        for id in names_in(&self.instances())?.into_iter().filter(|id| !named.contains(id)) {
            fs::remove_dir_all(self.instances().join(id))?;
        }
        let kept = [self.containers(), self.volumes(), self.networks()];
        let mut empty = true;
        for dir in kept {
            empty &= names_in(&dir)?.is_empty();
        }
        if empty && self.dir.is_dir() {
            fs::remove_dir_all(&self.dir)?;
        }
        Ok(())
    }
}

/// The names in a directory, sorted, without those that begin with a dot; none where it does not exist.
pub(super) fn names_in(dir: &Path) -> io::Result<Vec<String>> {
    let entries = match fs::read_dir(dir) {
        Ok(entries) => entries,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error),
    };
    let mut names = Vec::new();
    for entry in entries {
        names.extend(entry?.file_name().into_string().ok().filter(|name| !name.starts_with('.')));
    }
    names.sort();
    Ok(names)
}

/// Refuses a name that would be another path.
pub(super) fn checked(name: &str, what: &str) -> Result<(), EngineError> {
    let safe = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.');
    if name.bytes().all(safe) && name.starts_with(|first: char| first.is_ascii_alphanumeric()) {
        return Ok(());
    }
    Err(EngineError::new(Trouble::Unsupported, format!("use the {what} name `{name}`")).because(
        "it has to begin with a letter or digit and hold nothing but letters, digits, `_`, `.` and `-`",
    ))
}

/// Reads a JSON file; `None` where it does not exist.
pub(super) fn read<T: DeserializeOwned>(path: &Path) -> io::Result<Option<T>> {
    match fs::read(path) {
        Ok(bytes) => serde_json::from_slice(&bytes)
            .map(Some)
            .map_err(|error| io::Error::new(ErrorKind::InvalidData, format!("{}: {error}", path.display()))),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// Replaces a JSON file whole, readable by its owner alone.
pub(super) fn write<T: Serialize>(path: &Path, value: &T) -> io::Result<()> {
    let mut bytes = serde_json::to_vec_pretty(value)?;
    bytes.push(b'\n');
    files::replace(path, &bytes, Readers::Owner)
}

/// Makes an [`EngineError`] of what the file system said while we were `doing` something.
pub(super) fn fail(doing: impl Into<String>) -> impl FnOnce(io::Error) -> EngineError {
    let doing = doing.into();
    move |error| {
        let trouble = match error.kind() {
            ErrorKind::NotFound => Trouble::NotFound,
            ErrorKind::PermissionDenied | ErrorKind::ReadOnlyFilesystem => Trouble::Denied,
            ErrorKind::AlreadyExists => Trouble::Conflict,
            _ => Trouble::Refused,
        };
        EngineError::new(trouble, doing).because(error)
    }
}
