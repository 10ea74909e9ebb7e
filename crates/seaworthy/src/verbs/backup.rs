//! `backup`: one set, data and the keys that open it.

use diag::{Exit, Stop};
use plan::Verb;
use runner::Given;

use crate::{context, settings::Settings, view::View};

pub(crate) async fn backup(settings: &Settings, view: &View) -> Result<Exit, Stop> {
    let operations = context::operations(settings, view).await?;
    view.warn_own_identity(&operations.shape);
    let given = Given { meter: view.meter(), ..Given::default() };
    let finished = operations.carry_out(Verb::Backup, &plan::backup, given, &view.teller()).await?;
    Ok(view.run(&finished))
}
