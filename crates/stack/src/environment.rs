//! A service's environment: its `env_file`s, then its own `environment` over them.

use std::collections::BTreeMap;

use diag::Diagnostic;

use crate::{
    fields::{Fields, text},
    keys,
    load::Found,
    reading::{Reading, Reference},
    text::Text,
    tree::Node,
    variables::{self, Assignment, Variables},
};

/// The environment of a service; `None` is a variable that is named and has no value.
pub(crate) fn environment(fields: &Fields<'_, '_>, variables: &Variables) -> BTreeMap<String, Option<Text>> {
    let reading = fields.reading;
    let mut environment = BTreeMap::new();
    let own = fields.entries("environment");
    let mut earlier: BTreeMap<String, String> = BTreeMap::new();
    let lookup_own = |name: &str| {
        let scalar = own.iter().find(|(key, _)| *key == name)?.1.node.scalar()?;
        reading.plain(&scalar).ok()
    };
    for item in fields.items("env_file") {
        let lookup = |name: &str, earlier: &BTreeMap<String, String>| {
            let shell = variables.get(name).map(str::to_owned);
            shell.or_else(|| lookup_own(name)).or_else(|| earlier.get(name).cloned())
        };
        for (name, assignment) in env_file(reading, item, &|name| lookup(name, &earlier)) {
            let value = match assignment {
                Assignment::Set(value) => Some(value),
                Assignment::Inherited => variables.get(&name).map(str::to_owned),
            };
            // A bare name that nobody has set leaves no trace.
            let Some(value) = value else { continue };
            earlier.insert(name.clone(), value.clone());
            let marker = reading.marker(Reference::Held { variable: name.clone(), value });
            environment.insert(name, Some(reading.text(&marker.to_string())));
        }
    }
    for (name, entry) in own {
        let value = match entry.node.is_null() {
            true => inherited(reading, variables, name),
            false => text(reading, &entry.node, name),
        };
        environment.insert(name.to_owned(), value);
    }
    environment
}

/// The value of a name that `environment` mentions without one.
fn inherited(reading: &Reading<'_>, variables: &Variables, name: &str) -> Option<Text> {
    let reference = if variables.is_secret(name) {
        Reference::Secret(name.to_owned())
    } else {
        Reference::Held { variable: name.to_owned(), value: variables.get(name)?.to_owned() }
    };
    Some(reading.text(&reading.marker(reference).to_string()))
}

fn env_file(
    reading: &Reading<'_>,
    item: &Node,
    lookup: &dyn Fn(&str) -> Option<String>,
) -> BTreeMap<String, Assignment> {
    let fields = Fields::of(reading, item, &keys::ENV_FILE);
    let Some(path) = fields.string("path") else { return BTreeMap::new() };
    let required = fields.boolean("required").unwrap_or(true);
    let format = fields.string("format");
    let found = reading.find(&reading.absolute(&path));
    match found {
        None => BTreeMap::new(),
        Some(Found::Missing) if !required => BTreeMap::new(),
        Some(Found::File { bytes, .. }) => match format.as_deref() {
            None | Some("") => variables::dotenv(reading, &path, bytes, lookup),
            Some("raw") => raw(bytes),
            Some(other) => {
                let message = format!("`{other}` is no format of an env file: leave it out, or write `raw`");
                reading.error(item.at, "wrong-type", message);
                BTreeMap::new()
            }
        },
        Some(found) => {
            let said = not_a_file(found, &path, "env file");
            reading.say(item.at, said.hint("write `required: false` where it may be missing"));
            BTreeMap::new()
        }
    }
}

/// `format: raw`: everything after the first `=`, verbatim.
fn raw(bytes: &[u8]) -> BTreeMap<String, Assignment> {
    let text = String::from_utf8_lossy(bytes);
    let lines = text.lines().filter(|line| !line.trim().is_empty() && !line.starts_with('#'));
    lines
        .map(|line| match line.split_once('=') {
            Some((name, value)) => (name.trim().to_owned(), Assignment::Set(value.to_owned())),
            None => (line.trim().to_owned(), Assignment::Inherited),
        })
        .collect()
}

/// What to say where a file was expected and none can be read.
pub(crate) fn not_a_file(found: &Found, path: &str, what: &str) -> Diagnostic {
    match found {
        Found::Directory(_) | Found::LargeDirectory => {
            Diagnostic::error("not-a-file", format!("the {what} `{path}` is a directory"))
        }
        Found::Unreadable(why) => {
            Diagnostic::error("unreadable-file", format!("the {what} `{path}` cannot be read"))
                .cause(why.clone())
        }
        Found::Missing | Found::File { .. } => {
            Diagnostic::error("missing-file", format!("the {what} `{path}` does not exist"))
        }
    }
}
