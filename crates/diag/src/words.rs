//! Measures in words.

use std::time::Duration;

/// A duration as a person reads it: `0.4s`, `5s`, `34s`, `2m 05s`, `8h`, `3d 4h`.
///
/// What is whole is said so; below ten seconds a tenth tells.
pub fn duration(duration: Duration) -> String {
    let whole = duration.as_secs_f64().round() as u64;
    let with = |large: u64, unit: &str, rest: u64, small: String| match rest {
        0 => format!("{large}{unit}"),
        _ => format!("{large}{unit} {small}"),
    };
    match whole {
        1..60 if duration.subsec_nanos() == 0 => format!("{whole}s"),
        _ if duration.as_secs_f64() < 9.95 => format!("{:.1}s", duration.as_secs_f64()),
        0..60 => format!("{whole}s"),
        60..3600 => with(whole / 60, "m", whole % 60, format!("{:02}s", whole % 60)),
        3600..86_400 => with(whole / 3600, "h", whole % 3600 / 60, format!("{:02}m", whole % 3600 / 60)),
        _ => with(whole / 86_400, "d", whole % 86_400 / 3600, format!("{}h", whole % 86_400 / 3600)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_said_as_a_person_says_them() {
        let said = [
            (0, "0.0s"),
            (40, "0.0s"),
            (300, "0.3s"),
            (5000, "5s"),
            (9900, "9.9s"),
            (34_200, "34s"),
            (59_700, "1m"),
            (60_000, "1m"),
            (125_000, "2m 05s"),
            (3_600_000, "1h"),
            (28_920_000, "8h 02m"),
            (86_400_000, "1d"),
            (273_600_000, "3d 4h"),
        ];
        for (millis, words) in said {
            assert_eq!(duration(Duration::from_millis(millis)), words);
        }
    }
}
