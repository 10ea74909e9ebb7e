//! The small languages of the short syntax: mounts, ports, devices.

use crate::{
    string::Str,
    tree::{Node, Spot, Value},
};

/// A mount in the short syntax: `[SOURCE:]TARGET[:OPTIONS]`.
#[derive(Default)]
pub(crate) struct Volume {
    pub(crate) source: Str,
    pub(crate) target: Str,
    read_only: bool,
    nocopy: bool,
    propagation: Option<Str>,
    selinux: Option<Str>,
    /// One or two letters, which is read as a target and nothing else.
    bare: bool,
}

/// What to say of a mount that is none.
pub(crate) fn bad_mount(spec: &Str, why: &str) -> String {
    format!("`{}` is not a mount: {why}", spec.shown())
}

/// Reads a mount in the short syntax.
pub(crate) fn volume(spec: &Str) -> Result<Volume, &'static str> {
    match spec.len() {
        0 => return Err("it is empty"),
        1 | 2 => return Ok(Volume { target: spec.clone(), bare: true, ..Volume::default() }),
        _ => {}
    }
    let mut volume = Volume::default();
    let mut start = 0;
    let mut nested = 0;
    let ends = spec.char_indices().map(|(at, c)| (at, Some(c))).chain([(spec.len(), None)]);
    for (at, c) in ends {
        match c {
            Some('$') if spec[at + 1..].starts_with('{') => nested += 1,
            Some('}') if nested > 0 => nested -= 1,
            Some(':') if is_drive(&spec[start..at]) => {}
            Some(':') | None if nested == 0 => {
                section(&mut volume, &spec.slice(start..at), c.is_none())?;
                start = at + 1;
            }
            _ => {}
        }
    }
    Ok(volume)
}

/// A letter, which before a colon is a drive of Windows.
fn is_drive(text: &str) -> bool {
    let mut chars = text.chars();
    chars.next().is_some_and(char::is_alphabetic) && chars.next().is_none()
}

fn section(volume: &mut Volume, text: &Str, last: bool) -> Result<(), &'static str> {
    if text.is_empty() {
        return Err("a part between colons is empty");
    }
    if volume.source.is_empty() && last {
        volume.target = text.clone();
    } else if volume.source.is_empty() {
        volume.source = text.clone();
    } else if volume.target.is_empty() {
        volume.target = text.clone();
    } else if !last {
        return Err("it has too many colons");
    } else {
        for option in text.split(',') {
            match option {
                "ro" => volume.read_only = true,
                "rw" => volume.read_only = false,
                "nocopy" => volume.nocopy = true,
                "rprivate" | "private" | "rshared" | "shared" | "rslave" | "slave" => {
                    volume.propagation = Some(option.into());
                }
                "z" | "Z" => volume.selinux = Some(option.into()),
                // Others are ignored by the reference.
                _ => {}
            }
        }
    }
    Ok(())
}

impl Volume {
    /// The same in the long syntax.
    pub(crate) fn long(self, at: Spot) -> Node {
        let bind = is_path(&self.source);
        let mut fields = vec![("type", Value::Text(if bind { "bind" } else { "volume" }.into()))];
        if !self.source.is_empty() {
            fields.push(("source", Value::Text(self.source)));
        }
        let target = match super::paths::clean(&self.target) {
            cleaned if cleaned == *self.target => self.target,
            cleaned => self.target.rewritten(cleaned),
        };
        fields.push(("target", Value::Text(target)));
        if self.read_only {
            fields.push(("read_only", Value::Bool(true)));
        }
        let mut options = Vec::new();
        options.extend(self.selinux.map(|label| ("selinux", Value::Text(label))));
        options.extend(self.propagation.map(|way| ("propagation", Value::Text(way))));
        if bind {
            options.push(("create_host_path", Value::Bool(true)));
        }
        if bind || !options.is_empty() {
            fields.push(("bind", Node::map(at, options).value));
        }
        if self.nocopy || !(bind || self.bare) {
            let options = self.nocopy.then_some(("nocopy", Value::Bool(true)));
            fields.push(("volume", Node::map(at, options).value));
        }
        Node::map(at, fields)
    }
}

/// Whether a source is a path of the host, and not the name of a volume.
fn is_path(source: &str) -> bool {
    if source.starts_with(['.', '/', '~']) || source.starts_with("\\\\") {
        return true;
    }
    source.char_indices().nth(1).is_some_and(|(at, c)| c == ':' && is_drive(&source[..at]))
}

/// A port in the short syntax, `[HOST_IP:][PUBLISHED:]TARGET[/PROTOCOL]`, each of them possibly a range.
pub(crate) fn ports(text: &str, at: Spot) -> Result<Vec<Node>, String> {
    let parts: Vec<&str> = text.split(':').collect();
    let (address, host, container) = match parts.as_slice() {
        [container] => (String::new(), "", *container),
        [host, container] => (String::new(), *host, *container),
        [address @ .., host, container] => (address.join(":"), *host, *container),
        [] => return Err("no container port is named".to_owned()),
    };
    let mut with_protocol = container.split('/');
    let container = with_protocol.next().unwrap_or_default();
    let protocol =
        with_protocol.next().filter(|protocol| !protocol.is_empty()).unwrap_or("tcp").to_lowercase();
    let address = match address.strip_prefix('[').map(|inner| inner.strip_suffix(']')) {
        Some(Some(inner)) => inner.to_owned(),
        Some(None) => return Err(format!("`{address}` is no address")),
        None => address,
    };
    if !address.is_empty() && address.parse::<std::net::IpAddr>().is_err() {
        return Err(format!("`{address}` is no address"));
    }
    if container.is_empty() {
        return Err("no container port is named".to_owned());
    }
    let (first, last) = range(container).ok_or_else(|| format!("`{container}` is no container port"))?;
    let published = match host {
        "" => None,
        host => Some(range(host).ok_or_else(|| format!("`{host}` is no host port"))?),
    };
    if let Some((low, high)) = published
        && last - first != high - low
        && first != last
    {
        return Err("the two ranges have different lengths".to_owned());
    }
    if !matches!(protocol.as_str(), "tcp" | "udp" | "sctp") {
        return Err(format!("`{protocol}` is no protocol: tcp, udp or sctp"));
    }
    let mut ports: Vec<(String, Node)> = (first..=last)
        .map(|target| {
            let published = published.map(|(low, high)| match first == last && low != high {
                true => format!("{low}-{high}"),
                false => (low + (target - first)).to_string(),
            });
            let mut fields = vec![("mode", Value::Text("ingress".into()))];
            if !address.is_empty() {
                fields.push(("host_ip", Value::Text(address.as_str().into())));
            }
            if target != 0 {
                fields.push(("target", Value::Int(i64::from(target))));
            }
            fields.extend(published.map(|published| ("published", Value::Text(published.into()))));
            fields.push(("protocol", Value::Text(protocol.as_str().into())));
            (target.to_string(), Node::map(at, fields))
        })
        .collect();
    // As text, which is how the reference sorts them.
    ports.sort_by(|(a, _), (b, _)| a.cmp(b));
    Ok(ports.into_iter().map(|(_, port)| port).collect())
}

/// Two ports with `-` between them, or one.
fn range(text: &str) -> Option<(u16, u16)> {
    let number = |text: &str| {
        if text.starts_with('+') { None } else { text.parse::<u16>().ok() }
    };
    let mut ends = text.split('-');
    let first = number(ends.next()?)?;
    let last = ends.next().map_or(Some(first), number)?;
    (first <= last).then_some((first, last))
}

/// A device in the short syntax: `SOURCE[:TARGET[:PERMISSIONS]]`.
pub(crate) fn device(text: &Str, at: Spot) -> Option<Node> {
    let mut parts = Vec::new();
    let mut rest = text.clone();
    while let Some((part, after)) = rest.cut(":") {
        parts.push(part);
        rest = after;
    }
    parts.push(rest);
    if parts.len() > 3 {
        return None;
    }
    let mut parts = parts.into_iter();
    let source = parts.next().unwrap_or_default();
    let target = parts.next().filter(|target| !target.is_empty()).unwrap_or_else(|| source.clone());
    let permissions = parts.next().unwrap_or_else(|| "rwm".into());
    let fields = [("source", source), ("target", target), ("permissions", permissions)];
    Some(Node::map(at, fields.map(|(key, text)| (key, Value::Text(text)))))
}
