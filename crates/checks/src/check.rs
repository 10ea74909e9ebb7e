//! What a check is: its words, its weight, and the function that looks.

use diag::Severity;

use crate::input::{Input, Seen};

/// One check of the catalogue.
#[derive(Debug)]
pub struct Check {
    /// Its slug: what waivers, scripts and people name it by.
    pub id: &'static str,
    /// Its number in the catalogue of known checks, where it has one there.
    pub catalogue: Option<&'static str>,
    /// How much it weighs.
    pub level: Level,
    /// How much it weighs in a production shape; [`Reach::ProductionOnly`] checks weigh nothing elsewhere.
    pub production: Reach,
    /// What it needs to see.
    pub mode: Mode,
    /// What it finds, in one line.
    pub what: &'static str,
    /// What happens to whoever leaves it so.
    pub why: &'static str,
    /// What to do about it.
    pub fix: &'static str,
    /// Where the rule comes from.
    pub source: &'static str,
    /// The requirements it answers.
    pub requirements: &'static [&'static str],
    /// Looks, and says everything it saw.
    pub(crate) look: fn(&Input<'_>) -> Vec<Seen>,
}

/// How much a check weighs, in the catalogue's words.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// Somebody else owns the data, or it is lost.
    Critical,
    /// One mistake away from that.
    High,
    /// It will cost somebody an evening.
    Medium,
    /// Worth knowing.
    Low,
}

impl Level {
    /// Critical and high are errors, medium a warning, low a note.
    pub fn severity(self) -> Severity {
        match self {
            Level::Critical | Level::High => Severity::Error,
            Level::Medium => Severity::Warning,
            Level::Low => Severity::Note,
        }
    }

    /// The catalogue's word.
    pub fn as_str(self) -> &'static str {
        match self {
            Level::Critical => "critical",
            Level::High => "high",
            Level::Medium => "medium",
            Level::Low => "low",
        }
    }
}

/// Where a check applies, and whether production makes it heavier.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reach {
    /// Everywhere alike.
    Everywhere,
    /// Everywhere; in a production shape it weighs this.
    Heavier(Level),
    /// Only in a production shape.
    ProductionOnly,
}

/// What a check needs to see.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// The files alone.
    Static,
    /// The files and the sealed store.
    Store,
    /// The running stack.
    Live,
}

impl Mode {
    /// In words.
    pub fn as_str(self) -> &'static str {
        match self {
            Mode::Static => "the files",
            Mode::Store => "the files and the sealed store",
            Mode::Live => "the running stack",
        }
    }
}

impl Check {
    /// Its weight in a shape; `None` where it does not apply.
    pub fn severity(&self, production: bool) -> Option<Severity> {
        match (self.production, production) {
            (Reach::ProductionOnly, false) => None,
            (Reach::Heavier(level), true) => Some(level.severity()),
            _ => Some(self.level.severity()),
        }
    }
}
