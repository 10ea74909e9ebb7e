//! What the specification's schema says of a merged file: every violation, with its place.

use std::{collections::BTreeMap, sync::OnceLock};

use diag::{Diagnostic, closest};
use serde_json::Value as Json;

use crate::{
    reading::Reading,
    tree::{Entry, Map, Node, Spot, Value},
};

const TEXT: &str = include_str!("spec/compose-spec.json");

/// One schema, as far as the specification uses what schemas can say.
#[derive(Default)]
struct Schema {
    reference: Option<String>,
    types: Vec<Type>,
    one_of: Vec<Schema>,
    choices: Vec<String>,
    pattern: Option<Pattern>,
    minimum: Option<f64>,
    maximum: Option<f64>,
    required: Vec<String>,
    properties: BTreeMap<String, Schema>,
    patterns: Vec<(Pattern, Schema)>,
    closed: bool,
    items: Option<Box<Schema>>,
    unique: bool,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Type {
    Object,
    Array,
    String,
    Number,
    Integer,
    Boolean,
    Null,
}

/// The patterns of the specification. They are so few and so simple that each is a function.
#[derive(Clone, Copy)]
enum Pattern {
    /// `^x-`.
    Extension,
    /// `^[a-zA-Z0-9._-]+$`.
    Name,
    /// `.+` and `^.+$`.
    Anything,
    /// `^[a-z]+$`.
    Word,
    ContainerName,
    PullPolicy,
}

/// The schema and its definitions.
struct Specification {
    root: Schema,
    definitions: BTreeMap<String, Schema>,
}

fn specification() -> &'static Specification {
    static SPECIFICATION: OnceLock<Specification> = OnceLock::new();
    SPECIFICATION.get_or_init(|| {
        let json: Json = serde_json::from_str(TEXT).unwrap_or_default();
        let definitions = json.get("definitions").or_else(|| json.get("$defs")).and_then(Json::as_object);
        let definitions = definitions.into_iter().flatten();
        Specification {
            root: Schema::of(&json),
            definitions: definitions.map(|(name, schema)| (name.clone(), Schema::of(schema))).collect(),
        }
    })
}

impl Schema {
    fn of(json: &Json) -> Self {
        let strings = |key: &str| match json.get(key) {
            Some(Json::String(one)) => vec![one.clone()],
            Some(Json::Array(list)) => list.iter().filter_map(Json::as_str).map(str::to_owned).collect(),
            _ => Vec::new(),
        };
        let entries = |key: &str| json.get(key).and_then(Json::as_object).into_iter().flatten();
        let reference = json.get("$ref").and_then(Json::as_str).and_then(|path| path.rsplit('/').next());
        Self {
            reference: reference.map(str::to_owned),
            types: strings("type").iter().filter_map(|name| Type::of(name)).collect(),
            one_of: json.get("oneOf").and_then(Json::as_array).into_iter().flatten().map(Self::of).collect(),
            choices: strings("enum"),
            pattern: json.get("pattern").and_then(Json::as_str).and_then(Pattern::of),
            minimum: json.get("minimum").and_then(Json::as_f64),
            maximum: json.get("maximum").and_then(Json::as_f64),
            required: strings("required"),
            properties: entries("properties").map(|(key, schema)| (key.clone(), Self::of(schema))).collect(),
            patterns: entries("patternProperties")
                .filter_map(|(pattern, schema)| Some((Pattern::of(pattern)?, Self::of(schema))))
                .collect(),
            closed: json.get("additionalProperties") == Some(&Json::Bool(false)),
            items: json.get("items").map(|items| Box::new(Self::of(items))),
            unique: json.get("uniqueItems") == Some(&Json::Bool(true)),
        }
    }

    fn resolved(&self) -> &Self {
        let definition = |name: &String| specification().definitions.get(name);
        self.reference.as_ref().and_then(definition).map_or(self, Schema::resolved)
    }

    /// The types it takes, those of its branches among them.
    fn wanted(&self) -> Vec<Type> {
        let schema = self.resolved();
        let mut types = schema.types.clone();
        types.extend(schema.one_of.iter().flat_map(Schema::wanted));
        types
    }
}

impl Type {
    fn of(name: &str) -> Option<Self> {
        Some(match name {
            "object" => Self::Object,
            "array" => Self::Array,
            "string" => Self::String,
            "number" => Self::Number,
            "integer" => Self::Integer,
            "boolean" => Self::Boolean,
            "null" => Self::Null,
            _ => return None,
        })
    }

    fn holds(self, value: &Value) -> bool {
        match (self, value) {
            (Self::Object, Value::Map(_))
            | (Self::Array, Value::List(_))
            | (Self::String, Value::Text(_))
            | (Self::Number | Self::Integer, Value::Int(_) | Value::Large(_))
            | (Self::Number, Value::Float(_))
            | (Self::Boolean, Value::Bool(_))
            | (Self::Null, Value::Null) => true,
            (Self::Integer, Value::Float(number)) => number.fract() == 0.0,
            _ => false,
        }
    }

    fn said(self) -> &'static str {
        match self {
            Self::Object => "a mapping",
            Self::Array => "a list",
            Self::String => "a string",
            Self::Number => "a number",
            Self::Integer => "a whole number",
            Self::Boolean => "true or false",
            Self::Null => "empty",
        }
    }
}

impl Pattern {
    fn of(text: &str) -> Option<Self> {
        Some(match text {
            "^x-" => Self::Extension,
            "^[a-zA-Z0-9._-]+$" => Self::Name,
            ".+" | "^.+$" => Self::Anything,
            "^[a-z]+$" => Self::Word,
            "[a-zA-Z0-9][a-zA-Z0-9_.-]+" => Self::ContainerName,
            "always|never|build|if_not_present|missing|refresh|daily|weekly|every_([0-9]+[wdhms])+" => {
                Self::PullPolicy
            }
            _ => return None,
        })
    }

    fn matches(self, text: &str) -> bool {
        let all = |good: fn(char) -> bool| !text.is_empty() && text.chars().all(good);
        match self {
            Self::Extension => text.starts_with("x-"),
            Self::Name => all(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-')),
            Self::Anything => text.chars().any(|c| c != '\n'),
            Self::Word => all(|c| c.is_ascii_lowercase()),
            Self::ContainerName => text.as_bytes().windows(2).any(|pair| {
                let [first, second] = [pair[0], pair[1]];
                first.is_ascii_alphanumeric()
                    && (second.is_ascii_alphanumeric() || matches!(second, b'_' | b'.' | b'-'))
            }),
            Self::PullPolicy => {
                let words =
                    ["always", "never", "build", "if_not_present", "missing", "refresh", "daily", "weekly"];
                words.iter().any(|word| text.contains(word))
                    || text.match_indices("every_").any(|(at, _)| {
                        let rest = text[at + 6..].trim_start_matches(|c: char| c.is_ascii_digit());
                        rest.len() < text.len() - at - 6 && rest.starts_with(['w', 'd', 'h', 'm', 's'])
                    })
            }
        }
    }
}

/// Says everything that the schema has against a merged file.
pub(crate) fn validate(reading: &Reading<'_>, file: &Node) {
    Checking { reading, path: Vec::new() }.check(&specification().root, file, file.at);
}

struct Checking<'r, 'a> {
    reading: &'r Reading<'a>,
    path: Vec<String>,
}

impl Checking<'_, '_> {
    /// `key_at` is where the key of the node stands: an empty value stands nowhere of its own.
    fn check(&mut self, schema: &Schema, node: &Node, key_at: Spot) {
        let schema = schema.resolved();
        if !schema.one_of.is_empty() {
            let fits = |branch: &&Schema| {
                let wanted = branch.wanted();
                wanted.is_empty() || wanted.iter().any(|kind| kind.holds(&node.value))
            };
            match schema.one_of.iter().find(fits) {
                Some(branch) => self.check(branch, node, key_at),
                None => self.wrong_type(&schema.wanted(), node, key_at),
            }
            return;
        }
        if !schema.types.is_empty() && !schema.types.iter().any(|kind| kind.holds(&node.value)) {
            self.wrong_type(&schema.types, node, key_at);
            return;
        }
        match &node.value {
            Value::Map(map) => self.mapping(schema, node, map),
            Value::List(list) => self.list(schema, list),
            Value::Text(text) => self.string(schema, node, text),
            Value::Int(number) => self.number(schema, node, *number as f64),
            Value::Large(number) => self.number(schema, node, *number as f64),
            Value::Float(number) => self.number(schema, node, *number),
            _ => {}
        }
    }

    fn mapping(&mut self, schema: &Schema, node: &Node, map: &Map) {
        for key in schema.required.iter().filter(|key| !map.contains_key(*key)) {
            let message = format!("{} needs a `{key}`", self.it());
            self.reading.say(node.at, Diagnostic::error("missing-key", message));
        }
        for (key, entry) in map {
            let pattern = schema.patterns.iter().filter(|(pattern, _)| pattern.matches(key));
            let below: Vec<&Schema> =
                schema.properties.get(key).into_iter().chain(pattern.map(|(_, below)| below)).collect();
            if below.is_empty() && schema.closed {
                self.unknown_key(schema, key, entry);
            }
            self.path.push(key.clone());
            for below in below {
                self.check(below, &entry.node, entry.key_at);
            }
            self.path.pop();
        }
    }

    fn unknown_key(&self, schema: &Schema, key: &str, entry: &Entry) {
        if schema.properties.is_empty() {
            let what = match self.path.last().map(String::as_str) {
                Some("services") if self.path.len() == 1 => "service".to_owned(),
                Some(list @ ("volumes" | "networks" | "secrets" | "configs")) if self.path.len() == 1 => {
                    list.trim_end_matches('s').to_owned()
                }
                _ => "key of this mapping".to_owned(),
            };
            let message = format!("`{key}` is no name for a {what}");
            let said = Diagnostic::error("bad-name", message);
            self.reading.say(entry.key_at, said.hint("use letters, digits, `.`, `_` and `-`"));
            return;
        }
        let said = Diagnostic::error("unknown-key", format!("`{key}` is not a key of {}", self.of()));
        let known = schema.properties.keys().map(String::as_str);
        self.reading.say(
            entry.key_at,
            match closest(key, known) {
                Some(near) => said.hint(format!("did you mean `{near}`?")),
                None => said.hint("keys of your own start with `x-`"),
            },
        );
    }

    fn list(&mut self, schema: &Schema, list: &[Node]) {
        if let Some(items) = &schema.items {
            for (index, item) in list.iter().enumerate() {
                self.path.push(format!("[{index}]"));
                self.check(items, item, item.at);
                self.path.pop();
            }
        }
        if schema.unique {
            let mut seen: BTreeMap<String, Spot> = BTreeMap::new();
            for item in list {
                if let Some(before) = seen.insert(identity(item), item.at) {
                    let message = format!("{} says {} twice", self.it(), item.shown());
                    let said = Diagnostic::error("duplicate-item", message);
                    let said = said.cause(format!("it stands at {} already", self.reading.place(before)));
                    self.reading.say(item.at, said.hint("take one of them out"));
                }
            }
        }
    }

    fn string(&self, schema: &Schema, node: &Node, text: &crate::string::Str) {
        if !schema.choices.is_empty() && !schema.choices.iter().any(|choice| **choice == **text) {
            let message = format!(
                "{} must be one of {}, and is `{}`",
                self.it(),
                schema.choices.join(", "),
                text.shown()
            );
            let said = Diagnostic::error("wrong-type", message);
            let near = closest(text, schema.choices.iter().map(String::as_str)).filter(|_| text.is_plain());
            self.reading.say(
                node.at,
                match near {
                    Some(near) => said.hint(format!("did you mean `{near}`?")),
                    None => said,
                },
            );
        }
        match schema.pattern.filter(|pattern| !pattern.matches(text)) {
            Some(Pattern::ContainerName) => {
                let said =
                    Diagnostic::error("bad-name", format!("`{}` is no name for a container", text.shown()));
                self.reading.say(
                    node.at,
                    said.hint("use two or more letters, digits, `_`, `.`, `-`, a letter or digit first"),
                );
            }
            Some(_) => {
                let wanted = "one of missing, always, never, build, daily, weekly, every_DURATION";
                let message = format!("{} must be {wanted}, and is `{}`", self.it(), text.shown());
                self.reading.error(node.at, "wrong-type", message);
            }
            None => {}
        }
    }

    fn number(&self, schema: &Schema, node: &Node, number: f64) {
        let least = schema.minimum.filter(|least| number < *least).map(|least| format!("at least {least}"));
        let most = schema.maximum.filter(|most| number > *most).map(|most| format!("at most {most}"));
        if let Some(wanted) = least.or(most) {
            let message = format!("{} must be {wanted}, and is {}", self.it(), node.shown());
            self.reading.error(node.at, "wrong-type", message);
        }
    }

    fn wrong_type(&self, wanted: &[Type], node: &Node, key_at: Spot) {
        let at = if node.is_null() { key_at } else { node.at };
        // A quoted number or boolean is taken wherever the plain one is, and only the plain one is meant.
        let plain = [Type::Number, Type::Integer, Type::Boolean];
        let mut words: Vec<&str> = Vec::new();
        let quoted = wanted.iter().any(|kind| plain.contains(kind));
        for kind in wanted.iter().filter(|kind| !(quoted && **kind == Type::String)) {
            if !words.contains(&kind.said()) && !(*kind == Type::Null) {
                words.push(kind.said());
            }
        }
        const DURATIONS: [&str; 8] = [
            "interval",
            "timeout",
            "start_period",
            "start_interval",
            "stop_grace_period",
            "delay",
            "window",
            "monitor",
        ];
        let duration = self.path.last().is_some_and(|key| DURATIONS.contains(&key.as_str()));
        let wanted = match words.split_last() {
            _ if words == ["a string"] && duration => "a duration such as `30s` or `1m30s`".to_owned(),
            Some((last, rest)) if !rest.is_empty() => format!("{} or {last}", rest.join(", ")),
            _ => words.concat(),
        };
        let message = format!("{} must be {wanted}, and is {}", self.it(), node.shown());
        self.reading.error(at, "wrong-type", message);
    }

    /// The value that is looked at, for a message.
    fn it(&self) -> String {
        match self.path.iter().rev().find(|part| !part.starts_with('[')) {
            Some(key) => format!("`{key}`"),
            None => "a Compose file".to_owned(),
        }
    }

    /// The mapping that is looked at, for a message about its keys.
    fn of(&self) -> String {
        let parts: Vec<&str> =
            self.path.iter().map(String::as_str).filter(|part| !part.starts_with('[')).collect();
        match parts.as_slice() {
            [] => "a Compose file".to_owned(),
            [section @ ("services" | "networks" | "volumes" | "secrets" | "configs" | "models"), _] => {
                format!("a {}", section.trim_end_matches('s'))
            }
            [.., last] => format!("`{last}`"),
        }
    }
}

/// What makes two items of a list the same. Numbers are equal by value, and no number is equal to a string.
fn identity(node: &Node) -> String {
    match &node.value {
        Value::Int(number) => format!("n{:?}", *number as f64),
        Value::Large(number) => format!("n{:?}", *number as f64),
        Value::Float(number) => format!("n{number:?}"),
        Value::Text(text) => format!("s{:?}", &**text),
        Value::List(list) => format!("[{}]", list.iter().map(identity).collect::<Vec<_>>().join(",")),
        Value::Map(map) => {
            let mut entries: Vec<String> =
                map.iter().map(|(key, entry)| format!("{key:?}:{}", identity(&entry.node))).collect();
            entries.sort();
            format!("{{{}}}", entries.join(","))
        }
        _ => node.printed().into_text(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_word_of_the_specification_is_understood() {
        fn patterns(json: &Json) {
            match json {
                Json::Object(map) => {
                    for (key, value) in map {
                        if key == "patternProperties" {
                            for pattern in value.as_object().unwrap().keys() {
                                assert!(Pattern::of(pattern).is_some(), "{pattern}");
                            }
                        }
                        if let ("pattern", Json::String(pattern)) = (key.as_str(), value) {
                            assert!(Pattern::of(pattern).is_some(), "{pattern}");
                        }
                        assert!(!matches!(key.as_str(), "anyOf" | "allOf" | "not" | "const" | "if"), "{key}");
                        patterns(value);
                    }
                }
                Json::Array(list) => list.iter().for_each(patterns),
                _ => {}
            }
        }
        patterns(&serde_json::from_str(TEXT).unwrap());
        assert!(specification().definitions.len() > 20);
        assert_eq!(specification().root.properties.len(), 9);
    }
}
