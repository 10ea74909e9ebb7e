//! The tree every file is read into: each node knows its file, line and column.

use indexmap::IndexMap;

/// Where a node stands: an index into the list of files read, a line and a column, both from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub(crate) struct Spot {
    pub(crate) file: u16,
    pub(crate) line: u32,
    pub(crate) column: u32,
}

/// How a node behaves when it is laid over another one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Tag {
    /// It merges by the rule of its key.
    #[default]
    None,
    /// `!reset`: what it is laid over goes away.
    Reset,
    /// `!override`: it replaces what it is laid over.
    Override,
}

/// A value and where it stands.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Node {
    pub(crate) at: Spot,
    pub(crate) tag: Tag,
    pub(crate) value: Value,
}

/// What a node holds.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Value {
    Null,
    Bool(bool),
    Int(i64),
    Float(f64),
    Text(String),
    List(Vec<Node>),
    Map(Map),
}

/// A mapping, in the order it was written.
pub(crate) type Map = IndexMap<String, Entry>;

/// One entry of a mapping: where its key stands, and its value.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Entry {
    pub(crate) key_at: Spot,
    pub(crate) node: Node,
}

impl Entry {
    pub(crate) fn new(key_at: Spot, node: Node) -> Self {
        Self { key_at, node }
    }
}

impl Node {
    pub(crate) fn new(at: Spot, value: Value) -> Self {
        Self { at, tag: Tag::None, value }
    }

    pub(crate) fn text(at: Spot, text: impl Into<String>) -> Self {
        Self::new(at, Value::Text(text.into()))
    }

    pub(crate) fn is_null(&self) -> bool {
        matches!(self.value, Value::Null)
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

    pub(crate) fn get(&self, key: &str) -> Option<&Node> {
        self.as_map().and_then(|map| map.get(key)).map(|entry| &entry.node)
    }

    /// What the node is, for a message about what it should have been.
    pub(crate) fn kind(&self) -> &'static str {
        match &self.value {
            Value::Null => "empty",
            Value::Bool(_) => "a boolean",
            Value::Int(_) | Value::Float(_) => "a number",
            Value::Text(_) => "a string",
            Value::List(_) => "a list",
            Value::Map(_) => "a mapping",
        }
    }

    /// The scalar as Go's `fmt` would print it: how Compose makes strings of numbers and booleans.
    pub(crate) fn scalar(&self) -> Option<String> {
        match &self.value {
            Value::Text(text) => Some(text.clone()),
            Value::Bool(value) => Some(value.to_string()),
            Value::Int(value) => Some(value.to_string()),
            Value::Float(value) => Some(crate::scalar::go_float(*value)),
            Value::Null | Value::List(_) | Value::Map(_) => None,
        }
    }
}
