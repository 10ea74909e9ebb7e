//! Connects to a port of a container, published or not.
//!
//! On this machine the container's own address is dialled: the host has a route to each of its networks, internal ones
//! too. Where that route is missing, or the engine is elsewhere, a side container on the network dials for us and its
//! stdin and stdout are the connection.

use std::{
    io,
    net::IpAddr,
    pin::Pin,
    task::{Context, Poll, ready},
    time::Duration,
};

use plan::Phase;
use tokio::{
    io::{AsyncBufReadExt, AsyncRead, AsyncWrite, BufReader, ReadBuf},
    net::TcpStream,
};

use super::{Docker, lifecycle::phase_of};
use crate::{Arg, EngineError, Running, SideJob, Stream, Trouble, side::CONNECTED};

/// How long an address of this machine may take to answer.
const DIAL: Duration = Duration::from_secs(2);

/// How long a side container may take to say what became of its connection: its own patience, and its start.
const PROXY: Duration = Duration::from_secs(30);

impl Docker {
    pub(super) async fn reach_port(
        &self,
        container: &str,
        port: u16,
    ) -> Result<Box<dyn Stream>, EngineError> {
        let doing = format!("reach port {port} of container `{container}`");
        let places = self.places(container, &doing).await?;
        if self.local {
            for (_, address) in &places {
                match tokio::time::timeout(DIAL, TcpStream::connect((*address, port))).await {
                    Ok(Ok(stream)) => return Ok(Box::new(stream)),
                    // The container itself said no: nobody else would be let in either.
                    Ok(Err(error)) if error.kind() == io::ErrorKind::ConnectionRefused => {
                        return Err(EngineError::new(Trouble::Refused, doing).because(error));
                    }
                    // No route to it, or silence: another network, or the side container.
                    Ok(Err(_)) | Err(_) => {}
                }
            }
        }
        let Some((network, address)) = places.into_iter().find(|(network, _)| network != "host") else {
            return Err(
                EngineError::new(Trouble::Lost, doing).because("it is on no network that leads to it")
            );
        };
        let arguments =
            ["proxy".to_owned(), address.to_string(), port.to_string()].map(Arg::Literal).to_vec();
        let job = SideJob { network: Some(network), volumes: Vec::new(), arguments, stdin: true };
        let running = self.run_side(&job).await?;
        Ok(Box::new(Relayed::connected(running, doing).await?))
    }

    /// Networks and addresses of a running container.
    async fn places(&self, container: &str, doing: &str) -> Result<Vec<(String, IpAddr)>, EngineError> {
        let seen = self.container(container).await?.ok_or_else(|| {
            EngineError::new(Trouble::NotFound, doing).because("there is no such container")
        })?;
        if !matches!(phase_of(&seen), Phase::Running { .. }) {
            return Err(EngineError::new(Trouble::Refused, doing).because("the container does not run"));
        }
        let networks = seen.network_settings.and_then(|settings| settings.networks).unwrap_or_default();
        let mut places: Vec<(String, IpAddr)> = Vec::new();
        for (name, endpoint) in networks {
            let address = endpoint.ip_address.and_then(|address| address.parse().ok());
            // A container on the host's own network has no address of its own.
            let own = (name == "host").then_some(IpAddr::from([127, 0, 0, 1]));
            places.extend(address.or(own).map(|address| (name, address)));
        }
        places.sort();
        if places.is_empty() {
            return Err(EngineError::new(Trouble::Refused, doing).because("the container is on no network"));
        }
        Ok(places)
    }
}

/// A connection whose far half is a side container's `proxy`.
struct Relayed {
    running: Running,
    /// The exit status was asked for and was 0.
    over: bool,
}

impl Relayed {
    /// Waits until the proxy says that it is connected.
    async fn connected(mut running: Running, doing: String) -> Result<Self, EngineError> {
        let mut said = String::new();
        let stderr = std::mem::replace(&mut running.stderr, Box::new(tokio::io::empty()));
        let heard = tokio::time::timeout(PROXY, BufReader::new(stderr).read_line(&mut said)).await;
        match heard {
            Ok(Ok(_)) if said.trim_end() == CONNECTED => Ok(Self { running, over: false }),
            Ok(Ok(_)) => Err(EngineError::new(Trouble::Refused, doing).because(said.trim_end())),
            Ok(Err(error)) => Err(EngineError::new(Trouble::Lost, doing).because(error)),
            Err(elapsed) => Err(EngineError::new(Trouble::Lost, doing).because(elapsed)),
        }
    }
}

impl AsyncRead for Relayed {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        if !self.over {
            ready!(Pin::new(&mut self.running.stdout).poll_read(cx, buf))?;
        }
        if self.over || buf.filled().len() > before {
            return Poll::Ready(Ok(()));
        }
        // The end, or a connection that broke: the proxy tells by its exit status.
        let status = ready!(self.running.exit.as_mut().poll(cx));
        self.over = true;
        Poll::Ready(match status {
            Ok(0) => Ok(()),
            Ok(_) => Err(io::ErrorKind::ConnectionAborted.into()),
            Err(error) => Err(io::Error::other(error)),
        })
    }
}

impl AsyncWrite for Relayed {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        match &mut self.running.stdin {
            Some(stdin) => Pin::new(stdin).poll_write(cx, bytes),
            None => Poll::Ready(Err(io::ErrorKind::BrokenPipe.into())),
        }
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.running.stdin.as_mut().map_or(Poll::Ready(Ok(())), |stdin| Pin::new(stdin).poll_flush(cx))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.running.stdin.as_mut().map_or(Poll::Ready(Ok(())), |stdin| Pin::new(stdin).poll_shutdown(cx))
    }
}
