//! What this binary does inside a side container, or beside the processes: `seaworthy side …`.
//!
//! ```text
//! side proxy HOST PORT                       stdin and stdout are the connection
//! side dial --within SECS TARGET…            one JSON line a target: what became of a TCP connection to it
//! ```
//!
//! `proxy` says one line on stderr before any byte of the connection: `connected`, or a [`Dialled`] as JSON that
//! tells why not, and then ends with 1. Whoever starts it can wait for that line to tell a refused connection from
//! one that was closed.

use std::{
    io::{self, ErrorKind, Read, Write},
    net::{Shutdown, SocketAddr, TcpStream},
    process::ExitCode,
    time::{Duration, Instant},
};

use serde::{Deserialize, Serialize};

/// How long `proxy` tries to connect: longer than any connection inside one host takes.
const PROXY_PATIENCE: Duration = Duration::from_secs(5);

/// The line `proxy` writes to stderr once it is connected.
pub const CONNECTED: &str = "connected";

/// What runs beside the stack.
#[derive(Debug, Clone, PartialEq, clap::Subcommand)]
pub enum SideCommand {
    /// Carry stdin and stdout to and from a TCP port.
    Proxy {
        /// Name or address.
        host: String,
        /// Port.
        port: u16,
    },
    /// Try TCP connections and say what became of each.
    Dial {
        /// Seconds each may take, its name included.
        #[arg(long, default_value_t = 2.0)]
        within: f64,
        /// `address:port` or `name:port`.
        #[arg(required = true)]
        targets: Vec<String>,
    },
}

/// What became of one dial.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Dialled {
    /// The target as it was given.
    pub target: String,
    /// What became of it.
    pub result: DialResult,
    /// Addresses that a name stands for; an address stands for itself.
    pub addresses: Vec<String>,
    /// How long it took.
    pub millis: u64,
}

/// What became of a TCP connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum DialResult {
    /// Somebody answered.
    Connected,
    /// The address is there and nobody listens.
    Refused,
    /// Nothing came back in time.
    Timeout,
    /// The name stands for nothing.
    NoName,
    /// There is no way to the address.
    Unreachable,
}

/// Runs a side command over this process's own stdin, stdout and stderr.
pub async fn run(command: SideCommand) -> ExitCode {
    let ended = match command {
        // A thread of its own: a blocked read of stdin must not keep the process from ending.
        SideCommand::Proxy { host, port } => {
            tokio::task::spawn_blocking(move || {
                proxy(&host, port, io::stdin(), &mut io::stdout(), &mut io::stderr())
            })
            .await
        }
        SideCommand::Dial { within, targets } => {
            let within = Duration::try_from_secs_f64(within).unwrap_or(Duration::from_secs(2));
            let lines = dial(&targets, within).await;
            Ok(write_lines(&mut io::stdout(), &lines).map(|()| true))
        }
    };
    match ended {
        Ok(Ok(true)) => ExitCode::SUCCESS,
        _ => ExitCode::FAILURE,
    }
}

/// Dials every target at once. Each gets `within` for its name and its connection together.
pub async fn dial(targets: &[String], within: Duration) -> Vec<Dialled> {
    futures_util::future::join_all(targets.iter().map(|target| dial_one(target, within))).await
}

async fn dial_one(target: &str, within: Duration) -> Dialled {
    let began = Instant::now();
    let (result, addresses) = connect(target, within).await;
    Dialled {
        target: target.to_owned(),
        result,
        addresses: addresses.iter().map(|address| address.ip().to_string()).collect(),
        millis: u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX),
    }
}

async fn connect(target: &str, within: Duration) -> (DialResult, Vec<SocketAddr>) {
    let until = tokio::time::Instant::now() + within;
    let addresses: Vec<SocketAddr> = match target.parse() {
        Ok(address) => vec![address],
        Err(_) => match tokio::time::timeout_at(until, tokio::net::lookup_host(target)).await {
            Ok(Ok(found)) => found.collect(),
            // A name server that does not answer gives no name either.
            Ok(Err(_)) | Err(_) => Vec::new(),
        },
    };
    if addresses.is_empty() {
        return (DialResult::NoName, addresses);
    }
    let attempts = addresses.iter().map(|address| async move {
        match tokio::time::timeout_at(until, tokio::net::TcpStream::connect(address)).await {
            Ok(Ok(_)) => DialResult::Connected,
            Ok(Err(err)) => refusal(&err),
            Err(_) => DialResult::Timeout,
        }
    });
    let results = futures_util::future::join_all(attempts).await;
    // Of several addresses the one that got furthest speaks for the name.
    let furthest = [DialResult::Connected, DialResult::Refused, DialResult::Timeout]
        .into_iter()
        .find(|result| results.contains(result))
        .unwrap_or(DialResult::Unreachable);
    (furthest, addresses)
}

fn refusal(err: &io::Error) -> DialResult {
    match err.kind() {
        ErrorKind::ConnectionRefused | ErrorKind::ConnectionReset => DialResult::Refused,
        ErrorKind::TimedOut => DialResult::Timeout,
        _ => DialResult::Unreachable,
    }
}

/// Connects, says so on `stderr`, and carries bytes until the far end has said everything. `Ok(false)`: it could not
/// connect, and said why.
fn proxy(
    host: &str,
    port: u16,
    mut stdin: impl Read + Send + 'static,
    stdout: &mut impl Write,
    stderr: &mut impl Write,
) -> io::Result<bool> {
    let stream = match open(host, port) {
        Ok(stream) => stream,
        Err(why) => {
            write_lines(stderr, &[why])?;
            return Ok(false);
        }
    };
    writeln!(stderr, "{CONNECTED}")?;
    stderr.flush()?;
    stream.set_nodelay(true)?;
    let mut up = stream.try_clone()?;
    // Not joined: when the far end is done, what stdin may still bring has nowhere to go.
    std::thread::spawn(move || {
        let _ = io::copy(&mut stdin, &mut up);
        let _ = up.shutdown(Shutdown::Write);
    });
    carry_down(stream, stdout)?;
    Ok(true)
}

/// As `io::copy`, flushing what has come before waiting for more.
fn carry_down(mut stream: TcpStream, stdout: &mut impl Write) -> io::Result<()> {
    let mut buffer = vec![0; 64 * 1024];
    loop {
        match stream.read(&mut buffer) {
            Ok(0) => return stdout.flush(),
            Ok(read) => {
                stdout.write_all(&buffer[..read])?;
                stdout.flush()?;
            }
            Err(err) if err.kind() == ErrorKind::Interrupted => {}
            Err(err) => return Err(err),
        }
    }
}

fn open(host: &str, port: u16) -> Result<TcpStream, Dialled> {
    let began = Instant::now();
    let addresses: Vec<SocketAddr> =
        std::net::ToSocketAddrs::to_socket_addrs(&(host, port)).map(Iterator::collect).unwrap_or_default();
    let mut result = DialResult::NoName;
    for address in &addresses {
        match TcpStream::connect_timeout(address, PROXY_PATIENCE) {
            Ok(stream) => return Ok(stream),
            Err(err) => result = refusal(&err),
        }
    }
    let millis = u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX);
    let addresses = addresses.iter().map(|address| address.ip().to_string()).collect();
    Err(Dialled { target: format!("{host}:{port}"), result, addresses, millis })
}

fn write_lines(to: &mut impl Write, lines: &[Dialled]) -> io::Result<()> {
    for line in lines {
        serde_json::to_writer(&mut *to, line)?;
        to.write_all(b"\n")?;
    }
    to.flush()
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use clap::Parser;

    use super::*;

    /// A port of loopback on which nobody listens.
    fn closed_port() -> u16 {
        TcpListener::bind("127.0.0.1:0").expect("a port").local_addr().expect("an address").port()
    }

    #[tokio::test]
    async fn a_dial_tells_an_answer_from_a_refusal_and_from_a_name_nobody_has() {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let open = listener.local_addr().expect("an address").port();
        let targets = [
            format!("127.0.0.1:{open}"),
            format!("localhost:{open}"),
            format!("127.0.0.1:{}", closed_port()),
            "db.seaworthy.invalid:5432".to_owned(),
        ];
        let seen = dial(&targets, Duration::from_secs(2)).await;
        let results: Vec<DialResult> = seen.iter().map(|dialled| dialled.result).collect();
        assert_eq!(
            results,
            [DialResult::Connected, DialResult::Connected, DialResult::Refused, DialResult::NoName]
        );
        assert!(seen[1].addresses.contains(&"127.0.0.1".to_owned()));
        let line = serde_json::to_value(&seen[3]).expect("JSON");
        assert_eq!(line["result"], "no-name");
        assert_eq!(line["target"], "db.seaworthy.invalid:5432");
    }

    #[test]
    fn a_proxy_carries_both_ways_and_ends_when_the_far_end_has_said_everything() {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let port = listener.local_addr().expect("an address").port();
        let server = std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().expect("a connection");
            let mut asked = String::new();
            stream.read_to_string(&mut asked).expect("text");
            stream.write_all(format!("you said {asked}").as_bytes()).expect("room");
        });
        let (mut stdout, mut stderr) = (Vec::new(), Vec::new());
        let connected =
            proxy("127.0.0.1", port, io::Cursor::new(b"hello"), &mut stdout, &mut stderr).expect("a proxy");
        server.join().expect("the server ended");
        assert!(connected);
        assert_eq!(String::from_utf8(stdout).expect("text"), "you said hello");
        assert_eq!(String::from_utf8(stderr).expect("text"), "connected\n");
    }

    #[test]
    fn a_proxy_that_cannot_connect_says_why_before_it_ends() {
        let (mut stdout, mut stderr) = (Vec::new(), Vec::new());
        let connected = proxy("127.0.0.1", closed_port(), io::empty(), &mut stdout, &mut stderr);
        assert!(!connected.expect("told, not failed"));
        let why: Dialled = serde_json::from_slice(&stderr).expect("one JSON line");
        assert_eq!((why.result, stdout.len()), (DialResult::Refused, 0));
    }

    #[test]
    fn the_arguments_are_read_as_they_are_written() {
        #[derive(Debug, Parser)]
        struct Side {
            #[command(subcommand)]
            command: SideCommand,
        }
        let read = |words: &[&str]| Side::try_parse_from(words).map(|side| side.command);
        assert_eq!(
            read(&["side", "dial", "--within", "0.5", "10.0.0.2:80"]).expect("a dial"),
            SideCommand::Dial { within: 0.5, targets: vec!["10.0.0.2:80".to_owned()] }
        );
        assert_eq!(
            read(&["side", "proxy", "db", "5432"]).expect("a proxy"),
            SideCommand::Proxy { host: "db".to_owned(), port: 5432 }
        );
        assert!(read(&["side", "dial"]).is_err());
    }
}
