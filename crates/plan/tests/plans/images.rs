//! How a service comes by its image, as a table: what the file says, what is there, what is done.

use std::time::Duration;

use plan::{Action, Effect, ImageSeen};
use stack::{Build, Mount, MountSource, PullPolicy, Service, ServiceName};

use crate::world::World;

/// The steps about images of a first deploy of `web`, as they are shown.
fn steps(service: Service, named: Option<Duration>) -> Vec<String> {
    let mut world = World::read("running: nothing\nshape: web=app:7");
    let shape = &mut world.shape;
    shape.services.insert(ServiceName::from("web"), Service { image: "app:7".to_owned(), ..service });
    if let Some(ago) = named {
        let named_at = Some(world.facts.seen_at - jiff::SignedDuration::try_from(ago).expect("it is short"));
        let seen = ImageSeen { id: "id".to_owned(), digest: None, named_at };
        world.facts.images.insert("app:7".to_owned(), seen);
    }
    let plan = world.plan().expect("it can be planned");
    let said = plan.steps.iter().filter_map(|step| match &step.action {
        Action::Engine { effect: Effect::EnsureImage { image, always, .. } } => {
            Some(format!("{} {image}{}", step.kind, if *always { " anew" } else { "" }))
        }
        Action::Engine { effect: Effect::BuildImage { image, build } } => {
            let of = build.platform.clone().map(|platform| format!(" for {platform}")).unwrap_or_default();
            Some(format!("{} {image} of {}{of}", step.kind, build.context))
        }
        _ => None,
    });
    said.collect()
}

#[test]
fn an_image_is_pulled_or_built_as_the_file_says_and_as_it_is_needed() {
    let says = |pull_policy, build: bool| Service {
        pull_policy,
        build: build.then(|| Build { context: "/srv".to_owned(), ..Build::default() }),
        ..Service::default()
    };
    let day = Duration::from_secs(86400);
    let daily = PullPolicy::Every(day);
    let cases: [(Service, Option<Duration>, &[&str]); 11] = [
        (says(PullPolicy::Missing, false), None, &["pull app:7"]),
        (says(PullPolicy::Missing, false), Some(day), &[]),
        (says(PullPolicy::Missing, true), None, &["build app:7 of /srv"]),
        (says(PullPolicy::Missing, true), Some(day), &[]),
        (says(PullPolicy::Never, true), None, &["build app:7 of /srv"]),
        (says(PullPolicy::Build, true), Some(day), &["build app:7 of /srv"]),
        (says(PullPolicy::Always, false), Some(day), &["pull app:7 anew"]),
        (says(PullPolicy::Always, true), None, &["pull app:7 anew"]),
        (says(daily, false), None, &["pull app:7"]),
        (says(daily, false), Some(day / 2), &[]),
        (says(daily, false), Some(day * 2), &["pull app:7 anew"]),
    ];
    for (service, named, expected) in cases {
        let told = format!("{:?}, build {}, {named:?}", service.pull_policy, service.build.is_some());
        assert_eq!(steps(service, named), expected, "{told}");
    }
}

#[test]
fn a_platform_is_built_for_and_a_mounted_image_is_pulled() {
    let build = Some(Build { context: "/srv".to_owned(), ..Build::default() });
    let source = MountSource::Image { image: "files:1".to_owned(), subpath: None };
    let mounts = vec![Mount { target: "/files".to_owned(), source, read_only: true }];
    let service = Service { platform: Some("linux/arm64".to_owned()), build, mounts, ..Service::default() };
    assert_eq!(steps(service, None), ["build app:7 of /srv for linux/arm64", "pull files:1"]);
}
