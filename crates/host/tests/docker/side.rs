//! Side containers: a run of an executable beside the stack, of which nothing stays.

use std::{collections::HashMap, path::PathBuf, process::Command, sync::OnceLock, time::Duration};

use bollard::query_parameters::{CreateContainerOptions, ListContainersOptionsBuilder};
use host::{Arg, Docker, Engine, ExecRequest, SideJob, Trouble};
use plan::Effect;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::support::{Stack, joined};

/// The peer, compiled once.
fn peer() -> PathBuf {
    static PEER: OnceLock<PathBuf> = OnceLock::new();
    PEER.get_or_init(|| {
        let directory = PathBuf::from(env!("CARGO_TARGET_TMPDIR"));
        let source = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/docker/peer.rs");
        let program = directory.join("side-peer");
        let made =
            Command::new("rustc").args(["--edition=2024", "-o"]).arg(&program).arg(source).status().unwrap();
        assert!(made.success());
        program
    })
    .clone()
}

async fn engine() -> Docker {
    Docker::connect().await.unwrap().with_executable(peer())
}

fn job(arguments: &[&str], stdin: bool) -> SideJob {
    let arguments = arguments.iter().map(|text| Arg::Literal((*text).to_owned())).collect();
    SideJob { arguments, stdin, ..SideJob::default() }
}

/// Ids of the side containers whose command is this.
async fn running(word: &str) -> usize {
    let client = bollard::Docker::connect_with_unix_defaults().unwrap();
    let filters = HashMap::from([("label".to_owned(), vec!["seaworthy.side=1".to_owned()])]);
    let options = ListContainersOptionsBuilder::default().all(true).filters(&filters).build();
    let listed = client.list_containers(Some(options)).await.unwrap();
    listed.iter().filter(|one| one.command.as_deref().is_some_and(|command| command.contains(word))).count()
}

async fn until_none_of(word: &str) {
    for _ in 0..200 {
        if running(word).await == 0 {
            return;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("a side container `{word}` is still there");
}

#[tokio::test]
async fn bytes_pass_through_a_side_container_and_its_status_comes_back() {
    let Some(_stack) = Stack::new("sideecho").await else { return };
    let mut side = engine().await.side(&job(&["echo"], true)).await.unwrap();
    let sent: Vec<u8> = (0..8_000_000_u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 11) as u8).collect();
    let (mut stdin, bytes) = (side.stdin.take().unwrap(), sent.clone());
    let writing = tokio::spawn(async move {
        stdin.write_all(&bytes).await.unwrap();
        stdin.shutdown().await.unwrap();
    });
    let (mut out, mut err) = (Vec::new(), String::new());
    side.stdout.read_to_end(&mut out).await.unwrap();
    side.stderr.read_to_string(&mut err).await.unwrap();
    writing.await.unwrap();
    assert!(out == sent, "{} bytes came back", out.len());
    assert_eq!((err.as_str(), side.exit.await.unwrap()), ("that was all", 7));
}

#[tokio::test]
async fn a_side_container_writes_and_reads_the_stacks_volumes() {
    let Some(stack) = Stack::new("sidevolume").await else { return };
    let volume = stack.volume("data");
    stack.apply(&Effect::EnsureVolume { volume: volume.clone() }).await.unwrap();
    let engine = engine().await;
    let in_volume = Arg::InVolume { volume: volume.name.clone(), path: "file".into() };
    let mut write = job(&["write"], true);
    write.arguments.push(in_volume.clone());
    write.volumes = vec![(volume.name.clone(), true)];
    let mut side = engine.side(&write).await.unwrap();
    side.stdin.take().unwrap().write_all(b"kept").await.unwrap();
    assert_eq!(side.exit.await.unwrap(), 0);
    let mut read = job(&["read"], false);
    read.arguments.push(in_volume);
    read.volumes = vec![(volume.name.clone(), false)];
    let mut side = engine.side(&read).await.unwrap();
    let mut out = String::new();
    side.stdout.read_to_string(&mut out).await.unwrap();
    assert_eq!((out.as_str(), side.exit.await.unwrap()), ("kept", 0));
    // Read-only means read-only.
    write.volumes = vec![(volume.name.clone(), false)];
    assert_ne!(engine.side(&write).await.unwrap().exit.await.unwrap(), 0);
}

#[tokio::test]
async fn a_side_container_that_nobody_listens_to_any_more_is_removed() {
    let Some(_stack) = Stack::new("sidedrop").await else { return };
    let mut side = engine().await.side(&job(&["hang"], false)).await.unwrap();
    let mut out = [0; 8];
    side.stdout.read_exact(&mut out).await.unwrap();
    assert!(running("hang").await > 0);
    drop(side);
    until_none_of("hang").await;
}

#[tokio::test]
async fn a_proxy_in_a_network_reaches_what_is_on_it_by_name() {
    let Some(stack) = Stack::new("sideproxy").await else { return };
    let network = stack.network("inside", true);
    stack.apply(&Effect::EnsureNetwork { network: network.clone() }).await.unwrap();
    let mut app = stack.container("app", "busybox nc -ll -p 7000 -e busybox cat");
    app.networks = joined(&[&network.name]);
    stack.run(&app).await;
    while stack.shell(&app.name, "busybox netstat -ltn | busybox grep -q :7000").await.2 != 0 {}
    for name in ["app", "other-name"] {
        let mut ask = job(&["proxy", name, "7000"], true);
        ask.network = Some(network.name.clone());
        let mut side = engine().await.side(&ask).await.unwrap();
        side.stdin.take().unwrap().write_all(b"hello").await.unwrap();
        let mut out = String::new();
        side.stdout.read_to_string(&mut out).await.unwrap();
        assert_eq!((out.as_str(), side.exit.await.unwrap()), ("hello", 0));
    }
}

#[tokio::test]
async fn an_image_of_the_binary_is_made_once_and_runs_as_a_user_too() {
    let Some(stack) = Stack::new("selfimage").await else { return };
    let engine = engine().await;
    let busybox = std::fs::read("/bin/busybox").unwrap();
    let extra: [(&str, &[u8], u32); 2] = [("/bin/sh", &busybox, 0o755), ("/opt/note", b"note", 0o644)];
    let image = engine.ensure_self_image("swt-host-self", &extra).await.unwrap();
    assert_eq!(engine.ensure_self_image("swt-host-self", &extra).await.unwrap(), image);
    let mut app = stack.container("app", "while :; do :; done");
    app.settings.image.clone_from(&image);
    app.settings.user = Some("1000".into());
    stack.run(&app).await;
    assert_eq!(stack.shell(&app.name, "echo x > /tmp/x && read n < /opt/note; echo $n").await.0, "note\n");
    let command = ["/seaworthy", "side", "read", "/etc/passwd"].map(str::to_owned).to_vec();
    let mut read =
        stack.engine.exec(&app.name, &ExecRequest { command, ..ExecRequest::default() }).await.unwrap();
    let mut out = String::new();
    read.stdout.read_to_string(&mut out).await.unwrap();
    assert!(out.contains(":1000:1000:"), "{out}");
    stack.apply(&Effect::Remove { container: app.name }).await.unwrap();
    let client = bollard::Docker::connect_with_unix_defaults().unwrap();
    client.remove_image(&image, None::<bollard::query_parameters::RemoveImageOptions>, None).await.unwrap();
}

#[tokio::test]
async fn a_port_of_an_engine_elsewhere_is_reached_through_a_side_container() {
    let Some(stack) = Stack::new("elsewhere").await else { return };
    let network = stack.network("inside", true);
    stack.apply(&Effect::EnsureNetwork { network: network.clone() }).await.unwrap();
    let mut app = stack.container("app", "busybox nc -ll -p 7000 -e busybox cat");
    app.networks = joined(&[&network.name]);
    stack.run(&app).await;
    while stack.shell(&app.name, "busybox netstat -ltn | busybox grep -q :7000").await.2 != 0 {}
    let engine = Docker::connect_to(&forwarded().await).await.unwrap().with_executable(peer());
    let mut stream = engine.reach(&app.name, 7000).await.unwrap();
    stream.write_all(b"far away").await.unwrap();
    stream.shutdown().await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    assert_eq!(answer, "far away");
    let refused = engine.reach(&app.name, 7001).await.map(drop).unwrap_err();
    assert_eq!(refused.trouble, Trouble::Refused);
    assert!(std::error::Error::source(&refused).unwrap().to_string().contains("refused"));
}

/// The engine's socket behind a TCP port of this machine, as an engine elsewhere would be.
async fn forwarded() -> String {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("tcp://{}", listener.local_addr().unwrap());
    let socket = std::env::var("DOCKER_HOST").unwrap_or_default();
    let socket = socket.strip_prefix("unix://").unwrap_or("/var/run/docker.sock").to_owned();
    tokio::spawn(async move {
        while let Ok((mut near, _)) = listener.accept().await {
            let socket = socket.clone();
            tokio::spawn(async move {
                let mut far = tokio::net::UnixStream::connect(socket).await.unwrap();
                drop(tokio::io::copy_bidirectional(&mut near, &mut far).await);
            });
        }
    });
    address
}

#[tokio::test]
async fn what_a_killed_process_left_beside_a_stack_is_removed_by_the_next_one() {
    let Some(stack) = Stack::new("sidesweep").await else { return };
    let space = std::fs::read_link("/proc/self/ns/pid").unwrap().to_string_lossy().into_owned();
    // No process has this id: it is above what the kernel gives out.
    let owner = format!("{space}/4194305/1");
    let labels = [("seaworthy.side", "1"), ("seaworthy.side.owner", &owner)];
    let orphan = bollard::models::ContainerCreateBody {
        image: Some(stack.image.clone()),
        cmd: Some(vec!["orphan".into()]),
        labels: Some(labels.map(|(key, value)| (key.to_owned(), value.to_owned())).into()),
        ..Default::default()
    };
    let client = bollard::Docker::connect_with_unix_defaults().unwrap();
    client.create_container(None::<CreateContainerOptions>, orphan).await.unwrap();
    let app = stack.name("app");
    engine().await.apply(&Effect::Remove { container: app }, &crate::support::Known).await.unwrap();
    until_none_of("orphan").await;
}
