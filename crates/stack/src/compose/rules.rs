//! Rules by the path of a key (`services.*.ports`), as the reference keeps them for each of its stages.

use indexmap::IndexMap;

/// What holds at a path and below it. `*` is any key, and any place in a list.
pub(crate) struct Rules<T> {
    /// What holds here.
    pub(crate) rule: Option<T>,
    below: IndexMap<String, Rules<T>>,
}

impl<T: Copy> Rules<T> {
    /// The rules of a table of paths.
    pub(crate) fn of(table: &[(&str, T)]) -> Self {
        Self::of_paths(table.iter().map(|(path, rule)| ((*path).to_owned(), *rule)))
    }

    /// The rules of paths that were put together.
    pub(crate) fn of_paths(paths: impl Iterator<Item = (String, T)>) -> Self {
        let mut rules = Self { rule: None, below: IndexMap::new() };
        for (path, rule) in paths {
            let mut at = &mut rules;
            for part in path.split('.') {
                at = at
                    .below
                    .entry(part.to_owned())
                    .or_insert_with(|| Self { rule: None, below: IndexMap::new() });
            }
            at.rule = Some(rule);
        }
        rules
    }

    /// What holds below a key, if anything does.
    pub(crate) fn step(&self, key: &str) -> Option<&Self> {
        self.below.get(key).or_else(|| self.below.get("*"))
    }
}

/// A path for a message: `services.web.ports`.
pub(crate) fn joined(path: &[String]) -> String {
    path.join(".")
}
