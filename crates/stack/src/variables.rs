//! What `${NAME}` can stand for.

use std::{collections::BTreeMap, rc::Rc};

use crate::string::Str;

/// Variables: the shell wins over `--env-file`, which wins over `.env`.
#[derive(Debug, Clone, Default)]
pub(crate) struct Variables {
    values: Rc<BTreeMap<String, String>>,
    /// Names declared in `[secret]`: always references.
    secrets: Rc<Vec<String>>,
}

impl Variables {
    /// The shell's environment.
    pub(crate) fn of_shell(environment: &BTreeMap<String, String>) -> Self {
        Self { values: Rc::new(environment.clone()), secrets: Rc::default() }
    }

    /// Adds the values of an env file for the names that have none yet.
    pub(crate) fn extend(&mut self, values: BTreeMap<String, String>) {
        let own = Rc::make_mut(&mut self.values);
        for (name, value) in values {
            own.entry(name).or_insert(value);
        }
    }

    /// Adds the values of others for the names that have none yet.
    pub(crate) fn extend_from(&mut self, others: &Self) {
        self.extend(others.values.as_ref().clone());
    }

    /// Declares the secrets.
    pub(crate) fn declare(&mut self, secrets: impl IntoIterator<Item = String>) {
        self.secrets = Rc::new(secrets.into_iter().collect());
    }

    /// Gives a name a value, whatever it had.
    pub(crate) fn set(&mut self, name: &str, value: &str) {
        Rc::make_mut(&mut self.values).insert(name.to_owned(), value.to_owned());
    }

    /// The plain value of a name.
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.values.get(name).map(String::as_str)
    }

    /// What a name stands for in a string: a reference to a declared secret, or a value that is held.
    pub(crate) fn look(&self, name: &str) -> Option<Str> {
        match self.secrets.iter().position(|secret| secret == name) {
            Some(index) => Some(Str::secret(name, index)),
            None => self.get(name).map(|value| Str::held(name, value)),
        }
    }

    pub(crate) fn is_secret(&self, name: &str) -> bool {
        self.secrets.iter().any(|secret| secret == name)
    }
}
