//! Failures made on purpose, and what `doctor` names each.

use std::{
    io::{Read, Write},
    net::TcpListener,
};

use serde_json::Value;

use crate::{script::Script, skip, stage::Stage};

/// A stack of one service in a directory of its own, whatever is needed for it; nothing where that is not here.
fn stage(name: &str, files: &str) -> Option<Stage> {
    let script = Script::parse(&format!("{files}\n"));
    let stage = Stage::set(&format!("doctor/{name}"), &script, &[]);
    match script.needs.iter().find_map(|need| stage.lacks(need)) {
        None => Some(stage),
        Some(missing) => {
            skip(name, &missing).unwrap();
            None
        }
    }
}

/// What is named where `line` asks the doctor: `id: message`, one a line.
fn named(stage: &Stage, line: &str) -> Vec<String> {
    let (code, stdout, stderr) = stage.run(line);
    let report: Value = serde_json::from_str(&stdout).unwrap_or_else(|err| panic!("{err}: {stdout}{stderr}"));
    assert_eq!(report["schema"], "seaworthy.doctor/1");
    let causes = report["causes"].as_array().unwrap();
    assert_eq!(code, i32::from(!causes.is_empty()), "{stdout}");
    let text = |cause: &Value, key: &str| cause[key].as_str().unwrap().to_owned();
    causes.iter().map(|cause| format!("{}: {}", text(cause, "id"), text(cause, "message"))).collect()
}

const WEB: &str = "\n== compose.yaml\nname: ailing\nservices:\n  web:\n    image: ailing/web:1\n";

/// Somebody who answers every HTTP request with this, for as long as the test runs. Gives the port.
fn server(answer: String) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let mut asked = [0; 4096];
            // Whoever hung up wants no answer.
            let _ = stream.read(&mut asked);
            let _ = stream.write_all(answer.as_bytes());
        }
    });
    port
}

fn answer(status: &str, body: &str, ahead_secs: i64) -> String {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs();
    let date = jiff::Timestamp::from_second(i64::try_from(now).unwrap() + ahead_secs).unwrap();
    let date = date.strftime("%a, %d %b %Y %H:%M:%S GMT");
    let length = body.len();
    format!(
        "HTTP/1.1 {status}\r\nDate: {date}\r\nDocker-Distribution-Api-Version: registry/2.0\r\n\
         Content-Type: application/json\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{body}"
    )
}

// shows: C60
#[test]
fn an_engine_that_is_not_there_or_closed_and_a_bad_env_file_are_told_apart() {
    let Some(stage_of_web) = stage("engine", &format!("needs: nobody\n{WEB}")) else { return };
    assert_eq!(
        named(&stage_of_web, "seaworthy doctor --json"),
        ["engine-absent: no container engine answers"]
    );
    stage_of_web.run("mkdir -m 700 ../closed; [ $(id -u) = 0 ] || chmod 000 ../closed");
    assert_eq!(
        named(
            &stage_of_web,
            "DOCKER_HOST=unix://$HOME/closed/d.sock as-nobody seaworthy doctor --json --state-dir /tmp/none-of-ours"
        ),
        ["engine-denied: the container engine does not let this account in"]
    );
    stage_of_web.run("echo '\"no name' > .env");
    assert_eq!(
        named(&stage_of_web, "seaworthy doctor --json --engine process"),
        ["env-invalid: this line of the env file has no name before its `=`"]
    );
}

#[test]
fn a_well_stack_has_nothing_wrong() {
    let stage = stage("well", WEB).unwrap();
    assert!(named(&stage, "seaworthy doctor --json --engine process").is_empty());
}

// shows: C61
#[test]
fn a_service_that_never_becomes_healthy_is_told_by_its_last_words() {
    let toml = "\n== seaworthy.toml\n[stack]\nengine = \"process\"\ntimeout = \"2s\"\nmin_healthy = \"1s\"\n\
                [shape.local]\nfiles = [\"compose.yaml\"]\n[service.web]\nprobe = { log = \"serving\" }\n\
                process = { command = [\"sh\", \"-c\", \"echo $0; exit 3\", \"WORDS\"] }\n";
    let rows = [
        (
            "secret",
            "NICEGUI_STORAGE_SECRET is not set",
            "setting-missing: `web` wants `NICEGUI_STORAGE_SECRET`, which is not set",
        ),
        ("crash", "bye", "crashed: `web` crashed with exit code 3"),
        (
            "setting",
            "invalid value for APP_PORT",
            "setting-invalid: `web` does not understand what `APP_PORT` is set to",
        ),
    ];
    for (name, words, expected) in rows {
        let stage = stage(name, &format!("{WEB}{}", toml.replace("WORDS", words))).unwrap();
        let (code, _, stderr) = stage.run("seaworthy deploy");
        assert_eq!(code, 1, "{stderr}");
        let causes = named(&stage, "seaworthy doctor --json");
        assert_eq!(causes.first().map(String::as_str), Some(expected), "{causes:?}");
    }
}

#[test]
fn a_state_directory_on_a_full_disk_is_told() {
    let Some(stage) = stage("full", &format!("needs: root\n{WEB}")) else { return };
    let line = "mkdir -p ../state; unshare -m sh -c 'mount -t tmpfs -o size=1m full ../state && seaworthy doctor --json --engine process'";
    assert_eq!(named(&stage, line), ["disk-full: the state directory has no room left"]);
}

#[test]
fn a_name_that_does_not_resolve_and_a_clock_that_is_wrong_are_told() {
    let registry = server(answer("401 Unauthorized", "", 600));
    let files = format!(
        "\n== compose.yaml\nname: ailing\nservices:\n  web:\n    image: 127.0.0.1:{registry}/web:1\n\n\
         == seaworthy.toml\n[shape.local]\nfiles = [\"compose.yaml\"]\norigins = [\"https://shop.invalid\"]\n"
    );
    let stage = stage("clock", &files).unwrap();
    let causes = named(&stage, "seaworthy doctor --json --engine process");
    assert!(causes[0].starts_with("clock-skew: this machine's clock is "), "{causes:?}");
    assert!(causes[0].ends_with(&format!(" behind `127.0.0.1:{registry}`")), "{causes:?}");
    assert_eq!(causes[1..], ["name-unresolved: the name `shop.invalid` does not resolve here"]);
}

// shows: C58
#[test]
fn a_registry_that_refuses_and_a_port_that_is_taken_are_told() {
    let said = |code: &str| format!("{{\"errors\":[{{\"code\":\"{code}\",\"message\":\"no\"}}]}}");
    let rows = [
        (server(answer("401 Unauthorized", &said("UNAUTHORIZED"), 0)), "registry-denied"),
        (server(answer("429 Too Many Requests", &said("TOOMANYREQUESTS"), 0)), "registry-limit"),
        (1, "registry-absent"),
    ];
    let taken = TcpListener::bind("0.0.0.0:0").unwrap();
    let port = taken.local_addr().unwrap().port();
    for (registry, id) in rows {
        let files = format!(
            "needs: docker\n\n== compose.yaml\nname: seaworthy-scenario-doctor-{id}\nservices:\n  web:\n    \
             image: 127.0.0.1:{registry}/web:1\n    ports: [\"{port}:80\"]\n"
        );
        let Some(stage) = stage(id, &files) else { return };
        let causes = named(&stage, "seaworthy doctor --json");
        assert!(causes[0].starts_with(&format!("{id}: image ")), "{causes:?}");
        let holder = format!("(pid {})", std::process::id());
        assert!(causes[1].starts_with(&format!("port-taken: host port {port}, ")), "{causes:?}");
        assert!(causes[1].ends_with(&holder), "{causes:?}");
    }
}

#[test]
fn a_container_whose_health_check_fails_is_told_with_what_the_check_said() {
    let project = "seaworthy-scenario-doctor-health";
    let files = format!(
        "needs: docker\n\n== compose.yaml\nname: {project}\nservices:\n  web:\n    image: {project}:1\n"
    );
    let Some(stage) = stage("health", &files) else { return };
    let clear = format!("docker rm -f {project}-web-1; docker rmi -f {project}:1");
    stage.run(&clear);
    stage.run(&format!(
        "cp $(command -v busybox) busybox && cp busybox sh && tar --transform s,^,bin/, -c busybox sh \
         | docker import --change 'ENV PATH=/bin' - {project}:1 && \
         docker run -d --name {project}-web-1 --label com.docker.compose.project={project} \
         --label com.docker.compose.service=web --health-interval 1s --health-retries 1 \
         --health-cmd 'echo no such page; exit 1' {project}:1 /bin/busybox sleep 100; sleep 4"
    ));
    let (_, stdout, _) = stage.run("seaworthy doctor");
    let causes = named(&stage, "seaworthy doctor --json");
    stage.run(&clear);
    assert_eq!(causes, ["never-healthy: `web` runs, and is not healthy"]);
    assert!(stdout.contains("  saw: its health check: no such page"), "{stdout}");
}

#[test]
fn a_container_that_needed_too_much_memory_or_another_machine_is_told() {
    let project = "seaworthy-scenario-doctor";
    let files = format!(
        "needs: docker\n\n== compose.yaml\nname: {project}\nservices:\n  web:\n    image: {project}:1\n    \
         mem_limit: 6m\n"
    );
    let Some(stage) = stage("memory", &files) else { return };
    let make = format!(
        "docker run --name {project}-web-1 --label com.docker.compose.project={project} \
         --label com.docker.compose.service=web -m 6m --memory-swap 6m {project}:1"
    );
    let eats = "/bin/busybox sh -c 'a=x; while :; do a=$a$a; done'";
    let import = "cp $(command -v busybox) busybox && tar --transform s,^,bin/, -c busybox | docker import";
    let clear = format!("docker rm -f {project}-web-1; docker rmi -f {project}:1");
    stage.run(&clear);
    stage.run(&format!("{import} - {project}:1 && {make} {eats}"));
    let memory = named(&stage, "seaworthy doctor --json");
    stage.run(&clear);
    // A program that no machine has: it starts nowhere, whatever emulates what.
    let load = "mkdir -p image/bin && cd image && echo nothing > bin/busybox && chmod 755 bin/busybox && \
                tar -cf layer.tar bin && id=$(sha256sum layer.tar | cut -d' ' -f1) && \
                printf '{\"architecture\":\"s390x\",\"os\":\"linux\",\"config\":{},\"rootfs\":{\"type\":\"layers\",\"diff_ids\":[\"sha256:%s\"]}}' $id > config.json && \
                printf '[{\"Config\":\"config.json\",\"RepoTags\":[\"IMAGE\"],\"Layers\":[\"layer.tar\"]}]' > manifest.json && \
                tar -c config.json manifest.json layer.tar | docker load";
    let load = load.replace("IMAGE", &format!("{project}:1"));
    stage.run(&format!("({load}); {make} /bin/busybox"));
    let machine = named(&stage, "seaworthy doctor --json");
    stage.run(&clear);
    assert_eq!(memory, ["out-of-memory: `web` was killed: it needed more memory than it may have"]);
    assert_eq!(machine.len(), 1, "{machine:?}");
    assert!(machine[0].contains("is for s390x, this is "), "{machine:?}");
}
