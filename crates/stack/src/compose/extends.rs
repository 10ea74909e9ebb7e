//! Services that extend others, of their own file or of another.

use std::rc::Rc;

use diag::{Diagnostic, closest};

use super::{
    Project, Scope, merge,
    paths::{parent, relative, resolve},
};
use crate::{
    reading::not_a_file,
    tree::{Entry, Map, Node, Spot, Value},
};

/// What `!reset` and `!override` mark in a file, for what its services are laid over.
type Resets = [Vec<String>];

/// Lays every service of a file over the one that it extends.
pub(super) fn apply(project: &Project<'_, '_>, scope: &Scope, file: &str, node: &mut Node, resets: &Resets) {
    let Some(services) = node.get_mut("services").and_then(Node::as_map_mut) else { return };
    let names: Vec<String> = services.keys().cloned().collect();
    for name in names {
        let mut extending = Extending { project, scope, file: file.to_owned(), branch: Vec::new() };
        extending.service(&name, services, resets);
    }
}

struct Extending<'p, 'r, 'a> {
    project: &'p Project<'r, 'a>,
    scope: &'p Scope,
    /// The file that is being read, by its name.
    file: String,
    /// File and service of everything that led here, with their places.
    branch: Vec<(String, String)>,
}

/// Place and name of the service that is extended, and place and path of its file where that is another one.
type Base = (Spot, String, Option<(Spot, String)>);

/// Deepest chain of services that extend one another: far beyond what a person can follow.
const MAX_CHAIN: usize = 100;

impl Extending<'_, '_, '_> {
    /// Replaces a service with what it comes to. `None`: something is wrong, and was said.
    fn service(&mut self, name: &str, services: &mut Map, resets: &Resets) -> Option<Node> {
        let service = services.get(name)?.node.clone();
        let Some(extends) = service.get("extends").filter(|_| service.as_map().is_some()) else {
            return Some(service);
        };
        let (at, base_name, base_file) = self.base_of(extends)?;
        let reading = self.project.reading;
        let mut foreign = None;
        if let Some((file_at, path)) = &base_file {
            foreign = Some(self.foreign(*file_at, path)?);
        }
        let known: &Map = match &foreign {
            Some(document) => document.services()?,
            None => services,
        };
        if !known.contains_key(&base_name) {
            let place = base_file.as_ref().map_or_else(String::new, |(_, path)| format!(" in `{path}`"));
            let said = Diagnostic::error(
                "unknown-service",
                format!("there is no service `{base_name}`{place} to extend"),
            );
            let near = closest(&base_name, known.keys().map(String::as_str));
            reading.say(
                at,
                match near {
                    Some(near) => said.hint(format!("did you mean `{near}`?")),
                    None => said.hint("name a service that the file declares"),
                },
            );
            return None;
        }
        let file = base_file.map_or_else(|| self.file.clone(), |(_, path)| path);
        let step = (file, name.to_owned());
        if self.branch.contains(&step) || self.branch.len() >= MAX_CHAIN {
            let mut names: Vec<&str> = self.branch.iter().map(|(_, service)| service.as_str()).collect();
            names.push(name);
            let said = Diagnostic::error("extends-cycle", "services extend each other in a circle");
            let shown = names.iter().rev().take(8).rev().copied().collect::<Vec<_>>().join(" → ");
            reading.say(at, said.cause(shown).hint("take one of these `extends` out"));
            return None;
        }
        self.branch.push(step);
        let base = match &foreign {
            Some(document) => {
                let mut theirs = document.services()?.clone();
                self.service(&base_name, &mut theirs, &document.resets)
            }
            None => self.service(&base_name, services, &[]),
        };
        self.branch.pop();
        let mut base = base?;
        if base.is_null() {
            return Some(service);
        }
        super::reset(&mut base, &["services".to_owned(), name.to_owned()], resets);
        let mut merged = merge::extend(reading, name, base, service);
        merged.as_map_mut().map(|map| map.shift_remove("extends"));
        if let Some(entry) = services.get_mut(name) {
            entry.node = merged.clone();
        }
        Some(merged)
    }

    /// Place and name of the service that is extended, and place and path of its file.
    fn base_of(&self, extends: &Node) -> Option<Base> {
        let reading = self.project.reading;
        match &extends.value {
            Value::Text(name) => Some((extends.at, name.to_string(), None)),
            Value::Map(_) => {
                let Some(name) = extends.str("service") else {
                    reading.error(extends.at, "missing-key", "`extends` needs the `service` that it extends");
                    return None;
                };
                let at = extends.get("service").map_or(extends.at, |node| node.at);
                match extends.get("file").filter(|file| !file.is_null()) {
                    None => Some((at, name.to_string(), None)),
                    Some(file) => match file.as_str() {
                        Some(path) => Some((at, name.to_string(), Some((file.at, path.to_string())))),
                        None => {
                            let message = format!("`file` must be a path, and is {}", file.shown());
                            reading.error(file.at, "wrong-type", message);
                            None
                        }
                    },
                }
            }
            _ => {
                let message = format!("`extends` must be a name or a mapping, and is {}", extends.shown());
                reading.error(extends.at, "wrong-type", message);
                None
            }
        }
    }

    /// The services of another file, in the long syntax, their paths seen from here.
    fn foreign(&self, at: Spot, path: &str) -> Option<Rc<Foreign>> {
        let (project, scope) = (self.project, self.scope);
        if let Some(known) = scope.foreign.borrow().get(path) {
            return known.clone();
        }
        let reading = project.reading;
        let local = scope.local(path);
        if super::is_remote(path) {
            super::refuse_remote(reading, at, path);
            return None;
        }
        let absolute = reading.absolute_from(reading.here(), &local);
        let found = project.documents(&absolute, &reading.seen(&absolute), |found| {
            let said = not_a_file(found, path, "extended file");
            reading.say(at, said.hint("the path is relative to the file that says `extends`"));
        });
        let read = found.map(|documents| {
            let scope = Scope { reads_on: false, ..scope.clone() };
            let name = reading.seen(&absolute);
            let mut file = project.file(&scope, &name, &documents, None, &mut Vec::new());
            if let Some(file) = &mut file {
                let directory = relative(&scope.loads_from, &parent(&local));
                resolve(reading, file, &directory);
            }
            let resets = documents.last().map(|document| document.resets.clone()).unwrap_or_default();
            Rc::new(Foreign { file, resets })
        });
        let read = read.filter(|read| {
            let services = read.services().is_some();
            if !services && !reading.refused() {
                let message = format!("`{path}` has no services to extend");
                reading.error(at, "no-services", message);
            }
            services
        });
        scope.foreign.borrow_mut().insert(path.to_owned(), read.clone());
        read
    }
}

/// A file that services were taken from.
pub(super) struct Foreign {
    file: Option<Node>,
    resets: Vec<Vec<String>>,
}

impl Foreign {
    fn services(&self) -> Option<&Map> {
        self.file.as_ref()?.get("services")?.as_map()
    }
}

/// Leaves out what is marked.
pub(super) fn reset(node: &mut Node, path: &[String], resets: &Resets) {
    if resets.is_empty() {
        return;
    }
    let mut path = path.to_vec();
    leave_out(node, &mut path, resets);
}

fn leave_out(node: &mut Node, path: &mut Vec<String>, resets: &Resets) {
    let Some(map) = node.as_map_mut() else { return };
    map.retain(|key, entry: &mut Entry| {
        path.push(key.clone());
        let marked = resets.iter().any(|reset| reset == path);
        let nearer = resets.iter().any(|reset| reset.starts_with(path));
        if !marked && nearer {
            leave_out(&mut entry.node, path, resets);
        }
        path.pop();
        !marked
    });
}
