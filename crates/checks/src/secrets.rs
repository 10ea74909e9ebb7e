//! Secrets: values that are known, written where everybody reads them, or missing.

use stack::Text;

use crate::{
    check::{Check, Level, Mode, Reach},
    input::{Input, Seen, escape},
    known,
};

pub(crate) const CHECKS: [Check; 7] = [
    Check {
        id: "default-secret",
        catalogue: Some("SEC-003"),
        level: Level::Critical,
        production: Reach::Everywhere,
        mode: Mode::Static,
        what: "a credential has a value that everybody knows",
        why: "anyone who reaches the port owns the data",
        fix: "declare `[secret] NAME = \"password\"`, give it as a Compose secret, and run `seaworthy bootstrap`",
        source: "OWASP ASVS 5 V6, default credentials",
        requirements: &["A53"],
        look: default_secret,
    },
    Check {
        id: "literal-credential",
        catalogue: Some("SEC-001"),
        level: Level::High,
        production: Reach::Everywhere,
        mode: Mode::Static,
        what: "a credential is written in the file",
        why: "whoever reads the file, its history or `docker inspect` has it",
        fix: "declare `[secret] NAME = \"password\"` and give it to the service as a Compose secret",
        source: "OWASP Docker Security Cheat Sheet, rule 12; CIS Docker 4.10",
        requirements: &["A53"],
        look: literal_credential,
    },
    Check {
        id: "secret-in-dsn",
        catalogue: Some("SEC-002"),
        level: Level::High,
        production: Reach::Everywhere,
        mode: Mode::Static,
        what: "a connection string in the file holds a password",
        why: "connection strings end in logs and on error pages",
        fix: "leave the password out and point the application at a secret file (`PGPASSFILE`, `*_FILE`)",
        source: "OWASP Docker Security Cheat Sheet, rule 12",
        requirements: &["A53"],
        look: secret_in_dsn,
    },
    Check {
        id: "empty-credential",
        catalogue: Some("SEC-006"),
        level: Level::High,
        production: Reach::Everywhere,
        mode: Mode::Static,
        what: "a credential is empty",
        why: "most services then start with no password at all",
        fix: "write `${NAME:?}` so that a missing value stops the deploy, or declare it in `[secret]`",
        source: "Compose specification, interpolation",
        requirements: &["A53", "A55"],
        look: empty_credential,
    },
    Check {
        id: "unset-secret",
        catalogue: None,
        level: Level::High,
        production: Reach::Everywhere,
        mode: Mode::Store,
        what: "a declared secret that a deploy needs has no value yet",
        why: "a deploy refuses to start without it",
        fix: "run `seaworthy bootstrap`",
        source: "the sealed store",
        requirements: &["A55"],
        look: unset_secret,
    },
    Check {
        id: "secret-in-environment",
        catalogue: Some("SEC-007"),
        level: Level::Medium,
        production: Reach::Everywhere,
        mode: Mode::Static,
        what: "a secret is given through the environment or the command line",
        why: "`docker inspect` and every child process show it",
        fix: "give it as a Compose secret and set the `*_FILE` variable of the image, where it has one",
        source: "documentation of the official images",
        requirements: &["A53"],
        look: secret_in_environment,
    },
    Check {
        id: "secret-given-to-nobody",
        catalogue: Some("SEC-014"),
        level: Level::Low,
        production: Reach::Everywhere,
        mode: Mode::Static,
        what: "a declared secret is given to no service",
        why: "it is made, kept and backed up for nobody",
        fix: "remove it from `[secret]`, or give it to the service that needs it",
        source: "least privilege",
        requirements: &[],
        look: unused_secret,
    },
];

fn default_secret(input: &Input<'_>) -> Vec<Seen> {
    credentials(input)
        .filter_map(|(seen, variable, text)| {
            let value = input.value(text)?;
            if !is_default(variable, &value.text) {
                return None;
            }
            // A value from outside the file is compared and never said.
            let message = match value.held {
                true => format!("{variable} comes from the environment and is a value everybody knows"),
                false => {
                    let known = known::password_in_dsn(&value.text).unwrap_or(&value.text);
                    format!("{variable} is `{known}`")
                }
            };
            Some(Seen { message, ..seen })
        })
        .collect()
}

/// True for a well-known credential, or a connection string that holds one.
fn is_default(variable: &str, value: &str) -> bool {
    known::password_in_dsn(value).is_some_and(known::is_well_known)
        || (known::names_a_credential(variable) && known::is_well_known(value))
}

fn literal_credential(input: &Input<'_>) -> Vec<Seen> {
    credentials(input)
        .filter(|(_, variable, _)| known::names_a_credential(variable))
        .filter_map(|(seen, variable, text)| {
            let value = text.as_literal()?;
            let plain =
                !value.is_empty() && !known::is_no_credential(&value) && !is_default(variable, &value);
            let elsewhere = known::password_in_dsn(&value).is_some();
            (plain && !elsewhere)
                .then(|| Seen { message: format!("{variable} is written in the file"), ..seen })
        })
        .collect()
}

fn secret_in_dsn(input: &Input<'_>) -> Vec<Seen> {
    credentials(input)
        .filter_map(|(seen, variable, text)| {
            let written = text.to_string();
            let password = known::password_in_dsn(&written)?;
            let hidden = password.contains("${") || known::is_well_known(password);
            let message = format!("{variable} holds a connection string with its password");
            (!hidden).then_some(Seen { message, ..seen })
        })
        .collect()
}

fn empty_credential(input: &Input<'_>) -> Vec<Seen> {
    credentials(input)
        .filter(|(_, variable, _)| known::names_a_credential(variable))
        .filter_map(|(seen, variable, text)| {
            let empty = input.value(text)?.text.is_empty();
            empty.then(|| Seen { message: format!("{variable} is empty"), ..seen })
        })
        .collect()
}

/// Every variable of every service, with where it stands.
fn credentials<'a>(input: &Input<'a>) -> impl Iterator<Item = (Seen, &'a str, &'a Text)> {
    input.services().flat_map(|(name, service)| {
        service.environment.iter().filter_map(move |(variable, value)| {
            let below = format!("/environment/{}", escape(variable));
            Some((
                Seen::in_service(name, &below, String::new(), variable),
                variable.as_str(),
                value.as_ref()?,
            ))
        })
    })
}

fn unset_secret(input: &Input<'_>) -> Vec<Seen> {
    let Some(stored) = input.stored else { return Vec::new() };
    let missing =
        input.shape.secrets.iter().filter(|(name, spec)| spec.required && !stored.contains_key(*name));
    missing
        .map(|(name, _)| {
            let message = format!("secret `{name}` has no value yet");
            Seen::in_stack(&format!("/secret/{}", escape(name.as_str())), message, name.as_str())
        })
        .collect()
}

fn secret_in_environment(input: &Input<'_>) -> Vec<Seen> {
    let mut seen = Vec::new();
    for (name, service) in input.services() {
        for (variable, text) in &service.environment {
            for secret in text.iter().flat_map(Text::secrets) {
                let below = format!("/environment/{}", escape(variable));
                let message = format!("{variable} carries secret `{secret}`");
                seen.push(Seen::in_service(name, &below, message, &format!("{variable}={secret}")));
            }
        }
        let lines = [("command", &service.command), ("entrypoint", &service.entrypoint)];
        for (key, words) in lines {
            for secret in words.iter().flatten().flat_map(Text::secrets) {
                let message = format!("{key} carries secret `{secret}`: every process list shows it");
                seen.push(Seen::in_service(name, &format!("/{key}"), message, &format!("{key}={secret}")));
            }
        }
    }
    seen
}

fn unused_secret(input: &Input<'_>) -> Vec<Seen> {
    let used: Vec<_> = input.services().flat_map(|(_, service)| service.secrets_used()).collect();
    let unused = input.shape.secrets.keys().filter(|name| !used.contains(name));
    unused
        .map(|name| {
            let message = format!("secret `{name}` is given to no service");
            Seen::in_stack(&format!("/secret/{}", escape(name.as_str())), message, name.as_str())
        })
        .collect()
}
