//! Makes an instance: its directory with everything in it, then the link that gives it its name.

use std::{
    collections::BTreeMap,
    env, fs,
    io::{self, ErrorKind, Write},
    os::unix::fs::{OpenOptionsExt, symlink},
    path::{Component, Path, PathBuf},
};

use data_encoding::HEXLOWER;
use plan::{Container, Delivered, Mark, Output, ResolvedMount};
use rand::RngCore;
use rustix::process::Signal;
use stack::{FileSource, MountSource, ProcessSpec};

use super::{
    Process,
    forms::{self, Form},
    instance::{Files, GRACE, Launch, State, Wanted},
    kin::MARK,
    places::{Project, checked, fail},
    signals,
};
use crate::{
    Contents, EngineError, Trouble,
    files::{Readers, make_dir, sync_parent},
};

/// What a service inherits from the environment the engine runs in: what programs need to find things, and nothing
/// that could be a secret.
const INHERITED: [&str; 7] = ["PATH", "HOME", "USER", "TMPDIR", "TZ", "LANG", "LC_ALL"];

/// Compose's label for the directory that a stack's files are in.
const WORKING_DIR: &str = "com.docker.compose.project.working_dir";

impl Process {
    pub(super) fn create(
        &self,
        container: &Container,
        contents: &dyn Contents,
    ) -> Result<Output, EngineError> {
        let name = &container.name;
        let doing = format!("create container `{name}`");
        if let Some(there) = self.places.container(name)? {
            let made_from = there.spec()?;
            let same = made_from.identity == container.identity
                && made_from.release == container.release
                && made_from.labels.get(Mark::LABEL) == container.labels.get(Mark::LABEL)
                && there.project.name == container.stack.as_str();
            return if same {
                Ok(Output::Unchanged)
            } else {
                let because = format!("another container has that name, of stack `{}`", there.project.name);
                Err(EngineError::new(Trouble::Conflict, doing).because(because))
            };
        }
        let Some(process) = &container.settings.process else {
            let service = &container.service;
            return Err(EngineError::new(Trouble::Unsupported, doing)
                .because(format!("the process engine is not told what to run for service `{service}`"))
                .hint(format!(
                    "write `[service.{service}] process = {{ command = [\"…\"] }}` in seaworthy.toml"
                )));
        };
        let project = self.places.project(container.stack.as_str())?;
        project.tidy().map_err(fail(doing.as_str()))?;
        let id = instance_id();
        let dir = project.instances().join(&id);
        let making =
            Making { engine: self, container, contents, project: &project, dir: &dir, doing: &doing };
        let made = making.make(process, &id).and_then(|()| making.name(&id));
        if let Err(error) = made {
            // What is left if this fails too is removed by the next `create`; the first error is the one to tell.
            let _ = fs::remove_dir_all(&dir);
            return Err(error);
        }
        Ok(Output::None)
    }
}

fn instance_id() -> String {
    let mut bytes = [0; 8];
    rand::thread_rng().fill_bytes(&mut bytes);
    HEXLOWER.encode(&bytes)
}

/// An instance on its way.
struct Making<'a> {
    engine: &'a Process,
    container: &'a Container,
    contents: &'a dyn Contents,
    project: &'a Project,
    dir: &'a Path,
    doing: &'a str,
}

impl Making<'_> {
    /// Everything but the name.
    fn make(&self, process: &ProcessSpec, id: &str) -> Result<(), EngineError> {
        let io = |result: io::Result<()>| result.map_err(fail(self.doing));
        for dir in [self.project.containers(), self.dir.join("private"), self.dir.join("files")] {
            io(make_dir(&dir, Readers::Owner))?;
        }
        for file in &self.container.files {
            self.deliver(file)?;
        }
        // Chosen now, so that whoever reaches it later only has to look it up.
        self.address("self")?;
        let command: Result<Vec<String>, _> = process.command.iter().map(|text| self.expand(text)).collect();
        let command = command?;
        if command.is_empty() {
            return Err(
                self.refuse(format!("`process` of service `{}` has no command", self.container.service))
            );
        }
        let settings = &self.container.settings;
        let launch = Launch {
            instance: id.to_owned(),
            command,
            environment: self.environment(process, id)?,
            directory: self.directory(),
            stop_signal: self.stop_signal()?.as_raw(),
            grace: settings.stop_grace.unwrap_or(GRACE),
        };
        let files = Files(self.dir.to_owned());
        io(files.write_launch(&launch))?;
        io(files.write_wanted(Wanted { stopped: false, restart: settings.restart, grace: None }))?;
        io(files.write_state(&State::created()))?;
        io(files.write_spec(self.container))
    }

    /// The link that makes it a container; fails where another took the name in the meantime.
    fn name(&self, id: &str) -> Result<(), EngineError> {
        let link = self.project.link(&self.container.name);
        let linked = symlink(Path::new("../instances").join(id), &link).and_then(|()| sync_parent(&link));
        linked.map_err(fail(self.doing))
    }

    fn refuse(&self, because: String) -> EngineError {
        EngineError::new(Trouble::Unsupported, self.doing).because(because)
    }

    fn stop_signal(&self) -> Result<Signal, EngineError> {
        let Some(name) = &self.container.settings.stop_signal else { return Ok(Signal::TERM) };
        signals::signal(name).ok_or_else(|| self.refuse(format!("`{name}` is not a stop signal we know")))
    }

    /// The directory of the stack's files, as a person would run the command by hand. `working_dir` is a path of the
    /// image, which is not used here.
    fn directory(&self) -> PathBuf {
        let declared = self.container.labels.get(WORKING_DIR).map(PathBuf::from);
        declared.filter(|dir| dir.is_dir()).unwrap_or_else(|| self.dir.join("files"))
    }

    fn environment(&self, process: &ProcessSpec, id: &str) -> Result<BTreeMap<String, String>, EngineError> {
        let inherited = |name: &str| Some((name.to_owned(), env::var(name).ok()?));
        let mut all: BTreeMap<String, String> = INHERITED.into_iter().filter_map(inherited).collect();
        for (name, value) in &self.container.settings.environment {
            match value {
                Some(text) => {
                    let value = self.contents.text(text);
                    let value = value
                        .map_err(|error| EngineError::new(Trouble::NotFound, self.doing).because(error))?;
                    all.insert(name.clone(), value.expose().clone());
                }
                None => drop(all.remove(name)),
            }
        }
        for (name, value) in &process.environment {
            all.insert(name.clone(), self.expand(value)?);
        }
        all.insert(MARK.to_owned(), id.to_owned());
        Ok(all)
    }

    fn expand(&self, text: &str) -> Result<String, EngineError> {
        forms::expand(text, |form| self.resolve(form))
    }

    fn resolve(&self, form: Form<'_>) -> Result<String, EngineError> {
        let found = match form.kind {
            "address" => return self.address(form.name),
            "volume" => self.volume(form.name)?,
            "file" => self.file(form.name),
            "mount" => self.mount(form.name)?,
            _ => {
                return Err(self
                    .refuse(format!("`${{{}:{}}}` is not a form that `process` has", form.kind, form.name))
                    .hint("the forms are `${address:SERVICE}`, `${volume:NAME}`, `${file:NAME}` and `${mount:TARGET}`"));
            }
        };
        let path = found.ok_or_else(|| {
            let (service, kind) = (&self.container.service, form.kind);
            self.refuse(format!("service `{service}` has no {kind} `{}` in the Compose file", form.name))
        })?;
        path.into_os_string()
            .into_string()
            .map_err(|path| self.refuse(format!("{} is not UTF-8", path.display())))
    }

    fn address(&self, service: &str) -> Result<String, EngineError> {
        let service = if service == "self" { self.container.service.as_str() } else { service };
        checked(service, "service")?;
        let address = self.engine.places.address(self.project, service);
        address.map(|address| address.to_string()).map_err(fail(self.doing))
    }

    /// The directory of a volume that the service mounts, by its key or by the engine's name.
    fn volume(&self, name: &str) -> Result<Option<PathBuf>, EngineError> {
        let keyed = self.container.settings.mounts.iter().find(
            |mount| matches!(&mount.source, MountSource::Volume { volume, .. } if volume.as_str() == name),
        );
        let wanted = self.container.mounts.iter().find_map(|mount| match mount {
            ResolvedMount::Volume { name: known, target, .. }
                if known == name || keyed.is_some_and(|keyed| keyed.target == *target) =>
            {
                Some(known)
            }
            _ => None,
        });
        wanted.map(|known| self.engine.places.volume_data(known, self.doing)).transpose()
    }

    /// Where a delivered file is: by its secret's name, its target, the target's last part, or its label.
    fn file(&self, name: &str) -> Option<PathBuf> {
        let by: [fn(&Delivered, &str) -> bool; 4] = [
            |file, name| matches!(&file.source, FileSource::Secret { name: secret } if secret.as_str() == name),
            |file, name| file.target == name,
            |file, name| file.target.rsplit('/').next() == Some(name),
            |file, name| matches!(&file.source, FileSource::Content { label, .. } if label == name),
        ];
        let found = by.iter().find_map(|by| self.container.files.iter().find(|file| by(file, name)))?;
        self.delivered(&found.target)
    }

    /// Where a file with this target is put.
    fn delivered(&self, target: &str) -> Option<PathBuf> {
        let relative = Path::new(target).strip_prefix("/").ok()?;
        let plain = relative.components().all(|part| matches!(part, Component::Normal(_)));
        (plain && !relative.as_os_str().is_empty()).then(|| self.dir.join("files").join(relative))
    }

    /// What Compose mounts at a target.
    fn mount(&self, target: &str) -> Result<Option<PathBuf>, EngineError> {
        let at = |mount: &ResolvedMount| match mount {
            ResolvedMount::Volume { target, .. }
            | ResolvedMount::Anonymous { target }
            | ResolvedMount::Bind { target, .. }
            | ResolvedMount::Kept { target, .. }
            | ResolvedMount::Tmpfs { target, .. }
            | ResolvedMount::Image { target, .. } => target.clone(),
        };
        let Some(mount) = self.container.mounts.iter().find(|mount| at(mount) == target) else {
            return Ok(None);
        };
        let path = match mount {
            ResolvedMount::Volume { name, .. } => self.engine.places.volume_data(name, self.doing)?,
            ResolvedMount::Bind { source, .. } => PathBuf::from(source),
            ResolvedMount::Kept { content, .. } => self
                .contents
                .kept(content)
                .map_err(|error| EngineError::new(Trouble::NotFound, self.doing).because(error))?,
            ResolvedMount::Image { image, .. } => {
                return Err(
                    self.refuse(format!("image `{image}` cannot be mounted: there are no images here"))
                );
            }
            ResolvedMount::Anonymous { .. } | ResolvedMount::Tmpfs { .. } => {
                let dir = self.dir.join("anonymous").join(target.trim_matches('/').replace('/', "-"));
                make_dir(&dir, Readers::Owner).map_err(fail(self.doing))?;
                dir
            }
        };
        Ok(Some(path))
    }

    /// Writes a file where nobody but us may read it, whatever mode it would have in a container of its own.
    fn deliver(&self, file: &Delivered) -> Result<(), EngineError> {
        let path = self
            .delivered(&file.target)
            .ok_or_else(|| self.refuse(format!("`{}` is not the absolute path of a file", file.target)))?;
        let bytes = self.contents.file(file);
        let bytes = bytes.map_err(|error| EngineError::new(Trouble::NotFound, self.doing).because(error))?;
        let write = || {
            let above = path.parent().ok_or(ErrorKind::InvalidInput)?;
            make_dir(above, Readers::Owner)?;
            let mode = (file.mode & 0o700) | 0o400;
            let mut file = fs::OpenOptions::new().write(true).create_new(true).mode(mode).open(&path)?;
            file.write_all(bytes.expose())?;
            file.sync_all()
        };
        write().map_err(fail(format!("deliver `{}` to container `{}`", file.target, self.container.name)))
    }
}
