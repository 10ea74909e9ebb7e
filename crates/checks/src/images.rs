//! Images: what would change without a deploy.

use crate::{
    check::{Check, Level, Mode, Reach},
    input::{Input, Seen},
    known::Image,
};

pub(crate) const CHECKS: [Check; 2] = [
    Check {
        id: "unpinned-image",
        catalogue: Some("IMG-001"),
        level: Level::Medium,
        production: Reach::Everywhere,
        mode: Mode::Static,
        what: "an image has no tag, or one that moves by design",
        why: "what runs changes without a deploy, and no deploy can be repeated",
        fix: "name a version: `image: postgres:16.4`",
        source: "CIS Docker 5.28",
        requirements: &[],
        look: unpinned,
    },
    Check {
        id: "tag-without-digest",
        catalogue: Some("IMG-002"),
        level: Level::Medium,
        production: Reach::ProductionOnly,
        mode: Mode::Static,
        what: "an image is named by a tag and no digest",
        why: "whoever owns the registry can move the tag under you",
        fix: "add the digest: `image: postgres:16.4@sha256:…` (`docker image inspect` shows it)",
        source: "OWASP Docker Security Cheat Sheet, rule 13",
        requirements: &[],
        look: undigested,
    },
];

fn unpinned(input: &Input<'_>) -> Vec<Seen> {
    images(input, |image| {
        let moves =
            matches!(image.tag, None | Some("latest" | "stable" | "main" | "master" | "edge" | "nightly"));
        (moves && image.digest.is_none()).then_some("changes without a deploy")
    })
}

fn undigested(input: &Input<'_>) -> Vec<Seen> {
    images(input, |image| image.digest.is_none().then_some("is named by a tag that can be moved"))
}

fn images(input: &Input<'_>, says: impl Fn(&Image<'_>) -> Option<&'static str>) -> Vec<Seen> {
    let named = input.services().filter(|(_, service)| !service.image.is_empty());
    named
        .filter_map(|(name, service)| {
            let message = format!("`{}` {}", service.image, says(&Image::parse(&service.image))?);
            Some(Seen::in_service(name, "/image", message, &service.image))
        })
        .collect()
}
