//! How an image is built.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::{names::SecretName, text::Text};

/// How an image is built from files of the user's, by the engine.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Build {
    /// Directory that is sent to the engine, absolute; or the address of a repository or archive.
    pub context: String,
    /// The Dockerfile, within the context or absolute. Nothing: `Dockerfile`.
    pub dockerfile: Option<String>,
    /// The Dockerfile's text, in place of a file.
    pub dockerfile_inline: Option<String>,
    /// Build arguments; `None` takes the value from the engine's proxy settings, if it has one.
    pub args: BTreeMap<String, Option<Text>>,
    /// The stage that is built.
    pub target: Option<String>,
    /// Labels of the image.
    pub labels: BTreeMap<String, String>,
    /// More names for the image.
    pub tags: Vec<String>,
    /// Images whose layers may be used again.
    pub cache_from: Vec<String>,
    /// The cache is not used.
    pub no_cache: bool,
    /// The base image is pulled even where it is there.
    pub pull: bool,
    /// Network during the build.
    pub network: Option<String>,
    /// Platform that is built for.
    pub platform: Option<String>,
    /// Extra hosts, `name=address`.
    pub extra_hosts: Vec<String>,
    /// `/dev/shm` during the build, in bytes.
    pub shm_bytes: Option<u64>,
}

impl Build {
    /// Secrets whose values its arguments are given.
    pub fn secrets_used(&self) -> impl Iterator<Item = &SecretName> {
        self.args.values().flatten().flat_map(Text::secrets)
    }
}
