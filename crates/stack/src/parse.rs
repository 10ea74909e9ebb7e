//! Bytes to a tree in which every node knows its place; whatever is wrong with the text is said here.

use std::collections::BTreeMap;

use diag::Diagnostic;
use granit_parser::{Event, Parser, ScalarStyle};

use crate::{
    reading::{Reading, is_marker},
    scalar,
    tree::{Entry, Map, Node, Spot, Tag, Value},
};

/// Largest file that is read: ten times the largest public Compose file we know.
const MAX_BYTES: usize = 4 * 1024 * 1024;
/// Deepest nesting: Compose's own deepest key is 8 levels down.
const MAX_DEPTH: usize = 64;
/// Nodes that aliases may add to what was written.
const MAX_ALIAS_NODES: usize = 100_000;
/// A long string counts for as many nodes as would take its memory.
const BYTES_A_NODE: usize = 64;

/// Reads the documents of a Compose file. What cannot be read is said and left out.
pub(crate) fn parse(reading: &Reading<'_>, name: &str, bytes: &[u8]) -> Vec<Node> {
    let file = reading.source(name);
    let Some(text) = text(reading, file, bytes) else { return Vec::new() };
    let mut builder =
        Builder { reading, stack: Vec::new(), anchors: BTreeMap::new(), alias_nodes: 0, done: Vec::new() };
    for event in Parser::new_from_str(text) {
        let step = match event {
            Ok((event, span)) => {
                let at = spot(file, &span.start);
                builder.take(event, at)
            }
            Err(error) => {
                let at = spot(file, error.marker());
                reading.say(at, syntax_error(&error.info(), line_of(text, at.line)));
                Err(Halt)
            }
        };
        if step.is_err() {
            break;
        }
    }
    builder.done
}

/// The rest of the file is not worth reading: the reason was said.
struct Halt;

fn spot(file: u16, marker: &granit_parser::Marker) -> Spot {
    let number = |value: usize| u32::try_from(value).unwrap_or(u32::MAX);
    Spot { file, line: number(marker.line()).max(1), column: number(marker.col()).saturating_add(1) }
}

fn line_of(text: &str, line: u32) -> &str {
    text.lines().nth(line.saturating_sub(1) as usize).unwrap_or_default()
}

fn syntax_error(info: &str, line: &str) -> Diagnostic {
    if info.contains("recursion limit") {
        return Diagnostic::error("too-deep", "lists and mappings are nested too deeply")
            .hint("is this really a Compose file?");
    }
    let said = Diagnostic::error("bad-yaml", "this is not YAML").cause(info.to_owned());
    if line.contains('\t') {
        said.hint("YAML is indented with spaces: replace the tab")
    } else {
        said.hint("look at the indentation, the quotes and the brackets just before this place")
    }
}

/// The bytes as text, without a byte order mark.
fn text<'b>(reading: &Reading<'_>, file: u16, bytes: &'b [u8]) -> Option<&'b str> {
    let start = Spot { file, line: 1, column: 1 };
    if bytes.len() > MAX_BYTES {
        let message = format!("the file has {} bytes, and at most {MAX_BYTES} are read", bytes.len());
        reading.say(start, Diagnostic::error("too-large", message).hint("is this really a Compose file?"));
        return None;
    }
    if bytes.starts_with(&[0xFF, 0xFE]) || bytes.starts_with(&[0xFE, 0xFF]) {
        let said = Diagnostic::error("not-text", "the file is UTF-16, and Compose files are UTF-8");
        reading.say(start, said.hint("save it as UTF-8"));
        return None;
    }
    let (valid, rest) = match std::str::from_utf8(bytes) {
        Ok(text) => (text, None),
        Err(error) => {
            let (valid, rest) = bytes.split_at(error.valid_up_to());
            (std::str::from_utf8(valid).unwrap_or_default(), rest.first())
        }
    };
    let stray = valid.char_indices().find(|(_, c)| *c == '\0' || is_marker(*c));
    let (up_to, what) = match (stray, rest) {
        (None, None) => return Some(valid.strip_prefix('\u{FEFF}').unwrap_or(valid)),
        (Some((index, c)), _) => (&valid[..index], format!("the character U+{:04X}", u32::from(c))),
        (None, Some(byte)) => (valid, format!("the byte 0x{byte:02X}, which is not UTF-8")),
    };
    let line = up_to.matches('\n').count() + 1;
    let column = up_to.rsplit('\n').next().map_or(0, |last| last.chars().count()) + 1;
    let at = Spot {
        file,
        line: u32::try_from(line).unwrap_or(u32::MAX),
        column: u32::try_from(column).unwrap_or(u32::MAX),
    };
    let said = Diagnostic::error("not-text", format!("the file is not text: it holds {what}"));
    reading.say(at, said.hint("is this really a Compose file? it must be UTF-8 text"));
    None
}

/// A collection that is being filled.
struct Open {
    node: Node,
    anchor: usize,
    /// The key that waits for its value.
    key: Option<(Spot, Option<String>)>,
    /// Values of `<<`, in order.
    merges: Vec<Node>,
    /// Nodes in it so far, itself included.
    size: usize,
}

struct Builder<'r, 'a> {
    reading: &'r Reading<'a>,
    stack: Vec<Open>,
    /// Finished anchored nodes by anchor id, with their number of nodes.
    anchors: BTreeMap<usize, (Node, usize)>,
    alias_nodes: usize,
    done: Vec<Node>,
}

impl Builder<'_, '_> {
    fn take(&mut self, event: Event<'_>, at: Spot) -> Result<(), Halt> {
        match event {
            Event::Scalar(text, style, anchor, tag) => {
                let value = match (style, tag.as_ref().and_then(|tag| tag.core_suffix())) {
                    (ScalarStyle::Plain, None) => scalar::resolve(&text),
                    (_, Some("str") | None) => Value::Text(text.into_owned()),
                    (_, Some(_)) => scalar::resolve(&text),
                };
                let tag = self.tag(tag.as_deref(), at);
                let size = match &value {
                    Value::Text(text) => 1 + text.len() / BYTES_A_NODE,
                    _ => 1,
                };
                self.finish(Node { at, tag, value }, anchor, size)
            }
            Event::SequenceStart(_, anchor, tag) => {
                let tag = self.tag(tag.as_deref(), at);
                self.open(Node { at, tag, value: Value::List(Vec::new()) }, anchor)
            }
            Event::MappingStart(_, anchor, tag) => {
                let tag = self.tag(tag.as_deref(), at);
                self.open(Node { at, tag, value: Value::Map(Map::new()) }, anchor)
            }
            Event::SequenceEnd | Event::MappingEnd => match self.stack.pop() {
                Some(open) => {
                    let (anchor, size) = (open.anchor, open.size);
                    let node = merged(self.reading, open);
                    self.finish(node, anchor, size)
                }
                None => Ok(()),
            },
            Event::Alias(id) => self.alias(id, at),
            Event::DocumentStart(..) => {
                self.anchors.clear();
                Ok(())
            }
            _ => Ok(()),
        }
    }

    fn tag(&self, tag: Option<&granit_parser::Tag>, at: Spot) -> Tag {
        match tag.map(granit_parser::Tag::parts) {
            Some(("!", "reset")) => Tag::Reset,
            Some(("!", "override")) => Tag::Override,
            Some((handle, suffix)) if tag.is_some_and(granit_parser::Tag::is_custom) => {
                let message = format!("the tag `{handle}{suffix}` means nothing to Compose");
                let said = Diagnostic::error("unknown-tag", message);
                self.reading.say(at, said.hint("Compose knows `!reset` and `!override`"));
                Tag::None
            }
            _ => Tag::None,
        }
    }

    fn open(&mut self, node: Node, anchor: usize) -> Result<(), Halt> {
        if self.stack.len() >= MAX_DEPTH {
            let message = format!("this is nested more than {MAX_DEPTH} levels deep");
            self.reading.error(node.at, "too-deep", message);
            return Err(Halt);
        }
        self.stack.push(Open { node, anchor, key: None, merges: Vec::new(), size: 1 });
        Ok(())
    }

    fn alias(&mut self, id: usize, at: Spot) -> Result<(), Halt> {
        let Some((node, size)) = self.anchors.get(&id) else {
            self.reading.error(at, "alias-cycle", "this alias stands inside what it stands for");
            return Err(Halt);
        };
        self.alias_nodes += size;
        if self.alias_nodes > MAX_ALIAS_NODES {
            let message =
                format!("the aliases of this file make it larger by more than {MAX_ALIAS_NODES} nodes");
            self.reading.say(at, Diagnostic::error("alias-bomb", message).hint("write out what is meant"));
            return Err(Halt);
        }
        let (node, size) = (node.clone(), *size);
        self.finish(node, 0, size)
    }

    /// Puts a finished node where it belongs: into its parent, or among the documents.
    fn finish(&mut self, node: Node, anchor: usize, size: usize) -> Result<(), Halt> {
        if anchor > 0 {
            self.anchors.insert(anchor, (node.clone(), size));
        }
        let Some(parent) = self.stack.last_mut() else {
            self.done.push(node);
            return Ok(());
        };
        parent.size += size;
        match &mut parent.node.value {
            Value::List(list) => list.push(node),
            Value::Map(map) => match parent.key.take() {
                None => parent.key = Some((node.at, key(self.reading, &node))),
                Some((_, Some(name))) if name == "<<" && !map.contains_key("<<") => parent.merges.push(node),
                Some((key_at, Some(name))) => insert(self.reading, map, key_at, name, node),
                Some((_, None)) => {}
            },
            _ => {}
        }
        Ok(())
    }
}

/// The text of a key; anything but a string is said to be wrong.
fn key(reading: &Reading<'_>, node: &Node) -> Option<String> {
    match &node.value {
        Value::Text(text) => Some(text.clone()),
        _ => {
            let said = Diagnostic::error(
                "wrong-type",
                format!("a key must be a string, and this is {}", node.kind()),
            );
            reading.say(node.at, said.hint("put it in quotes"));
            None
        }
    }
}

fn insert(reading: &Reading<'_>, map: &mut Map, key_at: Spot, name: String, node: Node) {
    if let Some(before) = map.get(&name) {
        let said = Diagnostic::error("duplicate-key", format!("the key `{name}` stands here twice"));
        reading.say(key_at, said.cause(format!("it stands at {} already", reading.place(before.key_at))));
        return;
    }
    map.insert(name, Entry::new(key_at, node));
}

/// A closed collection with its `<<` merged in: what is written beside a merge key wins, then the first merged.
fn merged(reading: &Reading<'_>, open: Open) -> Node {
    let mut node = open.node;
    let sources = open.merges.into_iter().flat_map(|source| match source.value {
        Value::List(list) => list,
        _ => vec![source],
    });
    for source in sources {
        let at = source.at;
        match (source.value, &mut node.value) {
            (Value::Map(from), Value::Map(into)) => {
                for (name, entry) in from {
                    into.entry(name).or_insert(entry);
                }
            }
            _ => reading.error(at, "wrong-type", "`<<` takes a mapping or a list of mappings"),
        }
    }
    node
}
