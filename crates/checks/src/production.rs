//! Production: what is fine on a laptop and must never serve anybody.

use stack::{EngineKind, Text};

use crate::{
    check::{Check, Level, Mode, Reach},
    input::{Input, Seen, escape},
    known::{self, Store},
};

pub(crate) const CHECKS: [Check; 4] = [
    Check {
        id: "dev-token-in-production",
        catalogue: Some("KMS-001"),
        level: Level::Critical,
        production: Reach::ProductionOnly,
        mode: Mode::Static,
        what: "a production shape carries the root token of a development key store",
        why: "a token that stands in a file opens every key",
        fix: "remove the variable from the production overlay; `seaworthy bootstrap` issues a scoped credential",
        source: "Vault production hardening",
        requirements: &["A29"],
        look: dev_token,
    },
    Check {
        id: "development-key-store",
        catalogue: Some("KMS-001"),
        level: Level::Critical,
        production: Reach::ProductionOnly,
        mode: Mode::Static,
        what: "a production shape runs its key store in development mode",
        why: "it keeps its keys in memory, unsealed: a restart loses every one of them",
        fix: "run it sealed, with storage of its own, and run `seaworthy bootstrap`",
        source: "Vault production hardening",
        requirements: &["A29"],
        look: development_key_store,
    },
    Check {
        id: "process-engine-in-production",
        catalogue: None,
        level: Level::Critical,
        production: Reach::ProductionOnly,
        mode: Mode::Static,
        what: "a production shape would run on the process engine",
        why: "it isolates nothing: every service sees the files and the network of every other",
        fix: "use `--engine docker`",
        source: "this project",
        requirements: &[],
        look: process_engine,
    },
    Check {
        id: "loose-origin",
        catalogue: None,
        level: Level::High,
        production: Reach::ProductionOnly,
        mode: Mode::Static,
        what: "a production shape names an origin that is open, unencrypted or a developer's own machine",
        why: "whoever is let in by such an origin speaks for every user",
        fix: "name exact origins with `https://` in `[shape.NAME] origins`",
        source: "OWASP ASVS 5.0, 3.4 (origin policy)",
        requirements: &["E10"],
        look: loose_origin,
    },
];

/// One thing that a production shape forbids, and what enforces it.
#[derive(Debug, Clone, Copy)]
pub struct Forbidden {
    /// What.
    pub what: &'static str,
    /// Why.
    pub why: &'static str,
    /// Where it is refused.
    pub by: &'static str,
}

/// What production forbids: the one table, printed by `seaworthy explain production`.
pub const PRODUCTION: [Forbidden; 6] = [
    Forbidden {
        what: "the process engine",
        why: "it isolates nothing",
        by: "process-engine-in-production; the planner refuses",
    },
    Forbidden {
        what: "a development key store",
        why: "it keeps its keys unsealed, in memory",
        by: "development-key-store",
    },
    Forbidden {
        what: "a development root token",
        why: "a token that stands in a file opens every key",
        by: "dev-token-in-production",
    },
    Forbidden {
        what: "an unpinned remote host",
        why: "a plan would go to whoever answers; a local socket counts as pinned",
        by: "the command line: it knows no remote host yet",
    },
    Forbidden {
        what: "a backup without recipients",
        why: "the only key that opens it burns with the host",
        by: "missing-recipients",
    },
    Forbidden {
        what: "an error among the findings",
        why: "what is known to be wrong is not put to work",
        by: "preflight, before every deploy",
    },
];

/// Variables that hold the root token of a development store.
const TOKEN_VARIABLES: [&str; 2] = ["BAO_DEV_ROOT_TOKEN_ID", "VAULT_DEV_ROOT_TOKEN_ID"];

fn dev_token(input: &Input<'_>) -> Vec<Seen> {
    let token = input.shape.key_store().and_then(|(_, transit)| transit.dev_token.clone());
    let is_token = |text: &Text| {
        let value = input.value(text).map(|value| value.text);
        token.is_some() && value == token
    };
    let mut seen = Vec::new();
    for (name, service) in input.services() {
        for (variable, text) in &service.environment {
            let Some(text) = text else { continue };
            let named = TOKEN_VARIABLES.contains(&variable.as_str());
            if named || is_token(text) {
                let message = format!("{variable} of `{name}` is the root token of a development key store");
                let below = format!("/environment/{}", escape(variable));
                seen.push(Seen::in_service(name, &below, message, variable));
            }
        }
    }
    seen
}

fn development_key_store(input: &Input<'_>) -> Vec<Seen> {
    let mut seen = Vec::new();
    for (name, service) in input.services() {
        let is_store = known::store(input.shape, name, service) == Some(Store::Keys);
        let words = service.command.iter().chain(&service.entrypoint).flatten();
        let asked =
            words.filter_map(Text::as_literal).any(|word| word == "-dev" || word.starts_with("-dev-"));
        if is_store && asked {
            let message = format!("`{name}` is started in development mode");
            seen.push(Seen::in_service(name, "/command", message, "command"));
        }
        let answers = input.facts.and_then(|facts| facts.key_stores.get(name));
        if answers.is_some_and(|store| store.development) {
            let message = format!("`{name}` says that it is a development key store");
            seen.push(Seen::in_service(name, "", message, "running"));
        }
    }
    seen
}

fn process_engine(input: &Input<'_>) -> Vec<Seen> {
    let message = format!("shape `{}` is production and would run on the process engine", input.shape.name);
    let process = input.engine == EngineKind::Process;
    process.then(|| Seen::in_stack("/stack/engine", message, "process")).into_iter().collect()
}

fn loose_origin(input: &Input<'_>) -> Vec<Seen> {
    let loose = |origin: &String| {
        let why = looseness(origin)?;
        Some(Seen::in_stack("", format!("origin `{origin}` {why}"), origin))
    };
    input.shape.origins.iter().filter_map(loose).collect()
}

/// What is wrong with an origin, where something is.
fn looseness(origin: &str) -> Option<&'static str> {
    if origin.contains('*') {
        return Some("lets anybody in");
    }
    let Some(rest) = origin.strip_prefix("https://") else { return Some("is not `https://`") };
    let authority = rest.split('/').next().unwrap_or_default();
    let host = authority.strip_prefix('[').and_then(|ip| ip.split(']').next());
    let host = host.unwrap_or_else(|| authority.split(':').next().unwrap_or_default());
    let own = host == "localhost" || host.parse::<std::net::IpAddr>().is_ok_and(|ip| ip.is_loopback());
    own.then_some("is the machine of whoever opens it")
}
