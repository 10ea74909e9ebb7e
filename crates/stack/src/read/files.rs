//! Compose secrets and configs of a service: files that are delivered before it starts.

use diag::Diagnostic;

use super::{fields::Fields, mounts::keep};
use crate::{
    compose::normalize::SECRET_CONTENT,
    load::Found,
    materials::Tree,
    names::SecretName,
    reading::{Reading, not_a_file},
    shape::{ContentId, FileMount, FileSource},
    tree::{Entry, Node},
    variables::Variables,
};

/// What a service may refer to.
pub(super) struct Around<'n> {
    /// The whole project.
    pub(super) file: &'n Node,
    /// What `${NAME}` can stand for.
    pub(super) variables: &'n Variables,
}

/// The top-level sections and how they differ.
struct Kind {
    section: &'static str,
    one: &'static str,
    directory: &'static str,
    sensitive: bool,
}

const SECRETS: Kind = Kind { section: "secrets", one: "secret", directory: "/run/secrets/", sensitive: true };
const CONFIGS: Kind = Kind { section: "configs", one: "config", directory: "/", sensitive: false };

/// Every file a service is given.
pub(super) fn files(fields: &Fields<'_, '_>, around: &Around<'_>) -> Vec<FileMount> {
    let each = |kind: &'static Kind| {
        fields.each(kind.section).filter_map(|file| mounted(&file, kind, around)).collect::<Vec<_>>()
    };
    let mut files = each(&SECRETS);
    files.extend(each(&CONFIGS));
    files
}

fn mounted(fields: &Fields<'_, '_>, kind: &Kind, around: &Around<'_>) -> Option<FileMount> {
    let name = fields.string("source")?;
    // One that is not declared was said before.
    let declaration = around.file.get(kind.section)?.entry(&name)?;
    let (source, holds_values) = source(fields.reading, &name, kind, declaration, around.variables)?;
    let target = fields.string("target").unwrap_or_else(|| name.clone());
    let id = |key: &str| {
        let read = fields.read(key, "a number of a user or group", |text| text.parse().ok());
        read.unwrap_or_default()
    };
    let mode = fields.read("mode", "mode bits such as `0440`", |text| {
        u32::from_str_radix(text, 8).ok().filter(|bits| *bits <= 0o7777)
    });
    Some(FileMount {
        target: if target.starts_with('/') { target } else { format!("{}{target}", kind.directory) },
        source,
        uid: id("uid"),
        gid: id("gid"),
        mode: mode.unwrap_or(0o444),
        sensitive: kind.sensitive || holds_values,
    })
}

/// Where the content comes from, and whether it holds a value from the environment.
fn source(
    reading: &Reading<'_>,
    name: &str,
    kind: &Kind,
    declaration: &Entry,
    variables: &Variables,
) -> Option<(FileSource, bool)> {
    if kind.sensitive && variables.is_secret(name) {
        return Some((FileSource::Secret { name: SecretName::new(name) }, false));
    }
    let fields = Fields::of(reading, &declaration.node);
    if fields.flag("external") {
        let said = if kind.sensitive {
            Diagnostic::error(
                "undeclared-secret",
                format!("the external secret `{name}` is not declared in `[secret]`"),
            )
            .hint(format!("add `{name} = \"given\"` to [secret] of seaworthy.toml"))
        } else {
            let message = format!("the external config `{name}` is kept by nobody here");
            Diagnostic::error("refused-key", message).hint("give it a `file` or a `content`")
        };
        reading.note(declaration.key_at, said);
        return None;
    }
    if fields.node.get("file").is_some() {
        return from_file(&fields, kind).map(|source| (source, false));
    }
    from_text(&fields, kind)
}

fn from_file(fields: &Fields<'_, '_>, kind: &Kind) -> Option<FileSource> {
    let reading = fields.reading;
    let path = fields.string("file")?;
    let label = reading.seen(&path);
    match reading.find(&reading.absolute(&path))? {
        Found::File { bytes, mode } => {
            let content = if kind.sensitive {
                sealed(reading, bytes.clone())
            } else {
                keep(reading, Tree::File { bytes: bytes.clone(), mode: *mode })
            };
            Some(FileSource::Content { content, label })
        }
        found => {
            let shown = fields.node.str("file").map(|path| reading.seen(&path.shown())).unwrap_or_default();
            let said = not_a_file(found, &shown, &format!("file of this {}", kind.one));
            reading.note(
                fields.at("file"),
                match kind.sensitive {
                    true => said.hint("make the file, or declare the secret in [secret] of seaworthy.toml"),
                    false => said.hint("the path is relative to the project directory"),
                },
            );
            None
        }
    }
}

/// What stands in the file itself, or in a variable.
fn from_text(fields: &Fields<'_, '_>, kind: &Kind) -> Option<(FileSource, bool)> {
    let reading = fields.reading;
    let variable = fields.string("environment");
    let key = if kind.sensitive { SECRET_CONTENT } else { "content" };
    let Some(text) = fields.node.str(key) else {
        // Without a variable it says nowhere what it holds, and that was said.
        let variable = variable?;
        let message = format!("the required variable `{variable}` is not set");
        let said = Diagnostic::error("required-variable", message);
        let said = said.hint(format!("set `{variable}` in the shell, in `.env`, or with --env-file"));
        reading.note(fields.at("environment"), said);
        return None;
    };
    if let (Some(variable), Some(secret)) = (&variable, text.first_secret())
        && variable == secret
    {
        return Some((FileSource::Secret { name: SecretName::new(secret) }, false));
    }
    let bytes = fields.string(key)?.into_bytes();
    let holds_values = !text.is_plain() || variable.is_some();
    let content = if kind.sensitive || holds_values {
        sealed(reading, bytes)
    } else {
        keep(reading, Tree::File { bytes, mode: 0o444 })
    };
    let label = variable.unwrap_or_else(|| "inline".to_owned());
    Some((FileSource::Content { content, label }, holds_values))
}

/// Puts sensitive bytes among the materials, under their keyed hash.
fn sealed(reading: &Reading<'_>, bytes: Vec<u8>) -> ContentId {
    let id = reading.fingerprint(&bytes);
    reading.materials.borrow_mut().sensitive.insert(id.clone(), bytes);
    id
}
