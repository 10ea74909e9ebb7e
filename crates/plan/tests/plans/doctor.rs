//! What a doctor makes of what was seen: each cause beside the symptom it was made of, and each symptom that is none.

use diag::{Diagnostic, Place};
use plan::{
    Phase, RunOutcome, Verb,
    doctor::{
        ClockSeen, Door, EngineSilence, ImageBuiltFor, NameSeen, Patient, PlaceSeen, PortSeen, RegistrySeen,
        RunSeen, Signs, Symptoms, diagnose,
    },
};
use stack::ServiceName;

fn named(symptoms: &Symptoms) -> Vec<String> {
    diagnose(symptoms).iter().map(|cause| format!("{}: {}", cause.id, cause.message)).collect()
}

/// What these symptoms are made into, one a line.
#[track_caller]
fn check(symptoms: &Symptoms, expected: &[&str]) {
    assert_eq!(named(symptoms), expected);
    for cause in diagnose(symptoms) {
        assert!(!cause.fix.is_empty() && !cause.evidence.is_empty(), "{cause:?}");
    }
}

fn patient(phase: Phase, words: &[&str]) -> Patient {
    Patient {
        service: ServiceName::from("web"),
        container: "shop-web-1".to_owned(),
        phase,
        signs: Signs::default(),
        probe: None,
        words: words.iter().map(|line| (*line).to_owned()).collect(),
        paths: [("CONFIG_DIR".to_owned(), "/etc/agent".to_owned())].into(),
    }
}

fn of(patient: Patient) -> Symptoms {
    Symptoms { patients: vec![patient], ..Symptoms::default() }
}

#[track_caller]
fn check_words(said: &str, expected: &str) {
    check(&of(patient(Phase::Exited { code: 1 }, &["starting", said])), &[expected]);
}

fn silent(door: Door) -> Symptoms {
    let engine = EngineSilence {
        door,
        said: vec!["it said so".to_owned()],
        account: "user 7".to_owned(),
        socket: None,
    };
    Symptoms { engine: Some(engine), ..Symptoms::default() }
}

fn web() -> ServiceName {
    ServiceName::from("web")
}

#[test]
fn where_nothing_was_seen_nothing_is_wrong() {
    check(&Symptoms::default(), &[]);
    let well = Symptoms {
        files: vec![Diagnostic::warning("unset-variable", "the variable `X` is not set")],
        places: vec![PlaceSeen {
            what: "the state directory".into(),
            path: "/s".into(),
            free_bytes: 1 << 30,
            free_files: Some(9999),
        }],
        clocks: vec![ClockSeen { whose: "`r`".into(), ahead_secs: -20 }],
        images: vec![ImageBuiltFor {
            service: web(),
            image: "i".into(),
            built_for: "amd64".into(),
            machine: "amd64".into(),
        }],
        ..Symptoms::default()
    };
    check(&well, &[]);
}

// shows: C60
#[test]
fn an_engine_that_is_not_there_is_told_from_one_that_does_not_let_us_in() {
    check(&silent(Door::Nobody), &["engine-absent: no container engine answers"]);
    check(&silent(Door::Closed), &["engine-denied: the container engine does not let this account in"]);
    check(&silent(Door::Strange), &["engine-unsupported: the container engine cannot be spoken to"]);
    check(&silent(Door::Lost), &["engine-lost: the container engine breaks off"]);
    assert!(diagnose(&silent(Door::Closed))[0].evidence.contains(&"we are user 7".to_owned()));
    let said = Diagnostic::error("bad-env-file", "this line has no name").at(Place::new(".env", 3, 1));
    check(&Symptoms { files: vec![said], ..Symptoms::default() }, &["env-invalid: this line has no name"]);
    check_words("open /data/x: Permission denied", "permission: `web` may not do what it tries");
}

#[test]
fn a_machine_without_room_time_or_names_is_told() {
    let place = |free_bytes, free_files| Symptoms {
        places: vec![PlaceSeen { what: "the engine".into(), path: "/d".into(), free_bytes, free_files }],
        ..Symptoms::default()
    };
    check(&place(1 << 20, None), &["disk-full: the engine has no room left"]);
    check(&place(1 << 40, Some(3)), &["disk-full: the engine has no room left"]);
    check(&place(1 << 40, None), &[]);
    let clock = |ahead_secs| Symptoms {
        clocks: vec![ClockSeen { whose: "`registry:5000`".into(), ahead_secs }],
        ..Symptoms::default()
    };
    check(&clock(-600), &["clock-skew: this machine's clock is 10m behind `registry:5000`"]);
    check(&clock(45), &["clock-skew: this machine's clock is 45s ahead of `registry:5000`"]);
    let name = NameSeen { name: "shop.example".into(), needed_by: "the origin".into(), said: "no".into() };
    check(
        &Symptoms { names: vec![name], ..Symptoms::default() },
        &["name-unresolved: the name `shop.example` does not resolve here"],
    );
    let port = PortSeen { service: web(), port: 80, holder: "process `nginx` (pid 4)".into() };
    check(
        &Symptoms { ports: vec![port], ..Symptoms::default() },
        &["port-taken: host port 80, which `web` publishes, is taken by process `nginx` (pid 4)"],
    );
}

// shows: C58
#[test]
fn a_registry_that_refuses_says_which_refusal_it_is() {
    let rows = [
        ("unauthorized: incorrect username or password", "registry-denied"),
        ("toomanyrequests: You have reached your pull rate limit", "registry-limit"),
        ("dial tcp 10.0.0.1:443: connect: connection refused", "registry-absent"),
        ("manifest unknown", "image-unknown"),
        ("x509: certificate signed by unknown authority", "registry-certificate"),
        ("dial tcp: lookup registry.example: no such host", "name-unresolved"),
        ("teapot", "registry-refuses"),
    ];
    for (said, id) in rows {
        let seen = RegistrySeen { service: web(), image: "r/web:1".into(), said: said.into(), known: true };
        let causes = diagnose(&Symptoms { registries: vec![seen], ..Symptoms::default() });
        assert_eq!(causes[0].id, id, "of {said}");
    }
    let run = |because: &str| {
        let because = vec!["cannot build `web`".to_owned(), because.to_owned()];
        let last = RunSeen { id: "r4".into(), verb: Verb::Deploy, outcome: RunOutcome::Undone, because };
        diagnose(&Symptoms { last_run: Some(last), ..Symptoms::default() })[0].id
    };
    assert_eq!(run("mount: Operation not permitted"), "builder-unprivileged");
    assert_eq!(run("unauthorized: incorrect username or password"), "registry-denied");
    assert_eq!(run("429 Too Many Requests"), "registry-limit");
    assert_eq!(run("something else"), "last-run");
}

// shows: C61
#[test]
fn health_that_never_turns_green_has_a_reason() {
    check(&of(patient(Phase::Exited { code: 3 }, &["bye"])), &["crashed: `web` crashed with exit code 3"]);
    check_words(
        "RuntimeError: NICEGUI_STORAGE_SECRET is not set",
        "setting-missing: `web` wants `NICEGUI_STORAGE_SECRET`, which is not set",
    );
    check_words(
        "invalid value for LOG_LEVEL: loud",
        "setting-invalid: `web` does not understand what `LOG_LEVEL` is set to",
    );
    let mut edge = patient(Phase::Running { healthy: None }, &[]);
    edge.probe = Some("GET / on web:80: 502".to_owned());
    check(&of(edge), &["proxy-misroutes: `web` answers for a service that it does not reach"]);
    let mut ill = patient(Phase::Running { healthy: Some(false) }, &["listening"]);
    ill.signs.check = Some("wget: server returned 404".to_owned());
    check(&of(ill.clone()), &["never-healthy: `web` runs, and is not healthy"]);
    let evidence = diagnose(&of(ill)).remove(0).evidence;
    assert!(evidence.contains(&"its health check: wget: server returned 404".to_owned()), "{evidence:?}");
    assert!(evidence.contains(&"it said: listening".to_owned()), "{evidence:?}");
    let again = Signs { restarts: 4, ..Signs::default() };
    let restarted = Patient { signs: again, ..patient(Phase::Running { healthy: None }, &[]) };
    check(&of(restarted), &["crashed: `web` crashes again and again: it was restarted 4 times"]);
}

#[test]
fn the_engine_tells_of_memory_and_the_image_of_its_machine() {
    let killed = Signs { out_of_memory: true, ..Signs::default() };
    let killed = Patient { signs: killed, ..patient(Phase::Exited { code: 137 }, &["KEY_A is not set"]) };
    check(&of(killed), &["out-of-memory: `web` was killed: it needed more memory than it may have"]);
    let other = ImageBuiltFor {
        service: web(),
        image: "w:1".into(),
        built_for: "arm64".into(),
        machine: "amd64".into(),
    };
    let ended = of(patient(Phase::Exited { code: 1 }, &["exec format error"]));
    check(
        &Symptoms { images: vec![other.clone()], ..ended },
        &["architecture: `web` has an image for another kind of machine: `w:1` is for arm64, this is amd64"],
    );
    // An engine that emulates the other machine runs it well.
    check(&Symptoms { images: vec![other], ..Symptoms::default() }, &[]);
}

// shows: E117 E119 E120
#[test]
fn what_an_agent_cannot_read_is_told_by_what_it_says() {
    check_words(
        "load runtime config: open /etc/agent/bundle/runtime.yaml: no such file or directory",
        "file-missing: `web` misses the file `/etc/agent/bundle/runtime.yaml`, where `CONFIG_DIR` lets it look",
    );
    check_words(
        "auth/approle/login: invalid role or secret ID",
        "key-store-login: `web` is turned away by the key store: its role id or its secret id is wrong",
    );
    check_words(
        "read secret id: open /run/secrets/secret-id: no such file or directory",
        "file-missing: `web` misses the file `/run/secrets/secret-id`",
    );
    check_words(
        "Code: 503. Errors: * Vault is sealed",
        "key-store-sealed: `web` asks a key store that is sealed",
    );
    check_words(
        "get secret from Vault: field password",
        "key-store-field: `web` asks the key store for a secret, or a field of one, that is not there",
    );
    let sealed = Symptoms { sealed: vec![ServiceName::from("bao")], ..Symptoms::default() };
    check(&sealed, &["key-store-sealed: the key store `bao` is sealed: who needs its keys waits"]);
}

#[test]
fn what_is_behind_the_others_stands_first_and_what_is_explained_is_not_explained_again() {
    let port = PortSeen { service: web(), port: 80, holder: "another process".into() };
    let symptoms = Symptoms { ports: vec![port], ..of(patient(Phase::Created, &[])) };
    let symptoms = Symptoms { engine: silent(Door::Lost).engine, ..symptoms };
    let ids: Vec<&str> = diagnose(&symptoms).iter().map(|cause| cause.id).collect();
    assert_eq!(ids, ["engine-lost", "port-taken"]);
    // Two containers of one service, one cause.
    let two = Symptoms { patients: vec![patient(Phase::Dead, &[]); 2], ..Symptoms::default() };
    check(&two, &["not-running: `web` does not run"]);
    let absent = Symptoms { absent: vec![web()], ..Symptoms::default() };
    check(&absent, &["container-gone: `web` is in the live release, and has no container"]);
}
