//! `deploy`: to a new release, gated by preflight; undone by itself when it fails its probes.

use diag::{Exit, Stop};
use plan::Verb;
use runner::{Given, live::People};

use super::preflight;
use crate::{cli::SharesArgs, context, settings, settings::Settings, view::View};

pub(crate) async fn deploy(args: SharesArgs, settings: &Settings, view: &View) -> Result<Exit, Stop> {
    let loaded = context::load(settings)?;
    context::understood(&loaded)?;
    view.diagnostics(&loaded.diagnostics);
    let engine = context::engine(settings, &loaded, view).await?;
    preflight::gate(settings, view, &loaded, engine.kind())?;
    let operations = context::on(settings, engine, loaded)?;
    let people = People { shares: settings::shares(&args)?, ..People::default() };
    let given = Given { people, ..Given::default() };
    let finished = operations.carry_out(Verb::Deploy, &plan::deploy, given, &view.teller()).await?;
    Ok(view.run(&finished))
}
