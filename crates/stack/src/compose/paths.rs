//! Relative paths, seen from the directory of their file.

use crate::{
    reading::Reading,
    string::Str,
    tree::{Node, Value},
};

/// Makes the paths of a file those seen from `base`, which may itself be relative to the directory of another file.
pub(crate) fn resolve(reading: &Reading<'_>, file: &mut Node, base: &str) {
    let resolver = Resolver { reading, base };
    for service in values(file.get_mut("services")) {
        resolver.service(service);
    }
    for section in ["configs", "secrets"] {
        for object in values(file.get_mut(section)) {
            resolver.edit(object.get_mut("file"), Resolver::perhaps_windows);
        }
    }
    for volume in values(file.get_mut("volumes")) {
        let local = volume.str("driver").is_some_and(|driver| &**driver == "local");
        let Some(options) = volume.get_mut("driver_opts").filter(|_| local) else { continue };
        if options.str("o").is_some_and(|o| &**o == "bind") {
            resolver.edit(options.get_mut("device"), Resolver::perhaps_windows);
        }
    }
}

fn values(node: Option<&mut Node>) -> impl Iterator<Item = &mut Node> {
    node.and_then(Node::as_map_mut).into_iter().flat_map(|map| map.values_mut()).map(|entry| &mut entry.node)
}

fn items(node: Option<&mut Node>) -> &mut [Node] {
    match node.map(|node| &mut node.value) {
        Some(Value::List(list)) => list,
        _ => &mut [],
    }
}

struct Resolver<'r, 'a> {
    reading: &'r Reading<'a>,
    base: &'r str,
}

impl Resolver<'_, '_> {
    fn service(&self, service: &mut Node) {
        if let Some(build) = service.get_mut("build") {
            self.edit(build.get_mut("context"), Self::context);
            for context in values(build.get_mut("additional_contexts")) {
                self.edit(Some(context), Self::context);
            }
            for key in values(build.get_mut("ssh")) {
                self.edit(Some(key), Self::perhaps_windows);
            }
        }
        for file in items(service.get_mut("env_file")) {
            self.edit(file.get_mut("path"), Self::plain);
        }
        for file in items(service.get_mut("label_file")) {
            self.edit(Some(file), Self::plain);
        }
        if let Some(extends) = service.get_mut("extends") {
            self.edit(extends.get_mut("file"), Self::plain);
        }
        if let Some(develop) = service.get_mut("develop") {
            for trigger in items(develop.get_mut("watch")) {
                self.edit(trigger.get_mut("path"), Self::plain);
            }
        }
        for mount in items(service.get_mut("volumes")) {
            if mount.str("type").is_none_or(|kind| &**kind != "bind") {
                continue;
            }
            match mount.get("source") {
                Some(_) => self.edit(mount.get_mut("source"), Self::perhaps_windows),
                None => self.reading.error(mount.at, "missing-key", "a bind needs its `source`"),
            }
        }
    }

    fn edit(&self, node: Option<&mut Node>, edit: impl Fn(&Self, &Str) -> Option<String>) {
        let Some(Value::Text(text)) = node.map(|node| &mut node.value) else { return };
        if let Some(path) = edit(self, text) {
            *text = text.rewritten(path);
        }
    }

    fn plain(&self, path: &Str) -> Option<String> {
        let path = self.reading.at_home(path);
        Some(if path.starts_with('/') || path.is_empty() { path } else { join(self.base, &path) })
    }

    fn perhaps_windows(&self, path: &Str) -> Option<String> {
        let path = self.reading.at_home(path);
        Some(if path.starts_with('/') || is_windows(&path) { path } else { join(self.base, &path) })
    }

    /// A directory that is built from; addresses and services are left as they are.
    fn context(&self, context: &Str) -> Option<String> {
        let remote = ["https://", "http://", "git://", "ssh://", "github.com/", "git@", "service:"];
        let elsewhere = context.contains("://") || remote.iter().any(|prefix| context.starts_with(prefix));
        if elsewhere { None } else { self.plain(context) }
    }
}

/// An absolute path of Windows.
fn is_windows(path: &str) -> bool {
    let bytes = path.as_bytes();
    let separator = |at: usize| bytes.get(at).is_some_and(|b| matches!(b, b'\\' | b'/'));
    (separator(0) && separator(1)) || (bytes.get(1) == Some(&b':') && separator(2))
}

/// A path without empty parts, `.` and `..`, as Go cleans it.
pub(crate) fn clean(path: &str) -> String {
    let rooted = path.starts_with('/');
    let mut parts: Vec<&str> = Vec::new();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." if parts.last().is_some_and(|last| *last != "..") => drop(parts.pop()),
            ".." if rooted => {}
            part => parts.push(part),
        }
    }
    let joined = parts.join("/");
    match (rooted, joined.is_empty()) {
        (true, _) => format!("/{joined}"),
        (false, true) => ".".to_owned(),
        (false, false) => joined,
    }
}

/// One path below another, as Go joins them.
pub(crate) fn join(base: &str, path: &str) -> String {
    match (base.is_empty(), path.is_empty()) {
        (true, true) => String::new(),
        (true, false) => clean(path),
        (false, true) => clean(base),
        (false, false) => clean(&format!("{base}/{path}")),
    }
}

/// The directory of a path.
pub(crate) fn parent(path: &str) -> String {
    path.rfind('/').map_or_else(|| ".".to_owned(), |end| clean(&path[..=end]))
}

/// A path as it is seen from a directory; where that cannot be said, as it is.
pub(crate) fn relative(base: &str, path: &str) -> String {
    let (base, path) = (clean(base), clean(path));
    if base == path {
        return ".".to_owned();
    }
    if base.starts_with('/') != path.starts_with('/') {
        return path;
    }
    let parts = |path: &str| -> Vec<String> {
        path.split('/').filter(|part| !part.is_empty() && *part != ".").map(str::to_owned).collect()
    };
    let (from, to) = (parts(&base), parts(&path));
    let shared = from.iter().zip(&to).take_while(|(a, b)| a == b).count();
    if from[shared..].iter().any(|part| part == "..") {
        return path;
    }
    let up = from[shared..].iter().map(|_| "..".to_owned());
    let parts: Vec<String> = up.chain(to[shared..].iter().cloned()).collect();
    if parts.is_empty() { ".".to_owned() } else { parts.join("/") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_joined_and_seen_as_go_does_it() {
        assert_eq!(clean("a//b/./../c/"), "a/c");
        assert_eq!(clean("../a"), "../a");
        assert_eq!(clean("/../a"), "/a");
        assert_eq!(clean(""), ".");
        assert_eq!(join("/srv/app", "./x"), "/srv/app/x");
        assert_eq!(join(".", "x"), "x");
        assert_eq!(relative("/srv/app", "/srv/app/sub"), "sub");
        assert_eq!(relative("/srv/app", "/srv/other"), "../other");
        assert_eq!(relative("/srv/app", "/srv/app"), ".");
        assert_eq!(
            (parent("/a/b"), parent("b"), parent("/b")),
            ("/a".to_owned(), ".".to_owned(), "/".to_owned())
        );
        assert!(
            is_windows("C:\\x") && is_windows("\\\\host\\share") && !is_windows("./x") && !is_windows("C:x")
        );
    }
}
