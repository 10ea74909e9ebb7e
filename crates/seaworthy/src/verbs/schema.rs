//! `schema`: the JSON Schema of seaworthy.toml, for an editor.

use diag::{Exit, Stop};

use crate::view::View;

pub(crate) fn schema(view: &View) -> Result<Exit, Stop> {
    let schema = stack::schema();
    view.wrapped("seaworthy.schema/1", &report::json(&schema), &schema);
    Ok(Exit::Done)
}
