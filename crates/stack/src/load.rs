//! From the user's files to a [`Shape`], without touching one: the caller supplies bytes until none is missing.

use std::collections::BTreeMap;

use diag::Diagnostic;

use crate::{
    compose::{
        Project,
        json::{self, Values},
    },
    discovery,
    materials::Materials,
    names::StackName,
    read,
    reading::Reading,
    settings,
    shape::Shape,
};

/// Reads a stack. Pure: it answers which paths it misses until `files` holds them all.
///
/// ```text
/// seaworthy.toml -> files, variables -> compose: one tree -> read: Shape
/// ```
pub fn load(request: &Request, files: &Files) -> Load {
    let reading = Reading::new(request, files);
    match read(&reading) {
        Some(loaded) if reading.needs().is_empty() => Load::Done(Box::new(loaded)),
        _ => Load::Needs(reading.needs()),
    }
}

/// One pass over what is known. `None`, or paths asked for along the way: not everything is there yet.
fn read(reading: &Reading<'_>) -> Option<Loaded> {
    discovery::directory(reading)?;
    let settings = settings::read(reading)?;
    let shape = settings.shape(reading);
    let env_files = match reading.request.env_files.as_slice() {
        [] => shape.value.env_files.clone(),
        given => given.to_vec(),
    };
    let mut variables = discovery::variables(reading, &env_files);
    if !reading.needs().is_empty() {
        return None;
    }
    let directory = reading.directory();
    let files = discovery::files(reading, &shape.value.files, &variables);
    if env_files.is_empty() && reading.directory() != directory {
        // Which files are meant was said by a variable: those beside them count too.
        variables.extend_from(&discovery::variables(reading, &[]));
    }
    let project = Project::new(reading);
    project.open(&files);
    if !reading.needs().is_empty() {
        return None;
    }
    settings.declare_secrets(reading, &mut variables);
    let of_file = project.name(&files, &variables);
    let name = discovery::name(reading, settings.name(), of_file.as_deref(), &variables);
    variables.set("COMPOSE_PROJECT_NAME", &name);
    let profiles = discovery::profiles(reading, &shape.value.profiles, &variables);
    let composed = project.read(&files, &name, &profiles, &variables);
    let understood = composed.is_some() && !reading.refused();
    let print = |values| composed.as_ref().map(|composed| json::print(&name, &composed.used, values));
    let (compose, canonical) = (print(Values::Shown).filter(|_| understood), print(Values::Referred));
    let places = composed.as_ref().map(|composed| json::places(reading, &composed.file)).unwrap_or_default();
    let shape = composed.map(|composed| {
        let compose = read::compose(reading, composed, &name, &variables);
        settings.apply(reading, &shape, compose, StackName::new(name), files, &variables)
    });
    Some(Loaded {
        shape: shape.filter(|shape| !shape.services.is_empty()),
        materials: reading.materials.take(),
        diagnostics: reading.diagnostics(),
        canonical: canonical.unwrap_or_default(),
        compose: compose.map(Rendering),
        shapes: settings.shapes(),
        places,
    })
}

/// What a person asked for on the command line: which files, which shape, which environment.
#[derive(Debug, Clone, Default)]
pub struct Request {
    /// `-f`, in order; empty: the shape's `files`, else `compose.yaml` and its override as Compose finds them.
    pub files: Vec<String>,
    /// `--project-directory`, or the directory of the first file, or the working directory; absolute.
    pub directory: String,
    /// `--project-directory` was given: it stays the project's, also where the files are found above it.
    pub directory_given: bool,
    /// The working directory, where it is another one.
    pub here: Option<String>,
    /// `-p`.
    pub project_name: Option<String>,
    /// `--env-file`, in order.
    pub env_files: Vec<String>,
    /// `--profile`.
    pub profiles: Vec<String>,
    /// `--shape`.
    pub shape: Option<String>,
    /// The shell's environment.
    pub environment: BTreeMap<String, String>,
    /// Key of the keyed hashes; made once per state directory.
    pub fingerprint_key: [u8; 32],
}

/// What the caller found at a path that was asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Found {
    /// A file and its mode bits.
    File {
        /// Its bytes.
        bytes: Vec<u8>,
        /// Mode bits.
        mode: u32,
    },
    /// A directory: every file below it, relative path to bytes and mode, when it is at most 200 files and 4 MiB.
    Directory(BTreeMap<String, (Vec<u8>, u32)>),
    /// A directory too large to read: its content is not part of a service's identity.
    LargeDirectory,
    /// Nothing is there.
    Missing,
    /// Something is there and cannot be read, with the reason.
    Unreadable(String),
}

/// Everything read so far, by absolute path.
pub type Files = BTreeMap<String, Found>;

/// What reading came to.
#[derive(Debug)]
pub enum Load {
    /// These absolute paths are needed before it can go on.
    Needs(Vec<String>),
    /// All there is to know. `shape` is what was understood even where `diagnostics` holds errors; it is `None`
    /// when no service could be made out.
    Done(Box<Loaded>),
}

/// A stack that was read.
#[derive(Debug)]
pub struct Loaded {
    /// What was understood.
    pub shape: Option<Shape>,
    /// The bytes behind its references.
    pub materials: Materials,
    /// Everything there is to say, in file order.
    pub diagnostics: Vec<Diagnostic>,
    /// The canonical tree, as `docker compose config --format json` would print it, but for what came from variables
    /// and secrets: that stands as references.
    pub canonical: serde_json::Value,
    /// The same with the values of variables in it, for a person who asks for what Compose would print. Nothing where
    /// the files are refused, as Compose would refuse them; something also where a verb that acts would stop.
    pub compose: Option<Rendering>,
    /// Shapes declared in `seaworthy.toml`, in order.
    pub shapes: Vec<String>,
    /// Where each service, and each key below it, stands: JSON pointer (`/services/db/ports/0`) to place.
    pub places: BTreeMap<String, diag::Place>,
}

/// A canonical tree with values in it that must not be kept or logged.
#[derive(Clone, PartialEq)]
pub struct Rendering(pub serde_json::Value);

impl std::fmt::Debug for Rendering {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.write_str("Rendering(…)")
    }
}
