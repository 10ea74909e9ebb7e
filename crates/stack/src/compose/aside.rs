//! What a file says nothing of was looked at with the files before it: it stands aside while the file is laid over
//! them, so that many files over a large project cost what they say and not what it holds.

use crate::tree::{Entry, Map, Node, Value};

/// Takes out of the files before what `over` speaks of: whole services, networks and so on. Empty places keep the order
/// until [`put_back`].
pub(super) fn spoken_of(below: &mut Node, over: &Node) -> Node {
    let at = below.at;
    let mut spoken_of = Map::new();
    for (section, said) in over.entries() {
        let Some(known) = below.as_map_mut().and_then(|below| below.get_mut(section)) else { continue };
        let key_at = known.key_at;
        let taken = match (&mut known.node.value, &said.node.value) {
            (Value::Map(known_names), Value::Map(names)) => {
                let both = |name: &String| Some((name.clone(), taken(known_names.get_mut(name)?)));
                let both = names.keys().filter_map(both).collect();
                Entry { key_at, node: Node::new(known.node.at, Value::Map(both)) }
            }
            _ => taken(known),
        };
        spoken_of.insert(section.clone(), taken);
    }
    Node::new(at, Value::Map(spoken_of))
}

/// Puts what came of it where it stood, and what is new behind that.
pub(super) fn put_back(below: &mut Node, merged: Node) {
    let (Value::Map(below), Value::Map(merged)) = (&mut below.value, merged.value) else { return };
    for (section, came) in merged {
        match (below.get_mut(&section).map(|known| &mut known.node.value), came) {
            (Some(Value::Map(names)), Entry { node: Node { value: Value::Map(came), .. }, .. }) => {
                names.extend(came);
            }
            (_, came) => drop(below.insert(section, came)),
        }
    }
}

fn taken(entry: &mut Entry) -> Entry {
    let empty = Node::new(entry.node.at, Value::Null);
    Entry { key_at: entry.key_at, node: std::mem::replace(&mut entry.node, empty) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tree::Spot;

    fn map<'k>(entries: impl IntoIterator<Item = (&'k str, Value)>) -> Node {
        Node::map(Spot::default(), entries)
    }

    #[test]
    fn what_a_file_speaks_of_is_taken_out_and_put_back_in_its_place() {
        let int = Value::Int;
        let services = |of: &[(&str, Value)]| map(of.iter().cloned()).value;
        let mut below = map([
            ("name", int(0)),
            ("services", services(&[("a", int(1)), ("b", int(2)), ("c", int(3))])),
            ("networks", services(&[("n", int(4))])),
        ]);
        let over = map([("services", services(&[("d", int(6)), ("b", int(5))])), ("volumes", Value::Null)]);
        let mut part = spoken_of(&mut below, &over);
        assert_eq!(part, map([("services", services(&[("b", int(2))]))]));
        let names = part.get_mut("services").unwrap().as_map_mut().unwrap();
        names.extend(over.get("services").unwrap().as_map().unwrap().clone());
        put_back(&mut below, part);
        let names: Vec<&String> = below.get("services").unwrap().entries().map(|(name, _)| name).collect();
        assert_eq!(names, ["a", "b", "c", "d"]);
        assert_eq!(below.get("services").unwrap().get("b").unwrap().as_int(), Some(5));
        assert_eq!(below.get("networks").unwrap().get("n").unwrap().as_int(), Some(4));
    }
}
