//! The signed record of a drill or a restore: written from the journal alone, so that it is the same whoever writes it
//! again after a crash.

use backup::{
    CanaryProof, CountProof, Evidence, Ladder, ObjectSize, PhaseTime, ProbeProof, RecoveryPoint,
    SignedEvidence,
};
use plan::{
    Action, Output, RestorePart, Step,
    set::{Manifest, SetId},
};

use super::LiveWorld;
use crate::{SoFar, StepError};

impl LiveWorld {
    pub(super) fn write_evidence(&self, set: &SetId, so_far: SoFar<'_>) -> Result<Output, StepError> {
        let (manifest, manifest_sha256) = verified(so_far)
            .ok_or_else(|| StepError::failed(format!("set {set} was not verified by this run")))?;
        let shape = self.acted_on()?;
        let phases = phases(so_far);
        let began_at = so_far.progress.times.values().map(|(began, _)| *began).min();
        let began_at = began_at.unwrap_or_else(|| self.clock.now());
        let ended_at = last_end(so_far, |_| true).unwrap_or(began_at);
        let recovered =
            last_end(so_far, |step| matches!(step.action, Action::Probe { .. })).unwrap_or(began_at);
        let millis = |duration: std::time::Duration| u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
        let evidence = Evidence {
            schema: backup::EVIDENCE_SCHEMA.to_owned(),
            set: set.clone(),
            manifest_sha256,
            stack: manifest.stack.clone(),
            shape: manifest.shape.clone(),
            began_at,
            ended_at,
            level: level(so_far),
            phases,
            recovery_point: RecoveryPoint::measure(began_at, manifest.point, newest_heartbeat(so_far)),
            recovery_ms: between(began_at, recovered),
            recovery_point_target_ms: shape.backup.rpo.map(millis),
            recovery_target_ms: shape.backup.rto.map(millis),
            counts: counts(&manifest, so_far),
            canaries: manifest
                .canaries
                .iter()
                .map(|canary| CanaryProof { key: canary.key.clone(), decrypts: true })
                .collect(),
            probes: probes(so_far),
            sizes: manifest
                .objects
                .iter()
                .map(|object| ObjectSize {
                    object: object.name.clone(),
                    plain_bytes: object.plain_bytes,
                    sealed_bytes: object.sealed_bytes,
                })
                .collect(),
            tool: env!("CARGO_PKG_VERSION").to_owned(),
        };
        let signed =
            SignedEvidence::sign(evidence, &self.keyring.signer_fingerprint(), |bytes| self.signature(bytes))
                .map_err(|err| StepError::chain(&err))?;
        let path = signed.write(&self.home.evidence()).map_err(|err| StepError::chain(&err))?;
        Ok(Output::Wrote { path: path.display().to_string() })
    }
}

/// The whole stack ran and answered: L4. Restored and proven by counts and canaries alone: L3.
fn level(so_far: SoFar<'_>) -> Ladder {
    match probes(so_far).is_empty() {
        true => Ladder::L3,
        false => Ladder::L4,
    }
}

fn verified(so_far: SoFar<'_>) -> Option<(Manifest, String)> {
    so_far.progress.done.values().find_map(|output| match output {
        Output::Manifest { manifest, sha256, .. } => Some(((**manifest).clone(), sha256.clone())),
        _ => None,
    })
}

/// Fetch, keys, data, app: each ends with the last step of its kind, and begins where the one before it ended.
fn phases(so_far: SoFar<'_>) -> Vec<PhaseTime> {
    let Some(mut at) = so_far.progress.times.values().map(|(began, _)| *began).min() else {
        return Vec::new();
    };
    let part = |step: &Step, wanted: fn(&RestorePart) -> bool| matches!(&step.action, Action::Restore { part, .. } if wanted(part));
    let ends = [
        ("fetch", last_end(so_far, |step| part(step, |part| matches!(part, RestorePart::Release)))),
        ("keys", last_end(so_far, |step| part(step, |part| matches!(part, RestorePart::Canaries { .. })))),
        ("data", last_end(so_far, |step| part(step, |part| matches!(part, RestorePart::State { .. })))),
        ("app", last_end(so_far, |step| matches!(step.action, Action::Probe { .. }))),
    ];
    let mut phases = Vec::new();
    for (name, end) in ends {
        let Some(end) = end.filter(|end| *end >= at) else { continue };
        phases.push(PhaseTime { name: name.to_owned(), ms: between(at, end) });
        at = end;
    }
    phases
}

fn last_end(so_far: SoFar<'_>, wanted: impl Fn(&Step) -> bool) -> Option<jiff::Timestamp> {
    let steps = so_far.plan.steps.iter().filter(|step| wanted(step));
    steps.filter_map(|step| so_far.progress.times.get(&step.id)?.1).max()
}

fn between(from: jiff::Timestamp, to: jiff::Timestamp) -> u64 {
    u64::try_from(to.as_millisecond() - from.as_millisecond()).unwrap_or(0)
}

fn newest_heartbeat(so_far: SoFar<'_>) -> Option<jiff::Timestamp> {
    let restored = so_far.progress.done.values().filter_map(|output| match output {
        Output::Restored { heartbeat, .. } => *heartbeat,
        _ => None,
    });
    restored.max()
}

fn counts(manifest: &Manifest, so_far: SoFar<'_>) -> Vec<CountProof> {
    let mut proofs = Vec::new();
    for step in &so_far.plan.steps {
        let Action::Restore { service, part: RestorePart::State { .. }, .. } = &step.action else { continue };
        let Some(Output::Restored { counts, .. }) = so_far.progress.done.get(&step.id) else { continue };
        let object = manifest
            .objects
            .iter()
            .find(|object| object.service.as_ref() == Some(service) && !object.counts.is_empty());
        if let Some(object) = object {
            proofs.extend(CountProof::compare(&object.name, &object.counts, counts));
        }
    }
    proofs
}

fn probes(so_far: SoFar<'_>) -> Vec<ProbeProof> {
    let seen = so_far.plan.steps.iter().filter_map(|step| match so_far.progress.done.get(&step.id) {
        Some(Output::Probed { seen, .. }) => Some(seen),
        _ => None,
    });
    seen.flatten()
        .map(|seen| ProbeProof { probe: seen.probe.clone(), saw: seen.saw.clone(), passed: true })
        .collect()
}
