//! `explain ID`: what a check means; `explain production`: what production forbids.

use diag::{Diagnostic, Exit, Stop};

use crate::{cli::ExplainArgs, view::View};

pub(crate) fn explain(args: &ExplainArgs, view: &View) -> Result<Exit, Stop> {
    let ExplainArgs { id } = args;
    if id == "production" {
        view.production();
        return Ok(Exit::Done);
    }
    match checks::explain(id) {
        Some(check) => {
            view.check(check);
            Ok(Exit::Done)
        }
        None => {
            let said = Diagnostic::error("unknown-check", format!("there is no check `{id}`"));
            let near = diag::closest(id, checks::all().map(|check| check.id));
            Err(Stop::usage(match near {
                Some(near) => said.hint(format!("did you mean `{near}`?")),
                None => said.hint("docs/checks.md lists them all"),
            }))
        }
    }
}
