//! Containers that `docker compose` made: taken over as they run, where they are what the files say.
//!
//! An engine cannot label a container that is there, so nothing on it says that it is ours. Compose's own label says
//! what it was made from, and the release that was written when it was taken over says what belonged to it then:
//! the content of what it mounts, which Compose does not look at.

use crate::{Container, ContainerSeen, desired, place::Placing};

/// Why a container that carries no label of ours cannot stay.
pub(crate) fn reasons_to_replace(
    placing: &Placing<'_>,
    wanted: &Container,
    seen: &ContainerSeen,
) -> Vec<String> {
    let Some(made_from) = placing.compose.services.get(&wanted.service).filter(|_| is_composed(seen)) else {
        return vec!["it was not made by us".to_owned()];
    };
    let since = differences_since_it_was_adopted(placing, wanted);
    if *made_from == seen.compose_hash {
        return since;
    }
    if since.is_empty() { vec!["`docker compose` made it from other settings".to_owned()] } else { since }
}

/// True of a container that Compose made.
pub(crate) fn is_composed(seen: &ContainerSeen) -> bool {
    seen.identity.is_empty() && !seen.compose_hash.is_empty()
}

/// What the service says now and did not say in the release that runs.
fn differences_since_it_was_adopted(placing: &Placing<'_>, wanted: &Container) -> Vec<String> {
    let current = placing.facts.releases.iter().find(|release| Some(release.number) == placing.facts.current);
    let Some(release) = current.filter(|release| release.shape.services.contains_key(&wanted.service)) else {
        return Vec::new();
    };
    let state_dir = &placing.policy.state_dir;
    let was = desired::container(&release.shape, &wanted.service, &release.secrets, 0, state_dir);
    if was.identity == wanted.identity { Vec::new() } else { desired::differences(&was, wanted) }
}
