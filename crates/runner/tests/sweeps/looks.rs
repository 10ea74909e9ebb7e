//! What two machines must agree in, and what an unwinding may leave.

use testkit::ModelHost;

/// The machine in lines that can be compared: releases without their numbers, each secret on a line of its own.
fn lines(host: &ModelHost) -> Vec<String> {
    let looks = host.looks();
    looks.lines().flat_map(simplified).collect()
}

fn simplified(line: &str) -> Vec<String> {
    let Some((project, rest)) = line.split_once(": releases ") else { return vec![line.to_owned()] };
    let (serving, secrets) = rest.split_once(" {").unwrap_or((rest, ""));
    let serving = serving.split_once(" current ").map_or("", |(_, serving)| serving);
    // Which number a release got depends on how often somebody tried.
    let mut lines = Vec::new();
    if !serving.starts_with("None") {
        lines.push(format!("{project} serves a release"));
    }
    let secrets = secrets.trim_end_matches('}').split(", ").filter(|secret| !secret.is_empty());
    lines.extend(secrets.map(|secret| format!("{project} holds {secret}")));
    lines
}

/// Lines of `before` that `now` has not, and the other way round.
pub(crate) struct Difference {
    pub(crate) gone: Vec<String>,
    pub(crate) new: Vec<String>,
}

/// How `now` differs from `before`; failed containers that are kept to look at are no difference.
pub(crate) fn difference(before: &ModelHost, now: &ModelHost) -> Difference {
    let (before, now) = (lines(before), lines(now));
    let missing = |these: &[String], those: &[String]| -> Vec<String> {
        let kept = |line: &&String| !those.contains(line) && !is_kept_to_look_at(line);
        these.iter().filter(kept).cloned().collect()
    };
    Difference { gone: missing(&before, &now), new: missing(&now, &before) }
}

/// A failed container under a name of its own, stopped and with nobody to start it.
fn is_kept_to_look_at(line: &str) -> bool {
    let mut words = line.split(' ');
    let (kind, name) = (words.next(), words.next().unwrap_or_default());
    kind == Some("container")
        && name.ends_with("-failed")
        && !line.contains(" running")
        && line.contains("restart No")
}

impl Difference {
    /// Without the lines that a test expects to differ.
    pub(crate) fn without(mut self, expected: impl Fn(&str) -> bool) -> Self {
        self.gone.retain(|line| !expected(line));
        self.new.retain(|line| !expected(line));
        self
    }

    /// Without key stores that were opened meanwhile: what a holder unsealed is not sealed again.
    pub(crate) fn with_stores_open(mut self) -> Self {
        let opened: Vec<String> = self
            .gone
            .iter()
            .map(|line| line.replace(" sealed", ""))
            .filter(|line| self.new.contains(line))
            .collect();
        self.gone.retain(|line| !opened.contains(&line.replace(" sealed", "")));
        self.new.retain(|line| !opened.contains(line));
        self
    }

    /// Nothing, or what differs.
    pub(crate) fn found(&self, case: &str) -> Option<String> {
        let nothing = self.gone.is_empty() && self.new.is_empty();
        (!nothing).then(|| format!("{case}: gone {:#?} new {:#?}", self.gone, self.new))
    }
}

/// Stops a test with everything that was found wrong, or the first of it.
pub(crate) fn none_of(wrong: &[String]) {
    let first = &wrong[..wrong.len().min(10)];
    assert!(wrong.is_empty(), "{} cases went wrong, among them:\n{}", wrong.len(), first.join("\n"));
}

/// What an unwinding may leave beside what was there: a volume without rows, and secrets. Neither keys nor secrets are
/// ever taken back.
pub(crate) fn may_stay(line: &str) -> bool {
    let empty_volume = line.starts_with("volume ") && line.contains("rows {}");
    empty_volume || line.contains(" holds ")
}
