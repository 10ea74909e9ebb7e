//! Typed probes: what is asked of a service, and what must come back.

use std::{collections::BTreeMap, time::Duration};

use serde::{Deserialize, Serialize};

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
}

/// When a probe is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum ProbeRole {
    /// Before the service counts as started.
    Startup,
    /// Before it counts as ready; also what `validate` asks.
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
        /// `Host` header; default the service's name.
        host: Option<String>,
        /// Speak TLS without checking the name (own probes inside the stack's own networks).
        tls: bool,
    },
    /// A TCP connection.
    Tcp,
    /// A command inside the service's own container that must end with 0.
    Exec {
        /// Program and arguments.
        command: Vec<String>,
    },
    /// A line in the service's log.
    Log {
        /// Text it must contain.
        contains: String,
    },
    /// A websocket: what is sent and what must come back, in order.
    Websocket {
        /// Path and query.
        path: String,
        /// The sequence.
        steps: Vec<WebsocketStep>,
    },
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
