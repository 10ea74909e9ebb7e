//! `runs`: what was done.

use diag::{Diagnostic, Exit, Stop};
use report::{RunsReport, Told, run_line, run_report};
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
            let lines = runs.iter().rev().map(run_line).collect();
            view.runs(&RunsReport::new(shape.stack.as_str(), lines));
        }
        Some(RunsWhat::Show { id, step }) => {
            let run = store.read(&id).map_err(|err| Stop::usage(Diagnostic::from_error("runs", &err)))?;
            let told = Told { run: Some(&id), ..Told::default() };
            view.run_shown(&run_report(&run.plan, &run.progress, told), step)?;
        }
    }
    Ok(Exit::Done)
}
