//! Writes one set: referrers first, keys last, and one signed manifest that makes it exist.

use diag::{Diagnostic, Stop};
use stack::{ServiceName, Shape, State, StateKind};

use crate::{
    Action, Facts, Interrupted, KeyStep, Phase, Plan, Policy, Verb,
    bootstrap::is_captured,
    prune::Pruning,
    refusal::{is_for_development, refuse_ground},
    set::SetId,
    steps::Steps,
};

/// Plans a backup of everything the shape declares as state, together with the keys that open it.
///
/// # Errors
/// When nothing is declared, a target is missing, or what holds state does not run.
pub fn backup(shape: &Shape, facts: &Facts, policy: &Policy) -> Result<Plan, Stop> {
    let captured: Vec<(&ServiceName, &State)> =
        shape.states.iter().filter(|(_, state)| is_captured(&state.kind)).collect();
    refuse_ground(shape, facts, policy)?;
    refuse_unready(shape, facts, &captured)?;
    let set = SetId::new(policy.seed);
    let mut plan = Plan::empty(Verb::Backup, shape, facts, policy);
    plan.interrupted = Interrupted::Unwinds;
    plan.set = Some(set.clone());
    plan.release = facts.current;
    let mut steps = Steps::default();
    steps
        .add(
            "check",
            "targets",
            Action::CheckTargets { set: set.clone() },
            &["a set that cannot be kept is not begun".to_owned()],
        )
        .undone_by([Action::AbandonSet { set: set.clone() }]);
    let keys = |step: KeyStep| {
        let (service, transit) = shape.key_store()?;
        let container = shape.container_name(service);
        let action = Action::Keys { service: service.clone(), container, transit: transit.clone(), step };
        Some((service.to_string(), action))
    };
    if let Some((subject, action)) = keys(KeyStep::List { set: set.clone(), after: false }) {
        steps.add("list", &subject, action, &["keys before the first capture".to_owned()]);
    }
    let (stores, others): (Vec<_>, Vec<_>) =
        captured.into_iter().partition(|(_, state)| matches!(state.kind, StateKind::Transit(_)));
    for (service, state) in others {
        let why = format!("`[state.{service}]` declares it");
        steps.add("capture", service.as_str(), capture(shape, &set, service, state), &[why]);
    }
    if let Some((subject, action)) = keys(KeyStep::Canary { set: set.clone() }) {
        steps.add(
            "canary",
            &subject,
            action,
            &["a restore must prove that these keys open this data".to_owned()],
        );
    }
    for (service, state) in stores {
        let why = "keys come last: none that the data needs can be missing".to_owned();
        steps.add("capture", service.as_str(), capture(shape, &set, service, state), &[why]);
    }
    if let Some((subject, action)) = keys(KeyStep::List { set: set.clone(), after: true }) {
        steps.add("list", &subject, action, &["no key may have gone in between".to_owned()]);
    }
    let action = Action::CaptureRelease { set: set.clone(), release: facts.current };
    steps.add("capture", "release", action, &["losing the state directory must lose nothing".to_owned()]);
    steps.add(
        "commit",
        &set.0,
        Action::CommitSet { set: set.clone() },
        &["before this instant no set exists".to_owned()],
    );
    plan.not_done = discarded(shape);
    let Pruning { removed, kept } = Pruning::decide(shape, facts);
    for (old, why) in removed {
        let action = Action::PruneSet { set: old.clone() };
        steps.add("prune", &old.0, action, &[why]).forgiving().destroying(&old.0);
        plan.permits.push(old.0);
    }
    plan.not_done.extend(kept);
    plan.steps = steps.finish();
    Ok(plan)
}

fn capture(shape: &Shape, set: &SetId, service: &ServiceName, state: &State) -> Action {
    Action::Capture {
        set: set.clone(),
        service: service.clone(),
        container: shape.container_name(service),
        state: state.clone(),
    }
}

fn discarded(shape: &Shape) -> Vec<String> {
    shape
        .states
        .iter()
        .filter_map(|(service, state)| match &state.kind {
            StateKind::Discard { reason } => Some(format!("{service} is not captured: {reason}")),
            _ => None,
        })
        .collect()
}

fn refuse_unready(shape: &Shape, facts: &Facts, captured: &[(&ServiceName, &State)]) -> Result<(), Stop> {
    let mut said = Vec::new();
    if captured.is_empty() {
        said.push(
            Diagnostic::error("nothing-to-back-up", "no service is declared to hold state")
                .hint("write a `[state.NAME]` table for each service that holds data"),
        );
    }
    if shape.backup.to.is_empty() {
        said.push(
            Diagnostic::error("no-target", "`[backup] to` names no target").hint("to = [\"/mnt/backups\"]"),
        );
    }
    if shape.production && shape.backup.recipients.is_empty() {
        said.push(
            Diagnostic::error(
                "no-recipients",
                "`[backup] recipients` is empty, and this shape is marked production",
            )
            .hint(
                "age-keygen -o identity.txt; keep it off this host, and put its public key into `recipients`",
            ),
        );
    }
    for (service, state) in captured {
        if matches!(state.kind, StateKind::Transit(_)) && !gives_snapshots(shape, facts, service) {
            let message = format!("`{service}` runs in development mode, and no set can hold its keys");
            said.push(
                Diagnostic::error("keys-without-snapshot", message)
                    .hint("seaworthy explain keys-without-snapshot"),
            );
            continue;
        }
        let name = shape.container_name(service);
        let seen = facts.containers.iter().find(|seen| seen.name == name);
        if !seen.is_some_and(|seen| matches!(seen.phase, Phase::Running { .. })) {
            said.push(
                Diagnostic::error("not-running", format!("`{service}` holds state and does not run"))
                    .hint("seaworthy deploy"),
            );
        } else if facts.key_stores.get(*service).is_some_and(|store| store.sealed) {
            said.push(
                Diagnostic::error("sealed", format!("`{service}` is sealed"))
                    .hint("seaworthy deploy --shares FILE"),
            );
        }
    }
    if said.is_empty() { Ok(()) } else { Err(Stop { exit: diag::Exit::Precondition, diagnostics: said }) }
}

/// Whether a key store can be captured: by its own word, else by how it is started.
fn gives_snapshots(shape: &Shape, facts: &Facts, store: &ServiceName) -> bool {
    facts.key_stores.get(store).map_or(!is_for_development(shape, store), |seen| seen.snapshots)
}
