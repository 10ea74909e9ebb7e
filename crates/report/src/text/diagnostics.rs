//! Diagnostics: the sentence, its place with the line it stands on, its causes, its hint.
//!
//! ```text
//! error: `ports_` is not a key of a service
//!   --> compose.yaml:12:5
//!    |
//! 12 |     ports_:
//!    |     ^
//!   caused by: …
//! hint: did you mean `ports`?
//! ```

use std::fmt::Write;

use diag::{Diagnostic, Place};

use super::style::{Style, word};

/// All of them, each followed by an empty line but the last. `line` gives the source line of a place, where the
/// caller has the file.
pub fn diagnostics(
    diagnostics: &[Diagnostic],
    line: impl Fn(&Place) -> Option<String>,
    style: Style,
) -> String {
    let texts: Vec<String> = diagnostics
        .iter()
        .map(|said| {
            let line = said.place.as_ref().and_then(&line);
            diagnostic(said, line.as_deref(), style)
        })
        .collect();
    texts.join("\n")
}

/// One of them.
pub fn diagnostic(said: &Diagnostic, line: Option<&str>, style: Style) -> String {
    let mut text = String::new();
    let head = style.severity(said.severity, word(said.severity));
    let _ = writeln!(text, "{head}: {}", one_line(&said.message));
    if let Some(place) = &said.place {
        let _ = writeln!(text, "  --> {place}");
        if let Some(line) = line {
            text.push_str(&snippet(place, line, style));
        }
    }
    for cause in &said.causes {
        let _ = writeln!(text, "  caused by: {}", one_line(cause));
    }
    if let Some(hint) = &said.hint {
        let _ = writeln!(text, "{} {hint}", style.faint("hint:"));
    }
    text
}

/// The line of the source with a mark below the column. Control characters are shown as a replacement.
fn snippet(place: &Place, line: &str, style: Style) -> String {
    const WIDEST: usize = 160;
    if place.column as usize > WIDEST {
        return String::new();
    }
    let shown: String = line.chars().take(WIDEST).map(|c| if c.is_control() { ' ' } else { c }).collect();
    let number = place.line.to_string();
    let gutter = " ".repeat(number.len());
    let before = (place.column.saturating_sub(1) as usize).min(shown.chars().count());
    let mark = format!("{}{}", " ".repeat(before), style.bad("^"));
    format!("{gutter} |\n{number} | {}\n{gutter} | {mark}\n", shown.trim_end())
}

/// What others said may hold line breaks and escape sequences: they are not passed on to a terminal.
pub(crate) fn one_line(text: &str) -> String {
    let words: String =
        text.trim_end().chars().map(|c| if c.is_control() && c != '\n' { ' ' } else { c }).collect();
    words.replace('\n', "\n    ")
}
