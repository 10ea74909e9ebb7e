//! `exec`, `reach` and `logs`.

use std::time::Duration;

use host::{Engine, ExecRequest, LogRequest, Running, Trouble};
use plan::Effect;
use secrets::Secret;
use sha2::{Digest, Sha256};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::support::{Stack, joined};

#[tokio::test]
async fn a_command_has_the_surroundings_that_it_asks_for() {
    let Some(stack) = Stack::new("hook").await else { return };
    let mut app = stack.container("app", "sleep 600");
    app.settings.environment.insert("TAKEN".into(), Some(stack::Text::literal("away")));
    stack.run(&app).await;
    let script = "echo $SHARED ${TAKEN-nothing} $(busybox pwd) $(busybox id -u) $(busybox grep CapEff /proc/self/status)";
    let request = ExecRequest {
        command: ["/bin/sh", "-c", script].map(str::to_owned).to_vec(),
        user: Some("0:0".into()),
        privileged: false,
        working_dir: Some("/proc".into()),
        environment: [("SHARED".into(), Some(Secret::from("between us"))), ("TAKEN".into(), None)].into(),
        stdin: false,
    };
    let said = said(stack.engine.exec(&app.name, &request).await.unwrap()).await;
    let words: Vec<&str> = said.split_whitespace().collect();
    assert_eq!(words[..6], ["between", "us", "nothing", "/proc", "0", "CapEff:"], "{said}");
    assert!(!format!("{request:?}").contains("between us"));
    // A host that has not all capabilities itself cannot give them: then the engine says so.
    let request = ExecRequest { privileged: true, ..request };
    let more = self::said(stack.engine.exec(&app.name, &request).await.unwrap()).await;
    assert!(more.contains("unable to apply caps") || (more.contains("CapEff:") && more != said), "{more}");
}

async fn said(mut running: Running) -> String {
    let mut said = String::new();
    running.stdout.read_to_string(&mut said).await.unwrap();
    said
}

#[tokio::test]
async fn sixty_four_mebibytes_come_back_as_they_went_and_the_exit_status_too() {
    let Some(stack) = Stack::new("exec").await else { return };
    let app = stack.container("app", "sleep 600");
    stack.run(&app).await;
    let script = "busybox tee /dev/stderr | busybox cat; exit 3";
    let command = ["/bin/sh", "-c", script].map(str::to_owned).to_vec();
    let request = ExecRequest { command, user: Some("1000".into()), stdin: true, ..ExecRequest::default() };
    let mut running = stack.engine.exec(&app.name, &request).await.unwrap();
    let (mut stdin, mut stdout, mut stderr) = (running.stdin.take().unwrap(), running.stdout, running.stderr);
    // All byte values, in an order that repeats only after long.
    let chunk: Vec<u8> = (0..1_048_573_u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 13) as u8).collect();
    let sent = tokio::spawn(async move {
        let mut hash = Sha256::new();
        for _ in 0..64 {
            hash.update(&chunk);
            stdin.write_all(&chunk).await.unwrap();
        }
        stdin.shutdown().await.unwrap();
        hash.finalize()
    });
    let echoed = tokio::spawn(async move {
        let mut hash = Sha256::new();
        let mut buffer = vec![0; 1 << 16];
        loop {
            match stderr.read(&mut buffer).await.unwrap() {
                0 => break hash.finalize(),
                read => hash.update(&buffer[..read]),
            }
        }
    });
    let mut hash = Sha256::new();
    let mut buffer = vec![0; 1 << 16];
    loop {
        match stdout.read(&mut buffer).await.unwrap() {
            0 => break,
            read => hash.update(&buffer[..read]),
        }
    }
    let sent = sent.await.unwrap();
    assert_eq!(hash.finalize(), sent);
    assert_eq!(echoed.await.unwrap(), sent);
    assert_eq!(running.exit.await.unwrap(), 3);
}

#[tokio::test]
async fn dropping_stdin_ends_the_input() {
    let Some(stack) = Stack::new("stdin").await else { return };
    let app = stack.container("app", "sleep 600");
    stack.run(&app).await;
    let command = ["/bin/busybox", "cat"].map(str::to_owned).to_vec();
    let request = ExecRequest { command, stdin: true, ..ExecRequest::default() };
    let mut running = stack.engine.exec(&app.name, &request).await.unwrap();
    let mut stdin = running.stdin.take().unwrap();
    stdin.write_all(b"half").await.unwrap();
    drop(stdin);
    let mut out = String::new();
    running.stdout.read_to_string(&mut out).await.unwrap();
    assert_eq!((out.as_str(), running.exit.await.unwrap()), ("half", 0));
}

#[tokio::test]
async fn the_status_of_a_command_that_is_not_there_or_that_a_signal_ends_is_told() {
    let Some(stack) = Stack::new("status").await else { return };
    let app = stack.container("app", "sleep 600");
    stack.run(&app).await;
    let command = vec!["/no/such".to_owned()];
    let running = stack.engine.exec(&app.name, &ExecRequest { command, ..ExecRequest::default() }).await;
    match running {
        Ok(running) => assert!(matches!(running.exit.await.unwrap(), 126 | 127)),
        Err(error) => assert_eq!(error.trouble, Trouble::Refused),
    }
    assert_eq!(stack.shell(&app.name, "kill -9 $$").await.2, 137);
    let (out, err, _) = stack.shell(&app.name, "echo out; echo err >&2").await;
    assert_eq!((out.as_str(), err.as_str()), ("out\n", "err\n"));
}

#[tokio::test]
async fn a_container_that_does_not_run_or_is_not_there_is_told_apart() {
    let Some(stack) = Stack::new("absent").await else { return };
    let app = stack.container("app", "sleep 600");
    stack.apply(&crate::support::create(&app)).await.unwrap();
    let request = ExecRequest { command: vec!["/bin/true".into()], ..ExecRequest::default() };
    let trouble = |error: host::EngineError| error.trouble;
    assert_eq!(stack.engine.exec(&app.name, &request).await.map_err(trouble).unwrap_err(), Trouble::Refused);
    assert_eq!(
        stack.engine.exec("swt-none", &request).await.map_err(trouble).unwrap_err(),
        Trouble::NotFound
    );
    assert_eq!(stack.engine.reach(&app.name, 1).await.map(drop).map_err(trouble), Err(Trouble::Refused));
    assert_eq!(stack.engine.reach("swt-none", 1).await.map(drop).map_err(trouble), Err(Trouble::NotFound));
    let logs = stack.engine.logs("swt-none", &LogRequest::default()).await;
    assert_eq!(logs.map(drop).map_err(trouble), Err(Trouble::NotFound));
}

#[tokio::test]
async fn an_unpublished_port_on_an_internal_network_is_reached() {
    let Some(stack) = Stack::new("reach").await else { return };
    let network = stack.network("inside", true);
    stack.apply(&Effect::EnsureNetwork { network: network.clone() }).await.unwrap();
    let mut app = stack.container("app", "busybox nc -ll -p 7000 -e busybox cat");
    app.networks = joined(&[&network.name]);
    stack.run(&app).await;
    let mut stream = loop {
        match stack.engine.reach(&app.name, 7000).await {
            Ok(stream) => break stream,
            Err(_) => tokio::time::sleep(Duration::from_millis(50)).await,
        }
    };
    stream.write_all(b"are you there").await.unwrap();
    let mut answer = [0; 13];
    stream.read_exact(&mut answer).await.unwrap();
    assert_eq!(&answer, b"are you there");
    let refused = stack.engine.reach(&app.name, 7001).await.map(drop).unwrap_err();
    assert_eq!(refused.trouble, Trouble::Refused);
}

#[tokio::test]
async fn logs_give_the_newest_lines_of_both_streams_and_follow() {
    let Some(stack) = Stack::new("logs").await else { return };
    let script = "echo one; echo two >&2; busybox printf three; sleep 1; echo; echo four; sleep 600";
    let app = stack.container("app", script);
    stack.run(&app).await;
    let request = LogRequest { tail: None, follow: true };
    let mut followed = stack.engine.logs(&app.name, &request).await.unwrap();
    let mut lines = Vec::new();
    while lines.len() < 4 {
        lines.push(followed.recv().await.unwrap());
    }
    // Two streams: their lines come in their own order.
    lines[..2].sort();
    assert_eq!(lines, ["one", "two", "three", "four"]);
    drop(followed);
    let request = LogRequest { tail: Some(1), follow: false };
    let mut newest = stack.engine.logs(&app.name, &request).await.unwrap();
    assert_eq!(newest.recv().await.as_deref(), Some("four"));
    assert_eq!(newest.recv().await, None);
}
