//! Runtime: what a container may do to its host, and how it starts, ends and says that it is well.

use stack::{Condition, MountSource, Restart, Service};

use crate::{
    check::{Check, Level, Mode, Reach},
    input::{Input, Seen, escape},
    known::{self, Store},
};

pub(crate) const CHECKS: [Check; 8] = [
    Check {
        id: "privileged",
        catalogue: Some("RUN-001"),
        level: Level::Critical,
        production: Reach::Everywhere,
        mode: Mode::Static,
        what: "a container is privileged",
        why: "whoever breaks into it is root on the host",
        fix: "remove `privileged: true` and add the one capability it needs with `cap_add`",
        source: "CIS Docker 5.5",
        requirements: &[],
        look: privileged,
    },
    Check {
        id: "engine-socket",
        catalogue: Some("RUN-002"),
        level: Level::Critical,
        production: Reach::Everywhere,
        mode: Mode::Static,
        what: "the engine's control socket is mounted into a container",
        why: "whoever can write to it can start a privileged container: it is root on the host",
        fix: "configure the service from files instead (Traefik has a file provider)",
        source: "CIS Docker 5.32",
        requirements: &[],
        look: engine_socket,
    },
    Check {
        id: "dangerous-capability",
        catalogue: Some("RUN-003"),
        level: Level::Critical,
        production: Reach::Everywhere,
        mode: Mode::Static,
        what: "a capability is added that reaches the host",
        why: "it is a way out of the container",
        fix: "remove it from `cap_add`",
        source: "CIS Docker 5.4",
        requirements: &[],
        look: dangerous_capability,
    },
    Check {
        id: "sensitive-mount",
        catalogue: Some("RUN-011"),
        level: Level::Critical,
        production: Reach::Everywhere,
        mode: Mode::Static,
        what: "a path of the host that controls it is mounted writable",
        why: "writing there is being root on the host",
        fix: "mount it read-only, or only the one directory that is needed",
        source: "CIS Docker 5.6",
        requirements: &[],
        look: sensitive_mount,
    },
    Check {
        id: "no-healthcheck",
        catalogue: Some("RUN-021"),
        level: Level::High,
        production: Reach::Everywhere,
        mode: Mode::Static,
        what: "a service has neither a probe nor a health check",
        why: "a deploy cannot tell a release that works from one that only runs, and so cannot undo a bad one",
        fix: "add `[service.NAME] probe = { http = \"/healthz\" }` (or `tcp`, `exec`, `log`)",
        source: "CIS Docker 5.27",
        requirements: &["A55"],
        look: no_healthcheck,
    },
    Check {
        id: "depends-on-not-healthy",
        catalogue: Some("RUN-025"),
        level: Level::Medium,
        production: Reach::Everywhere,
        mode: Mode::Static,
        what: "a service starts as soon as a data store was started, not when it is ready",
        why: "after a reboot the two race, and whichever loses fails at its first query",
        fix: "write `depends_on: { NAME: { condition: service_healthy } }`",
        source: "Compose specification",
        requirements: &[],
        look: depends_on_not_healthy,
    },
    Check {
        id: "endless-restart-one-shot",
        catalogue: Some("RUN-020"),
        level: Level::Medium,
        production: Reach::Everywhere,
        mode: Mode::Static,
        what: "a service that runs to its end is restarted for ever",
        why: "what waits for its end waits for ever, and the loop hides the failure",
        fix: "write `restart: \"no\"`, or `on-failure:3`",
        source: "Compose specification",
        requirements: &[],
        look: endless_restart,
    },
    Check {
        id: "no-memory-limit",
        catalogue: Some("RUN-015"),
        // Lighter than in the catalogue: nearly every stack lacks it, and a warning that everybody has is read by nobody.
        level: Level::Low,
        production: Reach::Everywhere,
        mode: Mode::Static,
        what: "a service may take all memory of the host",
        why: "one leak takes everything else down with it",
        fix: "write `deploy: { resources: { limits: { memory: 512M } } }`",
        source: "CIS Docker 5.11",
        requirements: &[],
        look: no_memory_limit,
    },
];

fn privileged(input: &Input<'_>) -> Vec<Seen> {
    each(input, "/privileged", |service| {
        service.privileged.then(|| "is privileged: root inside is root on the host".to_owned())
    })
}

fn engine_socket(input: &Input<'_>) -> Vec<Seen> {
    binds(input, |path, _| {
        let socket = ["docker.sock", "containerd.sock", "podman.sock", "crio.sock"];
        socket.iter().any(|end| path.ends_with(end)).then_some("the engine's control socket")
    })
}

fn sensitive_mount(input: &Input<'_>) -> Vec<Seen> {
    const PATHS: [&str; 9] =
        ["/", "/etc", "/root", "/boot", "/dev", "/proc", "/sys", "/run", "/var/lib/docker"];
    binds(input, |path, read_only| {
        let path = if path == "/" { path } else { path.trim_end_matches('/') };
        (PATHS.contains(&path) && !read_only).then_some("writable, and it controls the host")
    })
}

/// Bind mounts of which `says` has something to say.
fn binds(input: &Input<'_>, says: impl Fn(&str, bool) -> Option<&'static str>) -> Vec<Seen> {
    let mut seen = Vec::new();
    for (name, service) in input.services() {
        for (index, mount) in service.mounts.iter().enumerate() {
            let MountSource::Bind { path, .. } = &mount.source else { continue };
            if let Some(what) = says(path, mount.read_only) {
                let message = format!("`{name}` mounts `{path}`: {what}");
                seen.push(Seen::in_service(name, &format!("/volumes/{index}"), message, path));
            }
        }
    }
    seen
}

fn dangerous_capability(input: &Input<'_>) -> Vec<Seen> {
    const REACHING: [&str; 9] = [
        "ALL",
        "SYS_ADMIN",
        "SYS_PTRACE",
        "SYS_MODULE",
        "SYS_RAWIO",
        "SYS_BOOT",
        "DAC_READ_SEARCH",
        "NET_ADMIN",
        "BPF",
    ];
    let mut seen = Vec::new();
    for (name, service) in input.services() {
        for added in &service.cap_add {
            let upper = added.to_ascii_uppercase();
            let capability = upper.strip_prefix("CAP_").unwrap_or(&upper);
            if REACHING.contains(&capability) {
                let message = format!("`{name}` is given `{added}`");
                seen.push(Seen::in_service(name, "/cap_add", message, capability));
            }
        }
    }
    seen
}

fn no_healthcheck(input: &Input<'_>) -> Vec<Seen> {
    let shape = input.shape;
    input
        .services()
        .filter(|(name, service)| {
            let disabled = service.healthcheck.as_ref().is_none_or(|check| {
                check.test.first().and_then(stack::Text::as_literal).is_none_or(|word| word == "NONE")
            });
            service.probes.is_empty() && disabled && !shape.runs_once(name)
        })
        .map(|(name, _)| Seen::in_service(name, "", format!("nothing tells whether `{name}` works"), "none"))
        .collect()
}

fn depends_on_not_healthy(input: &Input<'_>) -> Vec<Seen> {
    let mut seen = Vec::new();
    for (name, service) in input.services() {
        for (on, dependency) in &service.depends_on {
            let Some(other) = input.shape.services.get(on) else { continue };
            let Some(store) = known::store(input.shape, on, other) else { continue };
            // A key store is not healthy before it is unsealed, which comes after it was started.
            let waits = dependency.condition != Condition::ServiceStarted || store == Store::Keys;
            if !waits {
                let message = format!("`{name}` does not wait until `{on}` ({}) is ready", store.as_str());
                let below = format!("/depends_on/{}", escape(on.as_str()));
                seen.push(Seen::in_service(name, &below, message, on.as_str()));
            }
        }
    }
    seen
}

fn endless_restart(input: &Input<'_>) -> Vec<Seen> {
    let shape = input.shape;
    let once = input.services().filter(|(name, _)| shape.runs_once(name));
    let endless = once.filter(|(_, service)| {
        matches!(service.restart, Restart::Always | Restart::UnlessStopped | Restart::OnFailure(None))
    });
    endless
        .map(|(name, _)| {
            let message = format!("others wait for `{name}` to end, and it is restarted for ever");
            Seen::in_service(name, "/restart", message, "endless")
        })
        .collect()
}

fn no_memory_limit(input: &Input<'_>) -> Vec<Seen> {
    each(input, "", |service| {
        service.resources.memory_bytes.is_none().then(|| "may take all memory of the host".to_owned())
    })
}

/// One sentence about each service of which `says` has something to say.
fn each(input: &Input<'_>, below: &str, says: impl Fn(&Service) -> Option<String>) -> Vec<Seen> {
    input
        .services()
        .filter_map(|(name, service)| {
            let message = format!("`{name}` {}", says(service)?);
            Some(Seen::in_service(name, below, message, "service"))
        })
        .collect()
}
