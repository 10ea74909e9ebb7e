//! The `${…}` forms of `[service.NAME] process`.
//!
//! | form | becomes |
//! |---|---|
//! | `${address:SERVICE}` | the address of a service of the stack; `self`, or its own name: its own |
//! | `${volume:NAME}` | the directory of a volume it mounts, by its key in the Compose file or the engine's name |
//! | `${file:NAME}` | the path of a file delivered to it, by the secret's name, its target, or the target's last part |
//! | `${mount:TARGET}` | the path of whatever Compose mounts at that target |
//!
//! `$${` stands for `${`. Other uses of `$`, such as a shell's `${HOME}` or `${HOME:-/root}`, stay as they are.

/// A form of a text: what is asked for, and of what.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Form<'a> {
    /// `address`, `volume`, `file`, `mount`, or what was written in its place.
    pub(super) kind: &'a str,
    /// After the colon.
    pub(super) name: &'a str,
}

/// The text with each form replaced by what `resolve` gives for it.
pub(super) fn expand<E>(
    text: &str,
    mut resolve: impl FnMut(Form<'_>) -> Result<String, E>,
) -> Result<String, E> {
    let mut expanded = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find("${") {
        let (before, from) = rest.split_at(at);
        if let Some(before) = before.strip_suffix('$') {
            expanded.push_str(before);
            expanded.push_str("${");
            rest = &from[2..];
            continue;
        }
        expanded.push_str(before);
        if let Some((form, length)) = form_at(from) {
            expanded.push_str(&resolve(form)?);
            rest = &from[length..];
        } else {
            expanded.push_str("${");
            rest = &from[2..];
        }
    }
    expanded.push_str(rest);
    Ok(expanded)
}

/// The form that `text` begins with, and how long it is.
fn form_at(text: &str) -> Option<(Form<'_>, usize)> {
    let inside = text.strip_prefix("${")?.split_once('}')?.0;
    let (kind, name) = inside.split_once(':')?;
    let is_word = !kind.is_empty() && kind.bytes().all(|byte| byte.is_ascii_lowercase());
    let is_name = !name.is_empty() && !name.starts_with(['-', '+', '=', '?']);
    (is_word && is_name).then_some((Form { kind, name }, inside.len() + 3))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: &str) {
        let named = |form: Form<'_>| Ok::<_, ()>(format!("<{} {}>", form.kind, form.name));
        assert_eq!(expand(text, named).expect("it never fails"), expected, "{text}");
    }

    #[test]
    fn forms_are_replaced_and_everything_else_stays() {
        check("postgres://${address:db}:5432/app", "postgres://<address db>:5432/app");
        check("${volume:data}${file:key}", "<volume data><file key>");
        check("${mount:/etc/app.toml}", "<mount /etc/app.toml>");
        check("echo ${HOME} ${port:-80} $1 ${unclosed", "echo ${HOME} ${port:-80} $1 ${unclosed");
        check("$${address:db} costs 5$", "${address:db} costs 5$");
    }

    #[test]
    fn a_form_that_cannot_be_resolved_fails_the_whole_text() {
        assert_eq!(
            expand("a ${file:gone}", |form| Err::<String, _>(form.name.to_owned())),
            Err("gone".to_owned())
        );
    }
}
