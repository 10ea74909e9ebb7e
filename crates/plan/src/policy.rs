//! `Policy`: what a planner is told besides what should be and what was seen.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::Mark;

/// The third argument of every planner: time, names and permissions, all as values.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Policy {
    /// Now: what has lapsed is decided by it.
    pub now: jiff::Timestamp,
    /// What the names that a plan gives come from.
    pub seed: Seed,
    /// Version of this tool.
    pub tool: String,
    /// The state directory, absolute: containers are labelled with it.
    pub state_dir: String,
    /// What the person typed to permit destruction: the stack's name.
    pub confirmed: Option<String>,
    /// Images that are fetched at each deploy were, just now.
    #[serde(default)]
    pub fetched: bool,
    /// How many different key shares were given; `None`: nobody was asked, the plan is only looked at.
    #[serde(default)]
    pub shares: Option<usize>,
    /// The command as it was typed.
    #[serde(default)]
    pub typed: Typed,
}

impl Policy {
    /// What everything that a plan of this policy makes is marked with.
    pub fn mark(&self) -> Mark {
        Mark::new(self.seed)
    }
}

/// What the names that a plan gives come from: made again from the same seed, it gives the same ones.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Seed {
    /// When it was first made.
    pub at: jiff::Timestamp,
    /// Random bytes.
    pub random: [u8; 4],
}

/// The words of a command after the program's name, so that a refusal ends with the very command that goes on. It names
/// files and never holds what is in them.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Typed(pub Vec<String>);

impl Typed {
    /// The same command with this flag, whatever it was given before.
    #[must_use]
    pub fn with(&self, flag: &str, value: &str) -> Self {
        let mut words = Vec::new();
        let mut rest = self.0.iter();
        while let Some(word) = rest.next() {
            if word == flag {
                rest.next();
            } else if word.strip_prefix(flag).is_none_or(|value| !value.starts_with('=')) {
                words.push(word.clone());
            }
        }
        words.extend([flag.to_owned(), value.to_owned()]);
        Self(words)
    }
}

impl fmt::Display for Typed {
    /// As it can be pasted into a shell.
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("seaworthy")?;
        for word in &self.0 {
            let plain = |c: char| c.is_ascii_alphanumeric() || "-_./:=,@+%".contains(c);
            match !word.is_empty() && word.chars().all(plain) {
                true => write!(out, " {word}")?,
                false => write!(out, " '{}'", word.replace('\'', r"'\''"))?,
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn typed(words: &[&str]) -> Typed {
        Typed(words.iter().map(|&word| word.to_owned()).collect())
    }

    #[test]
    fn a_command_is_said_again_with_a_flag_in_place_of_what_it_was() {
        let command = typed(&["drill", "--shares=one", "--from", "/mnt/b", "--shares", "two"]);
        let again = command.with("--shares", "FILE");
        assert_eq!(again.to_string(), "seaworthy drill --from /mnt/b --shares FILE");
    }

    #[test]
    fn a_word_that_a_shell_would_read_is_quoted() {
        let command = typed(&["restore", "--from", "/mnt/Anna's disk", ""]);
        assert_eq!(command.to_string(), r"seaworthy restore --from '/mnt/Anna'\''s disk' ''");
    }
}
