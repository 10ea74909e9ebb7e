//! Images: which are pulled or built, and when. All of it comes before anything is touched.

use std::collections::BTreeSet;

use stack::{EngineKind, MountSource, PullPolicy, Service, ServiceName};

use crate::{
    ArchiveSeen, Effect, ImageSeen,
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
                let kind = match effect {
                    Effect::BuildImage { .. } => "build",
                    Effect::LoadImage { .. } => "load",
                    _ => "pull",
                };
                steps.engine(kind, &service.image, effect, &because);
            }
            for image in mounted(service).filter(|image| !self.facts.images.contains_key(*image)) {
                if fetched.insert(image.clone()) {
                    let effect =
                        Effect::EnsureImage { image: image.clone(), platform: None, always: false, id: None };
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
        if let Some(kept) = self.very_image(&service.image) {
            let because = vec![format!("release {} was made from this very image", self.release)];
            let image = kept.pulled_as.clone().unwrap_or_else(|| service.image.clone());
            let (platform, id) = (service.platform.clone(), Some(kept.id.clone()));
            return Some((Effect::EnsureImage { image, platform, always: false, id }, because));
        }
        if let Some(archive) = &service.archive {
            return self.load(name, service, archive);
        }
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
                let used = |name: &stack::SecretName| Some((name.clone(), *self.versions.get(name)?));
                let secrets = build.secrets_used().filter_map(used).collect();
                let written = self.facts.releases.iter().any(|release| release.number == self.release);
                let release = written.then_some(self.release);
                Effect::BuildImage { image, build: Box::new(build), secrets, release }
            }
            None => Effect::EnsureImage { image, platform, always: seen.is_some(), id: None },
        };
        Some((effect, because))
    }

    /// What an archive holds is loaded where the engine has no such image, or another: a new archive is a new image.
    fn load(&self, name: &ServiceName, service: &Service, archive: &str) -> Option<(Effect, Vec<String>)> {
        let Some(ArchiveSeen::Waiting { id }) = self.facts.archives.get(&service.image) else { return None };
        let because = match self.facts.images.contains_key(&service.image) {
            true if self.policy.fetched => return None,
            true => vec![format!("`{archive}` holds another image of that name")],
            false => needed_by(name),
        };
        let (image, archive, id) = (service.image.clone(), archive.to_owned(), id.clone());
        Some((Effect::LoadImage { image, archive, id }, because))
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
