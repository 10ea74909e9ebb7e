//! Colour, or none.

use diag::Severity;

/// `--color`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Colour {
    /// On a terminal, unless `NO_COLOR` is set.
    #[default]
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
}

/// How text is dressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Style {
    colour: bool,
}

impl Style {
    /// No colour.
    pub const PLAIN: Style = Style { colour: false };

    /// What was asked for, on what the text goes to, in an environment with or without a non-empty `NO_COLOR`.
    pub fn new(asked: Colour, is_terminal: bool, no_color: bool) -> Self {
        let colour = match asked {
            Colour::Auto => is_terminal && !no_color,
            Colour::Always => true,
            Colour::Never => false,
        };
        Self { colour }
    }

    pub(crate) fn good(self, text: &str) -> String {
        self.dress("32", text)
    }

    /// Neither good nor bad: it works, with less.
    pub(crate) fn middling(self, text: &str) -> String {
        self.dress("33", text)
    }

    pub(crate) fn bad(self, text: &str) -> String {
        self.dress("31", text)
    }

    pub(crate) fn faint(self, text: &str) -> String {
        self.dress("2", text)
    }

    /// `text` in the colour of a severity.
    pub(crate) fn severity(self, severity: Severity, text: &str) -> String {
        match severity {
            Severity::Error => self.dress("31;1", text),
            Severity::Warning => self.dress("33;1", text),
            Severity::Note => self.dress("36", text),
        }
    }

    fn dress(self, code: &str, text: &str) -> String {
        if self.colour { format!("\x1b[{code}m{text}\x1b[0m") } else { text.to_owned() }
    }
}

/// The word of a severity.
pub(crate) fn word(severity: Severity) -> &'static str {
    match severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
        Severity::Note => "note",
    }
}
