//! Findings, grouped by weight and check; the verdict last.

use std::fmt::Write;

use diag::{Diagnostic, Severity};

use super::{
    diagnostics::diagnostic,
    measure::count,
    style::{Style, word},
    table::table,
};
use crate::{FindingReport, FindingsReport};

/// What a preflight says. `took` is how long it took, where the caller measured it.
pub fn findings(report: &FindingsReport, took: Option<std::time::Duration>, style: Style) -> String {
    let mut text = String::new();
    for said in &report.diagnostics {
        text.push_str(&diagnostic(&Diagnostic::from(said), None, style));
        text.push('\n');
    }
    for severity in [Severity::Error, Severity::Warning] {
        let mut told: Vec<&str> = Vec::new();
        for finding in report.findings.iter().filter(|finding| finding.said.severity == severity) {
            if !told.contains(&finding.said.id.as_str()) {
                told.push(&finding.said.id);
                text.push_str(&entry(report, finding, style));
            }
        }
    }
    text.push_str(&notes(report));
    if !report.not_evaluated.is_empty() {
        let _ = writeln!(text, "not looked at: {}", report.not_evaluated.join(", "));
    }
    text.push_str(&verdict(report, took));
    text
}

/// A check with everything it found: its reason and its fix are said once.
fn entry(report: &FindingsReport, first: &FindingReport, style: Style) -> String {
    let said = &first.said;
    let same = report.findings.iter().filter(|finding| finding.said.id == said.id);
    let rows: Vec<Vec<String>> = same
        .map(|finding| match place(finding) {
            place if place.is_empty() => vec![finding.said.message.clone()],
            place => vec![place, finding.said.message.clone()],
        })
        .collect();
    let mut text = format!("{} {}\n", style.severity(said.severity, word(said.severity)), said.id);
    text.push_str(&table("  ", &rows));
    for why in &said.causes {
        let _ = writeln!(text, "  why: {why}");
    }
    if let Some(fix) = &said.hint {
        let _ = writeln!(text, "  fix: {fix}");
    }
    let _ = writeln!(text, "  {}\n", style.faint(&format!("docs: seaworthy explain {}", said.id)));
    text
}

/// Notes take a line each: whoever wants more asks `explain`.
fn notes(report: &FindingsReport) -> String {
    let notes = report.findings.iter().filter(|finding| finding.said.severity == Severity::Note);
    let rows: Vec<Vec<String>> = notes
        .map(|note| {
            let id = format!("note {}", note.said.id);
            vec![id, place(note), note.said.message.clone()]
        })
        .collect();
    let text = table("", &rows);
    if text.is_empty() { text } else { format!("{text}\n") }
}

fn place(finding: &FindingReport) -> String {
    let said = &finding.said;
    match (&said.file, said.line, said.column) {
        (Some(file), Some(line), Some(column)) => format!("{file}:{line}:{column}"),
        _ => String::new(),
    }
}

fn verdict(report: &FindingsReport, took: Option<std::time::Duration>) -> String {
    let number = |severity| {
        let found = report.findings.iter().filter(|finding| finding.said.severity == severity).count();
        found + report.diagnostics.iter().filter(|said| said.severity == severity).count()
    };
    let (errors, warnings, notes) =
        (number(Severity::Error), number(Severity::Warning), number(Severity::Note));
    let stops = if report.production && errors > 0 { " would stop a deploy" } else { "" };
    let mut text = format!("{}{stops} · {}", count(errors, "error"), count(warnings, "warning"));
    if notes > 0 {
        let _ = write!(text, " · {}", count(notes, "note"));
    }
    let _ = write!(text, " · {}", count(report.checks, "check"));
    if let Some(took) = took {
        let _ = write!(text, " in {} ms", took.as_millis());
    }
    text.push('\n');
    text
}
