//! What `doctor` says: `seaworthy.doctor/1`.

use diag::Exit;
use plan::doctor::{Cause, Symptoms, diagnose};
use serde::Serialize;

/// What is wrong with a stack, from what was seen of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct DoctorReport {
    /// `seaworthy.doctor/1`.
    pub schema: &'static str,
    /// The stack, where its files are understood.
    pub stack: Option<String>,
    /// The shape.
    pub shape: Option<String>,
    /// Exit code.
    pub exit: Exit,
    /// What is wrong, most likely first.
    pub causes: Vec<CauseReport>,
    /// What could not be looked at, and why.
    pub not_looked_at: Vec<String>,
}

/// One thing that is wrong.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct CauseReport {
    /// Its slug.
    pub id: &'static str,
    /// The service that suffers from it; `null` where all do.
    pub service: Option<String>,
    /// One sentence.
    pub message: String,
    /// What was seen of it.
    pub evidence: Vec<String>,
    /// What to do about it.
    pub fix: String,
}

impl DoctorReport {
    /// A report on what these symptoms come from.
    pub fn new(shape: Option<&stack::Shape>, symptoms: &Symptoms) -> Self {
        let causes: Vec<CauseReport> = diagnose(symptoms).into_iter().map(CauseReport::from).collect();
        Self {
            schema: "seaworthy.doctor/1",
            stack: shape.map(|shape| shape.stack.to_string()),
            shape: shape.map(|shape| shape.name.clone()),
            exit: if causes.is_empty() { Exit::Done } else { Exit::Findings },
            causes,
            not_looked_at: symptoms.not_looked_at.clone(),
        }
    }
}

impl From<Cause> for CauseReport {
    fn from(cause: Cause) -> Self {
        let Cause { id, service, message, evidence, fix } = cause;
        Self { id, service: service.map(|service| service.to_string()), message, evidence, fix }
    }
}
