//! Takes out of a transcript what differs from one run to the next.

use std::{path::Path, sync::LazyLock};

use regex_lite::{Captures, Regex};

/// What is replaced, in this order.
const MOVING: [(&str, &str); 19] = [
    (r"\d{8}T\d{6}Z-\d{8}T\d{6}Z-[0-9a-f]{8}", "TIME-SET"),
    (r"\d{8}[Tt]\d{6}[Zz]-[0-9a-f]{8}", "SET"),
    (r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d(:\d\d)?(\.\d+)?Z", "TIME"),
    (r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC", "TIME"),
    (r"-drill-[0-9a-f]{8}", "-drill-ID"),
    (r"\bage1[0-9a-z]{50,}", "age1…"),
    (r"ed25519:[0-9a-f]{64}", "ed25519:…"),
    (r"\b[0-9a-f]{32,64}\b", "HASH"),
    (r"\b127\.(6[4-9]|[7-9]\d|1[01]\d|12[0-7])\.\d+\.\d+\b", "ADDRESS"),
    (r"process \d+ on [^,]+,", "process PID on HOST,"),
    (r"\d+\.\d [KM]iB|\b\d+ B\b", "SIZE"),
    (r"\b\d+(\.\d)?s (old|ago|before)\b", "0.0s $2"),
    // A column is as wide as the longest age in it.
    (r"\b(old|ago|never proven)  +", "$1  "),
    (r"\b(now|lag|RTO) \d+(\.\d)?s\b", "$1 0.0s"),
    (r"\d+ of \d+ bytes", "N of M bytes"),
    (r"after \d+ probes?", "after N probes"),
    (r"on \d{4}-\d\d-\d\d\b", "on DATE"),
    (r"Docker responded with status code \d+: .*", "Docker responded with …"),
    (r"tried (\d+ times|once)", "tried N times"),
];

/// What something took: tenths of a second, or whole seconds in the column of a step.
const TOOK: &str = r" {4,}\d+s\b| +\d+\.\ds\b";

static PATTERNS: LazyLock<Vec<(Regex, &str)>> = LazyLock::new(|| {
    let compiled = |(pattern, stands_for)| (Regex::new(pattern).expect("the patterns are fixed"), stands_for);
    MOVING.into_iter().map(compiled).collect()
});

static DURATIONS: LazyLock<Regex> = LazyLock::new(|| Regex::new(TOOK).expect("the pattern is fixed"));

/// `text` as it is the same each time; the scenario's directory is `~`.
pub(crate) fn normal(text: &str, root: &Path) -> String {
    let mut text = text.replace(&root.display().to_string(), "~");
    for (pattern, stands_for) in PATTERNS.iter() {
        text = pattern.replace_all(&text, *stands_for).into_owned();
    }
    let as_wide = |found: &Captures<'_>| format!("{:>width$}", "0.0s", width = found[0].len().max(5));
    DURATIONS.replace_all(&text, as_wide).into_owned()
}
