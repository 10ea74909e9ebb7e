//! `runs`: what was done.

use diag::{Exit, Stop};
use report::{RunsReport, Told, UnreadRun, run_line, run_report};
use runner::RunStore;

use crate::{
    cli::{RunsArgs, RunsWhat},
    context,
    settings::Settings,
    view::View,
};

pub(crate) fn runs(args: RunsArgs, settings: &Settings, view: &View) -> Result<Exit, Stop> {
    let RunsArgs { what } = args;
    let loaded = context::load(settings)?;
    context::understood(&loaded)?;
    let shape = loaded.shape.as_ref().expect("a stack that was understood has a shape");
    let store = RunStore::new(settings.state.stack(&shape.stack).runs());
    match what {
        None => {
            let runs = store.list().map_err(|err| context::unreadable_runs(&err))?;
            let rows = runs.into_iter().rev().map(|run| match run {
                Ok(record) => Ok(run_line(&record)),
                Err(unread) => Err(UnreadRun { run: unread.run, because: diag::causes(&unread.error) }),
            });
            view.runs(&RunsReport::new(shape.stack.as_str(), rows));
        }
        Some(RunsWhat::Show { id, step }) => {
            let run = store.read(&id).map_err(|err| Stop::usage(runner::said("runs", &err)))?;
            let told = Told { run: Some(&id), ..Told::default() };
            view.run_shown(&run_report(&run.plan, &run.progress, told), step)?;
        }
    }
    Ok(Exit::Done)
}
