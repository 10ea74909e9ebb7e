//! One service from nothing to nothing.

use std::time::Duration;

use host::Engine;
use plan::{Effect, Output, Phase, ResolvedMount};
use stack::{Port, Restart};

use crate::support::{Stack, create, joined};

#[tokio::test]
async fn a_service_lives_its_whole_life_and_every_effect_can_be_done_twice() {
    let Some(stack) = Stack::new("life").await else { return };
    let (front, back) = (stack.network("back", true), stack.network("front", false));
    let data = stack.volume("data");
    stack.apply_twice(&Effect::EnsureNetwork { network: front.clone() }).await;
    stack.apply_twice(&Effect::EnsureNetwork { network: back.clone() }).await;
    stack.apply_twice(&Effect::EnsureVolume { volume: data.clone() }).await;
    let image = Effect::EnsureImage { image: stack.image.clone(), platform: None, always: false, id: None };
    assert_eq!(stack.apply(&image).await.unwrap(), Output::Unchanged);

    let mut app = stack.container("app", "trap 'exit 0' TERM; while :; do sleep 0.1; done");
    app.networks = joined(&[&front.name, &back.name]);
    app.mounts = vec![ResolvedMount::volume(&data.name, "/data", false)];
    app.settings.restart = Restart::UnlessStopped;
    app.settings.ports = vec![Port { host_ip: Some("127.0.0.1".into()), ..Port::tcp(None, 80) }];
    stack.apply_twice(&create(&app)).await;
    assert_eq!(stack.seen(&app.name).await.unwrap().phase, Phase::Created);

    stack.apply_twice(&Effect::Start { container: app.name.clone() }).await;
    let seen = stack.seen(&app.name).await.unwrap();
    assert_eq!(seen.phase, Phase::Running { healthy: None });
    assert_eq!(seen.networks, [front.name.clone(), back.name.clone()]);
    assert_eq!((seen.identity.as_str(), seen.release), ("first", Some(1)));
    assert_eq!(seen.state_dir.as_deref(), Some("/var/lib/seaworthy/x"));
    assert!(matches!(seen.ports.as_slice(), [(_, port, 80)] if *port > 0), "{:?}", seen.ports);
    assert_eq!(stack.apply(&create(&app)).await.unwrap(), Output::Unchanged);

    let stop = Effect::Stop { container: app.name.clone(), grace: Some(Duration::from_secs(5)) };
    stack.apply_twice(&stop).await;
    assert_eq!(stack.seen(&app.name).await.unwrap().phase, Phase::Exited { code: 0 });
    stack.apply_twice(&Effect::Resume { container: app.name.clone(), restart: Restart::UnlessStopped }).await;
    assert_eq!(stack.seen(&app.name).await.unwrap().phase, Phase::Running { healthy: None });

    let renamed = stack.name("app-failed");
    stack.apply_twice(&Effect::Rename { from: app.name.clone(), to: renamed.clone() }).await;
    stack.apply_twice(&Effect::Remove { container: renamed.clone() }).await;
    assert_eq!(stack.apply(&stop).await.unwrap(), Output::Unchanged);
    for network in [front, back] {
        stack.apply_twice(&Effect::RemoveNetwork { name: network.name }).await;
    }
    stack.apply_twice(&Effect::RemoveVolume { name: data.name }).await;
}

#[tokio::test]
async fn composes_own_commands_know_our_containers() {
    let Some(stack) = Stack::new("compose").await else { return };
    let app = stack.container("app", "echo said; sleep 60");
    stack.run(&app).await;
    let client = bollard::Docker::connect_with_unix_defaults().unwrap();
    let labels = client.inspect_container(&app.name, None).await.unwrap().config.unwrap().labels.unwrap();
    for (label, value) in [
        ("project", stack.project.as_str()),
        ("service", "app"),
        ("container-number", "1"),
        ("oneoff", "False"),
        ("config-hash", "first"),
    ] {
        assert_eq!(labels.get(&format!("com.docker.compose.{label}")).map(String::as_str), Some(value));
    }
    let compose = |arguments: &[&str]| {
        let command = std::process::Command::new("docker")
            .args(["compose", "-p", &stack.project])
            .args(arguments)
            .output();
        command.ok().filter(|output| output.status.success())
    };
    if compose(&["version"]).is_none() {
        println!("skipped: no `docker compose` on this machine; only the labels were looked at");
        return;
    }
    let printed = |arguments: &[&str]| {
        let output = compose(arguments).unwrap_or_else(|| panic!("docker compose {arguments:?} failed"));
        String::from_utf8_lossy(&output.stdout).trim().to_owned()
    };
    assert_eq!(printed(&["ps", "--format", "{{.Name}} {{.Service}}"]), format!("{} app", app.name));
    assert_eq!(printed(&["exec", "-T", "app", "/bin/busybox", "echo", "inside"]), "inside");
    assert!(printed(&["logs", "--no-color", "app"]).ends_with("| said"));
}

#[tokio::test]
async fn health_is_what_the_engines_own_check_says() {
    let Some(stack) = Stack::new("health").await else { return };
    let mut app = stack.container("app", "sleep 60");
    app.settings.healthcheck = Some(stack::Healthcheck {
        test: ["CMD", "/bin/busybox", "test", "-e", "/ready"].map(stack::Text::literal).to_vec(),
        interval: Some(Duration::from_millis(200)),
        timeout: Some(Duration::from_secs(2)),
        start_period: None,
        start_interval: None,
        retries: Some(1),
    });
    stack.run(&app).await;
    assert_eq!(stack.seen(&app.name).await.unwrap().phase, Phase::Running { healthy: Some(false) });
    assert_eq!(stack.shell(&app.name, ": > /ready").await.2, 0);
    for _ in 0..100 {
        if stack.seen(&app.name).await.unwrap().phase == (Phase::Running { healthy: Some(true) }) {
            return;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    panic!("it never became healthy");
}

#[tokio::test]
async fn a_survey_tells_the_host_and_what_was_asked_for_by_name() {
    let Some(stack) = Stack::new("survey").await else { return };
    let mut scope = stack.scope();
    scope.images = vec![stack.image.clone(), "swt-host-absent:1".into()];
    scope.networks = vec!["bridge".into(), "swt-host-absent".into()];
    scope.volumes = vec!["swt-host-absent".into()];
    let held = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = held.local_addr().unwrap().port();
    scope.ports = vec![port, 1];
    let observed = stack.engine.observe(&scope).await.unwrap();
    assert!(!observed.host.version.is_empty() && observed.host.api.is_some());
    let holder = &observed.host.ports_held[&port];
    assert!(holder.contains(&format!("pid {}", std::process::id())), "{holder}");
    assert_eq!(observed.host.ports_held.len(), 1);
    assert_eq!(observed.images.keys().collect::<Vec<_>>(), [&stack.image]);
    assert_eq!(observed.networks.keys().collect::<Vec<_>>(), ["bridge"]);
    assert_eq!(observed.networks["bridge"].project, "");
    assert!(observed.volumes.is_empty());
}

#[tokio::test]
async fn a_volume_without_a_name_outlives_its_container_and_goes_only_when_it_is_discarded() {
    let Some(stack) = Stack::new("nameless").await else { return };
    let mut old = stack.container("old", "echo kept > /scratch/note; sleep 60");
    old.mounts = vec![ResolvedMount::Anonymous { target: "/scratch".to_owned() }];
    stack.run(&old).await;
    let seen = stack.seen(&old.name).await.unwrap().anonymous;
    assert_eq!(seen.len(), 1);
    stack.apply(&Effect::Remove { container: old.name.clone() }).await.unwrap();
    let mut new = stack.container("new", "sleep 60");
    new.mounts = vec![ResolvedMount::volume(&seen[0].name, "/scratch", false)];
    stack.run(&new).await;
    assert_eq!(stack.shell(&new.name, "busybox cat /scratch/note").await.0.trim(), "kept");
    assert_eq!(stack.seen(&new.name).await.unwrap().anonymous, seen);
    stack.apply_twice(&Effect::Discard { container: new.name.clone() }).await;
    let client = bollard::Docker::connect_with_unix_defaults().unwrap();
    assert!(client.inspect_volume(&seen[0].name).await.is_err());
}
