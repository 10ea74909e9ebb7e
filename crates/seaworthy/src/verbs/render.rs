//! `render`: what would run in a shape.

use diag::{Exit, Stop};

use report::RenderReport;

use crate::{cli::RenderArgs, context, settings::Settings, view::View};

pub(crate) fn render(args: RenderArgs, settings: &Settings, view: &View) -> Result<Exit, Stop> {
    let RenderArgs { format } = args;
    let loaded = context::load(settings)?;
    if format.is_some() {
        // What Compose would print is asked for, values and all, also of a stack that no verb could act on.
        let compose = loaded.compose.as_ref().ok_or_else(|| context::refused(&loaded))?;
        view.data(&report::json(&compose.0));
        return Ok(Exit::Done);
    }
    context::understood(&loaded)?;
    if settings.speech.json {
        let shape = loaded.shape.as_ref().expect("a stack that was understood has a shape");
        view.data(&report::json(&RenderReport::new(shape, loaded.canonical.clone(), &loaded.diagnostics)));
    } else {
        view.data(&report::json(&loaded.canonical));
    }
    Ok(Exit::Done)
}
