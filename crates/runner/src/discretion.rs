//! Takes secret values out of what services and engines said, before it is kept or shown.

use std::cmp::Reverse;

use diag::Stop;
use plan::Output;
use secrets::{Keyring, Secret, Store};
use stack::Materials;

use crate::{Release, StackDir, StepError};

/// Shorter values are left alone: they are no secrets, and would be found in every word.
const SHORTEST: usize = 8;

/// Stands where a value stood.
const HUSHED: &str = "[secret]";

/// What an excerpt that was cut short ends with.
const CUT: char = '…';

/// Values that must not be seen.
///
/// Reading them opens every sealed value of a stack: make one only when something is to be said. What cannot be opened
/// is passed over, because whoever runs here cannot have handed it out.
pub(crate) struct Discretion(Vec<Secret<String>>);

impl Discretion {
    /// Every version of every secret of a project, what each of its releases holds from the shell and from files, and
    /// the same of the files just read.
    pub(crate) fn of(place: &StackDir, keyring: &Keyring, materials: &Materials) -> Self {
        let store = Store::open(place.secrets(), keyring.clone());
        let mut values = Vec::new();
        for name in store.names().unwrap_or_default() {
            let versions = store.versions(&name).unwrap_or_default();
            values.extend(versions.into_iter().filter_map(|version| store.get(&name, version).ok()));
        }
        let numbers = Release::numbers(place).unwrap_or_default();
        let held = numbers.into_iter().filter_map(|number| Release::held(place, number, keyring).ok());
        values.extend(held.flat_map(|held| held_by(&held)));
        values.extend(held_by(materials));
        Self::from_values(values)
    }

    fn from_values(values: Vec<Secret<String>>) -> Self {
        let lines = values.iter().flat_map(|value| value.expose().lines().map(str::trim).collect::<Vec<_>>());
        let mut lines: Vec<&str> = lines.filter(|line| line.len() >= SHORTEST).collect();
        // A value that holds another one goes first, or its rest would stay.
        lines.sort_unstable_by_key(|line| (Reverse(line.len()), *line));
        lines.dedup();
        Self(lines.into_iter().map(Secret::from).collect())
    }

    /// The same, and these.
    pub(crate) fn and(mut self, values: impl IntoIterator<Item = Secret<String>>) -> Self {
        self.0.extend(values);
        Self::from_values(self.0)
    }

    /// The text without any of the values, nor the beginning of one where an excerpt was cut short.
    pub(crate) fn hush(&self, text: &str) -> String {
        let mut text = text.to_owned();
        for value in &self.0 {
            if text.contains(value.expose().as_str()) {
                text = text.replace(value.expose().as_str(), HUSHED);
            }
            if text.contains(CUT) {
                text = without_beginning(&text, value.expose());
            }
        }
        text
    }

    /// A step's result, as a journal may keep it.
    pub(crate) fn hush_result(&self, result: Result<Output, StepError>) -> Result<Output, StepError> {
        let all = |texts: Vec<String>| texts.iter().map(|text| self.hush(text)).collect();
        match result {
            Ok(Output::Probed { mut seen, attempts }) => {
                for seen in &mut seen {
                    seen.saw = self.hush(&seen.saw);
                }
                Ok(Output::Probed { seen, attempts })
            }
            Ok(output) => Ok(output),
            Err(StepError::Failed { because, hint }) => {
                let hint = hint.map(|hint| self.hush(&hint));
                Err(StepError::Failed { because: all(because), hint })
            }
            Err(StepError::Waiting { instruction }) => {
                Err(StepError::Waiting { instruction: self.hush(&instruction) })
            }
        }
    }

    /// What stopped a verb, as a person may be told it.
    pub(crate) fn hush_stop(&self, mut stop: Stop) -> Stop {
        for said in &mut stop.diagnostics {
            said.message = self.hush(&said.message);
            said.causes = said.causes.iter().map(|cause| self.hush(cause)).collect();
        }
        stop
    }
}

/// Whether a result repeats what somebody else said.
pub(crate) fn says_something(result: &Result<Output, StepError>) -> bool {
    matches!(result, Ok(Output::Probed { .. }) | Err(_))
}

fn held_by(materials: &Materials) -> Vec<Secret<String>> {
    let texts = materials.sensitive.values().filter_map(|bytes| std::str::from_utf8(bytes).ok());
    let values = materials.held.values().map(String::as_str).chain(texts);
    values.map(Secret::from).collect()
}

/// Excerpts are cut at a length, which may be in the middle of a value: what is left of it goes too.
fn without_beginning(text: &str, value: &str) -> String {
    let mut shown = String::new();
    let mut parts = text.split(CUT).peekable();
    while let Some(part) = parts.next() {
        let is_cut = parts.peek().is_some();
        let begins = |from: &usize| value.starts_with(&part[*from..]) && part.len() - from >= SHORTEST;
        let from = part.char_indices().map(|(at, _)| at).find(begins).filter(|_| is_cut);
        match from {
            Some(from) => shown.extend([&part[..from], HUSHED]),
            None => shown.push_str(part),
        }
        if is_cut {
            shown.push(CUT);
        }
    }
    shown
}

#[cfg(test)]
mod tests {
    use plan::ProbeSeen;
    use stack::{ContentId, SecretName, StackName};

    use super::*;
    use crate::StateDir;

    const OLD: &str = "the-first-password";
    const NEW: &str = "the-second-password";
    const FROM_SHELL: &str = "from-the-shell-of-then";
    const FILE: &str = "-----BEGIN KEY-----\nMIIEvQIBADANBg\nkqhkiG9w0BAQ==\n-----END KEY-----\n";

    fn discretion() -> Discretion {
        let root = tempfile::tempdir().unwrap();
        let keyring = Keyring::open(root.path()).unwrap();
        let place = StateDir::new(root.path()).stack(&StackName::from("blog"));
        let store = Store::open(place.secrets(), keyring.clone());
        let name = SecretName::from("db_password");
        store.put_first(&name, &Secret::from(OLD)).unwrap();
        store.put_next(&name, &Secret::from(NEW)).unwrap();
        // Another host's value does not open here, and keeps no other one from being found.
        std::fs::create_dir_all(place.secrets().join("another")).unwrap();
        std::fs::write(place.secrets().join("another/1.age"), "sealed elsewhere").unwrap();
        let id = |name: &str| ContentId(name.to_owned());
        let held = Materials { held: [(id("h"), FROM_SHELL.to_owned())].into(), ..Materials::default() };
        for (number, materials) in [(1, held), (2, Materials::default())] {
            let now = "2026-11-21T03:00:00Z".parse().unwrap();
            let release = Release::new(number, testkit::blog::blog(1), [].into(), now);
            release.write(&place, &materials, &keyring).unwrap();
        }
        let read = Materials { sensitive: [(id("f"), FILE.into())].into(), ..Materials::default() };
        Discretion::of(&place, &keyring, &read).and([Secret::from("a-share-of-a-holder")])
    }

    #[test]
    fn no_value_that_the_stack_ever_had_is_repeated() {
        let said = [
            ("login failed for `the-first-password`", "login failed for `[secret]`"),
            ("the-second-password, the-second-password", "[secret], [secret]"),
            ("exit 1, it said: TOKEN=from-the-shell-of-then", "exit 1, it said: TOKEN=[secret]"),
            ("cannot parse: MIIEvQIBADANBg kqhkiG9w0BAQ==", "cannot parse: [secret] [secret]"),
            ("share a-share-of-a-holder is none", "share [secret] is none"),
            ("nothing of the kind", "nothing of the kind"),
        ];
        let discretion = discretion();
        for (said, shown) in said {
            assert_eq!(discretion.hush(said), shown);
        }
    }

    #[test]
    fn a_value_that_an_excerpt_cuts_short_is_not_begun() {
        let said = [
            ("password the-second-pass…", "password [secret]…"),
            ("key MIIEvQIBAD… ⏎ the-first-pas… ⏎ and more", "key [secret]… ⏎ [secret]… ⏎ and more"),
            ("a long line of the-…", "a long line of the-…"),
            ("the-second-pass is no excerpt", "the-second-pass is no excerpt"),
        ];
        let discretion = discretion();
        for (said, shown) in said {
            assert_eq!(discretion.hush(said), shown);
        }
    }

    #[test]
    fn what_went_well_is_hushed_as_well_as_what_failed() {
        let discretion = discretion();
        let seen =
            |saw: &str| ProbeSeen { probe: "GET / on web".to_owned(), saw: saw.to_owned(), degraded: false };
        let probed = |saw: &str| Ok(Output::Probed { seen: vec![seen(saw)], attempts: 1 });
        assert_eq!(
            discretion.hush_result(probed("200, token is \"the-first-password\"")),
            probed("200, token is \"[secret]\"")
        );
        assert_eq!(
            discretion.hush_result(Err(StepError::failed("it said the-first-password"))),
            Err(StepError::failed("it said [secret]"))
        );
    }
}
