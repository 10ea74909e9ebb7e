//! Env files, as the reference reads them.

use std::collections::BTreeMap;

use diag::Diagnostic;

use super::template::{self, Fault};
use crate::{reading::Reading, string::Str, tree::Spot};

/// Names and values, in no order.
pub(crate) type Values = BTreeMap<String, String>;

/// Reads an env file over `values`. `lookup` is asked before what the file itself has set. `None`: something in it is
/// wrong, and was said.
pub(crate) fn dotenv(
    reading: &Reading<'_>,
    file: &str,
    bytes: &[u8],
    values: &mut Values,
    lookup: &dyn Fn(&str) -> Option<String>,
) -> Option<()> {
    let source = reading.source(file);
    let text = text(reading, source, bytes)?;
    let text = text.strip_prefix('\u{FEFF}').unwrap_or(text);
    let mut rest = text;
    loop {
        rest = statement(rest);
        if rest.is_empty() {
            return Some(());
        }
        let line = text[..text.len() - rest.len()].matches('\n').count() + 1;
        let at = Spot { file: source, line: u32::try_from(line).unwrap_or(u32::MAX), column: 1 };
        let (name, left, inherited) = match name(rest) {
            Ok(found) => found,
            Err(why) => {
                // The line itself is not repeated: it may hold a value that must not be seen.
                let said = Diagnostic::error("bad-env-file", why);
                reading.say(at, said.hint("a line is `NAME=value`, a comment starts with `#`"));
                return None;
            }
        };
        rest = left;
        if inherited {
            if let Some(value) = lookup(&name) {
                values.insert(name, value);
            }
            continue;
        }
        let (value, left) =
            value(reading, at, &name, rest, &|name| lookup(name).or_else(|| values.get(name).cloned()))?;
        values.insert(name, value);
        rest = left;
    }
}

/// `format: raw`: everything after the first `=`, verbatim.
pub(crate) fn raw(
    reading: &Reading<'_>,
    file: &str,
    bytes: &[u8],
    values: &mut Values,
    lookup: &dyn Fn(&str) -> Option<String>,
) -> Option<()> {
    let source = reading.source(file);
    let text = text(reading, source, bytes)?;
    let text = text.strip_prefix('\u{FEFF}').unwrap_or(text);
    for (line, number) in text.lines().zip(1u32..) {
        let line = line.trim_start();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let (name, value) = line.split_once('=').map_or((line, None), |(name, value)| (name, Some(value)));
        if name.is_empty() || name.contains([' ', '\t']) {
            let said =
                Diagnostic::error("bad-env-file", "this line of the env file has no name before its `=`");
            reading.say(Spot { file: source, line: number, column: 1 }, said.hint("a line is `NAME=value`"));
            return None;
        }
        match value {
            Some(value) => drop(values.insert(name.to_owned(), value.to_owned())),
            None => drop(lookup(name).map(|value| values.insert(name.to_owned(), value))),
        }
    }
    Some(())
}

fn text<'b>(reading: &Reading<'_>, file: u16, bytes: &'b [u8]) -> Option<&'b str> {
    std::str::from_utf8(bytes)
        .map_err(|error| {
            let before = bytes[..error.valid_up_to()].iter().filter(|byte| **byte == b'\n').count();
            let line = u32::try_from(before).unwrap_or(u32::MAX).saturating_add(1);
            let said = Diagnostic::error("not-text", "this line of the env file is not text");
            reading.say(Spot { file, line, column: 1 }, said.hint("save the file as UTF-8"));
        })
        .ok()
}

/// The text from its next statement on, comments and empty lines left out.
fn statement(mut text: &str) -> &str {
    loop {
        text = text.trim_start();
        if !text.starts_with('#') {
            return text;
        }
        text = text.find('\n').map_or("", |end| &text[end..]);
    }
}

/// A space within a line.
fn is_space(c: char) -> bool {
    matches!(c, '\t' | '\u{B}' | '\u{C}' | '\r' | ' ' | '\u{85}' | '\u{A0}')
}

/// The name that a statement begins with, what follows it, and whether it stands alone.
fn name(text: &str) -> Result<(String, &str, bool), &'static str> {
    let text = match text.strip_prefix("export") {
        Some(after) if after.starts_with(char::is_whitespace) => after.trim_start_matches(is_space),
        _ => text,
    };
    let mut key = "";
    let (mut offset, mut inherited) = (0, false);
    for (index, c) in text.char_indices() {
        match c {
            c if is_space(c) => {}
            '=' | ':' | '\n' => {
                (key, offset, inherited) = (&text[..index], index + 1, c == '\n');
                break;
            }
            '_' | '.' | '-' | '[' | ']' => {}
            c if c.is_alphabetic() || c.is_numeric() => {}
            _ => return Err("this line of the env file has no name before its `=`"),
        }
    }
    let key = key.trim_end();
    if key.contains(' ') {
        return Err("a name in an env file holds no space");
    }
    Ok((key.to_owned(), text[offset..].trim_start_matches(is_space), inherited))
}

/// The value of a statement, and what follows it.
fn value<'t>(
    reading: &Reading<'_>,
    at: Spot,
    name: &str,
    text: &'t str,
    lookup: &dyn Fn(&str) -> Option<String>,
) -> Option<(String, &'t str)> {
    let quote = text.chars().next().filter(|c| matches!(c, '"' | '\''));
    let Some(quote) = quote else {
        let (line, rest) = text.split_once('\n').unwrap_or((text, ""));
        let value = line.split_once(" #").map_or(line, |(value, _)| value).trim_end();
        return expanded(reading, at, value, lookup).map(|value| (value, rest));
    };
    let mut value = String::new();
    let mut escaped = false;
    for (index, c) in text.char_indices().skip(1) {
        if c == quote && !escaped {
            let rest = &text[index + 1..];
            return match quote {
                '"' => expanded(reading, at, &unescaped(&value), lookup).map(|value| (value, rest)),
                _ => Some((value, rest)),
            };
        }
        if c == '\\' && !escaped {
            escaped = true;
            continue;
        }
        if escaped && c != quote {
            value.push('\\');
        }
        escaped = false;
        value.push(c);
    }
    let message = format!("the value of `{name}` opens a quote and never closes it");
    reading.error(at, "bad-env-file", message);
    None
}

fn expanded(
    reading: &Reading<'_>,
    at: Spot,
    text: &str,
    lookup: &dyn Fn(&str) -> Option<String>,
) -> Option<String> {
    let lookup = |name: &str| lookup(name).map(Str::from);
    match template::substitute(text, &lookup, &mut |_| {}) {
        Ok(value) => Some(value.into_text()),
        Err(Fault::Missing { name, .. }) => {
            let message = format!("the required variable `{name}` is not set");
            let said = Diagnostic::error("required-variable", message);
            reading.say(at, said.hint(format!("set `{name}` in the shell, or on a line before this one")));
            None
        }
        Err(Fault::Invalid) => {
            let said =
                Diagnostic::error("bad-interpolation", "a value of this env file cannot be interpolated");
            reading.say(at, said.hint("put it in single quotes, or write `$$` for a dollar sign"));
            None
        }
    }
}

/// The escapes of a value in double quotes: `\n` and the like, `\$` for a dollar sign, `\0` and octal digits.
fn unescaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('\\') {
        out.push_str(&rest[..at]);
        rest = &rest[at..];
        let next = rest[1..].chars().next();
        let simple = match next {
            Some('a') => Some("\u{7}"),
            Some('b') => Some("\u{8}"),
            Some('f') => Some("\u{C}"),
            Some('n') => Some("\n"),
            Some('r') => Some("\r"),
            Some('t') => Some("\t"),
            Some('v') => Some("\u{B}"),
            Some('\\') => Some("\\"),
            Some('"') => Some("\""),
            Some('$') => Some("$$"),
            _ => None,
        };
        if let Some(simple) = simple {
            out.push_str(simple);
            rest = &rest[2..];
        } else if next == Some('0') {
            let digits = rest[2..].bytes().take(3).take_while(u8::is_ascii_digit).count();
            let octal = u32::from_str_radix(&rest[2..2 + digits], 8);
            match octal.ok().filter(|value| digits == 3 && *value < 256).and_then(char::from_u32) {
                Some(c) => out.push(c),
                None => out.push_str(&rest[..2 + digits]),
            }
            rest = &rest[2 + digits..];
        } else {
            out.push('\\');
            rest = &rest[1..];
        }
    }
    out.push_str(rest);
    out
}
