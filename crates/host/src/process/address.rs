//! An address of 127.0.0.0/8 for each service of a stack: the same as long as the stack is there.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs, io,
    net::Ipv4Addr,
};

use sha2::{Digest, Sha256};

use super::places::{Places, Project, read, write};

/// The addresses of one project, by service.
type Addresses = BTreeMap<String, Ipv4Addr>;

impl Places {
    /// The address of a service; chosen and written down when it is asked for the first time.
    pub(super) fn address(&self, project: &Project, service: &str) -> io::Result<Ipv4Addr> {
        let mut ours: Addresses = read(&project.addresses())?.unwrap_or_default();
        if let Some(address) = ours.get(service) {
            return Ok(*address);
        }
        let mut taken = listening();
        for other in self.projects()? {
            taken.extend(read::<Addresses>(&other.addresses())?.unwrap_or_default().into_values());
        }
        // The directory is part of it: two stacks of one name in two state directories do not meet.
        let seed = format!("{}\0{}\0{service}", self.root.display(), project.name);
        let address = choose(&seed, &taken);
        ours.insert(service.to_owned(), address);
        write(&project.addresses(), &ours)?;
        Ok(address)
    }
}

/// The first address that `seed` leads to and nobody has: in 127.64.0.0/10, away from what people use by hand.
fn choose(seed: &str, taken: &BTreeSet<Ipv4Addr>) -> Ipv4Addr {
    let candidate = |attempt: u32| {
        let digest = Sha256::digest(format!("{seed}\0{attempt}"));
        Ipv4Addr::new(127, 64 + digest[0] % 64, digest[1], 1 + digest[2] % 254)
    };
    (0..10_000).map(candidate).find(|address| !taken.contains(address)).unwrap_or_else(|| candidate(0))
}

/// Loopback addresses that somebody listens on by name. Never all of them: what listens on 0.0.0.0 is not in it.
fn listening() -> BTreeSet<Ipv4Addr> {
    let table = fs::read_to_string("/proc/net/tcp").unwrap_or_default();
    table.lines().skip(1).filter_map(listener).filter(Ipv4Addr::is_loopback).collect()
}

/// The address of a line of `/proc/net/tcp`, where it is a listening socket.
fn listener(line: &str) -> Option<Ipv4Addr> {
    let mut fields = line.split_whitespace().skip(1);
    let (local, state) = (fields.next()?, fields.nth(1)?);
    let address = u32::from_str_radix(local.split_once(':')?.0, 16).ok()?;
    // The kernel prints the bytes as they lie in memory.
    (state == "0A").then(|| Ipv4Addr::from(address.to_ne_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_follows_from_the_seed_and_steps_aside_for_one_that_is_taken() {
        let first = choose("state\0blog\0db", &BTreeSet::new());
        assert_eq!(choose("state\0blog\0db", &BTreeSet::new()), first);
        let second = choose("state\0blog\0db", &BTreeSet::from([first]));
        assert_ne!(first, second);
        assert!(first.is_loopback() && second.is_loopback());
    }

    #[test]
    fn a_listening_socket_is_told_from_an_open_connection() {
        let line = |state| format!("   0: 0100567F:1F90 00000000:0000 {state} 00000000:00000000 00:00000000");
        assert_eq!(listener(&line("0A")), Some(Ipv4Addr::new(127, 86, 0, 1)));
        assert_eq!(listener(&line("01")), None);
    }
}
