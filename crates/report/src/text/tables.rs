//! Lists: runs, sets, and how a stack stands.

use std::fmt::Write;

use super::{
    diagnostics::one_line,
    measure::{age, bytes, minute},
    style::Style,
    table::table,
};
use crate::{BackupsReport, RunsReport, StatusReport};

/// All runs, newest first.
pub fn runs(report: &RunsReport) -> String {
    if report.runs.is_empty() && report.unread.is_empty() {
        return format!("`{}` has no runs yet\n", report.stack);
    }
    let row = |run: &crate::RunLine| {
        let about = match (&run.set, run.release) {
            (Some(set), _) => format!("set {set}"),
            (None, Some(release)) => format!("release {release}"),
            (None, None) => String::new(),
        };
        vec![
            run.run.clone(),
            run.verb.to_owned(),
            minute(run.at),
            run.outcome.as_str().to_owned(),
            format!("{}/{} steps", run.done, run.steps),
            about,
        ]
    };
    let unread =
        report.unread.iter().map(|run| format!("{}  cannot be read: {}\n", run.run, run.because.join(": ")));
    table("", &report.runs.iter().map(row).collect::<Vec<_>>()) + &unread.collect::<String>()
}

/// All sets, newest first.
pub fn backups(report: &BackupsReport) -> String {
    if report.sets.is_empty() {
        return format!("`{}` has no sets: seaworthy backup\n", report.stack);
    }
    let row = |set: &crate::SetLine| {
        let proven = set.proven_at.map_or_else(
            || "never proven".to_owned(),
            |at| format!("proven {} ago", age(report.seen_at, at)),
        );
        vec![
            set.set.clone(),
            format!("#{}", set.sequence),
            format!("{} old", age(report.seen_at, set.point)),
            bytes(set.bytes),
            proven,
            set.target.clone(),
        ]
    };
    let mut text = table("", &report.sets.iter().map(row).collect::<Vec<_>>());
    for lack in &report.incomplete {
        let crate::Incomplete { set, whole_on, missing_on } = lack;
        let sets = format!("{}/sets", report.stack);
        text.push_str(&format!(
            "set {set} is not on `{missing_on}`: cp -a {whole_on}/{sets}/{set} {missing_on}/{sets}/\n"
        ));
    }
    text
}

fn mark_of(service: &crate::ServiceStatus, style: Style) -> (&'static str, String) {
    match (service.well, service.degraded) {
        (true, _) => ("✓", style.good("✓")),
        (false, true) => ("!", style.middling("!")),
        (false, false) => ("✗", style.bad("✗")),
    }
}

/// How a stack stands.
pub fn status(report: &StatusReport, style: Style) -> String {
    let release = report.current.map_or_else(|| "nothing deployed".to_owned(), |it| format!("release {it}"));
    let mut text = format!("{} · {} · {release} · {}\n", report.stack, report.shape, report.engine);
    let row = |service: &crate::ServiceStatus| {
        let release = service.release.map(|release| format!("release {release}")).unwrap_or_default();
        let (mark, _) = mark_of(service, style);
        let name = format!("{mark} {}", service.service);
        vec![name, service.state.clone(), release, service.ports.join(" ")]
    };
    let rows = table("  ", &report.services.iter().map(row).collect::<Vec<_>>());
    for (line, service) in rows.lines().zip(&report.services) {
        let (mark, dressed) = mark_of(service, style);
        let _ = writeln!(text, "{}", line.replacen(mark, &dressed, 1));
        if let Some(saw) = &service.saw {
            let _ = writeln!(text, "      {}", one_line(saw));
        }
    }
    for other in &report.others {
        let _ = writeln!(text, "  · {other}  belongs to no service of this shape");
    }
    for said in &report.drift {
        let _ = writeln!(text, "  {} {said}", style.bad("✗"));
    }
    match &report.newest_set {
        Some((set, point)) => {
            let _ = writeln!(text, "newest set: {set}, {} old", age(report.seen_at, *point));
        }
        None => text.push_str("newest set: none\n"),
    }
    if report.current != report.good {
        let good = report.good.map_or_else(|| "none".to_owned(), |good| format!("release {good}"));
        let _ = writeln!(text, "last good: {good}");
    }
    if let Some(run) = &report.unfinished_run {
        let _ = writeln!(text, "run {run} has not ended: seaworthy runs show {run}");
    }
    text
}
