//! A value among metrics in the text format of Prometheus.

use serde_json::Number;
use stack::{Over, Series};

use super::{Miss, Saw, Way, excerpt, http};

/// Reads the metrics, and judges every series that is asked for.
pub(super) async fn read(
    way: &Way<'_>,
    path: &str,
    over: &Over,
    series: &Series,
    [min, max]: [Option<&Number>; 2],
) -> Result<Saw, Miss> {
    let response = http::fetch(way, path, over).await?;
    let status = response.status();
    let body = http::body_of(response)
        .await
        .map_err(|err| Miss::seen(format!("{}, then {err}", status.as_u16())))?;
    if !status.is_success() {
        let said = http::body_words(&body);
        return Err(Miss::seen(format!("{}, expected 200 to 299; it said: {said}", status.as_u16())));
    }
    let bounds = [min, max].map(|bound| bound.and_then(Number::as_f64));
    judge(&String::from_utf8_lossy(&body), series, bounds).map(Saw::well).map_err(Miss::seen)
}

/// What the series are, or in words what is wrong with them.
fn judge(text: &str, wanted: &Series, [min, max]: [Option<f64>; 2]) -> Result<String, String> {
    let all: Vec<(Series, f64)> = text.lines().filter_map(sample).collect();
    let found: Vec<&(Series, f64)> = all.iter().filter(|(series, _)| wanted.covers(series)).collect();
    if all.is_empty() {
        return Err(format!("no metrics; it said: {}", http::body_words(text.as_bytes())));
    }
    // A value that is no number is in no bounds.
    let low = |value: f64| min.is_some_and(|min| value.is_nan() || value < min);
    let high = |value: f64| max.is_some_and(|max| value.is_nan() || value > max);
    if let Some((series, value)) = found.iter().find(|(_, value)| low(*value) || high(*value)) {
        let bounds = match (min, max) {
            (Some(min), Some(max)) if min == max => format!("{min}"),
            (Some(min), Some(max)) => format!("{min} to {max}"),
            (Some(min), None) => format!("at least {min}"),
            (None, max) => format!("at most {}", max.unwrap_or_default()),
        };
        return Err(format!("{} is {value}, expected {bounds}", excerpt(&series.to_string())));
    }
    match found.as_slice() {
        [] => Err(format!("{wanted} is not among {} series", all.len())),
        [(_, value)] => Ok(format!("{wanted} is {value}")),
        several => Ok(format!("{wanted} is right in all its {} series", several.len())),
    }
}

/// `name{label="value"} 3 1700000000`, the time being of no interest.
fn sample(line: &str) -> Option<(Series, f64)> {
    let (series, rest) = Series::parse(line.trim_start())?;
    let value = rest.split_whitespace().next()?.parse().ok()?;
    Some((series, value))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_metric_is_in_its_bounds_in_every_series_it_is_asked_for() {
        let text = "# HELP jobs Jobs.\n# TYPE jobs gauge\njobs{queue=\"mail\"} 3 1700000000000\n\
            jobs{queue=\"pdf\"} 120\nis_leader 1\nratio NaN\nmost{le=\"+Inf\"} +Inf\n";
        let cases = [
            ("is_leader", [Some(1.0), Some(1.0)], Ok("is_leader is 1")),
            ("jobs{queue=\"mail\"}", [None, Some(100.0)], Ok("jobs{queue=\"mail\"} is 3")),
            ("jobs", [None, Some(100.0)], Err("jobs{queue=\"pdf\"} is 120, expected at most 100")),
            ("jobs", [Some(1.0), None], Ok("jobs is right in all its 2 series")),
            ("jobs", [Some(4.0), None], Err("jobs{queue=\"mail\"} is 3, expected at least 4")),
            ("is_leader", [Some(0.0), Some(0.0)], Err("is_leader is 1, expected 0")),
            ("is_leader", [Some(2.0), Some(3.0)], Err("is_leader is 1, expected 2 to 3")),
            ("ratio", [Some(0.0), None], Err("ratio is NaN, expected at least 0")),
            ("ratio", [None, None], Ok("ratio is NaN")),
            ("most", [Some(9.0), None], Ok("most is inf")),
            ("gone", [None, None], Err("gone is not among 5 series")),
        ];
        for (name, bounds, expected) in cases {
            let (series, _) = Series::parse(name).expect("a series");
            let expected = expected.map(str::to_owned).map_err(str::to_owned);
            assert_eq!(judge(text, &series, bounds), expected, "{name}");
        }
        let (up, _) = Series::parse("up").expect("a series");
        let page = judge("<html>log in</html>", &up, [None, None]);
        assert_eq!(page, Err("no metrics; it said: <html>log in</html>".to_owned()));
    }
}
