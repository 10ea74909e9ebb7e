//! Each mistake gives one diagnostic, with its place; all mistakes of a file are told at once.
#![allow(clippy::unwrap_used)]

mod support;

use support::Project;

/// The text of a service under test, at line 4 and column 5.
fn service(body: &str) -> Project {
    Project::compose(&format!("services:\n  web:\n    image: web:1\n    {body}\n"))
}

/// What is said, without hints: `severity[id] place: message; caused by …`.
#[track_caller]
fn check(project: &Project, expected: &str) {
    let said = project.said();
    let short: Vec<&str> =
        said.split("\nerror[").map(|line| line.split("; hint: ").next().unwrap_or_default()).collect();
    assert_eq!(short.join("\nerror["), expected, "in full:\n{said}");
}

#[test]
fn an_unknown_key_has_a_suggestion() {
    assert_eq!(
        service("enviroment: {}").said(),
        "error[unknown-key] compose.yaml:4:5: `enviroment` is not a key of a service; hint: did you mean `environment`?"
    );
    check(&service("x-anything: goes"), "");
    check(
        &Project::compose("service: {}\nservices: { a: { image: a } }"),
        "error[unknown-key] compose.yaml:1:1: `service` is not a key of a Compose file",
    );
}

#[test]
fn a_key_that_cannot_be_run_is_refused_and_one_that_changes_nothing_is_noted() {
    check(
        &service("provider: { type: x }"),
        "error[refused-key] compose.yaml:4:5: `provider` cannot be run; caused by: a program of somebody else's would run \
         with the deployer's rights",
    );
    check(
        &service("deploy: { replicas: 2, placement: { constraints: [a] } }"),
        "note[ignored-key] compose.yaml:4:28: `placement` changes nothing; caused by: it is for a swarm, and a stack runs on \
         one machine",
    );
    // What Compose would print is there all the same, and not where Compose refuses.
    assert!(service("provider: { type: x }").load().compose.is_some());
    assert!(service("providers: { type: x }").load().compose.is_none());
}

#[test]
fn a_wrong_type_says_what_it_should_be() {
    for (body, expected) in [
        ("privileged: [a]", "4:17: `privileged` must be true or false, and is a list"),
        ("environment: 5", "4:18: `environment` must be a mapping or a list, and is `5`"),
        ("ports: 80", "4:12: `ports` must be a list, and is `80`"),
        (
            "stop_grace_period: 10",
            "4:24: `stop_grace_period` must be a duration such as `30s` or `1m30s`, and is `10`",
        ),
        ("mem_limit: lots", "4:16: `mem_limit` must be a size such as `512m` or `2g`, and is `lots`"),
        (
            "restart: sometimes",
            "4:14: `restart` must be one of no, always, unless-stopped, on-failure, on-failure:N, and is `sometimes`",
        ),
        ("expose: [http]", "4:14: `expose` must be a port from 1 to 65535, and is `http`"),
        ("command: [{a: b}]", "4:15: `command` must be a string, and is a mapping"),
    ] {
        check(&service(body), &format!("error[wrong-type] compose.yaml:{expected}"));
    }
    check(
        &Project::compose("- a\n- b\n"),
        "error[wrong-type] compose.yaml:1:1: a Compose file must be a mapping, and this is a list",
    );
}

#[test]
fn ports_and_mounts_that_are_none_are_named() {
    check(
        &service("ports: ['80a:80']"),
        "error[bad-port] compose.yaml:4:13: `80a:80` is not a port mapping; caused by: `80a` is no host port",
    );
    check(
        &service("ports: [{ published: 80 }]"),
        "error[missing-key] compose.yaml:4:13: a port needs its `target`",
    );
    check(
        &service("volumes: ['./missing:/x:ro']"),
        "error[missing-file] compose.yaml:4:15: the mounted path `missing` does not exist",
    );
    check(
        &service("volumes: ['data:/x']"),
        "error[unknown-volume] compose.yaml:4:15: the volume `data` is not declared",
    );
    check(
        &service("networks: [inside]"),
        "error[unknown-network] compose.yaml:4:16: the network `inside` is not declared",
    );
    check(
        &service("secrets: [key]"),
        "error[unknown-secret] compose.yaml:4:15: the secret `key` is not declared",
    );
}

#[test]
fn two_services_on_one_host_port_are_both_named() {
    let project = Project::compose(
        "services:\n  a:\n    image: a\n    ports: ['80:80']\n  b:\n    image: b\n    ports: ['127.0.0.1:80:8080']\n",
    );
    check(
        &project,
        "error[port-conflict] compose.yaml:7:13: `a` and `b` both publish the host port 80; caused by: it is taken at \
         compose.yaml:4:13 already",
    );
}

#[test]
fn a_dependency_cycle_is_named_with_its_path() {
    let project = Project::compose(
        "services:\n  a: { image: a, depends_on: [b] }\n  b: { image: b, depends_on: [c] }\n  c: { image: c, depends_on: [a] }\n",
    );
    check(
        &project,
        "error[dependency-cycle] compose.yaml:4:31: services depend on each other in a circle; caused by: a → b → c → a",
    );
}

#[test]
fn a_variable_that_is_needed_and_not_set_stops() {
    check(
        &service("user: ${WHO:?say who}"),
        "error[required-variable] compose.yaml:4:11: the required variable `WHO` is not set; caused by: say who",
    );
    check(
        &service("user: ${WHO}"),
        "warning[unset-variable] compose.yaml:4:11: the variable `WHO` is not set, and becomes an empty string",
    );
    check(
        &service("user: ${WHO"),
        "error[bad-interpolation] compose.yaml:4:11: `${WHO` cannot be interpolated: the brace is never closed",
    );
}

#[test]
fn files_that_are_missing_or_no_files_are_named() {
    let none = Project::new(&[]);
    check(
        &none,
        "error[missing-file]: there is no Compose file in `/srv/app`; caused by: none of compose.yaml, compose.yml, \
         docker-compose.yml, docker-compose.yaml is there",
    );
    check(&none.file("other.yaml"), "error[missing-file]: the Compose file `other.yaml` does not exist");
    check(
        &Project::new(&[("compose.yaml/inner", "x")]),
        "error[not-a-file]: the Compose file `compose.yaml` is a directory",
    );
    check(
        &service("env_file: web.env"),
        "error[missing-file] compose.yaml:4:15: the env file `web.env` does not exist",
    );
}

#[test]
fn text_that_is_no_yaml_is_placed() {
    check(
        &Project::compose("services:\n\tweb: {}\n"),
        "error[bad-yaml] compose.yaml:2:2: this is not YAML; caused by: tabs disallowed within this context (block indentation)",
    );
    check(
        &Project::compose("services:\n  web: [a\n"),
        "error[bad-yaml] compose.yaml:2:8: this is not YAML; caused by: unclosed bracket '['",
    );
}

#[test]
fn binary_garbage_and_other_encodings_are_refused() {
    let compose = |bytes: &[u8]| Project::new(&[]).bytes("compose.yaml", bytes);
    check(
        &compose(b"services:\n  \x80web"),
        "error[not-text] compose.yaml:2:3: the file is not text: it holds the byte 0x80, which is not UTF-8",
    );
    check(
        &compose(b"a\0b"),
        "error[not-text] compose.yaml:1:2: the file is not text: it holds the character U+0000",
    );
    check(
        &compose(b"\xFF\xFEs\0"),
        "error[not-text] compose.yaml:1:1: the file is UTF-16, and Compose files are UTF-8",
    );
    assert_eq!(compose("\u{FEFF}services:\r\n  a:\r\n    image: a\r\n".as_bytes()).said(), "");
}

#[test]
fn yaml_bombs_are_cut_off() {
    let mut aliases = "x-a0: &a0 [lol, lol, lol, lol, lol, lol, lol, lol, lol]\n".to_owned();
    for level in 1..9 {
        let below = format!("*a{}", level - 1);
        aliases += &format!("x-a{level}: &a{level} [{}]\n", vec![below; 9].join(", "));
    }
    let said = Project::compose(&aliases).said();
    assert!(said.starts_with("error[alias-bomb] compose.yaml:6:"), "{said}");
    let deep = format!("{}{}", "[".repeat(100), "]".repeat(100));
    let said = Project::compose(&deep).said();
    assert!(said.starts_with("error[too-deep] compose.yaml:1:65: "), "{said}");
    let large = "#".repeat(13 << 20);
    let said = Project::compose(&large).said();
    assert!(said.starts_with("error[too-large] compose.yaml:1:1: "), "{said}");
    let long = format!("x-a: &a {}\nx-b: [{}]\n", "y".repeat(1 << 20), vec!["*a"; 1000].join(", "));
    let said = Project::compose(&long).said();
    assert!(said.starts_with("error[alias-bomb] compose.yaml:2:"), "{said}");
}

#[test]
fn duplicate_keys_name_both_places() {
    check(
        &Project::compose("services:\n  a:\n    image: a\n    image: b\n"),
        "error[duplicate-key] compose.yaml:4:5: the key `image` stands here twice; caused by: it stands at compose.yaml:3:5 already",
    );
}

#[test]
fn all_mistakes_of_a_file_are_told_at_once() {
    let project = Project::compose(
        "services:\n  a:\n    imagee: a\n    tty: maybe\n    ports: [x]\n  b:\n    image: b\n    volumes: [v:/v1]\n",
    );
    let places: Vec<String> =
        project.load().diagnostics.iter().map(|d| d.place.clone().unwrap().to_string()).collect();
    assert_eq!(
        places,
        [
            "compose.yaml:2:3",
            "compose.yaml:3:5",
            "compose.yaml:4:10",
            "compose.yaml:5:13",
            "compose.yaml:8:15"
        ]
    );
}

#[test]
fn a_secret_cannot_stand_where_it_would_be_seen() {
    let project = service("hostname: ${key}").bytes("seaworthy.toml", b"[secret]\nkey = \"hex\"\n");
    check(
        &project,
        "error[secret-in-structure] compose.yaml:4:15: `${key}` is a secret of `[secret]`, and cannot be part of `hostname`",
    );
}

#[test]
fn settings_have_places_and_suggestions_too() {
    let with = |toml: &str| {
        Project::compose("services: { web: { image: w } }").bytes("seaworthy.toml", toml.as_bytes())
    };
    for (toml, expected) in [
        ("[stak]\n", "error[unknown-key] seaworthy.toml:1:2: `stak` is not a table of seaworthy.toml"),
        ("[stack]\nnam = 'x'\n", "error[unknown-key] seaworthy.toml:2:1: `nam` is not a key of this table"),
        (
            "[stack]\nlive = 'x'\n",
            "error[wrong-type] seaworthy.toml:2:8: invalid type: string \"x\", expected a boolean",
        ),
        (
            "[stack]\ntimeout = '10'\n",
            "error[wrong-type] seaworthy.toml:2:11: `10` is not a duration such as `30s`, `1m30s` or `24h`",
        ),
        (
            "[[route]]\nhost = 'x'\n",
            "error[not-handled-yet] seaworthy.toml:1:3: the table `route` is not handled yet",
        ),
        (
            "[service.web]\norder = 1\n",
            "error[not-handled-yet] seaworthy.toml:2:1: `order` is not handled yet",
        ),
        (
            "[service.web]\noverlap = 'start-first'\n",
            "error[not-handled-yet] seaworthy.toml:2:1: `overlap` is not handled yet",
        ),
        (
            "[service.wep]\n",
            "error[unknown-service] seaworthy.toml:1:10: the Compose files have no service `wep`",
        ),
        (
            "[state.wep]\ndiscard = true\nreason = 'x'\n",
            "error[unknown-service] seaworthy.toml:1:8: the Compose files have no service `wep`",
        ),
        (
            "[state.web]\nsqlite = { volume = 'v', path = 'x' }\n",
            "error[unknown-volume] seaworthy.toml:2:21: the Compose files have no volume `v`",
        ),
        (
            "[state.web]\ndiscard = true\n",
            "error[missing-key] seaworthy.toml:1:8: the state of `web` may be lost, and no `reason` says why",
        ),
        (
            "[service.web]\nprobe = { http = '/', tcp = true }\n",
            "error[bad-probe] seaworthy.toml:2:9: this probe is http and tcp at once",
        ),
        (
            "[secret]\na = 'passwort'\n",
            "error[unknown-word] seaworthy.toml:2:5: `passwort` is not a word that can stand here",
        ),
        (
            "[secret]\na = { type = 'uuid', bytes = 32 }\n",
            "error[conflict] seaworthy.toml:2:1: `bytes` means nothing for the type of the secret `a`",
        ),
        (
            "[shape.a]\nhosts = ['h']\n",
            "error[not-handled-yet] seaworthy.toml:1:8: `hosts` of a shape is not handled yet",
        ),
        (
            "[drill]\nservices = ['x']\n",
            "error[unknown-service] seaworthy.toml:2:13: the Compose files have no service `x`",
        ),
        ("a = = 1\n", "error[bad-toml] seaworthy.toml:1:5: this is not TOML; caused by: "),
    ] {
        let said = with(toml).said();
        assert!(said.starts_with(expected), "{toml}: {said}");
    }
    assert_eq!(
        with("[shape.prod]\n").shape_named("prot").said(),
        "error[undeclared-shape]: there is no shape `prot`; hint: did you mean `prod`?"
    );
}

/// Every bad value of a probe, where it stands, and what to write instead.
#[test]
fn what_a_probe_cannot_mean_is_said_with_what_to_write() {
    let pem = "-----BEGIN CERTIFICATE-----\nAA==\n-----END CERTIFICATE-----\n";
    let both = format!("{pem}-----BEGIN PRIVATE KEY-----\n");
    for (probe, expected) in [
        (
            "{ }",
            "bad-probe: this probe asks nothing; hint: give it exactly one of http, tcp, tls, exec, file, log, metric, websocket",
        ),
        ("{ tls = false }", "bad-probe: `tls = false` asks nothing; hint: write `tls = true`"),
        ("{ tcp = false }", "bad-probe: `tcp = false` asks nothing; hint: write `tcp = true`"),
        (
            "{ http = 'ready' }",
            "bad-probe: the path `ready` does not begin with `/`; hint: write the path alone: the host is the service, the port is `port`",
        ),
        (
            "{ http = '/', status = [42] }",
            "bad-probe: `42` is not a status of HTTP; hint: they go from 100 to 599",
        ),
        (
            "{ http = '/', json = { '$.db' = 'ok' } }",
            "bad-probe: `$.db` is not the path of a JSON field; hint: write `db`: keys, and numbers in lists, with dots between them",
        ),
        (
            "{ http = '/', degraded = { '$' = 1 } }",
            "bad-probe: `$` is not the path of a JSON field; hint: write its keys with dots between them, such as `checks.db`",
        ),
        (
            "{ tcp = true, degraded = { redis = 'absent' } }",
            "conflict: `degraded` means nothing for a probe of kind tcp; hint: take it out",
        ),
        (
            "{ log = 'up', port = 80 }",
            "conflict: `port` means nothing for a probe of kind log; hint: take it out",
        ),
        (
            "{ log = '' }",
            "bad-probe: `log` looks for no text, and finds that everywhere; hint: write what must be there",
        ),
        (
            "{ exec = ['true'], output = '' }",
            "bad-probe: `output` looks for no text, and finds that everywhere; hint: write what must be there",
        ),
        (
            "{ exec = [] }",
            "bad-probe: `exec` names no program; hint: write such as `exec = [\"redis-cli\", \"ping\"]`",
        ),
        (
            "{ file = 'ready' }",
            "bad-probe: the file `ready` has no absolute path; hint: write the path as the container sees it, from `/`",
        ),
        (
            "{ metric = 'jobs{' }",
            "bad-probe: `jobs{` is not the name of a metric; hint: write a name, with labels where they matter: `metric = 'jobs{queue=\"mail\"}'`",
        ),
        (
            "{ metric = 'jobs', min = 3, max = 2 }",
            "bad-probe: no value is at least 3 and at most 2; hint: swap `min` and `max`",
        ),
        (
            "{ metric = 'jobs', max = inf }",
            "bad-probe: `max` is no number to compare with; hint: leave it out where there is no bound",
        ),
        (
            "{ http = '/', headers = { Host = 'x' } }",
            "bad-probe: `host` stands among the headers; hint: it has a key of its own: `host = \"…\"`",
        ),
        (
            "{ http = '/', headers = { 'a b' = 'x' } }",
            "bad-probe: `a b` is not a header that can be sent; hint: write its name and one line of text",
        ),
        (
            "{ http = '/', headers = { Authorization = 'x' } }",
            "bad-probe: the header `Authorization` would carry a secret, and plans show what a probe sends; hint: use `exec` with a command that reads the secret from its file",
        ),
        (
            "{ http = '/', certificate = { left = '1d' } }",
            "conflict: `certificate` means nothing without TLS; hint: add `tls = true`",
        ),
        (
            "{ tls = true, certificate = { ca = 'gone.pem' } }",
            "bad-probe: there is no file `gone.pem` for `ca`; hint: name a file with certificates in PEM, seen from the project's directory",
        ),
        (
            "{ tls = true, certificate = { ca = 'both.pem' } }",
            "bad-probe: `both.pem` holds a private key; hint: name a file with certificates in PEM, seen from the project's directory",
        ),
        (
            "{ tls = true, certificate = { ca = 'compose.yaml' } }",
            "bad-probe: `compose.yaml` holds no certificate; hint: name a file with certificates in PEM, seen from the project's directory",
        ),
        (
            "{ tcp = true, successes = 0 }",
            "bad-probe: `successes = 0` lets everything pass; hint: give it 1 or more, or take it out",
        ),
        (
            "{ tcp = true, interval = '0s' }",
            "bad-probe: `interval` is no time at all; hint: write such as `interval = \"5s\"`, or take it out",
        ),
        (
            "{ tcp = true, interval = '2m', deadline = '1m' }",
            "bad-probe: asked every 2m it is asked once until its deadline of 1m; hint: give it a longer `deadline`",
        ),
    ] {
        let toml = format!("[service.web]\nprobe = {probe}\n");
        let project = Project::compose("services: { web: { image: w } }");
        let project = project.bytes("seaworthy.toml", toml.as_bytes());
        let said = project.bytes("both.pem", both.as_bytes()).said();
        let (id, message) = expected.split_once(": ").expect("an id");
        assert_eq!(said, format!("error[{id}] seaworthy.toml:2:9: {message}"), "{probe}");
    }
}

#[test]
fn a_value_from_the_environment_is_in_no_message() {
    for body in [
        "ports: ['${V}:80']",
        "mem_limit: ${V}",
        "restart: ${V}",
        "volumes: ['./${V}:/x:ro']",
        "privileged: ${V}",
    ] {
        let said = service(body).env("V", "open-sesame").said();
        assert!(
            (said.starts_with("error") || body.starts_with("container")) && !said.contains("open-sesame"),
            "{body}: {said}"
        );
    }
}

#[test]
fn what_compose_refuses_is_refused() {
    for (body, expected) in [
        ("user: 5", "error[wrong-type] compose.yaml:4:11: `user` must be a string, and is `5`"),
        ("command: [1]", "error[wrong-type] compose.yaml:4:15: `command` must be a string, and is `1`"),
        ("profiles: a", "error[wrong-type] compose.yaml:4:15: `profiles` must be a list, and is `a`"),
        ("container_name: c", "error[bad-name] compose.yaml:4:21: `c` is no name for a container"),
        ("depends_on: { web: {} }", "error[missing-key] compose.yaml:4:24: `web` needs a `condition`"),
        (
            "pids_limit: 1\n    deploy: {resources: {limits: {pids: 2}}}",
            "error[conflict] compose.yaml:4:17: `pids_limit` and `deploy.resources.limits` say different things",
        ),
    ] {
        let said = service(body).said();
        assert!(said.contains(expected), "{body}: {said}");
    }
    check(
        &Project::compose(
            "services: { a: { image: a, container_name: same }, b: { image: b, container_name: same } }",
        ),
        "error[name-conflict] compose.yaml:1:83: `a` and `b` have one container name",
    );
    check(
        &Project::compose("services: { a: }"),
        "error[wrong-type] compose.yaml:1:13: `a` must be a mapping, and is empty",
    );
    check(&Project::compose("# nothing\n"), "error[no-services]: nothing stands in compose.yaml");
}

#[test]
fn a_service_and_its_first_network_say_one_address() {
    let body = |first: &str, second: &str| {
        service(&format!(
            "mac_address: '02:00:00:00:00:01'\n    networks: {{ a: {{ mac_address: '{first}' }}, b: {{ priority: 1, mac_address: \
             '{second}' }} }}\nnetworks: {{ a: , b: }}"
        ))
    };
    check(&body("02:00:00:00:00:02", "02:00:00:00:00:01"), "");
    let project = body("02:00:00:00:00:01", "02:00:00:00:00:02");
    check(
        &project,
        "error[conflict] compose.yaml:4:18: `mac_address` says another address than the network `b`",
    );
    // Compose prints it, and refuses when it acts.
    assert!(project.load().compose.is_some());
}
