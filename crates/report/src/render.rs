//! What `render` says: `seaworthy.render/1`.

use serde::Serialize;

use crate::Said;

/// What would run in a shape.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct RenderReport {
    /// `seaworthy.render/1`.
    pub schema: &'static str,
    /// The stack.
    pub stack: String,
    /// The shape.
    pub shape: String,
    /// The files it was merged from, in order.
    pub files: Vec<String>,
    /// The canonical tree; secrets stand in it as references.
    pub compose: serde_json::Value,
    /// What reading the files had to say.
    pub diagnostics: Vec<Said>,
}

impl RenderReport {
    /// A report on what was loaded.
    pub fn new(
        shape: &stack::Shape,
        canonical: serde_json::Value,
        diagnostics: &[diag::Diagnostic],
    ) -> RenderReport {
        RenderReport {
            schema: "seaworthy.render/1",
            stack: shape.stack.to_string(),
            shape: shape.name.clone(),
            files: shape.files.clone(),
            compose: canonical,
            diagnostics: diagnostics.iter().map(Said::from).collect(),
        }
    }
}
