//! `render`: what would run in a shape.

use diag::{Exit, Stop};

use report::RenderReport;

use crate::{cli::RenderArgs, context, settings::Settings, view::View};

pub(crate) fn render(args: RenderArgs, settings: &Settings, view: &View) -> Result<Exit, Stop> {
    let RenderArgs { format } = args;
    let loaded = context::load(settings)?;
    context::understood(&loaded)?;
    let shape = loaded.shape.as_ref().expect("a stack that was understood has a shape");
    if format.is_none() && settings.speech.json {
        view.data(&report::json(&RenderReport::new(shape, loaded.canonical.clone(), &loaded.diagnostics)));
    } else {
        view.data(&report::json(&loaded.canonical));
    }
    Ok(Exit::Done)
}
