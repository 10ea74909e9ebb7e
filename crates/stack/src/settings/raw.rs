//! `seaworthy.toml` as it is written: what is decoded, and what its JSON Schema is made from.

use std::{collections::BTreeMap, fmt, time::Duration};

use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::{
    Deserialize, Deserializer,
    de::{Error, Visitor},
};
use toml::Spanned;

use crate::{
    shape::{EngineKind, ProbeRole, WebsocketStep},
    values,
};

/// The JSON Schema of `seaworthy.toml`, for editors.
pub fn schema() -> serde_json::Value {
    serde_json::to_value(schemars::schema_for!(RawFile)).expect("a schema is made of JSON values only")
}

/// What Compose cannot say about a stack.
#[derive(JsonSchema)]
#[schemars(title = "seaworthy.toml", deny_unknown_fields)]
#[expect(dead_code, reason = "only the schema is made of it; its tables are decoded one by one")]
struct RawFile {
    /// The stack as a whole.
    stack: Option<RawStack>,
    /// Its declared variations: local, prod, tunnel.
    shape: Option<BTreeMap<String, RawShape>>,
    /// Its secrets: a type, or a table with a type.
    secret: Option<BTreeMap<String, TypeOr<RawSecret>>>,
    /// What Compose does not say about a service.
    service: Option<BTreeMap<String, RawService>>,
    /// What must survive, by the service that holds it.
    state: Option<BTreeMap<String, RawState>>,
    /// Where sets go and who can open them.
    backup: Option<RawBackup>,
    /// What a drill asserts beside the defaults.
    drill: Option<RawDrill>,
    /// What only people can do, before a release is put in place.
    control: Option<BTreeMap<String, RawControl>>,
}

#[derive(JsonSchema)]
#[schemars(untagged)]
#[expect(dead_code, reason = "only the schema is made of it")]
enum TypeOr<T> {
    Type(SecretType),
    Table(T),
}

#[derive(JsonSchema)]
#[schemars(untagged)]
#[expect(dead_code, reason = "only the schema is made of it")]
enum OneOrMany<T> {
    One(T),
    Many(Vec<T>),
}

/// `[stack]`.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct RawStack {
    /// The project name, in place of Compose's.
    pub(crate) name: Option<String>,
    /// Where services run. Default: docker.
    pub(crate) engine: Option<EngineKind>,
    /// The stack is live: `destroy` and `e2e` are refused.
    pub(crate) live: bool,
    /// How long a release must stay healthy before it is good. Default: 10s.
    pub(crate) min_healthy: Option<Lasting>,
    /// How long a service may take to become ready. Default: 60s.
    pub(crate) timeout: Option<Lasting>,
}

/// `[shape.NAME]`.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct RawShape {
    /// Compose files, in merge order. Default: those that Compose finds by itself.
    pub(crate) files: Vec<String>,
    /// Compose profiles that are on.
    pub(crate) profiles: Vec<String>,
    /// Env files in place of `.env`; the last one wins.
    pub(crate) env_files: Vec<String>,
    /// Public origins, such as `https://blog.example.org`.
    pub(crate) origins: Vec<String>,
    /// Hosts it runs on. Not handled yet, unless empty.
    pub(crate) hosts: Vec<String>,
    /// A production shape: development shortcuts are refused.
    pub(crate) production: bool,
    /// Host ports that may be published; any other is a finding.
    pub(crate) publishes: Option<Vec<u16>>,
}

/// The type of a secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum SecretType {
    /// URL-safe base64 of random bytes.
    Urlsafe,
    /// Hex of random bytes.
    Hex,
    /// Standard base64 of random bytes.
    Base64,
    /// Letters and digits that people can type.
    Password,
    /// A random UUID.
    Uuid,
    /// An EC P-256 private key, PEM.
    EcP256,
    /// An RSA private key, PEM.
    Rsa,
    /// An Ed25519 private key, PEM.
    Ed25519,
    /// An X25519 pair.
    X25519,
    /// Issued by the stack's key store.
    Approle,
    /// Given by a person or a provider.
    Given,
}

/// A secret with options.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct RawSecret {
    /// What `bootstrap` generates. With `from`, it may be left out.
    pub(crate) r#type: Option<SecretType>,
    /// Random bytes, of urlsafe, hex and base64. Default: 32.
    pub(crate) bytes: Option<usize>,
    /// Put before the value, of urlsafe and hex.
    pub(crate) prefix: Option<String>,
    /// Characters of a password. Default: 24.
    pub(crate) length: Option<usize>,
    /// Bits of an RSA key: 2048, 3072 or 4096. Default: 3072.
    pub(crate) bits: Option<usize>,
    /// Where the value comes from instead: `env:NAME` or `file:PATH`.
    #[schemars(with = "Option<String>")]
    pub(crate) from: Option<Spanned<String>>,
    /// Services that are meant to use it.
    #[schemars(with = "Vec<String>")]
    pub(crate) used_by: Vec<Spanned<String>>,
    /// A deploy needs it. Default: true.
    pub(crate) required: Option<bool>,
}

/// `[service.NAME]`.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct RawService {
    /// How to see that it works: one probe or a list.
    #[schemars(with = "OneOrMany<RawProbe>")]
    pub(crate) probe: Vec<Spanned<RawProbe>>,
    /// What the process engine runs.
    pub(crate) process: Option<RawProcess>,
    /// A file of `docker save` that its image is loaded from, in place of a registry.
    #[schemars(with = "Option<String>")]
    pub(crate) archive: Option<Spanned<String>>,
}

/// `process` of a service.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct RawProcess {
    /// Program and arguments; `${address:SERVICE}`, `${volume:NAME}` and `${file:NAME}` are filled in.
    pub(crate) command: Vec<String>,
    /// Environment added to the service's own.
    #[serde(default)]
    pub(crate) environment: BTreeMap<String, String>,
}

/// One probe: exactly one of http, tcp, tls, exec, file, log, metric, websocket.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct RawProbe {
    /// An HTTP GET of this path.
    pub(crate) http: Option<String>,
    /// A TCP connection.
    pub(crate) tcp: Option<bool>,
    /// Alone: a TLS handshake. With http, metric or websocket: ask over TLS.
    pub(crate) tls: Option<bool>,
    /// A command inside the container that must end with 0.
    pub(crate) exec: Option<Vec<String>>,
    /// Absolute path of a file or directory that must be there, as the container sees it.
    pub(crate) file: Option<String>,
    /// Text that a line of the log must contain.
    pub(crate) log: Option<String>,
    /// A value in the text format of Prometheus: a name, with the labels that matter.
    pub(crate) metric: Option<String>,
    /// A websocket at this path.
    pub(crate) websocket: Option<String>,
    /// http: accepted status codes. Default: 200 to 399.
    pub(crate) status: Option<Vec<u16>>,
    /// http: JSON fields that must have these values; `*` means: present.
    pub(crate) json: Option<BTreeMap<String, serde_json::Value>>,
    /// http: JSON fields of which one with this value means that the service works, with less. It passes, and is not
    /// shown as well.
    pub(crate) degraded: Option<BTreeMap<String, serde_json::Value>>,
    /// http: redirects to follow. Default: none, a redirect is an answer.
    pub(crate) redirects: Option<u8>,
    /// metric: where the metrics are. Default: /metrics.
    pub(crate) path: Option<String>,
    /// metric: the least it may be.
    pub(crate) min: Option<f64>,
    /// metric: the most it may be.
    pub(crate) max: Option<f64>,
    /// http, metric, websocket: `Host` header.
    pub(crate) host: Option<String>,
    /// http, metric, websocket: further headers. No secrets: plans show them.
    pub(crate) headers: Option<BTreeMap<String, String>>,
    /// With `tls`: what the certificate must be. Default: it is not looked at.
    pub(crate) certificate: Option<RawCertificate>,
    /// exec: text that the command must print.
    pub(crate) output: Option<String>,
    /// websocket: what is sent and what must come back, in order.
    pub(crate) steps: Option<Vec<WebsocketStep>>,
    /// Container port, where the service has several.
    pub(crate) port: Option<u16>,
    /// When it is asked. Default: ready. Where one list is given, it serves all three.
    pub(crate) r#for: ProbeRole,
    /// Time one attempt may take. Default: 5s.
    pub(crate) timeout: Option<Lasting>,
    /// How long a deploy waits for it. Default: `timeout` of `[stack]`.
    pub(crate) deadline: Option<Lasting>,
    /// Time between two attempts. Default: 250ms, doubling up to 1s.
    pub(crate) interval: Option<Lasting>,
    /// Times in a row it must pass. Default: 1.
    pub(crate) successes: Option<u32>,
}

/// `certificate` of a probe.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct RawCertificate {
    /// The name it must be for. Default: `host`, else the service's name.
    pub(crate) name: Option<String>,
    /// File, in PEM, with the certificates of who must have signed it. Default: not asked.
    pub(crate) ca: Option<String>,
    /// Time for which it must still be valid, such as `14d`.
    pub(crate) left: Option<Lasting>,
}

/// `[state.NAME]`: exactly one of postgres, sqlite, transit, discard.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct RawState {
    /// A PostgreSQL database.
    pub(crate) postgres: Option<RawPostgres>,
    /// A SQLite file in a volume.
    pub(crate) sqlite: Option<RawSqlite>,
    /// A key store with a Transit engine.
    pub(crate) transit: Option<RawTransit>,
    /// Not captured: needs a `reason`.
    pub(crate) discard: bool,
    /// Why it may be lost.
    pub(crate) reason: Option<String>,
    /// SQL that returns the time of the newest heartbeat row.
    pub(crate) heartbeat: Option<String>,
}

/// `postgres`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct RawPostgres {
    /// Database name.
    pub(crate) database: String,
    /// Role. Default: postgres.
    #[serde(default)]
    pub(crate) user: Option<String>,
}

/// `sqlite`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct RawSqlite {
    /// The volume that holds it.
    #[schemars(with = "String")]
    pub(crate) volume: Spanned<String>,
    /// Path inside that volume.
    pub(crate) path: String,
}

/// `transit`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct RawTransit {
    /// The Transit key that applications use.
    pub(crate) key: String,
    /// API port. Default: 8200.
    #[serde(default)]
    pub(crate) port: Option<u16>,
    /// Key shares made at initialisation. Default: 5.
    #[serde(default)]
    pub(crate) shares: Option<u8>,
    /// Shares needed to unseal. Default: 3.
    #[serde(default)]
    #[schemars(with = "Option<u8>")]
    pub(crate) threshold: Option<Spanned<u8>>,
    /// age recipients of the share holders; none: shares are shown once.
    #[serde(default)]
    pub(crate) holders: Vec<String>,
    /// The secret, of type approle, that carries the application's credential.
    #[schemars(with = "String")]
    pub(crate) credential: Spanned<String>,
    /// The volume of its data.
    #[serde(default)]
    #[schemars(with = "Option<String>")]
    pub(crate) volume: Option<Spanned<String>>,
    /// Root token of a store that runs in development mode.
    #[serde(default)]
    pub(crate) dev_token: Option<String>,
}

/// `[backup]`.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct RawBackup {
    /// Directories that sets go to; `${NAME:-default}` is filled in.
    #[schemars(with = "Vec<String>")]
    pub(crate) to: Vec<Spanned<String>>,
    /// age recipients that can open a set.
    pub(crate) recipients: Vec<String>,
    /// Sets to keep, newest first.
    pub(crate) keep: Option<u32>,
    /// How much data may be lost.
    pub(crate) rpo: Option<Lasting>,
    /// How long a recovery may take.
    pub(crate) rto: Option<Lasting>,
}

/// `[drill]`.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct RawDrill {
    /// Services to start and probe, with what they depend on. Default: all.
    #[schemars(with = "Vec<String>")]
    pub(crate) services: Vec<Spanned<String>>,
}

/// `[control.NAME]`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct RawControl {
    /// Who is asked: a name or a role.
    pub(crate) owner: String,
    /// What to do.
    pub(crate) instruction: String,
    /// What counts as done.
    pub(crate) done_when: String,
    /// How long an attestation holds. Default: until the instruction changes.
    #[serde(default)]
    pub(crate) every: Option<Lasting>,
}

/// A duration, written as `30s`, `1m30s`, `24h`.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Lasting(pub(crate) Duration);

impl<'de> Deserialize<'de> for Lasting {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_str(LastingVisitor)
    }
}

struct LastingVisitor;

impl Visitor<'_> for LastingVisitor {
    type Value = Lasting;

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("a duration such as `\"30s\"`, `\"1m30s\"` or `\"24h\"`")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Lasting, E> {
        let wrong = || E::custom(format!("`{text}` is not a duration such as `30s`, `1m30s` or `24h`"));
        let nanoseconds = values::duration(text).and_then(|nanoseconds| u64::try_from(nanoseconds).ok());
        nanoseconds.map(Duration::from_nanos).map(Lasting).ok_or_else(wrong)
    }
}

impl JsonSchema for Lasting {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Duration".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        schemars::json_schema!({
            "type": "string",
            "description": "A duration such as `30s`, `1m30s`, `24h`",
            "pattern": "^([0-9.]+(ns|us|ms|s|m|h|d|w))+$|^0$"
        })
    }
}
