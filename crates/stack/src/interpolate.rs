//! `${…}` in the strings of a tree, in every form that Compose has.
//!
//! A value does not go into the string: a marker character does, and becomes a part of a `Text`, or the value itself
//! where a structural field needs it.

use diag::{Diagnostic, closest};

use crate::{
    reading::{Reading, Reference},
    tree::{Node, Spot, Value},
    variables::Variables,
};

/// Deepest `${A:-${B:-…}}`.
const MAX_NESTING: usize = 32;

/// Interpolates every value of the tree; keys stay as they are.
pub(crate) fn interpolate(reading: &Reading<'_>, variables: &Variables, node: &mut Node) {
    match &mut node.value {
        Value::Text(text) if text.contains('$') => {
            let at = node.at;
            *text = Template { reading, variables, at }.expand(text);
        }
        Value::List(list) => list.iter_mut().for_each(|item| interpolate(reading, variables, item)),
        Value::Map(map) => {
            map.values_mut().for_each(|entry| interpolate(reading, variables, &mut entry.node))
        }
        _ => {}
    }
}

/// Interpolates one string that stands at `at`.
pub(crate) fn expand(reading: &Reading<'_>, variables: &Variables, at: Spot, text: &str) -> String {
    Template { reading, variables, at }.expand(text)
}

struct Template<'t, 'a> {
    reading: &'t Reading<'a>,
    variables: &'t Variables,
    at: Spot,
}

/// What a variable is known to be.
struct Looked {
    /// Its marker, or nothing where it has no value.
    marker: Option<char>,
    empty: bool,
}

impl Template<'_, '_> {
    fn expand(&self, text: &str) -> String {
        match self.nested(text, 0) {
            Ok(text) => text,
            Err(diagnostic) => {
                self.reading.say(self.at, *diagnostic);
                // What was written stays: the rest of the file can still be understood.
                text.to_owned()
            }
        }
    }

    fn nested(&self, text: &str, depth: usize) -> Result<String, Box<Diagnostic>> {
        if depth > MAX_NESTING {
            return Err(self.bad(text, "it is nested too deep"));
        }
        let mut out = String::new();
        let mut rest = text;
        while let Some(dollar) = rest.find('$') {
            out.push_str(&rest[..dollar]);
            rest = &rest[dollar + 1..];
            if let Some(after) = rest.strip_prefix('$') {
                out.push('$');
                rest = after;
            } else if rest.starts_with('{') {
                let close = closing_brace(rest).ok_or_else(|| self.bad(text, "the brace is never closed"))?;
                out.push_str(&self.braced(&rest[1..close], depth)?);
                rest = &rest[close + 1..];
            } else {
                let end = name_end(rest);
                match end {
                    // A lone `$` is itself: `100$`, `$5`.
                    0 => out.push('$'),
                    _ => out.extend(self.unset_or(&rest[..end])),
                }
                rest = &rest[end..];
            }
        }
        out.push_str(rest);
        Ok(out)
    }

    /// The inside of `${…}`.
    fn braced(&self, body: &str, depth: usize) -> Result<String, Box<Diagnostic>> {
        let (name, operator) = body.split_at(name_end(body));
        let written = format!("${{{body}}}");
        if name.is_empty() {
            return Err(self.bad(&written, "no variable is named"));
        }
        if operator.is_empty() {
            return Ok(self.unset_or(name).into_iter().collect());
        }
        if operator.contains('\n') {
            return Err(self.bad(&written, "a default holds no line break"));
        }
        let (operator, or_empty) = match operator.strip_prefix(':') {
            Some(operator) => (operator, true),
            None => (operator, false),
        };
        let mut rest = operator.chars();
        let kind = rest.next();
        // Evaluated before it is known to be needed, as Compose does.
        let word = self.nested(rest.as_str(), depth + 1)?;
        let looked = self.look(name);
        let has = looked.marker.is_some() && !(or_empty && looked.empty);
        let own = || looked.marker.into_iter().collect::<String>();
        match kind {
            Some('-') => Ok(if has { own() } else { word }),
            Some('+') => Ok(if has { word } else { String::new() }),
            Some('?') if has => Ok(own()),
            Some('?') => Err(self.required(name, &word)),
            _ => Err(self.bad(
                &written,
                "the name is followed by something else than `:-`, `-`, `:?`, `?`, `:+` or `+`",
            )),
        }
    }

    fn look(&self, name: &str) -> Looked {
        if self.variables.is_secret(name) {
            let marker = self.reading.marker(Reference::Secret(name.to_owned()));
            return Looked { marker: Some(marker), empty: false };
        }
        let value = self.variables.get(name);
        let marker = value.map(|value| {
            self.reading.marker(Reference::Held { variable: name.to_owned(), value: value.to_owned() })
        });
        Looked { marker, empty: value.is_none_or(str::is_empty) }
    }

    fn unset_or(&self, name: &str) -> Option<char> {
        let marker = self.look(name).marker;
        if marker.is_none() {
            let message = format!("the variable `{name}` is not set, and becomes an empty string");
            let said = Diagnostic::warning("unset-variable", message);
            self.reading.say(self.at, said.hint(format!("set it, or write `${{{name}:-default}}`")));
        }
        marker
    }

    fn required(&self, name: &str, word: &str) -> Box<Diagnostic> {
        let message = format!("the required variable `{name}` is not set");
        let mut said = Diagnostic::error("required-variable", message);
        if !word.is_empty() {
            said = said.cause(self.reading.shown(word));
        }
        let near = closest(name, self.reading.request.environment.keys().map(String::as_str));
        Box::new(match near {
            Some(near) if near != name => said.hint(format!("`{near}` is set: is that meant?")),
            _ => said.hint(format!("set `{name}` in the shell, in `.env`, or with --env-file")),
        })
    }

    fn bad(&self, written: &str, why: &str) -> Box<Diagnostic> {
        let message = format!("`{}` cannot be interpolated: {why}", self.reading.shown(written));
        let said = Diagnostic::error("bad-interpolation", message);
        Box::new(said.hint("a dollar sign that stands for itself is written `$$`"))
    }
}

fn name_end(text: &str) -> usize {
    if text.starts_with(|c: char| c.is_ascii_digit()) {
        return 0;
    }
    text.find(|c: char| !(c.is_ascii_alphanumeric() || c == '_')).unwrap_or(text.len())
}

/// The brace that closes the one `text` starts with.
fn closing_brace(text: &str) -> Option<usize> {
    let mut open = 0usize;
    for (index, c) in text.char_indices() {
        match c {
            '{' => open += 1,
            '}' if open == 1 => return Some(index),
            '}' => open -= 1,
            _ => {}
        }
    }
    None
}
