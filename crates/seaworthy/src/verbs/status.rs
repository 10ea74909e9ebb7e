//! `status`: what is.

use diag::{Exit, Stop};
use report::Ailing;

use crate::{context, settings::Settings, view::View};

pub(crate) async fn status(settings: &Settings, view: &View) -> Result<Exit, Stop> {
    let operations = context::operations(settings, view).await?;
    let facts = operations.facts().await?;
    let unfinished = operations.runs().unfinished().map_err(|err| context::unreadable_runs(&err))?;
    let unfinished = unfinished.as_ref().map(|run| run.id.as_str());
    let ailing = operations.ailing(&facts).await.into_iter().map(|(container, answer)| {
        let told = format!("{}: {}", answer.question, answer.saw);
        (container, if answer.degraded { Ailing::Degraded(told) } else { Ailing::Silent(told) })
    });
    let ailing = ailing.collect();
    view.status(&report::status_report(&operations.shape, &facts, &ailing, unfinished));
    Ok(Exit::Done)
}
