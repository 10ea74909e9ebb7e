//! Variables: the shell's, those of env files, and the reading of env files.

use std::collections::BTreeMap;

use diag::Diagnostic;

use crate::{reading::Reading, tree::Spot};

/// What `${NAME}` can stand for: the shell wins over `--env-file`, which wins over `.env`.
#[derive(Debug, Clone, Default)]
pub(crate) struct Variables {
    values: BTreeMap<String, String>,
    /// Names declared in `[secret]`: always references.
    secrets: Vec<String>,
}

impl Variables {
    /// The shell's environment.
    pub(crate) fn of_shell(environment: &BTreeMap<String, String>) -> Self {
        Self { values: environment.clone(), secrets: Vec::new() }
    }

    /// Adds the values of an env file for the names that have none yet.
    pub(crate) fn extend(&mut self, values: BTreeMap<String, String>) {
        for (name, value) in values {
            self.values.entry(name).or_insert(value);
        }
    }

    /// Declares the secrets.
    pub(crate) fn declare(&mut self, secrets: impl IntoIterator<Item = String>) {
        self.secrets = secrets.into_iter().collect();
    }

    /// The project's name and directory, which Compose lets a file use as `${COMPOSE_PROJECT_NAME}` and `${PWD}`.
    pub(crate) fn set_project(&mut self, name: &str, directory: &str) {
        self.values.insert("COMPOSE_PROJECT_NAME".to_owned(), name.to_owned());
        self.values.entry("PWD".to_owned()).or_insert_with(|| directory.to_owned());
    }

    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.values.get(name).map(String::as_str)
    }

    pub(crate) fn is_secret(&self, name: &str) -> bool {
        self.secrets.iter().any(|secret| secret == name)
    }
}

/// One line of an env file.
pub(crate) enum Assignment {
    /// `NAME=value`.
    Set(String),
    /// `NAME` alone: what the environment has.
    Inherited,
}

/// Reads an env file as Compose does. `lookup` answers names that the file itself has not set.
pub(crate) fn dotenv(
    reading: &Reading<'_>,
    file: &str,
    bytes: &[u8],
    lookup: &dyn Fn(&str) -> Option<String>,
) -> BTreeMap<String, Assignment> {
    let source = reading.source(file);
    let text = match std::str::from_utf8(bytes) {
        Ok(text) => text.replace("\r\n", "\n"),
        Err(error) => {
            let before = bytes[..error.valid_up_to()].iter().filter(|byte| **byte == b'\n').count();
            let line = u32::try_from(before).unwrap_or(u32::MAX).saturating_add(1);
            let said = Diagnostic::error("not-text", "this line of the env file is not text");
            reading.say(Spot { file: source, line, column: 1 }, said.hint("save the file as UTF-8"));
            return BTreeMap::new();
        }
    };
    let mut lines = text.strip_prefix('\u{FEFF}').unwrap_or(&text).split('\n').zip(1u32..);
    let mut values: BTreeMap<String, Assignment> = BTreeMap::new();
    while let Some((line, number)) = lines.next() {
        let at = Spot { file: source, line: number, column: 1 };
        let trimmed = line.trim_start();
        if trimmed.is_empty() || trimmed.starts_with('#') {
            continue;
        }
        let trimmed = trimmed.strip_prefix("export ").unwrap_or(trimmed).trim_start();
        let end = trimmed.find(['=', ':']).unwrap_or(trimmed.len());
        let name = trimmed[..end].trim_end();
        if name.is_empty() || !name.chars().all(|c| c.is_alphanumeric() || "_.-[]".contains(c)) {
            // The line itself is not repeated: it may hold a value that must not be seen.
            let said =
                Diagnostic::error("bad-env-file", "this line of the env file has no name before its `=`");
            reading.say(at, said.hint("a line is `NAME=value`, a comment starts with `#`"));
            continue;
        }
        if end == trimmed.len() {
            values.insert(name.to_owned(), Assignment::Inherited);
            continue;
        }
        let mut raw = trimmed[end + 1..].trim_start_matches([' ', '\t']).to_owned();
        let quote = raw.chars().next().filter(|c| matches!(c, '"' | '\''));
        let value = match quote {
            None => Some(expand(unquoted(&raw), &values, lookup)),
            Some(quote) => {
                while closing(&raw, quote).is_none() {
                    let Some((next, _)) = lines.next() else { break };
                    raw.push('\n');
                    raw.push_str(next);
                }
                closing(&raw, quote).map(|end| match quote {
                    '\'' => raw[1..end].to_owned(),
                    _ => expand(&raw[1..end], &values, lookup),
                })
            }
        };
        match value {
            Some(value) => {
                values.insert(name.to_owned(), Assignment::Set(value));
            }
            None => reading.error(
                at,
                "bad-env-file",
                format!("the value of `{name}` opens a quote and never closes it"),
            ),
        }
    }
    values
}

/// A value without quotes, up to a comment that has a space before it.
fn unquoted(raw: &str) -> &str {
    let end = raw
        .char_indices()
        .find(|(index, c)| *c == '#' && (*index == 0 || raw[..*index].ends_with([' ', '\t'])));
    raw[..end.map_or(raw.len(), |(index, _)| index)].trim_end()
}

/// Where the quote that opens `raw` is closed.
fn closing(raw: &str, quote: char) -> Option<usize> {
    let mut escaped = false;
    for (index, c) in raw.char_indices().skip(1) {
        match c {
            _ if escaped => escaped = false,
            '\\' if quote == '"' => escaped = true,
            c if c == quote => return Some(index),
            _ => {}
        }
    }
    None
}

/// Escapes and variables of a value that is not in single quotes.
fn expand(
    raw: &str,
    values: &BTreeMap<String, Assignment>,
    lookup: &dyn Fn(&str) -> Option<String>,
) -> String {
    let mut out = String::new();
    let mut rest = raw;
    while let Some(c) = rest.chars().next() {
        rest = &rest[c.len_utf8()..];
        let next = rest.chars().next();
        match (c, next) {
            ('\\', Some(escaped)) if "nrt\"\\$".contains(escaped) => {
                out.push(match escaped {
                    'n' => '\n',
                    'r' => '\r',
                    't' => '\t',
                    other => other,
                });
                rest = &rest[escaped.len_utf8()..];
            }
            ('$', Some('$')) => {
                out.push('$');
                rest = &rest[1..];
            }
            ('$', Some(_)) => {
                let (name, fallback, length) = variable(rest);
                if length == 0 {
                    out.push('$');
                    continue;
                }
                rest = &rest[length..];
                let own = values.get(name).and_then(|value| match value {
                    Assignment::Set(value) => Some(value.clone()),
                    Assignment::Inherited => None,
                });
                let found = own.or_else(|| lookup(name));
                out.push_str(&match (found, fallback) {
                    (Some(value), None) => value,
                    (Some(value), Some((empty_too, _))) if !(empty_too && value.is_empty()) => value,
                    (_, Some((_, fallback))) => expand(fallback, values, lookup),
                    (None, None) => String::new(),
                });
            }
            (c, _) => out.push(c),
        }
    }
    out
}

/// Name, default and length of what follows a `$`; length 0 where it is no variable.
fn variable(rest: &str) -> (&str, Option<(bool, &str)>, usize) {
    let name_end =
        |text: &str| text.find(|c: char| !(c.is_ascii_alphanumeric() || c == '_')).unwrap_or(text.len());
    let Some(inner) = rest.strip_prefix('{') else {
        let end = if rest.starts_with(|c: char| c.is_ascii_digit()) { 0 } else { name_end(rest) };
        return (&rest[..end], None, end);
    };
    let mut depth = 1;
    let close = inner.char_indices().find(|(_, c)| {
        depth += match c {
            '{' => 1,
            '}' => -1,
            _ => 0,
        };
        depth == 0
    });
    let Some((close, _)) = close else { return ("", None, 0) };
    let body = &inner[..close];
    let end = name_end(body);
    let (name, operator) = body.split_at(end);
    let fallback = operator
        .strip_prefix(":-")
        .map(|fallback| (true, fallback))
        .or_else(|| operator.strip_prefix('-').map(|fallback| (false, fallback)));
    (name, fallback, close + 2)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::load::{Files, Request};

    fn read(text: &str) -> Vec<(String, Option<String>)> {
        let (request, files) = (Request::default(), Files::new());
        let reading = Reading::new(&request, &files);
        let shell = |name: &str| (name == "SHELL").then(|| "sh".to_owned());
        let values = dotenv(&reading, ".env", text.as_bytes(), &shell);
        assert_eq!(reading.diagnostics(), []);
        let value = |value| match value {
            Assignment::Set(value) => Some(value),
            Assignment::Inherited => None,
        };
        values.into_iter().map(|(name, assignment)| (name, value(assignment))).collect()
    }

    #[test]
    fn env_files_are_read_as_compose_reads_them() {
        for (line, value) in [
            ("A=v #c", "v"),
            ("A=v#c", "v#c"),
            ("A='a $SHELL #c'", "a $SHELL #c"),
            ("A=\"x\\ny\\$z\"", "x\ny$z"),
            ("A=\"two\nlines\"", "two\nlines"),
            ("A: v", "v"),
            ("export A=v", "v"),
            ("A=${SHELL}-${B:-d}", "sh-d"),
            ("A=", ""),
            ("A=a=b", "a=b"),
            ("# c\n\nA=v\r\n", "v"),
        ] {
            assert_eq!(read(line), [("A".to_owned(), Some(value.to_owned()))], "{line}");
        }
        assert_eq!(read("A"), [("A".to_owned(), None)]);
    }
}
