//! Looks at one stack on one host, and changes nothing.

use std::{collections::BTreeMap, io, sync::Arc, time::Duration};

use backup::{Target, TargetError};
use host::{Engine, EngineError, Scope};
use plan::{Facts, KeyStoreSeen, Phase, ReleaseSeen, SecretSeen, SetSeen, set::SetId};
use secrets::{Keyring, Store, StoreError};
use stack::{ServiceName, Shape};

use crate::{Clock, Proofs, Release, ReleaseError, RunError, RunStore, StackDir, composed, live::key_store};

/// How long a key store may take to say how it is.
const KEY_STORE_PATIENCE: Duration = Duration::from_secs(3);

/// Something could not be looked at.
#[derive(Debug, thiserror::Error)]
pub enum SurveyError {
    /// The engine did not answer.
    #[error("cannot survey the engine")]
    Engine(#[from] EngineError),
    /// The state directory could not be read.
    #[error("cannot read the state directory")]
    State(#[from] io::Error),
    /// A release could not be read.
    #[error("cannot read the releases")]
    Releases(#[from] ReleaseError),
    /// The runs could not be read.
    #[error("cannot read the runs")]
    Runs(#[from] RunError),
    /// The sealed store could not be read.
    #[error("cannot read the sealed store")]
    Secrets(#[from] StoreError),
    /// A target could not be read.
    #[error("cannot list the sets")]
    Target(#[from] TargetError),
}

/// Looks at everything planners ask about.
///
/// `compose` is the canonical tree of `shape`, values in it, where it was read from files.
///
/// # Errors
/// When something that must be known could not be looked at. A target that is not there yet holds no sets.
pub async fn survey(
    engine: &Arc<dyn Engine>,
    shape: &Shape,
    dir: &StackDir,
    keyring: &Keyring,
    clock: &dyn Clock,
    compose: Option<&serde_json::Value>,
) -> Result<Facts, SurveyError> {
    let observed = engine.observe(&scope_of(shape)).await?;
    let secrets = Store::open(dir.secrets(), keyring.clone()).list()?;
    let secrets = secrets
        .into_iter()
        .map(|(name, (version, fingerprint))| (name, SecretSeen { version, fingerprint }))
        .collect();
    let running = |service: &ServiceName| {
        let name = shape.container_name(service);
        observed
            .containers
            .iter()
            .any(|seen| seen.name == name && matches!(seen.phase, Phase::Running { .. }))
    };
    let key_stores = match shape.key_store() {
        Some((service, transit)) if running(service) => {
            ask_key_store(engine, &shape.container_name(service), service, transit.port).await
        }
        _ => BTreeMap::new(),
    };
    let (sets, half_removed) = sets_on_targets(shape, &Proofs::read(dir, &keyring.signer_fingerprint())?)?;
    let attested = match shape.controls.is_empty() {
        true => Vec::new(),
        false => RunStore::new(dir.runs()).attested()?,
    };
    let compose = compose.map(|tree| composed::hashes(tree, shape, &observed.containers));
    Ok(Facts {
        compose: compose.unwrap_or_default(),
        seen_at: clock.now(),
        host: observed.host,
        containers: observed.containers,
        networks: observed.networks,
        volumes: observed.volumes,
        images: observed.images,
        archives: observed.archives,
        releases: releases(dir)?,
        current: dir.pointer("current")?,
        good: dir.pointer("good")?,
        secrets,
        key_stores,
        sets,
        attested,
        half_removed,
    })
}

/// Sets on any target, newest first, each once; and those that are being removed and are whole on none.
fn sets_on_targets(shape: &Shape, proofs: &Proofs) -> Result<(Vec<SetSeen>, Vec<SetId>), SurveyError> {
    let (mut sets, mut half_removed) = (Vec::new(), Vec::new());
    for target in shape.backup.to.iter().map(|path| Target::open(path, &shape.stack)) {
        if target.root().is_dir() {
            let mut listing = target.list()?;
            proofs.mark(&target, &mut listing.sets);
            sets.extend(listing.sets);
            half_removed.extend(listing.half_removed);
        }
    }
    // Where a target's copy is another set of the same id, the proven one speaks for both.
    sets.sort_by(|a: &SetSeen, b: &SetSeen| {
        (b.sequence, &b.id, b.proven_at).cmp(&(a.sequence, &a.id, a.proven_at))
    });
    sets.dedup_by(|one, other| one.id == other.id);
    half_removed.retain(|half| sets.iter().all(|seen| seen.id != *half));
    half_removed.sort_unstable();
    half_removed.dedup();
    Ok((sets, half_removed))
}

fn scope_of(shape: &Shape) -> Scope {
    let services = shape.services.values();
    Scope {
        project: shape.stack.to_string(),
        images: images_of(shape),
        archives: archives_of(shape),
        networks: shape.networks.keys().map(|key| shape.network_name(key)).collect(),
        volumes: shape.volumes.keys().map(|key| shape.volume_name(key)).collect(),
        ports: services.flat_map(|service| service.ports.iter().filter_map(|port| port.published)).collect(),
    }
}

/// Archives that images of services are loaded from.
fn archives_of(shape: &Shape) -> BTreeMap<String, String> {
    let named =
        shape.services.values().filter_map(|service| Some((service.image.clone(), service.archive.clone()?)));
    named.collect()
}

/// Images that services are made of, or mount.
pub(crate) fn images_of(shape: &Shape) -> Vec<String> {
    let of_service = |service: &stack::Service| {
        let mounted = service.mounts.iter().filter_map(|mount| match &mount.source {
            stack::MountSource::Image { image, .. } => Some(image.clone()),
            _ => None,
        });
        [service.image.clone()].into_iter().chain(mounted).collect::<Vec<_>>()
    };
    let mut images: Vec<String> = shape.services.values().flat_map(of_service).collect();
    images.retain(|image| !image.is_empty());
    images.sort();
    images.dedup();
    images
}

fn releases(dir: &StackDir) -> Result<Vec<ReleaseSeen>, SurveyError> {
    let good = RunStore::new(dir.runs()).good_releases()?;
    let seen = |release: Release| ReleaseSeen {
        was_good: good.contains(&release.number),
        number: release.number,
        written_at: release.written_at,
        shape: release.shape,
        secrets: release.secrets,
        compose: release.compose,
        images: release.images,
    };
    Ok(Release::list(dir)?.into_iter().map(seen).collect())
}

/// How a running key store is; one that does not answer is left out.
async fn ask_key_store(
    engine: &Arc<dyn Engine>,
    container: &str,
    service: &ServiceName,
    port: u16,
) -> BTreeMap<ServiceName, KeyStoreSeen> {
    let store = key_store(engine.clone(), container, port).with_patience(KEY_STORE_PATIENCE);
    let seen = store.health().await.ok().map(|health| KeyStoreSeen {
        initialised: health.initialised,
        sealed: health.sealed,
        development: health.development,
        snapshots: health.snapshots,
        version: health.version,
    });
    seen.map(|seen| (service.clone(), seen)).into_iter().collect()
}
