//! `status`: what is.

use diag::{Diagnostic, Exit, Severity, Stop};
use report::Ailing;

use crate::{context, settings::Settings, view::View};

pub(crate) async fn status(settings: &Settings, view: &View) -> Result<Exit, Stop> {
    let operations = context::operations(settings, view).await?;
    let facts = operations.facts().await?;
    // How things stand is seen without a run; that one cannot be read is for whoever acts next.
    let unfinished = operations.runs().unfinished().unwrap_or_else(|err| {
        view.diagnostics(&[Diagnostic { severity: Severity::Warning, ..runner::said("runs", &err) }]);
        None
    });
    let unfinished = unfinished.as_ref().map(|run| run.id.as_str());
    let ailing = operations.ailing(&facts).await.into_iter().map(|(container, answer)| {
        let told = format!("{}: {}", answer.question, answer.saw);
        (container, if answer.degraded { Ailing::Degraded(told) } else { Ailing::Silent(told) })
    });
    let ailing = ailing.collect();
    view.status(&report::status_report(&operations.shape, &facts, &ailing, unfinished));
    Ok(Exit::Done)
}
