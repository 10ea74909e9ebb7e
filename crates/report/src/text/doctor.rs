//! What is wrong, what was seen of it, what to do; how much there is of it last.

use std::fmt::Write;

use super::{diagnostics::one_line, measure::count, style::Style};
use crate::DoctorReport;

/// A paragraph for each cause, most likely first.
pub fn doctor(report: &DoctorReport, style: Style) -> String {
    let mut text = String::new();
    for cause in &report.causes {
        let _ = writeln!(text, "{} {}: {}", style.bad("✗"), cause.id, one_line(&cause.message));
        for seen in &cause.evidence {
            let _ = writeln!(text, "  saw: {}", one_line(seen));
        }
        let _ = writeln!(text, "  fix: {}\n", one_line(&cause.fix));
    }
    for what in &report.not_looked_at {
        let _ = writeln!(text, "not looked at: {}", one_line(what));
    }
    let _ = match report.causes.len() {
        0 => writeln!(text, "nothing wrong was found"),
        1 => writeln!(text, "1 cause"),
        causes => writeln!(text, "{}, the most likely first", count(causes, "cause")),
    };
    text
}
