//! `plan VERB`: what a verb would do, why, and what it would not.

use diag::{Diagnostic, Exit, Stop};
use plan::{Facts, Policy};
use stack::Shape;

use crate::{cli::PlanArgs, context, settings::Settings, view::View};

pub(crate) async fn plan(args: PlanArgs, settings: &Settings, view: &View) -> Result<Exit, Stop> {
    let PlanArgs { verb, what, volumes, sets } = args;
    let operations = context::operations(settings, view).await?;
    let typed = Some(operations.shape.stack.to_string());
    let bootstrap =
        |shape: &Shape, facts: &Facts, policy: &Policy| plan::bootstrap(shape, &[], facts, policy);
    let release = what.as_deref().filter(|_| verb == "rollback").map(number).transpose()?;
    let rollback = |_: &Shape, facts: &Facts, policy: &Policy| plan::rollback(release, facts, policy);
    let destroy =
        |shape: &Shape, facts: &Facts, policy: &Policy| plan::destroy(shape, volumes, facts, policy);
    let planned = match verb.as_str() {
        "bootstrap" => operations.plan(&bootstrap, None).await?,
        "rollback" => operations.plan(&rollback, None).await?,
        "backup" => operations.plan(&plan::backup, None).await?,
        "destroy" => operations.plan(&destroy, typed).await?,
        "restore" | "drill" => {
            let given = context::given(&sets, None)?;
            let contents = operations.open_set(what.as_deref(), &given).await?;
            match verb.as_str() {
                "restore" => operations.plan_restore(&contents, typed).await?,
                _ => operations.plan_drill(&contents).await?,
            }
        }
        _ => operations.plan(&plan::deploy, None).await?,
    };
    view.plan(&planned);
    Ok(Exit::Done)
}

fn number(release: &str) -> Result<u64, Stop> {
    release.parse().map_err(|_| {
        Stop::usage(Diagnostic::error("bad-release", format!("`{release}` is not the number of a release")))
    })
}
