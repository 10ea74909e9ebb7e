//! A service's volumes, binds and tmpfs.

use diag::Diagnostic;

use crate::{
    environment::not_a_file,
    fields::{Fields, plain, wrong},
    keys,
    load::Found,
    materials::Tree,
    names::VolumeKey,
    reading::{Reading, clean, sha256},
    shape::{BindOptions, ContentId, Mount, MountSource},
    tree::Node,
    values,
};

/// Everything that is mounted into a service.
pub(crate) fn mounts(fields: &Fields<'_, '_>) -> Vec<Mount> {
    let volumes = fields.items("volumes").iter().filter_map(|item| mount(fields.reading, item));
    let memory = fields.items("tmpfs").iter().filter_map(|item| tmpfs(fields.reading, item));
    volumes.chain(memory).collect()
}

fn mount(reading: &Reading<'_>, item: &Node) -> Option<Mount> {
    let fields = Fields::of(reading, item, &keys::MOUNT);
    let read_only = fields.boolean("read_only").unwrap_or_default();
    let target = fields.string("target");
    if target.is_none() && item.as_map().is_some_and(|map| !map.contains_key("target")) {
        reading.error(item.at, "missing-key", "a mount needs its `target`");
    }
    let source = fields.string("source").filter(|source| !source.is_empty());
    fields.fields("volume", &keys::MOUNT_VOLUME);
    let bind = fields.fields("bind", &keys::MOUNT_BIND);
    let tmpfs = fields.fields("tmpfs", &keys::MOUNT_TMPFS);
    let source = match fields.string("type").as_deref() {
        Some("volume") => match source {
            Some(volume) => {
                MountSource::Volume { volume: VolumeKey::new(volume), nocopy: false, subpath: None }
            }
            None => MountSource::Anonymous,
        },
        Some("bind") => {
            let Some(source) = source else {
                reading.error(item.at, "missing-key", "a bind needs its `source`");
                return None;
            };
            let create = bind.is_some_and(|bind| bind.boolean("create_host_path") != Some(false));
            bound(reading, item, &source, read_only, create)
        }
        Some("tmpfs") => MountSource::Tmpfs {
            size_bytes: tmpfs.and_then(|tmpfs| tmpfs.bytes("size")),
            mode: tmpfs.and_then(|tmpfs| mode(&tmpfs)),
        },
        Some(kind @ ("npipe" | "cluster" | "image")) => {
            reading.error(item.at, "not-handled-yet", format!("mounts of type `{kind}` are not handled yet"));
            return None;
        }
        Some(_) => {
            wrong(reading, fields.node("type")?, "type", "one of volume, bind, tmpfs");
            return None;
        }
        None => {
            if item.as_map().is_some_and(|map| !map.contains_key("type")) {
                reading.error(item.at, "missing-key", "a mount needs its `type`: volume, bind or tmpfs");
            }
            return None;
        }
    };
    let target = target?;
    if !target.starts_with('/') {
        let said = Diagnostic::error("bad-mount", format!("the target `{target}` is not an absolute path"));
        reading.say(item.at, said.hint("a target begins with `/`"));
        return None;
    }
    Some(Mount { target: clean(&target), source, read_only })
}

/// A path of the host. What a read-only one holds belongs to the service's identity.
fn bound(reading: &Reading<'_>, item: &Node, source: &str, read_only: bool, create: bool) -> MountSource {
    let path = reading.absolute(source);
    let options = BindOptions { create_host_path: create, ..BindOptions::default() };
    // A writable path that is missing is made by the engine, as under Compose.
    if of_the_machine(&path) || (!read_only && create) {
        return MountSource::Bind { path, content: None, options };
    }
    let content = match reading.find(&path) {
        None | Some(Found::LargeDirectory) => None,
        Some(Found::File { bytes, mode }) if read_only => {
            Some(keep(reading, Tree::File { bytes: bytes.clone(), mode: *mode }))
        }
        Some(Found::Directory(files)) if read_only => Some(keep(reading, Tree::Directory(files.clone()))),
        Some(Found::File { .. } | Found::Directory(_)) => None,
        Some(found @ Found::Missing) => {
            let said = not_a_file(found, source, "mounted path");
            reading.say(item.at, said.hint(format!("it is looked for at `{path}`")));
            None
        }
        Some(Found::Unreadable(why)) => {
            let message =
                format!("the content of `{source}` cannot be read: a change in it will not be seen");
            reading.say(item.at, Diagnostic::warning("unreadable-bind", message).cause(why.clone()));
            None
        }
    };
    MountSource::Bind { path, content, options }
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
pub(crate) fn keep(reading: &Reading<'_>, tree: Tree) -> ContentId {
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

/// Mode bits, written in octal: a number (`0440`, which YAML reads as octal) or a string.
pub(crate) fn mode(fields: &Fields<'_, '_>) -> Option<u32> {
    let node = fields.node("mode")?;
    if let crate::tree::Value::Int(bits) = node.value {
        return u32::try_from(bits).ok().filter(|bits| *bits <= 0o7777).or_else(|| {
            wrong(fields.reading, node, "mode", "mode bits such as `0440`");
            None
        });
    }
    fields.read("mode", "mode bits such as `0440`", |text| {
        u32::from_str_radix(text.strip_prefix("0o").unwrap_or(text), 8).ok().filter(|bits| *bits <= 0o7777)
    })
}

/// Options of a tmpfs that Compose takes and we refuse for now.
const KNOWN_TMPFS: [&str; 7] = ["ro", "exec", "suid", "dev", "uid", "gid", "nr_inodes"];

/// `/path[:size=64m,mode=1777]`.
fn tmpfs(reading: &Reading<'_>, item: &Node) -> Option<Mount> {
    let text = plain(reading, item, "tmpfs")?;
    let (target, options) = text.split_once(':').unwrap_or((&text, ""));
    let (mut size_bytes, mut bits) = (None, None);
    for option in options.split(',').filter(|option| !option.is_empty()) {
        match option.split_once('=').unwrap_or((option, "")) {
            ("size", size) if values::bytes(size).is_some() => size_bytes = values::bytes(size),
            ("mode", mode) if u32::from_str_radix(mode, 8).is_ok() => {
                bits = u32::from_str_radix(mode, 8).ok()
            }
            // What an engine does anyway.
            ("rw" | "noexec" | "nosuid" | "nodev", "") => {}
            (name, _) if matches!(name, "size" | "mode") || !KNOWN_TMPFS.contains(&name) => {
                wrong(reading, item, "tmpfs", "`/path:size=64m,mode=1777`");
            }
            (name, _) => {
                reading.error(
                    item.at,
                    "not-handled-yet",
                    format!("the tmpfs option `{name}` is not handled yet"),
                );
            }
        }
    }
    let source = MountSource::Tmpfs { size_bytes, mode: bits };
    Some(Mount { target: target.to_owned(), source, read_only: false })
}
