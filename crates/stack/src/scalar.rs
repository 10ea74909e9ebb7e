//! YAML's plain scalars, typed as Go's YAML reader types them, and numbers printed as Go prints them.

use crate::tree::Value;

/// The value of a plain scalar: `0755` is 493, `1_000` is 1000, `yes` stays a string.
pub(crate) fn resolve(text: &str) -> Value {
    match text {
        "" | "~" | "null" | "Null" | "NULL" => return Value::Null,
        "true" | "True" | "TRUE" => return Value::Bool(true),
        "false" | "False" | "FALSE" => return Value::Bool(false),
        ".inf" | ".Inf" | ".INF" | "+.inf" | "+.Inf" | "+.INF" => return Value::Float(f64::INFINITY),
        "-.inf" | "-.Inf" | "-.INF" => return Value::Float(f64::NEG_INFINITY),
        ".nan" | ".NaN" | ".NAN" => return Value::Float(f64::NAN),
        _ => {}
    }
    let digit_first =
        text.trim_start_matches(['+', '-']).starts_with(|c: char| c.is_ascii_digit() || c == '.');
    if !digit_first {
        return Value::Text(text.into());
    }
    if let Some(time) = timestamp(text) {
        return Value::Time(time);
    }
    if let Some(value) = integer(text) {
        return value;
    }
    match float(text).filter(|value| value.is_finite()) {
        Some(value) => Value::Float(value),
        None => Value::Text(text.into()),
    }
}

/// The value of a scalar with one of YAML's own tags, if it is one.
pub(crate) fn tagged(kind: &str, text: &str) -> Option<Value> {
    match (kind, resolve(text)) {
        ("null", Value::Null) => Some(Value::Null),
        ("bool", value @ Value::Bool(_)) => Some(value),
        ("int", value @ (Value::Int(_) | Value::Large(_))) => Some(value),
        ("float", value @ Value::Float(_)) => Some(value),
        ("float", Value::Int(value)) => Some(Value::Float(value as f64)),
        ("float", Value::Large(value)) => Some(Value::Float(value as f64)),
        ("timestamp", value @ Value::Time(_)) => Some(value),
        ("null" | "bool" | "int" | "float" | "timestamp", _) => None,
        _ => Some(Value::Text(text.into())),
    }
}

/// A date, or a date and a time of day, as RFC 3339.
fn timestamp(text: &str) -> Option<String> {
    let number = |text: &str, digits: std::ops::RangeInclusive<usize>| {
        let good = digits.contains(&text.len()) && text.bytes().all(|b| b.is_ascii_digit());
        if good { text.parse::<u32>().ok() } else { None }
    };
    let (year, rest) = text.split_once('-')?;
    let year = number(year, 4..=4)?;
    let (month, rest) = rest.split_once('-')?;
    let end = rest.find(['T', 't', ' ']).unwrap_or(rest.len());
    let (month, day) = (number(month, 1..=2)?, number(&rest[..end], 1..=2)?);
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let days = match month {
        2 if leap => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        1..=12 => 31,
        _ => return None,
    };
    if !(1..=days).contains(&day) {
        return None;
    }
    let date = format!("{year:04}-{month:02}-{day:02}");
    let Some(time) = rest.get(end + 1..).filter(|_| end < rest.len()) else {
        return Some(format!("{date}T00:00:00Z"));
    };
    let zoned = !rest[end..].starts_with(' ');
    let zone_at = time.find(['Z', '+', '-']).unwrap_or(time.len());
    let (clock, zone) = time.split_at(zone_at);
    let good_zone = match (zoned, zone) {
        (false, "") | (true, "Z") => true,
        (true, zone) => zone.len() == 6 && zone.as_bytes()[3] == b':',
        _ => false,
    };
    let mut parts = clock.splitn(3, ':');
    let (hour, minute) = (number(parts.next()?, 1..=2)?, number(parts.next()?, 1..=2)?);
    let seconds = parts.next()?;
    let (second, fraction) = seconds.split_once('.').map_or((seconds, ""), |(whole, part)| (whole, part));
    let second = number(second, 1..=2)?;
    let fraction = fraction.trim_end_matches('0');
    if !good_zone || hour > 23 || minute > 59 || second > 59 || !fraction.bytes().all(|b| b.is_ascii_digit())
    {
        return None;
    }
    let dot = if fraction.is_empty() { "" } else { "." };
    let zone = if zone.is_empty() { "Z" } else { zone };
    Some(format!("{date}T{hour:02}:{minute:02}:{second:02}{dot}{fraction}{zone}"))
}

fn integer(text: &str) -> Option<Value> {
    let plain = text.replace('_', "");
    let (negative, digits) = match plain.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, plain.strip_prefix('+').unwrap_or(&plain)),
    };
    let magnitude = |digits: &str, radix| {
        // A second sign is no number; `from_str_radix` would take one.
        if digits.starts_with(['+', '-']) { None } else { u64::from_str_radix(digits, radix).ok() }
    };
    let value = if let Some(hex) = digits.strip_prefix("0x").or_else(|| digits.strip_prefix("0X")) {
        magnitude(hex, 16)?
    } else if let Some(octal) = digits.strip_prefix("0o").or_else(|| digits.strip_prefix("0O")) {
        magnitude(octal, 8)?
    } else if let Some(binary) = digits.strip_prefix("0b").or_else(|| digits.strip_prefix("0B")) {
        magnitude(binary, 2)?
    } else if digits.len() > 1 && digits.starts_with('0') && digits.bytes().all(|b| b.is_ascii_digit()) {
        // `08` is no octal number, and so a float to Go.
        magnitude(digits, 8)?
    } else {
        magnitude(digits, 10)?
    };
    match i64::try_from(value) {
        Ok(value) => Some(Value::Int(if negative { -value } else { value })),
        Err(_) if negative => 0_i64.checked_sub_unsigned(value).map(Value::Int),
        // With a sign it is a float to Go.
        Err(_) if plain.starts_with('+') => None,
        Err(_) => Some(Value::Large(value)),
    }
}

fn float(text: &str) -> Option<f64> {
    let plain = text.replace('_', "");
    let body = plain.strip_prefix(['-', '+']).unwrap_or(&plain);
    let (mantissa, exponent) = match body.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, Some(exponent.strip_prefix(['-', '+']).unwrap_or(exponent))),
        None => (body, None),
    };
    let digits = |part: &str| part.bytes().all(|b| b.is_ascii_digit());
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let number = digits(whole)
        && digits(fraction)
        && !(whole.is_empty() && fraction.is_empty())
        && exponent.is_none_or(|exponent| !exponent.is_empty() && digits(exponent));
    if number { plain.parse().ok() } else { None }
}

/// A float as Go's `%v` prints it: `1.1`, `1e+06`.
pub(crate) fn go_float(value: f64) -> String {
    if value.is_nan() {
        return "NaN".to_owned();
    }
    if value.is_infinite() {
        return if value > 0.0 { "+Inf" } else { "-Inf" }.to_owned();
    }
    let scientific = format!("{value:e}");
    let Some((mantissa, exponent)) = scientific.split_once('e') else { return scientific };
    let Ok(exponent) = exponent.parse::<i32>() else { return scientific };
    // Go's shortest form switches to an exponent below 1e-4 and from a million on.
    if (-4..6).contains(&exponent) {
        return value.to_string();
    }
    let sign = if exponent < 0 { '-' } else { '+' };
    format!("{mantissa}e{sign}{:02}", exponent.abs())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tree::{Node, Spot};

    #[test]
    fn plain_scalars_are_typed_as_go_types_them() {
        let resolve = |text| Node::new(Spot::default(), super::resolve(text));
        let value = |value| Node::new(Spot::default(), value);
        assert_eq!(resolve("0755"), value(Value::Int(493)));
        assert_eq!(resolve("1_000"), value(Value::Int(1000)));
        assert_eq!(resolve("0x10"), value(Value::Int(16)));
        assert_eq!(resolve("-5"), value(Value::Int(-5)));
        assert_eq!(resolve("1.10"), value(Value::Float(1.1)));
        assert_eq!(resolve("yes"), value(Value::Text("yes".into())));
        assert_eq!(resolve("8080:80"), value(Value::Text("8080:80".into())));
        assert_eq!(resolve("1.2.3"), value(Value::Text("1.2.3".into())));
        assert_eq!(resolve("--5"), value(Value::Text("--5".into())));
        assert_eq!(resolve("2024-01-02"), value(Value::Time("2024-01-02T00:00:00Z".into())));
        assert_eq!(resolve("2024-13-02"), value(Value::Text("2024-13-02".into())));
        assert_eq!(resolve("1e400"), value(Value::Text("1e400".into())));
        assert_eq!(resolve("12345678901234567890"), value(Value::Large(12345678901234567890)));
        assert_eq!(resolve("0xFFFFFFFFFFFFFFFF"), value(Value::Large(u64::MAX)));
        assert_eq!(resolve("-9223372036854775808"), value(Value::Int(i64::MIN)));
        assert_eq!(resolve("True"), value(Value::Bool(true)));
        assert_eq!(resolve("~"), value(Value::Null));
    }

    #[test]
    fn floats_are_printed_as_go_prints_them() {
        assert_eq!(go_float(1.1), "1.1");
        assert_eq!(go_float(1e6), "1e+06");
        assert_eq!(go_float(0.5), "0.5");
        assert_eq!(go_float(0.00001), "1e-05");
        assert_eq!(go_float(123456.5), "123456.5");
        assert_eq!(go_float(1234567.5), "1.2345675e+06");
    }
}
