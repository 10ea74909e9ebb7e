//! Databases: PostgreSQL's ways to lose everything before anybody notices.

use stack::{Service, ServiceName};

use crate::{
    check::{Check, Level, Mode, Reach},
    input::{Input, Seen},
    known::{self, Image, Store},
};

pub(crate) const CHECKS: [Check; 3] = [
    Check {
        id: "postgres-volume-path",
        catalogue: Some("DB-002"),
        level: Level::Critical,
        production: Reach::Everywhere,
        mode: Mode::Static,
        what: "PostgreSQL 18 or newer has its volume where older ones had it",
        why: "its data directory moved: the data ends in an anonymous volume and is lost with the container",
        fix: "mount the volume at `/var/lib/postgresql`",
        source: "documentation of the official image",
        requirements: &[],
        look: volume_path,
    },
    Check {
        id: "postgres-data-unmounted",
        catalogue: Some("DB-001"),
        level: Level::Critical,
        production: Reach::Everywhere,
        mode: Mode::Static,
        what: "PostgreSQL keeps its data in no volume of the stack",
        why: "the next deploy starts with an empty database",
        fix: "mount a named volume at the data directory",
        source: "documentation of the official image",
        requirements: &[],
        look: unmounted,
    },
    Check {
        id: "postgres-trust",
        catalogue: Some("DB-004"),
        level: Level::Critical,
        production: Reach::Everywhere,
        mode: Mode::Static,
        what: "PostgreSQL asks for no password",
        why: "whoever reaches the port is superuser",
        fix: "remove `POSTGRES_HOST_AUTH_METHOD=trust` and set `POSTGRES_PASSWORD_FILE`",
        source: "CIS PostgreSQL; PostgreSQL documentation, 20.3",
        requirements: &[],
        look: trust,
    },
];

const OLD_PATH: &str = "/var/lib/postgresql/data";

fn volume_path(input: &Input<'_>) -> Vec<Seen> {
    let modern = servers(input).filter(|(_, service)| {
        let moved = Image::parse(&service.image).major().is_some_and(|major| major >= 18);
        moved && !service.environment.contains_key("PGDATA")
    });
    modern
        .filter_map(|(name, service)| {
            let index = service.mounts.iter().position(|mount| mount.target == OLD_PATH)?;
            let message = format!("`{}` does not keep its data in `{OLD_PATH}`", service.image);
            Some(Seen::in_service(name, &format!("/volumes/{index}"), message, OLD_PATH))
        })
        .collect()
}

fn unmounted(input: &Input<'_>) -> Vec<Seen> {
    servers(input)
        .filter(|(_, service)| {
            let data = input.value_of(service, "PGDATA").unwrap_or_else(|| OLD_PATH.to_owned());
            !service.mounts.iter().any(|mount| is_above(&mount.target, &data))
        })
        .map(|(name, service)| {
            Seen::in_service(
                name,
                "",
                format!("`{name}` (`{}`) keeps its data in no volume", service.image),
                "data",
            )
        })
        .collect()
}

fn is_above(mount: &str, path: &str) -> bool {
    let mount = mount.trim_end_matches('/');
    path.strip_prefix(mount).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

fn trust(input: &Input<'_>) -> Vec<Seen> {
    const VARIABLE: &str = "POSTGRES_HOST_AUTH_METHOD";
    servers(input)
        .filter(|(_, service)| input.value_of(service, VARIABLE).is_some_and(|value| value == "trust"))
        .map(|(name, _)| {
            let message = format!("`{name}` lets everybody in without a password");
            Seen::in_service(name, &format!("/environment/{VARIABLE}"), message, VARIABLE)
        })
        .collect()
}

/// PostgreSQL servers that run from an image.
fn servers<'a>(input: &Input<'a>) -> impl Iterator<Item = (&'a ServiceName, &'a Service)> {
    let shape = input.shape;
    input.services().filter(move |(name, service)| {
        !service.image.is_empty() && known::store(shape, name, service) == Some(Store::Postgres)
    })
}
