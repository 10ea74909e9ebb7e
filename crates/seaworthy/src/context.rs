//! What every verb works with: the stack as it was read, and the engine it runs on.

use std::sync::Arc;

use diag::{Diagnostic, Exit, Stop};
use host::{Docker, Engine, EngineError, Process, Trouble};
use runner::{Given, Operations, RunError, SystemClock, live::People};
use secrets::Keyring;
use stack::{EngineKind, Loaded};

use crate::{
    cli::{SetArgs, SharesArgs},
    settings,
    settings::Settings,
    view::View,
};

/// Reads the stack: with the shape of the live release where none was asked for. Makes nothing.
///
/// # Errors
/// When the state directory cannot be used.
pub(crate) fn load(settings: &Settings) -> Result<Loaded, Stop> {
    load_with(settings, &runner::keyring(&settings.state)?)
}

/// The same, with the keys that its hashes are made with.
///
/// # Errors
/// As [`load`].
pub(crate) fn load_with(settings: &Settings, keyring: &Keyring) -> Result<Loaded, Stop> {
    let mut request = settings.request.clone();
    request.fingerprint_key = keyring.fingerprint_key();
    let loaded = runner::load(&request);
    let asked = request.shape.is_some();
    let Some(shape) = loaded.shape.as_ref().filter(|_| !asked && loaded.shapes.len() > 1) else {
        return Ok(loaded);
    };
    let live = Operations::live_release(&settings.state, &shape.stack)?.map(|release| release.shape.name);
    match live.filter(|live| *live != shape.name && loaded.shapes.contains(live)) {
        Some(live) => {
            request.shape = Some(live);
            Ok(runner::load(&request))
        }
        None => Ok(loaded),
    }
}

/// Connects to the engine: the one asked for, else the one the stack names, else Docker.
///
/// # Errors
/// When it is not there, or does not let us in.
pub(crate) async fn engine(
    settings: &Settings,
    loaded: &Loaded,
    view: &View,
) -> Result<Arc<dyn Engine>, Stop> {
    match engine_kind(settings, loaded) {
        EngineKind::Docker => docker(view).await.map_err(|err| Stop::precondition(engine_trouble(&err))),
        EngineKind::Process => Ok(Arc::new(process(settings)?)),
    }
}

/// Which engine is meant.
pub(crate) fn engine_kind(settings: &Settings, loaded: &Loaded) -> EngineKind {
    let named = loaded.shape.as_ref().and_then(|shape| shape.engine);
    settings.engine.or(named).unwrap_or(EngineKind::Docker)
}

/// Docker, as the environment names it.
///
/// # Errors
/// When it is not there, or does not let us in.
pub(crate) async fn docker(view: &View) -> Result<Arc<dyn Engine>, EngineError> {
    let docker = Docker::connect().await?.telling(view.meanwhile());
    Ok(Arc::new(docker))
}

/// The embedded engine.
///
/// # Errors
/// When this program does not know its own path.
pub(crate) fn process(settings: &Settings) -> Result<Process, Stop> {
    let executable = std::env::current_exe().map_err(|err| {
        Stop::precondition(
            Diagnostic::error("no-executable", "this program cannot find itself").caused_by(&err),
        )
    })?;
    Ok(Process::open(settings.state.root(), executable))
}

/// The stack on its engine. Writes nothing: a verb that acts keeps the keys it was read with.
///
/// # Errors
/// When the stack cannot be understood, or the engine or the state directory cannot be used.
pub(crate) async fn operations(settings: &Settings, view: &View) -> Result<Operations, Stop> {
    let keyring = runner::keyring(&settings.state)?;
    let loaded = load_with(settings, &keyring)?;
    understood(&loaded)?;
    let engine = engine(settings, &loaded, view).await?;
    on(settings, engine, keyring, loaded)
}

/// The errors of a stack that could not be understood: all of them.
///
/// # Errors
/// When there is one.
pub(crate) fn understood(loaded: &Loaded) -> Result<(), Stop> {
    match diag::has_errors(&loaded.diagnostics) || loaded.shape.is_none() {
        true => Err(refused(loaded)),
        false => Ok(()),
    }
}

/// What to stop with where a stack could not be understood.
pub(crate) fn refused(loaded: &Loaded) -> Stop {
    Stop { exit: Exit::Usage, diagnostics: loaded.diagnostics.clone() }
}

/// An engine that cannot be used.
pub(crate) fn engine_trouble(error: &EngineError) -> Diagnostic {
    let id = match error.trouble {
        Trouble::Absent => "engine-absent",
        Trouble::Denied => "engine-denied",
        _ => "engine",
    };
    runner::said(id, error)
}

/// The stack on an engine that is connected already, with the keys it was read with.
///
/// # Errors
/// As [`operations`].
pub(crate) fn on(
    settings: &Settings,
    engine: Arc<dyn Engine>,
    keyring: Keyring,
    loaded: Loaded,
) -> Result<Operations, Stop> {
    Operations::new(engine, settings.state.clone(), keyring, Arc::new(SystemClock), loaded)
}

/// What the flags of a verb about sets give.
///
/// # Errors
/// When a file it names cannot be read.
pub(crate) fn given(settings: &Settings, sets: &SetArgs, shares: Option<&SharesArgs>) -> Result<Given, Stop> {
    let SetArgs { from, identity: _, signer } = sets;
    let shares = shares.map(settings::shares).transpose()?.unwrap_or_default();
    Ok(Given {
        people: People { shares, ..People::default() },
        confirmed: None,
        from: from.clone(),
        identities: settings::identities(sets)?,
        signer: signer.clone(),
        typed: settings.typed.clone(),
        ..Given::default()
    })
}

/// Runs that cannot be read.
pub(crate) fn unreadable_runs(error: &RunError) -> Stop {
    Stop::precondition(runner::said("runs", error))
}
