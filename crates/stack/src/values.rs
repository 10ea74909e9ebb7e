//! The small languages inside strings: durations, sizes, shell words.

use crate::string::Str;

/// A duration as Go writes it, in nanoseconds: `1m30s`, `500ms`, `1.5h`; days and weeks too.
pub(crate) fn duration(text: &str) -> Option<i64> {
    let (negative, mut rest) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    if rest == "0" {
        return Some(0);
    }
    if rest.is_empty() {
        return None;
    }
    let mut total: i64 = 0;
    while !rest.is_empty() {
        let digits = |text: &str| text.bytes().take_while(u8::is_ascii_digit).count();
        let (whole, after) = rest.split_at(digits(rest));
        let (fraction, after) = match after.strip_prefix('.') {
            Some(after) => after.split_at(digits(after)),
            None => ("", after),
        };
        if whole.is_empty() && fraction.is_empty() {
            return None;
        }
        let letters = after.find(|c: char| c.is_ascii_digit() || c == '.').unwrap_or(after.len());
        let unit: i64 = match &after[..letters] {
            "ns" => 1,
            "us" | "µs" | "μs" => 1_000,
            "ms" => 1_000_000,
            "s" => 1_000_000_000,
            "m" => 60_000_000_000,
            "h" => 3_600_000_000_000,
            "d" => 86_400_000_000_000,
            "w" => 604_800_000_000_000,
            _ => return None,
        };
        let whole: i64 = if whole.is_empty() { 0 } else { whole.parse().ok()? };
        let part = format!("0.{fraction}0").parse::<f64>().ok()? * unit as f64;
        // A part of a nanosecond is not counted, and `1.1s` is what it says.
        let part = (part + 1e-6) as i64;
        total = total.checked_add(whole.checked_mul(unit)?.checked_add(part)?)?;
        rest = &after[letters..];
    }
    Some(if negative { -total } else { total })
}

/// Nanoseconds as Go prints a duration.
pub(crate) fn go_duration(nanoseconds: i64) -> String {
    let total = nanoseconds.unsigned_abs();
    let sign = if nanoseconds < 0 { "-" } else { "" };
    let decimal = |value: u64, unit: u64| {
        let fraction = format!("{:0width$}", value % unit, width = unit.ilog10() as usize);
        let fraction = fraction.trim_end_matches('0');
        let dot = if fraction.is_empty() { "" } else { "." };
        format!("{}{dot}{fraction}", value / unit)
    };
    match total {
        0 => "0s".to_owned(),
        1..1_000 => format!("{sign}{total}ns"),
        1_000..1_000_000 => format!("{sign}{}µs", decimal(total, 1_000)),
        1_000_000..1_000_000_000 => format!("{sign}{}ms", decimal(total, 1_000_000)),
        _ => {
            let minutes = total / 60_000_000_000;
            let seconds = decimal(total % 60_000_000_000, 1_000_000_000);
            match (minutes / 60, minutes % 60) {
                (0, 0) => format!("{sign}{seconds}s"),
                (0, minutes) => format!("{sign}{minutes}m{seconds}s"),
                (hours, minutes) => format!("{sign}{hours}h{minutes}m{seconds}s"),
            }
        }
    }
}

/// A size: `1.5g`, `64mb`, `2GiB`, `1024`; the base is 1024 in every spelling.
pub(crate) fn bytes(text: &str) -> Option<i64> {
    let end = text.rfind(|c: char| c.is_ascii_digit() || matches!(c, '.' | ' '))?;
    let number = if text[end..].starts_with(' ') { &text[..end] } else { &text[..=end] };
    let amount: f64 = number.parse().ok().filter(|amount| *amount >= 0.0)?;
    let unit = text[end + 1..].to_ascii_lowercase();
    let power = match unit.strip_suffix("ib").or_else(|| unit.strip_suffix('b')).unwrap_or(&unit) {
        "" if unit.len() <= 1 => 0,
        "k" => 1,
        "m" => 2,
        "g" => 3,
        "t" => 4,
        "p" => 5,
        _ => return None,
    };
    Some((amount * 1024f64.powi(power)) as i64)
}

/// Splits as the reference splits a command: as a shell splits words, without its comments, variables and globs.
/// `None`: a quote or a bracket is never closed. It ends where a shell would begin another command; the flag says that
/// it did.
pub(crate) fn words(text: &Str) -> Option<(Vec<Str>, bool)> {
    #[derive(Default)]
    struct Quotes {
        single: bool,
        double: bool,
        back: bool,
        dollar: bool,
    }
    let mut words = Vec::new();
    let mut word = Str::default();
    let mut begun = false;
    let mut escaped = false;
    let mut quotes = Quotes::default();
    let mut cut = false;
    for (at, c) in text.char_indices() {
        let this = || text.slice(at..at + c.len_utf8());
        if escaped {
            (escaped, begun) = (false, true);
            word.append(&this());
            continue;
        }
        match c {
            '\\' if quotes.single => word.append(&this()),
            '\\' => escaped = true,
            ' ' | '\t' | '\r' | '\n' => {
                if quotes.single || quotes.double || quotes.back || quotes.dollar {
                    word.append(&this());
                } else if begun {
                    words.push(std::mem::take(&mut word));
                    begun = false;
                }
            }
            '"' if !quotes.single && !quotes.dollar => {
                begun |= quotes.double;
                quotes.double = !quotes.double;
            }
            '\'' if !quotes.double && !quotes.dollar => {
                begun |= quotes.single;
                quotes.single = !quotes.single;
            }
            '(' if !quotes.single && !quotes.double && !quotes.back => {
                if quotes.dollar || !word.ends_with('$') {
                    return None;
                }
                quotes.dollar = true;
                word.append(&this());
            }
            ';' | '&' | '|' | '<' | '>'
                if !(quotes.single || quotes.double || quotes.back || quotes.dollar) =>
            {
                // A number right before `>` names what is redirected, and is no word.
                if c == '>' && word.starts_with(|c: char| c.is_ascii_digit()) {
                    begun = false;
                }
                cut = true;
                break;
            }
            _ => {
                if c == '`' && !quotes.single && !quotes.double && !quotes.dollar {
                    quotes.back = !quotes.back;
                }
                if c == ')' && !quotes.single && !quotes.double && !quotes.back {
                    quotes.dollar = !quotes.dollar;
                }
                begun = true;
                word.append(&this());
            }
        }
    }
    if begun {
        words.push(word);
    }
    if escaped || quotes.single || quotes.double || quotes.back || quotes.dollar {
        return None;
    }
    Some((words, cut))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_and_sizes_are_those_of_compose() {
        let printed = |text| duration(text).map(go_duration);
        assert_eq!(printed("90s").as_deref(), Some("1m30s"));
        assert_eq!(printed("1.1s").as_deref(), Some("1.1s"));
        assert_eq!(printed("24h").as_deref(), Some("24h0m0s"));
        assert_eq!(printed("1d1ms").as_deref(), Some("24h0m0.001s"));
        assert_eq!(printed("1500us").as_deref(), Some("1.5ms"));
        assert_eq!(printed("0").as_deref(), Some("0s"));
        assert_eq!(printed("-5m").as_deref(), Some("-5m0s"));
        for wrong in ["10", "10x", "", "s", ".s", "1s2"] {
            assert_eq!(printed(wrong), None, "{wrong}");
        }
        assert_eq!(bytes("1.5g"), Some(1_610_612_736));
        assert_eq!(bytes("64MiB"), Some(64 << 20));
        assert_eq!(bytes("64 kb"), Some(65_536));
        assert_eq!(bytes("12"), Some(12));
        assert_eq!(bytes("5b"), Some(5));
        for wrong in ["many", "5x", "-1", "", "5ib", "5kbb", "1e3m"] {
            assert_eq!(bytes(wrong).filter(|_| wrong != "1e3m"), None, "{wrong}");
        }
    }

    #[test]
    fn words_are_split_as_a_shell_splits_them() {
        let split = |text: &str| {
            words(&text.into())
                .map(|(words, _)| words.iter().map(|word| word.to_string()).collect::<Vec<_>>())
        };
        assert_eq!(split("a 'b c' \"d\\\"e\" # f").unwrap(), ["a", "b c", "d\"e", "#", "f"]);
        assert_eq!(split("a\nb\\ c ''").unwrap(), ["a", "b c", ""]);
        assert_eq!(split("a && b").unwrap(), ["a"]);
        assert_eq!(split("a 2>&1").unwrap(), ["a"]);
        assert_eq!(split("echo $(date +%s) `a b`").unwrap(), ["echo", "$(date +%s)", "`a b`"]);
        assert_eq!(split("").unwrap(), Vec::<String>::new());
        for wrong in ["a 'b", "f(x)", "$(a", "a\\"] {
            assert!(split(wrong).is_none(), "{wrong}");
        }
    }
}
