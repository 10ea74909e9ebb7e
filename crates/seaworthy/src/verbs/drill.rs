//! `drill`: a set restored into a throwaway, proven, measured, and the evidence signed.

use diag::{Exit, Stop};

use crate::{
    asking,
    cli::{DrillArgs, WhichSetArgs},
    context,
    settings::Settings,
    view::View,
};

pub(crate) async fn drill(args: DrillArgs, settings: &Settings, view: &View) -> Result<Exit, Stop> {
    let DrillArgs { which: WhichSetArgs { set, sets }, shares } = args;
    let operations = context::operations(settings, view).await?;
    let mut given = context::given(settings, &sets, Some(&shares))?;
    given.people.ask = asking::holders(view);
    given.meter = view.meter();
    let contents = operations.open_set(set.as_deref(), &given).await?;
    let finished = operations.drill(&contents, given, &view.teller()).await?;
    Ok(view.run(&finished))
}
