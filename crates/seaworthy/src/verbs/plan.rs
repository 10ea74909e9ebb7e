//! `plan VERB`: what a verb would do, why, and what it would not.

use diag::{Exit, Stop};
use plan::{Facts, Policy};
use stack::Shape;

use crate::{cli::PlanArgs, context, settings::Settings, view::View};

pub(crate) async fn plan(args: PlanArgs, settings: &Settings, view: &View) -> Result<Exit, Stop> {
    let PlanArgs { verb, release } = args;
    let operations = context::operations(settings).await?;
    let typed = Some(operations.shape.stack.to_string());
    let bootstrap =
        |shape: &Shape, facts: &Facts, policy: &Policy| plan::bootstrap(shape, &[], facts, policy);
    let rollback = |_: &Shape, facts: &Facts, policy: &Policy| plan::rollback(release, facts, policy);
    let destroy = |shape: &Shape, facts: &Facts, policy: &Policy| plan::destroy(shape, false, facts, policy);
    let planned = match verb.as_str() {
        "bootstrap" => operations.plan(&bootstrap, None).await?,
        "rollback" => operations.plan(&rollback, None).await?,
        "backup" => operations.plan(&plan::backup, None).await?,
        "destroy" => operations.plan(&destroy, typed).await?,
        _ => operations.plan(&plan::deploy, None).await?,
    };
    view.plan(&planned);
    Ok(Exit::Done)
}
