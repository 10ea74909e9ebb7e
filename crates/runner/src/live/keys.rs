//! The key store's steps: ceremony, unsealing, key lists, canaries; always through `reach`.

use std::{io, sync::Arc, time::Duration};

use data_encoding::HEXLOWER;
use hmac::{Hmac, Mac};
use host::files::Readers;
use plan::{
    KeyStep, Output,
    set::{Canary, KeyList, KeyVersions, SetId},
};
use secrets::{
    Secret,
    keystore::{self, Bootstrapped, CeremonyError, Credentials, Dial, KeyStore, KeyStoreError, Known, Wire},
};
use sha2::Sha256;
use stack::{SecretName, ServiceName, Transit};

use super::LiveWorld;
use crate::{SoFar, StepError, world::causes};

/// The credential that may take snapshots and read key versions, kept beside the stack's own secrets.
const SNAPSHOT_CREDENTIAL: &str = "seaworthy-keystore-snapshot";
/// Between two attempts to be answered.
const PAUSE: Duration = Duration::from_millis(250);

impl LiveWorld {
    pub(super) async fn keys(
        &self,
        service: &ServiceName,
        container: &str,
        transit: &Transit,
        step: &KeyStep,
        so_far: SoFar<'_>,
    ) -> Result<Output, StepError> {
        let store = self.key_store(container, transit.port);
        match step {
            KeyStep::AwaitApi { deadline } => await_api(&store, service, *deadline).await,
            KeyStep::Bootstrap => self.hold_ceremony(&store, service, transit).await,
            KeyStep::Unseal => self.unseal(&store, service, transit).await,
            KeyStep::List { after, .. } => {
                let list = self.list_keys(&store).await?;
                let before = so_far.progress.done.values().find_map(|output| match output {
                    Output::Keys { list } => Some(list),
                    _ => None,
                });
                match before.filter(|_| *after) {
                    Some(before) if !list.covers(before) => Err(StepError::failed(
                        "a key was deleted, or its oldest version given up, while the set was being captured",
                    )),
                    _ => Ok(Output::Keys { list }),
                }
            }
            KeyStep::Canary { set } => self.make_canary(&store, transit, set).await,
        }
    }

    /// The store in `container`, through `reach`.
    pub(super) fn key_store(&self, container: &str, port: u16) -> KeyStore {
        key_store(self.engine.clone(), container, port)
    }

    /// Logs in with the application's credential.
    pub(super) async fn as_application(
        &self,
        store: &KeyStore,
        transit: &Transit,
    ) -> Result<KeyStore, StepError> {
        self.log_in(store, &transit.credential).await
    }

    /// Logs in with the credential that may take snapshots.
    pub(super) async fn as_backup(&self, store: &KeyStore) -> Result<KeyStore, StepError> {
        self.log_in(store, &SecretName::from(SNAPSHOT_CREDENTIAL)).await
    }

    async fn log_in(&self, store: &KeyStore, name: &SecretName) -> Result<KeyStore, StepError> {
        let credential = self.newest_value(name)?.ok_or_else(|| {
            StepError::failed(format!(
                "the key store's credential `{name}` was never issued: seaworthy bootstrap"
            ))
        })?;
        store.login(&credential).await.map_err(|err| StepError::chain(&err))
    }

    fn newest_value(&self, name: &SecretName) -> Result<Option<Secret<String>>, StepError> {
        let secrets = self.store();
        let version = secrets.newest(name).map_err(|err| StepError::chain(&err))?;
        version.map(|version| secrets.get(name, version)).transpose().map_err(|err| StepError::chain(&err))
    }

    async fn hold_ceremony(
        &self,
        store: &KeyStore,
        service: &ServiceName,
        transit: &Transit,
    ) -> Result<Output, StepError> {
        let health = store.health().await.map_err(|err| StepError::chain(&err))?;
        self.refuse_development(service, health.development, &health.version)?;
        let handed = self.place.root().join(format!("shares-of-{service}.handed-over"));
        let hand_over = match (&self.people.hand_over, health.initialised) {
            (Some(hand_over), _) => hand_over.clone(),
            // Refused before anything is initialised: shares that reach nobody are lost.
            (None, false) => {
                return Err(StepError::Waiting {
                    instruction:
                        "the key store's shares have nowhere to go: run `seaworthy bootstrap` on a terminal, \
                                  or declare `holders` and give `--shares-out DIR`"
                            .to_owned(),
                });
            }
            (None, true) => Arc::new(|_| Box::pin(async { Err("nobody takes shares".into()) }) as _),
        };
        let snapshot = SecretName::from(SNAPSHOT_CREDENTIAL);
        let credentials = match (self.newest_value(&transit.credential)?, self.newest_value(&snapshot)?) {
            (Some(app), Some(snapshot)) => Some(Credentials { app, snapshot }),
            _ => None,
        };
        let known = Known { shares: self.people.shares.clone(), handed_over: handed.exists(), credentials };
        let record = |shares| async {
            hand_over(shares).await?;
            host::files::replace(&handed, b"handed over\n", Readers::Owner)?;
            Ok(())
        };
        match keystore::bootstrap(store, transit, &known, record).await {
            Ok(Bootstrapped::Already) => Ok(Output::Unchanged),
            Ok(Bootstrapped::Made(made)) => {
                let secrets = self.store();
                let put = |name: &SecretName, value| {
                    secrets.put_next(name, value).map_err(|err| StepError::chain(&err))
                };
                put(&snapshot, &made.snapshot)?;
                let version = put(&transit.credential, &made.app)?;
                Ok(Output::Secret { version })
            }
            Err(CeremonyError::SharesNeeded { threshold }) => Err(shares_needed(threshold)),
            Err(err) => Err(StepError::chain(&err)),
        }
    }

    async fn unseal(
        &self,
        store: &KeyStore,
        service: &ServiceName,
        transit: &Transit,
    ) -> Result<Output, StepError> {
        let health = store.health().await.map_err(|err| StepError::chain(&err))?;
        self.refuse_development(service, health.development, &health.version)?;
        if !health.initialised {
            return Err(StepError::failed(format!("`{service}` was never initialised: seaworthy bootstrap")));
        }
        if !health.sealed {
            return Ok(Output::Unchanged);
        }
        if self.people.shares.is_empty() {
            return Err(shares_needed(transit.threshold));
        }
        // A wrong share is a person's slip, not a failed release: the run waits for the right ones.
        keystore::unseal(store, &self.people.shares).await.map_err(|err| {
            let because = causes(&err).join(": ");
            StepError::Waiting { instruction: format!("{because}: give the right ones with `--shares FILE`") }
        })?;
        Ok(Output::None)
    }

    fn refuse_development(
        &self,
        service: &ServiceName,
        development: bool,
        version: &str,
    ) -> Result<(), StepError> {
        match self.shape.production && development {
            true => Err(StepError::failed(format!(
                "`{service}` is a development key store ({version}), and this shape is marked production"
            ))),
            false => Ok(()),
        }
    }

    async fn list_keys(&self, store: &KeyStore) -> Result<KeyList, StepError> {
        let store = self.as_backup(store).await?;
        let mut list = KeyList::default();
        let said = |err: KeyStoreError| StepError::chain(&err);
        for name in store.list_keys().await.map_err(said)? {
            let versions = store.read_key(&name).await.map_err(said)?;
            let versions = KeyVersions { latest: versions.latest, min_decryption: versions.min_decryption };
            list.keys.insert(name, versions);
        }
        Ok(list)
    }

    async fn make_canary(
        &self,
        store: &KeyStore,
        transit: &Transit,
        set: &SetId,
    ) -> Result<Output, StepError> {
        let store = self.as_application(store, transit).await?;
        let plaintext: [u8; 32] = rand::random();
        let ciphertext =
            store.encrypt(&transit.key, &plaintext).await.map_err(|err| StepError::chain(&err))?;
        let canary =
            Canary { key: transit.key.clone(), ciphertext, plain_hmac: canary_hmac(set, &plaintext) };
        Ok(Output::Canaries { canaries: vec![canary] })
    }
}

/// Proves a canary's plaintext without holding it.
pub(super) fn canary_hmac(set: &SetId, plaintext: &[u8]) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(set.0.as_bytes()).expect("HMAC takes a key of any length");
    mac.update(plaintext);
    HEXLOWER.encode(&mac.finalize().into_bytes())
}

/// A key store reached through an engine.
pub(crate) fn key_store(engine: Arc<dyn host::Engine>, container: &str, port: u16) -> KeyStore {
    let container = container.to_owned();
    let dial: Dial = Arc::new(move || {
        let (engine, container) = (engine.clone(), container.clone());
        Box::pin(async move {
            let stream = engine.reach(&container, port).await.map_err(io::Error::other)?;
            Ok(Box::new(stream) as Box<dyn Wire>)
        })
    });
    KeyStore::new(dial)
}

async fn await_api(store: &KeyStore, service: &ServiceName, deadline: Duration) -> Result<Output, StepError> {
    let started = tokio::time::Instant::now();
    let asked = store.with_patience(Duration::from_secs(5));
    loop {
        match asked.health().await {
            Ok(_) => return Ok(Output::None),
            Err(err) if started.elapsed() >= deadline => {
                let waited = deadline.as_secs();
                let attempt = format!("the API of `{service}` did not answer in {waited} s");
                return Err(StepError::chain(&err).came_of(attempt));
            }
            Err(_) => tokio::time::sleep(PAUSE).await,
        }
    }
}

fn shares_needed(threshold: u8) -> StepError {
    StepError::Waiting {
        instruction: format!("{threshold} key shares: run the same command with `--shares FILE`"),
    }
}
