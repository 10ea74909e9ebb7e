//! Typed access to the fields of a mapping: what has the wrong type is said, with its place, and left out.

use std::{collections::BTreeMap, time::Duration};

use diag::Diagnostic;

use crate::{
    keys::{self, Keys},
    normalise::in_structure,
    reading::Reading,
    text::Text,
    tree::{Map, Node, Value},
    values,
};

/// A mapping whose keys were checked.
#[derive(Clone, Copy)]
pub(crate) struct Fields<'n, 'a> {
    pub(crate) reading: &'n Reading<'a>,
    pub(crate) node: &'n Node,
    map: Option<&'n Map>,
}

impl<'n, 'a> Fields<'n, 'a> {
    /// The fields of `node`, which must be a mapping with these keys or empty.
    pub(crate) fn of(reading: &'n Reading<'a>, node: &'n Node, keys: &Keys) -> Self {
        if !node.is_null() && node.as_map().is_none() {
            wrong(reading, node, keys.of, "a mapping");
        }
        keys::check(reading, keys, node);
        Self { reading, node, map: node.as_map() }
    }

    /// The value of a key, unless it is empty.
    pub(crate) fn node(&self, key: &str) -> Option<&'n Node> {
        self.map?.get(key).map(|entry| &entry.node).filter(|node| !node.is_null())
    }

    /// The fields below a key.
    pub(crate) fn fields(&self, key: &str, keys: &Keys) -> Option<Self> {
        self.node(key).map(|node| Self::of(self.reading, node, keys))
    }

    /// The entries of the mapping below a key.
    pub(crate) fn entries(&self, key: &str) -> Vec<(&'n str, &'n crate::tree::Entry)> {
        let Some(node) = self.node(key) else { return Vec::new() };
        match node.as_map() {
            Some(map) => map.iter().map(|(name, entry)| (name.as_str(), entry)).collect(),
            None => {
                wrong(self.reading, node, key, "a mapping");
                Vec::new()
            }
        }
    }

    /// The items of the list below a key.
    pub(crate) fn items(&self, key: &str) -> &'n [Node] {
        let Some(node) = self.node(key) else { return &[] };
        node.as_list().unwrap_or_else(|| {
            wrong(self.reading, node, key, "a list");
            &[]
        })
    }

    /// A string, values of variables filled in.
    pub(crate) fn string(&self, key: &str) -> Option<String> {
        self.word(self.node(key)?, key)
    }

    /// A string; a number or a boolean is none here, as under Compose.
    fn word(&self, node: &Node, key: &str) -> Option<String> {
        match node.value {
            Value::Text(_) => plain(self.reading, node, key),
            _ => {
                wrong(self.reading, node, key, "a string");
                None
            }
        }
    }

    /// Strings of a list, values filled in.
    pub(crate) fn strings(&self, key: &str) -> Vec<String> {
        self.items(key).iter().filter_map(|item| self.word(item, key)).collect()
    }

    /// Texts of a list, values held.
    pub(crate) fn texts(&self, key: &str) -> Option<Vec<Text>> {
        self.node(key)?;
        let text = |item: &Node| match &item.value {
            Value::Text(text) => Some(self.reading.text(text)),
            _ => {
                wrong(self.reading, item, key, "a string");
                None
            }
        };
        Some(self.items(key).iter().filter_map(text).collect())
    }

    /// Name and value of each entry of a mapping, values filled in; an empty one becomes an empty string.
    pub(crate) fn pairs(&self, key: &str) -> BTreeMap<String, String> {
        let entries = self.entries(key).into_iter();
        entries
            .filter_map(|(name, entry)| match entry.node.is_null() {
                true => Some((name.to_owned(), String::new())),
                false => Some((name.to_owned(), plain(self.reading, &entry.node, key)?)),
            })
            .collect()
    }

    /// A boolean; also as a word, as Compose takes it after interpolation.
    pub(crate) fn boolean(&self, key: &str) -> Option<bool> {
        let node = self.node(key)?;
        if let Value::Bool(value) = node.value {
            return Some(value);
        }
        let word = match &node.value {
            Value::Text(text) => self.reading.plain(text).ok()?.to_ascii_lowercase(),
            _ => String::new(),
        };
        match word.as_str() {
            "true" | "t" | "yes" | "y" | "on" | "1" => Some(true),
            "false" | "f" | "no" | "n" | "off" | "0" => Some(false),
            _ => {
                wrong(self.reading, node, key, "true or false");
                None
            }
        }
    }

    /// What `read` makes of a scalar; where it makes nothing, the value is said not to be `wanted`.
    pub(crate) fn read<T>(&self, key: &str, wanted: &str, read: impl FnOnce(&str) -> Option<T>) -> Option<T> {
        let node = self.node(key)?;
        let value = node.scalar().and_then(|scalar| read(&self.reading.plain(&scalar).ok()?));
        if value.is_none() {
            wrong(self.reading, node, key, wanted);
        }
        value
    }

    /// A number.
    pub(crate) fn number<T: std::str::FromStr>(&self, key: &str) -> Option<T> {
        self.read(key, "a number", |text| text.parse().ok())
    }

    /// A duration.
    pub(crate) fn duration(&self, key: &str) -> Option<Duration> {
        self.read(key, "a duration such as `30s` or `1m30s`", values::duration)
    }

    /// A size in bytes.
    pub(crate) fn bytes(&self, key: &str) -> Option<u64> {
        self.read(key, "a size such as `512m` or `2g`", values::bytes)
    }

    /// Thousandths of a CPU.
    pub(crate) fn cpu_millis(&self, key: &str) -> Option<u64> {
        self.read(key, "a number of CPUs such as `0.5`", |text| {
            let cpus: f64 = text.parse().ok()?;
            (0.0..1e6).contains(&cpus).then_some((cpus * 1000.0).round() as u64)
        })
    }
}

/// Says that `key` should be something else than it is.
pub(crate) fn wrong(reading: &Reading<'_>, node: &Node, key: &str, wanted: &str) {
    let name = if key.contains([' ', '`']) { key.to_owned() } else { format!("`{key}`") };
    let is = match node.scalar() {
        Some(scalar) => format!("`{}`", reading.shown(&scalar)),
        None => node.kind().to_owned(),
    };
    reading.say(node.at, Diagnostic::error("wrong-type", format!("{name} must be {wanted}, and is {is}")));
}

/// A scalar as a string, values of variables filled in.
pub(crate) fn plain(reading: &Reading<'_>, node: &Node, key: &str) -> Option<String> {
    let Some(scalar) = node.scalar() else {
        wrong(reading, node, key, "a string");
        return None;
    };
    match reading.plain(&scalar) {
        Ok(text) => Some(text),
        Err(secret) => {
            let said = Diagnostic::error("secret-in-structure", in_structure(&secret, &format!("`{key}`")));
            reading.say(node.at, said.hint("give it as a Compose secret: a file under /run/secrets"));
            None
        }
    }
}

/// A scalar as a text, values of variables held.
pub(crate) fn text(reading: &Reading<'_>, node: &Node, key: &str) -> Option<Text> {
    let scalar = node.scalar();
    if scalar.is_none() {
        wrong(reading, node, key, "a string");
    }
    scalar.map(|scalar| reading.text(&scalar))
}
