//! `seaworthy.toml` over Compose text.
#![allow(clippy::unwrap_used)]

mod support;

use std::time::Duration;

use stack::{Part, ProbeKind, ProbeRole, SecretKind, ServiceName, StackName, StateKind, WebsocketStep};
use support::Project;

const COZY: &str = include_str!("../../../examples/cozy/seaworthy.toml");
const COZY_COMPOSE: &str = r"
services:
  traefik:
    image: traefik:3
    ports: ['80:80']
    networks: [edge]
    depends_on: [relay]
  relay:
    image: ${RELAY_IMAGE:-relay:1}
    networks: [edge, internal]
    environment:
      DATABASE_URL: postgres://relay:${postgres_password}@postgres/relay
    secrets: [relay_jwt, relay_keystore]
    depends_on:
      postgres: { condition: service_healthy }
      bao: { condition: service_started }
  postgres:
    image: ${PG_IMAGE:-postgres:16-alpine}
    networks: [internal]
    environment: { POSTGRES_DB: relay, POSTGRES_PASSWORD_FILE: /run/secrets/postgres_password }
    secrets: [postgres_password]
    volumes: ['pgdata:/var/lib/postgresql/data']
    healthcheck: { test: [CMD, pg_isready] }
  bao:
    image: openbao/openbao:2
    networks: [internal]
    volumes: ['baodata:/openbao/data']
networks:
  edge:
  internal: { internal: true }
volumes:
  pgdata:
  baodata:
secrets:
  postgres_password: { file: ./secrets/postgres_password }
  relay_jwt: { external: true }
  relay_keystore: { external: true }
";
const COZY_PROD: &str = r#"
services:
  traefik:
    ports: ["443:443"]
  bao:
    command: [server]
    cap_add: [IPC_LOCK]
"#;
const COZY_TUNNEL: &str = "services:\n  traefik:\n    ports: !reset []\n";

fn cozy() -> Project {
    Project::new(&[
        ("seaworthy.toml", COZY),
        ("compose.yaml", COZY_COMPOSE),
        ("compose.prod.yaml", COZY_PROD),
        ("compose.tunnel.yaml", COZY_TUNNEL),
    ])
}

#[test]
fn the_cozy_settings_are_understood_in_full() {
    let loaded = cozy().load();
    assert_eq!(support::said(&loaded), "");
    assert_eq!(loaded.shapes, ["local", "prod", "tunnel"]);
    let shape = loaded.shape.unwrap();
    assert_eq!((shape.stack.as_str(), shape.name.as_str(), shape.production), ("cozy", "local", false));
    assert_eq!((shape.min_healthy, shape.timeout), (Duration::from_secs(3), Duration::from_secs(60)));
    assert_eq!(shape.publishes, Some(vec![80]));
    assert_eq!(shape.backup.to, ["/srv/app/backups"]);
    assert_eq!(shape.backup.rpo, Some(Duration::from_secs(86_400)));
    assert_eq!(
        shape.secrets[&"postgres_password".into()].kind,
        SecretKind::Urlsafe { bytes: 24, prefix: String::new() }
    );

    let relay = &shape.services[&ServiceName::from("relay")];
    assert_eq!(relay.probes.len(), 3);
    assert_eq!(relay.probes[0].role, ProbeRole::Startup);
    let ProbeKind::Http { json, .. } = &relay.probes[1].kind else { panic!("no http probe") };
    assert_eq!(json["status"], serde_json::json!("ok"));
    let ProbeKind::Websocket { steps, .. } = &relay.probes[2].kind else { panic!("no websocket probe") };
    assert_eq!(steps, &[WebsocketStep::Expect("hello".into())]);
    let url = relay.environment["DATABASE_URL"].clone().unwrap();
    assert_eq!(url.0[1], Part::Secret("postgres_password".into()));
    let used: Vec<_> = relay.secrets_used().iter().map(ToString::to_string).collect();
    assert_eq!(used, ["postgres_password", "relay_jwt", "relay_keystore"]);
    assert_eq!(relay.files[0].target, "/run/secrets/relay_jwt");

    let (store, transit) = shape.key_store().unwrap();
    assert_eq!((store.as_str(), transit.key.as_str(), transit.port), ("bao", "relay-atrest", 8200));
    let database = &shape.states[&"postgres".into()];
    assert_eq!(database.kind, StateKind::Postgres { database: "relay".into(), user: "relay".into() });
    assert!(database.heartbeat.is_some());
    assert!(shape.networks[&"internal".into()].internal);
    let order: Vec<_> = shape.start_order().iter().map(ToString::to_string).collect();
    assert_eq!(order, ["bao", "postgres", "relay", "traefik"]);
}

#[test]
fn every_kind_of_probe_is_read_and_one_list_serves_every_moment() {
    let pem = "-----BEGIN CERTIFICATE-----\nAA==\n-----END CERTIFICATE-----\n";
    let project = Project::compose("services: { web: { image: web }, db: { image: db }, edge: { image: edge } }")
        .bytes("certs/ca.pem", pem.as_bytes())
        .bytes(
            "seaworthy.toml",
            br#"
[service.web]
probe = [
    { log = "migrated", for = "startup", deadline = "150s", interval = "5s" },
    { http = "/health", json = { status = "ok" }, degraded = { status = "degraded" }, redirects = 1, headers = { Accept = "application/json" } },
    { metric = 'is_leader{job="web"}', min = 0, max = 1.5, port = 9090, for = "live" },
    { websocket = "/ws/updates", host = "dash.example.org", tls = true, steps = [{ expect = "connected" }], for = "live" },
]

[service.db]
probe = { exec = ["redis-cli", "ping"], output = "PONG", successes = 3 }

[service.edge]
probe = [
    { tls = true, certificate = { name = "dash.example.org", ca = "certs/ca.pem", left = "14d" }, port = 443 },
    { file = "/run/ready" },
]
"#,
        );
    let shape = project.shape();
    let of = |service: &str, role| {
        let probes = shape.services[&service.into()].probes_for(role);
        let words = |probe: &&stack::Probe| {
            let value = serde_json::to_value(&probe.kind).unwrap();
            value["kind"].as_str().unwrap().to_owned()
        };
        probes.iter().map(words).collect::<Vec<_>>().join(" ")
    };
    let moments = [ProbeRole::Startup, ProbeRole::Ready, ProbeRole::Live];
    assert_eq!(moments.map(|role| of("web", role)), ["log", "http", "metric websocket"]);
    assert_eq!(moments.map(|role| of("db", role)), ["", "exec", "exec"]);
    assert_eq!(moments.map(|role| of("edge", role)), ["", "tls file", "tls file"]);
    let web = &shape.services[&"web".into()].probes;
    assert_eq!(web[0].deadline, Some(std::time::Duration::from_secs(150)));
    assert_eq!(shape.services[&"db".into()].probes[0].successes, 3);
    let ProbeKind::Tls { certificate: Some(certificate) } = &shape.services[&"edge".into()].probes[0].kind
    else {
        panic!("no TLS probe")
    };
    assert_eq!(certificate.ca.as_ref().unwrap().pem, pem);

    let kept = serde_json::to_string(&web).unwrap();
    assert_eq!(&serde_json::from_str::<Vec<stack::Probe>>(&kept).unwrap(), web);
}

#[test]
fn a_probe_that_an_older_release_keeps_is_still_read() {
    let kept = r#"{"kind":{"kind":"http","path":"/","status":[],"json":{},"host":"a","tls":true},
        "port":80,"role":"Ready","timeout":{"secs":5,"nanos":0}}"#;
    let probe: stack::Probe = serde_json::from_str(&kept.replace("Ready", "ready")).unwrap();
    let ProbeKind::Http { over, .. } = &probe.kind else { panic!("no http probe") };
    assert_eq!((over.host.as_deref(), over.tls, probe.successes), (Some("a"), true, 1));
}

#[test]
fn a_shape_lays_its_overlay_over_the_base() {
    let published = |project: &Project| {
        let ports = &project.shape().services[&"traefik".into()].ports.clone();
        ports.iter().filter_map(|port| port.published).collect::<Vec<_>>()
    };
    let prod = cozy().shape_named("prod");
    assert_eq!(published(&prod), [80, 443]);
    assert!(prod.shape().production);
    assert_eq!(prod.shape().services[&"bao".into()].cap_add, ["IPC_LOCK"]);
    assert!(published(&cozy().shape_named("tunnel")).is_empty());
}

#[test]
fn a_throwaway_copy_shares_nothing_with_the_original() {
    let copy = cozy().shape().as_project(StackName::from("cozy-drill-1"));
    assert!(copy.services.values().all(|service| service.ports.is_empty()));
    assert_eq!(copy.volume_name(&"pgdata".into()), "cozy-drill-1_pgdata");
}

#[test]
fn a_declared_secret_is_never_taken_from_the_environment() {
    let project = cozy().env("postgres_password", "from the shell");
    let loaded = project.load();
    let line = COZY.lines().position(|line| line.starts_with("postgres_password")).unwrap() + 1;
    assert_eq!(
        support::said(&loaded),
        format!(
            "warning[secret-shadowed] seaworthy.toml:{line}:1: the environment sets `postgres_password`, and that is not \
         used; caused by: a secret of `[secret]` is never overridden by the shell or an env file; hint: unset the \
         variable, or rename one of the two"
        )
    );
    assert!(loaded.materials.held.is_empty());
}

#[test]
fn a_backup_target_takes_its_path_from_the_environment() {
    let shape = cozy().env("COZY_BACKUPS", "/mnt/sets").shape();
    assert_eq!(shape.backup.to, ["/mnt/sets"]);
}

#[test]
fn the_schema_refuses_what_reading_refuses() {
    let schema = stack::schema();
    assert_eq!(schema["additionalProperties"], false);
    assert_eq!(schema["$defs"]["RawTransit"]["additionalProperties"], false);
    assert!(schema["properties"]["backup"].is_object());
}

const SHOP: &str = r#"
services:
  web:
    image: ghcr.io/example/shop:2
    ports: ["8080:80"]
    environment: { SESSION_SECRET: hunter2, DB: "${DB:-x}" }
    healthcheck: { test: "curl -f http://localhost:80/healthz || exit 1" }
  db:
    image: postgres:16.2-alpine
    environment: { POSTGRES_DB: shop, POSTGRES_USER: "${PGUSER}", POSTGRES_PASSWORD: postgres }
    volumes: ["data:/var/lib/postgresql/data"]
  cache:
    image: docker.io/library/redis:7
  "odd.name":
    image: hashicorp/vault:1.21
    volumes: ["vault:/vault/file"]
volumes: { data: , vault: }
"#;

#[test]
fn init_writes_settings_that_load() {
    let bare = Project::compose(SHOP).env("PGUSER", "shopper");
    let suggestion = stack::suggest(&bare.load());
    assert_eq!(
        suggestion.lines.join("\n"),
        "compose.yaml: 4 services (cache, db, odd.name, web), 2 volumes, 1 published port\n\
         \x20 cache     looks like Redis 7, no volume  → a cache: not backed up\n\
         \x20 db        looks like PostgreSQL 16.2     → [state.db] postgres\n\
         \x20 odd.name  looks like Vault 1.21          → [state.odd.name] transit\n\
         \x20 web       publishes 8080, has /healthz   → probe\n\
         \x20 2 secrets are written in the file  → moved nowhere yet; `seaworthy preflight` says how"
    );
    assert!(
        suggestion.toml.contains("postgres = { database = \"shop\", user = \"shopper\" }"),
        "{}",
        suggestion.toml
    );
    assert!(!suggestion.toml.contains("hunter2"));
    let configured = bare.bytes("seaworthy.toml", suggestion.toml.as_bytes());
    let shape = configured.shape();
    assert_eq!(shape.services[&"web".into()].probes.len(), 1);
    assert_eq!(shape.states.len(), 3);
}

#[test]
fn init_declares_the_secrets_whose_files_are_not_there() {
    let bare = Project::compose(COZY_COMPOSE);
    let suggestion = stack::suggest(&bare.load());
    let secrets = "[secret]\npostgres_password = \"urlsafe\"\nrelay_jwt = \"given\"\nrelay_keystore = \"given\"\n\
                   bao_credential = \"approle\"\n";
    assert!(suggestion.toml.contains(secrets), "{}", suggestion.toml);
    bare.bytes("seaworthy.toml", suggestion.toml.as_bytes()).shape();
}
