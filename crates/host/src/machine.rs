//! This machine: its name and boot, room on its disks, names it resolves, its clock, the account we are.

use std::{fs, io, path::Path, time::Duration};

use bytes::Bytes;
use http_body_util::Empty;
use hyper::{Request, client::conn::http1, header};
use hyper_util::rt::TokioIo;
use jiff::Timestamp;
use tokio::{net::TcpStream, time::timeout};

/// How long a name or a clock is waited for: whoever does not answer by then is left out.
const PATIENCE: Duration = Duration::from_secs(3);

/// Its name.
pub(crate) fn name() -> String {
    kernel_says("hostname")
}

/// The boot it runs in: a process id, or a lock, of another one is nobody's.
pub(crate) fn boot() -> String {
    kernel_says("random/boot_id")
}

fn kernel_says(what: &str) -> String {
    let text = fs::read_to_string(Path::new("/proc/sys/kernel").join(what));
    text.map(|text| text.trim().to_owned()).unwrap_or_default()
}

/// What is left of a file system.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Room {
    /// Bytes that we may still write.
    pub free_bytes: u64,
    /// Files that may still be made; nothing where the file system does not count them.
    pub free_files: Option<u64>,
}

/// The room where `path` is, or would be made.
///
/// # Errors
/// When the file system does not say.
pub fn room(path: &Path) -> io::Result<Room> {
    let there = path.ancestors().find(|path| path.exists()).unwrap_or(Path::new("/"));
    let seen = rustix::fs::statvfs(there)?;
    let free_files = (seen.f_files > 0).then_some(seen.f_favail);
    Ok(Room { free_bytes: seen.f_bavail.saturating_mul(seen.f_frsize), free_files })
}

/// Whether a name resolves here.
///
/// # Errors
/// What the resolver said.
pub async fn resolve(name: &str) -> Result<(), String> {
    match timeout(PATIENCE, tokio::net::lookup_host((name, 443))).await {
        Ok(Ok(mut addresses)) => addresses.next().map(|_| ()).ok_or_else(|| "it has no address".to_owned()),
        Ok(Err(err)) => Err(err.to_string()),
        Err(_) => Err(format!("no answer in {} s", PATIENCE.as_secs())),
    }
}

/// By how many seconds this machine is ahead of the clock of `authority` (`HOST[:PORT]`), which tells it in the
/// `Date` of an HTTP answer. Nothing where it does not tell.
///
/// In the clear on purpose: over TLS nobody tells the time to whoever has it wrong.
pub async fn ahead_of(authority: &str) -> Option<i64> {
    let date = timeout(PATIENCE, date_of(authority)).await.ok()??;
    Some(Timestamp::now().as_second() - date.as_second())
}

async fn date_of(authority: &str) -> Option<Timestamp> {
    let has_port = authority.rsplit_once(':').is_some_and(|(_, port)| port.parse::<u16>().is_ok());
    let address = if has_port { authority.to_owned() } else { format!("{authority}:80") };
    let stream = TcpStream::connect(&address).await.ok()?;
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.ok()?;
    // It ends with the sender.
    tokio::spawn(connection);
    let request = Request::get("/v2/").header(header::HOST, authority).body(Empty::<Bytes>::new()).ok()?;
    let answer = sender.send_request(request).await.ok()?;
    let date = answer.headers().get(header::DATE)?.to_str().ok()?;
    Some(jiff::fmt::rfc2822::parse(date).ok()?.timestamp())
}

/// Who we are to the files of this machine: `user 1000 of groups users, adm`.
pub fn account() -> String {
    let mut groups: Vec<u32> =
        rustix::process::getgroups().unwrap_or_default().iter().map(|id| id.as_raw()).collect();
    groups.push(rustix::process::getegid().as_raw());
    groups.sort_unstable();
    groups.dedup();
    let groups: Vec<String> = groups.into_iter().map(group_name).collect();
    format!("user {} of groups {}", rustix::process::geteuid().as_raw(), groups.join(", "))
}

/// What a group is called here; its number where nobody named it.
pub(crate) fn group_name(id: u32) -> String {
    let groups = fs::read_to_string("/etc/group").unwrap_or_default();
    let named = groups.lines().find_map(|line| {
        let mut fields = line.split(':');
        let name = fields.next()?;
        (fields.nth(1)?.parse() == Ok(id)).then(|| name.to_owned())
    });
    named.unwrap_or_else(|| id.to_string())
}

#[cfg(test)]
mod tests {
    use tokio::{
        io::{AsyncReadExt, AsyncWriteExt},
        net::TcpListener,
    };

    use super::*;

    /// The address of somebody who answers once, and whose clock is `ahead` of ours by so many seconds.
    async fn somebody(ahead: i64) -> String {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let date = Timestamp::from_second(Timestamp::now().as_second() + ahead).unwrap();
        let date = date.strftime("%a, %d %b %Y %H:%M:%S GMT");
        let answer = format!("HTTP/1.1 401 Unauthorized\r\nDate: {date}\r\nContent-Length: 0\r\n\r\n");
        tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut asked = [0; 1024];
            let _ = stream.read(&mut asked).await.unwrap();
            stream.write_all(answer.as_bytes()).await.unwrap();
        });
        address
    }

    #[tokio::test]
    async fn a_clock_that_differs_by_ten_minutes_is_told_from_one_that_does_not() {
        let behind = ahead_of(&somebody(600).await).await.unwrap();
        assert!((-602..=-598).contains(&behind), "{behind}");
        let same = ahead_of(&somebody(0).await).await.unwrap();
        assert!((-2..=2).contains(&same), "{same}");
        assert_eq!(ahead_of("127.0.0.1:1").await, None);
    }

    #[tokio::test]
    async fn a_name_resolves_or_the_resolver_says_why_it_does_not() {
        resolve("localhost").await.unwrap();
        assert!(!resolve("nowhere.invalid").await.unwrap_err().is_empty());
    }

    #[test]
    fn room_is_told_of_a_directory_that_is_not_made_yet() {
        assert!(room(Path::new("/dev/null/not/there")).is_ok());
        let missing = std::env::temp_dir().join("not/there/yet");
        assert_eq!(
            room(&missing).unwrap().free_files.is_some(),
            room(&std::env::temp_dir()).unwrap().free_files.is_some()
        );
    }

    #[test]
    fn an_account_has_a_number_and_groups() {
        assert!(account().starts_with(&format!("user {} of groups ", rustix::process::geteuid().as_raw())));
        assert_eq!(group_name(0), "root");
    }
}
