//! Sets: objects, one manifest that makes them exist, and the way back.

use plan::{
    Action, Output, Phase, RestorePart,
    set::{Role, SetId},
};
use stack::{ServiceName, StateKind};

use super::{
    Refusal,
    objects::object,
    state::{Data, State},
};

impl State {
    pub(crate) fn sets(&mut self, action: &Action) -> Result<Output, String> {
        match action {
            Action::CheckTargets { .. } if self.targets_full => Err("no space left on the target".to_owned()),
            Action::CheckTargets { .. } => Ok(Output::None),
            Action::Capture { set, service, container, state } => {
                self.capture(set, service, container, &state.kind)
            }
            Action::CaptureRelease { set, release } => self.capture_release(set, *release),
            Action::CommitSet { set } => self.commit(set),
            Action::AbandonSet { set } => {
                if self.sets.get(set).is_some_and(|kept| kept.manifest.is_none()) {
                    self.sets.remove(set);
                }
                Ok(Output::None)
            }
            Action::PruneSet { set } => {
                Ok(if self.sets.remove(set).is_some() { Output::None } else { Output::Unchanged })
            }
            Action::VerifySet { set } => {
                let kept = self.committed(set)?;
                if kept.damaged {
                    return Err(format!("set {set}: an object's hash is not what its manifest says"));
                }
                manifest_output(set, kept)
            }
            Action::WriteEvidence { set, .. } => {
                if !self.evidence.contains(set) {
                    self.evidence.push(set.clone());
                }
                Ok(Output::Wrote { path: format!("evidence/{set}.json") })
            }
            other => Err(format!("not of a set: {other:?}")),
        }
    }

    fn capture(
        &mut self,
        set: &SetId,
        service: &ServiceName,
        container: &str,
        kind: &StateKind,
    ) -> Result<Output, String> {
        self.refuse_full()?;
        let role = match kind {
            StateKind::Postgres { .. } => Role::Postgres,
            StateKind::Sqlite { .. } => Role::Sqlite,
            StateKind::Transit(_) => {
                self.open_ring(service, container)?;
                Role::KeyStore
            }
            StateKind::Discard { .. } => return Ok(Output::Objects { objects: Vec::new() }),
        };
        let runs = self
            .containers
            .get(container)
            .is_some_and(|made| matches!(self.phase(made), Phase::Running { .. }));
        if !runs && role != Role::Sqlite {
            return Err(format!("`{service}` does not run"));
        }
        let data = self.data_seen(container).cloned().unwrap_or_default();
        let made = object(role, Some(service), &data, self.now);
        let kept = self.sets.entry(set.clone()).or_default();
        kept.data.insert(service.clone(), data);
        Ok(Output::Objects { objects: vec![kept.put(made)] })
    }

    fn capture_release(&mut self, set: &SetId, release: Option<u64>) -> Result<Output, String> {
        self.refuse_full()?;
        let place = self.place().clone();
        let found = release.map(|number| {
            place.releases.get(&number).cloned().ok_or_else(|| format!("there is no release {number}"))
        });
        let found = found.transpose()?;
        let now = self.now;
        let kept = self.sets.entry(set.clone()).or_default();
        let mut objects = vec![kept.put(object(Role::Secrets, None, &Data::default(), now))];
        if found.is_some() {
            objects.push(kept.put(object(Role::Release, None, &Data::default(), now)));
        }
        kept.secrets = place.secrets;
        kept.release = found;
        Ok(Output::Objects { objects })
    }

    fn refuse_full(&self) -> Result<(), String> {
        if self.targets_full { Err("no space left on the target".to_owned()) } else { Ok(()) }
    }

    /// Create-only: a set that was committed stays as it is.
    fn commit(&mut self, set: &SetId) -> Result<Output, String> {
        self.refuse_full()?;
        let kept = self.sets.get(set).ok_or_else(|| format!("nothing was captured for set {set}"))?;
        if kept.manifest.is_none() {
            let manifest = self.manifest(set, kept);
            if manifest.keys_at.is_some_and(|keys_at| keys_at < manifest.point) {
                return Err("the key store was captured before the data".to_owned());
            }
            if let Some(kept) = self.sets.get_mut(set) {
                kept.manifest = Some(manifest);
            }
        }
        manifest_output(set, &self.sets[set])
    }

    fn committed(&self, set: &SetId) -> Result<&super::state::Kept, String> {
        let kept = self.sets.get(set).filter(|kept| kept.manifest.is_some());
        kept.ok_or_else(|| format!("there is no set {set}"))
    }

    pub(crate) fn restore_secrets(&mut self, set: &SetId) -> Result<Output, String> {
        let secrets = self.committed(set)?.secrets.clone();
        self.place().secrets.extend(secrets);
        Ok(Output::None)
    }

    pub(crate) fn restore_release(&mut self, set: &SetId) -> Result<Output, String> {
        let Some(mut release) = self.committed(set)?.release.clone() else { return Ok(Output::Unchanged) };
        release.shape.stack = self.acting_on.clone();
        self.place().releases.insert(release.number, release);
        Ok(Output::None)
    }

    /// Brings back what a service holds. Data moves only where the canaries decrypt.
    pub(crate) fn restore(
        &mut self,
        set: &SetId,
        service: &ServiceName,
        container: &str,
        part: &RestorePart,
    ) -> Result<Output, Refusal> {
        let kept = self.committed(set)?.clone();
        match part {
            RestorePart::KeyStore { transit } => {
                self.know_key_store(service, transit);
                let ring = self.kept_data(&kept.data, service, set)?.ring;
                let data = self.data_of(container).ok_or_else(|| format!("no container `{container}`"))?;
                data.ring = ring;
                self.made(container)?.sealed = transit.dev_token.is_none();
                self.unseal(service, container)?;
                Ok(Output::None)
            }
            RestorePart::Canaries { .. } => {
                let ring = self.open_ring(service, container)?;
                match kept.canary {
                    Some((number, canary)) if number == ring.number => {
                        Ok(Output::Canaries { canaries: vec![canary] })
                    }
                    Some(_) => {
                        Err(Refusal::Failed("the canary does not decrypt: these are other keys".into()))
                    }
                    None => Err(Refusal::Failed(format!("set {set} holds no canary"))),
                }
            }
            RestorePart::State { .. } => {
                let from = self.kept_data(&kept.data, service, set)?;
                let data = self.data_of(container).ok_or_else(|| format!("no container `{container}`"))?;
                data.rows = from.rows;
                data.heartbeat = from.heartbeat;
                Ok(Output::Restored { counts: data.rows.clone(), heartbeat: data.heartbeat })
            }
        }
    }

    fn kept_data(
        &self,
        data: &std::collections::BTreeMap<ServiceName, Data>,
        service: &ServiceName,
        set: &SetId,
    ) -> Result<Data, String> {
        data.get(service).cloned().ok_or_else(|| format!("set {set} holds nothing of `{service}`"))
    }
}

fn manifest_output(set: &SetId, kept: &super::state::Kept) -> Result<Output, String> {
    let manifest = kept.manifest.clone().ok_or_else(|| format!("there is no set {set}"))?;
    let (sha256, target) = (format!("sha256 of {set}"), "model".to_owned());
    Ok(Output::Manifest { manifest: Box::new(manifest), sha256, target })
}
