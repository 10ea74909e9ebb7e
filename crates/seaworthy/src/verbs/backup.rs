//! `backup`: one set, data and the keys that open it.

use diag::{Exit, Stop};
use plan::Verb;

use crate::{cli::SetArgs, context, settings::Settings, view::View};

pub(crate) async fn backup(args: SetArgs, settings: &Settings, view: &View) -> Result<Exit, Stop> {
    let operations = context::operations(settings).await?;
    let given = context::given(&args, None)?;
    view.warn_own_identity(&operations.shape);
    let finished = operations.carry_out(Verb::Backup, &plan::backup, given, &view.teller()).await?;
    Ok(view.run(&finished))
}
