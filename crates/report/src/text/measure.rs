//! Durations, sizes and counts in words.

use std::time::Duration;

/// Seconds as a person reads them.
pub fn duration(seconds: f64) -> String {
    diag::duration(Duration::try_from_secs_f64(seconds).unwrap_or_default())
}

/// A size as a person reads it: `812 B`, `1.4 MiB`.
pub fn bytes(bytes: u64) -> String {
    let units = ["KiB", "MiB", "GiB", "TiB"];
    if bytes < 1024 {
        return format!("{bytes} B");
    }
    let mut size = bytes as f64 / 1024.0;
    let mut unit = 0;
    while size >= 1023.95 && unit + 1 < units.len() {
        size /= 1024.0;
        unit += 1;
    }
    format!("{size:.1} {}", units[unit])
}

/// What has gone through so far, and how fast: `12.4 MiB, 3.1 MiB/s`; nothing where nothing has.
pub fn moved(so_far: u64, taken: Duration) -> String {
    if so_far == 0 {
        return String::new();
    }
    // In the first moment a rate would be a guess.
    match taken.as_secs_f64() {
        seconds if seconds < 0.5 => bytes(so_far),
        seconds => format!("{}, {}/s", bytes(so_far), bytes((so_far as f64 / seconds) as u64)),
    }
}

/// `1 step`, `3 steps`.
pub fn count(number: usize, noun: &str) -> String {
    format!("{number} {noun}{}", if number == 1 { "" } else { "s" })
}

/// `1 canary decrypts`, `3 canaries decrypt`.
pub(crate) fn canaries_decrypt(number: usize) -> String {
    if number == 1 { "1 canary decrypts".to_owned() } else { format!("{number} canaries decrypt") }
}

/// How long before `now` something was.
pub(crate) fn age(now: jiff::Timestamp, then: jiff::Timestamp) -> String {
    let millis = now.as_millisecond() - then.as_millisecond();
    duration((millis.max(0) as f64 / 1000.0).round())
}

/// Milliseconds in words.
pub(crate) fn millis(millis: u64) -> String {
    diag::duration(Duration::from_millis(millis))
}

/// A time to the minute, in UTC.
pub(crate) fn minute(at: jiff::Timestamp) -> String {
    at.strftime("%Y-%m-%d %H:%MZ").to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_said_as_a_person_says_them() {
        let moved = |bytes, millis| moved(bytes, Duration::from_millis(millis));
        assert_eq!(moved(0, 4000), "");
        assert_eq!(moved(13_002_342, 100), "12.4 MiB");
        assert_eq!(moved(13_002_342, 4000), "12.4 MiB, 3.1 MiB/s");
        assert_eq!([812, 1536, 1_468_006, 1 << 40].map(bytes), ["812 B", "1.5 KiB", "1.4 MiB", "1.0 TiB"]);
    }
}
