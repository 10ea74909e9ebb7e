//! What a drill proved: the fold of its journal. What the journal does not tell was not tried, and is not claimed.

use stack::ServiceName;

use crate::{
    Action, Effect, Output, Plan, Progress, RestorePart, Step,
    proof::{
        CanaryProof, CountProof, EVIDENCE_SCHEMA, Evidence, Gap, Goal, Ladder, ObjectSize, PhaseTime,
        ProbeProof, RecoveryPoint,
    },
    set::{Canary, Manifest, Object, Role},
};

/// What a run proved of the set it verified, as far as it had come before its evidence was written; `None` where it
/// writes none, or has verified nothing.
///
/// The same before and after the evidence is written, whatever comes later: whoever writes it again after a crash
/// writes the same.
pub fn evidence(plan: &Plan, progress: &Progress) -> Option<Evidence> {
    let (at, goal) = plan.steps.iter().enumerate().find_map(|(at, step)| match &step.action {
        Action::WriteEvidence { goal, .. } => Some((at, goal)),
        _ => None,
    })?;
    let told = Told { steps: &plan.steps[..at], progress };
    let (manifest, manifest_sha256) = told.verified()?;
    let (began_at, ended_at) = (told.began_at()?, told.last_end(|_| true)?);
    let (counts, tried) = (told.counts(manifest), told.canaries());
    let not_proven = told.gaps(manifest, goal);
    let millis = |duration: std::time::Duration| u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
    Some(Evidence {
        schema: EVIDENCE_SCHEMA.to_owned(),
        set: manifest.set.clone(),
        manifest_sha256: manifest_sha256.to_owned(),
        stack: manifest.stack.clone(),
        shape: manifest.shape.clone(),
        began_at,
        ended_at,
        level: level(goal, &counts, &not_proven),
        not_proven,
        phases: told.phases(began_at),
        recovery_point: RecoveryPoint::measure(began_at, manifest.point, told.newest_heartbeat()),
        recovery_ms: between(began_at, told.last_end(brings_back).unwrap_or(began_at)),
        recovery_point_target_ms: goal.rpo.map(millis),
        recovery_target_ms: goal.rto.map(millis),
        counts,
        canaries: tried.map(|canary| CanaryProof { key: canary.key.clone(), decrypts: true }).collect(),
        probes: told.probes(),
        sizes: manifest.objects.iter().map(size).collect(),
        tool: plan.tool.clone(),
    })
}

/// The ladder of a set that was verified whole: every object's hash was checked, and every one decoded once.
fn level(goal: &Goal, counts: &[CountProof], not_proven: &[Gap]) -> Ladder {
    if not_proven.iter().any(Gap::is_of_the_set) || !counts.iter().all(CountProof::holds) {
        Ladder::L2
    } else if goal.services.is_empty() || !not_proven.is_empty() {
        Ladder::L3
    } else {
        Ladder::L4
    }
}

/// The steps before the evidence, and what the journal tells of them.
struct Told<'a> {
    steps: &'a [Step],
    progress: &'a Progress,
}

impl<'a> Told<'a> {
    /// Steps that came to their end, each with what it put out.
    fn done(&self) -> impl Iterator<Item = (&'a Step, &'a Output)> {
        let (steps, done) = (self.steps, &self.progress.done);
        steps.iter().filter_map(|step| Some((step, done.get(&step.id)?)))
    }

    fn verified(&self) -> Option<(&'a Manifest, &'a str)> {
        self.done().find_map(|(step, output)| match (&step.action, output) {
            (Action::VerifySet { .. }, Output::Manifest { manifest, sha256, .. }) => {
                Some((manifest.as_ref(), sha256.as_str()))
            }
            _ => None,
        })
    }

    /// Canaries that decrypted after the restore: those made at capture are of another run.
    fn canaries(&self) -> impl Iterator<Item = &'a Canary> {
        let tried = self.done().filter_map(|(step, output)| match (&step.action, output) {
            (Action::Restore { part: RestorePart::Canaries { .. }, .. }, Output::Canaries { canaries }) => {
                Some(canaries)
            }
            _ => None,
        });
        tried.flatten()
    }

    fn counts(&self, manifest: &Manifest) -> Vec<CountProof> {
        let restored = self.done().filter_map(|(step, output)| match (&step.action, output) {
            (
                Action::Restore { service, part: RestorePart::State { .. }, .. },
                Output::Restored { counts, .. },
            ) => Some((service, counts)),
            _ => None,
        });
        let proofs = restored.filter_map(|(service, counts)| {
            let mut objects = manifest.objects.iter();
            let object = objects
                .find(|object| object.service.as_ref() == Some(service) && !object.counts.is_empty())?;
            Some(CountProof::compare(&object.name, &object.counts, counts))
        });
        proofs.flatten().collect()
    }

    fn probes(&self) -> Vec<ProbeProof> {
        let seen = self.done().filter_map(|(_, output)| match output {
            Output::Probed { seen, .. } => Some(seen),
            _ => None,
        });
        seen.flatten()
            .map(|seen| ProbeProof { probe: seen.probe.clone(), saw: seen.saw.clone(), passed: true })
            .collect()
    }

    /// Everything that was not tried, keys and data first.
    fn gaps(&self, manifest: &Manifest, goal: &Goal) -> Vec<Gap> {
        let tried: Vec<&Canary> = self.canaries().collect();
        let canaries = manifest.canaries.iter().filter(|canary| !tried.contains(canary));
        let objects = manifest.objects.iter().filter(|object| !self.is_brought_back(object));
        let services = goal.services.iter().filter_map(|service| self.gap_of(service));
        canaries
            .map(|canary| Gap::Canary { key: canary.key.clone() })
            .chain(objects.map(|object| Gap::Object { object: object.name.clone() }))
            .chain(services)
            .collect()
    }

    fn is_brought_back(&self, object: &Object) -> bool {
        let of = object.service.as_ref();
        self.done().any(|(step, _)| match (&step.action, object.role) {
            (
                Action::Restore { service, part: RestorePart::State { .. }, .. },
                Role::Postgres | Role::PostgresGlobals | Role::Sqlite,
            )
            | (Action::Restore { service, part: RestorePart::KeyStore { .. }, .. }, Role::KeyStore) => {
                of == Some(service)
            }
            (Action::RestoreSecrets { .. }, Role::Secrets)
            | (Action::RestoreRelease { .. }, Role::Release) => true,
            _ => false,
        })
    }

    fn gap_of(&self, service: &ServiceName) -> Option<Gap> {
        let service = service.clone();
        match (self.has_started(&service), self.has_answered(&service)) {
            (false, _) => Some(Gap::NotStarted { service }),
            (true, false) => Some(Gap::NotAsked { service }),
            (true, true) => None,
        }
    }

    fn has_started(&self, service: &ServiceName) -> bool {
        self.done().any(|(step, _)| match &step.action {
            Action::Engine { effect: Effect::Start { container } } => self.is_of(container, service),
            _ => false,
        })
    }

    /// Whether it was asked something that only a service which works can answer: a probe or health check of its own,
    /// the rows of a dump, the canaries of its keys, or its end where it runs once. That it runs is no answer.
    fn has_answered(&self, service: &ServiceName) -> bool {
        self.done().any(|(step, _)| match &step.action {
            Action::Probe { service: asked, probes, .. } => {
                asked == service && (!probes.is_empty() || self.has_health_check(service))
            }
            Action::Watch { subjects, .. } => subjects.iter().any(|(asked, _, probes)| {
                asked == service && (!probes.is_empty() || self.has_health_check(service))
            }),
            Action::AwaitExit { container, .. } => self.is_of(container, service),
            Action::Restore { service: asked, part: RestorePart::Canaries { .. }, .. } => asked == service,
            // A file is put back before its program opens it: the program has not been asked by that.
            Action::Restore { service: asked, part: RestorePart::State { state }, .. } => {
                asked == service && matches!(state.kind, stack::StateKind::Postgres { .. })
            }
            _ => false,
        })
    }

    fn made(&self) -> impl Iterator<Item = &'a crate::Container> {
        self.steps.iter().filter_map(|step| match &step.action {
            Action::Engine { effect: Effect::Create { container } } => Some(container.as_ref()),
            _ => None,
        })
    }

    fn is_of(&self, container: &str, service: &ServiceName) -> bool {
        self.made().any(|made| made.name == container && made.service == *service)
    }

    fn has_health_check(&self, service: &ServiceName) -> bool {
        let mut made = self.made().filter(|made| made.service == *service);
        made.any(|made| {
            let check = made.settings.healthcheck.as_ref();
            let first = check.and_then(|check| check.test.first()).map(ToString::to_string);
            first.is_some_and(|first| first != "NONE")
        })
    }

    fn began_at(&self) -> Option<jiff::Timestamp> {
        self.steps.iter().filter_map(|step| Some(self.progress.times.get(&step.id)?.0)).min()
    }

    fn last_end(&self, wanted: impl Fn(&Action) -> bool) -> Option<jiff::Timestamp> {
        let steps = self.steps.iter().filter(|step| wanted(&step.action));
        steps.filter_map(|step| self.progress.times.get(&step.id)?.1).max()
    }

    /// Fetch, keys, data, app: each ends with the last step of its kind, and begins where the one before it ended.
    fn phases(&self, began_at: jiff::Timestamp) -> Vec<PhaseTime> {
        let ends = [
            ("fetch", self.last_end(|action| matches!(action, Action::RestoreRelease { .. }))),
            (
                "keys",
                self.last_end(|action| is_part(action, |part| matches!(part, RestorePart::Canaries { .. }))),
            ),
            (
                "data",
                self.last_end(|action| is_part(action, |part| matches!(part, RestorePart::State { .. }))),
            ),
            ("app", self.last_end(|action| matches!(action, Action::Probe { .. }))),
        ];
        let mut at = began_at;
        let mut phases = Vec::new();
        for (name, end) in ends {
            let Some(end) = end.filter(|end| *end >= at) else { continue };
            phases.push(PhaseTime { name: name.to_owned(), ms: between(at, end) });
            at = end;
        }
        phases
    }

    fn newest_heartbeat(&self) -> Option<jiff::Timestamp> {
        let found = self.done().filter_map(|(_, output)| match output {
            Output::Restored { heartbeat, .. } => *heartbeat,
            _ => None,
        });
        found.max()
    }
}

/// Steps after which something is there again: the last of them ends the recovery.
fn brings_back(action: &Action) -> bool {
    matches!(action, Action::Restore { .. } | Action::Probe { .. } | Action::AwaitExit { .. })
}

fn is_part(action: &Action, wanted: fn(&RestorePart) -> bool) -> bool {
    matches!(action, Action::Restore { part, .. } if wanted(part))
}

fn size(object: &Object) -> ObjectSize {
    ObjectSize {
        object: object.name.clone(),
        plain_bytes: object.plain_bytes,
        sealed_bytes: object.sealed_bytes,
    }
}

fn between(from: jiff::Timestamp, to: jiff::Timestamp) -> u64 {
    u64::try_from(to.as_millisecond() - from.as_millisecond()).unwrap_or(0)
}
