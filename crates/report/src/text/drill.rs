//! What a drill proved, in the words of the people who will ask.

use std::fmt::Write;

use plan::proof::{CountProof, Evidence};

use super::{
    measure::{self, age, bytes, count, millis},
    style::Style,
};

/// The summary of signed evidence; `paths` is where it stands.
pub(crate) fn drill(report: &Evidence, paths: &[String], style: Style) -> String {
    let (good, bad) = (style.good("✓"), style.bad("✗"));
    let mark = |holds: bool| if holds { good.as_str() } else { bad.as_str() };
    let sealed = report.sizes.iter().map(|size| size.sealed_bytes).sum();
    let mut text =
        format!("set {}: {}, {} sealed\n", report.set, count(report.sizes.len(), "object"), bytes(sealed));
    let phases: Vec<String> =
        report.phases.iter().map(|phase| format!("{} {}", phase.name, millis(phase.ms))).collect();
    let _ = writeln!(text, "  restored in {}: {}", millis(report.recovery_ms), phases.join(" · "));
    if !report.canaries.is_empty() {
        let failed = report.canaries.iter().filter(|canary| !canary.decrypts).count();
        let _ = match failed {
            0 => writeln!(text, "  {good} {}", measure::canaries_decrypt(report.canaries.len())),
            failed => writeln!(text, "  {bad} {failed} of {} canaries do not decrypt", report.canaries.len()),
        };
    }
    if !report.counts.is_empty() {
        let wrong: Vec<&str> = report
            .counts
            .iter()
            .filter(|count| !count.holds())
            .map(|count: &CountProof| count.table.as_str())
            .collect();
        let tables = count(report.counts.len(), "table");
        let _ = match wrong.is_empty() {
            true => writeln!(text, "  {good} {tables}, row counts match the manifest"),
            false => writeln!(text, "  {bad} {tables}, row counts differ in {}", wrong.join(", ")),
        };
    }
    if let Some(heartbeat) = report.recovery_point.heartbeat {
        let _ = writeln!(
            text,
            "  {good} heartbeat {heartbeat}, {} before the drill",
            age(report.began_at, heartbeat)
        );
    }
    let passed = report.probes.iter().filter(|probe| probe.passed).count();
    if !report.probes.is_empty() {
        let probes = count(report.probes.len(), "probe");
        let _ = writeln!(text, "  {} {passed} of {probes} answered", mark(passed == report.probes.len()));
    }
    for gap in &report.not_proven {
        let mark = if gap.is_of_the_set() { bad.as_str() } else { "·" };
        let _ = writeln!(text, "  {mark} not proven: {gap}");
    }
    text.push_str(&figures(report));
    for path in paths {
        let _ = writeln!(text, "evidence, signed: {path}");
    }
    text
}

/// RPO and RTO against what was declared.
fn figures(report: &Evidence) -> String {
    let of = |target: Option<u64>| target.map(|target| format!(" of {}", millis(target))).unwrap_or_default();
    let point = &report.recovery_point;
    let lag = point.capture_lag_ms.map(|lag| format!(" (capture lag {})", millis(lag))).unwrap_or_default();
    let missed = |measured: u64, target: Option<u64>| target.is_some_and(|target| measured > target);
    let late = missed(point.if_lost_now_ms, report.recovery_point_target_ms)
        || missed(report.recovery_ms, report.recovery_target_ms);
    format!(
        "proven to {}{}{}: RPO if lost now {}{}{lag} · RTO {}{}\n",
        report.level.as_str(),
        if report.proves() { "" } else { " alone" },
        if late { ", outside its targets" } else { "" },
        millis(point.if_lost_now_ms),
        of(report.recovery_point_target_ms),
        millis(report.recovery_ms),
        of(report.recovery_target_ms),
    )
}
