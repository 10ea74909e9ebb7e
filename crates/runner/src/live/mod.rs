//! The real world: each kind of action handed to the part that does it.

mod database;
mod evidence;
mod hooks;
mod keys;
mod opening;
mod probing;
mod restoring;
mod sets;

use std::{collections::BTreeMap, sync::Arc};

use async_trait::async_trait;
use backup::{Meter, Target};
use futures_util::future::BoxFuture;
use host::{Engine, LockError, Scope, StackLock};
use plan::{Action, Container, Effect, ImageKept, Output};
use secrets::{Identities, Keyring, Secret, Store};
use stack::{Materials, SecretName, ServiceName, Shape};

use crate::{
    Clock, Release, SoFar, StackDir, StepError, World, composed,
    contents::ReleaseContents,
    discretion::{Discretion, says_something},
    survey::images_of,
};

/// Everything a step may touch on one host, for one run.
pub struct LiveWorld {
    /// What makes the stack ours.
    pub lock: Arc<StackLock>,
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
    /// The shape acted on.
    pub shape: Shape,
    /// The canonical tree of that shape, where it is what the files say.
    pub compose: Option<serde_json::Value>,
    /// Sets: where they are, and who can open them.
    pub sets: SetAccess,
    /// What only people have.
    pub people: People,
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// Counts what is captured or brought back, for whoever watches.
    pub meter: Meter,
}

/// Where sets are, and who can open them.
pub struct SetAccess {
    /// Directory targets.
    pub targets: Vec<std::path::PathBuf>,
    /// age recipients; empty: the state directory's own identity.
    pub recipients: Vec<String>,
    /// Identities that open a set.
    pub identities: Identities,
    /// The signer a set must carry.
    pub signer: String,
    /// The stack whose sets they are.
    pub stack: stack::StackName,
}

impl SetAccess {
    /// The targets, as those of this stack.
    pub(crate) fn targets(&self) -> Vec<Target> {
        self.targets.iter().map(|path| Target::open(path, &self.stack)).collect()
    }
}

/// Takes a new key store's shares to their holders; returns once each has its own.
pub type HandOver = Arc<
    dyn Fn(Vec<Secret<String>>) -> BoxFuture<'static, Result<(), secrets::keystore::BoxError>> + Send + Sync,
>;

/// Asks holders for so many key shares of a store; gives those that were brought.
pub type Ask = Arc<dyn Fn(&ServiceName, u8) -> Vec<Secret<String>> + Send + Sync>;

/// What only people have.
#[derive(Clone, Default)]
pub struct People {
    /// Key shares that holders gave.
    pub shares: Vec<Secret<String>>,
    /// How holders are asked for shares that were not given; none: nobody can be.
    pub ask: Option<Ask>,
    /// How new shares reach their holders; none: there is no way, and a ceremony is refused before it begins.
    pub hand_over: Option<HandOver>,
    /// Values of given secrets.
    pub given: BTreeMap<SecretName, Secret<String>>,
}

#[async_trait]
impl World for LiveWorld {
    async fn apply(&self, action: &Action, so_far: SoFar<'_>) -> Result<Output, StepError> {
        let result = self.act(action, so_far).await;
        match says_something(&result) {
            true => self.discretion().hush_result(result),
            false => result,
        }
    }

    fn fence(&self) -> Result<Option<u64>, LockError> {
        self.lock.still_ours().map(|()| Some(self.lock.epoch()))
    }
}

impl LiveWorld {
    /// Hands an action to the part that does it.
    async fn act(&self, action: &Action, so_far: SoFar<'_>) -> Result<Output, StepError> {
        match action {
            Action::Engine { effect } => self.engine_effect(effect).await,
            Action::Probe { service, container, probes, deadline } => {
                self.probe(service, container, probes, *deadline).await
            }
            Action::Watch { subjects, lasting } => self.watch(subjects, *lasting).await,
            Action::AwaitExit { container, deadline } => self.await_exit(container, *deadline).await,
            Action::Hook { service, container, release, moment, hook, deadline } => {
                let (release, moment, deadline) = (*release, *moment, *deadline);
                let asked = hooks::Asked { service, container, release, moment, hook, deadline };
                self.hook(asked).await
            }
            Action::WriteRelease { number, shape, secrets, compose } => {
                self.write_release(*number, shape, secrets, compose).await
            }
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
            Action::RestoreSecrets { set } => self.restore_secrets(set).await,
            Action::RestoreRelease { set } => self.restore_release(set).await,
            Action::Restore { set, service, container, part } => {
                self.restore(set, service, container, part).await
            }
            Action::WriteEvidence { set, .. } => self.write_evidence(set, so_far),
            Action::Forget { project } => self.forget(project),
            Action::Person { owner, instruction, done_when, control: _, holds: _ } => {
                Err(StepError::Waiting {
                    instruction: format!("{owner}: {instruction} It is done when {done_when}."),
                })
            }
        }
    }

    /// The sealed store of the project that is touched.
    fn store(&self) -> Store {
        Store::open(self.place.secrets(), self.keyring.clone())
    }

    async fn engine_effect(&self, effect: &Effect) -> Result<Output, StepError> {
        let release = match effect {
            Effect::Create { container } => container.of_release(),
            Effect::BuildImage { release, .. } => *release,
            _ => None,
        };
        let (materials, mut versions) = self.release_contents(release)?;
        // An image is built before there is a release that could say them.
        if let Effect::BuildImage { secrets, .. } = effect {
            versions.clone_from(secrets);
        }
        let store = self.store();
        let contents =
            ReleaseContents { dir: &self.place, store: &store, materials: &materials, versions: &versions };
        let labelled = match effect {
            Effect::Create { container } => self.labelled_anew(container).await?,
            _ => None,
        };
        let effect = labelled.as_ref().unwrap_or(effect);
        self.engine.apply(effect, &contents).await.map_err(|err| StepError::chain(&err))
    }

    /// The same creation with another hash of Compose's, where that is made of the id of a container that may have been
    /// replaced since it was planned.
    async fn labelled_anew(&self, container: &Container) -> Result<Option<Effect>, StepError> {
        let Some(tree) = &self.compose else { return Ok(None) };
        if !composed::is_made_of_others(tree, &container.service) {
            return Ok(None);
        }
        let scope = Scope { project: self.project(), ..Scope::default() };
        let observed = self.engine.observe(&scope).await.map_err(|err| StepError::chain(&err))?;
        let hash =
            composed::hashes(tree, &self.shape, &observed.containers).services.remove(&container.service);
        let Some(hash) = hash else { return Ok(None) };
        let mut container = container.clone();
        container.labels.insert("com.docker.compose.config-hash".to_owned(), hash);
        Ok(Some(Effect::Create { container: Box::new(container) }))
    }

    /// What a release's references stand for; without one, those of the files just read.
    fn release_contents(
        &self,
        release: Option<u64>,
    ) -> Result<(Materials, plan::desired::Versions), StepError> {
        let Some(number) = release else {
            return Ok((self.materials.clone(), plan::desired::Versions::new()));
        };
        let release = Release::read(&self.place, number).map_err(|err| StepError::chain(&err))?;
        let materials =
            release.materials(&self.place, &self.keyring).map_err(|err| StepError::chain(&err))?;
        Ok((materials, release.secrets))
    }

    /// What must not be repeated of what this run hears.
    fn discretion(&self) -> Discretion {
        let people = self.people.shares.iter().chain(self.people.given.values()).cloned();
        Discretion::of(&self.place, &self.keyring, &self.materials).and(people)
    }

    async fn write_release(
        &self,
        number: u64,
        shape: &Shape,
        versions: &plan::desired::Versions,
        compose: &plan::ComposeHashes,
    ) -> Result<Output, StepError> {
        let mut release = Release::new(number, shape.clone(), versions.clone(), self.clock.now());
        release.compose = compose.clone();
        // Fetched by now: a tag that moves later does not take the release along.
        let images = self.engine.images(&images_of(shape)).await.map_err(|err| StepError::chain(&err))?;
        let kept = images.iter().map(|(name, seen)| (name.clone(), ImageKept::of(name, seen)));
        release.images = kept.collect();
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
        |why: String| StepError::because(vec![format!("cannot take secret `{name}` from `{source}`"), why]);
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
