//! The tree every file is read into: each node knows its file, line and column.

use indexmap::IndexMap;

use crate::{scalar::go_float, string::Str};

/// Where a node stands: an index into the list of files read, a line and a column, both from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub(crate) struct Spot {
    pub(crate) file: u16,
    pub(crate) line: u32,
    pub(crate) column: u32,
}

/// A value and where it stands.
#[derive(Debug, Clone)]
pub(crate) struct Node {
    pub(crate) at: Spot,
    pub(crate) value: Value,
}

/// What a node holds.
#[derive(Debug, Clone)]
pub(crate) enum Value {
    Null,
    Bool(bool),
    Int(i64),
    /// A whole number that is too large for the one above.
    Large(u64),
    Float(f64),
    /// A date, which is a type of its own to YAML and of no use to Compose: as RFC 3339.
    Time(String),
    Text(Str),
    List(Vec<Node>),
    Map(Map),
}

/// A mapping, in the order it was written.
pub(crate) type Map = IndexMap<String, Entry>;

/// One entry of a mapping: where its key stands, and its value.
#[derive(Debug, Clone)]
pub(crate) struct Entry {
    pub(crate) key_at: Spot,
    pub(crate) node: Node,
}

impl Entry {
    pub(crate) fn new(key_at: Spot, node: Node) -> Self {
        Self { key_at, node }
    }

    /// An entry whose key stands where its value does.
    pub(crate) fn at(node: Node) -> Self {
        Self { key_at: node.at, node }
    }
}

impl Node {
    pub(crate) fn new(at: Spot, value: Value) -> Self {
        Self { at, value }
    }

    pub(crate) fn text(at: Spot, text: impl Into<Str>) -> Self {
        Self::new(at, Value::Text(text.into()))
    }

    /// A mapping of entries that all stand at one place.
    pub(crate) fn map<'k>(at: Spot, entries: impl IntoIterator<Item = (&'k str, Value)>) -> Self {
        let entries =
            entries.into_iter().map(|(key, value)| (key.to_owned(), Entry::at(Self::new(at, value))));
        Self::new(at, Value::Map(entries.collect()))
    }

    pub(crate) fn is_null(&self) -> bool {
        matches!(self.value, Value::Null)
    }

    pub(crate) fn as_str(&self) -> Option<&Str> {
        match &self.value {
            Value::Text(text) => Some(text),
            _ => None,
        }
    }

    pub(crate) fn as_int(&self) -> Option<i64> {
        match self.value {
            Value::Int(number) => Some(number),
            _ => None,
        }
    }

    pub(crate) fn is_true(&self) -> bool {
        matches!(self.value, Value::Bool(true))
    }

    pub(crate) fn as_map(&self) -> Option<&Map> {
        match &self.value {
            Value::Map(map) => Some(map),
            _ => None,
        }
    }

    pub(crate) fn as_map_mut(&mut self) -> Option<&mut Map> {
        match &mut self.value {
            Value::Map(map) => Some(map),
            _ => None,
        }
    }

    pub(crate) fn as_list(&self) -> Option<&[Node]> {
        match &self.value {
            Value::List(list) => Some(list),
            _ => None,
        }
    }

    /// The items of a list; of anything else none.
    pub(crate) fn items(&self) -> &[Node] {
        self.as_list().unwrap_or_default()
    }

    /// The entries of a mapping; of anything else none.
    pub(crate) fn entries(&self) -> impl Iterator<Item = (&String, &Entry)> {
        self.as_map().into_iter().flatten()
    }

    pub(crate) fn get(&self, key: &str) -> Option<&Node> {
        self.entry(key).map(|entry| &entry.node)
    }

    pub(crate) fn entry(&self, key: &str) -> Option<&Entry> {
        self.as_map().and_then(|map| map.get(key))
    }

    pub(crate) fn get_mut(&mut self, key: &str) -> Option<&mut Node> {
        self.as_map_mut().and_then(|map| map.get_mut(key)).map(|entry| &mut entry.node)
    }

    /// The string under a key.
    pub(crate) fn str(&self, key: &str) -> Option<&Str> {
        self.get(key).and_then(Node::as_str)
    }

    /// What the node is, for a message about what it should have been.
    pub(crate) fn kind(&self) -> &'static str {
        match &self.value {
            Value::Null => "empty",
            Value::Bool(_) => "a boolean",
            Value::Int(_) | Value::Large(_) | Value::Float(_) => "a number",
            Value::Time(_) => "a date",
            Value::Text(_) => "a string",
            Value::List(_) => "a list",
            Value::Map(_) => "a mapping",
        }
    }

    /// What the node is or says, for the same purpose.
    pub(crate) fn shown(&self) -> String {
        match &self.value {
            Value::Text(text) => format!("`{}`", text.shown()),
            Value::Bool(_) | Value::Int(_) | Value::Large(_) | Value::Float(_) => {
                format!("`{}`", &*self.printed())
            }
            _ => self.kind().to_owned(),
        }
    }

    /// The node as Go's `fmt` prints it: how Compose makes strings of numbers and booleans.
    pub(crate) fn printed(&self) -> Str {
        match &self.value {
            Value::Null => "<nil>".into(),
            Value::Bool(value) => value.to_string().into(),
            Value::Int(value) => value.to_string().into(),
            Value::Large(value) => value.to_string().into(),
            Value::Float(value) => go_float(*value).into(),
            Value::Time(time) => time.replace('T', " ").replace('Z', " +0000 UTC").into(),
            Value::Text(text) => text.clone(),
            Value::List(list) => {
                let items: Vec<Str> = list.iter().map(Node::printed).collect();
                surrounded("[", &items)
            }
            Value::Map(map) => {
                let mut entries: Vec<(&String, &Entry)> = map.iter().collect();
                entries.sort_by_key(|(key, _)| *key);
                let pairs: Vec<Str> = entries
                    .into_iter()
                    .map(|(key, entry)| Str::after(&format!("{key}:"), &entry.node.printed()))
                    .collect();
                surrounded("map[", &pairs)
            }
        }
    }
}

fn surrounded(open: &str, items: &[Str]) -> Str {
    let mut whole = Str::from(open);
    for (index, item) in items.iter().enumerate() {
        if index > 0 {
            whole.push_str(" ");
        }
        whole.append(item);
    }
    whole.push_str("]");
    whole
}

/// Whether two nodes say the same, wherever they stand.
impl PartialEq for Node {
    fn eq(&self, other: &Self) -> bool {
        match (&self.value, &other.value) {
            (Value::Null, Value::Null) => true,
            (Value::Bool(a), Value::Bool(b)) => a == b,
            (Value::Int(a), Value::Int(b)) => a == b,
            (Value::Large(a), Value::Large(b)) => a == b,
            (Value::Float(a), Value::Float(b)) => a == b,
            (Value::Time(a), Value::Time(b)) => a == b,
            (Value::Text(a), Value::Text(b)) => a == b,
            (Value::List(a), Value::List(b)) => a == b,
            (Value::Map(a), Value::Map(b)) => {
                a.len() == b.len()
                    && a.iter().all(|(key, entry)| b.get(key).is_some_and(|other| entry.node == other.node))
            }
            _ => false,
        }
    }
}
