//! Compose files to one tree that says everything in the long syntax, as the reference reads them.
//!
//! ```text
//! each file:  parse -> interpolate -> extends -> include -> merge -> unicity -> schema -> transform -> unicity
//! the whole:  defaults -> paths -> environment -> normalize -> decode -> profiles -> consistency -> env files
//! ```
//!
//! Each stage is a file. What is wrong is said with its place, and the rest is read on, so that all mistakes are told
//! at once. A stage leaves alone what it does not understand: one that said why came before it.

use std::{
    cell::RefCell,
    collections::{BTreeMap, BTreeSet},
    rc::Rc,
};

use diag::Diagnostic;

use crate::{
    load::Found,
    reading::{Reading, not_a_file},
    tree::{Map, Node, Spot, Value},
    variables::Variables,
};

mod aside;
mod consistency;
mod decode;
mod defaults;
pub(crate) mod dotenv;
mod env_files;
mod extends;
mod include;
pub(crate) mod interpolate;
pub(crate) mod json;
mod merge;
mod model;
pub(crate) mod normalize;
mod parse;
pub(crate) mod paths;
pub(crate) mod rules;
mod schema;
mod short;
mod template;
mod transform;
mod unicity;

use extends::{Foreign, reset};
use parse::Document;

/// The project as it is when everything was read.
pub(crate) struct Composed {
    /// Everything that is declared, services that no profile enables left out.
    pub(crate) file: Node,
    /// Every service that is declared, enabled or not.
    pub(crate) declared: BTreeSet<String>,
    /// What only disabled services would need is gone from here.
    pub(crate) used: Node,
}

/// What reading a project shares: the files that were parsed.
pub(crate) struct Project<'r, 'a> {
    reading: &'r Reading<'a>,
    parsed: RefCell<BTreeMap<String, Option<Rc<Vec<Document>>>>>,
}

/// What holds for the files of one project: the main one, or an included one.
#[derive(Clone)]
struct Scope {
    variables: Variables,
    /// Where relative paths are seen from in the end; that of an included project may be relative itself.
    directory: String,
    /// Where the files that it names are looked for.
    loads_from: String,
    /// False for a file that a service is taken from: it is not validated alone, and includes nothing.
    reads_on: bool,
    foreign: Rc<RefCell<BTreeMap<String, Option<Rc<Foreign>>>>>,
}

impl Scope {
    fn new(variables: Variables, directory: String, loads_from: String) -> Self {
        Self { variables, directory, loads_from, reads_on: true, foreign: Rc::default() }
    }

    fn local(&self, path: &str) -> String {
        if path.starts_with('/') { path.to_owned() } else { paths::join(&self.loads_from, path) }
    }
}

impl<'r, 'a> Project<'r, 'a> {
    pub(crate) fn new(reading: &'r Reading<'a>) -> Self {
        Self { reading, parsed: RefCell::default() }
    }

    /// The documents of a file; what is no file is given to `refuse`.
    fn documents(
        &self,
        absolute: &str,
        name: &str,
        refuse: impl FnOnce(&Found),
    ) -> Option<Rc<Vec<Document>>> {
        if let Some(known) = self.parsed.borrow().get(absolute) {
            return known.clone();
        }
        let documents = match self.reading.find(absolute)? {
            Found::File { bytes, .. } => Some(Rc::new(parse::parse(self.reading, name, bytes))),
            found => {
                refuse(found);
                None
            }
        };
        self.parsed.borrow_mut().insert(absolute.to_owned(), documents.clone());
        documents
    }

    /// Asks for the main files, and says which of them are none.
    pub(crate) fn open(&self, files: &[String]) {
        for name in files {
            self.documents(&self.reading.absolute(name), &self.reading.named(name), |found| {
                let said = not_a_file(found, name, "Compose file");
                self.reading
                    .say(Spot::default(), said.hint("name the files with -f, or in the shape's `files`"));
            });
        }
    }

    fn opened(&self, files: &[String]) -> Vec<(String, Rc<Vec<Document>>)> {
        let path = |name: &String| self.reading.absolute(name);
        files
            .iter()
            .filter_map(|name| {
                Some((path(name), self.documents(&path(name), &self.reading.named(name), |_| {})?))
            })
            .collect()
    }

    /// `name:` of the last document that has one, interpolated.
    pub(crate) fn name(&self, files: &[String], variables: &Variables) -> Option<String> {
        let opened = self.opened(files);
        let documents = opened.iter().flat_map(|(_, documents)| documents.iter());
        let mut named = documents.filter_map(|document| document.node.get("name"));
        let node = named.rfind(|node| !node.is_null() && !node.printed().is_empty())?;
        let filled = interpolate::filled(self.reading, variables, node.at, &node.printed())?;
        if let Some(secret) = filled.first_secret() {
            let message = crate::read::in_structure(secret, "the name of a project");
            self.reading.error(node.at, "secret-in-structure", message);
        }
        Some(filled.into_text())
    }

    /// Reads the project. `None`: there is nothing, or the caller has to look first.
    pub(crate) fn read(
        &self,
        files: &[String],
        name: &str,
        profiles: &[String],
        variables: &Variables,
    ) -> Option<Composed> {
        let reading = self.reading;
        let opened = self.opened(files);
        let scope = Scope::new(variables.clone(), reading.directory(), reading.directory());
        let mut file = self.model(&scope, &opened, &mut Vec::new());
        if file.as_map().is_none_or(Map::is_empty) {
            // Why a file could not be read was said; only an empty one says nothing by itself.
            if reading.needs().is_empty() && !reading.refused() && !files.is_empty() {
                let said =
                    Diagnostic::error("no-services", format!("nothing stands in {}", files.join(", ")));
                reading.say(
                    Spot::default(),
                    said.hint("a Compose file has a `services:` mapping with at least one service"),
                );
            }
            return None;
        }
        normalize::normalize(&mut file, name, variables);
        let mut file = decode::project(reading, file);
        let disabled = disable(&mut file, profiles);
        let enabled =
            || file.get("services").into_iter().flat_map(Node::entries).map(|(name, _)| name.clone());
        let declared = enabled().chain(disabled.keys().cloned()).collect();
        consistency::check(reading, &file, &disabled);
        scale_replicas(&mut file);
        env_files::resolve(reading, &mut file, variables);
        let used = json::used(&file);
        Some(Composed { file, declared, used })
    }

    /// The files of one project laid over one another, in the long syntax, their paths seen from its directory.
    fn model(
        &self,
        scope: &Scope,
        files: &[(String, Rc<Vec<Document>>)],
        included: &mut Vec<String>,
    ) -> Node {
        let mut model = None;
        for (path, documents) in files {
            included.push(path.clone());
            model = self.file(scope, &self.reading.seen(path), documents, model, included);
            included.pop();
        }
        let mut model = model.unwrap_or_else(|| Node::new(Spot::default(), Value::Map(Map::new())));
        defaults::set(self.reading, &mut model);
        defaults::validate(self.reading, &model);
        paths::resolve(self.reading, &mut model, &scope.directory);
        normalize::resolve_environment(&mut model, &scope.variables);
        model
    }

    /// The documents of one file, laid over those before it.
    fn file(
        &self,
        scope: &Scope,
        name: &str,
        documents: &[Document],
        mut below: Option<Node>,
        included: &mut Vec<String>,
    ) -> Option<Node> {
        let reading = self.reading;
        for document in documents {
            let mut node = document.node.clone();
            if node.as_map().is_none() {
                let message = format!("a Compose file must be a mapping, and this is {}", node.kind());
                let said = Diagnostic::error("wrong-type", message);
                reading.say(node.at, said.hint("it begins with `services:`"));
                continue;
            }
            interpolate::interpolate(reading, &scope.variables, &mut node);
            if scope.reads_on {
                extends::apply(self, scope, name, &mut node, &document.resets);
            }
            if let Some(below) = &mut below {
                reset(below, &[], &document.resets);
            }
            if scope.reads_on {
                include::apply(self, scope, &mut node, included);
            }
            let spoken_of = below.as_mut().map(|below| aside::spoken_of(below, &node));
            let mut merged = match spoken_of {
                Some(before) => merge::merge(reading, before, node),
                None => node,
            };
            unicity::enforce(reading, &mut merged);
            if scope.reads_on {
                schema::validate(reading, &merged);
            }
            transform::canonical(reading, &mut merged);
            // A range of ports has become as many, which can be those of a file before.
            unicity::enforce(reading, &mut merged);
            match &mut below {
                Some(below) => aside::put_back(below, merged),
                None => below = Some(merged),
            }
            if let Some(whole) = below.as_mut().filter(|_| scope.reads_on) {
                obsolete(reading, whole);
            }
        }
        below
    }
}

fn obsolete(reading: &Reading<'_>, file: &mut Node) {
    let Some(version) = file.as_map_mut().and_then(|map| map.shift_remove("version")) else { return };
    let said = Diagnostic::note("obsolete-key", "`version` means nothing any more");
    reading.say(version.node.at, said.hint("take the line out"));
}

/// Takes out the services that no profile enables. Without profiles of its own a service is always on; `*` turns all of
/// them on.
fn disable(file: &mut Node, profiles: &[String]) -> Map {
    let mut disabled = Map::new();
    let Some(services) = file.get_mut("services").and_then(Node::as_map_mut) else { return disabled };
    let enabled = |service: &Node| {
        let own = service.get("profiles").map(Node::items).unwrap_or_default();
        let on =
            |own: &Node| profiles.iter().any(|on| on == "*" || own.as_str().is_some_and(|own| **own == **on));
        own.is_empty() || own.iter().any(on)
    };
    for (name, entry) in std::mem::take(services) {
        match enabled(&entry.node) {
            true => services.insert(name, entry),
            false => disabled.insert(name, entry),
        };
    }
    disabled
}

/// How many containers run is said in both places, where there is a `deploy`.
fn scale_replicas(file: &mut Node) {
    let Some(services) = file.get_mut("services").and_then(Node::as_map_mut) else { return };
    for service in services.values_mut() {
        let Some(scale) = service.node.entry("scale").cloned() else { continue };
        if let Some(deploy) = service.node.get_mut("deploy").and_then(Node::as_map_mut) {
            deploy.insert("replicas".to_owned(), scale);
        }
    }
}

/// A file that would have to be fetched.
fn is_remote(path: &str) -> bool {
    let addresses = ["https://", "http://", "git://", "ssh://", "github.com/", "git@", "oci://"];
    addresses.iter().any(|prefix| path.starts_with(prefix))
}

fn refuse_remote(reading: &Reading<'_>, at: Spot, path: &str) {
    let said = Diagnostic::error("remote-file", format!("`{path}` is not on this machine"));
    let said = said.cause("what a stack is made of must not change by itself");
    reading.say(at, said.hint("fetch the file, and name it by its path"));
}
