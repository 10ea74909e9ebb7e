//! What one reading gathers as it goes: file names, diagnostics, missing paths, materials.

use std::{
    cell::{Cell, RefCell},
    collections::{BTreeMap, BTreeSet},
};

use diag::{Diagnostic, Place};
use sha2::{Digest, Sha256};

use crate::{
    load::{Files, Found, Request},
    materials::Materials,
    names::SecretName,
    shape::ContentId,
    string::{Origin, Piece, Str},
    text::{Part, Text},
    tree::Spot,
};

/// One reading of a stack. The cells are filled as the tree is walked.
pub(crate) struct Reading<'a> {
    pub(crate) request: &'a Request,
    pub(crate) files: &'a Files,
    sources: RefCell<Vec<String>>,
    said: RefCell<Vec<(Spot, Diagnostic)>>,
    errors: RefCell<BTreeSet<Spot>>,
    /// Values of variables that stand somewhere, with the names they were written by.
    hidden: RefCell<BTreeMap<Spot, Vec<(String, String)>>>,
    needs: RefCell<BTreeSet<String>>,
    /// The project directory, once it is known.
    directory: RefCell<String>,
    /// Whether the Compose files were refused, and not only something in them that is not done here.
    refused: Cell<bool>,
    /// The bytes behind the references of the shape that is being made.
    pub(crate) materials: RefCell<Materials>,
}

impl<'a> Reading<'a> {
    pub(crate) fn new(request: &'a Request, files: &'a Files) -> Self {
        Self {
            request,
            files,
            sources: RefCell::default(),
            said: RefCell::default(),
            errors: RefCell::default(),
            hidden: RefCell::default(),
            needs: RefCell::default(),
            directory: RefCell::new(clean(&request.directory)),
            refused: Cell::new(false),
            materials: RefCell::default(),
        }
    }

    /// Takes a file into the list of files read and returns the number its spots carry.
    pub(crate) fn source(&self, name: &str) -> u16 {
        let mut sources = self.sources.borrow_mut();
        let known = sources.iter().position(|known| known == name);
        let index = known.unwrap_or_else(|| {
            sources.push(name.to_owned());
            sources.len() - 1
        });
        u16::try_from(index).unwrap_or(u16::MAX)
    }

    /// The place of a spot.
    pub(crate) fn place(&self, at: Spot) -> Place {
        let file = self.sources.borrow().get(usize::from(at.file)).cloned().unwrap_or_default();
        Place::new(file, at.line, at.column)
    }

    /// Takes note of a diagnostic; the default spot stands for no place. An error means that the files are refused.
    pub(crate) fn say(&self, at: Spot, diagnostic: Diagnostic) {
        if diagnostic.severity == diag::Severity::Error {
            self.refused.set(true);
        }
        self.note(at, diagnostic);
    }

    /// Takes note of what stops a verb that acts: the files are as they should be, and something in them is not done
    /// here, or cannot be done.
    pub(crate) fn note(&self, at: Spot, diagnostic: Diagnostic) {
        let placed =
            if at.line > 0 { self.without_values(at, diagnostic).at(self.place(at)) } else { diagnostic };
        let mut said = self.said.borrow_mut();
        let mut errors = self.errors.borrow_mut();
        let error = placed.severity == diag::Severity::Error;
        // The second error at one place follows from the first. A node reached twice through an alias says the same
        // thing once.
        if error && at.line > 0 && !errors.insert(at) {
            return;
        }
        if !error && said.iter().any(|(_, before)| *before == placed) {
            return;
        }
        said.push((at, placed));
    }

    /// Takes note that what stands here holds values of variables: nothing that is said of this place may show them.
    pub(crate) fn hide(&self, at: Spot, text: &Str) {
        let pieces = text.pieces().into_iter().filter_map(|piece| match piece {
            Piece::Of(Origin::Variable(name), value) => Some((value.to_owned(), format!("${{{name}}}"))),
            _ => None,
        });
        let values: Vec<(String, String)> = pieces.collect();
        if !values.is_empty() {
            self.hidden.borrow_mut().insert(at, values);
        }
    }

    /// Whoever says something shows strings as they were written; a name that was taken out of one is caught here.
    fn without_values(&self, at: Spot, mut diagnostic: Diagnostic) -> Diagnostic {
        let hidden = self.hidden.borrow();
        for (value, name) in hidden.get(&at).into_iter().flatten() {
            let texts = diagnostic.causes.iter_mut().chain(&mut diagnostic.hint);
            for text in std::iter::once(&mut diagnostic.message).chain(texts) {
                if text.contains(value.as_str()) && !text.contains(name.as_str()) {
                    *text = text.replace(value.as_str(), name);
                }
            }
        }
        diagnostic
    }

    /// Whether the Compose files are refused, as the reference refuses them.
    pub(crate) fn refused(&self) -> bool {
        self.refused.get()
    }

    /// An error with nothing more to it.
    pub(crate) fn error(&self, at: Spot, id: &str, message: impl Into<String>) {
        self.say(at, Diagnostic::error(id, message));
    }

    /// What stands at an absolute path, or `None` when the caller has to look first.
    pub(crate) fn find(&self, path: &str) -> Option<&'a Found> {
        static NOTHING: Found = Found::File { bytes: Vec::new(), mode: 0o666 };
        if path == "/dev/null" {
            return Some(&NOTHING);
        }
        let found = self.files.get(path);
        if found.is_none() {
            self.needs.borrow_mut().insert(path.to_owned());
        }
        found
    }

    /// The paths that were asked for and are not known yet.
    pub(crate) fn needs(&self) -> Vec<String> {
        self.needs.borrow().iter().cloned().collect()
    }

    /// Everything said, in the order of the files.
    pub(crate) fn diagnostics(&self) -> Vec<Diagnostic> {
        let mut said = self.said.borrow().clone();
        said.sort_by_key(|(at, _)| *at);
        said.into_iter().map(|(_, diagnostic)| diagnostic).collect()
    }

    /// A string as a [`Text`]: each hole a part, each value held under its keyed hash.
    pub(crate) fn text(&self, text: &Str) -> Text {
        let parts = text.pieces().into_iter().map(|piece| match piece {
            Piece::Plain(text) => Part::Literal(text.to_owned()),
            Piece::Of(Origin::Secret(name), _) => Part::Secret(SecretName::new(&**name)),
            Piece::Of(Origin::Variable(variable), value) => {
                let id = self.fingerprint(value.as_bytes());
                self.materials.borrow_mut().held.insert(id.clone(), value.to_owned());
                Part::Held { variable: variable.to_string(), id }
            }
        });
        let mut parts: Vec<Part> = parts.collect();
        if parts.is_empty() {
            parts.push(Part::Literal(String::new()));
        }
        Text(parts)
    }

    /// The keyed hash of something sensitive.
    pub(crate) fn fingerprint(&self, bytes: &[u8]) -> ContentId {
        use hmac::Mac as _;
        let mut mac = hmac::Hmac::<Sha256>::new_from_slice(&self.request.fingerprint_key)
            .expect("HMAC takes a key of any length");
        mac.update(bytes);
        let full = data_encoding::HEXLOWER.encode(&mac.finalize().into_bytes());
        ContentId(full[..32].to_owned())
    }

    /// The project directory: that of the request, until the Compose file was found further up.
    pub(crate) fn directory(&self) -> String {
        self.directory.borrow().clone()
    }

    pub(crate) fn set_directory(&self, directory: String) {
        *self.directory.borrow_mut() = directory;
    }

    /// The directory that paths of the command line and of the shell are seen from.
    pub(crate) fn here(&self) -> &str {
        self.request.here.as_deref().unwrap_or(&self.request.directory)
    }

    /// A path with the user's home in place of a `~` it begins with.
    pub(crate) fn at_home(&self, path: &str) -> String {
        match (path.strip_prefix('~'), self.request.environment.get("HOME")) {
            (Some(rest), Some(home)) => clean(&format!("{home}/{rest}")),
            _ => path.to_owned(),
        }
    }

    /// A path as it is meant from the project directory: absolute, without `.` and `..`.
    pub(crate) fn absolute(&self, path: &str) -> String {
        self.absolute_from(&self.directory.borrow(), path)
    }

    /// A path as it is meant from a directory.
    pub(crate) fn absolute_from(&self, directory: &str, path: &str) -> String {
        let path = self.at_home(path);
        if path.starts_with('/') { clean(&path) } else { clean(&format!("{directory}/{path}")) }
    }

    /// A path as a person knows it: from the working directory where it is below that.
    pub(crate) fn seen(&self, path: &str) -> String {
        let below = path.strip_prefix(self.here()).and_then(|rest| rest.strip_prefix('/'));
        below.unwrap_or(path).to_owned()
    }

    /// A file as it was named, or as a person knows it.
    pub(crate) fn named(&self, name: &str) -> String {
        if name.starts_with('/') { name.to_owned() } else { self.seen(&self.absolute(name)) }
    }
}

/// The plain hash of content that is not sensitive.
pub(crate) fn sha256(bytes: &[u8]) -> ContentId {
    ContentId(data_encoding::HEXLOWER.encode(&Sha256::digest(bytes)))
}

/// An absolute path without empty parts, `.` and `..`.
pub(crate) fn clean(path: &str) -> String {
    let mut parts: Vec<&str> = Vec::new();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop();
            }
            part => parts.push(part),
        }
    }
    format!("/{}", parts.join("/"))
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
