//! The one table of exit codes.

use serde::{Deserialize, Serialize};

/// How the process ends. Scripts rely on these numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(into = "u8", try_from = "u8")]
pub enum Exit {
    /// Done, or there was nothing to do.
    Done,
    /// Findings, or the change failed and was undone.
    Findings,
    /// Bad usage or input, or it could not be evaluated; nothing was touched.
    Usage,
    /// Expired waivers are the only reason.
    ExpiredWaivers,
    /// A precondition is missing, or a person must act first.
    Precondition,
    /// The plan or its approval is stale.
    Stale,
    /// Stuck: a person is needed; the command to run stands on the last line.
    Stuck,
}

impl Exit {
    /// Every code with what it means: the table the help prints.
    pub const TABLE: [(Exit, &'static str); 7] = [
        (Exit::Done, "done, or nothing to do"),
        (Exit::Findings, "findings, or the change failed and was undone"),
        (Exit::Usage, "bad usage or input, nothing was touched"),
        (Exit::ExpiredWaivers, "only expired waivers"),
        (Exit::Precondition, "a precondition is missing, or a person must act first"),
        (Exit::Stale, "the plan or approval is stale"),
        (Exit::Stuck, "stuck: a person is needed, the command to run stands on the last line"),
    ];

    /// The number.
    pub fn code(self) -> u8 {
        match self {
            Exit::Done => 0,
            Exit::Findings => 1,
            Exit::Usage => 2,
            Exit::ExpiredWaivers => 3,
            Exit::Precondition => 4,
            Exit::Stale => 5,
            Exit::Stuck => 6,
        }
    }
}

impl From<Exit> for u8 {
    fn from(exit: Exit) -> u8 {
        exit.code()
    }
}

impl TryFrom<u8> for Exit {
    type Error = String;

    fn try_from(code: u8) -> Result<Self, String> {
        Self::TABLE
            .into_iter()
            .map(|(exit, _)| exit)
            .find(|exit| exit.code() == code)
            .ok_or_else(|| format!("{code} is not an exit code of the table"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_survives_the_way_through_its_number() {
        for (exit, _) in Exit::TABLE {
            assert_eq!(Exit::try_from(exit.code()), Ok(exit));
        }
        assert!(Exit::try_from(7).is_err());
    }
}
