//! A diagnostic as JSON says it: the place flat beside the message.

use diag::{Diagnostic, Severity};
use serde::Serialize;

/// A diagnostic as it stands in a JSON report.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Said {
    /// How much it weighs.
    pub severity: Severity,
    /// Its slug.
    pub id: String,
    /// One sentence.
    pub message: String,
    /// The file it stands in.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub file: Option<String>,
    /// Line, from 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub line: Option<u32>,
    /// Column, from 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub column: Option<u32>,
    /// The chain of causes, nearest first.
    pub causes: Vec<String>,
    /// What to do about it.
    pub hint: Option<String>,
}

impl From<&Diagnostic> for Said {
    fn from(said: &Diagnostic) -> Self {
        Self {
            severity: said.severity,
            id: said.id.clone(),
            message: said.message.clone(),
            file: said.place.as_ref().map(|place| place.file.clone()),
            line: said.place.as_ref().map(|place| place.line),
            column: said.place.as_ref().map(|place| place.column),
            causes: said.causes.clone(),
            hint: said.hint.clone(),
        }
    }
}

impl From<&Said> for Diagnostic {
    fn from(said: &Said) -> Self {
        let place = match (&said.file, said.line, said.column) {
            (Some(file), Some(line), Some(column)) => Some(diag::Place::new(file.clone(), line, column)),
            _ => None,
        };
        Self {
            severity: said.severity,
            id: said.id.clone(),
            message: said.message.clone(),
            place,
            causes: said.causes.clone(),
            hint: said.hint.clone(),
        }
    }
}
