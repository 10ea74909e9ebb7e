//! `rollback`: back to a release that was good, whole.

use diag::{Exit, Stop};
use plan::{Facts, Plan, Policy, Verb};
use runner::{Given, live::People};
use stack::Shape;

use crate::{cli::RollbackArgs, context, settings, settings::Settings, view::View};

pub(crate) async fn rollback(args: RollbackArgs, settings: &Settings, view: &View) -> Result<Exit, Stop> {
    let RollbackArgs { release, planned, shares } = args;
    let planned = settings::planned(&planned, Verb::Rollback)?;
    let operations = context::operations(settings, view).await?;
    let people = People { shares: settings::shares(&shares)?, ..People::default() };
    let given = Given { people, planned, ..Given::default() };
    let finished = operations.carry_out(Verb::Rollback, &planner(release), given, &view.teller()).await?;
    Ok(view.run(&finished))
}

/// To `release`, or to the one before the current.
pub(crate) fn planner(release: Option<u64>) -> impl Fn(&Shape, &Facts, &Policy) -> Result<Plan, Stop> + Sync {
    move |_, facts, policy| plan::rollback(release, facts, policy)
}
