//! The real world: each kind of action handed to the part that does it.

mod database;
mod evidence;
mod keys;
mod opening;
mod probing;
mod restoring;
mod sets;

use std::{collections::BTreeMap, sync::Arc};

use async_trait::async_trait;
use futures_util::future::BoxFuture;
use host::Engine;
use plan::{Action, Effect, Output};
use secrets::{Identities, Keyring, Secret, Store};
use stack::{Materials, SecretName, Shape};

use crate::{Clock, Release, SoFar, StackDir, StepError, World, contents::ReleaseContents};

/// Everything a step may touch on one host, for one run.
pub struct LiveWorld {
    /// Where services run.
    pub engine: Arc<dyn Engine>,
    /// What is kept of the stack whose run this is.
    pub home: StackDir,
    /// What is kept of the project it touches: the same, but for a throwaway.
    pub place: StackDir,
    /// Keys of the state directory.
    pub keyring: Keyring,
    /// The bytes behind the references of the shape that was read from files; empty where a set or a release is all
    /// there is.
    pub materials: Materials,
    /// The shape acted on, where one is known before the run.
    pub shape: Option<Shape>,
    /// Sets: where they are, and who can open them.
    pub sets: SetAccess,
    /// What only people have.
    pub people: People,
    /// Time.
    pub clock: Arc<dyn Clock>,
}

/// Where sets are, and who can open them.
#[derive(Default)]
pub struct SetAccess {
    /// Directory targets.
    pub targets: Vec<std::path::PathBuf>,
    /// age recipients; empty: the state directory's own identity.
    pub recipients: Vec<String>,
    /// Identities that open a set.
    pub identities: Option<Identities>,
    /// The signer a set must carry.
    pub signer: Option<String>,
    /// The stack whose sets they are.
    pub stack: Option<stack::StackName>,
}

/// Takes a new key store's shares to their holders; returns once each has its own.
pub type HandOver = Arc<
    dyn Fn(Vec<Secret<String>>) -> BoxFuture<'static, Result<(), secrets::keystore::BoxError>> + Send + Sync,
>;

/// What only people have.
#[derive(Clone, Default)]
pub struct People {
    /// Key shares that holders gave.
    pub shares: Vec<Secret<String>>,
    /// How new shares reach their holders; none: there is no way, and a ceremony is refused before it begins.
    pub hand_over: Option<HandOver>,
    /// Values of given secrets.
    pub given: BTreeMap<SecretName, Secret<String>>,
}

#[async_trait]
impl World for LiveWorld {
    async fn apply(&self, action: &Action, so_far: SoFar<'_>) -> Result<Output, StepError> {
        match action {
            Action::Engine { effect } => self.engine_effect(effect).await,
            Action::Probe { service, container, probes, deadline } => {
                self.discreetly(self.probe(service, container, probes, *deadline).await)
            }
            Action::Watch { subjects, lasting } => self.discreetly(self.watch(subjects, *lasting).await),
            Action::AwaitExit { container, deadline } => self.await_exit(container, *deadline).await,
            Action::WriteRelease { number, shape, secrets } => self.write_release(*number, shape, secrets),
            Action::PointCurrent { number } => self.point("current", *number),
            Action::PointGood { number } => self.point("good", *number),
            Action::GenerateSecret { name, kind, from } => self.generate(name, kind, from.as_deref()),
            Action::Keys { service, container, transit, step } => {
                self.keys(service, container, transit, step, so_far).await
            }
            Action::CheckTargets { set } => self.check_targets(set),
            Action::Capture { set, service, container, state } => {
                self.capture(set, service, container, state).await
            }
            Action::CaptureRelease { set, release } => self.capture_release(set, *release).await,
            Action::CommitSet { set } => self.commit_set(set, so_far).await,
            Action::AbandonSet { set } => self.abandon_set(set),
            Action::PruneSet { set } => self.prune_set(set),
            Action::VerifySet { set } => self.verify_set(set).await,
            Action::Restore { set, service, container, part } => {
                self.restore(set, service, container, part).await
            }
            Action::WriteEvidence { set } => self.write_evidence(set, so_far),
            Action::Forget { project } => self.forget(project),
            Action::Person { owner, instruction, .. } => {
                Err(StepError::Waiting { instruction: format!("{owner}: {instruction}") })
            }
        }
    }
}

impl LiveWorld {
    /// The sealed store of the project that is touched.
    fn store(&self) -> Store {
        Store::open(self.place.secrets(), self.keyring.clone())
    }

    async fn engine_effect(&self, effect: &Effect) -> Result<Output, StepError> {
        let release = match effect {
            Effect::Create { container } => container.release,
            _ => 0,
        };
        let (materials, versions) = self.release_contents(release)?;
        let store = self.store();
        let contents =
            ReleaseContents { dir: &self.place, store: &store, materials: &materials, versions: &versions };
        self.engine.apply(effect, &contents).await.map_err(|err| StepError::chain(&err))
    }

    /// What a release's references stand for: its own where it is on disk, else what was just read.
    fn release_contents(&self, number: u64) -> Result<(Materials, plan::desired::Versions), StepError> {
        if number == 0 {
            return Ok((self.materials.clone(), plan::desired::Versions::new()));
        }
        let release = Release::read(&self.place, number).map_err(|err| StepError::chain(&err))?;
        let materials =
            release.materials(&self.place, &self.keyring).map_err(|err| StepError::chain(&err))?;
        Ok((materials, release.secrets))
    }

    /// What a service printed may hold what it was given: a failure says it without the values.
    fn discreetly(&self, result: Result<Output, StepError>) -> Result<Output, StepError> {
        let Err(StepError::Failed(mut because)) = result else { return result };
        for value in self.known_values() {
            for line in because.iter_mut().filter(|line| line.contains(value.expose())) {
                *line = line.replace(value.expose(), "[secret]");
            }
        }
        Err(StepError::Failed(because))
    }

    /// Values that must not be seen: the sealed store's, and those held from the shell and environment files. Short
    /// ones are left out: they are no secrets, and would be found in every word.
    fn known_values(&self) -> Vec<Secret<String>> {
        let store = self.store();
        let stored = store.list().unwrap_or_default().into_iter();
        let mut values: Vec<Secret<String>> =
            stored.filter_map(|(name, (version, _))| store.get(&name, version).ok()).collect();
        let releases = Release::list(&self.place).unwrap_or_default();
        let kept = releases.last().and_then(|release| release.materials(&self.place, &self.keyring).ok());
        for materials in kept.iter().chain([&self.materials]) {
            values.extend(materials.held.values().map(|value| Secret::from(value.as_str())));
            let texts = materials.sensitive.values().filter_map(|bytes| std::str::from_utf8(bytes).ok());
            values.extend(texts.map(|text| Secret::from(text.trim())));
        }
        values.retain(|value| value.expose().len() >= 8);
        values
    }

    fn write_release(
        &self,
        number: u64,
        shape: &Shape,
        versions: &plan::desired::Versions,
    ) -> Result<Output, StepError> {
        let release = Release::new(number, shape.clone(), versions.clone(), self.clock.now());
        release
            .write(&self.place, &self.materials, &self.keyring)
            .map(|()| Output::None)
            .map_err(|err| StepError::chain(&err))
    }

    fn point(&self, name: &str, number: Option<u64>) -> Result<Output, StepError> {
        self.place.point(name, number).map(|()| Output::None).map_err(|err| StepError::chain(&err))
    }

    fn forget(&self, project: &stack::StackName) -> Result<Output, StepError> {
        let throwaway =
            self.place.root() != self.home.root() && self.place.root().ends_with(project.as_str());
        if !throwaway {
            return Err(StepError::failed(format!("`{project}` is no throwaway of this run")));
        }
        self.place.forget().map(|()| Output::None).map_err(|err| StepError::chain(&err))
    }

    fn generate(
        &self,
        name: &SecretName,
        kind: &stack::SecretKind,
        from: Option<&str>,
    ) -> Result<Output, StepError> {
        let value = match (self.people.given.get(name), from) {
            (Some(given), _) => given.clone(),
            (None, Some(source)) => provided(name, source)?,
            (None, None) => {
                secrets::generate(kind).map_err(|err| StepError::chain(&err))?.ok_or_else(|| {
                    StepError::Waiting { instruction: format!("seaworthy bootstrap --from-file {name}=FILE") }
                })?
            }
        };
        let (version, made) = self.store().put_first(name, &value).map_err(|err| StepError::chain(&err))?;
        Ok(if made { Output::Secret { version } } else { Output::Unchanged })
    }
}

/// A value from `env:NAME` or `file:PATH`.
fn provided(name: &SecretName, source: &str) -> Result<Secret<String>, StepError> {
    let missing =
        |why: String| StepError::Failed(vec![format!("cannot take secret `{name}` from `{source}`"), why]);
    match source.split_once(':') {
        Some(("env", variable)) => {
            std::env::var(variable).map(Secret::new).map_err(|err| missing(err.to_string()))
        }
        Some(("file", path)) => {
            let text = std::fs::read_to_string(path).map_err(|err| missing(err.to_string()))?;
            Ok(Secret::new(text.trim_end_matches(['\n', '\r']).to_owned()))
        }
        _ => Err(missing("sources are `env:NAME` and `file:PATH`".to_owned())),
    }
}

pub(crate) use keys::key_store;
pub(crate) use opening::open_contents;
pub use opening::unlisted;
