//! Bytes to a tree in which every node knows its place; whatever is wrong with the text is said here.

use std::collections::BTreeMap;

use diag::Diagnostic;
use granit_parser::{Event, Parser, ScalarStyle};

use crate::{
    reading::Reading,
    scalar,
    tree::{Entry, Map, Node, Spot, Value},
};

/// Largest file that is read: thirty times the largest public Compose file we know.
const MAX_BYTES: usize = 12 * 1024 * 1024;
/// Deepest nesting: Compose's own deepest key is 8 levels down.
const MAX_DEPTH: usize = 64;
/// Nodes that aliases may add to what was written.
const MAX_ALIAS_NODES: usize = 100_000;
/// A long string counts for as many nodes as would take its memory.
const BYTES_A_NODE: usize = 64;

/// One document of a file.
#[derive(Debug, Clone)]
pub(crate) struct Document {
    /// What stands in it, without what `!reset` marks.
    pub(crate) node: Node,
    /// Where `!reset` and `!override` stand in it: what they are laid over goes away first.
    pub(crate) resets: Vec<Vec<String>>,
}

/// Reads the documents of a Compose file. What cannot be read is said and left out.
pub(crate) fn parse(reading: &Reading<'_>, name: &str, bytes: &[u8]) -> Vec<Document> {
    let file = reading.source(name);
    let Some(text) = text(reading, file, bytes) else { return Vec::new() };
    let mut builder = Builder {
        reading,
        stack: Vec::new(),
        anchors: BTreeMap::new(),
        alias_nodes: 0,
        plain: false,
        resets: Vec::new(),
        done: Vec::new(),
    };
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
    let stray = valid.char_indices().find(|(_, c)| *c == '\0');
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

/// What a tag says of a node that is laid over another one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Tag {
    None,
    /// `!reset`: what it is laid over goes away, and it itself.
    Reset,
    /// `!override`: it replaces what it is laid over.
    Override,
}

/// A collection that is being filled.
struct Open {
    node: Node,
    tag: Tag,
    anchor: usize,
    /// The key that waits for its value is `<<`, and not in quotes.
    merging: bool,
    /// The key that waits for its value.
    key: Option<(Spot, Option<String>)>,
    /// Every key that was written, also those that left no entry.
    keys: BTreeMap<String, Spot>,
    /// Values of `<<`, in order.
    merges: Vec<Node>,
    /// Nodes in it so far, itself included.
    size: usize,
    /// How many paths were taken down when it began.
    resets: usize,
}

/// What an alias stands for.
#[derive(Clone)]
struct Anchored {
    node: Node,
    tag: Tag,
    size: usize,
    /// Where `!override` stands below it.
    overrides: Vec<Vec<String>>,
}

struct Builder<'r, 'a> {
    reading: &'r Reading<'a>,
    stack: Vec<Open>,
    anchors: BTreeMap<usize, Anchored>,
    alias_nodes: usize,
    /// The scalar that was just read stands without quotes.
    plain: bool,
    resets: Vec<(Vec<String>, Tag)>,
    done: Vec<Document>,
}

impl Builder<'_, '_> {
    fn take(&mut self, event: Event<'_>, at: Spot) -> Result<(), Halt> {
        match event {
            Event::Scalar(text, style, anchor, tag) => {
                self.plain = style == ScalarStyle::Plain;
                let custom = tag.as_ref().is_some_and(|tag| tag.is_custom());
                let value = match (style, tag.as_ref().and_then(|tag| tag.core_suffix())) {
                    (ScalarStyle::Plain, None) if !custom => scalar::resolve(&text),
                    (_, Some("str") | None) => Value::Text(text.into_owned().into()),
                    (_, Some(kind)) => scalar::tagged(kind, &text).unwrap_or_else(|| {
                        let message = format!("this is no value of the type `!!{kind}`");
                        self.reading.error(at, "wrong-type", message);
                        Value::Text(text.into_owned().into())
                    }),
                };
                let size = 1 + match &value {
                    Value::Text(text) => text.len() / BYTES_A_NODE,
                    _ => 0,
                };
                let tag = tag_of(tag.as_deref());
                self.finish(Anchored { node: Node { at, value }, tag, size, overrides: Vec::new() }, anchor)
            }
            Event::SequenceStart(_, anchor, tag) => {
                self.open(Node { at, value: Value::List(Vec::new()) }, tag_of(tag.as_deref()), anchor)
            }
            Event::MappingStart(_, anchor, tag) => {
                self.open(Node { at, value: Value::Map(Map::new()) }, tag_of(tag.as_deref()), anchor)
            }
            Event::SequenceEnd | Event::MappingEnd => match self.stack.pop() {
                Some(open) => {
                    let (anchor, size, tag) = (open.anchor, open.size, open.tag);
                    let depth = self.path().len();
                    let below = self.resets[open.resets..].iter();
                    let overrides = below
                        .filter(|(_, tag)| *tag == Tag::Override)
                        .map(|(path, _)| path.get(depth..).unwrap_or_default().to_vec())
                        .collect();
                    let node = merged(self.reading, open);
                    self.finish(Anchored { node, tag, size, overrides }, anchor)
                }
                None => Ok(()),
            },
            Event::Alias(id) => self.alias(id, at),
            Event::DocumentStart(..) => {
                self.anchors.clear();
                self.resets.clear();
                Ok(())
            }
            _ => Ok(()),
        }
    }

    fn open(&mut self, node: Node, tag: Tag, anchor: usize) -> Result<(), Halt> {
        if self.stack.len() >= MAX_DEPTH {
            let message = format!("this is nested more than {MAX_DEPTH} levels deep");
            self.reading.error(node.at, "too-deep", message);
            return Err(Halt);
        }
        self.stack.push(Open {
            node,
            tag,
            anchor,
            merging: false,
            key: None,
            keys: BTreeMap::new(),
            merges: Vec::new(),
            size: 1,
            resets: self.resets.len(),
        });
        Ok(())
    }

    fn alias(&mut self, id: usize, at: Spot) -> Result<(), Halt> {
        let Some(anchored) = self.anchors.get(&id) else {
            self.reading.error(at, "alias-cycle", "this alias stands inside what it stands for");
            return Err(Halt);
        };
        self.alias_nodes += anchored.size;
        if self.alias_nodes > MAX_ALIAS_NODES {
            let message =
                format!("the aliases of this file make it larger by more than {MAX_ALIAS_NODES} nodes");
            self.reading.say(at, Diagnostic::error("alias-bomb", message).hint("write out what is meant"));
            return Err(Halt);
        }
        let anchored = anchored.clone();
        if !self.overridden() {
            let path = self.path();
            for below in &anchored.overrides {
                self.resets.push((path.iter().chain(below).cloned().collect(), Tag::Override));
            }
        }
        self.finish(anchored, 0)
    }

    /// True inside something that `!override` marks: tags in there mean nothing.
    fn overridden(&self) -> bool {
        self.stack.iter().any(|open| open.tag == Tag::Override)
    }

    /// The path of the node that comes next. What is merged in stands where it is merged.
    fn path(&self) -> Vec<String> {
        let mut path = Vec::with_capacity(self.stack.len());
        for open in &self.stack {
            match (&open.node.value, &open.key) {
                (Value::List(list), _) => path.push(list.len().to_string()),
                (_, Some((_, Some(key)))) if key != "<<" || path.is_empty() => path.push(key.clone()),
                _ => {}
            }
        }
        path
    }

    /// Puts a finished node where it belongs: into its parent, or among the documents.
    fn finish(&mut self, finished: Anchored, anchor: usize) -> Result<(), Halt> {
        let marked = finished.tag != Tag::None && !self.overridden();
        if marked && self.stack.last().is_none_or(|parent| !waits_for_key(parent)) {
            self.resets.push((self.path(), finished.tag));
        }
        if anchor > 0 {
            self.anchors.insert(anchor, finished.clone());
        }
        let Anchored { node, tag, size, .. } = finished;
        let gone = marked && tag == Tag::Reset;
        let Some(parent) = self.stack.last_mut() else {
            let resets = std::mem::take(&mut self.resets).into_iter().map(|(path, _)| path).collect();
            self.done.push(Document { node, resets });
            return Ok(());
        };
        parent.size += size;
        match &mut parent.node.value {
            Value::List(list) => list.extend((!gone).then_some(node)),
            Value::Map(map) => match parent.key.take() {
                None => {
                    parent.key = Some((node.at, key(self.reading, &node)));
                    parent.merging = self.plain;
                }
                Some((_, None)) => {}
                Some((key_at, Some(name))) => {
                    if let Some(before) = parent.keys.insert(name.clone(), key_at) {
                        duplicate(self.reading, before, key_at, &name);
                    } else if name == "<<" && parent.merging {
                        parent.merges.extend((!gone).then_some(node));
                    } else if !gone {
                        map.insert(name, Entry::new(key_at, node));
                    }
                }
            },
            _ => {}
        }
        Ok(())
    }
}

fn waits_for_key(open: &Open) -> bool {
    matches!(open.node.value, Value::Map(_)) && open.key.is_none()
}

fn tag_of(tag: Option<&granit_parser::Tag>) -> Tag {
    match tag.map(granit_parser::Tag::parts) {
        Some(("!", "reset")) => Tag::Reset,
        Some(("!", "override")) => Tag::Override,
        // Others mean nothing, and are no mistake to the reference.
        _ => Tag::None,
    }
}

/// The text of a key; anything but a string is said to be wrong.
fn key(reading: &Reading<'_>, node: &Node) -> Option<String> {
    match &node.value {
        Value::Text(text) => Some(text.to_string()),
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

fn duplicate(reading: &Reading<'_>, before: Spot, at: Spot, name: &str) {
    let said = Diagnostic::error("duplicate-key", format!("the key `{name}` stands here twice"));
    let said = said.cause(format!("it stands at {} already", reading.place(before)));
    reading.say(at, said.hint("keep one of the two"));
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
