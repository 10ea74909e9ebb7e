//! A directory that holds sets: on another disk, another machine's mount, never the volume it protects.
//!
//! Nothing here overwrites. A set's manifest is written once, by a link that fails where the name is taken; before that
//! the set is invisible, after it the set is whole.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use plan::{
    SetSeen,
    set::{Object, SetId},
};
use stack::StackName;

use crate::{
    disk::{TargetError, TargetTrouble, create_only, digest_file, make_directories, sync_directory},
    seal::PartialFile,
    signature::SignedManifest,
};

const MANIFEST: &str = "manifest.json";

/// One stack's part of a target directory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    root: PathBuf,
    stack: StackName,
}

/// What a target holds.
#[derive(Debug, Default)]
pub struct Listing {
    /// Committed sets, newest first. What they say is unverified.
    pub sets: Vec<SetSeen>,
    /// Sets whose manifest cannot be read. They hide no other set.
    pub unreadable: Vec<(SetId, TargetError)>,
    /// Sets whose removal was begun and not finished: objects beside a grave.
    pub half_removed: Vec<SetId>,
}

impl Target {
    /// Names a target. Touches nothing: [`Target::check`] does.
    pub fn open(root: impl Into<PathBuf>, stack: &StackName) -> Self {
        Self { root: root.into(), stack: stack.clone() }
    }

    /// The directory given to [`Target::open`].
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// The stack whose sets these are.
    pub fn stack(&self) -> &StackName {
        &self.stack
    }

    /// Where a set's objects and manifest are.
    ///
    /// # Errors
    /// When the id is not the name of a file.
    pub fn set_path(&self, set: &SetId) -> Result<PathBuf, TargetError> {
        Ok(self.home().join("sets").join(self.plain_name(&set.0)?))
    }

    /// Proves that the target takes a set: writes, reads back and removes a small object.
    ///
    /// # Errors
    /// Missing, denied, read-only, full, unfaithful.
    pub fn check(&self, set: &SetId) -> Result<(), TargetError> {
        let doing = || format!("write, read back and remove a probe for set {set}");
        let probe = self.set_path(set)?.join(".probe");
        let bytes = [b"seaworthy probe\n".as_slice(), &[0x5a; 64 * 1024]].concat();
        let directory = probe.parent().expect("the probe is inside the set's directory");
        let written = make_directories(&self.root, directory)
            .and_then(|()| fs::write(&probe, &bytes))
            .and_then(|()| fs::File::open(&probe)?.sync_all())
            .and_then(|()| digest_file(&probe));
        // The directory goes too when it is empty; where a set is being written it is not, and stays.
        let swept = fs::remove_file(&probe);
        let _ = fs::remove_dir(directory);
        let (_, digest) = written.map_err(|err| self.failed(doing(), err))?;
        swept.map_err(|err| self.failed(doing(), err))?;
        if digest == crate::disk::sha256(&bytes) {
            Ok(())
        } else {
            Err(self.trouble(doing(), TargetTrouble::Unfaithful))
        }
    }

    /// Every committed set, newest first by its place in the chain.
    ///
    /// # Errors
    /// When the target cannot be read at all. A target that holds nothing of this stack gives an empty list.
    pub fn list(&self) -> Result<Listing, TargetError> {
        if !self.root.is_dir() {
            let missing = io::Error::from(io::ErrorKind::NotFound);
            return Err(self.failed("list the sets", missing));
        }
        let mut listing = Listing::default();
        for set in self.names_in("sets", "")? {
            let buried = self.grave(&set)?.is_file();
            match self.is_committed(&set)? {
                true => match self.read_manifest(&set) {
                    Ok(signed) => listing.sets.push(self.seen(&signed)),
                    Err(err) => listing.unreadable.push((set, err)),
                },
                false if buried => listing.half_removed.push(set),
                // Being written, or what a crash left of that.
                false => {}
            }
        }
        listing.sets.sort_by(|a, b| (b.sequence, &b.id).cmp(&(a.sequence, &a.id)));
        Ok(listing)
    }

    fn seen(&self, signed: &SignedManifest) -> SetSeen {
        let manifest = signed.unverified();
        SetSeen {
            id: manifest.set.clone(),
            target: self.root.display().to_string(),
            point: manifest.point,
            bytes: manifest.objects.iter().map(|object| object.sealed_bytes).sum(),
            sequence: manifest.sequence,
            release: manifest.release,
            proven_at: None,
        }
    }

    /// The manifest of a committed set, its signature not yet verified.
    ///
    /// # Errors
    /// Missing when the set is not committed, foreign when it is another stack's, damaged when it is no manifest.
    pub fn read_manifest(&self, set: &SetId) -> Result<SignedManifest, TargetError> {
        self.read_signed(set, &self.set_path(set)?.join(MANIFEST))
    }

    /// The manifests of pruned sets: what keeps the chain provable.
    ///
    /// # Errors
    /// When one cannot be read.
    pub fn graves(&self) -> Result<Vec<SignedManifest>, TargetError> {
        let sets = self.names_in("graves", ".json")?;
        sets.iter().map(|set| self.read_signed(set, &self.grave(set)?)).collect()
    }

    fn read_signed(&self, set: &SetId, path: &Path) -> Result<SignedManifest, TargetError> {
        let doing = || format!("read the manifest of set {set}");
        let bytes = fs::read(path).map_err(|err| self.failed(doing(), err))?;
        let signed = SignedManifest::parse(&bytes).map_err(|err| TargetError {
            source: Some(io::Error::other(err)),
            ..self.trouble(doing(), TargetTrouble::Damaged)
        })?;
        let manifest = signed.unverified();
        if manifest.set != *set {
            let because = format!("it is the manifest of set {}", manifest.set);
            let source = Some(io::Error::other(because));
            return Err(TargetError { source, ..self.trouble(doing(), TargetTrouble::Damaged) });
        }
        if manifest.stack != self.stack {
            let because =
                format!("it is a set of the stack `{}`, and not of `{}`", manifest.stack, self.stack);
            let source = Some(io::Error::other(because));
            return Err(TargetError { source, ..self.trouble(doing(), TargetTrouble::Foreign) });
        }
        Ok(signed)
    }

    /// Whether the set has its manifest.
    ///
    /// # Errors
    /// When the target does not say.
    pub fn is_committed(&self, set: &SetId) -> Result<bool, TargetError> {
        let path = self.set_path(set)?.join(MANIFEST);
        path.try_exists().map_err(|err| self.failed(format!("look for set {set}"), err))
    }

    /// Writes the manifest: the instant at which the set exists. The same manifest again changes nothing.
    ///
    /// # Errors
    /// Missing or damaged when an object it names is not there whole, taken when another manifest is.
    pub fn commit(&self, signed: &SignedManifest) -> Result<(), TargetError> {
        let manifest = signed.unverified();
        let doing = || format!("commit set {}", manifest.set);
        for object in &manifest.objects {
            let path = self.object_path(&manifest.set, &object.name)?;
            let found = fs::metadata(&path).map_err(|err| self.failed(doing(), err))?;
            if found.len() != object.sealed_bytes {
                let because =
                    format!("`{}` has {} bytes, not {}", object.name, found.len(), object.sealed_bytes);
                let source = Some(io::Error::other(because));
                return Err(TargetError { source, ..self.trouble(doing(), TargetTrouble::Damaged) });
            }
        }
        let (path, bytes) = (self.set_path(&manifest.set)?.join(MANIFEST), signed.to_bytes());
        let created = make_directories(&self.root, path.parent().expect("it is inside the set"))
            .and_then(|()| create_only(&path, &bytes))
            .map_err(|err| self.failed(doing(), err))?;
        if created {
            return Ok(());
        }
        let standing = fs::read(&path).map_err(|err| self.failed(doing(), err))?;
        if standing == bytes { Ok(()) } else { Err(self.trouble(doing(), TargetTrouble::Taken)) }
    }

    /// Removes what there is of a set that was never committed; a committed one is left alone.
    ///
    /// # Errors
    /// When something cannot be removed.
    pub fn abandon(&self, set: &SetId) -> Result<(), TargetError> {
        if self.is_committed(set)? {
            return Ok(());
        }
        self.remove_files(set).map_err(|err| self.failed(format!("remove what there is of set {set}"), err))
    }

    /// Removes a committed set, manifest first: the signed manifest becomes the grave that keeps the chain provable, and
    /// only then are the objects removed. Called again it finishes what it began.
    ///
    /// In the other order a set that a crash left half gone would still be listed, counted among those to keep, and
    /// found broken by whoever needs it. In this one it is no set from the first instant on.
    ///
    /// # Errors
    /// Missing when there is neither set nor grave.
    pub fn prune(&self, set: &SetId) -> Result<(), TargetError> {
        let doing = || format!("prune set {set}");
        let (path, grave) = (self.set_path(set)?, self.grave(set)?);
        let graves = grave.parent().expect("a grave is inside its directory");
        if self.is_committed(set)? {
            make_directories(&self.root, graves)
                .and_then(|()| fs::rename(path.join(MANIFEST), &grave))
                .and_then(|()| sync_directory(graves))
                .and_then(|()| sync_directory(&path))
                .map_err(|err| self.failed(doing(), err))?;
        } else if !grave.is_file() {
            return Err(self.trouble(doing(), TargetTrouble::Missing));
        }
        self.remove_files(set).map_err(|err| self.failed(doing(), err))
    }

    fn remove_files(&self, set: &SetId) -> io::Result<()> {
        let path = self.set_path(set).map_err(io::Error::other)?;
        let removed = fs::remove_dir_all(&path);
        if removed.as_ref().is_err_and(|err| err.kind() == io::ErrorKind::NotFound) {
            return Ok(());
        }
        removed.and_then(|()| sync_directory(path.parent().expect("a set is inside `sets`")))
    }

    /// Copies a sealed object that another target already has, checking it on the way: no second capture is needed.
    ///
    /// # Errors
    /// When the other's copy is not what `object` says, or this target cannot take it.
    pub async fn copy_object_from(
        &self,
        other: &Target,
        set: &SetId,
        object: &Object,
    ) -> Result<(), TargetError> {
        let (here, other, set, object) = (self.clone(), other.clone(), set.clone(), object.clone());
        let copied = tokio::task::spawn_blocking(move || here.copy_blocking(&other, &set, &object)).await;
        copied.unwrap_or_else(|err| Err(self.failed("copy an object", io::Error::other(err))))
    }

    fn copy_blocking(&self, other: &Target, set: &SetId, object: &Object) -> Result<(), TargetError> {
        let doing = || format!("copy `{}` of set {set} from `{}`", object.name, other.root.display());
        let source = other.object_path(set, &object.name)?;
        let mut from = fs::File::open(source).map_err(|err| other.failed(doing(), err))?;
        let mut partial = PartialFile::create(self, set, &object.name)?;
        io::copy(&mut from, &mut partial).map_err(|err| self.failed(doing(), err))?;
        // Read back before it gets its name, against the manifest's hash: this also proves what was read.
        partial.publish(object.sealed_bytes, &object.sealed_sha256)
    }

    pub(crate) fn object_path(&self, set: &SetId, name: &str) -> Result<PathBuf, TargetError> {
        Ok(self.set_path(set)?.join(self.plain_name(name)?))
    }

    pub(crate) fn home(&self) -> PathBuf {
        self.root.join(self.stack.as_str())
    }

    fn grave(&self, set: &SetId) -> Result<PathBuf, TargetError> {
        Ok(self.home().join("graves").join(format!("{}.json", self.plain_name(&set.0)?)))
    }

    /// A manifest from a target is anybody's text until it is verified: its names must not lead elsewhere.
    fn plain_name<'a>(&self, name: &'a str) -> Result<&'a str, TargetError> {
        let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_');
        if !name.is_empty() && !name.starts_with('.') && name.chars().all(plain) && name != MANIFEST {
            return Ok(name);
        }
        Err(self.trouble(format!("use `{}` as a file name", name.escape_debug()), TargetTrouble::Damaged))
    }

    fn names_in(&self, directory: &str, ending: &str) -> Result<Vec<SetId>, TargetError> {
        let doing = || format!("list the {directory}");
        let entries = match fs::read_dir(self.home().join(directory)) {
            Err(err) if err.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            entries => entries.map_err(|err| self.failed(doing(), err))?,
        };
        let mut names = Vec::new();
        for entry in entries {
            let name = entry.map_err(|err| self.failed(doing(), err))?.file_name();
            let name = name.to_str().and_then(|name| name.strip_suffix(ending));
            names
                .extend(name.filter(|name| self.plain_name(name).is_ok()).map(|name| SetId(name.to_owned())));
        }
        names.sort_unstable();
        Ok(names)
    }

    pub(crate) fn failed(&self, doing: impl Into<String>, err: io::Error) -> TargetError {
        // An error of ours may travel through a writer of somebody else's; it comes out as it went in.
        err.downcast::<TargetError>().unwrap_or_else(|err| TargetError {
            trouble: TargetTrouble::of(&err),
            source: Some(err),
            doing: doing.into(),
            target: self.root.clone(),
        })
    }

    pub(crate) fn trouble(&self, doing: impl Into<String>, trouble: TargetTrouble) -> TargetError {
        TargetError { target: self.root.clone(), doing: doing.into(), trouble, source: None }
    }
}
