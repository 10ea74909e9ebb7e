//! `render`: what would run in a shape.

use diag::{Exit, Stop};

use crate::{cli::RenderArgs, context, settings::Settings, view::View};

pub(crate) fn render(args: RenderArgs, settings: &Settings, view: &View) -> Result<Exit, Stop> {
    let RenderArgs { format } = args;
    let loaded = context::load(settings)?;
    context::understood(&loaded)?;
    match (format.as_str(), &loaded.shape) {
        ("shape", Some(shape)) => view.data(&report::json(shape)),
        _ => view.data(&report::json(&loaded.canonical)),
    }
    Ok(Exit::Done)
}
