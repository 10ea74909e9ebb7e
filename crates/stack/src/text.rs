//! `Text`: a string of the stack in which secret values are references, never values.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::{names::SecretName, shape::ContentId};

/// A string in which what must not be seen stands as a reference.
///
/// Printed, a reference looks as it was written: `postgres://app:${db_password}@db`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Text(pub Vec<Part>);

/// A piece of a [`Text`].
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Part {
    /// As it is, with nothing to hide.
    Literal(String),
    /// The current value of a secret of `[secret]`.
    Secret(SecretName),
    /// A value that came from the shell, `.env` or an `env_file`: held in the materials under a keyed hash.
    Held {
        /// The variable it came from.
        variable: String,
        /// Its keyed hash: the key in the materials, and what makes a change visible.
        id: ContentId,
    },
}

impl Text {
    /// A text with nothing to hide.
    pub fn literal(text: impl Into<String>) -> Self {
        Self(vec![Part::Literal(text.into())])
    }

    /// The secrets it refers to.
    pub fn secrets(&self) -> impl Iterator<Item = &SecretName> {
        self.0.iter().filter_map(|part| match part {
            Part::Secret(name) => Some(name),
            _ => None,
        })
    }

    /// The whole string when nothing in it is hidden.
    pub fn as_literal(&self) -> Option<String> {
        self.0
            .iter()
            .map(|part| match part {
                Part::Literal(text) => Some(text.as_str()),
                _ => None,
            })
            .collect()
    }

    /// The whole string, each reference replaced by what `resolve` gives for it; `None` where one is unknown.
    pub fn resolve(&self, mut resolve: impl FnMut(&Part) -> Option<String>) -> Option<String> {
        self.0
            .iter()
            .map(|part| match part {
                Part::Literal(text) => Some(text.clone()),
                other => resolve(other),
            })
            .collect()
    }
}

impl fmt::Display for Text {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        for part in &self.0 {
            match part {
                Part::Literal(text) => out.write_str(text)?,
                Part::Secret(name) => write!(out, "${{{name}}}")?,
                Part::Held { variable, .. } => write!(out, "${{{variable}}}")?,
            }
        }
        Ok(())
    }
}
