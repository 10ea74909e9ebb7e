//! Files, environment and settings arrive inside as they were meant.

use plan::{Effect, ResolvedMount};
use stack::{ContentId, Text};

use crate::support::{Stack, create, file, secret};

/// One service with a file for root, one for its user and one in a new directory; what it sees of them.
async fn delivered(stack: &Stack, read_only: bool, mounts: Vec<ResolvedMount>) -> String {
    let script = "for f in /run/secrets/all /run/secrets/mine /etc/app/deep/conf; do \
                  busybox stat -c '%n %u:%g %a' $f; cat=$(busybox cat $f) && echo \"$cat\"; done; sleep 60";
    let mut app = stack.container("app", script);
    app.settings.user = Some("1000:1000".into());
    app.settings.read_only = read_only;
    app.mounts = mounts;
    app.files = vec![
        file("/run/secrets/all", 0, 0o444),
        file("/run/secrets/mine", 1000, 0o400),
        file("/etc/app/deep/conf", 7, 0o644),
    ];
    stack.run(&app).await;
    let request = host::LogRequest { tail: None, follow: true };
    let mut lines = host::Engine::logs(&stack.engine, &app.name, &request).await.unwrap();
    let mut text = String::new();
    for _ in 0..6 {
        text.push_str(&lines.recv().await.unwrap());
        text.push('\n');
    }
    text
}

const EXPECTED: &str = "\
/run/secrets/all 0:0 444
content of /run/secrets/all
/run/secrets/mine 1000:1000 400
content of /run/secrets/mine
/etc/app/deep/conf 7:7 644
content of /etc/app/deep/conf
";

#[tokio::test]
async fn a_client_that_is_given_the_engines_socket_finds_it_and_the_credentials() {
    let Some(mut stack) = Stack::new("socket").await else { return };
    let dir = tempfile::tempdir().unwrap();
    let settings = r#"{ "auths": { "r.example.org": { "auth": "YW5uOmFubg==" } } }"#;
    std::fs::write(dir.path().join("config.json"), settings).unwrap();
    stack.engine = host::Docker::connect().await.unwrap().with_credentials_of(dir.path());
    for read_only in [false, true] {
        let mut app = stack.container(if read_only { "closed" } else { "open" }, "sleep 600");
        app.settings.use_api_socket = true;
        app.settings.read_only = read_only;
        stack.run(&app).await;
        let script = "busybox cat $DOCKER_CONFIG/config.json; busybox stat -c %F /var/run/docker.sock";
        let (said, _, _) = stack.shell(&app.name, script).await;
        assert_eq!(said, "{\"auths\":{\"r.example.org\":{\"auth\":\"YW5uOmFubg==\"}}}socket\n");
    }
}

#[tokio::test]
async fn files_arrive_with_owner_and_mode_before_the_service_starts() {
    let Some(stack) = Stack::new("files").await else { return };
    assert_eq!(delivered(&stack, false, Vec::new()).await, EXPECTED);
}

#[tokio::test]
async fn a_read_only_service_gets_its_files_too() {
    let Some(stack) = Stack::new("readonly").await else { return };
    assert_eq!(delivered(&stack, true, Vec::new()).await, EXPECTED);
    let app = stack.name("app");
    // Its root stays read-only, and what the image had beside the files is still there.
    assert_eq!(stack.shell(&app, ": > /x").await.2, 1);
    assert!(stack.shell(&app, "busybox cat /etc/passwd").await.0.contains("root"));
    // The private volumes go with the container.
    let client = bollard::Docker::connect_with_unix_defaults().unwrap();
    let mounts = client.inspect_container(&app, None).await.unwrap().mounts.unwrap();
    assert_eq!(mounts.len(), 2);
    stack.apply(&Effect::Remove { container: app }).await.unwrap();
    for mount in mounts {
        assert!(client.inspect_volume(&mount.name.unwrap()).await.is_err());
    }
}

#[tokio::test]
async fn a_tmpfs_over_run_does_not_hide_the_secrets() {
    let Some(stack) = Stack::new("tmpfs").await else { return };
    let tmpfs = ResolvedMount::Tmpfs { target: "/run".into(), size_bytes: Some(1 << 20), mode: Some(0o755) };
    assert_eq!(delivered(&stack, false, vec![tmpfs]).await, EXPECTED);
}

#[tokio::test]
async fn what_was_made_and_not_filled_before_a_crash_is_completed() {
    let Some(stack) = Stack::new("half").await else { return };
    let network = stack.network("second", true);
    stack.apply(&Effect::EnsureNetwork { network: network.clone() }).await.unwrap();
    // The crash came before the file was copied, and on engines that join one network after another, before the second.
    let mut half = stack.container("half", "sleep 60");
    let first = stack.network("first", false);
    stack.apply(&Effect::EnsureNetwork { network: first.clone() }).await.unwrap();
    let both = crate::support::joined(&[&first.name, &network.name]);
    half.networks =
        if stack.api().await < (1, 44) { crate::support::joined(&[&first.name]) } else { both.clone() };
    stack.apply(&create(&half)).await.unwrap();
    half.networks = both;
    half.files = vec![file("/run/secrets/key", 0, 0o444)];
    stack.run(&half).await;
    assert_eq!(
        stack.shell(&half.name, "busybox cat /run/secrets/key").await.0,
        "content of /run/secrets/key"
    );
    assert_eq!(stack.seen(&half.name).await.unwrap().networks, [first.name, network.name]);
}

#[tokio::test]
async fn what_never_ran_and_was_made_from_something_else_is_left_alone() {
    let Some(stack) = Stack::new("leftover").await else { return };
    let mut app = stack.container("app", "sleep 60");
    stack.apply(&create(&app)).await.unwrap();
    app.identity = "second".into();
    assert_eq!(stack.apply(&create(&app)).await.unwrap_err().trouble, host::Trouble::Conflict);
    assert_eq!(stack.seen(&app.name).await.unwrap().identity, "first");
}

#[tokio::test]
async fn references_are_filled_in_and_kept_content_is_mounted_read_only() {
    let Some(stack) = Stack::new("contents").await else { return };
    let kept = tempfile::tempdir().unwrap();
    std::fs::write(kept.path().join("conf"), "kept").unwrap();
    let mut app = stack.container("app", "sleep 60");
    app.settings.environment.insert("PASSWORD".into(), Some(secret("db")));
    app.settings.environment.insert("LD_LIBRARY_PATH".into(), None);
    app.settings.extra_hosts = vec!["elsewhere=192.0.2.7".into()];
    app.settings.hostname = Some("boat".into());
    app.settings.working_dir = Some("/kept".into());
    app.settings.resources.memory_bytes = Some(64 << 20);
    app.settings.cap_drop = vec!["ALL".into()];
    app.mounts = vec![ResolvedMount::Kept {
        content: ContentId(kept.path().to_string_lossy().into_owned()),
        source: "./conf".into(),
        target: "/kept".into(),
        options: stack::BindOptions::default(),
    }];
    stack.run(&app).await;
    let script =
        "echo $PASSWORD; busybox hostname; busybox cat conf; busybox grep -c elsewhere /etc/hosts; : > conf";
    let (out, err, status) = stack.shell(&app.name, script).await;
    assert_eq!(out, "x-<db>\nboat\nkept1\n");
    assert!(err.contains("Read-only file system") && status != 0, "{err}");
}

#[tokio::test]
async fn a_reference_that_nobody_knows_makes_nothing() {
    let Some(stack) = Stack::new("unknown").await else { return };
    let mut app = stack.container("app", "sleep 60");
    let held = stack::Part::Held { variable: "TOKEN".into(), id: ContentId("0".into()) };
    app.settings.environment.insert("TOKEN".into(), Some(Text(vec![held])));
    let error = stack.apply(&create(&app)).await.unwrap_err();
    assert!(std::error::Error::source(&error).unwrap().to_string().contains("${TOKEN}"));
    assert!(stack.seen(&app.name).await.is_none());
}
