//! From what was typed to what a verb needs to know: the one place where arguments are resolved.

use std::{
    collections::BTreeMap,
    io::{IsTerminal, Read},
    path::{Path, PathBuf},
};

use diag::{Diagnostic, Stop};
use plan::{SavedPlan, Typed, Verb};
use runner::StateDir;
use secrets::{Identities, Secret};
use stack::{EngineKind, Request};

use crate::cli::{Colour, EngineArg, Global, PlanFileArgs, SetArgs, SharesArgs};

/// How a verb says what it has to say.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Speech {
    /// One JSON document on stdout.
    pub(crate) json: bool,
    /// Journal entries as JSON lines.
    pub(crate) json_lines: bool,
    /// Only how it ended.
    pub(crate) quiet: bool,
    /// More.
    pub(crate) verbose: bool,
    /// Colours and moving bars.
    pub(crate) colour: bool,
    /// stderr is a terminal.
    pub(crate) terminal: bool,
}

/// Everything the global flags say.
#[derive(Debug, Clone)]
pub(crate) struct Settings {
    /// What is read.
    pub(crate) request: Request,
    /// `--engine`.
    pub(crate) engine: Option<EngineKind>,
    /// Where things are kept.
    pub(crate) state: StateDir,
    /// How it is said.
    pub(crate) speech: Speech,
    /// The command as it was typed.
    pub(crate) typed: Typed,
}

impl Settings {
    /// Resolves the global flags.
    ///
    /// # Errors
    /// When the working directory is gone, or a path is not text.
    pub(crate) fn resolve(global: Global) -> Result<Self, Stop> {
        let Global {
            files,
            project_name,
            project_directory,
            env_files,
            profiles,
            shape,
            engine,
            state_dir,
            json,
            json_lines,
            quiet,
            verbose,
            color,
        } = global;
        let here = std::env::current_dir().map_err(|err| {
            Stop::usage(
                Diagnostic::error("no-directory", "the working directory cannot be used").caused_by(&err),
            )
        })?;
        // As Compose: paths on the command line are seen from here, those in files from the first file's directory.
        let files = files.iter().map(|file| text_of(&here.join(file))).collect::<Result<Vec<_>, _>>()?;
        let env_files =
            env_files.iter().map(|file| text_of(&here.join(file))).collect::<Result<Vec<_>, _>>()?;
        let beside = || files.first().and_then(|file| Path::new(file).parent()).map(Path::to_owned);
        let directory_given = project_directory.is_some();
        let directory =
            project_directory.map(|dir| here.join(dir)).or_else(beside).unwrap_or_else(|| here.clone());
        let terminal = std::io::stderr().is_terminal();
        let colour = match color {
            Colour::Always => true,
            Colour::Never => false,
            Colour::Auto => terminal && std::env::var_os("NO_COLOR").is_none(),
        };
        let request = Request {
            files,
            directory: text_of(&directory)?,
            directory_given,
            here: Some(text_of(&here)?),
            project_name,
            env_files,
            profiles,
            shape,
            environment: std::env::vars_os()
                .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
                .collect::<BTreeMap<_, _>>(),
            fingerprint_key: [0; 32],
        };
        let engine = engine.map(|engine| match engine {
            EngineArg::Docker => EngineKind::Docker,
            EngineArg::Process => EngineKind::Process,
        });
        let state = StateDir::new(here.join(state_dir.unwrap_or_else(default_state_dir)));
        let speech = Speech { json, json_lines, quiet, verbose, colour, terminal };
        let words = std::env::args_os().skip(1).map(|word| word.to_string_lossy().into_owned());
        Ok(Self { request, engine, state, speech, typed: Typed(words.collect()) })
    }
}

/// Root: `/var/lib/seaworthy`; others: the XDG state directory.
fn default_state_dir() -> PathBuf {
    if rustix::process::geteuid().is_root() {
        return PathBuf::from("/var/lib/seaworthy");
    }
    let home = || std::env::var_os("HOME").map(|home| PathBuf::from(home).join(".local/state"));
    let state = std::env::var_os("XDG_STATE_HOME").map(PathBuf::from).or_else(home);
    state.unwrap_or_else(|| PathBuf::from(".")).join("seaworthy")
}

fn text_of(path: &Path) -> Result<String, Stop> {
    path.to_str().map(str::to_owned).ok_or_else(|| {
        Stop::usage(Diagnostic::error("not-text", format!("the path `{}` is not UTF-8", path.display())))
    })
}

/// The shares in `--shares`.
///
/// # Errors
/// When the file cannot be read or holds none.
pub(crate) fn shares(arguments: &SharesArgs) -> Result<Vec<Secret<String>>, Stop> {
    let Some(path) = &arguments.shares else { return Ok(Vec::new()) };
    let text = read_secret("shares", path)?;
    secrets::keystore::parse_shares(text.expose())
        .map_err(|err| {
            unusable("shares", "key shares", path, &err).hint("one share a line, as its holder has it")
        })
        .map_err(Stop::usage)
}

/// The identities in `--identity`.
///
/// # Errors
/// When the file cannot be read or holds none.
pub(crate) fn identities(arguments: &SetArgs) -> Result<Option<Identities>, Stop> {
    let Some(path) = &arguments.identity else { return Ok(None) };
    let text = read_secret("identity", path)?;
    secrets::parse_identities(text.expose())
        .map(Some)
        .map_err(|err| {
            unusable("identity", "age identities", path, &err).hint("age-keygen -o FILE makes one")
        })
        .map_err(Stop::usage)
}

/// The plan in `--plan`, to be carried out by `verb`.
///
/// # Errors
/// When the file cannot be read, holds no plan, or one of another verb.
pub(crate) fn planned(arguments: &PlanFileArgs, verb: Verb) -> Result<Option<SavedPlan>, Stop> {
    let Some(path) = &arguments.plan else { return Ok(None) };
    let saved = plan_file(path)?;
    saved.refuse_as(verb)?;
    Ok(Some(saved))
}

/// The plan in this file.
///
/// # Errors
/// When it cannot be read, or holds none.
pub(crate) fn plan_file(path: &Path) -> Result<SavedPlan, Stop> {
    let text = std::fs::read(path).map_err(|err| {
        let message = format!("cannot read `{}`", path.display());
        Stop::usage(Diagnostic::error("plan-file", message).caused_by(&err))
    })?;
    SavedPlan::read(&path.display().to_string(), &text).map_err(|said| Stop::usage(*said))
}

fn unusable(id: &str, what: &str, path: &Path, error: &(dyn std::error::Error + 'static)) -> Diagnostic {
    Diagnostic::error(id, format!("`{}` holds no {what}", path.display())).caused_by(error)
}

/// A secret from a file, or from stdin where the path is `-`.
///
/// # Errors
/// When it cannot be read.
pub(crate) fn read_secret(what: &str, path: &Path) -> Result<Secret<String>, Stop> {
    let mut text = String::new();
    let read = if path == Path::new("-") {
        std::io::stdin().read_to_string(&mut text).map(|_| ())
    } else {
        std::fs::read_to_string(path).map(|read| text = read)
    };
    let text = Secret::new(text);
    read.map(|()| text).map_err(|err| {
        Stop::usage(Diagnostic::error(what, format!("cannot read `{}`", path.display())).caused_by(&err))
    })
}
