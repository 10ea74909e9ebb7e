//! Typed access to the keys of a mapping of the tree.

use std::{collections::BTreeMap, time::Duration};

use diag::Diagnostic;

use crate::{
    reading::Reading,
    string::Str,
    text::Text,
    tree::{Entry, Node, Spot, Value},
    values,
};

/// A mapping of the tree.
#[derive(Clone, Copy)]
pub(super) struct Fields<'n, 'a> {
    pub(super) reading: &'n Reading<'a>,
    pub(super) node: &'n Node,
}

impl<'n, 'a> Fields<'n, 'a> {
    pub(super) fn of(reading: &'n Reading<'a>, node: &'n Node) -> Self {
        Self { reading, node }
    }

    /// Where the value of a key stands.
    pub(super) fn at(&self, key: &str) -> Spot {
        self.node.get(key).map_or(self.node.at, |node| node.at)
    }

    /// The mapping under a key.
    pub(super) fn fields(&self, key: &str) -> Option<Self> {
        self.node.get(key).filter(|node| node.as_map().is_some()).map(|node| Self::of(self.reading, node))
    }

    /// The mappings of a list.
    pub(super) fn each(&self, key: &str) -> impl Iterator<Item = Self> + use<'n, 'a> {
        let reading = self.reading;
        self.items(key).iter().map(move |node| Self::of(reading, node))
    }

    pub(super) fn items(&self, key: &str) -> &'n [Node] {
        self.node.get(key).map(Node::items).unwrap_or_default()
    }

    pub(super) fn entries(&self, key: &str) -> impl Iterator<Item = (&'n String, &'n Entry)> + use<'n, 'a> {
        self.node.get(key).into_iter().flat_map(Node::entries)
    }

    /// A string, values of variables filled in.
    pub(super) fn string(&self, key: &str) -> Option<String> {
        self.node.get(key).and_then(|node| plain(self.reading, node, key))
    }

    /// Strings of a list.
    pub(super) fn strings(&self, key: &str) -> Vec<String> {
        self.items(key).iter().filter_map(|item| plain(self.reading, item, key)).collect()
    }

    /// A string whose values are held.
    pub(super) fn texts(&self, key: &str) -> Option<Vec<Text>> {
        let list = self.node.get(key)?.as_list()?;
        Some(list.iter().map(|item| self.reading.text(&item.printed())).collect())
    }

    /// Names and values that are held; a name alone has none.
    pub(super) fn environment(&self, key: &str) -> BTreeMap<String, Option<Text>> {
        let value = |node: &Node| node.as_str().map(|text| self.reading.text(text));
        self.entries(key).map(|(name, entry)| (name.clone(), value(&entry.node))).collect()
    }

    /// Names and values, filled in.
    pub(super) fn pairs(&self, key: &str) -> BTreeMap<String, String> {
        let value =
            |(name, entry): (&String, &Entry)| Some((name.clone(), plain(self.reading, &entry.node, key)?));
        self.entries(key).filter_map(value).collect()
    }

    pub(super) fn flag(&self, key: &str) -> bool {
        self.node.get(key).is_some_and(Node::is_true)
    }

    /// A boolean that says something also where it is false.
    pub(super) fn boolean(&self, key: &str) -> Option<bool> {
        match self.node.get(key)?.value {
            Value::Bool(is) => Some(is),
            _ => None,
        }
    }

    pub(super) fn int(&self, key: &str) -> Option<i64> {
        self.node.get(key).and_then(Node::as_int)
    }

    /// A whole number that fits where it is needed.
    pub(super) fn number<T: TryFrom<i64>>(&self, key: &str, wanted: &str) -> Option<T> {
        let node = self.node.get(key)?;
        let number = T::try_from(node.as_int()?).ok();
        if number.is_none() {
            self.cannot(key, wanted);
        }
        number
    }

    pub(super) fn float(&self, key: &str) -> Option<f64> {
        match self.node.get(key)?.value {
            Value::Float(number) => Some(number),
            _ => None,
        }
    }

    /// A size in bytes, which is printed as a string.
    pub(super) fn bytes(&self, key: &str) -> Option<i64> {
        self.node.str(key)?.parse().ok()
    }

    pub(super) fn size(&self, key: &str) -> Option<u64> {
        let bytes = self.bytes(key)?;
        if bytes < 0 {
            self.cannot(key, "a size that is not negative");
        }
        u64::try_from(bytes).ok()
    }

    pub(super) fn duration(&self, key: &str) -> Option<Duration> {
        let nanoseconds = values::duration(self.node.str(key)?)?;
        if nanoseconds < 0 {
            self.cannot(key, "a duration that is not negative");
        }
        u64::try_from(nanoseconds).ok().map(Duration::from_nanos)
    }

    /// What `read` makes of a string; where it makes nothing, the value is said not to be `wanted`.
    pub(super) fn read<T>(&self, key: &str, wanted: &str, read: impl FnOnce(&str) -> Option<T>) -> Option<T> {
        let text = self.string(key)?;
        let value = read(&text);
        if value.is_none() {
            self.cannot(key, wanted);
        }
        value
    }

    /// Says that a value cannot be used, though Compose takes it.
    pub(super) fn cannot(&self, key: &str, wanted: &str) {
        if let Some(node) = self.node.get(key) {
            cannot(self.reading, node, key, wanted);
        }
    }
}

/// Says that a value should be something else, for it to be run.
pub(super) fn cannot(reading: &Reading<'_>, node: &Node, key: &str, wanted: &str) {
    let message = format!("`{key}` must be {wanted}, and is {}", node.shown());
    reading.note(node.at, Diagnostic::error("wrong-type", message));
}

/// A string, values of variables filled in.
pub(super) fn plain(reading: &Reading<'_>, node: &Node, key: &str) -> Option<String> {
    let text: &Str = node.as_str()?;
    if let Some(secret) = text.first_secret() {
        let said = Diagnostic::error("secret-in-structure", in_structure(secret, &format!("`{key}`")));
        reading.note(node.at, said.hint("give it as a Compose secret: a file under /run/secrets"));
        return None;
    }
    Some(text.to_string())
}

/// What to say where a secret stands in a field that is not kept from sight.
pub(crate) fn in_structure(secret: &str, field: &str) -> String {
    format!("`${{{secret}}}` is a secret of `[secret]`, and cannot be part of {field}")
}
