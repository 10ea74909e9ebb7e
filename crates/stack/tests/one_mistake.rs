//! Each mistake that a Compose file can hold ends in one error: where, what, and what to do.
#![allow(clippy::unwrap_used)]
#![expect(clippy::disallowed_methods, reason = "what is large is read in a bounded time")]

mod support;

use std::time::{Duration, Instant};

use diag::Severity;
use support::Project;

/// `slug place` of the one error, which has a sentence and a hint or a cause, and stops everything.
#[track_caller]
fn check(project: &Project, expected: &str) {
    let loaded = project.load();
    let said = support::said(&loaded);
    let errors: Vec<_> = loaded.diagnostics.iter().filter(|said| said.severity == Severity::Error).collect();
    let [error] = errors.as_slice() else { panic!("{} errors, not one: {said}", errors.len()) };
    let place = error.place.as_ref().map(ToString::to_string).unwrap_or_default();
    assert_eq!(format!("{} {place}", error.id), expected, "in full: {said}");
    // What must stand there is the hint, or the sentence itself says it.
    assert!(error.hint.is_some() || error.message.contains(" must be "), "no hint: {said}");
}

/// The body of a service, from line 4 and column 5 on.
fn service(body: &str) -> Project {
    Project::compose(&format!("services:\n  web:\n    image: w\n    {body}\n"))
}

#[test]
fn files_that_lead_back_to_themselves() {
    let include = |inner: &str| Project::new(&[("compose.yaml", "include: [a.yaml]\n"), ("a.yaml", inner)]);
    check(&include("services: { c: { image: c } }\ninclude: [compose.yaml]\n"), "include-cycle a.yaml:2:11");
    check(&include("services: { c: { image: c } }\ninclude: [a.yaml]\n"), "include-cycle a.yaml:2:11");
    check(&service("extends: web"), "extends-cycle compose.yaml:4:14");
    let extends = Project::new(&[
        ("compose.yaml", "services:\n  a: { extends: { service: b, file: b.yaml } }\n"),
        ("b.yaml", "services:\n  b: { extends: { service: a, file: compose.yaml } }\n"),
    ]);
    check(&extends, "extends-cycle compose.yaml:2:28");
}

#[test]
fn names_that_nothing_declares() {
    for (body, expected) in [
        ("networks: [lost]", "unknown-network compose.yaml:4:16"),
        ("networks: { lost: { aliases: [a] } }", "unknown-network compose.yaml:4:17"),
        ("volumes: ['lost:/x']", "unknown-volume compose.yaml:4:15"),
        ("volumes: [{ type: volume, source: lost, target: /x }]", "unknown-volume compose.yaml:4:39"),
        ("secrets: [lost]", "unknown-secret compose.yaml:4:15"),
        ("configs: [{ source: lost }]", "unknown-config compose.yaml:4:25"),
        ("depends_on: [lost]", "unknown-service compose.yaml:4:18"),
        ("links: ['lost:l']", "unknown-service compose.yaml:4:13"),
        ("network_mode: service:lost", "unknown-service compose.yaml:4:19"),
        ("volumes_from: [lost]", "unknown-service compose.yaml:4:20"),
        ("extends: { service: lost }", "unknown-service compose.yaml:4:25"),
    ] {
        check(&service(body), expected);
    }
}

#[test]
fn variables_that_do_not_parse() {
    for value in ["${", "${A", "${A.B}", "${1}", "${A:}", "${}", "a ${A b}", "${A:-${B}"] {
        check(&service(&format!("user: '{value}'")), "bad-interpolation compose.yaml:4:11");
    }
}

#[test]
fn durations_sizes_and_ports_that_are_none() {
    for (body, expected) in [
        ("stop_grace_period: 10x", "wrong-type compose.yaml:4:24"),
        ("healthcheck: { test: t, interval: soon }", "wrong-type compose.yaml:4:39"),
        ("healthcheck: { test: t, timeout: 1 }", "wrong-type compose.yaml:4:38"),
        ("mem_limit: 1x", "wrong-type compose.yaml:4:16"),
        ("shm_size: m", "wrong-type compose.yaml:4:15"),
        ("deploy: { resources: { limits: { memory: many } } }", "wrong-type compose.yaml:4:46"),
        ("ports: ['a:80']", "bad-port compose.yaml:4:13"),
        ("ports: ['80:70000']", "bad-port compose.yaml:4:13"),
        ("ports: ['9-7:80']", "bad-port compose.yaml:4:13"),
        ("ports: ['1-3:4-5']", "bad-port compose.yaml:4:13"),
        ("ports: ['80/none']", "bad-port compose.yaml:4:13"),
        ("expose: ['5-']", "wrong-type compose.yaml:4:14"),
    ] {
        check(&service(body), expected);
    }
}

#[test]
fn names_and_keys_that_are_there_twice() {
    check(&service("image: v"), "duplicate-key compose.yaml:4:5");
    check(
        &Project::compose("services: { a: { image: a } }\nservices: { b: { image: b } }\n"),
        "duplicate-key compose.yaml:2:1",
    );
    let same =
        "services:\n  a: { image: a, container_name: same }\n  b: { image: b, container_name: same }\n";
    check(&Project::compose(same), "name-conflict compose.yaml:3:34");
}

#[test]
fn tabs_marks_line_ends_and_other_encodings() {
    let compose = |bytes: &[u8]| Project::new(&[]).bytes("compose.yaml", bytes);
    check(&compose(b"services:\n  web:\n\timage: w\n"), "bad-yaml compose.yaml:3:2");
    let good = "services:\r\n  web:\r\n    image: w\r\n";
    assert_eq!(compose(good.as_bytes()).said(), "");
    assert_eq!(compose(format!("\u{FEFF}{good}").as_bytes()).said(), "");
    // Lines and columns are those an editor shows, with the mark and with both line ends.
    check(
        &compose(format!("\u{FEFF}{good}    mem_limit: 1x\r\n").as_bytes()),
        "wrong-type compose.yaml:4:16",
    );
    check(
        &compose("\u{FEFF}services: { a: { image: w, imagee: w } }".as_bytes()),
        "unknown-key compose.yaml:1:28",
    );
    let wide = |order: fn(u16) -> [u8; 2]| good.encode_utf16().flat_map(order).collect::<Vec<u8>>();
    check(&compose(&[&[0xFF, 0xFE], &*wide(u16::to_le_bytes)].concat()), "not-text compose.yaml:1:1");
    check(&compose(&[&[0xFE, 0xFF], &*wide(u16::to_be_bytes)].concat()), "not-text compose.yaml:1:1");
    check(&compose(&wide(u16::to_le_bytes)), "not-text compose.yaml:1:2");
}

#[test]
fn what_is_no_file() {
    for (body, expected) in [
        ("env_file: dir", "not-a-file compose.yaml:4:15"),
        ("label_file: dir", "not-a-file compose.yaml:4:17"),
        ("extends: { service: x, file: dir }", "not-a-file compose.yaml:4:34"),
    ] {
        check(&service(body).bytes("dir/inner", b""), expected);
    }
    check(
        &Project::new(&[("compose.yaml", "include: [dir]\n"), ("dir/a", "")]),
        "not-a-file compose.yaml:1:11",
    );
    check(&Project::new(&[("compose.yaml/inner", "")]), "not-a-file ");
}

#[test]
fn a_file_that_is_gone_when_it_is_read() {
    let gone = |project: Project, name: &str| project.gone(name, "No such file or directory (os error 2)");
    for (body, expected) in [
        ("env_file: one.env", "unreadable-file compose.yaml:4:15"),
        ("label_file: one.env", "unreadable-file compose.yaml:4:17"),
        ("extends: { service: x, file: one.env }", "unreadable-file compose.yaml:4:34"),
    ] {
        check(&gone(service(body), "one.env"), expected);
    }
    check(
        &gone(Project::new(&[("compose.yaml", "include: [a.yaml]\n")]), "a.yaml"),
        "unreadable-file compose.yaml:1:11",
    );
    check(&gone(Project::new(&[]), "compose.yaml"), "unreadable-file ");
    // What was read once is not asked for again: `Project::load` would notice.
    let twice = "services: { a: { image: a, env_file: [e, e] }, b: { image: b, env_file: e } }";
    assert_eq!(Project::new(&[("compose.yaml", twice), ("e", "A=1")]).said(), "");
}

#[test]
fn files_that_are_large() {
    let began = Instant::now();
    let mut text = "services: { web: { image: w } }\n".to_owned();
    while text.len() < 10 << 20 {
        text += "# a comment that goes on and on, and has nothing to say about any service at all\n";
    }
    assert_eq!(Project::compose(&text).said(), "");
    text += "services: {}\n";
    let line = text.lines().count();
    check(&Project::compose(&text), &format!("duplicate-key compose.yaml:{line}:1"));
    let keys: String = (0..50_000).map(|n| format!("x-{n}: {{ a: [b, c], d: 'e' }}\n")).collect();
    check(
        &Project::compose(&(keys + "services: { web: { image: w, imagee: w } }\n")),
        "unknown-key compose.yaml:50001:30",
    );
    check(&Project::compose(&"#".repeat(13 << 20)), "too-large compose.yaml:1:1");
    // A second on a quick machine; a debug build on a busy one takes many times as long.
    assert!(began.elapsed() < Duration::from_secs(120), "{:?}", began.elapsed());
}

#[test]
fn aliases_that_grow() {
    let mut text = "x-a0: &a0 [lol, lol, lol, lol, lol, lol, lol, lol, lol]\n".to_owned();
    for level in 1..9 {
        let below = format!("*a{}", level - 1);
        text += &format!("x-a{level}: &a{level} [{}]\n", vec![below; 9].join(", "));
    }
    let loaded = Project::compose(&text).load();
    assert_eq!(loaded.diagnostics.len(), 1);
    assert_eq!(loaded.diagnostics[0].id, "alias-bomb");
}

#[test]
fn ten_thousand_services_are_read() {
    let began = Instant::now();
    let mut text = "services:\n".to_owned();
    for n in 0..10_000 {
        text += &format!(
            "  s{n}:\n    image: w\n    environment: {{ A: '{n}' }}\n    depends_on: [s{}]\n",
            (n + 1).min(9_999)
        );
    }
    // The last depends on itself, which is found in as many as there are.
    let loaded = Project::compose(&text).load();
    assert_eq!(loaded.diagnostics[0].id, "dependency-cycle");
    let text = text.replace("    depends_on: [s9999]\n", "");
    let loaded = Project::compose(&text).load();
    assert_eq!(support::said(&loaded), "");
    assert_eq!(loaded.shape.unwrap().services.len(), 10_000);
    assert!(began.elapsed() < Duration::from_secs(120), "{:?}", began.elapsed());
}
