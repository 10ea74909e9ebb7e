//! The catalogue of checks: from a Shape, Facts and evidence to findings.
