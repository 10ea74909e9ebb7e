//! How an image comes to be there: built, or pulled from a registry that wants to know who asks.

use std::{collections::BTreeMap, fs, path::Path, process::Command, sync::Arc};

use axum::{
    Router,
    body::Bytes,
    extract::{Path as UrlPath, State},
    http::{HeaderMap, StatusCode},
    response::{IntoResponse, Response},
    routing::get,
};
use data_encoding::{BASE64, HEXLOWER};
use host::{Engine as _, EngineError, Trouble};
use plan::{Effect, Output};
use serde_json::json;
use sha2::{Digest, Sha256};
use stack::{Build, Text};

use crate::support::{Stack, create, secret};

/// An image that goes when the test ends.
struct Named(String);

impl Drop for Named {
    fn drop(&mut self) {
        drop(Command::new("docker").args(["image", "rm", "--force", &self.0]).output());
    }
}

fn inspected(image: &str, format: &str) -> String {
    let output =
        Command::new("docker").args(["image", "inspect", "--format", format, image]).output().unwrap();
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

fn put(dir: &Path, files: &[(&str, &str)]) {
    for (path, text) in files {
        fs::create_dir_all(dir.join(path).parent().unwrap()).unwrap();
        fs::write(dir.join(path), text).unwrap();
    }
}

async fn build(stack: &Stack, image: &Named, build: Build) -> Result<Output, EngineError> {
    stack
        .apply(&Effect::BuildImage {
            image: image.0.clone(),
            build: Box::new(build),
            secrets: BTreeMap::new(),
            release: None,
        })
        .await
}

#[tokio::test]
async fn an_image_is_built_of_what_its_directory_holds_and_is_what_it_was_when_built_again() {
    let Some(stack) = Stack::new("build").await else { return };
    let (image, other) = (Named(format!("{}:1", stack.project)), Named(format!("{}:other", stack.project)));
    let dir = tempfile::tempdir().unwrap();
    let dockerfile = format!(
        "FROM {} AS one\nARG COLOUR\nARG WORD\nCOPY . /context\n\
         RUN [\"/bin/sh\", \"-c\", \"echo $COLOUR $WORD > /told; busybox cat /etc/hosts > /hosts; busybox ls -A /context > /listed\"]\n\
         FROM one AS two\nLABEL of=two\n",
        stack.image
    );
    put(
        dir.path(),
        &[("docker/Dockerfile", &dockerfile), ("a", ""), ("b.log", ""), (".dockerignore", "*.log\ndocker\n")],
    );
    let how = Build {
        context: dir.path().to_string_lossy().into_owned(),
        dockerfile: Some("docker/Dockerfile".into()),
        args: BTreeMap::from([
            ("COLOUR".into(), Some(Text::literal("blue"))),
            ("WORD".into(), Some(secret("db"))),
        ]),
        labels: BTreeMap::from([("a".into(), "b".into())]),
        tags: vec![other.0.clone()],
        target: Some("one".into()),
        network: Some("none".into()),
        shm_bytes: Some(1 << 20),
        ..Build::default()
    };
    assert!(matches!(build(&stack, &image, how.clone()).await.unwrap(), Output::Image { .. }));
    assert_eq!(build(&stack, &image, how.clone()).await.unwrap(), Output::Unchanged);
    let labels = r#"{{.Config.Labels.a}} {{index .Config.Labels "com.docker.compose.image.builder"}} {{.Config.Labels.of}}"#;
    assert_eq!(inspected(&image.0, labels), "b classic <no value>");
    assert_eq!(inspected(&image.0, "{{.Id}}"), inspected(&other.0, "{{.Id}}"));

    let mut app = stack.container("app", "sleep 600");
    app.settings.image.clone_from(&image.0);
    stack.run(&app).await;
    let (said, _, _) = stack.shell(&app.name, "busybox cat /told /listed").await;
    // The directory of the Dockerfile stays, empty: as with Docker.
    assert_eq!(said, "blue x-<db>\n.dockerignore\na\ndocker\n");

    let two = Build { target: None, no_cache: true, ..how };
    assert!(matches!(build(&stack, &image, two).await.unwrap(), Output::Image { .. }));
    assert_eq!(inspected(&image.0, "{{.Config.Labels.of}}"), "two");
}

#[tokio::test]
async fn a_dockerfile_may_stand_in_the_compose_file_and_hosts_may_be_named() {
    let Some(stack) = Stack::new("inline").await else { return };
    let image = Named(format!("{}:1", stack.project));
    let dir = tempfile::tempdir().unwrap();
    put(dir.path(), &[("a", "")]);
    let text = format!(
        "FROM {}\nCOPY . /context\nRUN [\"/bin/sh\", \"-c\", \"busybox grep -c up /etc/hosts; busybox ls -A /context\"]\n",
        stack.image
    );
    let how = Build {
        context: dir.path().to_string_lossy().into_owned(),
        dockerfile_inline: Some(format!("{text}RUN [\"/bin/sh\", \"-c\", \"echo x-<db> is bad; exit 3\"]\n")),
        no_cache: true,
        extra_hosts: vec!["up=10.0.0.1".into(), "upper=10.0.0.2".into()],
        args: BTreeMap::from([("WORD".into(), Some(secret("db")))]),
        ..Build::default()
    };
    let error = build(&stack, &image, how).await.unwrap_err();
    let said = error.source.unwrap().to_string();
    // Both hosts, and nothing of ours in the context; what it printed last comes with the reason, without secrets.
    assert!(said.contains("\n2\na\n"), "{said}");
    assert!(said.contains("[secret] is bad") && !said.contains("x-<db>") && said.contains("3"), "{said}");
    assert_eq!(inspected(&image.0, "{{.Id}}"), "");
}

#[tokio::test]
async fn a_context_that_is_not_there_or_cannot_be_read_builds_nothing() {
    let Some(stack) = Stack::new("nowhere").await else { return };
    let image = Named(format!("{}:1", stack.project));
    let how = Build { context: "/nowhere/at/all".into(), ..Build::default() };
    let error = build(&stack, &image, how).await.unwrap_err();
    assert_eq!(error.trouble, Trouble::NotFound);
    assert_eq!(error.hint.as_deref(), Some("it is looked for at `/nowhere/at/all`"));
}

/// A registry of one image, for one user.
struct Registry {
    address: String,
    digest: String,
}

struct Held {
    blobs: BTreeMap<String, Vec<u8>>,
    manifest: Vec<u8>,
    digest: String,
}

fn digest(bytes: &[u8]) -> String {
    format!("sha256:{}", HEXLOWER.encode(&Sha256::digest(bytes)))
}

impl Registry {
    async fn start() -> Self {
        let mut layer = tar::Builder::new(Vec::new());
        let mut header = tar::Header::new_gnu();
        header.set_size(2);
        header.set_mode(0o644);
        header.set_uid(0);
        header.set_gid(0);
        layer.append_data(&mut header, "hello", b"hi".as_slice()).unwrap();
        let layer = layer.into_inner().unwrap();
        let architecture = if cfg!(target_arch = "aarch64") { "arm64" } else { "amd64" };
        let config = json!({ "architecture": architecture, "os": "linux", "config": {}, "history": [],
            "rootfs": { "type": "layers", "diff_ids": [digest(&layer)] } });
        let config = config.to_string().into_bytes();
        let manifest = json!({
            "schemaVersion": 2, "mediaType": "application/vnd.docker.distribution.manifest.v2+json",
            "config": { "mediaType": "application/vnd.docker.container.image.v1+json", "size": config.len(), "digest": digest(&config) },
            "layers": [{ "mediaType": "application/vnd.docker.image.rootfs.diff.tar", "size": layer.len(), "digest": digest(&layer) }],
        });
        let manifest = manifest.to_string().into_bytes();
        let digest_of_it = digest(&manifest);
        let blobs = [config, layer].map(|blob| (digest(&blob), blob)).into();
        let held = Arc::new(Held { blobs, manifest, digest: digest_of_it.clone() });
        let app = Router::new().route("/v2/", get(answer)).route("/v2/{*path}", get(answer)).with_state(held);
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        tokio::spawn(async move { axum::serve(listener, app).await });
        Self { address, digest: digest_of_it }
    }
}

async fn answer(
    State(held): State<Arc<Held>>,
    path: Option<UrlPath<String>>,
    headers: HeaderMap,
) -> Response {
    let known = format!("Basic {}", BASE64.encode(b"ann:s?~>ecret"));
    if headers.get("authorization").is_none_or(|said| said != known.as_str()) {
        return (StatusCode::UNAUTHORIZED, [("www-authenticate", "Basic realm=\"test\"")]).into_response();
    }
    let path = path.map(|UrlPath(path)| path).unwrap_or_default();
    if path.is_empty() {
        return StatusCode::OK.into_response();
    }
    if path.starts_with("app/manifests/") {
        let kind = "application/vnd.docker.distribution.manifest.v2+json";
        let headers = [("content-type", kind.to_owned()), ("docker-content-digest", held.digest.clone())];
        return (headers, Bytes::from(held.manifest.clone())).into_response();
    }
    let blob = path.strip_prefix("app/blobs/").and_then(|name| held.blobs.get(name));
    blob.map_or(StatusCode::NOT_FOUND.into_response(), |blob| Bytes::from(blob.clone()).into_response())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_private_image_is_pulled_with_the_credential_that_the_docker_client_keeps() {
    let Some(mut stack) = Stack::new("pull").await else { return };
    let registry = Registry::start().await;
    let dir = tempfile::tempdir().unwrap();
    let pull = |image: &str, always: bool| Effect::EnsureImage {
        image: image.to_owned(),
        platform: None,
        always,
        id: None,
    };
    let tagged = Named(format!("{}/app:1", registry.address));
    let pinned = Named(format!("{}/app@{}", registry.address, registry.digest));

    stack.engine = host::Docker::connect().await.unwrap().with_credentials_of(dir.path());
    let error = stack.apply(&pull(&tagged.0, false)).await.unwrap_err();
    assert!(error.hint.as_deref().unwrap().contains("`docker login`"), "{error:?}");

    // Its base64 has characters that differ between the two alphabets.
    let auth = BASE64.encode(b"ann:s?~>ecret");
    let settings = json!({ "auths": { &registry.address: { "auth": auth } } });
    fs::write(dir.path().join("config.json"), settings.to_string()).unwrap();
    assert!(matches!(stack.apply(&pull(&tagged.0, false)).await.unwrap(), Output::Image { .. }));
    assert_eq!(stack.apply(&pull(&tagged.0, false)).await.unwrap(), Output::Unchanged);
    assert_eq!(stack.apply(&pull(&tagged.0, true)).await.unwrap(), Output::Unchanged);
    drop(tagged);
    assert!(matches!(stack.apply(&pull(&pinned.0, false)).await.unwrap(), Output::Image { .. }));

    let settings = json!({ "credsStore": "that-is-not-there" });
    fs::write(dir.path().join("config.json"), settings.to_string()).unwrap();
    let error = stack.apply(&pull(&format!("{}/app:2", registry.address), false)).await.unwrap_err();
    assert_eq!(error.trouble, Trouble::Denied);
    assert!(error.source.unwrap().to_string().contains("docker-credential-that-is-not-there"));
}

#[tokio::test]
async fn an_image_is_loaded_from_an_archive_and_is_there_when_it_is_loaded_again() {
    let Some(stack) = Stack::new("archive").await else { return };
    let dir = tempfile::tempdir().unwrap();
    let archive = dir.path().join("app.tar");
    let image = Named(format!("{}:1", stack.project));
    let made = |colour: &str| {
        put(dir.path(), &[("Dockerfile", &format!("FROM {}\nLABEL colour={colour}\n", stack.image))]);
        Build { context: dir.path().to_string_lossy().into_owned(), ..Build::default() }
    };
    let seen = async || {
        let archives = [(image.0.clone(), archive.to_string_lossy().into_owned())].into();
        let scope = host::Scope { archives, ..stack.scope() };
        host::Engine::observe(&stack.engine, &scope).await.unwrap().archives[&image.0].clone()
    };
    let docker =
        |arguments: &[&str]| assert!(Command::new("docker").args(arguments).status().unwrap().success());
    assert!(matches!(seen().await, plan::ArchiveSeen::Unusable { .. }));
    build(&stack, &image, made("red")).await.unwrap();
    docker(&["save", "--output", archive.to_str().unwrap(), &image.0]);
    assert_eq!(seen().await, plan::ArchiveSeen::Loaded);
    // Another image of that name is here, and then none.
    build(&stack, &image, made("green")).await.unwrap();
    for gone in [false, true] {
        if gone {
            docker(&["image", "rm", "--force", &image.0]);
        }
        let plan::ArchiveSeen::Waiting { id } = seen().await else { panic!("it waits") };
        let load = |id: &str| Effect::LoadImage {
            image: image.0.clone(),
            archive: archive.to_string_lossy().into_owned(),
            id: id.to_owned(),
        };
        let another = stack.apply(&load("sha256:00")).await.unwrap_err();
        assert_eq!(another.trouble, Trouble::Conflict);
        assert!(matches!(stack.apply(&load(&id)).await.unwrap(), Output::Image { .. }));
        assert_eq!(stack.apply(&load(&id)).await.unwrap(), Output::Unchanged);
        assert_eq!(inspected(&image.0, "{{ .Config.Labels.colour }}"), "red");
        assert_eq!(seen().await, plan::ArchiveSeen::Loaded);
    }
}

#[tokio::test]
async fn a_container_is_made_from_the_very_image_that_a_tag_named_before_it_moved() {
    let Some(stack) = Stack::new("moved").await else { return };
    let tag = Named(format!("{}:1", stack.name("app")));
    let name = |what: &str| drop(Command::new("docker").args(["tag", what, &tag.0]).output().unwrap());
    name(&stack.image);
    let before = inspected(&tag.0, "{{.Id}}");
    let dir = tempfile::tempdir().unwrap();
    put(dir.path(), &[("Dockerfile", &format!("FROM {}\nLABEL another=image\n", stack.image))]);
    let other = Named(format!("{}:2", stack.name("app")));
    let mut build = Command::new("docker");
    build.env("DOCKER_BUILDKIT", "0");
    let built = build.args(["build", "--quiet", "--tag", &other.0]).arg(dir.path()).output().unwrap();
    assert!(built.status.success(), "{built:?}");
    name(&other.0);
    assert_ne!(inspected(&tag.0, "{{.Id}}"), before, "the tag has moved");

    let very = |id: &str| Effect::EnsureImage {
        image: tag.0.clone(),
        platform: None,
        always: false,
        id: Some(id.to_owned()),
    };
    assert_eq!(stack.apply(&very(&before)).await.unwrap(), Output::Unchanged);
    let gone = stack.apply(&very(&format!("sha256:{}", "0".repeat(64)))).await.unwrap_err();
    assert_eq!(gone.trouble, Trouble::NotFound);
    assert!(gone.hint.as_deref().unwrap().contains("build or load it again"), "{gone:?}");

    let mut container = stack.container("web", "true");
    container.settings.image.clone_from(&tag.0);
    container.image_id = Some(before.clone());
    stack.apply(&create(&container)).await.unwrap();
    let seen = stack.engine.observe(&stack.scope()).await.unwrap().containers;
    assert_eq!(seen[0].image_id, before);
}
