//! What plans of the first version say in other words than today's: they are read for as long as there are any.

use serde_json::{Value, json};

/// Says a plan of the first version in today's words.
///
/// The stack's secrets and its release were parts of a service to restore; they are actions of their own now.
pub(crate) fn in_todays_words(value: &mut Value) {
    match value {
        Value::Object(fields) => {
            let part = fields.get("part").and_then(|part| part.get("part")).and_then(Value::as_str);
            let action = match (fields.get("do").and_then(Value::as_str), part) {
                (Some("restore"), Some("secrets")) => Some("restore-secrets"),
                (Some("restore"), Some("release")) => Some("restore-release"),
                _ => None,
            };
            if let (Some(action), Some(set)) = (action, fields.get("set").cloned()) {
                *value = json!({ "do": action, "set": set });
                return;
            }
            fields.values_mut().for_each(in_todays_words);
        }
        Value::Array(values) => values.iter_mut().for_each(in_todays_words),
        _ => {}
    }
}
