//! `backups`: the sets there are.

use std::path::PathBuf;

use backup::Target;
use diag::{Diagnostic, Exit, Stop};
use report::BackupsReport;

use crate::{cli::BackupsArgs, context, settings::Settings, view::View};

pub(crate) fn backups(args: BackupsArgs, settings: &Settings, view: &View) -> Result<Exit, Stop> {
    let BackupsArgs { from } = args;
    let loaded = context::load(settings)?;
    context::understood(&loaded)?;
    let shape = loaded.shape.as_ref().expect("a stack that was understood has a shape");
    let targets: Vec<PathBuf> = match from {
        Some(from) => vec![from],
        None => shape.backup.to.iter().map(PathBuf::from).collect(),
    };
    let mut sets = Vec::new();
    for path in targets {
        let listing = Target::open(&path, &shape.stack).list().map_err(|err| runner::live::unlisted(&err))?;
        for (set, err) in &listing.unreadable {
            view.diagnostics(&[
                Diagnostic::warning("unreadable-set", format!("set {set} cannot be read")).caused_by(err)
            ]);
        }
        sets.extend(listing.sets);
    }
    let evidence = context::proven(&settings.state.stack(&shape.stack));
    let proven = |set: &plan::set::SetId| evidence.get(set).copied();
    view.backups(&BackupsReport::new(shape.stack.as_str(), jiff::Timestamp::now(), &sets, proven));
    Ok(Exit::Done)
}
