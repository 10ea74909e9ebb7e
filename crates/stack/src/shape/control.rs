//! What only a person can do.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// `[control.NAME]`: something only a person can do, before a release is put in place.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Control {
    /// Who is asked: a name or a role.
    pub owner: String,
    /// What to do.
    pub instruction: String,
    /// What counts as done.
    pub done_when: String,
    /// How long an attestation holds; `None`: until the instruction changes.
    pub every: Option<Duration>,
}
