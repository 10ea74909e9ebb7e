//! Resolves references at the last moment, from the sealed store and from what a release keeps.

use std::path::PathBuf;

use host::{Contents, ContentsError};
use plan::Delivered;
use secrets::{Secret, Store};
use stack::{ContentId, FileSource, Materials, Part, SecretName, Text};

use crate::{
    StackDir,
    release::{keep_tree, kept_path},
};

/// What one release's references stand for.
pub(crate) struct ReleaseContents<'a> {
    pub(crate) dir: &'a StackDir,
    pub(crate) store: &'a Store,
    pub(crate) materials: &'a Materials,
    /// Secret versions the release uses.
    pub(crate) versions: &'a plan::desired::Versions,
}

impl ReleaseContents<'_> {
    fn secret(&self, name: &SecretName, version: Option<u32>) -> Result<Secret<String>, ContentsError> {
        let refused = |because: String| ContentsError { what: format!("secret `{name}`"), because };
        let version = version
            .or_else(|| self.versions.get(name).copied())
            .ok_or_else(|| refused("this release knows no version of it".to_owned()))?;
        self.store.get(name, version).map_err(|err| refused(err.to_string()))
    }
}

impl Contents for ReleaseContents<'_> {
    fn text(&self, text: &Text) -> Result<Secret<String>, ContentsError> {
        let mut failed = None;
        let resolved = text.resolve(|part| match part {
            Part::Literal(literal) => Some(literal.clone()),
            Part::Secret(name) => match self.secret(name, None) {
                Ok(value) => Some(value.expose().clone()),
                Err(err) => {
                    failed = Some(err);
                    None
                }
            },
            Part::Held { id, .. } => self.materials.held.get(id).cloned(),
        });
        let unknown = || ContentsError {
            what: format!("`{text}`"),
            because: "no release keeps the value it stands for".to_owned(),
        };
        resolved.map(Secret::new).ok_or_else(|| failed.unwrap_or_else(unknown))
    }

    fn file(&self, file: &Delivered) -> Result<Secret<Vec<u8>>, ContentsError> {
        match &file.source {
            FileSource::Secret { name } => {
                let value = self.secret(name, file.version)?;
                Ok(Secret::new(value.expose().clone().into_bytes()))
            }
            FileSource::Content { content, label } => {
                let refused =
                    |because: &str| ContentsError { what: format!("`{label}`"), because: because.to_owned() };
                if let Some(bytes) = self.materials.sensitive.get(content) {
                    return Ok(Secret::new(bytes.clone()));
                }
                match self.materials.trees.get(content) {
                    Some(stack::Tree::File { bytes, .. }) => Ok(Secret::new(bytes.clone())),
                    Some(stack::Tree::Directory(_)) => {
                        Err(refused("it is a directory, and a file is needed"))
                    }
                    None => Err(refused("no release keeps its content")),
                }
            }
        }
    }

    fn kept(&self, content: &ContentId) -> Result<PathBuf, ContentsError> {
        let place = kept_path(self.dir, content);
        if place.exists() {
            return Ok(place);
        }
        let refused = |because: String| ContentsError { what: format!("content {}", content.0), because };
        let tree = self.materials.trees.get(content);
        let tree = tree.ok_or_else(|| refused("no release keeps it".to_owned()))?;
        keep_tree(self.dir, content, tree).map_err(|err| refused(err.to_string()))
    }
}
