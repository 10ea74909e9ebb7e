//! `plan VERB`: what a verb would do, why, and what it would not. Each verb's planner stands in its own file.

use diag::{Diagnostic, Exit, Stop};
use host::files::{Readers, replace};
use report::PlanDiffReport;

use super::{bootstrap, deploy, destroy, rollback};
use crate::{
    cli::{PlanArgs, PlanWhat, Planned},
    context, settings,
    settings::Settings,
    view::View,
};

pub(crate) async fn plan(args: PlanArgs, settings: &Settings, view: &View) -> Result<Exit, Stop> {
    let PlanArgs { what, out } = args;
    let verb = match what {
        PlanWhat::Verb(verb) => verb,
        PlanWhat::Show { file } => {
            view.plan(&settings::plan_file(&file)?.plan);
            return Ok(Exit::Done);
        }
        PlanWhat::Diff { one, other } => {
            let (one, other) = (settings::plan_file(&one)?, settings::plan_file(&other)?);
            return Ok(view.plan_differences(&PlanDiffReport::new(&one, &other)));
        }
    };
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
    view.plan(&planned.plan);
    if let Some(path) = out {
        replace(&path, report::json(&planned).as_bytes(), Readers::Owner).map_err(|err| {
            let message = format!("cannot write `{}`", path.display());
            Stop::precondition(Diagnostic::error("unwritable", message).caused_by(&err))
        })?;
        let verb = planned.plan.verb;
        view.say(&format!(
            "kept: seaworthy {verb} --plan {} carries out this and nothing else",
            path.display()
        ));
    }
    Ok(Exit::Done)
}
