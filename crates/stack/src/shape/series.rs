//! A series of metrics by name and labels, as the text format of Prometheus writes it: `jobs_waiting{queue="mail"}`.

use std::{collections::BTreeMap, fmt};

use serde::{Deserialize, Serialize};

/// A name, and labels with their values.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Series {
    /// The name of the metric.
    pub name: String,
    /// Its labels.
    pub labels: BTreeMap<String, String>,
}

impl Series {
    /// A series, and what follows it on its line; `None` where there is none.
    pub fn parse(line: &str) -> Option<(Series, &str)> {
        let (name, rest) = word(line)?;
        let mut labels = BTreeMap::new();
        let Some(mut rest) = rest.strip_prefix('{') else {
            return Some((Series { name: name.to_owned(), labels }, rest));
        };
        loop {
            rest = rest.trim_start();
            if let Some(after) = rest.strip_prefix('}') {
                return Some((Series { name: name.to_owned(), labels }, after));
            }
            let (label, after) = word(rest)?;
            let (value, after) = quoted(after.trim_start().strip_prefix('=')?.trim_start())?;
            labels.insert(label.to_owned(), value);
            let after = after.trim_start();
            rest = after.strip_prefix(',').unwrap_or(after);
            if !after.starts_with([',', '}']) {
                return None;
            }
        }
    }

    /// Whether `other` is of this name and carries these labels; it may carry more.
    pub fn covers(&self, other: &Series) -> bool {
        self.name == other.name
            && self.labels.iter().all(|(label, value)| other.labels.get(label) == Some(value))
    }
}

impl fmt::Display for Series {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.name)?;
        let labels: Vec<String> =
            self.labels.iter().map(|(label, value)| format!("{label}={value:?}")).collect();
        if labels.is_empty() { Ok(()) } else { write!(out, "{{{}}}", labels.join(",")) }
    }
}

fn word(text: &str) -> Option<(&str, &str)> {
    let end = text.find(|c: char| !c.is_ascii_alphanumeric() && c != '_' && c != ':').unwrap_or(text.len());
    let begins = text.starts_with(|c: char| !c.is_ascii_digit());
    (end > 0 && begins).then(|| text.split_at(end))
}

fn quoted(text: &str) -> Option<(String, &str)> {
    let inside = text.strip_prefix('"')?;
    let mut value = String::new();
    let mut chars = inside.char_indices();
    while let Some((at, c)) = chars.next() {
        match c {
            '"' => return Some((value, &inside[at + 1..])),
            '\\' => match chars.next()?.1 {
                'n' => value.push('\n'),
                other => value.push(other),
            },
            other => value.push(other),
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_series_is_a_name_with_labels_and_may_carry_more_than_it_is_asked_for() {
        let cases = [
            ("up 1", Some(("up", " 1"))),
            ("up{} 1", Some(("up", " 1"))),
            (r#"jobs{queue="mail", kind="a\"b",} 3"#, Some((r#"jobs{kind="a\"b",queue="mail"}"#, " 3"))),
            (r#"jobs{queue="mail""#, None),
            ("jobs{queue=mail} 1", None),
            ("7up 1", None),
        ];
        for (line, expected) in cases {
            let parsed = Series::parse(line);
            let parsed = parsed.as_ref().map(|(series, rest)| (series.to_string(), *rest));
            assert_eq!(parsed, expected.map(|(series, rest)| (series.to_owned(), rest)), "{line}");
        }
        let series = |text| Series::parse(text).expect("a series").0;
        assert!(series("jobs").covers(&series(r#"jobs{queue="mail"}"#)));
        assert!(!series(r#"jobs{queue="mail"}"#).covers(&series("jobs")));
    }
}
