//! `attest`: a person's step was done; the run that waited goes on when its verb is typed again.

use diag::{Exit, Stop};
use report::AttestReport;

use crate::{cli::AttestArgs, context, settings::Settings, view::View};

pub(crate) async fn attest(args: AttestArgs, settings: &Settings, view: &View) -> Result<Exit, Stop> {
    let AttestArgs { run, who, proof } = args;
    let operations = context::operations(settings, view).await?;
    let verb = operations.attest(&run, &who, &proof).await?;
    view.attested(&AttestReport::new(&run, &who, format!("seaworthy {verb}")));
    Ok(Exit::Done)
}
