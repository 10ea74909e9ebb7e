//! What one reading gathers as it goes: file names, diagnostics, missing paths, references behind marker characters.

use std::{
    cell::RefCell,
    collections::{BTreeMap, BTreeSet},
};

use diag::{Diagnostic, Place};
use sha2::{Digest, Sha256};

use crate::{
    load::{Files, Found, Request},
    materials::Materials,
    names::SecretName,
    shape::ContentId,
    text::{Part, Text},
    tree::Spot,
};

/// First of the marker characters: plane 16 is for private use. A marker stands for one reference inside a string of
/// the tree, so that a value that must not be seen passes through merging and splitting without being there.
const FIRST_MARKER: u32 = 0x10_0000;
const MARKERS: u32 = 0xFFFE;

/// True of characters that [`Reading`] uses inside strings, and that no file may hold.
pub(crate) fn is_marker(c: char) -> bool {
    (FIRST_MARKER..FIRST_MARKER + MARKERS).contains(&u32::from(c))
}

/// What a marker stands for.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Reference {
    /// A secret of `[secret]`.
    Secret(String),
    /// The value of a variable of the shell, of `.env`, of an env file.
    Held { variable: String, value: String },
}

/// One reading of a stack. The cells are filled as the tree is walked.
pub(crate) struct Reading<'a> {
    pub(crate) request: &'a Request,
    pub(crate) files: &'a Files,
    sources: RefCell<Vec<String>>,
    said: RefCell<Vec<(Spot, Diagnostic)>>,
    needs: RefCell<BTreeSet<String>>,
    references: RefCell<Vec<Reference>>,
    markers: RefCell<BTreeMap<Reference, char>>,
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
            needs: RefCell::default(),
            references: RefCell::default(),
            markers: RefCell::default(),
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

    /// Takes note of a diagnostic; the default spot stands for no place.
    pub(crate) fn say(&self, at: Spot, diagnostic: Diagnostic) {
        let placed = if at.line > 0 { diagnostic.at(self.place(at)) } else { diagnostic };
        let mut said = self.said.borrow_mut();
        // A node reached twice through an alias says the same thing once.
        if !said.iter().any(|(_, before)| *before == placed) {
            said.push((at, placed));
        }
    }

    /// An error with nothing more to it.
    pub(crate) fn error(&self, at: Spot, id: &str, message: impl Into<String>) {
        self.say(at, Diagnostic::error(id, message));
    }

    /// What stands at an absolute path, or `None` when the caller has to look first.
    pub(crate) fn find(&self, path: &str) -> Option<&'a Found> {
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

    /// Whether an error was said.
    pub(crate) fn failed(&self) -> bool {
        self.said.borrow().iter().any(|(_, said)| said.severity == diag::Severity::Error)
    }

    /// Everything said, in the order of the files.
    pub(crate) fn diagnostics(&self) -> Vec<Diagnostic> {
        let mut said = self.said.borrow().clone();
        said.sort_by_key(|(at, _)| *at);
        said.into_iter().map(|(_, diagnostic)| diagnostic).collect()
    }

    /// The marker of a reference.
    pub(crate) fn marker(&self, reference: Reference) -> char {
        let mut markers = self.markers.borrow_mut();
        if let Some(marker) = markers.get(&reference) {
            return *marker;
        }
        let mut references = self.references.borrow_mut();
        let index = u32::try_from(references.len()).unwrap_or(MARKERS);
        // One marker a variable: a stack with 65,534 of them does not fit a file of the size that is read.
        let marker = char::from_u32(FIRST_MARKER + index.min(MARKERS - 1)).unwrap_or('\u{FFFD}');
        references.push(reference.clone());
        markers.insert(reference, marker);
        marker
    }

    fn reference(&self, marker: char) -> Option<Reference> {
        let index = usize::try_from(u32::from(marker).checked_sub(FIRST_MARKER)?).ok()?;
        self.references.borrow().get(index).cloned()
    }

    /// Variable and value behind a marker of a held value.
    pub(crate) fn held(&self, c: char) -> Option<(String, String)> {
        match if is_marker(c) { self.reference(c) } else { None } {
            Some(Reference::Held { variable, value }) => Some((variable, value)),
            _ => None,
        }
    }

    /// A string as a person may see it: references as they were written.
    pub(crate) fn shown(&self, text: &str) -> String {
        self.replaced(text, |reference| match reference {
            Reference::Secret(name) => format!("${{{name}}}"),
            Reference::Held { variable, .. } => format!("${{{variable}}}"),
        })
    }

    /// A string with the values of its variables in it; a declared secret stays out and is returned as the error.
    pub(crate) fn plain(&self, text: &str) -> Result<String, String> {
        let mut secret = None;
        let plain = self.replaced(text, |reference| match reference {
            Reference::Secret(name) => {
                secret = Some(name);
                String::new()
            }
            Reference::Held { value, .. } => value,
        });
        secret.map_or(Ok(plain), Err)
    }

    fn replaced(&self, text: &str, mut replace: impl FnMut(Reference) -> String) -> String {
        let mut out = String::with_capacity(text.len());
        for c in text.chars() {
            match if is_marker(c) { self.reference(c) } else { None } {
                Some(reference) => out.push_str(&replace(reference)),
                None => out.push(c),
            }
        }
        out
    }

    /// A string as a [`Text`]: each marker a part, each value held under its keyed hash.
    pub(crate) fn text(&self, text: &str) -> Text {
        let mut parts = Vec::new();
        let mut literal = String::new();
        for c in text.chars() {
            let Some(reference) = (if is_marker(c) { self.reference(c) } else { None }) else {
                literal.push(c);
                continue;
            };
            if !literal.is_empty() {
                parts.push(Part::Literal(std::mem::take(&mut literal)));
            }
            parts.push(match reference {
                Reference::Secret(name) => Part::Secret(SecretName::new(name)),
                Reference::Held { variable, value } => {
                    let id = self.fingerprint(value.as_bytes());
                    self.materials.borrow_mut().held.insert(id.clone(), value);
                    Part::Held { variable, id }
                }
            });
        }
        if !literal.is_empty() || parts.is_empty() {
            parts.push(Part::Literal(literal));
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

    /// A path as it is meant from the project directory: absolute, without `.` and `..`.
    pub(crate) fn absolute(&self, path: &str) -> String {
        let home = self.request.environment.get("HOME");
        match (path.strip_prefix('~'), home) {
            (Some(rest), Some(home)) if rest.is_empty() || rest.starts_with('/') => {
                clean(&format!("{home}{rest}"))
            }
            _ if path.starts_with('/') => clean(path),
            _ => clean(&format!("{}/{path}", self.request.directory)),
        }
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
