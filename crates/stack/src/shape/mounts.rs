//! What is mounted into a container, and files delivered into it.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::names::{SecretName, ServiceName, VolumeKey};

/// Something mounted into a container.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mount {
    /// Absolute path inside.
    pub target: String,
    /// What is mounted.
    pub source: MountSource,
    /// Read-only.
    pub read_only: bool,
}

/// What a mount brings in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "lowercase")]
pub enum MountSource {
    /// A named volume of the stack.
    Volume {
        /// Its key in the Compose file.
        volume: VolumeKey,
        /// A new volume stays empty instead of taking what the image holds there.
        #[serde(default)]
        nocopy: bool,
        /// The directory of the volume that is mounted (API 1.45).
        #[serde(default)]
        subpath: Option<String>,
    },
    /// A volume without a name.
    Anonymous,
    /// A path of the host. `content` is the hash of what a read-only bind holds: part of the service's identity,
    /// and what a release keeps. Writable binds never have one.
    Bind {
        /// Absolute path.
        path: String,
        /// Hash of the file or tree, for read-only binds up to 200 files and 4 MiB.
        content: Option<ContentId>,
        /// What is said of it besides.
        #[serde(default)]
        options: BindOptions,
    },
    /// Memory.
    Tmpfs {
        /// Limit in bytes.
        size_bytes: Option<u64>,
        /// Mode bits.
        mode: Option<u32>,
    },
    /// The files of an image (API 1.48).
    Image {
        /// Its reference.
        image: String,
        /// The directory of it that is mounted.
        subpath: Option<String>,
    },
}

impl MountSource {
    /// A named volume, mounted whole.
    pub fn volume(volume: impl Into<VolumeKey>) -> Self {
        Self::Volume { volume: volume.into(), nocopy: false, subpath: None }
    }

    /// A path of the host whose content nobody keeps.
    pub fn bind(path: impl Into<String>) -> Self {
        Self::Bind { path: path.into(), content: None, options: BindOptions::default() }
    }
}

/// Options of a bind.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct BindOptions {
    /// The path is made, as a directory, where it is missing.
    pub create_host_path: bool,
    /// How mounts below it travel: `rprivate`, `rshared`, and so on.
    pub propagation: Option<String>,
    /// SELinux label: `z` shared, `Z` private.
    pub selinux: Option<String>,
    /// What becomes of mounts below it.
    pub recursive: Option<Recursive>,
}

/// What becomes of mounts below a bind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Recursive {
    /// They come along, read-only where the bind is and the kernel can.
    Enabled,
    /// They are left out.
    Disabled,
    /// They come along, writable even where the bind is not.
    Writable,
    /// They come along, read-only, or it fails.
    Readonly,
}

/// An entry of `volumes_from`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "of", rename_all = "lowercase")]
pub enum VolumesFrom {
    /// A service of the stack.
    Service {
        /// Its name.
        service: ServiceName,
        /// Read-only.
        read_only: bool,
    },
    /// A container, whoever made it.
    Container {
        /// Its name.
        container: String,
        /// Read-only.
        read_only: bool,
    },
}

/// A Compose secret or config as a file in the container.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileMount {
    /// Absolute path inside.
    pub target: String,
    /// Where the content comes from.
    pub source: FileSource,
    /// Owner, numeric.
    pub uid: u32,
    /// Group, numeric.
    pub gid: u32,
    /// Mode bits. Compose's default is 0444.
    pub mode: u32,
    /// True for `secrets:`: the content is kept sealed.
    pub sensitive: bool,
}

/// Where the content of a delivered file comes from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "lowercase")]
pub enum FileSource {
    /// A secret of `[secret]`.
    Secret {
        /// Its name.
        name: SecretName,
    },
    /// A file, an inline content or a variable, by the hash of its content; the bytes are in the materials.
    Content {
        /// Keyed hash where the file is sensitive, plain SHA-256 otherwise.
        content: ContentId,
        /// What a person calls it (a path, `inline`, a variable's name).
        label: String,
    },
}

/// The hash that names a piece of content. Hex.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ContentId(pub String);

/// A volume of the stack.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Volume {
    /// `name:`, when given; else `PROJECT_KEY`.
    pub name: Option<String>,
    /// It exists already and is not ours.
    pub external: bool,
    /// Driver, when given.
    pub driver: Option<String>,
    /// Driver options.
    pub driver_opts: BTreeMap<String, String>,
    /// Labels the user wrote.
    pub labels: BTreeMap<String, String>,
}
