//! What `validate` says: `seaworthy.validate/1`.

use diag::{Diagnostic, Exit};
use serde::Serialize;

use crate::Said;

/// Everything a live stack was asked, and what came back.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ValidateReport {
    /// `seaworthy.validate/1`.
    pub schema: &'static str,
    /// The stack.
    pub stack: String,
    /// The shape.
    pub shape: String,
    /// Exit code.
    pub exit: Exit,
    /// What was asked, in order.
    pub asked: Vec<Asked>,
    /// What differs from the shape without asking anybody.
    pub drift: Vec<Said>,
    /// What was not asked, and why.
    pub not_asked: Vec<String>,
}

/// One question and its answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Asked {
    /// The question in words: `GET /healthz on web:8080`, `5432 of db from network blog_edge`.
    pub question: String,
    /// True for what must answer, false for what must not.
    pub must_answer: bool,
    /// What came back, in words.
    pub saw: String,
    /// Whether that is as it should be, or good enough.
    pub passed: bool,
    /// Whether it is good enough, and not well: the service works, with less. That fails nothing.
    pub degraded: bool,
}

impl ValidateReport {
    /// A report on these answers.
    pub fn new(
        shape: &stack::Shape,
        asked: Vec<Asked>,
        drift: &[Diagnostic],
        not_asked: Vec<String>,
    ) -> Self {
        let good = asked.iter().all(|asked| asked.passed) && !diag::has_errors(drift);
        Self {
            schema: "seaworthy.validate/1",
            stack: shape.stack.to_string(),
            shape: shape.name.clone(),
            exit: if good { Exit::Done } else { Exit::Findings },
            asked,
            drift: drift.iter().map(Said::from).collect(),
            not_asked,
        }
    }
}
