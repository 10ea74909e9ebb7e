//! Who listens on this machine's TCP ports, from `/proc`.

use std::{collections::BTreeMap, fs, path::Path};

/// A listening TCP socket of this machine: port to socket inode. Empty where `/proc` does not say.
pub(super) fn listening() -> BTreeMap<u16, u64> {
    ["/proc/net/tcp", "/proc/net/tcp6"]
        .iter()
        .filter_map(|table| fs::read_to_string(table).ok())
        .flat_map(|table| sockets(&table))
        .collect()
}

/// The name and id of the process that holds a socket, where we may see it.
pub(super) fn process_of(inode: u64) -> Option<String> {
    let wanted = format!("socket:[{inode}]");
    // Numbers only: `/proc/self` is a process too.
    let numbered =
        |path: &Path| path.file_name().is_some_and(|name| name.as_encoded_bytes()[0].is_ascii_digit());
    let paths = fs::read_dir("/proc").ok()?.flatten().map(|entry| entry.path());
    paths.filter(|path| numbered(path)).find(|process| holds(process, &wanted)).map(|process| {
        let name = fs::read_to_string(process.join("comm")).unwrap_or_default();
        let id = process.file_name().unwrap_or_default().to_string_lossy().into_owned();
        format!("process `{}` (pid {id})", name.trim())
    })
}

fn holds(process: &Path, wanted: &str) -> bool {
    let Ok(descriptors) = fs::read_dir(process.join("fd")) else { return false };
    descriptors
        .flatten()
        .any(|descriptor| fs::read_link(descriptor.path()).is_ok_and(|link| link.as_os_str() == wanted))
}

/// Listening sockets of a table in the format of `/proc/net/tcp`.
fn sockets(table: &str) -> Vec<(u16, u64)> {
    /// `TCP_LISTEN`, as the kernel prints it.
    const LISTEN: &str = "0A";
    table
        .lines()
        .skip(1)
        .filter_map(|line| {
            let fields: Vec<&str> = line.split_ascii_whitespace().collect();
            let (_, port) = fields.get(1)?.rsplit_once(':')?;
            (*fields.get(3)? == LISTEN)
                .then(|| Some((u16::from_str_radix(port, 16).ok()?, fields.get(9)?.parse().ok()?)))?
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_listening_sockets_count() {
        let table = "\
  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 0100007F:1538 00000000:0000 0A 00000000:00000000 00:00000000 00000000   999        0 1001 1 0 100 0 0 10 0
   1: 0100007F:A2C4 0100007F:1538 01 00000000:00000000 00:00000000 00000000     0        0 1002 1 0 20 4 30 10 -1
   2: 00000000000000000000000000000000:0050 00000000000000000000000000000000:0000 0A 00000000:00000000 00:00000000 00000000 0 0 1003 1 0
";
        assert_eq!(sockets(table), [(5432, 1001), (80, 1003)]);
    }

    #[test]
    fn a_port_of_this_process_is_found_with_its_holder() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let inode = listening()[&listener.local_addr().unwrap().port()];
        assert!(process_of(inode).unwrap().contains(&format!("pid {}", std::process::id())));
    }
}
