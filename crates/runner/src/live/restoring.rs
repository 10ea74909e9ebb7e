//! Bringing a set back: verified whole, then keys, canaries, data.

use std::{collections::BTreeMap, time::Duration};

use backup::{OpenStream, PostgresAccess, SqlitePlace};
use plan::{
    Output, RestorePart,
    set::{Object, Role, SetId},
};
use secrets::{Secret, keystore};
use stack::{ServiceName, State, StateKind, Transit};

use super::{
    LiveWorld,
    keys::canary_hmac,
    opening::{OpenedSet, find},
    sets::SecretValues,
};
use crate::{StepError, release::unpack};

/// How long a fresh server may take to accept connections.
const SERVER_PATIENCE: Duration = Duration::from_secs(60);

impl LiveWorld {
    fn open_set(&self, set: &SetId) -> Result<OpenedSet, StepError> {
        find(&self.sets, Some(set)).map_err(StepError::from)
    }

    pub(super) async fn verify_set(&self, set: &SetId) -> Result<Output, StepError> {
        let opened = self.open_set(set)?;
        for object in &opened.manifest.objects {
            backup::verify_object(&opened.target, &opened.manifest, object, &self.sets.identities)
                .await
                .map_err(|err| StepError::chain(&err))?;
        }
        Ok(Output::Manifest {
            manifest: Box::new(opened.manifest),
            sha256: opened.sha256,
            target: opened.target.root().display().to_string(),
        })
    }

    pub(super) async fn restore(
        &self,
        set: &SetId,
        service: &ServiceName,
        container: &str,
        part: &RestorePart,
    ) -> Result<Output, StepError> {
        let opened = self.open_set(set)?;
        match part {
            RestorePart::KeyStore { transit } => {
                self.restore_keys(&opened, service, container, transit).await
            }
            RestorePart::Canaries { transit } => self.prove_canaries(&opened, container, transit).await,
            RestorePart::State { state } => self.restore_state(&opened, service, container, state).await,
        }
    }

    pub(super) async fn restore_secrets(&self, set: &SetId) -> Result<Output, StepError> {
        let bytes = self.whole(&self.open_set(set)?, Role::Secrets).await?;
        let values: SecretValues =
            serde_json::from_slice(bytes.expose()).map_err(|err| StepError::chain(&err))?;
        self.place.create().map_err(|err| StepError::chain(&err))?;
        let store = self.store();
        for (name, versions) in &values.secrets {
            for (version, value) in versions {
                let value = Secret::from(value.as_str());
                store.put(name, *version, &value).map_err(|err| StepError::chain(&err))?;
            }
        }
        Ok(Output::None)
    }

    pub(super) async fn restore_release(&self, set: &SetId) -> Result<Output, StepError> {
        let tar = self.whole(&self.open_set(set)?, Role::Release).await?;
        let (mut release, materials) = unpack(tar.expose()).map_err(|err| StepError::chain(&err))?;
        // Beside the live stack, and in a throwaway, it is another project.
        *release.shape = self.shape.clone();
        release
            .write(&self.place, &materials, &self.keyring)
            .map(|()| Output::None)
            .map_err(|err| StepError::chain(&err))
    }

    /// Forces the snapshot into a fresh store, and unseals it with the shares of the snapshot's day.
    async fn restore_keys(
        &self,
        opened: &OpenedSet,
        service: &ServiceName,
        container: &str,
        transit: &Transit,
    ) -> Result<Output, StepError> {
        let store = self.key_store(container, transit.port);
        if transit.dev_token.is_none() && self.people.shares.is_empty() {
            return Err(StepError::failed(format!(
                "{} key shares of `{service}` are needed: give them with `--shares FILE`",
                transit.threshold
            )));
        }
        // Done before a crash: what is in it is proven by the canaries, which come next.
        if store.health().await.map_err(|err| StepError::chain(&err))?.initialised {
            keystore::unseal(&store, &self.people.shares).await.map_err(|err| StepError::chain(&err))?;
            return Ok(Output::Unchanged);
        }
        let snapshot = self.stream(opened, service, Role::KeyStore)?;
        keystore::restore(&store, transit, snapshot, &self.people.shares)
            .await
            .map_err(|err| StepError::chain(&err))?;
        Ok(Output::None)
    }

    /// Every canary must decrypt to what was encrypted: the proof that these keys open this data.
    async fn prove_canaries(
        &self,
        opened: &OpenedSet,
        container: &str,
        transit: &Transit,
    ) -> Result<Output, StepError> {
        let store = self.key_store(container, transit.port);
        let store = self.as_application(&store, transit).await?;
        let refused = |key: &str, why: Vec<String>| {
            let mut because = vec![format!(
                "the restored keys do not open this set: its canary of `{key}` does not decrypt"
            )];
            because.extend(why);
            StepError::because(because)
        };
        for canary in &opened.manifest.canaries {
            let plaintext = store
                .decrypt(&canary.key, &canary.ciphertext)
                .await
                .map_err(|err| refused(&canary.key, crate::causes(&err)))?;
            if canary_hmac(&opened.manifest.set, plaintext.expose()) != canary.plain_hmac {
                return Err(refused(&canary.key, vec!["it decrypts to something else".to_owned()]));
            }
        }
        Ok(Output::Canaries { canaries: opened.manifest.canaries.clone() })
    }

    async fn restore_state(
        &self,
        opened: &OpenedSet,
        service: &ServiceName,
        container: &str,
        state: &State,
    ) -> Result<Output, StepError> {
        let engine = self.engine.as_ref();
        let heartbeat = state.heartbeat.as_deref();
        let (restored, role) = match &state.kind {
            StateKind::Postgres { database, user } => {
                let release = opened.manifest.release.unwrap_or(1);
                let password = self.database_password(service, release)?;
                let access = PostgresAccess { container, database, user, password: password.as_ref() };
                let globals = self.stream(opened, service, Role::PostgresGlobals)?;
                let dump = self.stream(opened, service, Role::Postgres)?;
                let set = &opened.manifest.set;
                let restored =
                    backup::restore_postgres(engine, access, set, heartbeat, globals, dump, SERVER_PATIENCE)
                        .await
                        .map_err(|err| StepError::chain(&err))?;
                (restored, Role::Postgres)
            }
            StateKind::Sqlite { volume, path } => {
                let volume = self.shape.volume_name(volume);
                let source = self.stream(opened, service, Role::Sqlite)?;
                let place = SqlitePlace { volume: &volume, path };
                let restored = backup::restore_sqlite(engine, place, heartbeat, source)
                    .await
                    .map_err(|err| StepError::chain(&err))?;
                (restored, Role::Sqlite)
            }
            StateKind::Transit(_) | StateKind::Discard { .. } => return Ok(Output::None),
        };
        let object = object_of(opened, Some(service), role)?;
        same_counts(service, &object.counts, &restored.counts)?;
        Ok(Output::Restored { counts: restored.counts, heartbeat: restored.heartbeat })
    }

    fn stream(&self, opened: &OpenedSet, service: &ServiceName, role: Role) -> Result<OpenStream, StepError> {
        let object = object_of(opened, Some(service), role)?;
        Ok(backup::open_stream(&opened.target, &opened.manifest, object, &self.sets.identities))
    }

    async fn whole(&self, opened: &OpenedSet, role: Role) -> Result<Secret<Vec<u8>>, StepError> {
        let object = object_of(opened, None, role)?;
        backup::open_bytes(&opened.target, &opened.manifest, object, &self.sets.identities)
            .await
            .map_err(|err| StepError::chain(&err))
    }
}

fn object_of<'s>(
    opened: &'s OpenedSet,
    service: Option<&ServiceName>,
    role: Role,
) -> Result<&'s Object, StepError> {
    let wanted =
        |object: &&Object| object.role == role && (service.is_none() || object.service.as_ref() == service);
    opened.manifest.objects.iter().find(wanted).ok_or_else(|| {
        let of = service.map(|service| format!(" of `{service}`")).unwrap_or_default();
        StepError::failed(format!("set {} holds no {role:?}{of}", opened.manifest.set))
    })
}

fn same_counts(
    service: &ServiceName,
    captured: &BTreeMap<String, u64>,
    restored: &BTreeMap<String, u64>,
) -> Result<(), StepError> {
    let tables: std::collections::BTreeSet<&String> = captured.keys().chain(restored.keys()).collect();
    let different: Vec<String> = tables
        .into_iter()
        .filter(|table| captured.get(*table) != restored.get(*table))
        .map(|table| {
            let rows = |count: Option<&u64>| {
                count.map_or_else(|| "no table".to_owned(), |rows| format!("{rows} rows"))
            };
            format!("{table}: {} captured, {} restored", rows(captured.get(table)), rows(restored.get(table)))
        })
        .collect();
    match different.is_empty() {
        true => Ok(()),
        false => {
            Err(StepError::failed(format!("`{service}` is not what was captured: {}", different.join("; "))))
        }
    }
}
