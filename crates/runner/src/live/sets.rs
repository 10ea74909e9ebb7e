//! Writing a set: each step one sealed object, and at the end the manifest that makes it exist.

use std::collections::BTreeMap;

use backup::{PostgresAccess, Recipients, SetWriter, SignedManifest, SqlitePlace, Target};
use plan::{
    Output,
    set::{Canary, KeyList, MANIFEST_SCHEMA, Manifest, Object, Role, SetId},
};
use secrets::Secret;
use serde::{Deserialize, Serialize};
use stack::{SecretName, ServiceName, State, StateKind};

use super::LiveWorld;
use crate::{Release, SoFar, StepError, release::pack};

/// The stack's secret values as they stand in a set: name, version, value.
#[derive(Serialize, Deserialize)]
pub(super) struct SecretValues {
    pub(super) schema: String,
    pub(super) secrets: BTreeMap<SecretName, BTreeMap<u32, String>>,
}

impl LiveWorld {
    /// The targets of this stack's sets.
    pub(super) fn targets(&self) -> Vec<Target> {
        self.sets.targets()
    }

    /// The newest committed set of all targets: what the next one follows.
    fn newest_set(&self) -> Result<Option<SignedManifest>, StepError> {
        let mut newest: Option<SignedManifest> = None;
        for target in self.targets() {
            let listing = target.list().map_err(|err| StepError::chain(&err))?;
            let Some(seen) = listing.sets.first() else { continue };
            if newest.as_ref().is_none_or(|known| known.unverified().sequence < seen.sequence) {
                newest = Some(target.read_manifest(&seen.id).map_err(|err| StepError::chain(&err))?);
            }
        }
        Ok(newest)
    }

    fn writer(&self, set: &SetId) -> Result<SetWriter, StepError> {
        let (sequence, _) =
            SignedManifest::next_link(self.newest_set()?.as_ref()).map_err(|err| StepError::chain(&err))?;
        let recipients = Recipients::parse(&self.recipients()).map_err(|err| StepError::chain(&err))?;
        Ok(SetWriter { set: set.clone(), sequence, recipients, targets: self.targets() })
    }

    /// Who can open a set: those declared, else this state directory alone.
    fn recipients(&self) -> Vec<String> {
        match self.sets.recipients.is_empty() {
            true => vec![self.keyring.recipient()],
            false => self.sets.recipients.clone(),
        }
    }

    pub(super) fn check_targets(&self, set: &SetId) -> Result<Output, StepError> {
        for target in self.targets() {
            target.check(set).map_err(|err| StepError::chain(&err))?;
        }
        Ok(Output::None)
    }

    pub(super) fn abandon_set(&self, set: &SetId) -> Result<Output, StepError> {
        for target in self.targets() {
            target.abandon(set).map_err(|err| StepError::chain(&err))?;
        }
        Ok(Output::None)
    }

    pub(super) fn prune_set(&self, set: &SetId) -> Result<Output, StepError> {
        for target in self.targets() {
            target.prune(set).map_err(|err| StepError::chain(&err))?;
        }
        Ok(Output::None)
    }

    pub(super) async fn capture(
        &self,
        set: &SetId,
        service: &ServiceName,
        container: &str,
        state: &State,
    ) -> Result<Output, StepError> {
        let writer = self.writer(set)?;
        let heartbeat = state.heartbeat.as_deref();
        let engine = self.engine.as_ref();
        let objects = match &state.kind {
            StateKind::Postgres { database, user } => {
                let release = self.place.pointer("current").map_err(|err| StepError::chain(&err))?;
                let release = release.ok_or_else(|| StepError::failed("no release is live"))?;
                let password = self.database_password(service, release)?;
                let access = PostgresAccess { container, database, user, password: password.as_ref() };
                backup::capture_postgres(engine, access, service, heartbeat, &writer)
                    .await
                    .map_err(|err| StepError::chain(&err))?
            }
            StateKind::Sqlite { volume, path } => {
                let volume = self.shape.volume_name(volume);
                let place = SqlitePlace { volume: &volume, path };
                let object = backup::capture_sqlite(engine, place, service, heartbeat, &writer)
                    .await
                    .map_err(|err| StepError::chain(&err))?;
                vec![object]
            }
            StateKind::Transit(transit) => {
                let store = self.key_store(container, transit.port);
                let version = store.health().await.map_err(|err| StepError::chain(&err))?.version;
                let snapshot =
                    self.as_backup(&store).await?.snapshot().await.map_err(|err| StepError::chain(&err))?;
                let object = writer
                    .keystore(service, snapshot, Some(version), self.clock.now())
                    .await
                    .map_err(|err| StepError::chain(&err))?;
                vec![object]
            }
            StateKind::Discard { .. } => Vec::new(),
        };
        Ok(Output::Objects { objects })
    }

    pub(super) async fn capture_release(
        &self,
        set: &SetId,
        release: Option<u64>,
    ) -> Result<Output, StepError> {
        let writer = self.writer(set)?;
        let now = self.clock.now();
        let values = self.secret_values()?;
        let mut objects = vec![writer.secrets(&values, now).await.map_err(|err| StepError::chain(&err))?];
        if let Some(number) = release {
            let release = Release::read(&self.place, number).map_err(|err| StepError::chain(&err))?;
            let materials =
                release.materials(&self.place, &self.keyring).map_err(|err| StepError::chain(&err))?;
            let tar = pack(&release, &materials).map_err(|err| StepError::chain(&err))?;
            objects.push(writer.release(&tar, now).await.map_err(|err| StepError::chain(&err))?);
        }
        Ok(Output::Objects { objects })
    }

    /// Every version of every secret, as JSON: losing the state directory loses nothing.
    fn secret_values(&self) -> Result<Secret<Vec<u8>>, StepError> {
        let store = self.store();
        let mut values = SecretValues { schema: "seaworthy.secrets/1".to_owned(), secrets: BTreeMap::new() };
        for name in store.list().map_err(|err| StepError::chain(&err))?.into_keys() {
            let mut versions = BTreeMap::new();
            for version in store.versions(&name).map_err(|err| StepError::chain(&err))? {
                let value = store.get(&name, version).map_err(|err| StepError::chain(&err))?;
                versions.insert(version, value.expose().clone());
            }
            values.secrets.insert(name, versions);
        }
        Ok(Secret::new(serde_json::to_vec(&values).expect("text always serialises")))
    }

    pub(super) async fn commit_set(&self, set: &SetId, so_far: SoFar<'_>) -> Result<Output, StepError> {
        let targets = self.targets();
        // Committed on one target before a crash: the same manifest goes to the others.
        for target in &targets {
            if target.is_committed(set).map_err(|err| StepError::chain(&err))? {
                let signed = target.read_manifest(set).map_err(|err| StepError::chain(&err))?;
                return commit(&targets, &signed);
            }
        }
        let newest = self.newest_set()?;
        let (sequence, previous) =
            SignedManifest::next_link(newest.as_ref()).map_err(|err| StepError::chain(&err))?;
        let chain = Target::join_chain(&targets, rand::random()).map_err(|err| StepError::chain(&err))?;
        let objects = all_objects(so_far);
        let captured = |wanted: &dyn Fn(Role) -> bool| {
            objects.iter().filter(|object| wanted(object.role)).map(|object| object.captured_at).min()
        };
        let keys_at = captured(&|role| role == Role::KeyStore);
        let point = captured(&|role| matches!(role, Role::Postgres | Role::Sqlite)).or(keys_at);
        let point = point.unwrap_or_else(|| self.clock.now());
        if keys_at.is_some_and(|keys_at| keys_at < point) {
            return Err(StepError::failed(
                "the key store was captured before the data: the set would not pair",
            ));
        }
        let manifest = Manifest {
            schema: MANIFEST_SCHEMA.to_owned(),
            set: set.clone(),
            stack: self.sets.stack.clone(),
            shape: self.shape.name.clone(),
            chain,
            sequence,
            previous,
            point,
            keys_at,
            tool: env!("CARGO_PKG_VERSION").to_owned(),
            recipients: self.recipients(),
            release: so_far.plan.release,
            objects,
            keys: last_keys(so_far),
            canaries: canaries(so_far),
        };
        let signed =
            SignedManifest::sign(manifest, &self.keyring.signer_fingerprint(), |bytes| self.signature(bytes))
                .map_err(|err| StepError::chain(&err))?;
        commit(&targets, &signed)
    }

    pub(super) fn signature(&self, bytes: &[u8]) -> [u8; 64] {
        self.keyring.sign(bytes).try_into().expect("an Ed25519 signature has 64 bytes")
    }
}

fn commit(targets: &[Target], signed: &SignedManifest) -> Result<Output, StepError> {
    for target in targets {
        target.commit(signed).map_err(|err| StepError::chain(&err))?;
    }
    let first = targets.first().map(|target| target.root().display().to_string()).unwrap_or_default();
    Ok(Output::Manifest {
        manifest: Box::new(signed.unverified().clone()),
        sha256: signed.sha256().map_err(|err| StepError::chain(&err))?,
        target: first,
    })
}

/// Every object the run has written, in capture order.
fn all_objects(so_far: SoFar<'_>) -> Vec<Object> {
    let outputs = so_far.plan.steps.iter().filter_map(|step| so_far.progress.done.get(&step.id));
    outputs
        .filter_map(|output| match output {
            Output::Objects { objects } => Some(objects.clone()),
            _ => None,
        })
        .flatten()
        .collect()
}

fn last_keys(so_far: SoFar<'_>) -> Option<KeyList> {
    let outputs = so_far.plan.steps.iter().rev().filter_map(|step| so_far.progress.done.get(&step.id));
    outputs.into_iter().find_map(|output| match output {
        Output::Keys { list } => Some(list.clone()),
        _ => None,
    })
}

fn canaries(so_far: SoFar<'_>) -> Vec<Canary> {
    let made = so_far.progress.done.values().find_map(|output| match output {
        Output::Canaries { canaries } => Some(canaries.clone()),
        _ => None,
    });
    made.unwrap_or_default()
}
