//! `security_opt`: a profile that stands in a file is read with the files of the stack, so that a release brings its own
//! back and a change in it is seen.

use diag::Diagnostic;

use super::fields::{Fields, plain};
use crate::{load::Found, reading::not_a_file, tree::Node};

/// Each option as the engine is told it.
pub(super) fn security_opt(fields: &Fields<'_, '_>) -> Vec<String> {
    fields.items("security_opt").iter().filter_map(|item| option(fields, item)).collect()
}

fn option(fields: &Fields<'_, '_>, item: &Node) -> Option<String> {
    let text = plain(fields.reading, item, "security_opt")?;
    let profile = text.strip_prefix("seccomp=").or_else(|| text.strip_prefix("seccomp:"));
    let Some(path) = profile.filter(|named| !["unconfined", "builtin"].contains(named)) else {
        return Some(text);
    };
    let reading = fields.reading;
    let absolute = reading.absolute(path);
    match reading.find(&absolute)? {
        Found::File { bytes, .. } => match compact(bytes) {
            Some(profile) => return Some(format!("seccomp={profile}")),
            None => {
                let message = format!("the seccomp profile `{}` is no JSON", reading.seen(&absolute));
                reading.note(item.at, Diagnostic::error("bad-profile", message));
            }
        },
        found => {
            let said = not_a_file(found, &reading.seen(&absolute), "seccomp profile");
            reading.note(item.at, said.hint("make it, or name the path that is meant"));
        }
    }
    None
}

/// The same JSON without the space between its words: in the order in which it was written, as the engine keeps it.
fn compact(bytes: &[u8]) -> Option<String> {
    serde_json::from_slice::<serde::de::IgnoredAny>(bytes).ok()?;
    let text = std::str::from_utf8(bytes).ok()?;
    let (mut quoted, mut escaped) = (false, false);
    let kept = text.chars().filter(|char| {
        let keep = quoted || !char.is_ascii_whitespace();
        if *char == '"' && !escaped {
            quoted = !quoted;
        }
        escaped = *char == '\\' && !escaped;
        keep
    });
    Some(kept.collect())
}

#[cfg(test)]
mod tests {
    use super::compact;

    #[test]
    fn space_goes_but_not_within_words() {
        let text = "{ \"b\" : [1,\n 2] ,\t\"a b\\\" \\\\\": \" c \" }\n";
        assert_eq!(compact(text.as_bytes()).as_deref(), Some("{\"b\":[1,2],\"a b\\\" \\\\\":\" c \"}"));
        assert_eq!(compact(b"{"), None);
    }
}
