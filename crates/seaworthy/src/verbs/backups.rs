//! `backups`: the sets there are.

use std::path::PathBuf;

use backup::Target;
use diag::{Diagnostic, Exit, Stop};
use report::BackupsReport;
use runner::{Proofs, keyring};
use stack::StackName;

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
    let proofs = proofs(settings, &shape.stack)?;
    let mut sets = Vec::new();
    for path in &targets {
        let target = Target::open(path, &shape.stack);
        let mut listing = target.list().map_err(|err| runner::live::unlisted(&err))?;
        for (set, err) in &listing.unreadable {
            view.diagnostics(&[
                Diagnostic::warning("unreadable-set", format!("set {set} cannot be read")).caused_by(err)
            ]);
        }
        proofs.mark(&target, &mut listing.sets);
        sets.extend(listing.sets);
    }
    let targets: Vec<String> = targets.iter().map(|path| path.display().to_string()).collect();
    let now = jiff::Timestamp::now();
    view.backups(&BackupsReport::new(shape.stack.as_str(), now, &targets, &sets));
    Ok(Exit::Done)
}

/// What this state directory has proven.
fn proofs(settings: &Settings, stack: &StackName) -> Result<Proofs, Stop> {
    Proofs::read(&settings.state.stack(stack), &keyring(&settings.state)?.signer_fingerprint())
        .map_err(|err| Stop::precondition(Diagnostic::from_error("evidence", &err)))
}
