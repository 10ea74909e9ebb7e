//! The bytes a shape refers to but does not hold: file contents and held values.

use std::collections::BTreeMap;

use crate::shape::ContentId;

/// What a [`Shape`](crate::Shape)'s references stand for. Never printed, never part of a plan; a release keeps the
/// sensitive part sealed.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Materials {
    /// Values from the shell, `.env` and `env_file`s, by keyed hash.
    pub held: BTreeMap<ContentId, String>,
    /// Sensitive files (Compose `secrets:`), by keyed hash.
    pub sensitive: BTreeMap<ContentId, Vec<u8>>,
    /// Read-only binds and configs, by SHA-256 of the file or tree.
    pub trees: BTreeMap<ContentId, Tree>,
}

/// A file, or a directory of files, that a release keeps.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Tree {
    /// One file.
    File {
        /// Its bytes.
        bytes: Vec<u8>,
        /// Mode bits.
        mode: u32,
    },
    /// A directory: relative path to bytes and mode.
    Directory(BTreeMap<String, (Vec<u8>, u32)>),
}

impl std::fmt::Debug for Materials {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            out,
            "Materials({} held, {} sensitive, {} trees)",
            self.held.len(),
            self.sensitive.len(),
            self.trees.len()
        )
    }
}
