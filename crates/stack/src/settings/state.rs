//! `[state.NAME]` to [`State`]s.

use diag::Diagnostic;

use super::{
    Named, Settings,
    raw::{RawState, RawTransit, SecretType},
};
use crate::{
    names::{SecretName, VolumeKey},
    read::Compose,
    reading::Reading,
    shape::{State, StateKind, Transit},
};

/// Reads what one service holds.
pub(super) fn state(
    reading: &Reading<'_>,
    settings: &Settings,
    named: &Named<RawState>,
    compose: &Compose,
) -> Option<State> {
    let raw = &named.value;
    let kinds = [
        ("postgres", raw.postgres.is_some()),
        ("sqlite", raw.sqlite.is_some()),
        ("transit", raw.transit.is_some()),
        ("discard", raw.discard),
    ];
    let given: Vec<&str> = kinds.iter().filter(|(_, given)| *given).map(|(kind, _)| *kind).collect();
    if given.len() != 1 {
        let message = match given.is_empty() {
            true => format!("the state of `{}` is of no kind", named.name),
            false => format!("the state of `{}` is {} at once", named.name, given.join(" and ")),
        };
        let said = Diagnostic::error("bad-state", message);
        reading.say(named.at, said.hint("give it exactly one of postgres, sqlite, transit, discard = true"));
        return None;
    }
    let kind = if let Some(postgres) = &raw.postgres {
        let user = postgres.user.clone().unwrap_or_else(|| "postgres".to_owned());
        StateKind::Postgres { database: postgres.database.clone(), user }
    } else if let Some(sqlite) = &raw.sqlite {
        let volume = settings.volume(reading, &sqlite.volume, compose);
        StateKind::Sqlite { volume, path: sqlite.path.trim_start_matches('/').to_owned() }
    } else if let Some(raw) = &raw.transit {
        StateKind::Transit(transit(reading, settings, raw, compose))
    } else {
        if raw.reason.as_deref().is_none_or(str::is_empty) {
            let message = format!("the state of `{}` may be lost, and no `reason` says why", named.name);
            let said = Diagnostic::error("missing-key", message);
            reading.say(named.at, said.hint("write it down: `reason = \"a cache: it fills itself\"`"));
        }
        StateKind::Discard { reason: raw.reason.clone().unwrap_or_default() }
    };
    if raw.heartbeat.is_some() && !matches!(kind, StateKind::Postgres { .. } | StateKind::Sqlite { .. }) {
        let message = format!("`heartbeat` of `{}` is SQL, and nothing there understands it", named.name);
        reading.say(named.at, Diagnostic::error("conflict", message).hint("take it out"));
    }
    if raw.reason.is_some() && !raw.discard {
        let message = format!("`reason` of `{}` says why state is lost, and it is captured", named.name);
        reading.say(named.at, Diagnostic::error("conflict", message).hint("take it out"));
    }
    Some(State { kind, heartbeat: raw.heartbeat.clone() })
}

fn transit(reading: &Reading<'_>, settings: &Settings, raw: &RawTransit, compose: &Compose) -> Transit {
    let shares = raw.shares.unwrap_or(5);
    let threshold = raw.threshold.as_ref().map_or(3.min(shares), |threshold| *threshold.get_ref());
    if threshold == 0 || threshold > shares || (threshold == 1 && shares > 1) {
        let said = Diagnostic::error(
            "bad-shares",
            format!("{threshold} of {shares} shares cannot unseal a key store"),
        );
        let at = settings.spot(raw.threshold.as_ref().map(toml::Spanned::span));
        reading.say(at, said.hint("take a threshold from 2 to the number of shares, such as 3 of 5"));
    }
    if !raw.holders.is_empty() && raw.holders.len() != usize::from(shares) {
        let message = format!("there are {shares} shares and {} holders", raw.holders.len());
        let said = Diagnostic::error("bad-shares", message);
        let at = settings.spot(Some(raw.credential.span()));
        reading.say(at, said.hint("name one recipient for each share, or none: then shares are shown once"));
    }
    let name = raw.credential.get_ref();
    let at = settings.spot(Some(raw.credential.span()));
    match settings.secrets.iter().find(|secret| secret.name == *name) {
        None => {
            let said = Diagnostic::error("unknown-secret", format!("`{name}` is not declared in [secret]"));
            reading.say(at, said.hint(format!("add `{name} = \"approle\"` to [secret]")));
        }
        Some(secret) if secret.value.r#type != Some(SecretType::Approle) => {
            let said = Diagnostic::error("wrong-type", format!("the secret `{name}` is not of type approle"));
            reading.say(at, said.hint("the key store issues this secret: its type must be `approle`"));
        }
        Some(_) => {}
    }
    Transit {
        key: raw.key.clone(),
        port: raw.port.unwrap_or(8200),
        shares,
        threshold,
        holders: raw.holders.clone(),
        credential: SecretName::new(name),
        volume: raw.volume.as_ref().map(|volume| settings.volume(reading, volume, compose)),
        dev_token: raw.dev_token.clone(),
    }
}

impl Settings {
    /// A volume that Compose has; one that it does not have is said.
    fn volume(&self, reading: &Reading<'_>, name: &toml::Spanned<String>, compose: &Compose) -> VolumeKey {
        if !compose.declared_volumes.contains(name.get_ref()) {
            let known = compose.declared_volumes.iter().map(String::as_str);
            let said = super::apply::not_in_compose("volume", name.get_ref(), known);
            reading.say(self.spot(Some(name.span())), said);
        }
        VolumeKey::new(name.get_ref())
    }
}
