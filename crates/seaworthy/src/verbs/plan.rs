//! `plan VERB`: what a verb would do, why, and what it would not. Each verb's planner stands in its own file.

use diag::{Exit, Stop};

use super::{bootstrap, deploy, destroy, rollback};
use crate::{
    cli::{PlanArgs, Planned},
    context,
    settings::Settings,
    view::View,
};

pub(crate) async fn plan(args: PlanArgs, settings: &Settings, view: &View) -> Result<Exit, Stop> {
    let PlanArgs { verb } = args;
    let operations = match &verb {
        // What stops a deploy stops its plan.
        Planned::Deploy => deploy::gated(settings, view).await?,
        _ => context::operations(settings, view).await?,
    };
    // Planned as if it had been typed; carrying it out asks for it.
    let typed = Some(operations.shape.stack.to_string());
    let planned = match verb {
        Planned::Bootstrap(given) => {
            let names = bootstrap::given_values(&operations.shape, &given)?.into_keys().collect();
            operations.plan(&bootstrap::planner(names), None).await?
        }
        Planned::Deploy => operations.plan(&plan::deploy, None).await?,
        Planned::Rollback { release } => operations.plan(&rollback::planner(release), None).await?,
        Planned::Backup => operations.plan(&plan::backup, None).await?,
        Planned::Destroy { volumes } => operations.plan(&destroy::planner(volumes), typed).await?,
        Planned::Restore(which) => {
            let contents = operations
                .open_set_to_look_at(which.set.as_deref(), &context::given(settings, &which.sets, None)?)
                .await?;
            operations.plan_restore(&contents, typed).await?
        }
        Planned::Drill(which) => {
            let contents = operations
                .open_set_to_look_at(which.set.as_deref(), &context::given(settings, &which.sets, None)?)
                .await?;
            operations.plan_drill(&contents).await?
        }
    };
    view.plan(&planned);
    Ok(Exit::Done)
}
