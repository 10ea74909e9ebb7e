//! Why a call to the key store failed. Never repeats what was sent.

use std::{io, time::Duration};

/// A call failed.
#[derive(Debug, thiserror::Error)]
pub enum KeyStoreError {
    /// No connection.
    #[error("cannot {doing}: the key store cannot be reached")]
    Unreachable {
        /// Our attempt.
        doing: String,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The connection broke.
    #[error("cannot {doing}: the connection to the key store broke")]
    Broken {
        /// Our attempt.
        doing: String,
        /// Why.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// No answer.
    #[error("cannot {doing}: no answer from the key store in {}", diag::duration(*after))]
    TimedOut {
        /// Our attempt.
        doing: String,
        /// How long we waited.
        after: Duration,
    },
    /// The store said no.
    #[error("cannot {doing}: the key store answered {status}{}", said(errors))]
    Refused {
        /// Our attempt.
        doing: String,
        /// Its HTTP status.
        status: u16,
        /// What it said.
        errors: Vec<String>,
    },
    /// The answer is not what the API promises. Not repeated: it may hold a secret.
    #[error("cannot {doing}: the key store's answer cannot be read")]
    Unreadable {
        /// Our attempt.
        doing: String,
    },
    /// A name that would change the meaning of a path.
    #[error("`{name}` cannot be a name in the key store: letters, digits, `-`, `_` and `.` only")]
    Name {
        /// The name.
        name: String,
    },
}

impl KeyStoreError {
    /// The status the store answered with, where it answered.
    pub fn status(&self) -> Option<u16> {
        match self {
            KeyStoreError::Refused { status, .. } => Some(*status),
            _ => None,
        }
    }
}

fn said(errors: &[String]) -> String {
    if errors.is_empty() { String::new() } else { format!(": {}", errors.join("; ")) }
}
