//! What `init` writes: a `seaworthy.toml` with hardened defaults, made from a bare Compose file.

use std::fmt::Write as _;

use crate::{
    load::Loaded,
    materials::Materials,
    names::ServiceName,
    shape::{MountSource, Service, Shape},
    text::{Part, Text},
};

/// A settings file for a stack that has none, and what to say about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Suggestion {
    /// The text of `seaworthy.toml`; it loads without errors.
    pub toml: String,
    /// What was seen and what it led to, a line each.
    pub lines: Vec<String>,
}

/// Looks at a stack that was read without settings, and writes settings for it.
pub fn suggest(loaded: &Loaded) -> Suggestion {
    let Some(shape) = &loaded.shape else {
        return Suggestion { toml: String::new(), lines: vec!["no service could be made out".to_owned()] };
    };
    let seen: Vec<Seen<'_>> =
        shape.services.iter().map(|(name, service)| look(shape, name, service, &loaded.materials)).collect();
    let missing = missing_secrets(loaded);
    let mut lines = say(shape, &seen);
    if !missing.is_empty() {
        let names: Vec<&str> = missing.iter().map(|(name, _)| name.as_str()).collect();
        lines.push(format!("  secrets whose files are not there: {}  → [secret]", names.join(", ")));
    }
    Suggestion { toml: write(shape, &seen, &missing), lines }
}

/// Compose secrets that lead nowhere as the file stands, with the type they are declared by.
fn missing_secrets(loaded: &Loaded) -> Vec<(String, &'static str)> {
    let declared = loaded.canonical.get("secrets").and_then(serde_json::Value::as_object);
    let missing = |name: &String| {
        let entry = loaded.places.get(&format!("/secrets/{name}"));
        let file = loaded.places.get(&format!("/secrets/{name}/file"));
        loaded.diagnostics.iter().find_map(|said| {
            let at = said.place.as_ref()?;
            let beside =
                |place: Option<&diag::Place>| place.is_some_and(|p| p.file == at.file && p.line == at.line);
            match said.id.as_str() {
                "missing-file" if beside(file) => Some((name.clone(), "urlsafe")),
                "undeclared-secret" if beside(entry) => Some((name.clone(), "given")),
                _ => None,
            }
        })
    };
    declared.into_iter().flat_map(|secrets| secrets.keys()).filter_map(missing).collect()
}

/// What a service was recognised as.
enum Kind {
    Postgres {
        database: String,
        user: String,
    },
    /// A store in memory; `kept` when it has a volume.
    Cache {
        kept: bool,
    },
    KeyStore {
        volume: Option<String>,
        dev_token: Option<String>,
    },
    Application,
}

struct Seen<'s> {
    name: &'s ServiceName,
    service: &'s Service,
    /// Such as `PostgreSQL 16`.
    product: String,
    kind: Kind,
    /// The inside of a probe's table.
    probe: Option<String>,
    /// Named volumes that nothing is known about.
    volumes: Vec<String>,
    /// Names of variables with a secret written into the file.
    written_secrets: usize,
}

fn look<'s>(shape: &Shape, name: &'s ServiceName, service: &'s Service, materials: &Materials) -> Seen<'s> {
    let (repository, version) = image(&service.image);
    let is = |names: &[&str]| names.contains(&repository);
    let volumes: Vec<String> = service
        .mounts
        .iter()
        .filter_map(|mount| match &mount.source {
            MountSource::Volume { volume, .. } => Some(volume.to_string()),
            _ => None,
        })
        .collect();
    // Names of databases and roles are no secrets, also where the shell gives them.
    let setting = |key: &str| service.environment.get(key)?.as_ref().and_then(|text| value(text, materials));
    let (product, kind) =
        if is(&["postgres", "postgresql", "postgis", "pgvector", "timescaledb", "timescaledb-ha"]) {
            let user = setting("POSTGRES_USER").unwrap_or_else(|| "postgres".to_owned());
            let database = setting("POSTGRES_DB").unwrap_or_else(|| user.clone());
            ("PostgreSQL", Kind::Postgres { database, user })
        } else if is(&["redis", "valkey", "keydb", "dragonfly", "memcached"]) {
            let product = if repository == "memcached" { "Memcached" } else { "Redis" };
            (product, Kind::Cache { kept: !volumes.is_empty() })
        } else if is(&["vault", "openbao", "openbao-ubi", "bao"]) {
            let token = setting("VAULT_DEV_ROOT_TOKEN_ID").or_else(|| setting("BAO_DEV_ROOT_TOKEN_ID"));
            let product = if repository == "vault" { "Vault" } else { "OpenBao" };
            (product, Kind::KeyStore { volume: volumes.first().cloned(), dev_token: token })
        } else {
            ("", Kind::Application)
        };
    Seen {
        name,
        service,
        product: format!("{product} {version}").trim().to_owned(),
        probe: probe(service, &kind),
        volumes: if matches!(kind, Kind::Application) { volumes } else { Vec::new() },
        kind,
        written_secrets: service
            .environment
            .iter()
            .filter(|(key, text)| written_secret(shape, key, text))
            .count(),
    }
}

/// The last part of an image's name, and the number its tag begins with.
fn image(image: &str) -> (&str, &str) {
    let without_digest = image.split('@').next().unwrap_or_default();
    let last = without_digest.rsplit('/').next().unwrap_or_default();
    let (repository, tag) = last.split_once(':').unwrap_or((last, ""));
    let end = tag.find(|c: char| !(c.is_ascii_digit() || c == '.')).unwrap_or(tag.len());
    (repository, tag[..end].trim_end_matches('.'))
}

fn value(text: &Text, materials: &Materials) -> Option<String> {
    text.resolve(|part| match part {
        Part::Held { id, .. } => materials.held.get(id).cloned(),
        _ => None,
    })
    .filter(|value| !value.is_empty())
}

/// A value that looks like a secret and stands in the Compose file itself.
fn written_secret(shape: &Shape, key: &str, text: &Option<Text>) -> bool {
    let name = key.to_ascii_uppercase();
    let secret =
        ["PASSWORD", "SECRET", "TOKEN", "API_KEY", "PRIVATE_KEY"].iter().any(|word| name.contains(word));
    let literal =
        text.as_ref().and_then(Text::as_literal).filter(|value| !value.is_empty() && !value.starts_with('/'));
    secret && !name.ends_with("_FILE") && literal.is_some() && shape.secrets.is_empty()
}

fn probe(service: &Service, kind: &Kind) -> Option<String> {
    match kind {
        Kind::Postgres { .. } => {
            return Some("exec = [\"pg_isready\", \"--quiet\", \"--host=127.0.0.1\"]".to_owned());
        }
        Kind::KeyStore { .. } => {
            return Some("http = \"/v1/sys/health\", status = [200], port = 8200".to_owned());
        }
        Kind::Cache { .. } => {
            let port = service.only_port().unwrap_or(6379);
            return Some(format!("tcp = true, port = {port}"));
        }
        Kind::Application => {}
    }
    let check = service.healthcheck.iter().flat_map(|check| &check.test).filter_map(Text::as_literal);
    let url =
        check.flat_map(|word| word.split([' ', '"', '\'', '\n']).map(str::to_owned).collect::<Vec<_>>());
    if let Some((port, path)) = url.filter_map(|word| local_url(&word)).next() {
        return Some(format!("http = {}, port = {port}", quoted(&path)));
    }
    let port = service.ports.first().map(|port| port.target).or_else(|| service.only_port())?;
    Some(format!("tcp = true, port = {port}"))
}

/// Port and path of a URL that a health check asks inside its own container.
fn local_url(word: &str) -> Option<(u16, String)> {
    let rest = word.strip_prefix("http://")?;
    let (authority, path) = rest.find('/').map_or((rest, "/"), |slash| rest.split_at(slash));
    let (host, port) = authority.rsplit_once(':').unwrap_or((authority, "80"));
    let path: String = path.chars().take_while(|c| c.is_ascii_graphic() && !"|&;)".contains(*c)).collect();
    matches!(host, "localhost" | "127.0.0.1" | "0.0.0.0").then_some((port.parse().ok()?, path))
}

fn published(shape: &Shape) -> Vec<u16> {
    let mut ports: Vec<u16> = shape
        .services
        .values()
        .flat_map(|service| &service.ports)
        .filter_map(|port| port.published)
        .collect();
    ports.sort_unstable();
    ports.dedup();
    ports
}

fn write(shape: &Shape, seen: &[Seen<'_>], missing: &[(String, &'static str)]) -> String {
    let mut toml = "#:schema ./seaworthy.schema.json\n\n[shape.local]\n".to_owned();
    let files: Vec<String> = shape.files.iter().map(|file| quoted(file)).collect();
    let _ = writeln!(toml, "files = [{}]\npublishes = {:?}", files.join(", "), published(shape));
    let stores = seen.iter().filter(|seen| matches!(seen.kind, Kind::KeyStore { .. }));
    // Only one key store can be the stack's.
    let store = stores.map(|seen| seen.name).next();
    if store.is_some() || !missing.is_empty() {
        toml += "\n[secret]\n";
    }
    for (name, kind) in missing {
        let _ = writeln!(toml, "{} = \"{kind}\"", bare(name));
    }
    if let Some(store) = store {
        let _ = writeln!(toml, "{} = \"approle\"", bare(&credential(store)));
    }
    for Seen { name, probe, .. } in seen {
        if let Some(probe) = probe {
            let _ = writeln!(toml, "\n[service.{}]\nprobe = {{ {probe} }}", bare(name.as_str()));
        }
    }
    let mut captured = false;
    for Seen { name, kind, .. } in seen {
        let table = match kind {
            Kind::Postgres { database, user } => {
                captured = true;
                format!("postgres = {{ database = {}, user = {} }}", quoted(database), quoted(user))
            }
            Kind::Cache { kept: false } => "discard = true\nreason = \"a cache: it fills itself\"".to_owned(),
            Kind::KeyStore { volume, dev_token } if Some(*name) == store => {
                captured = true;
                let key = quoted(shape.stack.as_str());
                let mut table =
                    format!("transit = {{ key = {key}, credential = {}", quoted(&credential(name)));
                for (option, value) in [("volume", volume), ("dev_token", dev_token)] {
                    if let Some(value) = value {
                        let _ = write!(table, ", {option} = {}", quoted(value));
                    }
                }
                table + " }"
            }
            _ => continue,
        };
        let _ = writeln!(toml, "\n[state.{}]\n{table}", bare(name.as_str()));
    }
    if captured {
        toml += "\n[backup]\nto = [\"./backups\"]\nkeep = 14\nrpo = \"24h\"\nrto = \"1h\"\n";
    }
    toml
}

fn credential(store: &ServiceName) -> String {
    let name = store.as_str().replace(|c: char| !c.is_ascii_alphanumeric(), "_");
    format!("{name}_credential")
}

fn say(shape: &Shape, seen: &[Seen<'_>]) -> Vec<String> {
    let count = |number: usize, thing: &str| match number {
        1 => format!("1 {thing}"),
        _ => format!("{number} {thing}s"),
    };
    let names: Vec<&str> = shape.services.keys().map(ServiceName::as_str).collect();
    let mut lines = vec![format!(
        "{}: {} ({}), {}, {}",
        shape.files.join(", "),
        count(names.len(), "service"),
        names.join(", "),
        count(shape.volumes.len(), "volume"),
        count(published(shape).len(), "published port"),
    )];
    let mut rows: Vec<(String, String, String)> = Vec::new();
    for Seen { name, service, product, kind, probe, volumes, .. } in seen {
        let (saw, then) = match kind {
            Kind::Postgres { .. } => (format!("looks like {product}"), format!("[state.{name}] postgres")),
            Kind::Cache { kept: false } => {
                (format!("looks like {product}, no volume"), "a cache: not backed up".to_owned())
            }
            Kind::Cache { kept: true } => (
                format!("looks like {product}, with a volume"),
                "not backed up: this kind is not handled yet".to_owned(),
            ),
            Kind::KeyStore { .. } => (format!("looks like {product}"), format!("[state.{name}] transit")),
            Kind::Application if !volumes.is_empty() => (
                format!("keeps {}", volumes.join(", ")),
                "not backed up: this kind is not handled yet".to_owned(),
            ),
            Kind::Application => match (service.ports.iter().find_map(|port| port.published), probe) {
                (Some(port), Some(probe)) if probe.starts_with("http") => (
                    format!("publishes {port}, has {}", probe.split('"').nth(1).unwrap_or("/")),
                    "probe".to_owned(),
                ),
                (Some(port), Some(_)) => (format!("publishes {port}"), "probe".to_owned()),
                (_, Some(_)) => ("listens".to_owned(), "probe".to_owned()),
                (_, None) => continue,
            },
        };
        rows.push((name.to_string(), saw, then));
    }
    let secrets: usize = seen.iter().map(|seen| seen.written_secrets).sum();
    let width = |column: fn(&(String, String, String)) -> &String| {
        rows.iter().map(|row| column(row).chars().count()).max().unwrap_or_default()
    };
    let (first, second) = (width(|row| &row.0), width(|row| &row.1));
    lines.extend(rows.iter().map(|(name, saw, then)| format!("  {name:first$}  {saw:second$}  → {then}")));
    if secrets > 0 {
        let are = if secrets == 1 { "is" } else { "are" };
        let secrets = count(secrets, "secret");
        lines.push(format!(
            "  {secrets} {are} written in the file  → moved nowhere yet; `seaworthy preflight` says how"
        ));
    }
    lines
}

/// A TOML string.
fn quoted(text: &str) -> String {
    toml::Value::String(text.to_owned()).to_string()
}

/// A TOML key, in quotes where it needs them.
fn bare(key: &str) -> String {
    let plain = !key.is_empty() && key.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_'));
    if plain { key.to_owned() } else { quoted(key) }
}
