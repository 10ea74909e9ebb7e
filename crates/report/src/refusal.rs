//! What `--json` prints where a verb was refused before it had anything of its own to report.

use diag::{Exit, Stop};
use serde::Serialize;

use crate::said::Said;

/// A refusal.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Refusal {
    /// `seaworthy.refusal/1`.
    pub schema: &'static str,
    /// Always `refused`.
    pub outcome: &'static str,
    /// Exit code.
    pub exit: Exit,
    /// Everything there is to say, most important first.
    pub diagnostics: Vec<Said>,
}

impl Refusal {
    /// The refusal that `stop` is.
    pub fn new(stop: &Stop) -> Self {
        Self {
            schema: "seaworthy.refusal/1",
            outcome: "refused",
            exit: stop.exit,
            diagnostics: stop.diagnostics.iter().map(Said::from).collect(),
        }
    }
}
