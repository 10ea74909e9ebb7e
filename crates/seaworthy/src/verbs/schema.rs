//! `schema`: the JSON Schema of seaworthy.toml, for an editor.

use diag::{Exit, Stop};

use crate::view::View;

pub(crate) fn schema(view: &View) -> Result<Exit, Stop> {
    view.data(&report::json(&stack::schema()));
    Ok(Exit::Done)
}
