//! The form of a scenario file.
//!
//! ```text
//! What it shows, in a sentence or two.
//! needs: root
//! files of: life/a-web-service
//!
//! == compose.yaml
//! services: {}
//!
//! == transcript
//! $ seaworthy preflight
//! > a line on stdout
//! ! a line on stderr
//! exit 2, nothing touched
//! ```
//!
//! A command is a line for `sh`; one that ends with 0 has no `exit`. *Nothing touched*: no file below the scenario's
//! directory, its state directory and what the process engine keeps there included, is another than before it.

use std::fmt;

/// One scenario.
pub(crate) struct Script {
    /// What it shows, and needs, as written.
    pub(crate) about: String,
    /// What must be there for it: see `Stage::lacks`.
    pub(crate) needs: Vec<String>,
    /// The scenario whose files it begins with too.
    pub(crate) files_of: Option<String>,
    /// Path and content of each file it begins with.
    pub(crate) files: Vec<(String, String)>,
    /// What is typed, and what comes of it.
    pub(crate) commands: Vec<Command>,
}

/// One line that is typed.
pub(crate) struct Command {
    /// The line.
    pub(crate) line: String,
    /// Everything said after it, as it stands in the file.
    pub(crate) said: String,
}

const TRANSCRIPT: &str = "transcript";

impl Script {
    pub(crate) fn parse(text: &str) -> Self {
        let mut sections = text.split("\n== ");
        let about = sections.next().unwrap_or_default().to_owned();
        let needs =
            about.lines().filter_map(|line| line.strip_prefix("needs: ")).map(str::to_owned).collect();
        let files_of = about.lines().find_map(|line| line.strip_prefix("files of: ")).map(str::to_owned);
        let mut files = Vec::new();
        let mut commands: Vec<Command> = Vec::new();
        for section in sections {
            let (name, body) = section.split_once('\n').unwrap_or((section, ""));
            if name != TRANSCRIPT {
                files.push((name.to_owned(), body.to_owned()));
                continue;
            }
            for line in body.lines() {
                match (line.strip_prefix("$ "), commands.last_mut()) {
                    (Some(typed), _) => {
                        commands.push(Command { line: typed.to_owned(), said: String::new() })
                    }
                    (None, Some(command)) if !line.is_empty() => command.said.push_str(&format!("{line}\n")),
                    _ => {}
                }
            }
        }
        Self { about, needs, files_of, files, commands }
    }
}

impl fmt::Display for Script {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.about)?;
        for (name, body) in &self.files {
            write!(out, "\n== {name}\n{body}")?;
        }
        writeln!(out, "\n== {TRANSCRIPT}")?;
        for (at, Command { line, said }) in self.commands.iter().enumerate() {
            let gap = if at == 0 { "" } else { "\n" };
            write!(out, "{gap}$ {line}\n{said}")?;
        }
        Ok(())
    }
}
