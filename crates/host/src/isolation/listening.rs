//! Who answers on the host itself: finds a port that is published and should not be.

use std::{
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV6},
    time::Duration,
};

/// The host is its own neighbour: what has not answered in this time is not there.
const WITHIN: Duration = Duration::from_millis(500);

/// Somebody answers here.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Listening {
    /// The host's address.
    pub address: IpAddr,
    /// The port.
    pub port: u16,
}

/// Who answers at these ports, on every address the host has.
///
/// # Errors
/// When the host's addresses cannot be read.
pub async fn host_listens(ports: &[u16]) -> std::io::Result<Vec<Listening>> {
    Ok(who_answers(&host_addresses()?, ports).await)
}

/// Who answers at these ports of these addresses.
pub async fn who_answers(addresses: &[SocketAddr], ports: &[u16]) -> Vec<Listening> {
    let attempts = addresses.iter().flat_map(|address| {
        ports.iter().map(move |&port| async move {
            let mut target = *address;
            target.set_port(port);
            let connected = tokio::time::timeout(WITHIN, tokio::net::TcpStream::connect(target)).await;
            matches!(connected, Ok(Ok(_))).then_some(Listening { address: address.ip(), port })
        })
    });
    let mut seen: Vec<Listening> =
        futures_util::future::join_all(attempts).await.into_iter().flatten().collect();
    seen.sort_unstable();
    seen
}

/// Every address of this host, loopback included; link-local ones carry their interface. Ports are 0.
///
/// # Errors
/// When the kernel's tables cannot be read.
pub fn host_addresses() -> std::io::Result<Vec<SocketAddr>> {
    let mut addresses = v4_addresses(&std::fs::read_to_string("/proc/net/fib_trie")?);
    // A kernel without IPv6 has no such table.
    let v6 = std::fs::read_to_string("/proc/net/if_inet6").unwrap_or_default();
    addresses.extend(v6.lines().filter_map(v6_address));
    Ok(addresses)
}

/// Local addresses of the kernel's routing trie: a leaf `|-- ADDRESS`, followed by `/32 host LOCAL`.
fn v4_addresses(trie: &str) -> Vec<SocketAddr> {
    let mut found: Vec<Ipv4Addr> = Vec::new();
    let mut leaf: Option<Ipv4Addr> = None;
    for line in trie.lines() {
        let line = line.trim();
        if let Some(address) = line.strip_prefix("|-- ") {
            leaf = address.parse().ok();
        } else if line == "/32 host LOCAL" {
            found.extend(leaf);
        }
    }
    found.sort_unstable();
    found.dedup();
    found.into_iter().map(|address| SocketAddr::new(address.into(), 0)).collect()
}

/// A line of `if_inet6`: address in hex, interface index in hex, and more.
fn v6_address(line: &str) -> Option<SocketAddr> {
    let mut columns = line.split_whitespace();
    let address = Ipv6Addr::from(u128::from_str_radix(columns.next()?, 16).ok()?);
    let interface = u32::from_str_radix(columns.next()?, 16).ok()?;
    let scope = if address.is_unicast_link_local() { interface } else { 0 };
    Some(SocketAddrV6::new(address, 0, 0, scope).into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hosts_addresses_are_read_from_the_kernels_tables() {
        let trie = "Local:\n  +-- 0.0.0.0/0 3 0 5\n     +-- 127.0.0.0/8 2 0 2\n        |-- 127.0.0.0\n           \
                    /8 host LOCAL\n        |-- 127.0.0.1\n           /32 host LOCAL\n     |-- 192.0.2.7\n        \
                    /32 host LOCAL\n     |-- 192.0.2.255\n        /32 link BROADCAST\n";
        let said: Vec<String> = v4_addresses(trie).iter().map(ToString::to_string).collect();
        assert_eq!(said, ["127.0.0.1:0", "192.0.2.7:0"]);
        let v6 = v6_address("fe800000000000000042acfffe110002 0a 40 20 80   eth0").expect("an address");
        assert_eq!(v6.to_string(), "[fe80::42:acff:fe11:2%10]:0");
        assert!(host_addresses().expect("this host").contains(&"127.0.0.1:0".parse().expect("an address")));
    }

    #[tokio::test]
    async fn a_port_that_listens_is_found_and_one_that_does_not_is_not() {
        let open = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let closed = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let port = |listener: &tokio::net::TcpListener| listener.local_addr().expect("an address").port();
        let ports = [port(&open), port(&closed)];
        drop(closed);
        let address: SocketAddr = "127.0.0.1:0".parse().expect("an address");
        let seen = who_answers(&[address], &ports).await;
        assert_eq!(seen, [Listening { address: address.ip(), port: ports[0] }]);
    }
}
