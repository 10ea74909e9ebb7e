//! What a live stack answered, and what it did not.

use std::fmt::Write;

use diag::Diagnostic;

use super::{
    diagnostics::{diagnostic, one_line},
    measure::count,
    style::Style,
};
use crate::ValidateReport;

/// A line for each question; drift and the verdict last.
pub fn validate(report: &ValidateReport, style: Style) -> String {
    let mut text = String::new();
    for (must_answer, heading) in [(true, "must answer"), (false, "must not answer")] {
        let asked: Vec<_> = report.asked.iter().filter(|asked| asked.must_answer == must_answer).collect();
        if !asked.is_empty() {
            let _ = writeln!(text, "{heading}");
        }
        for asked in asked {
            let mark = match (asked.passed, asked.degraded) {
                (true, false) => style.good("✓"),
                (true, true) => style.middling("!"),
                (false, _) => style.bad("✗"),
            };
            let _ = writeln!(text, "  {mark} {}: {}", asked.question, one_line(&asked.saw));
        }
    }
    for why in &report.not_asked {
        let _ = writeln!(text, "not asked: {why}");
    }
    for said in &report.drift {
        text.push_str(&diagnostic(&Diagnostic::from(said), None, style));
    }
    let failed = report.asked.iter().filter(|asked| !asked.passed).count();
    let asked = count(report.asked.len(), "question");
    let degraded = report.asked.iter().filter(|asked| asked.passed && asked.degraded).count();
    let degraded = match degraded {
        0 => String::new(),
        some => format!(", {} degraded", count(some, "answer")),
    };
    let asked = format!("{asked}{degraded}");
    let _ = match (failed, report.drift.len()) {
        (0, 0) if degraded.is_empty() => writeln!(text, "{asked}, every answer as it should be"),
        (0, 0) => writeln!(text, "{asked}, every other as it should be"),
        (failed, 0) => writeln!(text, "{asked}, {} wrong", count(failed, "answer")),
        (failed, drift) => {
            writeln!(text, "{asked}, {} wrong · {}", count(failed, "answer"), count(drift, "difference"))
        }
    };
    text
}
