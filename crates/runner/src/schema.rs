//! The version that each document on disk carries: one that is not known here is told, never guessed at.

use serde::{Deserialize, de::DeserializeOwned};

/// Why a document is not read.
#[derive(Debug)]
pub(crate) enum SchemaError {
    /// Another version wrote it.
    Version {
        /// What it says.
        found: String,
        /// What is known here.
        known: &'static str,
    },
    /// It is not what it should be.
    Damaged(serde_json::Error),
}

/// All that every version of every document has.
#[derive(Deserialize)]
struct Head {
    schema: String,
}

/// Reads a document of the version `known`.
///
/// The version is asked before and after everything else: a later one may fit by chance, or not fit at all.
pub(crate) fn read<T: DeserializeOwned>(text: &[u8], known: &'static str) -> Result<T, SchemaError> {
    match serde_json::from_slice::<Head>(text) {
        Ok(Head { schema }) if schema != known => Err(SchemaError::Version { found: schema, known }),
        _ => serde_json::from_slice(text).map_err(SchemaError::Damaged),
    }
}
