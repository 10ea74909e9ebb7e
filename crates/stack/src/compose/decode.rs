//! Each value to the type its key has: the tree as the reference's model prints it. What is nothing is left out.

use diag::Diagnostic;

use super::{
    interpolate::boolean,
    model::{Field, Kind, Names, PROJECT, Printed},
    normalize::SECRET_CONTENT,
};
use crate::{
    reading::Reading,
    string::Str,
    tree::{Entry, Map, Node, Spot, Value},
    values,
};

/// Reads the project into its types. What has the wrong one is said, and left out.
pub(super) fn project(reading: &Reading<'_>, file: Node) -> Node {
    let extensions: Vec<(String, Entry)> = file
        .entries()
        .filter(|(key, _)| key.starts_with("x-"))
        .map(|(key, entry)| (key.clone(), entry.clone()))
        .collect();
    let at = file.at;
    let mut map = Decoding { reading }.fields(file, PROJECT).unwrap_or_default();
    map.extend(extensions);
    Node::new(at, Value::Map(map))
}

/// What a value should have been.
struct Wrong(&'static str);

type Decoded = Result<Option<Value>, Wrong>;

struct Decoding<'r, 'a> {
    reading: &'r Reading<'a>,
}

impl Decoding<'_, '_> {
    fn fields(&self, node: Node, fields: &'static [Field]) -> Option<Map> {
        let at = node.at;
        let Value::Map(mut map) = node.value else { return None };
        let mut out = Map::new();
        for field in fields {
            let (key, always) = match field.printed {
                Printed::AsKey | Printed::Never => (field.key, false),
                Printed::Always => (field.key, true),
                Printed::As(name) => (name, true),
            };
            let entry = map.swap_remove(field.key);
            let (key_at, node) = match entry {
                Some(entry) => (entry.key_at, entry.node),
                None => (at, Node::new(at, Value::Null)),
            };
            let node_at = if node.is_null() { key_at } else { node.at };
            let given = match self.value(node, &field.kind, field.key) {
                Some(value) => Some(value),
                None if always => Some(empty(&field.kind)),
                None => None,
            };
            if let Some(value) = given {
                out.insert(key.to_owned(), Entry::new(key_at, Node::new(node_at, value)));
            }
        }
        Some(out)
    }

    /// The typed value, or nothing where it is left out.
    fn value(&self, node: Node, kind: &'static Kind, key: &str) -> Option<Value> {
        if node.is_null() {
            return match kind {
                Kind::Struct(fields) => {
                    let nothing = Node::new(node.at, Value::Map(Map::new()));
                    self.fields(nothing, fields).map(Value::Map)
                }
                _ => None,
            };
        }
        let (at, shown) = (node.at, || node.shown());
        let shown = shown();
        match self.decoded(node, kind, key) {
            Ok(value) => value,
            Err(Wrong(wanted)) => {
                let message = format!("`{key}` must be {wanted}, and is {shown}");
                self.reading.error(at, "wrong-type", message);
                None
            }
        }
    }

    fn decoded(&self, node: Node, kind: &'static Kind, key: &str) -> Decoded {
        let at = node.at;
        match kind {
            Kind::Struct(fields) | Kind::Pointer(fields) => match node.value {
                Value::Map(_) => Ok(self.fields(node, fields).map(Value::Map)),
                _ => Err(Wrong("a mapping")),
            },
            Kind::List(of) => {
                let Value::List(list) = node.value else { return Err(Wrong("a list")) };
                let items = list.into_iter().filter_map(|item| {
                    let at = item.at;
                    Some(Node::new(at, self.value(item, of, key)?))
                });
                Ok(some_list(items.collect()))
            }
            Kind::Map(of, names) => {
                let Value::Map(mut map) = node.value else { return Err(Wrong("a mapping")) };
                if *names == Names::NoExtensions {
                    fold_extensions(&mut map, at);
                }
                let entries = map.into_iter().filter_map(|(name, entry)| {
                    let at = if entry.node.is_null() { entry.key_at } else { entry.node.at };
                    let null = entry.node.is_null();
                    let value = match self.value(entry.node, of, &name) {
                        Some(value) => value,
                        None if null && matches!(of, Kind::Pointer(_) | Kind::Ulimit) => Value::Null,
                        None => return None,
                    };
                    Some((name, Entry::new(entry.key_at, Node::new(at, value))))
                });
                Ok(some_map(entries.collect()))
            }
            Kind::Texts | Kind::TextOrTexts | Kind::Printed => strings(self.reading, node, kind, key),
            Kind::Mapping | Kind::Environment | Kind::Labels => self.pairs(node, kind),
            Kind::Options | Kind::Dictionary | Kind::MultiOptions => self.options(node, kind),
            Kind::Hosts => hosts(node),
            Kind::Command => command(self.reading, node),
            Kind::Test => match node.value {
                Value::Text(text) => Ok(some_list(vec![Node::text(at, "CMD-SHELL"), Node::text(at, text)])),
                _ => strings(self.reading, node, &Kind::Texts, key),
            },
            Kind::Ulimit => ulimit(node),
            Kind::Ssh => Self::ssh(node),
            _ => scalar(&node, kind),
        }
    }

    /// Names and values, from either syntax.
    fn pairs(&self, node: Node, kind: &Kind) -> Decoded {
        let mut pairs = Map::new();
        let absent = |at: Spot| {
            let value =
                if matches!(kind, Kind::Environment) { Value::Null } else { Value::Text(Str::default()) };
            Node::new(at, value)
        };
        match node.value {
            Value::Map(mut map) => {
                fold_extensions(&mut map, node.at);
                for (name, entry) in map {
                    let value = match entry.node.is_null() {
                        true => absent(entry.key_at),
                        false => Node::text(entry.node.at, entry.node.printed()),
                    };
                    pairs.insert(name, Entry::new(entry.key_at, value));
                }
            }
            Value::List(list) => {
                for item in list {
                    let text = item.printed();
                    let (name, value) = match text.cut("=") {
                        Some((name, value)) => (name, Node::text(item.at, value)),
                        None => (text, absent(item.at)),
                    };
                    if let Some(secret) = name.first_secret() {
                        let message = crate::read::in_structure(secret, "a name");
                        self.reading.error(item.at, "secret-in-structure", message);
                    }
                    if matches!(kind, Kind::Environment) && name.ends_with(char::is_whitespace) {
                        let message = format!("the variable `{}` has a space after its name", name.shown());
                        let said = Diagnostic::error("bad-name", message);
                        self.reading.say(item.at, said.hint("write `NAME=value` without spaces"));
                    }
                    pairs.insert(name.into_text(), Entry::new(item.at, value));
                }
            }
            _ => return Err(Wrong("a mapping or a list of `NAME=value`")),
        }
        Ok(some_map(pairs))
    }

    fn options(&self, node: Node, kind: &Kind) -> Decoded {
        let at = node.at;
        let Value::Map(mut map) = node.value else { return Err(Wrong("a mapping")) };
        fold_extensions(&mut map, at);
        let mut options = Map::new();
        for (name, entry) in map {
            let at = entry.node.at;
            let value = match (kind, &entry.node.value) {
                (Kind::MultiOptions, Value::List(list)) if list.is_empty() => continue,
                (Kind::MultiOptions, Value::List(list)) => {
                    Value::List(list.iter().map(|item| Node::text(item.at, item.printed())).collect())
                }
                (Kind::MultiOptions, _) => Value::List(vec![Node::text(at, entry.node.printed())]),
                (_, Value::Null) => Value::Text(Str::default()),
                (Kind::Dictionary, Value::Text(_) | Value::Int(_)) | (Kind::Options, _) => {
                    Value::Text(entry.node.printed())
                }
                _ => {
                    let message = format!("`{name}` must be a string, and is {}", entry.node.shown());
                    self.reading.error(at, "wrong-type", message);
                    continue;
                }
            };
            options.insert(name, Entry::new(entry.key_at, Node::new(at, value)));
        }
        Ok(some_map(options))
    }

    fn ssh(node: Node) -> Decoded {
        let Value::Map(map) = node.value else { return Err(Wrong("a list of keys")) };
        let mut keys = Vec::new();
        for (id, entry) in map {
            // A path stays beside its key for `consistency`, which refuses it where the service is enabled.
            let path = Some(entry.node.printed()).filter(|path| !entry.node.is_null() && !path.is_empty());
            keys.push(match path {
                Some(path) => Node::text(entry.node.at, Str::after(&format!("{id}="), &path)),
                None => Node::text(entry.key_at, id),
            });
        }
        Ok(some_list(keys))
    }
}

/// What stands for nothing where something is always printed.
fn empty(kind: &Kind) -> Value {
    match kind {
        Kind::Text => Value::Text(Str::default()),
        Kind::Bool => Value::Bool(false),
        Kind::Int | Kind::Unsigned => Value::Int(0),
        Kind::Bytes => Value::Text("0".into()),
        _ => Value::Null,
    }
}

fn some_list(list: Vec<Node>) -> Option<Value> {
    if list.is_empty() { None } else { Some(Value::List(list)) }
}

fn some_map(map: Map) -> Option<Value> {
    if map.is_empty() { None } else { Some(Value::Map(map)) }
}

/// Among names of the user's, those that begin with `x-` are put under one name, as the reference puts them.
fn fold_extensions(map: &mut Map, at: Spot) {
    if !map.keys().any(|key| key.starts_with("x-") && key != SECRET_CONTENT) {
        return;
    }
    let (extensions, others) = std::mem::take(map).into_iter().partition(|(key, _)| key.starts_with("x-"));
    *map = others;
    map.insert("#extensions".to_owned(), Entry::at(Node::new(at, Value::Map(extensions))));
}

/// A single value.
fn scalar(node: &Node, kind: &Kind) -> Decoded {
    let printed = |text: String| Some(Value::Text(text.into()));
    Ok(match (kind, &node.value) {
        (Kind::Text, Value::Text(text)) => Some(Value::Text(text.clone())).filter(|_| !text.is_empty()),
        (Kind::Text, Value::Int(_) | Value::Large(_)) => Some(Value::Text(node.printed())),
        (Kind::Text, _) => return Err(Wrong("a string")),
        (Kind::Bool | Kind::AnyBool, value) => {
            let is = match value {
                Value::Bool(is) => *is,
                Value::Text(text) => boolean(text).ok_or(Wrong("true or false"))?,
                _ => return Err(Wrong("true or false")),
            };
            Some(Value::Bool(is)).filter(|_| is || matches!(kind, Kind::AnyBool))
        }
        (Kind::Int | Kind::AnyInt, value) => {
            let number = whole(value).ok_or(Wrong("a whole number"))?;
            Some(Value::Int(number)).filter(|_| number != 0 || matches!(kind, Kind::AnyInt))
        }
        (Kind::Unsigned | Kind::AnyUnsigned, value) => {
            let number = match value {
                Value::Int(_) | Value::Float(_) => whole(value).filter(|number| *number >= 0),
                _ => None,
            };
            let number = number.ok_or(Wrong("a whole number that is not negative"))?;
            Some(Value::Int(number)).filter(|_| number != 0 || matches!(kind, Kind::AnyUnsigned))
        }
        (Kind::Float, value) => {
            let number = match value {
                Value::Int(number) => *number as f64,
                Value::Float(number) => *number,
                Value::Text(text) => text.parse().map_err(|_| Wrong("a number"))?,
                _ => return Err(Wrong("a number")),
            };
            // The shortest that is the same in 32 bits.
            let short = (number as f32).to_string().parse().unwrap_or(number);
            Some(Value::Float(short)).filter(|_| short != 0.0)
        }
        (Kind::Bytes, Value::Int(number)) => printed(number.to_string()).filter(|_| *number != 0),
        (Kind::Bytes, Value::Text(text)) => {
            let bytes = values::bytes(text).ok_or(Wrong("a size such as `512m` or `2g`"))?;
            printed(bytes.to_string()).filter(|_| bytes != 0)
        }
        // Of anything else the reference makes nothing.
        (Kind::Bytes, _) => None,
        (Kind::Duration | Kind::AnyDuration, _) => {
            let wanted = Wrong("a duration such as `30s` or `1m30s`");
            let nanoseconds = values::duration(&node.printed()).ok_or(wanted)?;
            let any = matches!(kind, Kind::AnyDuration);
            printed(values::go_duration(nanoseconds)).filter(|_| nanoseconds != 0 || any)
        }
        (Kind::Mode, value) => {
            let bits = match value {
                Value::Int(bits) => Some(*bits),
                Value::Text(text) => i64::from_str_radix(text, 8).ok(),
                _ => None,
            };
            let bits = bits.ok_or(Wrong("mode bits such as `0440`"))?;
            printed(format!("0{bits:o}"))
        }
        (Kind::Count, value) => {
            let count = match value {
                Value::Int(count) => Some(*count),
                Value::Text(text) if text.eq_ignore_ascii_case("all") => Some(-1),
                Value::Text(text) => text.parse().ok(),
                _ => None,
            };
            let count = count.ok_or(Wrong("a number, or `all`"))?;
            Some(Value::Int(count)).filter(|_| count != 0)
        }
        _ => None,
    })
}

fn whole(value: &Value) -> Option<i64> {
    match value {
        Value::Int(number) => Some(*number),
        Value::Float(number) if number.is_finite() => Some(*number as i64),
        Value::Text(text) => text.parse().ok(),
        _ => None,
    }
}

fn strings(reading: &Reading<'_>, node: Node, kind: &Kind, key: &str) -> Decoded {
    let at = node.at;
    let list = match node.value {
        Value::Text(_) if !matches!(kind, Kind::Texts) => vec![Node::new(at, node.value)],
        Value::List(list) => list,
        _ => return Err(Wrong("a list")),
    };
    let item = |item: Node| match (&item.value, kind) {
        (Value::Text(_), _) => Some(item),
        (Value::Int(_), Kind::Texts) | (_, Kind::Printed) => Some(Node::text(item.at, item.printed())),
        (Value::Null, Kind::Texts) => Some(Node::text(item.at, "")),
        _ => {
            let message = format!("`{key}` must be strings, and this is {}", item.shown());
            reading.error(item.at, "wrong-type", message);
            None
        }
    };
    Ok(some_list(list.into_iter().filter_map(item).collect()))
}

/// Hosts and their addresses: a sorted list of `host=address`.
fn hosts(node: Node) -> Decoded {
    let wanted = || Wrong("`NAME=ADDRESS`");
    let mut hosts: Vec<(Spot, Str)> = Vec::new();
    let mut add = |at: Spot, name: &str, address: &Str| {
        if name.is_empty() || name.contains([':', '=']) {
            return Err(wanted());
        }
        let inner = address.len() > 2 && address.starts_with('[') && address.ends_with(']');
        let address = if inner { address.slice(1..address.len() - 1) } else { address.clone() };
        hosts.push((at, Str::after(&format!("{name}="), &address)));
        Ok(())
    };
    match node.value {
        Value::Map(mut map) => {
            fold_extensions(&mut map, node.at);
            for (name, entry) in map {
                match &entry.node.value {
                    Value::Null => add(entry.key_at, &name, &Str::default())?,
                    Value::Text(address) => add(entry.node.at, &name, address)?,
                    Value::List(list) => {
                        for item in list {
                            add(item.at, &name, &item.printed())?;
                        }
                    }
                    _ => return Err(wanted()),
                }
            }
        }
        Value::List(list) => {
            for item in list {
                let text = item.printed();
                let (name, addresses) = text.cut("=").or_else(|| text.cut(":")).ok_or_else(wanted)?;
                let mut rest = addresses;
                while let Some((address, after)) = rest.cut(",") {
                    add(item.at, &name, &address)?;
                    rest = after;
                }
                add(item.at, &name, &rest)?;
            }
        }
        _ => return Err(wanted()),
    }
    hosts.sort_by_key(|(_, host)| host.to_string());
    Ok(some_list(hosts.into_iter().map(|(at, host)| Node::text(at, host)).collect()))
}

/// A command as words. Nothing and no words are two things.
fn command(reading: &Reading<'_>, node: Node) -> Decoded {
    let at = node.at;
    let words = match node.value {
        Value::Text(text) => {
            let Some((words, cut)) = values::words(&text) else {
                let said =
                    Diagnostic::error("bad-command", "a quote or a bracket of this command is never closed");
                reading.say(at, said.hint("write the command as a list"));
                return Ok(None);
            };
            if cut {
                let said = Diagnostic::warning(
                    "cut-command",
                    "Compose reads this command up to its first `;`, `&`, `|`, `<` or `>`",
                );
                let said = said.cause("a command runs without a shell");
                reading.say(at, said.hint("write `[\"sh\", \"-c\", \"…\"]`"));
            }
            words.into_iter().map(|word| Node::text(at, word)).collect()
        }
        Value::List(list) => {
            for item in list.iter().filter(|item| item.as_str().is_none()) {
                let message = format!("a word of a command must be a string, and this is {}", item.shown());
                reading.error(item.at, "wrong-type", message);
            }
            list
        }
        _ => return Ok(None),
    };
    Ok(Some(Value::List(words)))
}

fn ulimit(node: Node) -> Decoded {
    let number = |node: Option<&Node>| match node {
        None => Ok(0),
        Some(node) => node.as_int().ok_or(Wrong("a whole number")),
    };
    match &node.value {
        Value::Int(limit) if *limit != 0 => Ok(Some(Value::Int(*limit))),
        Value::Int(_) => Ok(Some(Value::Map(Map::new()))),
        Value::Map(_) => {
            let (soft, hard) = (number(node.get("soft"))?, number(node.get("hard"))?);
            let fields = [("soft", soft), ("hard", hard)].into_iter().filter(|(_, limit)| *limit != 0);
            Ok(Some(Node::map(node.at, fields.map(|(key, limit)| (key, Value::Int(limit)))).value))
        }
        _ => Err(Wrong("a whole number, or a mapping of `soft` and `hard`")),
    }
}
