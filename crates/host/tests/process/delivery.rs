//! What a service is given: addresses, volumes, files, environment.

use std::{collections::BTreeMap, fs};

use host::{Arg, Engine, SideJob, Trouble};
use plan::{Delivered, Effect, ResolvedMount};
use stack::{ContentId, FileSource, Mount, MountSource, Part, SecretName, Text};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::stack_in_a_directory::{Stack, finish, shell, volume};

fn secret(name: &str) -> Delivered {
    Delivered {
        target: format!("/run/secrets/{name}"),
        source: FileSource::Secret { name: SecretName::from(name) },
        version: Some(1),
        uid: 1000,
        gid: 1000,
        mode: 0o444,
    }
}

#[tokio::test]
async fn a_secret_is_delivered_as_a_file_that_nobody_else_may_read() {
    let stack = Stack::new();
    let mut web = shell("web", "cat \"$KEY_FILE\"; echo; exec sleep 600");
    web.files.push(Delivered { mode: 0o644, ..secret("db_password") });
    let process = web.settings.process.as_mut().unwrap();
    process.environment.insert("KEY_FILE".to_owned(), "${file:db_password}".to_owned());
    stack.create(&web).await;
    stack.start(&web.name).await;
    assert_eq!(stack.says(&web.name, 1).await[0], "value of db_password");
    let file = stack.dir(&web.name).join("files/run/secrets/db_password");
    assert_eq!((stack.mode(&file), stack.mode(file.parent().unwrap())), (0o600, 0o700));
    assert_eq!(stack.mode(stack.dir(&web.name)), 0o700);
}

#[tokio::test]
async fn a_secret_in_the_environment_is_written_in_private_and_nowhere_else() {
    let stack = Stack::new();
    let mut web = shell("web", "echo \"$URL\"; exec sleep 600");
    let parts = vec![
        Part::Literal("postgres://app:".to_owned()),
        Part::Secret(SecretName::from("db_password")),
        Part::Literal("@db".to_owned()),
    ];
    web.settings.environment.insert("URL".to_owned(), Some(Text(parts)));
    stack.create(&web).await;
    let dir = stack.dir(&web.name);
    assert_eq!(
        (stack.mode(dir.join("private")), stack.mode(dir.join("private/launch.json"))),
        (0o700, 0o600)
    );
    for file in ["spec.json", "state.json", "wanted.json"] {
        assert!(!fs::read_to_string(dir.join(file)).unwrap().contains("value of"), "{file}");
    }
    stack.start(&web.name).await;
    assert_eq!(stack.says(&web.name, 1).await[0], "postgres://app:value of db_password@db");
    for pid in [stack.supervisor(&web.name), stack.service(&web.name)] {
        let arguments = fs::read_to_string(format!("/proc/{pid}/cmdline")).unwrap();
        assert!(!arguments.contains("value of"), "{arguments}");
    }
    let environment = fs::read_to_string(format!("/proc/{}/environ", stack.supervisor(&web.name))).unwrap();
    assert_eq!(environment, "", "a supervisor inherits nothing");
}

#[tokio::test]
async fn a_service_inherits_what_finds_programs_and_nothing_else_of_the_shell() {
    let stack = Stack::new();
    let mut web = shell("web", "env; exec sleep 600");
    let process = web.settings.process.as_mut().unwrap();
    process.environment.insert("OWN".to_owned(), "1".to_owned());
    web.settings.environment = BTreeMap::from([("HOME".to_owned(), None)]);
    stack.create(&web).await;
    stack.start(&web.name).await;
    let said = stack.says(&web.name, 3).await;
    let names: Vec<&str> = said.iter().filter_map(|line| Some(line.split_once('=')?.0)).collect();
    assert!(names.contains(&"PATH") && names.contains(&"OWN"), "{names:?}");
    assert!(!names.contains(&"HOME"), "unset by the stack");
    // Cargo sets this for the test, and the service does not see it.
    assert!(!names.contains(&"CARGO_MANIFEST_DIR"), "{names:?}");
}

#[tokio::test]
async fn two_services_reach_each_other_by_address_and_the_engine_reaches_both() {
    let stack = Stack::new();
    let mut db = shell("db", "");
    let serve = "import http.server, sys; http.server.test(http.server.SimpleHTTPRequestHandler, port=5432, bind=sys.argv[1])";
    db.settings.process.as_mut().unwrap().command =
        ["python3", "-c", serve, "${address:self}"].map(str::to_owned).to_vec();
    stack.create(&db).await;
    stack.start(&db.name).await;

    let fetch = "import sys, time, urllib.request\n\
        for attempt in range(200):\n    \
            try: print(urllib.request.urlopen(f'http://{sys.argv[1]}:5432/').status, flush=True); break\n    \
            except OSError: time.sleep(0.05)\n";
    let mut web = shell("web", "");
    web.settings.process.as_mut().unwrap().command =
        ["python3", "-c", fetch, "${address:db}"].map(str::to_owned).to_vec();
    stack.create(&web).await;
    stack.start(&web.name).await;
    assert_eq!(stack.says(&web.name, 1).await, ["200"]);

    let mut stream = stack.engine.reach(&db.name, 5432).await.unwrap();
    stream.write_all(b"GET / HTTP/1.0\r\n\r\n").await.unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await.unwrap();
    assert!(String::from_utf8_lossy(&answer).starts_with("HTTP/1.0 200"));

    let address = stack.engine.address(&db.name).unwrap();
    assert!(address.is_loopback());
    assert_ne!(address, stack.engine.address(&web.name).unwrap());
    let closed = stack.engine.reach(&db.name, 1).await.err().unwrap();
    assert_eq!(closed.trouble, Trouble::Refused);
    stack.stop(&db.name).await;
    assert!(stack.engine.reach(&db.name, 5432).await.is_err());
    stack.remove(&db.name).await;
    stack.create(&db).await;
    assert_eq!(stack.engine.address(&db.name).unwrap(), address, "a service keeps its address");
}

#[tokio::test]
async fn volumes_kept_content_and_anonymous_volumes_are_directories_the_service_is_told() {
    let stack = Stack::new();
    stack.apply(Effect::EnsureVolume { volume: volume("custom-name") }).await;
    fs::create_dir_all(stack.state.path().join("kept")).unwrap();
    fs::write(stack.state.path().join("kept/c0ffee"), "kept by the release").unwrap();
    let mut db = shell("db", "");
    db.settings.mounts.push(Mount {
        target: "/data".to_owned(),
        source: MountSource::volume("dbdata"),
        read_only: false,
    });
    let target = "/data".to_owned();
    db.mounts.push(ResolvedMount::volume("custom-name", target, false));
    let (content, target) = (ContentId("c0ffee".to_owned()), "/etc/db.conf".to_owned());
    db.mounts.push(ResolvedMount::Kept {
        content,
        source: "./db.conf".to_owned(),
        target,
        options: stack::BindOptions::default(),
    });
    db.mounts.push(ResolvedMount::Anonymous { target: "/var/tmp".to_owned() });
    let script = "cat ${mount:/etc/db.conf}; echo; echo x > ${volume:dbdata}/by-key; ls ${volume:custom-name}; \
        ls -d ${mount:/var/tmp}; exec sleep 600";
    db.settings.process.as_mut().unwrap().command[2] = script.to_owned();
    stack.create(&db).await;
    stack.start(&db.name).await;
    let said = stack.says(&db.name, 3).await;
    assert_eq!(said[..2], ["kept by the release", "by-key"]);
    assert!(said[2].ends_with("anonymous/var-tmp"));

    let in_volume = Arg::InVolume { volume: "custom-name".to_owned(), path: "by-key".to_owned() };
    let arguments = vec![Arg::Literal("read".to_owned()), in_volume];
    let volumes = vec![("custom-name".to_owned(), false)];
    let job = SideJob { network: None, volumes, arguments, stdin: false };
    assert_eq!(finish(stack.engine.side(&job).await.unwrap()).await, (0, "x\n".to_owned(), String::new()));

    let job = SideJob { arguments: ["exit", "3"].map(|word| Arg::Literal(word.to_owned())).to_vec(), ..job };
    assert_eq!(finish(stack.engine.side(&job).await.unwrap()).await.0, 3);
    let job = SideJob { volumes: vec![("gone".to_owned(), false)], ..job };
    assert_eq!(stack.engine.side(&job).await.unwrap_err().trouble, Trouble::NotFound);
}

#[tokio::test]
async fn a_form_that_stands_for_nothing_is_refused_and_leaves_nothing() {
    let stack = Stack::new();
    for command in ["${volume:gone}", "${file:gone}", "${mount:/gone}", "${adress:db}"] {
        let mut web = shell("web", "");
        web.settings.process.as_mut().unwrap().command = vec!["echo".to_owned(), command.to_owned()];
        let error = stack.try_apply(Effect::Create { container: Box::new(web) }).await.unwrap_err();
        assert_eq!(error.trouble, Trouble::Unsupported, "{command}");
        let instances = stack.state.path().join("process/blog/instances");
        assert_eq!(fs::read_dir(instances).unwrap().count(), 0, "{command}");
    }
}
