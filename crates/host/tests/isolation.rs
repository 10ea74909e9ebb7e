//! Isolation on a real engine: a network that must not get through does not, and is seen when it does.
//!
//! The server is the dialling program's own image, so nothing is pulled; without an engine the test says `skipped`.

#![allow(clippy::unwrap_used, reason = "a test that panics has said what went wrong")]

use std::{net::IpAddr, path::PathBuf, process::Command};

use bollard::{
    models::{ContainerCreateBody, HostConfig, NetworkConnectRequest, NetworkCreateRequest},
    query_parameters::{CreateContainerOptionsBuilder, RemoveContainerOptionsBuilder, RemoveImageOptions},
};
use host::{
    Docker,
    isolation::{Breach, IsolationSeen, IsolationTarget, probe_isolation},
};
use stack::ServiceName;

const BUSYBOX: &str = "/bin/busybox";

#[tokio::test]
async fn a_server_is_out_of_reach_from_another_network_until_it_is_attached_to_it() {
    let Some(place) = Place::new().await else { return };
    let seen = place.edge_sees().await;
    let same = probe_isolation(&place.engine, Some(&place.inside), &[place.target().await]).await.unwrap();
    place.client.connect_network(&place.edge, place.connect()).await.unwrap();
    let attached = place.edge_sees().await;

    assert!(seen.is_isolated(), "{}", seen.in_words());
    // The same question from its own network: what answers is seen to answer, so the silence above says something.
    let connects = |seen: &IsolationSeen| {
        seen.breaches().iter().filter(|breach| matches!(breach, Breach::Connects { .. })).count()
    };
    let resolves = |seen: &IsolationSeen| {
        seen.breaches().iter().filter(|breach| matches!(breach, Breach::Resolves { .. })).count()
    };
    assert_eq!((connects(&same[0]), resolves(&same[0])), (2, 1), "{}", same[0].in_words());
    assert!(connects(&attached) >= 1 && resolves(&attached) == 1, "{}", attached.in_words());
}

/// Two networks, and a server that is in one of them.
struct Place {
    engine: Docker,
    client: bollard::Docker,
    image: String,
    server: String,
    inside: String,
    edge: String,
}

impl Place {
    async fn new() -> Option<Self> {
        let engine = match Docker::connect().await {
            Ok(engine) if std::path::Path::new(BUSYBOX).exists() => engine,
            Ok(_) => return skip("no static busybox on this machine"),
            Err(error) => return skip(&format!("no Docker Engine: {error}")),
        };
        let name = |part| format!("swt-isolation-{}-{part}", std::process::id());
        let client = bollard::Docker::connect_with_unix_defaults().unwrap();
        let busybox = std::fs::read(BUSYBOX).unwrap();
        let image = engine
            .with_executable(BUSYBOX)
            .ensure_self_image("swt-isolation", &[(BUSYBOX, &busybox, 0o755)])
            .await
            .unwrap();
        let engine = Docker::connect().await.unwrap().with_executable(dialler());
        let [server, inside, edge] = ["server", "inside", "edge"].map(name);
        let place = Self { engine, client, image, server, inside, edge };
        for network in [&place.inside, &place.edge] {
            let request = NetworkCreateRequest { name: network.clone(), ..Default::default() };
            place.client.create_network(request).await.unwrap();
        }
        let listen = [BUSYBOX, "nc", "-ll", "-p", "5432", "-e", BUSYBOX, "true"].map(str::to_owned);
        let body = ContainerCreateBody {
            image: Some(place.image.clone()),
            entrypoint: Some(listen.to_vec()),
            host_config: Some(HostConfig {
                network_mode: Some(place.inside.clone()),
                init: Some(false),
                ..Default::default()
            }),
            ..Default::default()
        };
        let options = CreateContainerOptionsBuilder::default().name(&place.server).build();
        place.client.create_container(Some(options), body).await.unwrap();
        place.client.start_container(&place.server, None).await.unwrap();
        Some(place)
    }

    fn connect(&self) -> NetworkConnectRequest {
        NetworkConnectRequest { container: self.server.clone(), ..Default::default() }
    }

    /// The server by every address it has, and by name.
    async fn target(&self) -> IsolationTarget {
        let seen = self.client.inspect_container(&self.server, None).await.unwrap();
        let networks = seen.network_settings.unwrap().networks.unwrap();
        let addresses = networks.values().filter_map(|end| end.ip_address.as_ref()?.parse::<IpAddr>().ok());
        IsolationTarget {
            service: ServiceName::from("db"),
            addresses: addresses.collect(),
            names: vec![self.server.clone()],
            port: 5432,
        }
    }

    async fn edge_sees(&self) -> IsolationSeen {
        let targets = [self.target().await];
        probe_isolation(&self.engine, Some(&self.edge), &targets).await.unwrap().remove(0)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let (server, image) = (self.server.clone(), self.image.clone());
        let networks = [self.inside.clone(), self.edge.clone()];
        let cleaned = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async {
                let client = bollard::Docker::connect_with_unix_defaults().unwrap();
                let options = RemoveContainerOptionsBuilder::default().force(true).build();
                let _ = client.remove_container(&server, Some(options)).await;
                for network in networks {
                    let _ = client.remove_network(&network).await;
                }
                let _ = client.remove_image(&image, None::<RemoveImageOptions>, None).await;
            });
        });
        cleaned.join().unwrap();
    }
}

/// The example beside this test, built where a test run of this file alone has not built it.
fn dialler() -> PathBuf {
    let arguments = ["build", "--quiet", "--package", "host", "--example", "side"];
    assert!(Command::new(env!("CARGO")).args(arguments).status().unwrap().success());
    let test = std::env::current_exe().unwrap();
    test.parent().and_then(|deps| deps.parent()).unwrap().join("examples/side")
}

fn skip<T>(because: &str) -> Option<T> {
    assert!(std::env::var_os("SEAWORTHY_LIVE").is_none_or(|live| live != "1"), "{because}");
    println!("skipped: {because}");
    None
}
