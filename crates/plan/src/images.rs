//! How a service comes by its image: it is there, it is pulled, or it is built.

use stack::{MountSource, PullPolicy, Service};

use crate::{Effect, Facts};

/// What has to be done for the service's image, and the word for it; `None`: nothing.
pub(crate) fn effect(service: &Service, facts: &Facts) -> Option<(&'static str, Effect)> {
    let image = service.image.clone();
    if image.is_empty() {
        return None;
    }
    let seen = facts.images.get(&image);
    let (platform, missing) = (service.platform.clone(), seen.is_none());
    let pull = |always| {
        Some(("pull", Effect::EnsureImage { image: image.clone(), platform: platform.clone(), always }))
    };
    match (service.pull_policy, &service.build) {
        (PullPolicy::Always, _) => pull(true),
        (PullPolicy::Build, Some(build)) => Some(("build", built(&image, &platform, build))),
        // What cannot be had otherwise is built where it is missing: a registry may hold something else by that name.
        (_, Some(build)) if missing => Some(("build", built(&image, &platform, build))),
        (PullPolicy::Every(age), _) if !missing => {
            let age = jiff::SignedDuration::try_from(age).unwrap_or(jiff::SignedDuration::MAX);
            let named = seen.and_then(|seen| seen.named_at);
            // Of which nobody knows when it was pulled, it may have been long ago.
            let old = named.is_none_or(|named| facts.seen_at.duration_since(named) > age);
            if old { pull(true) } else { None }
        }
        _ if missing => pull(false),
        _ => None,
    }
}

fn built(image: &str, platform: &Option<String>, build: &stack::Build) -> Effect {
    let mut build = build.clone();
    build.platform = build.platform.or_else(|| platform.clone());
    Effect::BuildImage { image: image.to_owned(), build: Box::new(build) }
}

/// Images that are mounted into the service's containers.
pub(crate) fn mounted(service: &Service) -> impl Iterator<Item = &String> {
    service.mounts.iter().filter_map(|mount| match &mount.source {
        MountSource::Image { image, .. } => Some(image),
        _ => None,
    })
}
