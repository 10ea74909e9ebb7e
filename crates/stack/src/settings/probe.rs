//! `probe` of a service to [`Probe`]s.

use std::time::Duration;

use diag::Diagnostic;

use super::raw::RawProbe;
use crate::{
    reading::Reading,
    shape::{Probe, ProbeKind},
    tree::Spot,
};

/// Reads one probe; what does not fit together is said.
pub(super) fn probe(reading: &Reading<'_>, at: Spot, raw: &RawProbe) -> Option<Probe> {
    let kinds = [
        ("http", raw.http.is_some()),
        ("tcp", raw.tcp.is_some()),
        ("exec", raw.exec.is_some()),
        ("log", raw.log.is_some()),
        ("websocket", raw.websocket.is_some()),
    ];
    let given: Vec<&str> = kinds.iter().filter(|(_, given)| *given).map(|(kind, _)| *kind).collect();
    let [kind] = given.as_slice() else {
        let message = match given.is_empty() {
            true => "this probe asks nothing".to_owned(),
            false => format!("this probe is {} at once", given.join(" and ")),
        };
        let said = Diagnostic::error("bad-probe", message);
        reading.say(at, said.hint("give it exactly one of http, tcp, exec, log, websocket"));
        return None;
    };
    let options = [
        ("status", raw.status.is_some(), &["http"][..]),
        ("json", raw.json.is_some(), &["http"]),
        ("host", raw.host.is_some(), &["http"]),
        ("tls", raw.tls.is_some(), &["http"]),
        ("steps", raw.steps.is_some(), &["websocket"]),
        ("port", raw.port.is_some(), &["http", "tcp", "websocket"]),
    ];
    for (option, _, _) in options.iter().filter(|(_, given, of)| *given && !of.contains(kind)) {
        let message = format!("`{option}` means nothing for a probe of kind {kind}");
        reading.say(at, Diagnostic::error("conflict", message).hint("take it out"));
    }
    if raw.port == Some(0) {
        reading.error(at, "bad-port", "`port` must be a port from 1 to 65535, and is `0`");
    }
    let kind = kind_of(reading, at, raw)?;
    let timeout = raw.timeout.map_or(Duration::from_secs(5), |timeout| timeout.0);
    Some(Probe { kind, port: raw.port, role: raw.r#for, timeout })
}

fn kind_of(reading: &Reading<'_>, at: Spot, raw: &RawProbe) -> Option<ProbeKind> {
    let rooted = |path: &String| {
        if !path.starts_with('/') {
            let said = Diagnostic::error("bad-probe", format!("the path `{path}` does not begin with `/`"));
            reading.say(at, said.hint("write the path alone: the host is the service, the port is `port`"));
        }
        path.clone()
    };
    if let Some(path) = &raw.http {
        return Some(ProbeKind::Http {
            path: rooted(path),
            status: raw.status.clone().unwrap_or_default(),
            json: raw.json.clone().unwrap_or_default(),
            host: raw.host.clone(),
            tls: raw.tls.unwrap_or_default(),
        });
    }
    if let Some(path) = &raw.websocket {
        return Some(ProbeKind::Websocket {
            path: rooted(path),
            steps: raw.steps.clone().unwrap_or_default(),
        });
    }
    if let Some(command) = &raw.exec {
        if command.is_empty() {
            reading.error(at, "bad-probe", "`exec` names no program");
            return None;
        }
        return Some(ProbeKind::Exec { command: command.clone() });
    }
    if let Some(contains) = &raw.log {
        return Some(ProbeKind::Log { contains: contains.clone() });
    }
    if raw.tcp == Some(false) {
        reading
            .say(at, Diagnostic::error("bad-probe", "`tcp = false` asks nothing").hint("write `tcp = true`"));
        return None;
    }
    Some(ProbeKind::Tcp)
}
