//! A release: an immutable directory that holds everything a rollback needs.
//!
//! ```text
//! releases/N/release.json    shape with references, secret versions, when, by which tool
//! releases/N/held.age        held values and sensitive files, sealed
//! files/HASH[/…]             content that containers mount, shared by all releases that use it
//! ```

use std::{
    collections::BTreeMap,
    fs, io,
    os::unix::fs::PermissionsExt,
    path::{Component, Path, PathBuf},
};

use host::files::{Readers, make_dir, replace, sync_parent};
use plan::{ComposeHashes, ImageKept};
use secrets::{Keyring, Secret};
use serde::{Deserialize, Serialize};
use stack::{ContentId, Materials, SecretName, Shape, Tree};

use crate::{
    StackDir,
    schema::{self, SchemaError},
};

/// The version string a release carries.
const SCHEMA: &str = "seaworthy.release/1";

/// A release as it stands on disk.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Release {
    /// `seaworthy.release/1`.
    pub schema: String,
    /// Its number.
    pub number: u64,
    /// When it was written.
    pub written_at: jiff::Timestamp,
    /// Version of the tool that wrote it.
    pub tool: String,
    /// The shape, secrets as references.
    pub shape: Box<Shape>,
    /// Secret versions it uses.
    pub secrets: BTreeMap<SecretName, u32>,
    /// What Compose would label with what the shape says.
    #[serde(default)]
    pub compose: ComposeHashes,
    /// The images it was made from, by reference as written.
    #[serde(default)]
    pub images: BTreeMap<String, ImageKept>,
}

/// Why a release could not be kept or read.
#[derive(Debug, thiserror::Error)]
pub enum ReleaseError {
    /// A file could not be written or read.
    #[error("cannot use `{}`", .path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// A file does not hold what it should.
    #[error("`{}` is damaged", .path.display())]
    Damaged {
        /// Which.
        path: PathBuf,
        /// Why.
        #[source]
        source: serde_json::Error,
    },
    /// Another version wrote it.
    #[error("`{}` is of version `{found}`, and this program reads `{known}`", .path.display())]
    Version {
        /// Which.
        path: PathBuf,
        /// What it says.
        found: String,
        /// What is known here.
        known: &'static str,
    },
    /// Another release has its number: releases are immutable.
    #[error("release {number} is there already and is another one: `{}`; restore with a new `--state-dir`", .path.display())]
    Taken {
        /// Which.
        number: u64,
        /// Where.
        path: PathBuf,
    },
    /// Its held values could not be sealed or opened.
    #[error("cannot open the held values of release {number}: {because}")]
    Sealed {
        /// Which.
        number: u64,
        /// Why.
        because: String,
    },
}

impl ReleaseError {
    /// What to do about it, where that is known.
    pub fn hint(&self) -> Option<String> {
        matches!(self, Self::Version { .. }).then(|| diag::BY_A_NEWER_ONE.to_owned())
    }
}

/// What is sealed: values and files that must not be seen, as JSON.
#[derive(Serialize, Deserialize, Default)]
pub(crate) struct Held {
    values: BTreeMap<ContentId, String>,
    /// Base64, because a file need not be text.
    files: BTreeMap<ContentId, String>,
}

impl Held {
    pub(crate) fn of(materials: &Materials) -> Self {
        let files = materials.sensitive.iter();
        Self {
            values: materials.held.clone(),
            files: files.map(|(id, bytes)| (id.clone(), data_encoding::BASE64.encode(bytes))).collect(),
        }
    }

    pub(crate) fn into_materials(self, trees: BTreeMap<ContentId, Tree>) -> Materials {
        let decode =
            |(id, text): (ContentId, String)| Some((id, data_encoding::BASE64.decode(text.as_bytes()).ok()?));
        Materials { held: self.values, sensitive: self.files.into_iter().filter_map(decode).collect(), trees }
    }
}

impl Release {
    /// A release to be written.
    pub fn new(number: u64, shape: Shape, secrets: BTreeMap<SecretName, u32>, now: jiff::Timestamp) -> Self {
        let tool = env!("CARGO_PKG_VERSION").to_owned();
        let (schema, shape, compose) = (SCHEMA.to_owned(), Box::new(shape), ComposeHashes::default());
        let images = BTreeMap::new();
        Self { schema, number, written_at: now, tool, shape, secrets, compose, images }
    }

    /// Writes it whole, or not at all; done already where it exists.
    ///
    /// # Errors
    /// When the state directory cannot be written, or holds another release of that number.
    pub fn write(
        &self,
        dir: &StackDir,
        materials: &Materials,
        keyring: &Keyring,
    ) -> Result<(), ReleaseError> {
        let releases = dir.releases();
        let place = releases.join(self.number.to_string());
        if place.is_dir() {
            let there = Self::read(dir, self.number)?;
            return match there.shape == self.shape && there.secrets == self.secrets {
                true => Ok(()),
                false => Err(ReleaseError::Taken { number: self.number, path: place }),
            };
        }
        for (id, tree) in &materials.trees {
            keep_tree(dir, id, tree)?;
        }
        let partial = releases.join(format!(".{}.partial", self.number));
        if partial.is_dir() {
            fs::remove_dir_all(&partial).map_err(file(&partial))?;
        }
        make_dir(&partial, Readers::Owner).map_err(file(&partial))?;
        let held = Secret::new(serde_json::to_vec(&Held::of(materials)).expect("text always serialises"));
        let sealed = secrets::seal(&[keyring.recipient()], held.expose())
            .map_err(|err| ReleaseError::Sealed { number: self.number, because: err.to_string() })?;
        replace(&partial.join("held.age"), &sealed, Readers::Owner).map_err(file(&partial))?;
        let text = serde_json::to_vec_pretty(self).expect("a release always serialises");
        replace(&partial.join("release.json"), &text, Readers::Owner).map_err(file(&partial))?;
        fs::rename(&partial, &place).map_err(file(&place))?;
        sync_parent(&place).map_err(file(&place))
    }

    /// All releases on disk, oldest first.
    ///
    /// # Errors
    /// When one cannot be read.
    pub fn list(dir: &StackDir) -> Result<Vec<Release>, ReleaseError> {
        Self::numbers(dir)?.into_iter().map(|number| Self::read(dir, number)).collect()
    }

    /// Numbers of all releases on disk, in order.
    pub(crate) fn numbers(dir: &StackDir) -> Result<Vec<u64>, ReleaseError> {
        let releases = dir.releases();
        let entries = match fs::read_dir(&releases) {
            Ok(entries) => entries,
            Err(err) if err.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(err) => return Err(file(&releases)(err)),
        };
        let mut numbers: Vec<u64> =
            entries.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok()).collect();
        numbers.sort_unstable();
        Ok(numbers)
    }

    /// One release.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn read(dir: &StackDir, number: u64) -> Result<Release, ReleaseError> {
        let path = dir.releases().join(number.to_string()).join("release.json");
        let text = fs::read(&path).map_err(file(&path))?;
        schema::read(&text, SCHEMA).map_err(|unread| match unread {
            SchemaError::Version { found, known } => ReleaseError::Version { path, found, known },
            SchemaError::Damaged(source) => ReleaseError::Damaged { path, source },
        })
    }

    /// The bytes behind its references.
    ///
    /// # Errors
    /// When they cannot be opened with this keyring.
    pub fn materials(&self, dir: &StackDir, keyring: &Keyring) -> Result<Materials, ReleaseError> {
        let mut materials = Self::held(dir, self.number, keyring)?;
        for id in contents_of(&self.shape) {
            materials.trees.insert(id.clone(), read_tree(&kept_path(dir, &id))?);
        }
        Ok(materials)
    }

    /// What release `number` holds sealed, without the content that it mounts.
    pub(crate) fn held(dir: &StackDir, number: u64, keyring: &Keyring) -> Result<Materials, ReleaseError> {
        let path = dir.releases().join(number.to_string()).join("held.age");
        let sealed = fs::read(&path).map_err(file(&path))?;
        let opened = secrets::open(keyring.identity(), &sealed)
            .map_err(|err| ReleaseError::Sealed { number, because: err.to_string() })?;
        let held: Held = serde_json::from_slice(opened.expose())
            .map_err(|source| ReleaseError::Damaged { path, source })?;
        Ok(held.into_materials(BTreeMap::new()))
    }
}

/// Content ids that a shape mounts or delivers in the open.
fn contents_of(shape: &Shape) -> Vec<ContentId> {
    let mounts =
        shape.services.values().flat_map(|service| &service.mounts).filter_map(|mount| match &mount.source {
            stack::MountSource::Bind { content, .. } => content.clone(),
            _ => None,
        });
    let files = shape.services.values().flat_map(|service| &service.files).filter(|file| !file.sensitive);
    let files = files.filter_map(|file| match &file.source {
        stack::FileSource::Content { content, .. } => Some(content.clone()),
        stack::FileSource::Secret { .. } => None,
    });
    let mut ids: Vec<ContentId> = mounts.chain(files).collect();
    ids.sort();
    ids.dedup();
    ids
}

/// Where a piece of content is kept.
pub(crate) fn kept_path(dir: &StackDir, id: &ContentId) -> PathBuf {
    dir.files().join(&id.0)
}

/// Keeps a piece of content: whole, or not at all.
pub(crate) fn keep_tree(dir: &StackDir, id: &ContentId, tree: &Tree) -> Result<PathBuf, ReleaseError> {
    let place = kept_path(dir, id);
    if place.exists() {
        return Ok(place);
    }
    let files = dir.files();
    make_dir(&files, Readers::Owner).map_err(file(&files))?;
    match tree {
        Tree::File { bytes, mode } => {
            let partial = files.join(format!(".{}.partial", id.0));
            write_member(&partial, bytes, *mode)?;
            fs::rename(&partial, &place).map_err(file(&place))?;
            sync_parent(&place).map_err(file(&place))?;
        }
        Tree::Directory(members) => {
            let partial = files.join(format!(".{}.partial", id.0));
            if partial.is_dir() {
                fs::remove_dir_all(&partial).map_err(file(&partial))?;
            }
            fs::create_dir_all(&partial).map_err(file(&partial))?;
            for (name, (bytes, mode)) in members {
                let path = partial.join(name);
                let parent = path.parent().expect("a joined path has a parent");
                fs::create_dir_all(parent).map_err(file(parent))?;
                write_member(&path, bytes, *mode)?;
            }
            fs::rename(&partial, &place).map_err(file(&place))?;
            sync_parent(&place).map_err(file(&place))?;
        }
    }
    Ok(place)
}

/// A file with the mode it had where it was read.
fn write_member(path: &Path, bytes: &[u8], mode: u32) -> Result<(), ReleaseError> {
    replace(path, bytes, Readers::Everybody).map_err(file(path))?;
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).map_err(file(path))
}

fn read_tree(path: &Path) -> Result<Tree, ReleaseError> {
    let mode =
        |path: &Path| fs::metadata(path).map(|meta| meta.permissions().mode() & 0o7777).map_err(file(path));
    if path.is_file() {
        return Ok(Tree::File { bytes: fs::read(path).map_err(file(path))?, mode: mode(path)? });
    }
    let mut members = BTreeMap::new();
    let mut left = vec![path.to_owned()];
    while let Some(dir) = left.pop() {
        for entry in fs::read_dir(&dir).map_err(file(&dir))? {
            let member = entry.map_err(file(&dir))?.path();
            if member.is_dir() {
                left.push(member);
                continue;
            }
            let name = member
                .strip_prefix(path)
                .expect("a member stands below its root")
                .to_string_lossy()
                .into_owned();
            members.insert(name, (fs::read(&member).map_err(file(&member))?, mode(&member)?));
        }
    }
    Ok(Tree::Directory(members))
}

fn file(path: &Path) -> impl FnOnce(io::Error) -> ReleaseError {
    let path = path.to_owned();
    move |source| ReleaseError::File { path, source }
}

/// A release as one tar: `release.json`, `held.json` (opened: the set seals it), `files/HASH[/…]`.
///
/// # Errors
/// Never for want of memory alone; the tar is written to memory.
pub(crate) fn pack(release: &Release, materials: &Materials) -> io::Result<Secret<Vec<u8>>> {
    let mut tar = tar::Builder::new(Vec::new());
    let mut add = |name: &str, bytes: &[u8], mode: u32| {
        let mut header = tar::Header::new_gnu();
        header.set_size(bytes.len() as u64);
        header.set_mode(mode);
        tar.append_data(&mut header, name, bytes)
    };
    add("release.json", &serde_json::to_vec_pretty(release).map_err(io::Error::other)?, 0o600)?;
    let held = Secret::new(serde_json::to_vec(&Held::of(materials)).map_err(io::Error::other)?);
    add("held.json", held.expose(), 0o600)?;
    for (id, tree) in &materials.trees {
        match tree {
            Tree::File { bytes, mode } => add(&format!("files/{}", id.0), bytes, *mode)?,
            Tree::Directory(members) => {
                // A place of its own, because a directory may be empty.
                add(&format!("files/{}/", id.0), &[], 0o755)?;
                for (name, (bytes, mode)) in members {
                    add(&format!("files/{}/{name}", id.0), bytes, *mode)?;
                }
            }
        }
    }
    tar.into_inner().map(Secret::new)
}

/// The way back from [`pack`].
///
/// # Errors
/// When it is not such a tar.
pub(crate) fn unpack(tar: &[u8]) -> io::Result<(Release, Materials)> {
    let damaged =
        |what: &str| io::Error::new(io::ErrorKind::InvalidData, format!("the release in the set {what}"));
    let mut release: Option<Release> = None;
    let mut held = Held::default();
    let mut trees: BTreeMap<ContentId, Tree> = BTreeMap::new();
    for member in tar::Archive::new(tar).entries()? {
        let mut member = member?;
        let name = member.path()?.to_string_lossy().into_owned();
        let mode = member.header().mode()?;
        let mut bytes = Vec::new();
        io::Read::read_to_end(&mut member, &mut bytes)?;
        match name.as_str() {
            "release.json" => {
                let read = schema::read(&bytes, SCHEMA).map_err(|unread| match unread {
                    SchemaError::Version { found, known } => {
                        damaged(&format!("is of version `{found}`, and this program reads `{known}`"))
                    }
                    SchemaError::Damaged(source) => io::Error::other(source),
                });
                release = Some(read?);
            }
            "held.json" => held = serde_json::from_slice(&bytes).map_err(io::Error::other)?,
            _ => {
                let place = name.strip_prefix("files/").ok_or_else(|| damaged(&format!("holds `{name}`")))?;
                let plain = |part: Component<'_>| matches!(part, Component::Normal(_));
                if !Path::new(place).components().all(plain) {
                    return Err(damaged(&format!("holds `{name}`, which leads out of it")));
                }
                match place.split_once('/') {
                    None => {
                        trees.insert(ContentId(place.to_owned()), Tree::File { bytes, mode });
                    }
                    Some((id, member)) => {
                        let tree = trees
                            .entry(ContentId(id.to_owned()))
                            .or_insert_with(|| Tree::Directory(BTreeMap::new()));
                        let Tree::Directory(members) = tree else {
                            return Err(damaged("is both file and directory"));
                        };
                        if !member.is_empty() {
                            members.insert(member.to_owned(), (bytes, mode));
                        }
                    }
                }
            }
        }
    }
    let release = release.ok_or_else(|| damaged("has no release.json"))?;
    Ok((release, held.into_materials(trees)))
}

#[cfg(test)]
mod tests;
