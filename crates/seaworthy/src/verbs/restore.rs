//! `restore`: keys, canaries, data, application; under the stack's own names where its volumes are gone, else beside.

use diag::{Exit, Stop};
use plan::Verb;

use crate::{
    asking,
    cli::{RestoreArgs, WhichSetArgs},
    context, settings,
    settings::Settings,
    view::View,
};

pub(crate) async fn restore(args: RestoreArgs, settings: &Settings, view: &View) -> Result<Exit, Stop> {
    let RestoreArgs { which: WhichSetArgs { set, sets }, confirm, planned, shares } = args;
    let operations = context::operations(settings, view).await?;
    let mut given = context::given(settings, &sets, Some(&shares))?;
    given.confirmed = confirm;
    given.planned = settings::planned(&planned, Verb::Restore)?;
    given.people.ask = asking::holders(view);
    given.meter = view.meter();
    let contents = operations.open_set(set.as_deref(), &given).await?;
    let finished = operations.restore(&contents, given, &view.teller()).await?;
    Ok(view.run(&finished))
}
