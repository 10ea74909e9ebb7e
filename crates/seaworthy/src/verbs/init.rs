//! `init`: reads a Compose file, writes seaworthy.toml with hardened defaults.

use diag::{Diagnostic, Exit, Stop};
use host::files::{Readers, create, replace};
use report::InitReport;

use crate::{cli::InitArgs, context, settings::Settings, view::View};

/// Secrets whose files are not there are declared in `[secret]`.
const MENDED: [&str; 2] = ["missing-file", "undeclared-secret"];

pub(crate) fn init(args: InitArgs, settings: &Settings, view: &View) -> Result<Exit, Stop> {
    let InitArgs { force } = args;
    let mut loaded = context::load(settings)?;
    // What the settings it writes will mend is no reason to refuse.
    let (mended, others) =
        loaded.diagnostics.iter().cloned().partition(|said| MENDED.contains(&said.id.as_str()));
    loaded.diagnostics = others;
    context::understood(&loaded)?;
    view.diagnostics(&loaded.diagnostics);
    loaded.diagnostics = mended;
    let suggestion = stack::suggest(&loaded);
    let path = std::path::Path::new(&settings.request.directory).join("seaworthy.toml");
    let failed = |err: &std::io::Error| {
        Stop::precondition(
            Diagnostic::error("unwritable", format!("cannot write `{}`", path.display())).caused_by(err),
        )
    };
    let text = suggestion.toml.as_bytes();
    if force {
        replace(&path, text, Readers::Everybody).map_err(|err| failed(&err))?;
    } else if !create(&path, text, Readers::Everybody).map_err(|err| failed(&err))? {
        return Err(Stop::usage(
            Diagnostic::error("exists", format!("`{}` is there already", path.display()))
                .hint("--force writes over it"),
        ));
    }
    view.init(&InitReport::new(path.display().to_string(), suggestion.toml, suggestion.lines));
    Ok(Exit::Done)
}
