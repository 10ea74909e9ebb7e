//! Fields of a JSON answer, by dotted path.

use serde_json::Value;

/// What an answer must hold at one path: this value, or anything where it is `"*"`.
///
/// # Errors
/// In words, what is there instead: `status is "starting", expected "ok"`.
pub(super) fn expect(answer: &Value, path: &str, wanted: &Value) -> Result<String, String> {
    let anything = wanted.as_str() == Some("*");
    match at(answer, path) {
        None if anything => Err(format!("{path} is missing")),
        None => Err(format!("{path} is missing, expected {wanted}")),
        Some(_) if anything => Ok(format!("{path} is present")),
        Some(found) if found == wanted => Ok(format!("{path} is {found}")),
        Some(found) => Err(format!("{path} is {}, expected {wanted}", super::excerpt(&found.to_string()))),
    }
}

/// Walks `checks.db.0.ok`: keys of objects, places in arrays. A key that holds dots itself is found too.
fn at<'a>(answer: &'a Value, path: &str) -> Option<&'a Value> {
    if let Some(whole) = answer.get(path) {
        return Some(whole);
    }
    path.split('.').try_fold(answer, |value, key| match value {
        Value::Array(items) => items.get(key.parse::<usize>().ok()?),
        other => other.get(key),
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_path_goes_through_objects_and_arrays_and_a_star_asks_for_presence_only() {
        let answer = json!({"status": "starting", "checks": [{"db": {"ok": true}}], "a.b": 1, "none": null});
        let cases = [
            ("checks.0.db.ok", json!(true), Ok("checks.0.db.ok is true")),
            ("a.b", json!(1), Ok("a.b is 1")),
            ("none", json!("*"), Ok("none is present")),
            ("status", json!("ok"), Err("status is \"starting\", expected \"ok\"")),
            ("checks.1", json!("*"), Err("checks.1 is missing")),
            ("gone", json!(3), Err("gone is missing, expected 3")),
        ];
        for (path, wanted, expected) in cases {
            let expected = expected.map(str::to_owned).map_err(str::to_owned);
            assert_eq!(expect(&answer, path, &wanted), expected, "{path}");
        }
    }
}
