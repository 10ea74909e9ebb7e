//! What no planner decides by itself: it refuses, says why, and plans nothing.

use diag::{Diagnostic, Stop};
use stack::{EngineKind, PullPolicy, SecretKind, ServiceName, Shape};

use crate::{ArchiveSeen, Facts, Policy, desired::Versions, needs};

/// What a deploy must not decide by itself.
pub(crate) fn refuse_unready(
    shape: &Shape,
    facts: &Facts,
    policy: &Policy,
    versions: &Versions,
) -> Result<(), Stop> {
    let mut said = Vec::new();
    for (name, spec) in &shape.secrets {
        let users: Vec<&ServiceName> = shape
            .services
            .iter()
            .filter(|(_, service)| {
                let built = service.build.iter().flat_map(stack::Build::secrets_used);
                service.secrets_used().contains(name) || built.into_iter().any(|used| used == name)
            })
            .map(|(user, _)| user)
            .collect();
        if let (false, true, Some(user)) = (versions.contains_key(name), spec.required, users.first()) {
            said.push(
                Diagnostic::error(
                    "unset-secret",
                    format!("secret `{name}` was never given, and `{user}` needs it"),
                )
                .hint(match spec.kind {
                    SecretKind::Given if spec.from.is_none() => {
                        format!("seaworthy bootstrap --from-file {name}=FILE")
                    }
                    _ => "seaworthy bootstrap".to_owned(),
                }),
            );
        }
    }
    said.extend(nothing_to_run(shape, facts));
    said.extend(held_ports(shape, facts));
    said.extend(cannot_be_many(shape, facts));
    said.extend(ground_trouble(shape, facts, policy));
    or_refuse(said)
}

/// Where nobody may act, whatever the verb: production on the process engine or with development keys, and
/// containers that are looked after from elsewhere.
pub(crate) fn refuse_ground(shape: &Shape, facts: &Facts, policy: &Policy) -> Result<(), Stop> {
    or_refuse(ground_trouble(shape, facts, policy))
}

/// Containers that are looked after from elsewhere: all that stops the removal of a stack.
pub(crate) fn refuse_other_state_dir(facts: &Facts, policy: &Policy) -> Result<(), Stop> {
    or_refuse(other_state_dir(facts, policy).into_iter().collect())
}

fn or_refuse(said: Vec<Diagnostic>) -> Result<(), Stop> {
    if said.is_empty() { Ok(()) } else { Err(Stop { exit: diag::Exit::Precondition, diagnostics: said }) }
}

fn ground_trouble(shape: &Shape, facts: &Facts, policy: &Policy) -> Vec<Diagnostic> {
    let isolates_nothing = shape.production && facts.host.engine == EngineKind::Process;
    let process = isolates_nothing.then(|| {
        let message = "the process engine isolates nothing, and this shape is marked production";
        Diagnostic::error("process-engine-in-production", message).hint("seaworthy explain production")
    });
    let process = process.into_iter().chain(engine_too_old(shape, facts));
    process.chain(development_keys(shape, facts)).chain(other_state_dir(facts, policy)).collect()
}

/// What the shape says and an engine this old would leave out.
fn engine_too_old(shape: &Shape, facts: &Facts) -> Vec<Diagnostic> {
    let Some(said) = facts.host.api.as_deref() else { return Vec::new() };
    let Some(api) = needs::parse_api(said) else { return Vec::new() };
    let needs = needs::of_shape(shape, api).into_iter().map(|(who, need)| {
        let message = format!("`{who}` says `{}`, and this engine's API is {said}", need.key);
        Diagnostic::error("engine-too-old", message).hint(format!("needs {}", need.engine()))
    });
    needs.collect()
}

/// Services that the engine has nothing to run for: no image, or on the process engine no command.
fn nothing_to_run<'a>(shape: &'a Shape, facts: &'a Facts) -> impl Iterator<Item = Diagnostic> + 'a {
    let process = facts.host.engine == EngineKind::Process;
    shape.services.iter().filter_map(move |(name, service)| {
        if process {
            let message = format!("the process engine is not told what to run for service `{name}`");
            return service.process.is_none().then(|| {
                Diagnostic::error("no-process", message).hint(format!(
                    "write `[service.{name}] process = {{ command = [\"…\"] }}` in seaworthy.toml"
                ))
            });
        }
        if let (Some(archive), Some(ArchiveSeen::Unusable { because }), false) =
            (&service.archive, facts.archives.get(&service.image), facts.images.contains_key(&service.image))
        {
            let message = format!("`{name}` needs image `{}`, and `{archive}` cannot give it", service.image);
            let hint = format!("write it with `docker save -o {archive} {}`", service.image);
            return Some(Diagnostic::error("archive-unusable", message).cause(because.as_str()).hint(hint));
        }
        let never = service.pull_policy == PullPolicy::Never
            && service.build.is_none()
            && service.archive.is_none()
            && !facts.images.contains_key(&service.image);
        let message =
            format!("`{name}` needs image `{}`, which is not here and is never pulled", service.image);
        never.then(|| {
            Diagnostic::error("image-absent", message)
                .hint("build or load it, or take `pull_policy: never` out")
        })
    })
}

/// A key store for development, declared or seen running, in production.
fn development_keys(shape: &Shape, facts: &Facts) -> Option<Diagnostic> {
    let (service, _) = shape.key_store().filter(|_| shape.production)?;
    let seen = facts.key_stores.get(service).filter(|store| store.development);
    let version = seen.map(|store| format!(" ({})", store.version));
    (seen.is_some() || is_for_development(shape, service)).then(|| {
        let version = version.unwrap_or_default();
        let message =
            format!("`{service}` is a development key store{version}, and this shape is marked production");
        Diagnostic::error("development-key-store", message).hint("seaworthy explain production")
    })
}

/// True for a key store that is started with its development token. The token may be declared for other shapes: it
/// counts where this shape gives it to the store.
pub(crate) fn is_for_development(shape: &Shape, service: &ServiceName) -> bool {
    let token =
        shape.key_store().filter(|(store, _)| *store == service).map(|(_, transit)| &transit.dev_token);
    let settings = shape.services.get(service);
    let mut given = settings.iter().flat_map(|settings| settings.environment.values().flatten());
    token.is_some_and(|token| token.is_some() && given.any(|text| text.as_literal() == *token))
}

fn held_ports<'a>(shape: &'a Shape, facts: &'a Facts) -> impl Iterator<Item = Diagnostic> + 'a {
    let published = shape.services.iter().flat_map(|(name, service)| {
        service.ports.iter().filter_map(move |port| Some((name, port.published?)))
    });
    published.filter_map(|(name, port)| {
        let holder = facts.host.ports_held.get(&port)?;
        Some(
            Diagnostic::error(
                "port-held",
                format!("`{name}` publishes port {port}, and {holder} listens there"),
            )
            .hint(format!("stop {holder}, or publish another port")),
        )
    })
}

/// Services of which several containers should run, and of which only one can.
fn cannot_be_many<'a>(shape: &'a Shape, facts: &'a Facts) -> impl Iterator<Item = Diagnostic> + 'a {
    let many = shape.services.iter().filter(|(_, service)| service.replicas() > 1);
    many.filter_map(|(name, service)| {
        let one_port =
            service.ports.iter().find(|port| port.published.is_some() && port.published_until.is_none());
        let address = service.networks.values().find_map(|joined| joined.ipv4_address.as_ref());
        let only_one = match (&service.container_name, one_port.and_then(|port| port.published), address) {
            _ if facts.host.engine == EngineKind::Process => {
                "the process engine runs one of each service".to_owned()
            }
            (Some(fixed), _, _) => format!("`container_name: {fixed}` can be given to one only"),
            (_, Some(port), _) => format!("host port {port} can be held by one only"),
            (_, _, Some(address)) => format!("address {address} can be given to one only"),
            (None, None, None) => return None,
        };
        let message = format!("`{name}` is scaled to {}, and {only_one}", service.replicas());
        Some(Diagnostic::error("cannot-scale", message).hint("scale it to 1, or take that out"))
    })
}

/// A stack is worked on from one state directory only.
fn other_state_dir(facts: &Facts, policy: &Policy) -> Option<Diagnostic> {
    let other = facts.containers.iter().find_map(|seen| {
        let dir = seen.state_dir.as_ref()?;
        (*dir != policy.state_dir).then_some((seen, dir))
    })?;
    let (seen, dir) = other;
    Some(
        Diagnostic::error("other-state-dir", format!("`{}` is looked after from `{dir}`", seen.name))
            .hint(format!("--state-dir {dir}")),
    )
}
