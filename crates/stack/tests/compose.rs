//! Compose text to a shape.
#![allow(clippy::unwrap_used)]

mod support;

use std::time::Duration;

use stack::{
    Condition, FileSource, MountSource, NetworkKey, Part, Port, Restart, SecretName, ServiceName, Text,
};
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
    let port = Port { host_ip: None, published: Some(8080), target: 80, protocol: "tcp".into() };
    assert_eq!(web.ports, [port]);
    assert_eq!(web.restart, Restart::UnlessStopped);
    assert_eq!(web.depends_on[&"db".into()].condition, Condition::ServiceHealthy);
    assert!(web.networks.contains_key(&NetworkKey::from("default")));
    let url = web.environment["DATABASE_URL"].clone().unwrap();
    assert_eq!(url.to_string(), "postgres://blog:${DB_PASSWORD}@db/blog");
    let Part::Held { variable, id } = &url.0[1] else { panic!("the password is not held: {url:?}") };
    assert_eq!((variable.as_str(), id.0.len()), ("DB_PASSWORD", 32));
    assert_eq!(loaded.materials.held[id], "open sesame");
    let MountSource::Bind { path, content } = &web.mounts[0].source else { panic!("no bind") };
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
