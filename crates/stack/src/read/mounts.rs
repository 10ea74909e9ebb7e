//! Volumes, binds and memory that are mounted into a service.

use std::collections::BTreeMap;

use diag::Diagnostic;

use super::fields::{Fields, plain};
use crate::{
    load::Found,
    materials::Tree,
    names::{ServiceName, VolumeKey},
    reading::{Reading, clean, not_a_file, sha256},
    shape::{BindOptions, ContentId, Mount, MountSource, Recursive, VolumesFrom},
};

/// `volumes`.
pub(super) fn mounts(fields: &Fields<'_, '_>) -> Vec<Mount> {
    fields.each("volumes").filter_map(|mount| self::mount(&mount)).collect()
}

fn mount(fields: &Fields<'_, '_>) -> Option<Mount> {
    let reading = fields.reading;
    let read_only = fields.flag("read_only");
    let source = fields.string("source");
    let kind = fields.string("type");
    let source = match (kind.as_deref(), source) {
        (Some("volume"), Some(source)) => {
            let volume = fields.fields("volume");
            MountSource::Volume {
                volume: VolumeKey::new(source),
                nocopy: volume.is_some_and(|volume| volume.flag("nocopy")),
                subpath: volume.and_then(|volume| volume.string("subpath")),
            }
        }
        (Some("volume"), None) => MountSource::Anonymous,
        (Some("bind"), Some(source)) => bind(fields, &source, read_only),
        (Some("tmpfs"), _) => {
            let tmpfs = fields.fields("tmpfs");
            MountSource::Tmpfs {
                size_bytes: tmpfs.and_then(|tmpfs| tmpfs.size("size")),
                mode: tmpfs.and_then(|tmpfs| tmpfs.number("mode", "mode bits such as `0700`")),
            }
        }
        (Some("image"), Some(image)) => MountSource::Image {
            image,
            subpath: fields.fields("image").and_then(|image| image.string("subpath")),
        },
        (Some(kind @ ("npipe" | "cluster")), _) => {
            let said = Diagnostic::error("refused-key", format!("mounts of type `{kind}` are not made here"));
            reading.note(fields.at("type"), said.hint("use a volume, a bind or tmpfs"));
            return None;
        }
        // What is wrong was said before.
        _ => return None,
    };
    let target = fields.string("target")?;
    if !target.starts_with('/') {
        let shown = fields.node.get("target").map(crate::tree::Node::shown).unwrap_or_default();
        let said = Diagnostic::error("bad-mount", format!("the target {shown} is not an absolute path"));
        reading.note(fields.at("target"), said.hint("a target begins with `/`"));
        return None;
    }
    Some(Mount { target: clean(&target), source, read_only })
}

/// A path of the host. What a read-only one holds belongs to the service's identity.
fn bind(fields: &Fields<'_, '_>, source: &str, read_only: bool) -> MountSource {
    let path = fields.reading.absolute(source);
    let bind = fields.fields("bind");
    let options = BindOptions {
        create_host_path: bind.is_some_and(|bind| bind.flag("create_host_path")),
        propagation: bind.and_then(|bind| bind.string("propagation")),
        selinux: bind.and_then(|bind| bind.string("selinux")),
        recursive: match bind.and_then(|bind| bind.string("recursive")).as_deref() {
            Some("enabled") => Some(Recursive::Enabled),
            Some("disabled") => Some(Recursive::Disabled),
            Some("writable") => Some(Recursive::Writable),
            Some("readonly") => Some(Recursive::Readonly),
            _ => None,
        },
    };
    // A writable path that is missing is made by the engine, as under Compose.
    if of_the_machine(&path) || (!read_only && options.create_host_path) {
        return MountSource::Bind { path, content: None, options };
    }
    let content = content(fields, &path, read_only);
    MountSource::Bind { path, content, options }
}

fn content(fields: &Fields<'_, '_>, path: &str, read_only: bool) -> Option<ContentId> {
    let (reading, at) = (fields.reading, fields.node.at);
    let shown = || {
        let written = fields.node.str("source").map(crate::string::Str::shown).unwrap_or_default();
        reading.seen(&written)
    };
    match reading.find(path) {
        Some(Found::File { bytes, mode }) if read_only => {
            Some(keep(reading, Tree::File { bytes: bytes.clone(), mode: *mode }))
        }
        Some(Found::Directory(files)) if read_only => Some(keep(reading, Tree::Directory(files.clone()))),
        Some(found @ Found::Missing) => {
            let said = not_a_file(found, &shown(), "mounted path");
            reading.note(at, said.hint("make it, or name the path that is meant"));
            None
        }
        Some(Found::Unreadable(why)) => {
            let message =
                format!("the content of `{}` cannot be read: a change in it will not be seen", shown());
            reading.note(at, Diagnostic::warning("unreadable-bind", message).cause(why.clone()));
            None
        }
        None | Some(Found::LargeDirectory | Found::File { .. } | Found::Directory(_)) => None,
    }
}

/// A socket, the whole machine, or what its kernel and engine show as files: reading it would not end, and what it
/// holds is no part of a service's identity.
fn of_the_machine(path: &str) -> bool {
    let trees = ["/proc", "/sys", "/dev", "/run", "/var/run", "/var/lib/docker"];
    let below =
        |tree: &str| path.strip_prefix(tree).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
    path == "/" || path.ends_with(".sock") || trees.into_iter().any(below)
}

/// Puts a file or tree among the materials, under its hash.
pub(super) fn keep(reading: &Reading<'_>, tree: Tree) -> ContentId {
    let id = match &tree {
        Tree::File { bytes, .. } => sha256(bytes),
        Tree::Directory(files) => {
            let mut all = Vec::new();
            for (path, (bytes, mode)) in files {
                all.extend(format!("{path}\0{mode:o}\0{}\n", sha256(bytes).0).into_bytes());
            }
            sha256(&all)
        }
    };
    reading.materials.borrow_mut().trees.insert(id.clone(), tree);
    id
}

/// `tmpfs`: path to options.
pub(super) fn tmpfs(fields: &Fields<'_, '_>) -> BTreeMap<String, String> {
    let mut tmpfs = BTreeMap::new();
    for item in fields.items("tmpfs") {
        let Some(text) = plain(fields.reading, item, "tmpfs") else { continue };
        let (target, options) = text.split_once(':').unwrap_or((&text, ""));
        tmpfs.insert(target.to_owned(), options.to_owned());
    }
    tmpfs
}

/// `volumes_from`: `[container:]NAME[:ro]`.
pub(super) fn volumes_from(fields: &Fields<'_, '_>) -> Vec<VolumesFrom> {
    let from = |item: &crate::tree::Node| {
        let text = plain(fields.reading, item, "volumes_from")?;
        let (container, rest) = match text.strip_prefix("container:") {
            Some(rest) => (true, rest),
            None => (false, text.as_str()),
        };
        let (name, mode) = rest.split_once(':').unwrap_or((rest, "rw"));
        let read_only = mode == "ro";
        Some(match container {
            true => VolumesFrom::Container { container: name.to_owned(), read_only },
            false => VolumesFrom::Service { service: ServiceName::new(name), read_only },
        })
    };
    fields.items("volumes_from").iter().filter_map(from).collect()
}
