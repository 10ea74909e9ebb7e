//! Other projects that a file includes, each with its own directory and variables.

use diag::Diagnostic;

use super::{
    Project, Scope,
    paths::{join, parent, relative},
};
use crate::{
    discovery,
    load::Found,
    reading::not_a_file,
    tree::{Entry, Map, Node, Spot, Value},
};

const SECTIONS: [&str; 6] = ["services", "volumes", "networks", "secrets", "configs", "models"];

/// One entry of `include`.
struct Include {
    at: Spot,
    paths: Vec<(Spot, String)>,
    directory: Option<String>,
    env_files: Vec<(Spot, String)>,
}

/// Reads what a file includes into it. `included` are the files that led here.
pub(super) fn apply(project: &Project<'_, '_>, scope: &Scope, file: &mut Node, included: &mut Vec<String>) {
    let Some(entry) = file.as_map_mut().and_then(|map| map.shift_remove("include")) else { return };
    let reading = project.reading;
    let Value::List(list) = &entry.node.value else {
        if !entry.node.is_null() {
            let message = format!("`include` must be a list, and is {}", entry.node.shown());
            reading.error(entry.node.at, "wrong-type", message);
        }
        return;
    };
    for item in list {
        let Some(include) = read(project, item) else { continue };
        if let Some(imported) = load(project, scope, include, included) {
            import(project, imported, file);
        }
    }
}

fn read(project: &Project<'_, '_>, item: &Node) -> Option<Include> {
    let reading = project.reading;
    let at = item.at;
    let mut include = Include { at, paths: Vec::new(), directory: None, env_files: Vec::new() };
    let wrong = |node: &Node, wanted: &str| {
        let message = format!("an include must be {wanted}, and is {}", node.shown());
        reading.error(node.at, "wrong-type", message);
    };
    let paths = |node: &Node| -> Option<Vec<(Spot, String)>> {
        match &node.value {
            Value::Text(path) => Some(vec![(node.at, path.to_string())]),
            Value::List(list) => {
                list.iter().map(|item| Some((item.at, item.as_str()?.to_string()))).collect()
            }
            Value::Null => Some(Vec::new()),
            _ => None,
        }
    };
    match &item.value {
        Value::Text(path) => include.paths.push((at, path.to_string())),
        Value::Map(map) => {
            for (key, entry) in map {
                let node = &entry.node;
                match key.as_str() {
                    "path" | "env_file" => match paths(node) {
                        Some(found) if key == "path" => include.paths = found,
                        Some(found) => include.env_files = found,
                        None => {
                            wrong(node, "a path or a list of paths");
                            return None;
                        }
                    },
                    "project_directory" => {
                        include.directory =
                            node.as_str().map(|text| text.to_string()).filter(|d| !d.is_empty());
                    }
                    // What else stands here is ignored by the reference.
                    _ => {}
                }
            }
        }
        Value::Null => {}
        _ => {
            wrong(item, "a path or a mapping");
            return None;
        }
    }
    Some(include)
}

/// Reads one included project to the long syntax, its paths seen from the one that includes it.
fn load(
    project: &Project<'_, '_>,
    scope: &Scope,
    include: Include,
    included: &mut Vec<String>,
) -> Option<Node> {
    let reading = project.reading;
    let files: Vec<(Spot, String)> =
        include.paths.iter().map(|(at, path)| (*at, scope.local(path))).collect();
    let mut directory = include.directory.clone().unwrap_or_default();
    let mut seen_from = String::new();
    if let Some((at, main)) = files.first() {
        if super::is_remote(&include.paths[0].1) {
            super::refuse_remote(reading, *at, &include.paths[0].1);
            return None;
        }
        if directory.is_empty() {
            directory = parent(main);
            seen_from = relative(&scope.loads_from, &directory);
        } else if directory.starts_with('/') {
            seen_from.clone_from(&directory);
        } else {
            let local = scope.local(&directory);
            // What is no directory counts as a file in one.
            let from = match reading.find(&reading.absolute_from(reading.here(), &local))? {
                Found::Missing | Found::File { .. } => parent(&local),
                _ => local,
            };
            seen_from = relative(&scope.loads_from, &from);
            directory = join(&scope.directory, &directory);
        }
        if included.iter().any(|before| before == main) {
            let mut names: Vec<String> = included.iter().map(|file| reading.seen(file)).collect();
            names.push(reading.seen(main));
            let said = Diagnostic::error("include-cycle", "files include each other in a circle");
            reading.say(*at, said.cause(names.join(" → ")).hint("take one of these includes out"));
            return None;
        }
    }
    let variables = variables(project, scope, &include, &directory)?;
    let inner = Scope::new(variables, seen_from, directory);
    let opened: Vec<_> = files
        .iter()
        .filter_map(|(at, path)| {
            let absolute = reading.absolute_from(reading.here(), path);
            let documents = project.documents(&absolute, &reading.seen(&absolute), |found| {
                let said = not_a_file(found, &reading.seen(&absolute), "included file");
                reading.say(*at, said.hint("the path is relative to the file that includes it"));
            });
            Some((path.clone(), documents?))
        })
        .collect();
    // Said of the file once, however often it is included.
    let _ = include.at;
    Some(project.model(&inner, &opened, included))
}

/// The variables of the including project, then those of the included one's env files.
fn variables(
    project: &Project<'_, '_>,
    scope: &Scope,
    include: &Include,
    directory: &str,
) -> Option<crate::variables::Variables> {
    let reading = project.reading;
    let mut variables = scope.variables.clone();
    let mut values = std::collections::BTreeMap::new();
    if include.env_files.is_empty() {
        let path = reading.absolute_from(reading.here(), &join(directory, ".env"));
        if let Some(Found::File { bytes, .. }) = reading.find(&path) {
            values = discovery::read(reading, &variables, &path, bytes, values);
        }
    }
    for (at, file) in &include.env_files {
        let path = if file.starts_with('/') { file.clone() } else { join(&scope.directory, file) };
        let path = reading.absolute_from(reading.here(), &path);
        match reading.find(&path) {
            Some(Found::File { bytes, .. }) => {
                values = discovery::read(reading, &variables, &path, bytes, values);
            }
            Some(found) => {
                reading.say(*at, not_a_file(found, &reading.seen(&path), "env file"));
                return None;
            }
            None => {}
        }
    }
    variables.extend(values);
    Some(variables)
}

/// Takes what an included project declares into the including one, which may say the same and nothing else.
fn import(project: &Project<'_, '_>, mut imported: Node, file: &mut Node) {
    let at = file.at;
    let Some(top) = file.as_map_mut() else { return };
    for section in SECTIONS {
        let Some(from) = imported.get_mut(section).and_then(Node::as_map_mut) else { continue };
        let empty = || Entry::at(Node::new(at, Value::Map(Map::new())));
        let onto = top.entry(section.to_owned()).or_insert_with(empty);
        if onto.node.is_null() {
            onto.node.value = Value::Map(Map::new());
        }
        let Some(onto) = onto.node.as_map_mut() else { continue };
        for (name, entry) in std::mem::take(from) {
            match onto.get(&name) {
                None => drop(onto.insert(name, entry)),
                Some(own) if own.node == entry.node => {}
                Some(own) => {
                    let one = section.trim_end_matches('s');
                    let message = format!("the {one} `{name}` is declared here, and by what is included");
                    let said = Diagnostic::error("include-conflict", message);
                    let place = project.reading.place(entry.key_at);
                    let said = said.cause(format!("there it stands at {place}, and says something else"));
                    project.reading.say(own.key_at, said.hint("rename one of the two, or declare it once"));
                }
            }
        }
    }
}
