//! Typed probes: what is asked of a service, and what must come back.
//!
//! ```text
//!   startup ---passes---> ready ---passes---> watched with live
//!   gates the start       gates the release   also what `validate` and `status` ask
//! ```

use std::{collections::BTreeMap, time::Duration};

use serde::{Deserialize, Serialize};

use super::Series;

/// One typed probe of a service.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Probe {
    /// What is asked and what must come back.
    pub kind: ProbeKind,
    /// Container port; default: the service's only exposed or published one.
    pub port: Option<u16>,
    /// When it is asked.
    pub role: ProbeRole,
    /// Time one attempt may take. Default 5 s.
    pub timeout: Duration,
    /// How long a gate waits for it; default: the `timeout` of the stack.
    #[serde(default)]
    pub deadline: Option<Duration>,
    /// Time between two attempts; default: short at first, then a second.
    #[serde(default)]
    pub interval: Option<Duration>,
    /// Times in a row it must pass before a gate opens.
    #[serde(default = "once")]
    pub successes: u32,
}

fn once() -> u32 {
    1
}

impl Probe {
    /// A probe with every default.
    pub fn new(kind: ProbeKind) -> Self {
        Self {
            kind,
            port: None,
            role: ProbeRole::Ready,
            timeout: Duration::from_secs(5),
            deadline: None,
            interval: None,
            successes: once(),
        }
    }
}

/// When a probe is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum ProbeRole {
    /// Before the service counts as started.
    Startup,
    /// Before it counts as ready.
    #[default]
    Ready,
    /// While it runs.
    Live,
}

/// What a probe asks and what must come back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "lowercase")]
pub enum ProbeKind {
    /// An HTTP GET.
    Http {
        /// Path and query.
        path: String,
        /// Accepted status codes; default 200 to 399.
        status: Vec<u16>,
        /// JSON fields that must have these values; dotted path to value. A value `*` means: present.
        json: BTreeMap<String, serde_json::Value>,
        /// JSON fields of which one with this value means: it works, with less. Where it has, what `json` says of the
        /// same field does not count.
        #[serde(default)]
        degraded: BTreeMap<String, serde_json::Value>,
        /// Redirects that are followed; the one after them is the answer.
        #[serde(default)]
        redirects: u8,
        /// How it is spoken to.
        #[serde(flatten)]
        over: Over,
    },
    /// A TCP connection.
    Tcp,
    /// A TLS handshake.
    Tls {
        /// What the certificate must be.
        certificate: Option<Certificate>,
    },
    /// A command inside the service's own container that must end with 0.
    Exec {
        /// Program and arguments.
        command: Vec<String>,
        /// Text that its stdout must contain.
        #[serde(default)]
        output: Option<String>,
    },
    /// A file or directory that must be there, as the service's own container sees it.
    File {
        /// Its absolute path.
        path: String,
    },
    /// A line in the service's log.
    Log {
        /// Text it must contain.
        contains: String,
    },
    /// A value among the metrics a service shows, in the text format of Prometheus.
    Metric {
        /// Its name, and the labels it must carry. Every series that has them counts.
        series: Series,
        /// Where the metrics are.
        path: String,
        /// The least it may be.
        min: Option<serde_json::Number>,
        /// The most it may be.
        max: Option<serde_json::Number>,
        /// How it is spoken to.
        #[serde(flatten)]
        over: Over,
    },
    /// A websocket: what is sent and what must come back, in order.
    Websocket {
        /// Path and query.
        path: String,
        /// The sequence.
        steps: Vec<WebsocketStep>,
        /// How it is spoken to.
        #[serde(flatten)]
        over: Over,
    },
}

impl ProbeKind {
    /// A GET that expects any status from 200 to 399, and no more.
    pub fn http(path: impl Into<String>) -> Self {
        ProbeKind::Http {
            path: path.into(),
            status: Vec::new(),
            json: BTreeMap::new(),
            degraded: BTreeMap::new(),
            redirects: 0,
            over: Over::default(),
        }
    }
}

/// How HTTP is spoken to a service.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Over {
    /// `Host` header; default the service's name.
    pub host: Option<String>,
    /// Further headers: never a secret, as plans show them.
    pub headers: BTreeMap<String, String>,
    /// Over TLS, whoever the certificate is for.
    pub tls: bool,
    /// What the certificate must be.
    pub certificate: Option<Certificate>,
}

/// What the certificate of a service must be. It must be valid in any case.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Certificate {
    /// The name it must be for; default: the `Host` header, else the service's name.
    pub name: Option<String>,
    /// Who must have signed it; not asked where nobody is named.
    pub ca: Option<Authority>,
    /// Time for which it must still be valid.
    pub left: Duration,
}

/// Who signs certificates.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Authority {
    /// The file, as it was named.
    pub file: String,
    /// Its certificates, in PEM: nothing secret.
    pub pem: String,
}

/// One step of a websocket probe.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum WebsocketStep {
    /// Send this text.
    Send(String),
    /// The next message must contain this text.
    Expect(String),
}
