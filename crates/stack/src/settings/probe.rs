//! `probe` of a service to [`Probe`]s.

use std::{collections::BTreeMap, time::Duration};

use diag::Diagnostic;

use super::raw::{Lasting, RawCertificate, RawProbe};
use crate::{
    load::Found,
    reading::Reading,
    shape::{Authority, Certificate, Over, Probe, ProbeKind, Series},
    tree::Spot,
};

/// Headers that carry secrets: what a probe sends stands in plans and journals.
const SECRET_HEADERS: [&str; 3] = ["authorization", "cookie", "proxy-authorization"];

/// Reads one probe; what does not fit together is said.
pub(super) fn probe(reading: &Reading<'_>, at: Spot, raw: &RawProbe) -> Option<Probe> {
    let kind = kind_named(reading, at, raw)?;
    fitting(reading, at, raw, kind);
    let kind = kind_of(reading, at, raw, kind)?;
    if raw.port == Some(0) {
        reading.error(at, "bad-port", "`port` must be a port from 1 to 65535, and is `0`");
    }
    if raw.successes == Some(0) {
        let said = Diagnostic::error("bad-probe", "`successes = 0` lets everything pass");
        reading.say(at, said.hint("give it 1 or more, or take it out"));
    }
    let lasting = |key: &str, given: Option<Lasting>| {
        if given.is_some_and(|given| given.0.is_zero()) {
            let said = Diagnostic::error("bad-probe", format!("`{key}` is no time at all"));
            reading.say(at, said.hint(format!("write such as `{key} = \"5s\"`, or take it out")));
        }
        given.map(|given| given.0)
    };
    let timeout = lasting("timeout", raw.timeout);
    let deadline = lasting("deadline", raw.deadline);
    let interval = lasting("interval", raw.interval);
    let usual = Probe::new(kind);
    let timeout = timeout.unwrap_or(usual.timeout);
    if let (Some(interval), Some(deadline)) = (interval, deadline)
        && interval > deadline
    {
        let message = format!(
            "asked every {} it is asked once until its deadline of {}",
            diag::duration(interval),
            diag::duration(deadline)
        );
        reading.say(at, Diagnostic::error("bad-probe", message).hint("give it a longer `deadline`"));
    }
    let successes = raw.successes.unwrap_or(usual.successes);
    Some(Probe { port: raw.port, role: raw.r#for, timeout, deadline, interval, successes, ..usual })
}

/// The one kind a probe is. `tls` beside what is spoken over it is no kind.
fn kind_named(reading: &Reading<'_>, at: Spot, raw: &RawProbe) -> Option<&'static str> {
    let spoken = raw.http.is_some() || raw.metric.is_some() || raw.websocket.is_some();
    let kinds = [
        ("http", raw.http.is_some()),
        ("tcp", raw.tcp.is_some()),
        ("tls", raw.tls.is_some() && !spoken),
        ("exec", raw.exec.is_some()),
        ("file", raw.file.is_some()),
        ("log", raw.log.is_some()),
        ("metric", raw.metric.is_some()),
        ("websocket", raw.websocket.is_some()),
    ];
    let given: Vec<&str> = kinds.iter().filter(|(_, given)| *given).map(|(kind, _)| *kind).collect();
    if let [kind] = given.as_slice() {
        return Some(kind);
    }
    let message = match given.is_empty() {
        true => "this probe asks nothing".to_owned(),
        false => format!("this probe is {} at once", given.join(" and ")),
    };
    let said = Diagnostic::error("bad-probe", message);
    let known = kinds.map(|(kind, _)| kind).join(", ");
    reading.say(at, said.hint(format!("give it exactly one of {known}")));
    None
}

/// Says which options mean nothing for this kind.
fn fitting(reading: &Reading<'_>, at: Spot, raw: &RawProbe, kind: &str) {
    let spoken: &[&str] = &["http", "metric", "websocket"];
    let options = [
        ("status", raw.status.is_some(), &["http"][..]),
        ("json", raw.json.is_some(), &["http"]),
        ("degraded", raw.degraded.is_some(), &["http"]),
        ("redirects", raw.redirects.is_some(), &["http"]),
        ("path", raw.path.is_some(), &["metric"]),
        ("min", raw.min.is_some(), &["metric"]),
        ("max", raw.max.is_some(), &["metric"]),
        ("host", raw.host.is_some(), spoken),
        ("headers", raw.headers.is_some(), spoken),
        ("certificate", raw.certificate.is_some(), &["http", "metric", "websocket", "tls"]),
        ("output", raw.output.is_some(), &["exec"]),
        ("steps", raw.steps.is_some(), &["websocket"]),
        ("port", raw.port.is_some(), &["http", "metric", "websocket", "tls", "tcp"]),
    ];
    for (option, _, _) in options.iter().filter(|(_, given, of)| *given && !of.contains(&kind)) {
        let message = format!("`{option}` means nothing for a probe of kind {kind}");
        reading.say(at, Diagnostic::error("conflict", message).hint("take it out"));
    }
}

fn kind_of(reading: &Reading<'_>, at: Spot, raw: &RawProbe, kind: &str) -> Option<ProbeKind> {
    let bad =
        |message: String, hint: &str| reading.say(at, Diagnostic::error("bad-probe", message).hint(hint));
    let rooted = |path: &str| {
        if !path.starts_with('/') {
            bad(
                format!("the path `{path}` does not begin with `/`"),
                "write the path alone: the host is the service, the port is `port`",
            );
        }
        path.to_owned()
    };
    let named = |given: &Option<String>| given.clone().unwrap_or_default();
    let said = |given: &Option<String>, key: &str| {
        let text = named(given);
        if text.is_empty() {
            bad(format!("`{key}` looks for no text, and finds that everywhere"), "write what must be there");
        }
        text
    };
    Some(match kind {
        "http" => ProbeKind::Http {
            path: rooted(&named(&raw.http)),
            status: statuses(reading, at, raw),
            json: fields(reading, at, raw.json.as_ref()),
            degraded: fields(reading, at, raw.degraded.as_ref()),
            redirects: raw.redirects.unwrap_or_default(),
            over: over(reading, at, raw)?,
        },
        "websocket" => ProbeKind::Websocket {
            path: rooted(&named(&raw.websocket)),
            steps: raw.steps.clone().unwrap_or_default(),
            over: over(reading, at, raw)?,
        },
        "metric" => {
            let (min, max) = bounds(reading, at, raw)?;
            let path = rooted(raw.path.as_deref().unwrap_or("/metrics"));
            let written = named(&raw.metric);
            let Some((series, "")) = Series::parse(&written) else {
                bad(
                    format!("`{written}` is not the name of a metric"),
                    "write a name, with labels where they matter: `metric = 'jobs{queue=\"mail\"}'`",
                );
                return None;
            };
            ProbeKind::Metric { series, path, min, max, over: over(reading, at, raw)? }
        }
        "exec" => {
            let command = raw.exec.clone().unwrap_or_default();
            if command.is_empty() {
                bad("`exec` names no program".to_owned(), "write such as `exec = [\"redis-cli\", \"ping\"]`");
                return None;
            }
            let output = raw.output.as_ref().map(|_| said(&raw.output, "output"));
            ProbeKind::Exec { command, output }
        }
        "file" => ProbeKind::File { path: rooted_file(reading, at, named(&raw.file)) },
        "log" => ProbeKind::Log { contains: said(&raw.log, "log") },
        "tls" if raw.tls == Some(true) => {
            ProbeKind::Tls { certificate: certificate(reading, at, raw.certificate.as_ref())? }
        }
        "tcp" if raw.tcp == Some(true) => ProbeKind::Tcp,
        switched_off => {
            bad(format!("`{switched_off} = false` asks nothing"), &format!("write `{switched_off} = true`"));
            return None;
        }
    })
}

fn rooted_file(reading: &Reading<'_>, at: Spot, path: String) -> String {
    if !path.starts_with('/') {
        let message = format!("the file `{path}` has no absolute path");
        let said = Diagnostic::error("bad-probe", message);
        reading.say(at, said.hint("write the path as the container sees it, from `/`"));
    }
    path
}

fn statuses(reading: &Reading<'_>, at: Spot, raw: &RawProbe) -> Vec<u16> {
    let statuses = raw.status.clone().unwrap_or_default();
    for status in statuses.iter().filter(|status| !(100..600).contains(*status)) {
        let said = Diagnostic::error("bad-probe", format!("`{status}` is not a status of HTTP"));
        reading.say(at, said.hint("they go from 100 to 599"));
    }
    statuses
}

/// JSON fields by dotted path.
fn fields(
    reading: &Reading<'_>,
    at: Spot,
    given: Option<&BTreeMap<String, serde_json::Value>>,
) -> BTreeMap<String, serde_json::Value> {
    let given = given.cloned().unwrap_or_default();
    for path in given.keys().filter(|path| path.is_empty() || path.starts_with('$')) {
        let plain = path.trim_start_matches(['$', '.']);
        let said = Diagnostic::error("bad-probe", format!("`{path}` is not the path of a JSON field"));
        let hint = match plain.is_empty() {
            true => "write its keys with dots between them, such as `checks.db`".to_owned(),
            false => format!("write `{plain}`: keys, and numbers in lists, with dots between them"),
        };
        reading.say(at, said.hint(hint));
    }
    given
}

type Bounds = (Option<serde_json::Number>, Option<serde_json::Number>);

fn bounds(reading: &Reading<'_>, at: Spot, raw: &RawProbe) -> Option<Bounds> {
    let number = |key: &str, given: Option<f64>| match given.map(serde_json::Number::from_f64) {
        Some(None) => {
            let said = Diagnostic::error("bad-probe", format!("`{key}` is no number to compare with"));
            reading.say(at, said.hint("leave it out where there is no bound"));
            None
        }
        given => Some(given.flatten()),
    };
    let bounds = (number("min", raw.min)?, number("max", raw.max)?);
    if let (Some(min), Some(max)) = (raw.min, raw.max)
        && min > max
    {
        let said = Diagnostic::error("bad-probe", format!("no value is at least {min} and at most {max}"));
        reading.say(at, said.hint("swap `min` and `max`"));
    }
    Some(bounds)
}

/// How HTTP is spoken; `None` where the file of an authority has still to be read, or was refused.
fn over(reading: &Reading<'_>, at: Spot, raw: &RawProbe) -> Option<Over> {
    let tls = raw.tls.unwrap_or_default();
    if raw.certificate.is_some() && !tls {
        let said = Diagnostic::error("conflict", "`certificate` means nothing without TLS");
        reading.say(at, said.hint("add `tls = true`"));
    }
    let headers = raw.headers.clone().unwrap_or_default();
    for (name, value) in &headers {
        let bad = |message: String, hint: &str| {
            reading.say(at, Diagnostic::error("bad-probe", message).hint(hint));
        };
        let token = |c: char| c.is_ascii_alphanumeric() || "!#$%&'*+-.^_`|~".contains(c);
        let lower = name.to_ascii_lowercase();
        if name.is_empty() || !name.chars().all(token) || value.chars().any(char::is_control) {
            bad(format!("`{name}` is not a header that can be sent"), "write its name and one line of text");
        } else if lower == "host" {
            bad("`host` stands among the headers".to_owned(), "it has a key of its own: `host = \"…\"`");
        } else if SECRET_HEADERS.contains(&lower.as_str()) || value.contains("${") {
            bad(
                format!("the header `{name}` would carry a secret, and plans show what a probe sends"),
                "use `exec` with a command that reads the secret from its file",
            );
        }
    }
    let certificate = certificate(reading, at, raw.certificate.as_ref())?;
    Some(Over { host: raw.host.clone(), headers, tls, certificate })
}

/// `None` where the file of an authority has still to be read, or was refused.
fn certificate(reading: &Reading<'_>, at: Spot, raw: Option<&RawCertificate>) -> Option<Option<Certificate>> {
    let Some(RawCertificate { name, ca, left }) = raw else { return Some(None) };
    let ca = match ca {
        Some(file) => Some(authority(reading, at, file)?),
        None => None,
    };
    let left = left.map_or(Duration::ZERO, |left| left.0);
    Some(Some(Certificate { name: name.clone(), ca, left }))
}

fn authority(reading: &Reading<'_>, at: Spot, file: &str) -> Option<Authority> {
    let refused = |message: String| {
        let said = Diagnostic::error("bad-probe", message);
        reading.say(at, said.hint("name a file with certificates in PEM, seen from the project's directory"));
        None
    };
    let Found::File { bytes, .. } = reading.find(&reading.absolute(file))? else {
        return refused(format!("there is no file `{file}` for `ca`"));
    };
    match std::str::from_utf8(bytes) {
        // A key that somebody keeps in the same file must not come into the shape.
        Ok(pem) if pem.contains("PRIVATE KEY") => refused(format!("`{file}` holds a private key")),
        Ok(pem) if pem.contains("-----BEGIN CERTIFICATE-----") => {
            Some(Authority { file: file.to_owned(), pem: pem.to_owned() })
        }
        _ => refused(format!("`{file}` holds no certificate")),
    }
}
