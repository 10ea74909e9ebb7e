//! Images: which are pulled or built, and when. All of it comes before anything is touched.

use std::collections::BTreeSet;

use stack::{EngineKind, MountSource, PullPolicy, Service, ServiceName};

use crate::{
    Effect, ImageSeen,
    place::{Placing, needed_by},
    steps::Steps,
};

impl Placing<'_> {
    /// Fetches what `services` need and is not there, or is fetched at each deploy.
    pub(crate) fn fetch_images(&self, steps: &mut Steps, services: &[ServiceName]) {
        // The process engine runs no images.
        if self.facts.host.engine == EngineKind::Process {
            return;
        }
        let mut fetched = BTreeSet::new();
        for name in services {
            let service = &self.shape.services[name];
            if let Some((effect, because)) = self.fetch(name, service).filter(|_| !service.image.is_empty())
                && fetched.insert(service.image.clone())
            {
                let kind = if matches!(effect, Effect::BuildImage { .. }) { "build" } else { "pull" };
                steps.engine(kind, &service.image, effect, &because);
            }
            for image in mounted(service).filter(|image| !self.facts.images.contains_key(*image)) {
                if fetched.insert(image.clone()) {
                    let effect = Effect::EnsureImage { image: image.clone(), platform: None, always: false };
                    steps.engine("pull", image, effect, &needed_by(name));
                }
            }
        }
    }

    /// Services whose image is here and is to be fetched all the same.
    pub(crate) fn due(&self, services: &[ServiceName]) -> Vec<ServiceName> {
        let due = |name: &&ServiceName| {
            let service = &self.shape.services[*name];
            let here = self.facts.images.contains_key(&service.image);
            here && self.facts.host.engine != EngineKind::Process && self.fetch(name, service).is_some()
        };
        services.iter().filter(due).cloned().collect()
    }

    /// How the image of a service is fetched, and why; nothing where the one that is here will do.
    ///
    /// What is built from files that are here is not asked for elsewhere first.
    fn fetch(&self, name: &ServiceName, service: &Service) -> Option<(Effect, Vec<String>)> {
        let seen = self.facts.images.get(&service.image);
        let because = match seen {
            None => needed_by(name),
            Some(_) if self.policy.fetched => return None,
            Some(seen) => vec![self.why_anew(name, service, seen)?],
        };
        let (image, platform) = (service.image.clone(), service.platform.clone());
        let effect = match service.build.clone() {
            Some(mut build) => {
                build.platform = build.platform.or(platform);
                Effect::BuildImage { image, build: Box::new(build) }
            }
            None => Effect::EnsureImage { image, platform, always: seen.is_some() },
        };
        Some((effect, because))
    }

    /// Why an image that is here is fetched all the same.
    fn why_anew(&self, name: &ServiceName, service: &Service, seen: &ImageSeen) -> Option<String> {
        match service.pull_policy {
            PullPolicy::Always => Some(format!("`pull_policy` of {name} is `always`")),
            PullPolicy::Build if service.build.is_some() => {
                Some(format!("`pull_policy` of {name} is `build`"))
            }
            PullPolicy::Every(age) => {
                let Some(named_at) = seen.named_at else {
                    return Some(format!(
                        "nobody knows when it was fetched, and {name} says how often that is done"
                    ));
                };
                let old = named_at.checked_add(age).is_ok_and(|due| due < self.policy.now);
                old.then(|| format!("it was fetched at {named_at}, and {name} says how often that is done"))
            }
            PullPolicy::Missing | PullPolicy::Never | PullPolicy::Build => None,
        }
    }
}

/// Images whose files are mounted.
fn mounted(service: &Service) -> impl Iterator<Item = &String> {
    service.mounts.iter().filter_map(|mount| match &mount.source {
        MountSource::Image { image, .. } => Some(image),
        _ => None,
    })
}
