//! `${…}` in one string, in every form that the reference has, and with its ways of finding where one ends.

use std::cell::Cell;

use crate::string::Str;

/// Deepest `${A:-${B:-…}}`.
const MAX_NESTING: usize = 64;

/// What a name stands for.
pub(crate) type Lookup<'l> = dyn Fn(&str) -> Option<Str> + 'l;

/// Why a template cannot be filled in.
pub(crate) enum Fault {
    /// It is not written as a template is.
    Invalid,
    /// `${NAME:?message}`, and it has no value.
    Missing { name: String, message: Str },
}

/// Fills in a string. Names without a value are given to `unset`, and become nothing.
pub(crate) fn substitute(
    template: &str,
    lookup: &Lookup<'_>,
    unset: &mut dyn FnMut(&str),
) -> Result<Str, Fault> {
    // Each level of a default is read again for what follows it: a bound on all of it keeps a hostile file short.
    let left = Cell::new(100_000);
    Filling { lookup, left: &left }.fill(template, unset, 0)
}

struct Filling<'f> {
    lookup: &'f Lookup<'f>,
    left: &'f Cell<usize>,
}

impl Filling<'_> {
    fn fill(&self, template: &str, unset: &mut dyn FnMut(&str), depth: usize) -> Result<Str, Fault> {
        self.left.set(self.left.get().saturating_sub(1));
        if depth > MAX_NESTING || self.left.get() == 0 {
            return Err(Fault::Invalid);
        }
        let mut out = Str::default();
        let mut rest = template;
        let mut first_fault = None;
        while let Some(dollar) = rest.find('$') {
            out.push_str(&rest[..dollar]);
            rest = &rest[dollar..];
            let end = match_end(rest);
            if end == 0 {
                // A lone `$` is itself: `100$`, `$5`.
                out.push_str("$");
                rest = &rest[1..];
                continue;
            }
            match self.replacement(&rest[..end], unset, depth) {
                Ok(value) => out.append(&value),
                Err(fault) => first_fault = first_fault.or(Some(fault)),
            }
            rest = &rest[end..];
        }
        out.push_str(rest);
        first_fault.map_or(Ok(out), Err)
    }

    /// One match of the pattern, which may hold more than the variable it begins with.
    fn replacement(&self, matched: &str, unset: &mut dyn FnMut(&str), depth: usize) -> Result<Str, Fault> {
        if matched == "$$" {
            return Ok("$".into());
        }
        if !matched.starts_with("${") {
            return Ok(self.value(&matched[1..], unset));
        }
        let operator = operator_of(matched);
        let (one, rest) = match first_closing_brace(matched) {
            Some(close) => matched.split_at(close + 1),
            None => (matched, ""),
        };
        let end = match_end(one);
        let body = one.get(2..end.saturating_sub(1)).filter(|body| !body.is_empty()).ok_or(Fault::Invalid)?;
        let Some((name, word)) = operator.and_then(|operator| body.split_once(operator)) else {
            return Ok(self.value(body, unset));
        };
        // Evaluated before it is known to be needed, as the reference does.
        let word = self.fill(word, unset, depth + 1)?;
        let value = (self.lookup)(name);
        let full = value.as_ref().is_some_and(|value| !value.is_empty());
        let kept = match operator {
            Some(":-") if !full => word,
            Some("-") if value.is_none() => word,
            Some(":+") if full => word,
            Some("+") if value.is_some() => word,
            Some(":?") if !full => return Err(Fault::Missing { name: name.to_owned(), message: word }),
            Some("?") if value.is_none() => {
                return Err(Fault::Missing { name: name.to_owned(), message: word });
            }
            _ => value.unwrap_or_default(),
        };
        let mut out = kept;
        if !rest.is_empty() {
            out.append(&self.fill(rest, unset, depth + 1)?);
        }
        Ok(out)
    }

    fn value(&self, name: &str, unset: &mut dyn FnMut(&str)) -> Str {
        (self.lookup)(name).unwrap_or_else(|| {
            unset(name);
            Str::default()
        })
    }
}

/// Where a match that begins with the `$` of `text` ends; 0 where there is none. Something that opens a brace and is
/// no variable matches with its two first characters, and has no name.
fn match_end(text: &str) -> usize {
    let after = &text[1..];
    if after.starts_with('$') {
        return 2;
    }
    let Some(body) = after.strip_prefix('{') else {
        return match name_end(after) {
            0 => 0,
            end => 1 + end,
        };
    };
    let name = name_end(body);
    let operator = &body[name..];
    if name > 0 && operator.starts_with('}') {
        return 2 + name + 1;
    }
    let operator = operator.strip_prefix(':').unwrap_or(operator);
    if name > 0 && operator.starts_with(['-', '+', '?']) {
        // The pattern takes all it can get up to the last brace of the line.
        let start = text.len() - operator.len() + 1;
        let line = text[start..].find('\n').map_or(text.len(), |end| start + end);
        if let Some(last) = text[start..line].rfind('}') {
            return start + last + 1;
        }
    }
    2
}

/// Length of the name that `text` begins with.
fn name_end(text: &str) -> usize {
    if text.starts_with(|c: char| c.is_ascii_digit()) {
        return 0;
    }
    text.find(|c: char| !(c.is_ascii_alphanumeric() || c == '_')).unwrap_or(text.len())
}

/// The operator that stands first anywhere in the match.
fn operator_of(matched: &str) -> Option<&'static str> {
    [":?", "?", ":-", "-", ":+", "+"]
        .into_iter()
        .filter_map(|operator| Some((matched.find(operator)?, operator)))
        .min_by_key(|(at, _)| *at)
        .map(|(_, operator)| operator)
}

/// The brace that closes the first one. The character after each opening brace is not looked at.
fn first_closing_brace(text: &str) -> Option<usize> {
    let bytes = text.as_bytes();
    let mut open = 0i32;
    let mut index = 0;
    while index < bytes.len() {
        if bytes[index] == b'}' {
            open -= 1;
            if open == 0 {
                return Some(index);
            }
        }
        if bytes[index] == b'{' {
            open += 1;
            index += 1;
        }
        index += 1;
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn filled(template: &str) -> Option<String> {
        let lookup = |name: &str| match name {
            "SET" => Some(Str::held("SET", "set")),
            "EMPTY" => Some(Str::default()),
            _ => None,
        };
        substitute(template, &lookup, &mut |_| {}).ok().map(Str::into_text)
    }

    #[test]
    fn every_form_is_read_as_the_reference_reads_it() {
        for (written, read) in [
            ("$SET ${SET}x", "set setx"),
            ("${EMPTY:-d} ${EMPTY-d} ${NONE-d}", "d  d"),
            ("${NONE:-${SET}}!", "set!"),
            ("${NONE:-a}-${NONE:-b}", "a-b"),
            ("${SET:+r} ${EMPTY:+r} ${EMPTY+r}", "r  r"),
            ("${SET:?m}${EMPTY?m}", "set"),
            ("$$SET $${SET}", "$SET ${SET}"),
            ("100$ $5 $", "100$ $5 $"),
            ("${NONE:-{}}", "{}"),
            ("${NONE:-}", ""),
        ] {
            assert_eq!(filled(written).as_deref(), Some(read), "{written}");
        }
        for wrong in
            ["${A.B}", "${ A }", "${}", "${A=b}", "${SET:-${X:?m}}", "${A", "${A:-a\nb}", "${A:-${B}"]
        {
            assert_eq!(filled(wrong), None, "{wrong}");
        }
    }
}
