//! Policies: the part of the rules' language that says which paths may be read, listed and written.

use super::message::Verb;

/// One `path "…" { capabilities = […] }`.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Rule {
    /// A path, or with `*` at its end a prefix.
    path: String,
    capabilities: Vec<String>,
}

/// Reads a policy.
pub(super) fn parse(text: &str) -> Result<Vec<Rule>, String> {
    let lines = text.lines().map(|line| line.split('#').next().unwrap_or_default());
    let text: String = lines.collect::<Vec<_>>().join("\n");
    let mut rest = text.trim();
    let mut rules = Vec::new();
    while !rest.is_empty() {
        let (rule, after) =
            rule(rest).ok_or("a policy is `path \"…\" { capabilities = [\"…\"] }`, repeated")?;
        rules.push(rule);
        rest = after.trim_start();
    }
    Ok(rules)
}

/// Whether these rules together allow it: of the rules that fit, the most exact path decides.
pub(super) fn allows(rules: &[Rule], path: &str, verb: Verb) -> bool {
    let fitting = rules.iter().filter(|rule| rule.fits(path));
    let exactness = |rule: &Rule| (!rule.path.ends_with('*'), rule.path.len());
    let Some(best) = fitting.clone().map(exactness).max() else { return false };
    let mut granted = fitting.filter(|rule| exactness(rule) == best).flat_map(|rule| &rule.capabilities);
    let wanted: &[&str] = match verb {
        Verb::Read => &["read"],
        Verb::List => &["list"],
        Verb::Write => &["create", "update"],
        Verb::Delete => &["delete"],
    };
    let denied = granted.clone().any(|capability| capability == "deny");
    !denied && granted.any(|capability| wanted.contains(&capability.as_str()))
}

impl Rule {
    fn fits(&self, path: &str) -> bool {
        match self.path.strip_suffix('*') {
            Some(prefix) => path.starts_with(prefix),
            None => self.path.trim_end_matches('/') == path,
        }
    }
}

fn rule(text: &str) -> Option<(Rule, &str)> {
    let (path, rest) = quoted(text.strip_prefix("path")?.trim_start())?;
    let (body, after) = rest.trim_start().strip_prefix('{')?.split_once('}')?;
    let list = body.trim().strip_prefix("capabilities")?.trim_start().strip_prefix('=')?.trim();
    let list = list.strip_prefix('[')?.strip_suffix(']')?;
    let words = list.split(',').map(str::trim).filter(|word| !word.is_empty());
    let capabilities = words
        .map(|word| quoted(word).filter(|(_, after)| after.is_empty()).map(|(word, _)| word.to_owned()))
        .collect::<Option<Vec<String>>>()?;
    Some((Rule { path: path.to_owned(), capabilities }, after))
}

fn quoted(text: &str) -> Option<(&str, &str)> {
    text.strip_prefix('"')?.split_once('"')
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use super::*;

    #[track_caller]
    fn check(policy: &str, asked: &[(Verb, &str, bool)]) {
        let rules = parse(policy).unwrap();
        for (verb, path, allowed) in asked {
            assert_eq!(allows(&rules, path, *verb), *allowed, "{verb:?} {path}");
        }
    }

    #[test]
    fn only_what_is_granted_is_allowed() {
        check(
            "# the application\npath \"transit/encrypt/relay\" { capabilities = [\"update\"] }\n",
            &[
                (Verb::Write, "transit/encrypt/relay", true),
                (Verb::Read, "transit/encrypt/relay", false),
                (Verb::Write, "transit/encrypt/relay2", false),
                (Verb::Write, "transit/decrypt/relay", false),
            ],
        );
    }

    #[test]
    fn the_most_exact_path_decides() {
        check(
            "path \"transit/*\" {\n capabilities = [\"read\", \"list\"]\n}\n\
             path \"transit/keys/root\" { capabilities = [\"deny\"] }",
            &[
                (Verb::Read, "transit/keys/relay", true),
                (Verb::List, "transit/keys", true),
                (Verb::Read, "transit/keys/root", false),
                (Verb::Read, "sys/mounts", false),
            ],
        );
    }

    #[test]
    fn what_is_not_a_policy_is_refused() {
        assert!(parse("path \"x\" { capabilities = [read] }").is_err());
        assert!(parse("allow everything").is_err());
        assert!(parse("").unwrap().is_empty());
    }
}
