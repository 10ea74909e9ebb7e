//! Who must *not* be reached, and from where: asked from a side container in the network that must not get through.
//!
//! Isolated means: within two seconds no TCP connection by any address, and no name. The two are told apart, because
//! they have different causes: an address answers where a network is shared or routed, a name where one is shared.

mod listening;

use std::{net::IpAddr, time::Duration};

use serde::{Deserialize, Serialize};
use stack::ServiceName;
use tokio::io::AsyncReadExt;

use crate::{
    Arg, Engine, EngineError, SideJob,
    side::{DialResult, Dialled},
};

pub use listening::{Listening, host_addresses, host_listens, who_answers};

/// How long a connection is tried before the target counts as out of reach.
pub const WITHIN: Duration = Duration::from_secs(2);

/// What the side container may take besides its dials: to be made, started and removed.
const OVERHEAD: Duration = Duration::from_secs(60);

/// A service that must not be reached.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IsolationTarget {
    /// The service.
    pub service: ServiceName,
    /// Every address of its container.
    pub addresses: Vec<IpAddr>,
    /// Every name it has: service name, container name, aliases.
    pub names: Vec<String>,
    /// The port it serves.
    pub port: u16,
}

/// What was seen of one target from one network.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct IsolationSeen {
    /// The service.
    pub service: ServiceName,
    /// Its port.
    pub port: u16,
    /// The network it was tried from; `None`: from none.
    pub from: Option<String>,
    /// Every address and name that was tried, and what became of it.
    pub dialled: Vec<Dialled>,
}

/// One way in that should not be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "breach", rename_all = "kebab-case")]
pub enum Breach {
    /// An address or name accepts connections.
    Connects {
        /// It, with the port.
        target: String,
    },
    /// A name stands for something.
    Resolves {
        /// The name.
        name: String,
        /// What it stands for.
        addresses: Vec<String>,
    },
}

impl IsolationSeen {
    /// Every way in; empty: isolated.
    pub fn breaches(&self) -> Vec<Breach> {
        let mut breaches = Vec::new();
        for dialled in &self.dialled {
            let host = dialled.target.rsplit_once(':').map_or(dialled.target.as_str(), |(host, _)| host);
            let is_name = host.trim_matches(['[', ']']).parse::<IpAddr>().is_err();
            if is_name && dialled.result != DialResult::NoName {
                let addresses = dialled.addresses.clone();
                breaches.push(Breach::Resolves { name: host.to_owned(), addresses });
            }
            if dialled.result == DialResult::Connected {
                breaches.push(Breach::Connects { target: dialled.target.clone() });
            }
        }
        breaches
    }

    /// True when nothing got through.
    pub fn is_isolated(&self) -> bool {
        self.breaches().is_empty()
    }

    /// In words: what got through, or that nothing did.
    pub fn in_words(&self) -> String {
        let from = self.from.as_deref().unwrap_or("no network");
        let (service, port) = (&self.service, self.port);
        let breaches = self.breaches();
        if breaches.is_empty() {
            return format!(
                "{service}:{port} from {from}: no connection in {}, no name",
                diag::duration(WITHIN)
            );
        }
        let words = breaches.iter().map(|breach| match breach {
            Breach::Connects { target } => format!("{target} accepts connections"),
            Breach::Resolves { name, addresses } => format!("`{name}` resolves to {}", addresses.join(", ")),
        });
        format!("{service}:{port} from {from}: {}", words.collect::<Vec<_>>().join("; "))
    }
}

/// Why isolation could not be tried. This is never "isolated".
#[derive(Debug, thiserror::Error)]
pub enum IsolationError {
    /// There is no side container in that network.
    #[error("cannot try connections from {}", .from.as_ref().map_or("no network".to_owned(), |it| format!("network `{it}`")))]
    Side {
        /// The network.
        from: Option<String>,
        /// What the engine said.
        #[source]
        err: EngineError,
    },
    /// The side container did not say what became of every target.
    #[error("trying connections from {} gave no answer for `{target}` ({said})", .from.as_deref().unwrap_or("no network"))]
    Unanswered {
        /// The network.
        from: Option<String>,
        /// The first target without an answer.
        target: String,
        /// What it said instead.
        said: String,
    },
}

/// Tries every address and name of every target from inside a network.
///
/// # Errors
/// When it could not be tried: that is not the same as isolated.
pub async fn probe_isolation(
    engine: &dyn Engine,
    from_network: Option<&str>,
    targets: &[IsolationTarget],
) -> Result<Vec<IsolationSeen>, IsolationError> {
    let from = from_network.map(str::to_owned);
    let wanted: Vec<Vec<String>> = targets.iter().map(dials).collect();
    let all: Vec<String> = wanted.iter().flatten().cloned().collect();
    if all.is_empty() {
        return Ok(Vec::new());
    }
    let (answers, said) = dial_from(engine, from_network, &all)
        .await
        .map_err(|err| IsolationError::Side { from: from.clone(), err })?;
    let mut seen = Vec::new();
    for (target, dials) in targets.iter().zip(wanted) {
        let mut dialled = Vec::new();
        for dial in dials {
            let answer = answers.iter().find(|answer| answer.target == dial).cloned();
            dialled.push(answer.ok_or_else(|| IsolationError::Unanswered {
                from: from.clone(),
                target: dial,
                said: said.clone(),
            })?);
        }
        seen.push(IsolationSeen {
            service: target.service.clone(),
            port: target.port,
            from: from.clone(),
            dialled,
        });
    }
    Ok(seen)
}

fn dials(target: &IsolationTarget) -> Vec<String> {
    let addresses = target.addresses.iter().map(|address| match address {
        IpAddr::V4(address) => format!("{address}:{}", target.port),
        IpAddr::V6(address) => format!("[{address}]:{}", target.port),
    });
    let names = target.names.iter().map(|name| format!("{name}:{}", target.port));
    addresses.chain(names).collect()
}

/// Runs `side dial` in the network; gives its lines, and whatever else it said.
async fn dial_from(
    engine: &dyn Engine,
    network: Option<&str>,
    targets: &[String],
) -> Result<(Vec<Dialled>, String), EngineError> {
    let words = ["dial", "--within", &WITHIN.as_secs().to_string()].map(str::to_owned);
    let arguments = words.into_iter().chain(targets.iter().cloned()).map(Arg::Literal).collect();
    let job = SideJob { network: network.map(str::to_owned), arguments, ..SideJob::default() };
    let dialling = async {
        let mut running = engine.side(&job).await?;
        let (mut stdout, mut stderr) = (String::new(), String::new());
        let _ = tokio::join!(
            running.stdout.read_to_string(&mut stdout),
            running.stderr.read_to_string(&mut stderr)
        );
        running.exit.await?;
        let lines = stdout.lines().filter_map(|line| serde_json::from_str(line).ok()).collect();
        let said: String = stderr.trim().chars().take(200).collect();
        Ok((lines, if said.is_empty() { "it said nothing".to_owned() } else { said }))
    };
    let lost = |_| EngineError::new(crate::Trouble::Lost, "run a side job: no answer in time");
    tokio::time::timeout(OVERHEAD + WITHIN, dialling).await.map_err(lost)?
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::Loopback;

    fn target(addresses: &[&str], names: &[&str], port: u16) -> IsolationTarget {
        IsolationTarget {
            service: ServiceName::from("db"),
            addresses: addresses.iter().map(|address| address.parse().expect("an address")).collect(),
            names: names.iter().map(|&name| name.to_owned()).collect(),
            port,
        }
    }

    async fn open_port() -> (tokio::net::TcpListener, u16) {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let port = listener.local_addr().expect("an address").port();
        (listener, port)
    }

    #[tokio::test]
    async fn an_address_that_answers_and_a_name_that_resolves_are_told_apart() {
        let (listener, port) = open_port().await;
        let engine = Loopback::default();
        let by_address = target(&["127.0.0.1"], &["db.seaworthy.invalid"], port);
        let by_name = target(&["127.0.0.9"], &["localhost"], port);
        let seen = probe_isolation(&engine, Some("blog_edge"), &[by_address, by_name]).await.expect("tried");
        assert_eq!(
            seen[0].in_words(),
            format!("db:{port} from blog_edge: 127.0.0.1:{port} accepts connections")
        );
        assert!(matches!(&seen[1].breaches()[0], Breach::Resolves { name, .. } if name == "localhost"));
        drop(listener);
        let name_only = target(&["127.0.0.1"], &["localhost"], port);
        let seen = probe_isolation(&engine, Some("blog_edge"), &[name_only]).await.expect("tried");
        assert!(matches!(seen[0].breaches().as_slice(), [Breach::Resolves { .. }]), "{}", seen[0].in_words());
    }

    #[tokio::test]
    async fn isolated_is_no_connection_by_address_and_no_name() {
        let (listener, port) = open_port().await;
        drop(listener);
        let db = target(&["127.0.0.1"], &["db.seaworthy.invalid"], port);
        let seen = probe_isolation(&Loopback::default(), Some("blog_edge"), &[db]).await.expect("tried");
        assert!(seen[0].is_isolated());
        assert_eq!(seen[0].in_words(), format!("db:{port} from blog_edge: no connection in 2s, no name"));
    }

    #[tokio::test]
    async fn a_side_container_that_says_nothing_proves_nothing() {
        let engine = Loopback { side_is_mute: true, ..Loopback::default() };
        let db = target(&["127.0.0.1"], &[], 9);
        let err = probe_isolation(&engine, Some("blog_edge"), &[db]).await.expect_err("not tried");
        assert!(matches!(err, IsolationError::Unanswered { .. }));
        assert_eq!(
            err.to_string(),
            "trying connections from blog_edge gave no answer for `127.0.0.1:9` (it said nothing)"
        );
    }
}
