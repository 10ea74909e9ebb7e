//! `Policy`: what a planner is told besides what should be and what was seen.

use serde::{Deserialize, Serialize};

use crate::Mark;

/// The third argument of every planner: time, names and permissions, all as values.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Policy {
    /// Now.
    pub now: jiff::Timestamp,
    /// Random bytes for the ids a plan makes.
    pub random: [u8; 4],
    /// Version of this tool.
    pub tool: String,
    /// The state directory, absolute: containers are labelled with it.
    pub state_dir: String,
    /// What the person typed to permit destruction: the stack's name.
    pub confirmed: Option<String>,
}

impl Policy {
    /// What everything that a plan of this policy makes is marked with.
    pub fn mark(&self) -> Mark {
        Mark::new(self.now, self.random)
    }
}
