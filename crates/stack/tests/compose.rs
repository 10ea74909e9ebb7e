//! Compose text to a shape.
#![allow(clippy::unwrap_used)]

mod support;

use std::time::Duration;

use stack::{Condition, FileSource, MountSource, NetworkKey, Part, Port, Restart, ServiceName, Text};
use support::Project;

const WEB_AND_POSTGRES: &str = r#"
name: blog
services:
  web:
    image: ghcr.io/example/blog:${BLOG_TAG:-1.4}
    ports: ["8080:80"]
    environment:
      DATABASE_URL: postgres://blog:${DB_PASSWORD}@db/blog
      LOG: info
    depends_on:
      db: { condition: service_healthy }
    restart: unless-stopped
    volumes:
      - ./nginx.conf:/etc/nginx/nginx.conf:ro
  db:
    image: postgres:16-alpine
    environment: [POSTGRES_DB=blog, "POSTGRES_PASSWORD=${DB_PASSWORD}"]
    volumes: [data:/var/lib/postgresql/data]
    healthcheck:
      test: pg_isready
      interval: 5s
      retries: 10
    shm_size: 128m
volumes:
  data:
"#;

#[test]
fn a_web_application_with_postgres_becomes_a_shape() {
    let project = Project::new(&[("compose.yaml", WEB_AND_POSTGRES), ("nginx.conf", "events {}\n")])
        .env("DB_PASSWORD", "open sesame");
    let loaded = project.load();
    assert_eq!(support::said(&loaded), "");
    let shape = loaded.shape.unwrap();
    assert_eq!(shape.stack.as_str(), "blog");
    assert_eq!((shape.name.as_str(), shape.files.as_slice()), ("default", &["compose.yaml".to_owned()][..]));

    let web = &shape.services[&ServiceName::from("web")];
    assert_eq!(web.image, "ghcr.io/example/blog:1.4");
    let port = Port::tcp(Some(8080), 80);
    assert_eq!(web.ports, [port]);
    assert_eq!(web.restart, Restart::UnlessStopped);
    assert_eq!(web.depends_on[&"db".into()].condition, Condition::ServiceHealthy);
    assert!(web.networks.contains_key(&NetworkKey::from("default")));
    let url = web.environment["DATABASE_URL"].clone().unwrap();
    assert_eq!(url.to_string(), "postgres://blog:${DB_PASSWORD}@db/blog");
    let Part::Held { variable, id } = &url.0[1] else { panic!("the password is not held: {url:?}") };
    assert_eq!((variable.as_str(), id.0.len()), ("DB_PASSWORD", 32));
    assert_eq!(loaded.materials.held[id], "open sesame");
    let MountSource::Bind { path, content, .. } = &web.mounts[0].source else { panic!("no bind") };
    assert_eq!(path, "/srv/app/nginx.conf");
    assert!(loaded.materials.trees.contains_key(content.as_ref().unwrap()));

    let db = &shape.services[&ServiceName::from("db")];
    let check = db.healthcheck.clone().unwrap();
    assert_eq!(check.test, [Text::literal("CMD-SHELL"), Text::literal("pg_isready")]);
    assert_eq!((check.interval, check.retries), (Some(Duration::from_secs(5)), Some(10)));
    assert_eq!(db.shm_bytes, Some(128 << 20));
    assert_eq!(shape.volume_name(&"data".into()), "blog_data");
    assert!(!format!("{shape:?}{:?}{}", loaded.materials, loaded.canonical).contains("open sesame"));
    assert_eq!(loaded.places["/services/web/ports/0"].to_string(), "compose.yaml:6:13");
    assert_eq!(loaded.places["/services/db/environment/POSTGRES_DB"].to_string(), "compose.yaml:17:19");
}

/// The one service of a file, whose keys follow `image`.
fn web(body: &str) -> Project {
    let indented = body.replace('\n', "\n    ");
    Project::compose(&format!("services:\n  web:\n    image: web:1\n    {indented}\n"))
}

#[test]
fn short_and_long_syntax_say_the_same() {
    for (short, long) in [
        (
            "ports: ['127.0.0.1:8080:80/udp']",
            "ports: [{ host_ip: 127.0.0.1, published: '8080', target: 80, protocol: udp }]",
        ),
        ("ports: [80]", "ports: [{ target: '80' }]"),
        ("environment: [A=1, B=]", "environment: { A: 1, B: '' }"),
        ("labels: [a=b]", "labels: { a: b }"),
        ("depends_on: [web]", "depends_on: { web: { condition: service_started, required: true } }"),
        ("tmpfs: /run", "tmpfs: [/run]"),
        (
            "volumes: ['/etc/hosts:/h']",
            "volumes: [{ type: bind, source: /etc/hosts, target: /h, bind: { create_host_path: true } }]",
        ),
        ("volumes: [/cache]", "volumes: [{ type: volume, target: /cache }]"),
        ("healthcheck: { test: a b }", "healthcheck: { test: [CMD-SHELL, a b] }"),
        ("command: a 'b c'", "command: [a, b c]"),
        ("command: ''", "command: []"),
        ("extra_hosts: ['a:10.0.0.1']", "extra_hosts: { a: 10.0.0.1 }"),
        ("mem_limit: 1g", "deploy: { resources: { limits: { memory: 1g } } }"),
        ("cpus: 0.5", "deploy: { resources: { limits: { cpus: '0.50' } } }"),
        ("pids_limit: 5", "deploy: { resources: { limits: { pids: 5 } } }"),
        ("privileged: 'yes'", "privileged: true"),
    ] {
        // A service that depends on itself is a cycle, and not what this is about.
        let service = |body| web(body).load().shape.unwrap().services[&ServiceName::from("web")].clone();
        assert_eq!(service(short), service(long), "{short}");
        assert_ne!(service(short), service("x-none: 1"), "{short}");
    }
}

#[test]
fn anchors_and_merge_keys_work() {
    let project = Project::compose(
        "x-base: &base { image: base:1, restart: always, labels: &labels { a: b } }\n\
         services:\n  one: { <<: *base }\n  two: { <<: [*base], image: two:2, labels: { <<: *labels, c: d } }\n",
    );
    let (one, two) = (project.service("one"), project.service("two"));
    assert_eq!((one.image.as_str(), one.restart), ("base:1", Restart::Always));
    assert_eq!((two.image.as_str(), two.restart), ("two:2", Restart::Always));
    assert_eq!(two.labels.len(), 2);
}

#[test]
fn an_overlay_replaces_appends_resets_and_overrides() {
    let base = "services:\n  web:\n    image: web:1\n    command: [a]\n    user: me\n    ports: ['80:80', '81:81']\n    \
                environment: { A: 1, B: 2 }\n    cap_add: [X]\n    logging: { driver: local, options: { a: b } }\n    \
                volumes: ['one:/data']\n    build: .\nvolumes: { one: , two: }\n";
    let over = "services:\n  web:\n    image: web:2\n    command: null\n    user: null\n    ports: ['80:80', '82:82']\n    \
                environment: { B: 3, C: 4, A: !reset null }\n    cap_add: !override [Y]\n    \
                logging: { driver: json-file }\n    volumes: ['two:/data/']\n    build: !reset null\n";
    let web = Project::new(&[("compose.yaml", base), ("compose.override.yaml", over)]).service("web");
    assert_eq!((web.image.as_str(), web.command, web.user.as_deref()), ("web:2", None, Some("me")));
    let ports: Vec<_> = web.ports.iter().filter_map(|port| port.published).collect();
    assert_eq!(ports, [80, 81, 82]);
    let environment: Vec<_> =
        web.environment.iter().map(|(name, value)| format!("{name}={}", value.clone().unwrap())).collect();
    assert_eq!(environment, ["B=3", "C=4"]);
    assert_eq!(web.cap_add, ["Y"]);
    assert!(web.logging.unwrap().options.is_empty());
    assert_eq!((web.mounts.len(), &web.mounts[0].source), (1, &MountSource::volume("two")));
}

#[test]
fn every_form_of_interpolation_is_read_as_compose_reads_it() {
    for (written, read) in [
        ("$SET", "set"),
        ("${SET}x", "setx"),
        ("${EMPTY:-d}", "d"),
        ("${EMPTY-d}", ""),
        ("${UNSET-d}", "d"),
        ("${UNSET:-${SET}}", "set"),
        ("${SET:+r}", "r"),
        ("${EMPTY:+r}", ""),
        ("${EMPTY+r}", "r"),
        ("${SET:?m}", "set"),
        ("${EMPTY?m}", ""),
        ("$$SET $${SET}", "$SET ${SET}"),
        ("100$ $5", "100$ $5"),
    ] {
        let project = web(&format!("hostname: 'h{written}'")).env("SET", "set").env("EMPTY", "");
        assert_eq!(project.service("web").hostname.unwrap(), format!("h{read}"), "{written}");
    }
    for wrong in ["${A.B}", "${ A }", "${}", "${A=b}", "${SET:-${X:?m}}"] {
        let said = web(&format!("hostname: '{wrong}'")).env("SET", "set").said();
        assert!(said.starts_with("error"), "{wrong}: {said}");
    }
}

#[test]
fn variables_come_from_the_shell_then_env_files_then_dotenv() {
    let project = Project::new(&[
        (
            "compose.yaml",
            "services: { web: { image: '${A}-${B}', environment: [A, D], env_file: [one.env, two.env] } }",
        ),
        (".env", "A=dotenv\nB=dotenv\n"),
        ("one.env", "ONE=1\nBOTH=one\nD=hidden\nFROM=$B\n"),
        ("two.env", "BOTH=two\n"),
    ]);
    let loaded = project.env("A", "shell").load();
    assert_eq!(support::said(&loaded), "");
    let web = loaded.shape.unwrap().services[&ServiceName::from("web")].clone();
    assert_eq!(web.image, "shell-dotenv");
    let value = |name: &str| {
        web.environment[name].as_ref().map(|text| {
            let held = |part: &Part| match part {
                Part::Held { id, .. } => loaded.materials.held.get(id).cloned(),
                _ => None,
            };
            text.resolve(held).unwrap()
        })
    };
    assert_eq!(value("A").as_deref(), Some("shell"));
    assert_eq!(value("BOTH").as_deref(), Some("two"));
    assert_eq!(value("FROM").as_deref(), Some("dotenv"));
    assert_eq!(value("D"), None);
    assert!(web.environment["BOTH"].as_ref().unwrap().as_literal().is_none());
}

#[test]
fn files_named_by_a_variable_bring_the_variables_beside_them() {
    let project = Project::new(&[
        (".env", "COMPOSE_FILE=sub/compose.yaml\nA=1\n"),
        ("sub/compose.yaml", "services: { web: { image: 'w:${A}${B}', build: . } }"),
        ("sub/.env", "A=2\nB=3\n"),
    ]);
    let web = project.service("web");
    assert_eq!((web.image.as_str(), web.build.unwrap().context.as_str()), ("w:13", "/srv/app/sub"));
}

#[test]
fn a_held_value_in_a_command_is_split_into_words_and_stays_held() {
    let loaded = web("command: run ${FLAGS} end").env("FLAGS", "--key 's3 cret'").load();
    let command = loaded.shape.unwrap().services[&ServiceName::from("web")].command.clone().unwrap();
    assert_eq!(command.len(), 4);
    let Part::Held { id, .. } = &command[2].0[0] else { panic!("not held: {command:?}") };
    assert_eq!(loaded.materials.held[id], "s3 cret");
}

#[test]
fn profiles_choose_services_and_what_they_use() {
    let project = Project::compose(
        "services:\n  web: { image: w }\n  debug: { image: d, profiles: [debug], volumes: ['kept:/v1'], env_file: none.env }\nvolumes: { kept: }\n",
    );
    let shape = project.shape();
    assert_eq!((shape.services.len(), shape.volumes.len()), (1, 0));
    let both = project.profile("debug").load();
    assert_eq!(both.shape.unwrap().services.len(), 2);
    assert!(both.diagnostics[0].message.contains("none.env"));
}

#[test]
fn secrets_and_configs_become_files() {
    let project = Project::new(&[
        (
            "compose.yaml",
            "services:\n  web:\n    image: w\n    secrets: [given, { source: file, target: /etc/key, mode: 0400, uid: '10' }]\n    \
             configs: [inline, { source: site, target: /etc/site.conf }]\n\
             secrets:\n  given: { file: ./absent }\n  file: { file: ./key.pem }\n\
             configs:\n  inline: { content: 'a=1' }\n  site: { file: ./site.conf }\n",
        ),
        ("key.pem", "private"),
        ("site.conf", "server {}"),
        ("seaworthy.toml", "[secret]\ngiven = \"hex\"\n"),
    ]);
    let loaded = project.load();
    assert_eq!(support::said(&loaded), "");
    let files = loaded.shape.unwrap().services[&ServiceName::from("web")].files.clone();
    let targets: Vec<_> = files.iter().map(|file| file.target.as_str()).collect();
    assert_eq!(targets, ["/run/secrets/given", "/etc/key", "/inline", "/etc/site.conf"]);
    assert_eq!(files[0].source, FileSource::Secret { name: "given".into() });
    assert_eq!((files[0].mode, files[1].mode, files[1].uid), (0o444, 0o400, 10));
    let FileSource::Content { content, .. } = &files[1].source else { panic!("no content") };
    assert_eq!(loaded.materials.sensitive[content], b"private");
    assert!(files[1].sensitive && !files[2].sensitive && content.0.len() == 32);
    let FileSource::Content { content, label } = &files[3].source else { panic!("no content") };
    assert!(loaded.materials.trees.contains_key(content) && content.0.len() == 64 && label == "site.conf");
}

#[test]
fn the_project_name_has_a_precedence() {
    let files = [("compose.yaml", "name: From.File\nservices: { a: { image: a } }")];
    let name = |project: Project| project.shape().stack.to_string();
    assert_eq!(name(Project::new(&files)), "fromfile");
    assert_eq!(name(Project::new(&files).bytes("seaworthy.toml", b"[stack]\nname = \"toml\"\n")), "toml");
    assert_eq!(name(Project::new(&files).env("COMPOSE_PROJECT_NAME", "env")), "env");
    let mut given = Project::new(&files).env("COMPOSE_PROJECT_NAME", "env");
    given.request.project_name = Some("given".to_owned());
    assert_eq!(name(given), "given");
    assert_eq!(name(Project::compose("services: { a: { image: a } }")), "app");
    let mut wrong = Project::new(&files);
    wrong.request.project_name = Some("Not.Normal".to_owned());
    assert!(wrong.said().starts_with("error[bad-name]"));
}

#[test]
fn a_changed_file_changes_the_identity_of_what_mounts_it() {
    let content = |text: &str| {
        let files = [
            ("compose.yaml", "services: { a: { image: a, volumes: ['./conf:/conf:ro', './data:/data'] } }"),
            ("conf/a", text),
        ];
        let mounts = Project::new(&files).service("a").mounts;
        let MountSource::Bind { content: None, .. } = &mounts[1].source else {
            panic!("a writable bind has content")
        };
        match &mounts[0].source {
            MountSource::Bind { content, .. } => content.clone().unwrap(),
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(content("1"), content("1"));
    assert_ne!(content("1"), content("2"));
}

#[test]
fn what_the_kernel_shows_as_files_is_never_read() {
    for path in ["/proc", "/sys/fs/cgroup", "/", "/var/run/docker.sock", "/run/x"] {
        let mounts = web(&format!("volumes: ['{path}:/x:ro']")).service("web").mounts;
        assert!(
            matches!(&mounts[0].source, MountSource::Bind { path: found, content: None, .. } if found == path)
        );
    }
    assert!(web("volumes: ['/process:/x:ro']").said().starts_with("error[missing-file]"));
}

#[test]
fn the_canonical_tree_is_in_the_long_syntax() {
    let loaded = Project::compose(
        "name: n\nservices:\n  web:\n    image: w\n    ports: ['80:80']\n    environment: ['A=${SECRET}', 'B=^x$$']\n    x-note: 1\n",
    )
    .env("SECRET", "hid$den")
    .load();
    let printed = |value: &str| {
        serde_json::json!({
            "name": "n",
            "services": { "web": {
                "image": "w", "command": null, "entrypoint": null,
                "environment": { "A": value, "B": "^x$$" },
                "networks": { "default": null },
                "ports": [{ "mode": "ingress", "target": 80, "published": "80", "protocol": "tcp" }],
            } },
            "networks": { "default": { "name": "n_default", "ipam": {} } },
        })
    };
    assert_eq!(loaded.canonical, printed("${SECRET}"));
    // A person who asks for what Compose would print is shown it; what is logged by accident is not.
    assert_eq!(loaded.compose.as_ref().unwrap().0, printed("hid$$den"));
    assert!(!format!("{loaded:?}").contains("den"));
}

#[test]
fn a_file_may_use_the_name_of_its_project() {
    let web = Project::compose(
        "name: blog\nservices: { web: { image: w, container_name: '${COMPOSE_PROJECT_NAME:-x}_web', volumes: ['${PWD}/d:/d/'] } }",
    )
    .service("web");
    assert_eq!(web.container_name.unwrap(), "blog_web");
    assert!(
        matches!(&web.mounts[0].source, MountSource::Bind { path, content: None, .. } if path == "/srv/app/d")
    );
    assert_eq!(web.mounts[0].target, "/d");
}

#[test]
fn a_command_ends_where_a_shell_would_begin_another_and_that_is_said() {
    let loaded = web("command: migrate up && serve").load();
    assert!(support::said(&loaded).starts_with("warning[cut-command] compose.yaml:4:14: "));
    let command = loaded.shape.unwrap().services[&ServiceName::from("web")].command.clone().unwrap();
    assert_eq!(command, [Text::literal("migrate"), Text::literal("up")]);
}

#[test]
fn a_seccomp_profile_is_what_its_file_holds() {
    let compose =
        "services: { web: { image: app, security_opt: [\"seccomp:./profile.json\", no-new-privileges] } }";
    let files = [("compose.yaml", compose), ("profile.json", "{ \"defaultAction\": \"SCMP_ACT_ALLOW\" }\n")];
    let loaded = Project::new(&files).load();
    assert_eq!(support::said(&loaded), "");
    let web = &loaded.shape.unwrap().services[&ServiceName::from("web")];
    assert_eq!(web.security_opt, ["seccomp={\"defaultAction\":\"SCMP_ACT_ALLOW\"}", "no-new-privileges"]);

    let missing = Project::new(&[("compose.yaml", compose)]).load();
    assert!(support::said(&missing).contains("seccomp profile"), "{}", support::said(&missing));
    let garbled = Project::new(&[("compose.yaml", compose), ("profile.json", "{")]).load();
    assert!(support::said(&garbled).contains("the seccomp profile `profile.json` is no JSON"));
}

#[test]
fn a_file_above_a_given_directory_is_read_as_if_it_stood_in_it() {
    let mut project = Project::new(&[
        ("compose.yaml", "services: { web: { image: w, volumes: ['./d:/d'] } }"),
        ("compose.override.yaml", "services: { web: { user: me } }"),
        ("sub/.env", "A=b"),
    ]);
    project.request.directory = "/srv/app/sub/deep".to_owned();
    project.request.directory_given = true;
    let web = project.service("web");
    assert_eq!(web.user.as_deref(), Some("me"));
    assert!(matches!(&web.mounts[0].source, MountSource::Bind { path, .. } if path == "/srv/app/sub/deep/d"));
}

#[test]
fn numbers_and_empty_lists_of_ones_own_are_printed_as_compose_prints_them() {
    let text = "x-a: []\nx-b: { c: [[], 12345678901234567890, -9223372036854775808] }\n\
                services: { web: { image: w, labels: { a: 12345678901234567890 }, provider: { type: t, options: { a: [], b: [c] } } } }";
    let printed = Project::compose(text).load().compose.unwrap().0;
    assert_eq!(printed["x-a"], serde_json::Value::Null);
    assert_eq!(printed["x-b"].to_string(), r#"{"c":[null,12345678901234567890,-9223372036854775808]}"#);
    assert_eq!(printed["services"]["web"]["labels"]["a"], "12345678901234567890");
    assert_eq!(printed["services"]["web"]["provider"]["options"].to_string(), r#"{"b":["c"]}"#);
    assert!(
        Project::compose("services: { web: { image: w, user: 12345678901234567890 } }")
            .load()
            .compose
            .is_none()
    );
}

#[test]
fn an_ssh_key_with_a_path_is_refused_where_its_service_is_enabled() {
    let text =
        "services: { web: { image: w }, b: { build: { context: ., ssh: { k: ./p } }, profiles: [b] } }";
    assert!(Project::compose(text).load().compose.is_some());
    let said = Project::compose(text).profile("b").said();
    assert!(said.contains("error[bad-ssh-key] compose.yaml:1:"), "{said}");
}

#[test]
fn a_project_directory_that_is_none_counts_as_a_file_in_one() {
    let main = "include: [{ path: a.yaml, project_directory: sub/deep }]\n";
    let project = Project::new(&[
        ("compose.yaml", main),
        ("a.yaml", "services: { c: { image: c, volumes: ['./d:/d'] } }"),
    ]);
    let source = |project: &Project| {
        project.load().compose.unwrap().0["services"]["c"]["volumes"][0]["source"].clone()
    };
    assert_eq!(source(&project), "/srv/app/sub/d");
    assert_eq!(source(&project.bytes("sub/deep/there", b"")), "/srv/app/sub/deep/d");
}
