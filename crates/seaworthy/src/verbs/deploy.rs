//! `deploy`: to a new release, gated by preflight; undone by itself when it fails its probes.

use diag::{Exit, Stop};
use plan::Verb;
use runner::{Given, Operations, live::People};

use super::preflight;
use crate::{cli::DeployArgs, context, settings, settings::Settings, view::View};

pub(crate) async fn deploy(args: DeployArgs, settings: &Settings, view: &View) -> Result<Exit, Stop> {
    let DeployArgs { planned, shares } = args;
    let planned = settings::planned(&planned, Verb::Deploy)?;
    let operations = gated(settings, view).await?;
    let people = People { shares: settings::shares(&shares)?, ..People::default() };
    let given = Given { people, planned, ..Given::default() };
    let finished = operations.carry_out(Verb::Deploy, &plan::deploy, given, &view.teller()).await?;
    Ok(view.run(&finished))
}

/// The stack, where nothing that preflight finds stands in the way of a deploy.
///
/// # Errors
/// When something does, or the stack or its engine cannot be used.
pub(crate) async fn gated(settings: &Settings, view: &View) -> Result<Operations, Stop> {
    let keyring = runner::keyring(&settings.state)?;
    let loaded = context::load_with(settings, &keyring)?;
    context::understood(&loaded)?;
    view.diagnostics(&loaded.diagnostics);
    let engine = context::engine(settings, &loaded, view).await?;
    preflight::gate(settings, view, &loaded, engine.kind())?;
    context::on(settings, engine, keyring, loaded)
}
