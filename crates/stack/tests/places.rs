//! Each kind of mistake: its slug, file, line and column.
#![allow(clippy::unwrap_used)]

mod support;

use support::Project;

/// Slug and place of each error, in file order.
fn errors(project: &Project) -> Vec<String> {
    let loaded = project.load();
    if loaded.compose.is_some() {
        return vec!["accepted".to_owned()];
    }
    let errors = loaded.diagnostics.iter().filter(|said| said.severity == diag::Severity::Error);
    errors
        .map(|said| {
            let place = said.place.as_ref().map(ToString::to_string).unwrap_or_default();
            format!("{} {place}", said.id)
        })
        .collect()
}

/// The body of a service, from line 4 and column 5 on.
fn service(body: &str) -> Project {
    Project::compose(&format!("services:\n  web:\n    image: w\n    {body}\n"))
}

#[test]
fn mistakes_of_a_service_are_placed() {
    let mut wrong = Vec::new();
    for (body, expected) in [
        ("imagee: w", "unknown-key compose.yaml:4:5"),
        ("'<<': { tty: true }", "unknown-key compose.yaml:4:5"),
        ("tty: [a]", "wrong-type compose.yaml:4:10"),
        ("tty: maybe", "wrong-type compose.yaml:4:10"),
        ("scale: many", "wrong-type compose.yaml:4:12"),
        ("init: 5", "wrong-type compose.yaml:4:11"),
        ("ports: ['1-3:4-5']", "bad-port compose.yaml:4:13"),
        ("ports: ['70000:80']", "bad-port compose.yaml:4:13"),
        ("ports: ['80/xyz']", "bad-port compose.yaml:4:13"),
        ("ports: ['1.2.3:1:80']", "bad-port compose.yaml:4:13"),
        ("ports: [{ target: 80, host_ip: nowhere }]", "bad-port compose.yaml:4:36"),
        ("ports: [80.5]", "wrong-type compose.yaml:4:13"),
        ("volumes: ['aa:/b:ro:rw']", "bad-mount compose.yaml:4:15"),
        ("volumes: ['']", "bad-mount compose.yaml:4:15"),
        ("volumes: ['data:/x']", "unknown-volume compose.yaml:4:15"),
        ("volumes: [{ type: bind, target: /x }]", "missing-key compose.yaml:4:15"),
        ("volumes: [{ type: disk, target: /x }]", "wrong-type compose.yaml:4:23"),
        ("volumes: [{ target: /x }]", "missing-key compose.yaml:4:15"),
        ("tmpfs: /x\n    volumes: [/x]", "conflict compose.yaml:5:15"),
        ("networks: [lost]", "unknown-network compose.yaml:4:16"),
        ("networks: { lost: }", "unknown-network compose.yaml:4:17"),
        ("network_mode: host\n    networks: [default]", "conflict compose.yaml:5:5"),
        ("network_mode: 'service:lost'", "unknown-service compose.yaml:4:19"),
        ("secrets: [lost]", "unknown-secret compose.yaml:4:15"),
        ("configs: [lost]", "unknown-config compose.yaml:4:15"),
        ("depends_on: [lost]", "unknown-service compose.yaml:4:18"),
        ("depends_on: [web]", "dependency-cycle compose.yaml:4:18"),
        ("mem_limit: lots", "wrong-type compose.yaml:4:16"),
        ("mem_limit: '-1'", "wrong-type compose.yaml:4:16"),
        ("stop_grace_period: 10x", "wrong-type compose.yaml:4:24"),
        ("healthcheck: { test: [a] }", "wrong-type compose.yaml:4:26"),
        ("healthcheck: { interval: 10 }", "wrong-type compose.yaml:4:30"),
        ("healthcheck: { retries: -1 }", "wrong-type compose.yaml:4:29"),
        ("command: \"a 'b\"", "bad-command compose.yaml:4:14"),
        ("command: [1]", "wrong-type compose.yaml:4:15"),
        ("security_opt: [a, a]", "duplicate-item compose.yaml:4:23"),
        ("pull_policy: sometimes", "wrong-type compose.yaml:4:18"),
        ("container_name: c", "bad-name compose.yaml:4:21"),
        ("container_name: same\n    scale: 2", "conflict compose.yaml:4:5"),
        ("scale: 2\n    deploy: { replicas: 3 }", "conflict compose.yaml:4:12"),
        ("cpus: 1\n    deploy: { resources: { limits: { cpus: 2 } } }", "conflict compose.yaml:4:11"),
        ("oom_score_adj: 5000", "wrong-type compose.yaml:4:20"),
        ("environment: ['A =1']", "bad-name compose.yaml:4:19"),
        ("environment: { A: [b] }", "wrong-type compose.yaml:4:23"),
        ("extra_hosts: [nowhere]", "wrong-type compose.yaml:4:18"),
        ("devices: ['a:b:c:d']", "bad-device compose.yaml:4:15"),
        ("ulimits: { nofile: { soft: 1 } }", "missing-key compose.yaml:4:24"),
        ("gpus: [{ capabilities: [a], count: 1, device_ids: [b] }]", "conflict compose.yaml:4:12"),
        ("extends: lost", "unknown-service compose.yaml:4:14"),
        ("extends: web", "extends-cycle compose.yaml:4:14"),
        ("extends: { service: x, file: lost.yaml }", "missing-file compose.yaml:4:34"),
        ("env_file: lost.env", "missing-file compose.yaml:4:15"),
        ("env_file: [{ path: a.env, format: odd }]", "missing-file compose.yaml:4:24"),
        ("label_file: lost.env", "missing-file compose.yaml:4:17"),
        ("hostname: ${A", "bad-interpolation compose.yaml:4:15"),
        ("hostname: ${A.B}", "bad-interpolation compose.yaml:4:15"),
        ("hostname: ${A:?b}", "required-variable compose.yaml:4:15"),
        ("image: v", "duplicate-key compose.yaml:4:5"),
        ("labels: { a: 2024-01-01 }", "wrong-type compose.yaml:4:18"),
        ("build: { dockerfile: a, dockerfile_inline: b }", "conflict compose.yaml:4:29"),
    ] {
        let errors = errors(&service(body));
        if errors != [expected] {
            wrong.push(format!("{body}: {errors:?}, not {expected}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn mistakes_of_a_file_are_placed() {
    let mut wrong = Vec::new();
    let one = "services: { a: { image: a } }\n";
    for (text, expected) in [
        ("a: b\nservices: { a: { image: a } }".to_owned(), "unknown-key compose.yaml:1:1"),
        (
            "services: { a: { image: a }, b: { image: b, depends_on: { a: { condition: well } } } }"
                .to_owned(),
            "wrong-type compose.yaml:1:75",
        ),
        ("5: b".to_owned(), "wrong-type compose.yaml:1:1"),
        ("services: { a: {} }".to_owned(), "missing-key compose.yaml:1:13"),
        ("services: { a: }".to_owned(), "wrong-type compose.yaml:1:13"),
        ("services: { 'a b': { image: a } }".to_owned(), "bad-name compose.yaml:1:13"),
        ("services: [a]".to_owned(), "wrong-type compose.yaml:1:11"),
        (format!("{one}networks:\n"), "wrong-type compose.yaml:2:1"),
        (format!("{one}volumes: {{ v: {{ external: true, driver: x }} }}\n"), "conflict compose.yaml:2:33"),
        (format!("{one}secrets: {{ s: {{}} }}\n"), "missing-key compose.yaml:2:12"),
        (format!("{one}configs: {{ c: {{ file: a, content: b }} }}\n"), "conflict compose.yaml:2:26"),
        (format!("{one}include: a.yaml\n"), "wrong-type compose.yaml:2:10"),
        (format!("{one}include: [lost.yaml]\n"), "missing-file compose.yaml:2:11"),
        (format!("{one}include: ['https://x/y.git']\n"), "remote-file compose.yaml:2:11"),
        (format!("{one}---\n"), "wrong-type compose.yaml:2:4"),
        ("services:\n\ta: {}\n".to_owned(), "bad-yaml compose.yaml:2:2"),
        ("x: *none\n".to_owned(), "bad-yaml compose.yaml:1:4"),
    ] {
        let errors = errors(&Project::compose(&text));
        if errors != [expected] {
            wrong.push(format!("{text}: {errors:?}, not {expected}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn mistakes_of_other_files_are_placed_in_them() {
    let main = "include: [sub/inc.yaml]\nservices:\n  a: { extends: { service: b, file: sub/base.yaml } }\n";
    let project = |base: &str, include: &str| {
        Project::new(&[("compose.yaml", main), ("sub/base.yaml", base), ("sub/inc.yaml", include)])
    };
    let (base, include) = ("services: { b: { image: b } }", "services: { c: { image: c } }");
    assert_eq!(project(base, include).said(), "");
    assert!(
        errors(&project("services: { b: { imagee: b } }", include))
            .contains(&"unknown-key sub/base.yaml:1:18".to_owned())
    );
    assert!(
        errors(&project(base, "services: { c: { imagee: c } }"))
            .contains(&"unknown-key sub/inc.yaml:1:18".to_owned())
    );
    assert!(errors(&project("x: {}", include)).contains(&"no-services compose.yaml:3:37".to_owned()));
    assert!(
        errors(&project(base, "include: [../compose.yaml]"))
            .contains(&"include-cycle sub/inc.yaml:1:11".to_owned())
    );
    assert!(
        errors(&project(base, "services: { a: { image: z } }"))
            .contains(&"include-conflict compose.yaml:3:3".to_owned())
    );
    let overlay = Project::new(&[
        ("compose.yaml", "services: { a: { image: a, ports: [80] } }"),
        ("compose.override.yaml", "services:\n  a:\n    ports: { x: 1 }\n"),
    ]);
    assert_eq!(errors(&overlay), ["cannot-merge compose.override.yaml:3:12"]);
}

#[test]
fn values_keep_their_places_through_everything() {
    let project = Project::new(&[
        (
            "compose.yaml",
            "x-base: &base\n  tty: true\ninclude: [sub/inc.yaml]\nservices:\n  a:\n    <<: *base\n    extends: { service: b, file: sub/base.yaml }\n",
        ),
        ("compose.override.yaml", "services:\n  a:\n    user: me\n"),
        ("sub/base.yaml", "services:\n  b:\n    image: b\n    ports:\n      - 80:80\n"),
        ("sub/inc.yaml", "services:\n  c:\n    image: c\n"),
    ]);
    let places = project.load().places;
    for (pointer, place) in [
        ("/services/a/tty", "compose.yaml:2:3"),
        ("/services/a/image", "sub/base.yaml:3:5"),
        ("/services/a/ports/0", "sub/base.yaml:5:9"),
        ("/services/a/user", "compose.override.yaml:3:5"),
        ("/services/c/image", "sub/inc.yaml:3:5"),
    ] {
        assert_eq!(places[pointer].to_string(), place, "{pointer}");
    }
}
