//! The small languages inside strings: durations, sizes, ports, shell words.

use std::time::Duration;

/// A duration as Go writes it: `1m30s`, `500ms`, `1.5h`; days and weeks too.
pub(crate) fn duration(text: &str) -> Option<Duration> {
    if text == "0" {
        return Some(Duration::ZERO);
    }
    let mut rest = text;
    let mut seconds = 0f64;
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !(c.is_ascii_digit() || c == '.')).filter(|end| *end > 0)?;
        let amount: f64 = rest[..digits].parse().ok()?;
        rest = &rest[digits..];
        let letters = rest.find(|c: char| c.is_ascii_digit() || c == '.').unwrap_or(rest.len());
        seconds += amount
            * match &rest[..letters] {
                "ns" => 1e-9,
                "us" | "µs" | "μs" => 1e-6,
                "ms" => 1e-3,
                "s" => 1.0,
                "m" => 60.0,
                "h" => 3_600.0,
                "d" => 86_400.0,
                "w" => 604_800.0,
                _ => return None,
            };
        rest = &rest[letters..];
    }
    // Whole nanoseconds, so that `1.1s` is what it says.
    let rounded = (seconds * 1e9).round() / 1e9;
    if text.is_empty() { None } else { Duration::try_from_secs_f64(rounded).ok() }
}

/// A size: `1.5g`, `64mb`, `2GiB`, `1024`; the base is 1024 in every spelling.
pub(crate) fn bytes(text: &str) -> Option<u64> {
    let text = text.trim();
    let end = text.find(|c: char| !(c.is_ascii_digit() || c == '.')).unwrap_or(text.len());
    let amount: f64 = text[..end].parse().ok()?;
    let unit = text[end..].trim().to_ascii_lowercase();
    let power = match unit.trim_end_matches('b').trim_end_matches('i') {
        "" if unit.len() <= 1 => 0,
        "k" => 1,
        "m" => 2,
        "g" => 3,
        "t" => 4,
        "p" => 5,
        _ => return None,
    };
    let bytes = amount * 1024f64.powi(power);
    // Larger than any machine's memory: a typing error, and beyond what a float counts exactly.
    if bytes < 9e15 { Some(bytes as u64) } else { None }
}

/// A port number.
pub(crate) fn port(text: &str) -> Option<u16> {
    text.parse().ok().filter(|port| *port > 0 && !text.starts_with('+'))
}

/// Two ports with `-` between them, or one.
pub(crate) fn port_range(text: &str) -> Option<(u16, u16)> {
    match text.split_once('-') {
        Some((first, last)) => port(first).zip(port(last)).filter(|(first, last)| first <= last),
        None => port(text).map(|port| (port, port)),
    }
}

/// A port in the short syntax: `[HOST_IP:][PUBLISHED:]TARGET[/PROTOCOL]`, each of them possibly a range.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ShortPort {
    pub(crate) host_ip: Option<String>,
    pub(crate) published: Option<String>,
    pub(crate) target: u16,
    pub(crate) protocol: String,
}

/// Reads the short syntax of a port; the error says what is wrong.
pub(crate) fn short_ports(text: &str) -> Result<Vec<ShortPort>, String> {
    let (rest, protocol) = text.split_once('/').unwrap_or((text, "tcp"));
    let protocol = protocol.to_ascii_lowercase();
    if !matches!(protocol.as_str(), "tcp" | "udp" | "sctp") {
        return Err(format!("`{protocol}` is no protocol: tcp, udp or sctp"));
    }
    let (head, target) = rest.rsplit_once(':').map_or((None, rest), |(head, target)| (Some(head), target));
    let (host_ip, published) = match head {
        None => (None, None),
        Some(head) if head.ends_with(']') => (Some(head), None),
        Some(head) => match head.rsplit_once(':') {
            Some((ip, published)) => (Some(ip), Some(published).filter(|published| !published.is_empty())),
            None if head.contains('.') => (Some(head), None),
            None => (None, Some(head).filter(|published| !published.is_empty())),
        },
    };
    let host_ip = host_ip.map(|ip| ip.trim_start_matches('[').trim_end_matches(']').to_owned());
    if let Some(ip) = &host_ip
        && !ip.is_empty()
        && ip.parse::<std::net::IpAddr>().is_err()
    {
        return Err(format!("`{ip}` is no address"));
    }
    let host_ip = host_ip.filter(|ip| !ip.is_empty());
    let (first, last) = port_range(target).ok_or_else(|| format!("`{target}` is no container port"))?;
    let range = published
        .map(|published| port_range(published).ok_or_else(|| format!("`{published}` is no host port")))
        .transpose()?;
    let made = |target: u16, published: Option<String>| ShortPort {
        host_ip: host_ip.clone(),
        published,
        target,
        protocol: protocol.clone(),
    };
    match range {
        None => Ok((first..=last).map(|target| made(target, None)).collect()),
        Some((low, high)) if first == last && low != high => {
            Ok(vec![made(first, published.map(str::to_owned))])
        }
        Some((low, high)) if high - low == last - first => Ok((first..=last)
            .map(|target| made(target, Some((low + (target - first)).to_string())))
            .collect()),
        Some(_) => Err("the two ranges have different lengths".to_owned()),
    }
}

/// A character of a string to be split into words, with the origin that it must be known by.
pub(crate) type Origin = Option<usize>;

/// A word whose characters know where they came from.
pub(crate) type Word = Vec<(char, Origin)>;

/// Splits as a shell splits words, without its comments, variables and globs. `None`: a quote is never closed.
/// It ends where a shell would begin another command, as Compose drops the rest; the flag says that it did.
///
/// Characters carry their origin with them, so that a word knows which parts of it came from where.
pub(crate) fn words(text: &[(char, Origin)]) -> Option<(Vec<Word>, bool)> {
    let mut cut = false;
    let mut words = Vec::new();
    let mut word: Option<Word> = None;
    let mut quote: Option<char> = None;
    let mut rest = text.iter().copied();
    while let Some((c, origin)) = rest.next() {
        match (quote, c) {
            (None, ';' | '&' | '|' | '<' | '>') => {
                cut = true;
                break;
            }
            (None, ' ' | '\t' | '\n' | '\r') => words.extend(word.take()),
            (None, '\'' | '"') => {
                quote = Some(c);
                word.get_or_insert_default();
            }
            (Some(open), c) if c == open => quote = None,
            (None, '\\') => word.get_or_insert_default().push(rest.next()?),
            (Some('"'), '\\') => {
                let next = rest.next()?;
                if !matches!(next.0, '"' | '\\' | '$' | '`') {
                    word.get_or_insert_default().push((c, origin));
                }
                word.get_or_insert_default().push(next);
            }
            _ => word.get_or_insert_default().push((c, origin)),
        }
    }
    words.extend(word);
    if quote.is_some() { None } else { Some((words, cut)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_and_sizes_are_those_of_compose() {
        assert_eq!(duration("1m30s"), Some(Duration::from_secs(90)));
        assert_eq!(duration("1.1s"), Some(Duration::from_millis(1100)));
        assert_eq!(duration("24h"), Some(Duration::from_secs(86_400)));
        assert_eq!(duration("10"), None);
        assert_eq!(duration("10x"), None);
        assert_eq!(duration(""), None);
        assert_eq!(bytes("1.5g"), Some(1_610_612_736));
        assert_eq!(bytes("64MiB"), Some(64 << 20));
        assert_eq!(bytes("64 kb"), Some(65_536));
        assert_eq!(bytes("12"), Some(12));
        assert_eq!(bytes("5b"), Some(5));
        assert_eq!(bytes("many"), None);
        assert_eq!(bytes("5x"), None);
    }

    #[test]
    fn short_ports_say_host_address_port_and_protocol() {
        let read = |text| {
            short_ports(text).map(|ports| {
                let one = |p: ShortPort| {
                    format!("{:?} {:?} {} {}", p.host_ip, p.published, p.target, p.protocol)
                        .replace("Some", "")
                };
                ports.into_iter().map(one).collect::<Vec<_>>().join(", ")
            })
        };
        assert_eq!(read("80").unwrap(), "None None 80 tcp");
        assert_eq!(read("8080:80/udp").unwrap(), "None (\"8080\") 80 udp");
        assert_eq!(read("127.0.0.1:8080:80").unwrap(), "(\"127.0.0.1\") (\"8080\") 80 tcp");
        assert_eq!(read("127.0.0.1::80").unwrap(), "(\"127.0.0.1\") None 80 tcp");
        assert_eq!(read("[::1]:8080:80").unwrap(), "(\"::1\") (\"8080\") 80 tcp");
        assert_eq!(read("1-2:3-4").unwrap(), "None (\"1\") 3 tcp, None (\"2\") 4 tcp");
        assert_eq!(read("8000-8005:80").unwrap(), "None (\"8000-8005\") 80 tcp");
        assert!(read("1-3:4-5").is_err());
        assert!(read("80a").is_err());
        assert!(read("70000:80").is_err());
        assert!(read("80/xyz").is_err());
    }

    #[test]
    fn words_are_split_as_a_shell_splits_them() {
        let split = |text: &str| {
            let plain: Vec<_> = text.chars().map(|c| (c, None)).collect();
            let word = |word: Word| word.into_iter().map(|(c, _)| c).collect::<String>();
            words(&plain).map(|(words, _)| words.into_iter().map(word).collect::<Vec<_>>())
        };
        assert_eq!(split("a 'b c' \"d\\\"e\" # f").unwrap(), ["a", "b c", "d\"e", "#", "f"]);
        assert_eq!(split("a\nb\\ c ''").unwrap(), ["a", "b c", ""]);
        assert_eq!(split("a && b").unwrap(), ["a"]);
        assert_eq!(split("").unwrap(), Vec::<String>::new());
        assert!(split("a 'b").is_none());
    }
}
