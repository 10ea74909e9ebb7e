//! One file laid over another, by the reference's rules.

use std::sync::OnceLock;

use diag::Diagnostic;

use super::rules::{Rules, joined};
use crate::{
    reading::Reading,
    string::Str,
    tree::{Entry, Map, Node, Spot, Value},
};

/// How two values at one path become one, where it is not the general way.
#[derive(Clone, Copy)]
enum Rule {
    /// What is laid over wins, also where it is empty.
    Replace,
    /// Both become lists of `NAME=value`, one after the other.
    Sequence,
    /// As [`Rule::Sequence`], without what stands in both.
    ExtraHosts,
    /// A string is the context.
    Build,
    DependsOn,
    /// Lists of names are mappings of nothing.
    Names,
    Logging,
    Ipam,
}

const TABLE: &[(&str, Rule)] = &[
    ("networks.*.ipam.config", Rule::Ipam),
    ("networks.*.labels", Rule::Sequence),
    ("volumes.*.labels", Rule::Sequence),
    ("services.*.annotations", Rule::Sequence),
    ("services.*.build", Rule::Build),
    ("services.*.build.args", Rule::Sequence),
    ("services.*.build.additional_contexts", Rule::Sequence),
    ("services.*.build.extra_hosts", Rule::ExtraHosts),
    ("services.*.build.labels", Rule::Sequence),
    ("services.*.command", Rule::Replace),
    ("services.*.depends_on", Rule::DependsOn),
    ("services.*.deploy.labels", Rule::Sequence),
    ("services.*.dns", Rule::Sequence),
    ("services.*.dns_opt", Rule::Sequence),
    ("services.*.dns_search", Rule::Sequence),
    ("services.*.entrypoint", Rule::Replace),
    ("services.*.env_file", Rule::Sequence),
    ("services.*.label_file", Rule::Sequence),
    ("services.*.environment", Rule::Sequence),
    ("services.*.extra_hosts", Rule::ExtraHosts),
    ("services.*.healthcheck.test", Rule::Replace),
    ("services.*.labels", Rule::Sequence),
    ("services.*.logging", Rule::Logging),
    ("services.*.models", Rule::Names),
    ("services.*.networks", Rule::Names),
    ("services.*.sysctls", Rule::Sequence),
    ("services.*.tmpfs", Rule::Sequence),
    ("services.*.ulimits.*", Rule::Replace),
];

fn rules() -> &'static Rules<Rule> {
    static RULES: OnceLock<Rules<Rule>> = OnceLock::new();
    RULES.get_or_init(|| Rules::of(TABLE))
}

/// Lays a file over those before it.
pub(crate) fn merge(reading: &Reading<'_>, base: Node, over: Node) -> Node {
    Merging { reading, path: Vec::new() }.merge(base, over, Some(rules()))
}

/// Lays a service over the one it extends.
pub(crate) fn extend(reading: &Reading<'_>, name: &str, base: Node, over: Node) -> Node {
    let path = vec!["services".to_owned(), name.to_owned()];
    let rules = rules().step("services").and_then(|rules| rules.step("*"));
    Merging { reading, path }.merge(base, over, rules)
}

struct Merging<'r, 'a> {
    reading: &'r Reading<'a>,
    path: Vec<String>,
}

type At<'t> = Option<&'t Rules<Rule>>;

impl Merging<'_, '_> {
    fn merge(&mut self, base: Node, over: Node, rules: At<'_>) -> Node {
        match rules.and_then(|rules| rules.rule) {
            Some(rule) => return self.by_rule(rule, base, over, rules),
            None if over.is_null() => return base,
            None => {}
        }
        match (base.value, over.value) {
            (Value::Map(below), Value::Map(above)) => {
                Node { at: base.at, value: Value::Map(self.maps(below, above, rules)) }
            }
            (Value::List(mut below), Value::List(above)) => {
                below.extend(above);
                Node { at: base.at, value: Value::List(below) }
            }
            (below @ (Value::Map(_) | Value::List(_)), above) => {
                let (below, above) = (Node { value: below, ..base }, Node { value: above, ..over });
                self.cannot(&below, &above);
                below
            }
            (_, value) => Node { at: over.at, value },
        }
    }

    fn by_rule(&mut self, rule: Rule, base: Node, over: Node, rules: At<'_>) -> Node {
        match rule {
            Rule::Replace => over,
            Rule::Sequence => {
                let at = base.at;
                let mut both = sequence(base);
                both.extend(sequence(over));
                Node::new(at, Value::List(both))
            }
            Rule::ExtraHosts => {
                let at = base.at;
                let mut both = sequence(base);
                let more: Vec<Node> =
                    sequence(over).into_iter().filter(|host| !both.contains(host)).collect();
                both.extend(more);
                Node::new(at, Value::List(both))
            }
            Rule::Build => self.both(base, over, rules, |node| match node.value {
                Value::Map(map) => Some(map),
                Value::Text(_) => {
                    let context = Entry::at(node);
                    Some(Map::from_iter([("context".to_owned(), context)]))
                }
                _ => None,
            }),
            Rule::DependsOn => self.both(base, over, rules, |node| mapping(node, &dependency)),
            Rule::Names => self.both(base, over, rules, |node| mapping(node, &|_| Value::Null)),
            Rule::Logging => {
                let driver = |node: &Node| node.get("driver").cloned();
                match (driver(&base), driver(&over)) {
                    (Some(below), Some(above)) if below != above && over.as_map().is_some() => over,
                    _ => self.both(base, over, rules, |node| mapping(node, &|_| Value::Null)),
                }
            }
            Rule::Ipam => self.pools(base, over),
        }
    }

    /// Two values that stand for mappings. What does not is left out, as the reference leaves it out.
    fn both(&mut self, base: Node, over: Node, rules: At<'_>, read: impl Fn(Node) -> Option<Map>) -> Node {
        let at = if base.is_null() { over.at } else { base.at };
        let wrong = |node: &Node| {
            !matches!(node.value, Value::Null | Value::Map(_) | Value::List(_) | Value::Text(_))
        };
        if wrong(&base) || wrong(&over) {
            self.cannot(&base, &over);
        }
        let (below, above) = (read(base).unwrap_or_default(), read(over).unwrap_or_default());
        Node::new(at, Value::Map(self.maps(below, above, rules)))
    }

    fn maps(&mut self, mut base: Map, over: Map, rules: At<'_>) -> Map {
        for (key, above) in over {
            let Some(below) = base.get_mut(&key) else {
                base.insert(key, above);
                continue;
            };
            let taken = std::mem::replace(&mut below.node, Node::new(above.node.at, Value::Null));
            let kept_key = if taken.as_map().is_some() { below.key_at } else { above.key_at };
            let below_it = rules.and_then(|rules| rules.step(&key));
            self.path.push(key);
            *below = Entry::new(kept_key, self.merge(taken, above.node, below_it));
            self.path.pop();
        }
        base
    }

    /// Pools of addresses, by their subnet.
    fn pools(&mut self, base: Node, over: Node) -> Node {
        let at = base.at;
        let (Value::List(below), Value::List(above)) = (&base.value, &over.value) else {
            self.cannot(&base, &over);
            return base;
        };
        let subnet = |node: &Node| node.get("subnet").cloned();
        let mut pools: Vec<Node> = Vec::new();
        for original in below {
            let mut right = original.clone();
            let mut placed: Option<usize> = None;
            for left in above {
                if subnet(left) != subnet(&right) && !pools.iter().any(|pool| subnet(pool) == subnet(left)) {
                    pools.push(left.clone());
                    continue;
                }
                let (Value::Map(from), Value::Map(onto)) = (right.value, left.clone().value) else {
                    self.cannot(original, left);
                    return base;
                };
                right = Node::new(right.at, Value::Map(self.maps(from, onto, None)));
                if let Some(index) = placed {
                    pools[index] = right.clone();
                }
                match pools.iter().position(|pool| subnet(pool) == subnet(&right)) {
                    Some(index) => {
                        pools[index] = right.clone();
                        placed = placed.or(Some(index));
                    }
                    None => {
                        pools.push(right.clone());
                        placed = Some(pools.len() - 1);
                    }
                }
            }
        }
        Node::new(at, Value::List(pools))
    }

    fn cannot(&self, below: &Node, above: &Node) {
        let path = joined(&self.path);
        let message =
            format!("`{path}` is {} here, and {} in what it is laid over", above.kind(), below.kind());
        let said = Diagnostic::error("cannot-merge", message);
        let said = said.cause(format!("that stands at {}", self.reading.place(below.at)));
        self.reading.say(above.at, said.hint("write it the same way in both places, or mark it `!override`"));
    }
}

/// A mapping as a list of `NAME=value`, by name; a string as a list of one.
pub(crate) fn sequence(node: Node) -> Vec<Node> {
    match node.value {
        Value::List(list) => list,
        Value::Text(_) => vec![node],
        Value::Map(map) => {
            let mut items = Vec::new();
            for (name, entry) in map {
                let pair = |value: &Node| {
                    Node::text(entry.key_at, Str::after(&format!("{name}="), &value.printed()))
                };
                match &entry.node.value {
                    Value::Null => items.push(Node::text(entry.key_at, name.as_str())),
                    Value::List(list) => items.extend(list.iter().map(pair)),
                    _ => items.push(pair(&entry.node)),
                }
            }
            items.sort_by(|a, b| a.as_str().map(|a| &**a).cmp(&b.as_str().map(|b| &**b)));
            items
        }
        _ => Vec::new(),
    }
}

/// A list of names as a mapping.
fn mapping(node: Node, value: &dyn Fn(Spot) -> Value) -> Option<Map> {
    match node.value {
        Value::Map(map) => Some(map),
        Value::List(list) => Some(
            list.into_iter()
                .filter_map(|item| {
                    let name = item.as_str()?.to_string();
                    Some((name, Entry::new(item.at, Node::new(item.at, value(item.at)))))
                })
                .collect(),
        ),
        _ => None,
    }
}

/// What the short form of a dependency stands for.
pub(crate) fn dependency(at: Spot) -> Value {
    let condition = ("condition", Value::Text("service_started".into()));
    Node::map(at, [condition, ("required", Value::Bool(true))]).value
}
