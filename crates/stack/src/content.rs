//! Compose secrets and configs of a service: files that are delivered before it starts.

use diag::{Diagnostic, closest};

use crate::{
    environment::not_a_file,
    fields::Fields,
    keys::{self, Keys},
    load::Found,
    materials::Tree,
    mounts::{keep, mode},
    names::SecretName,
    reading::Reading,
    shape::{FileMount, FileSource},
    tree::{Node, Spot},
    variables::Variables,
};

/// The top-level sections and how they differ.
struct Kind {
    section: &'static str,
    one: &'static str,
    keys: &'static Keys,
    directory: &'static str,
    sensitive: bool,
}

const SECRETS: Kind = Kind {
    section: "secrets",
    one: "secret",
    keys: &keys::SECRET,
    directory: "/run/secrets/",
    sensitive: true,
};
const CONFIGS: Kind =
    Kind { section: "configs", one: "config", keys: &keys::CONFIG, directory: "/", sensitive: false };

/// Every file a service is given.
pub(crate) fn files(fields: &Fields<'_, '_>, file: &Node, variables: &Variables) -> Vec<FileMount> {
    let each = |kind: &'static Kind| {
        let items = fields.items(kind.section).iter();
        items.filter_map(|item| mounted(fields.reading, item, kind, file, variables)).collect::<Vec<_>>()
    };
    let mut files = each(&SECRETS);
    files.extend(each(&CONFIGS));
    files
}

/// Checks the declarations themselves, used or not.
pub(crate) fn check(reading: &Reading<'_>, file: &Node) {
    for kind in [&SECRETS, &CONFIGS] {
        let declared = file.get(kind.section).and_then(Node::as_map);
        for entry in declared.into_iter().flat_map(|map| map.values()) {
            Fields::of(reading, &entry.node, kind.keys);
        }
    }
}

fn mounted(
    reading: &Reading<'_>,
    item: &Node,
    kind: &Kind,
    file: &Node,
    variables: &Variables,
) -> Option<FileMount> {
    let fields = Fields::of(reading, item, &keys::FILE);
    let Some(name) = fields.string("source") else {
        if item.as_map().is_some_and(|map| !map.contains_key("source")) {
            reading.error(item.at, "missing-key", format!("a {} needs its `source`", kind.one));
        }
        return None;
    };
    let declared = file.get(kind.section).and_then(Node::as_map);
    let Some(declaration) = declared.and_then(|map| map.get(&name)) else {
        let message = format!("the {} `{name}` is not declared", kind.one);
        let said =
            Diagnostic::error(if kind.sensitive { "unknown-secret" } else { "unknown-config" }, message);
        let known = declared.into_iter().flat_map(|map| map.keys()).map(String::as_str);
        reading.say(
            item.at,
            match closest(&name, known) {
                Some(near) => said.hint(format!("did you mean `{near}`?")),
                None => said.hint(format!("declare it under `{}:` at the top level", kind.section)),
            },
        );
        return None;
    };
    let (source, holds_values) =
        source(reading, &name, kind, &declaration.node, declaration.key_at, variables)?;
    let target = fields.string("target").unwrap_or_else(|| name.clone());
    Some(FileMount {
        target: if target.starts_with('/') { target } else { format!("{}{target}", kind.directory) },
        source,
        uid: fields.number("uid").unwrap_or_default(),
        gid: fields.number("gid").unwrap_or_default(),
        mode: mode(&fields).unwrap_or(0o444),
        sensitive: kind.sensitive || holds_values,
    })
}

/// Where the content comes from, and whether it holds a value from the environment.
fn source(
    reading: &Reading<'_>,
    name: &str,
    kind: &Kind,
    declaration: &Node,
    at: Spot,
    variables: &Variables,
) -> Option<(FileSource, bool)> {
    if kind.sensitive && variables.is_secret(name) {
        return Some((FileSource::Secret { name: SecretName::new(name) }, false));
    }
    let fields = Fields::of(reading, declaration, kind.keys);
    if fields.boolean("external") == Some(true) {
        let said = if kind.sensitive {
            Diagnostic::error(
                "undeclared-secret",
                format!("the external secret `{name}` is not declared in `[secret]`"),
            )
            .hint(format!("add `{name} = \"given\"` to [secret] of seaworthy.toml"))
        } else {
            Diagnostic::error("not-handled-yet", "external configs are not handled yet")
        };
        reading.say(at, said);
        return None;
    }
    let sources = ["file", "content", "environment"].map(|key| fields.node(key).map(|_| key));
    let mut sources = sources.into_iter().flatten();
    let (first, second) = (sources.next(), sources.next());
    if let Some(second) = second {
        let message = format!("`{}` and `{second}` exclude each other", first.unwrap_or_default());
        reading.say(declaration.at, Diagnostic::error("conflict", message).hint("keep one of the two"));
        return None;
    }
    match first {
        Some("file") => from_file(reading, &fields, kind).map(|source| (source, false)),
        Some("content") => from_text(reading, &fields, kind),
        Some(_) => from_variable(reading, &fields, variables),
        None => {
            let message = format!("the {} `{name}` says nowhere what it holds", kind.one);
            reading.say(
                at,
                Diagnostic::error("missing-key", message).hint("give it a `file` or an `environment`"),
            );
            None
        }
    }
}

fn from_file(reading: &Reading<'_>, fields: &Fields<'_, '_>, kind: &Kind) -> Option<FileSource> {
    let path = fields.string("file")?;
    let at = fields.node("file")?.at;
    match reading.find(&reading.absolute(&path))? {
        Found::File { bytes, mode } => {
            let content = if kind.sensitive {
                sealed(reading, bytes.clone())
            } else {
                keep(reading, Tree::File { bytes: bytes.clone(), mode: *mode })
            };
            Some(FileSource::Content { content, label: path })
        }
        found => {
            let said = not_a_file(found, &path, &format!("file of this {}", kind.one));
            reading.say(
                at,
                match kind.sensitive {
                    true => said.hint("make the file, or declare the secret in [secret] of seaworthy.toml"),
                    false => said.hint("the path is relative to the project directory"),
                },
            );
            None
        }
    }
}

fn from_text(reading: &Reading<'_>, fields: &Fields<'_, '_>, kind: &Kind) -> Option<(FileSource, bool)> {
    let node = fields.node("content")?;
    let written = node.scalar().unwrap_or_default();
    let bytes = fields.string("content")?.into_bytes();
    let holds_values = written.contains(crate::reading::is_marker);
    let content = if kind.sensitive || holds_values {
        sealed(reading, bytes)
    } else {
        keep(reading, Tree::File { bytes, mode: 0o444 })
    };
    Some((FileSource::Content { content, label: "inline".to_owned() }, holds_values))
}

fn from_variable(
    reading: &Reading<'_>,
    fields: &Fields<'_, '_>,
    variables: &Variables,
) -> Option<(FileSource, bool)> {
    let variable = fields.string("environment")?;
    if variables.is_secret(&variable) {
        return Some((FileSource::Secret { name: SecretName::new(variable) }, false));
    }
    let Some(value) = variables.get(&variable) else {
        let said =
            Diagnostic::error("required-variable", format!("the required variable `{variable}` is not set"));
        let said = said.hint(format!("set `{variable}` in the shell, in `.env`, or with --env-file"));
        reading.say(fields.node("environment")?.at, said);
        return None;
    };
    let content = sealed(reading, value.as_bytes().to_vec());
    Some((FileSource::Content { content, label: variable }, true))
}

/// Puts sensitive bytes among the materials, under their keyed hash.
fn sealed(reading: &Reading<'_>, bytes: Vec<u8>) -> crate::shape::ContentId {
    let id = reading.fingerprint(&bytes);
    reading.materials.borrow_mut().sensitive.insert(id.clone(), bytes);
    id
}
