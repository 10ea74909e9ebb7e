//! How anything is said to a person: severity, place (file, line, column), message, causes, hint, exit code.
//!
//! Every other crate says what it has to say as a [`Diagnostic`]; one renderer (`report`) prints them all.

use std::fmt;

use serde::{Deserialize, Serialize};

mod chain;
mod exit;
mod suggest;
mod words;

pub use chain::{causes, chain};
pub use exit::Exit;
pub use suggest::closest;
pub use words::duration;

/// The hint where a document is of a version that is not known here.
pub const BY_A_NEWER_ONE: &str =
    "a newer seaworthy wrote it: carry on with that one; nothing here was changed";

/// How much a diagnostic weighs. Critical and high checks are errors, medium warnings, low notes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// The verb must not go on.
    Error,
    /// It may go on, and somebody should look.
    Warning,
    /// Worth knowing.
    Note,
}

/// Where in the user's own files something stands. Lines and columns count from 1, columns in characters.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Place {
    /// The file as the user named it.
    pub file: String,
    /// Line, from 1.
    pub line: u32,
    /// Column, from 1.
    pub column: u32,
}

impl Place {
    /// A place in `file` at `line` and `column`, both from 1.
    pub fn new(file: impl Into<String>, line: u32, column: u32) -> Self {
        Self { file: file.into(), line, column }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}:{}:{}", self.file, self.line, self.column)
    }
}

/// One thing said to a person, with all that is needed to act on it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Diagnostic {
    /// How much it weighs.
    pub severity: Severity,
    /// A stable slug (`unknown-key`, `default-secret`): scripts and waivers rely on it.
    pub id: String,
    /// One sentence: lower case, no final stop, values in backticks.
    pub message: String,
    /// Where it stands, when it stands in a file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub place: Option<Place>,
    /// The chain of causes, nearest first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub causes: Vec<String>,
    /// What to do about it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
}

impl Diagnostic {
    fn new(severity: Severity, id: &str, message: impl Into<String>) -> Self {
        Self {
            severity,
            id: id.to_owned(),
            message: message.into(),
            place: None,
            causes: Vec::new(),
            hint: None,
        }
    }

    /// A diagnostic that stops the verb.
    pub fn error(id: &str, message: impl Into<String>) -> Self {
        Self::new(Severity::Error, id, message)
    }

    /// A diagnostic that lets the verb go on.
    pub fn warning(id: &str, message: impl Into<String>) -> Self {
        Self::new(Severity::Warning, id, message)
    }

    /// Something worth knowing.
    pub fn note(id: &str, message: impl Into<String>) -> Self {
        Self::new(Severity::Note, id, message)
    }

    /// The same, at a place.
    #[must_use]
    pub fn at(mut self, place: Place) -> Self {
        self.place = Some(place);
        self
    }

    /// The same, with one more cause.
    #[must_use]
    pub fn cause(mut self, cause: impl Into<String>) -> Self {
        self.causes.push(cause.into());
        self
    }

    /// The same, with the whole chain of `error`'s sources as causes.
    #[must_use]
    pub fn caused_by(mut self, error: &(dyn std::error::Error + 'static)) -> Self {
        self.causes.extend(causes(error));
        self
    }

    /// The same, with a hint.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// The diagnostic of an error that has no better words: its message, its sources as causes.
    pub fn from_error(id: &str, error: &(dyn std::error::Error + 'static)) -> Self {
        let mut causes = causes(error);
        let mut said = Self::error(id, causes.remove(0));
        said.causes = causes;
        said
    }
}

impl fmt::Display for Diagnostic {
    /// One line, for logs and test output; people are shown `report`'s view.
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let severity = match self.severity {
            Severity::Error => "error",
            Severity::Warning => "warning",
            Severity::Note => "note",
        };
        write!(out, "{severity}[{}]", self.id)?;
        if let Some(place) = &self.place {
            write!(out, " {place}")?;
        }
        write!(out, ": {}", self.message)?;
        for cause in &self.causes {
            write!(out, "; caused by: {cause}")?;
        }
        if let Some(hint) = &self.hint {
            write!(out, "; hint: {hint}")?;
        }
        Ok(())
    }
}

/// What stopped a verb before or while it acted: an exit code and everything there is to say about it.
///
/// The libraries below the binary end in this type, so that the binary need not guess from text.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{}", .diagnostics.first().map(ToString::to_string).unwrap_or_default())]
pub struct Stop {
    /// The code the process ends with.
    pub exit: Exit,
    /// Everything there is to say, most important first.
    pub diagnostics: Vec<Diagnostic>,
}

impl Stop {
    /// One diagnostic and the code it ends with.
    pub fn new(exit: Exit, diagnostic: Diagnostic) -> Self {
        Self { exit, diagnostics: vec![diagnostic] }
    }

    /// Bad usage or input: nothing was touched.
    pub fn usage(diagnostic: Diagnostic) -> Self {
        Self::new(Exit::Usage, diagnostic)
    }

    /// A precondition is missing: engine, permission, lock, a person.
    pub fn precondition(diagnostic: Diagnostic) -> Self {
        Self::new(Exit::Precondition, diagnostic)
    }
}

/// True when any of them is an error.
pub fn has_errors(diagnostics: &[Diagnostic]) -> bool {
    diagnostics.iter().any(|said| said.severity == Severity::Error)
}
