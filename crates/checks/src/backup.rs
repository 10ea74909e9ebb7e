//! Backups: what would be lost, and what could not be read again.

use stack::{MountSource, ServiceName, StateKind, VolumeKey};

use crate::{
    check::{Check, Level, Mode, Reach},
    input::{Input, Seen, escape},
    known::{self, Store},
};

pub(crate) const CHECKS: [Check; 5] = [
    Check {
        id: "volume-not-backed-up",
        catalogue: Some("BAK-001"),
        level: Level::Critical,
        production: Reach::Everywhere,
        mode: Mode::Static,
        what: "a volume that a service writes to belongs to no declared state",
        why: "nobody finds out before it is lost",
        fix: "declare it in `[state.SERVICE]`, or write down why it may be lost: `discard = true, reason = \"…\"`",
        source: "CIS Controls 11.2",
        requirements: &["A32"],
        look: volume_not_backed_up,
    },
    Check {
        id: "keys-not-in-set",
        catalogue: Some("BAK-004"),
        level: Level::Critical,
        production: Reach::Everywhere,
        mode: Mode::Static,
        what: "data is backed up and the key store that opens it is not",
        why: "the backup is there and cannot be read",
        fix: "declare the key store: `[state.NAME] transit = { key = \"…\", credential = \"…\" }`",
        source: "ISO 27001 A.8.13",
        requirements: &["A32"],
        look: keys_not_in_set,
    },
    Check {
        id: "keys-without-snapshot",
        catalogue: None,
        level: Level::Medium,
        production: Reach::Everywhere,
        mode: Mode::Static,
        what: "the key store of a set runs in development mode",
        why: "it keeps its keys in memory and has no snapshot: `backup` refuses, and a restart loses them",
        fix: "run it sealed, with raft storage of its own, in the shape that is backed up; `seaworthy bootstrap` initialises it",
        source: "Vault, integrated storage snapshots",
        requirements: &[],
        look: keys_without_snapshot,
    },
    Check {
        id: "no-backup-target",
        catalogue: None,
        level: Level::Medium,
        production: Reach::Heavier(Level::High),
        mode: Mode::Static,
        what: "state is declared and no target takes its sets",
        why: "there is nothing to restore from",
        fix: "set `[backup] to = [\"/mnt/backups\"]`",
        source: "CIS Controls 11.2",
        requirements: &[],
        look: no_target,
    },
    Check {
        id: "missing-recipients",
        catalogue: Some("BAK-011"),
        level: Level::High,
        production: Reach::ProductionOnly,
        mode: Mode::Static,
        what: "sets are sealed to no recipient outside the host",
        why: "the only key that opens them burns with the host",
        fix: "make a key elsewhere with `age-keygen` and set `[backup] recipients = [\"age1…\"]`",
        source: "CIS Controls 11.3",
        requirements: &[],
        look: missing_recipients,
    },
];

fn volume_not_backed_up(input: &Input<'_>) -> Vec<Seen> {
    let unclaimed = input.shape.volumes.keys().filter(|volume| !is_claimed(input, volume));
    unclaimed
        .filter_map(|volume| {
            let writer = writers(input, volume).next()?;
            let message =
                format!("volume `{volume}`, which `{writer}` writes to, belongs to no declared state");
            Some(Seen::in_stack(&format!("/volumes/{}", escape(volume.as_str())), message, volume.as_str()))
        })
        .collect()
}

fn writers<'a>(input: &Input<'a>, volume: &VolumeKey) -> impl Iterator<Item = &'a ServiceName> {
    input.services().filter_map(move |(name, service)| {
        let writes = service.mounts.iter().any(|mount| {
            matches!(&mount.source, MountSource::Volume { volume: mounted, .. } if mounted == volume)
                && !mount.read_only
        });
        writes.then_some(name)
    })
}

/// True when a state names the volume, or a service that writes to it has declared its state.
fn is_claimed(input: &Input<'_>, volume: &VolumeKey) -> bool {
    let named = input.shape.states.values().any(|state| match &state.kind {
        StateKind::Sqlite { volume: named, .. } => named == volume,
        StateKind::Transit(transit) => transit.volume.as_ref() == Some(volume),
        StateKind::Postgres { .. } | StateKind::Discard { .. } => false,
    });
    named
        || writers(input, volume).any(|name| {
            let kind = input.shape.states.get(name).map(|state| &state.kind);
            matches!(
                kind,
                Some(StateKind::Postgres { .. } | StateKind::Discard { .. } | StateKind::Transit(_))
            )
        })
}

fn keys_not_in_set(input: &Input<'_>) -> Vec<Seen> {
    let captured = input
        .shape
        .states
        .values()
        .any(|state| matches!(state.kind, StateKind::Postgres { .. } | StateKind::Sqlite { .. }));
    if !captured {
        return Vec::new();
    }
    let undeclared = input.services().filter(|(name, service)| {
        let declared = input.shape.states.get(*name).map(|state| &state.kind);
        known::store(input.shape, name, service) == Some(Store::Keys)
            && !matches!(declared, Some(StateKind::Transit(_)))
    });
    undeclared
        .map(|(name, _)| {
            let message = format!("`{name}` is a key store, and a set would hold data without its keys");
            Seen::in_service(name, "", message, "keys")
        })
        .collect()
}

fn keys_without_snapshot(input: &Input<'_>) -> Vec<Seen> {
    let Some((name, transit)) = input.shape.key_store() else { return Vec::new() };
    let Some(service) = input.shape.services.get(name) else { return Vec::new() };
    let token = transit.dev_token.as_ref();
    let has_token = service
        .environment
        .values()
        .flatten()
        .any(|text| token.is_some() && input.value(text).map(|value| value.text).as_ref() == token);
    let in_memory = input
        .facts
        .and_then(|facts| facts.key_stores.get(name))
        .map_or(has_token || known::is_started_for_development(service), |seen| !seen.snapshots);
    let message = format!("`{name}` runs in development mode, and no set can hold its keys");
    in_memory.then(|| Seen::in_service(name, "", message, "keys")).into_iter().collect()
}

fn captures_anything(input: &Input<'_>) -> bool {
    input.shape.states.values().any(|state| !matches!(state.kind, StateKind::Discard { .. }))
}

fn no_target(input: &Input<'_>) -> Vec<Seen> {
    let message = "state is declared, and `[backup] to` names no target".to_owned();
    let missing = captures_anything(input) && input.shape.backup.to.is_empty();
    missing.then(|| Seen::in_stack("/backup", message, "to")).into_iter().collect()
}

fn missing_recipients(input: &Input<'_>) -> Vec<Seen> {
    let message = "`[backup] recipients` is empty: only this host could open its sets".to_owned();
    let missing = captures_anything(input) && input.shape.backup.recipients.is_empty();
    missing.then(|| Seen::in_stack("/backup", message, "recipients")).into_iter().collect()
}
