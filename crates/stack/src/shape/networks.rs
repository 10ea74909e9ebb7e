//! Networks, how a service joins them, and the ports it listens on.

use std::collections::BTreeMap;

use serde::{Deserialize, Deserializer, Serialize};

/// One published port.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Port {
    /// Host address, when given.
    pub host_ip: Option<String>,
    /// Host port; `None`: the engine picks one.
    pub published: Option<u16>,
    /// Last port of the range of host ports that the engine picks from, where one is given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub published_until: Option<u16>,
    /// Container port.
    pub target: u16,
    /// `tcp`, `udp` or `sctp`.
    pub protocol: String,
}

impl Port {
    /// A TCP port published on one port of the host, or on one that the engine picks.
    pub fn tcp(published: Option<u16>, target: u16) -> Self {
        Self { host_ip: None, published, published_until: None, target, protocol: "tcp".to_owned() }
    }
}

/// A port that the container listens on.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(from = "ExposedWritten")]
pub struct Exposed {
    /// The port.
    pub port: u16,
    /// `tcp`, `udp` or `sctp`.
    pub protocol: String,
}

/// The first version kept the number alone, of TCP.
#[derive(Deserialize)]
#[serde(untagged)]
enum ExposedWritten {
    Number(u16),
    Port { port: u16, protocol: String },
}

impl From<ExposedWritten> for Exposed {
    fn from(written: ExposedWritten) -> Self {
        match written {
            ExposedWritten::Number(port) => Self { port, protocol: "tcp".to_owned() },
            ExposedWritten::Port { port, protocol } => Self { port, protocol },
        }
    }
}

/// How a service joins a network.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Attachment {
    /// Names besides the service's own.
    pub aliases: Vec<String>,
    /// A fixed IPv4 address.
    pub ipv4_address: Option<String>,
    /// A fixed IPv6 address.
    pub ipv6_address: Option<String>,
    /// Link-local addresses.
    pub link_local_ips: Vec<String>,
    /// Hardware address (API 1.44, but for the first network).
    pub mac_address: Option<String>,
    /// Options of the driver.
    pub driver_opts: BTreeMap<String, String>,
    /// Joined in falling order of this; the first is the container's main network.
    pub priority: i64,
    /// The default route goes through the network where this is highest (API 1.48).
    pub gw_priority: i64,
    /// Name of the interface inside (API 1.49).
    pub interface_name: Option<String>,
}

/// A network of the stack.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Network {
    /// `name:`, when given; else `PROJECT_KEY`.
    pub name: Option<String>,
    /// It exists already and is not ours.
    pub external: bool,
    /// No way out.
    pub internal: bool,
    /// Driver, when given.
    pub driver: Option<String>,
    /// Driver options.
    pub driver_opts: BTreeMap<String, String>,
    /// Labels the user wrote.
    pub labels: BTreeMap<String, String>,
    /// Containers outside of any stack may join it.
    pub attachable: bool,
    /// IPv4 in it; `None`: the engine decides (API 1.48).
    pub enable_ipv4: Option<bool>,
    /// IPv6 in it; `None`: the engine decides.
    pub enable_ipv6: Option<bool>,
    /// Where its addresses come from.
    #[serde(alias = "subnets", deserialize_with = "ipam_or_subnets")]
    pub ipam: Ipam,
}

/// The first version kept a list of subnets in the place of pools.
///
/// # Errors
/// When it is neither.
pub fn ipam_or_subnets<'de, D: Deserializer<'de>>(from: D) -> Result<Ipam, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Written {
        Subnets(Vec<String>),
        Ipam(Ipam),
    }
    let pool = |subnet| IpamPool { subnet: Some(subnet), ..IpamPool::default() };
    Ok(match Written::deserialize(from)? {
        Written::Subnets(subnets) => {
            Ipam { pools: subnets.into_iter().map(pool).collect(), ..Ipam::default() }
        }
        Written::Ipam(ipam) => ipam,
    })
}

/// Where a network's addresses come from.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Ipam {
    /// Driver, when given.
    pub driver: Option<String>,
    /// Pools.
    pub pools: Vec<IpamPool>,
    /// Options of the driver.
    pub options: BTreeMap<String, String>,
}

/// One pool of addresses.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct IpamPool {
    /// Subnet in CIDR form.
    pub subnet: Option<String>,
    /// The gateway's address.
    pub gateway: Option<String>,
    /// Range that containers are given addresses from.
    pub ip_range: Option<String>,
    /// Addresses that are taken: name to address.
    pub aux_addresses: BTreeMap<String, String>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_first_version_kept_of_subnets_and_ports_is_read() {
        let network: Network = serde_json::from_str(r#"{ "subnets": ["10.1.0.0/24"] }"#).unwrap();
        assert_eq!(network.ipam.pools[0].subnet.as_deref(), Some("10.1.0.0/24"));
        let again: Network = serde_json::from_value(serde_json::to_value(&network).unwrap()).unwrap();
        assert_eq!(again, network);
        let exposed: Vec<Exposed> =
            serde_json::from_str(r#"[80, { "port": 53, "protocol": "udp" }]"#).unwrap();
        let seen: Vec<(u16, &str)> = exposed.iter().map(|port| (port.port, port.protocol.as_str())).collect();
        assert_eq!(seen, [(80, "tcp"), (53, "udp")]);
    }
}
