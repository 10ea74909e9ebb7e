use std::os::unix::fs::PermissionsExt;

use super::*;

/// A directory with these settings, and programs that answer as scripts.
struct World(tempfile::TempDir);

impl World {
    fn new(settings: &str) -> Self {
        let world = Self(tempfile::tempdir().unwrap());
        fs::write(world.0.path().join("config.json"), settings).unwrap();
        world
    }

    fn program(self, name: &str, script: &str) -> Self {
        let path = self.0.path().join(format!("docker-credential-{name}"));
        fs::write(&path, format!("#!/bin/sh\n{script}\n")).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
        self
    }

    fn client(&self) -> Client {
        let path = format!("{}:/usr/bin:/bin", self.0.path().display());
        Client { dir: Some(self.0.path().to_owned()), path: path.into() }
    }

    /// What the engine would be told, in plain words.
    async fn told(&self, image: &str) -> Result<String, CredentialError> {
        let credential = self.client().of_image(image).await?;
        Ok(credential.map_or_else(|| "nothing".to_owned(), |credential| plain(&credential.header(image))))
    }
}

fn plain(header: &Secret<String>) -> String {
    String::from_utf8(BASE64URL.decode(header.expose().as_bytes()).unwrap()).unwrap()
}

/// A program that gives what it was asked for as part of its answer: the registry comes on stdin.
const GIVES: &str =
    r#"read registry; echo "{\"ServerURL\":\"$registry\",\"Username\":\"$1\",\"Secret\":\"s-$registry\"}""#;

#[tokio::test]
async fn the_file_itself_is_looked_into_by_every_spelling_of_a_registry() {
    let world = World::new(
        r#"{ "auths": {
            "https://index.docker.io/v1/": { "auth": "YW5uOmE6Yg==" },
            "https://r.example.org/v2/": { "auth": "Ym9iOnh+fj8/" },
            "plain:5000": { "username": "eve", "password": "p" },
            "token.example.org": { "identitytoken": "t" },
            "empty.example.org": {} } }"#,
    );
    let cases = [
        ("nginx", r#"{"password":"a:b","serveraddress":"https://index.docker.io/v1/","username":"ann"}"#),
        (
            "docker.io/library/nginx:1",
            r#"{"password":"a:b","serveraddress":"https://index.docker.io/v1/","username":"ann"}"#,
        ),
        (
            "r.example.org/app@sha256:00",
            r#"{"password":"x~~??","serveraddress":"r.example.org","username":"bob"}"#,
        ),
        ("plain:5000/app", r#"{"password":"p","serveraddress":"plain:5000","username":"eve"}"#),
        ("token.example.org/app", r#"{"identitytoken":"t","serveraddress":"token.example.org"}"#),
        ("empty.example.org/app", "nothing"),
        ("localhost/app", "nothing"),
    ];
    for (image, expected) in cases {
        assert_eq!(world.told(image).await.unwrap(), expected, "{image}");
    }
}

#[tokio::test]
async fn programs_come_before_the_file_and_one_for_a_registry_before_the_one_for_all() {
    let world = World::new(
        r#"{ "auths": { "r.org": { "auth": "YW5uOmFubg==" } }, "credsStore": "all", "credHelpers": { "one.org": "one" } }"#,
    )
    .program("all", &GIVES.replace("$1", "<token>"))
    .program("one", &GIVES.replace("$1", "carl"));
    let told = world.told("one.org/app").await.unwrap();
    assert_eq!(told, r#"{"password":"s-one.org","serveraddress":"one.org","username":"carl"}"#);
    let told = world.told("r.org/app").await.unwrap();
    assert_eq!(told, r#"{"identitytoken":"s-r.org","serveraddress":"r.org"}"#);
}

#[tokio::test]
async fn what_a_program_does_not_know_is_nothing_and_what_it_fails_at_is_said_without_its_words() {
    let world = |script: &str| World::new(r#"{ "credsStore": "p" }"#).program("p", script);
    let unknown = world("echo 'credentials not found in native keychain'; exit 1");
    assert_eq!(unknown.told("r.org/app").await.unwrap(), "nothing");
    let failing =
        world("echo 'hunter2 is locked'; echo hunter2 >&2; exit 3").told("r.org/app").await.unwrap_err();
    assert_eq!(
        failing.to_string(),
        "`docker-credential-p` ended with exit status: 3 when it was asked for `r.org`"
    );
    let garbled = world("echo hunter2").told("r.org/app").await.unwrap_err();
    assert_eq!(
        garbled.to_string(),
        "`docker-credential-p` answered with something else than a credential of `r.org`"
    );
    let missing = World::new(r#"{ "credsStore": "gone" }"#).told("r.org/app").await.unwrap_err();
    assert_eq!(
        missing.to_string(),
        "cannot run `docker-credential-gone`, which keeps the credential of `r.org`"
    );
    for error in [failing, garbled, missing] {
        assert!(!format!("{error:?}").contains("hunter2"));
    }
}

#[tokio::test]
async fn a_settings_file_that_is_none_is_named_and_not_quoted() {
    let world = World::new("{ \"auths\": hunter2 }");
    let said = world.told("r.org/app").await.unwrap_err().to_string();
    assert!(said.ends_with("is no settings file of the Docker client: line 1") && !said.contains("hunter2"));
    let said = World::new(r#"{ "auths": { "r.org": { "auth": "hunter2!" } } }"#).told("r.org/app").await;
    let said = said.unwrap_err().to_string();
    assert!(said.starts_with("the credential of `r.org` in") && !said.contains("hunter2"), "{said}");
    let nowhere = Client { dir: None, path: OsString::new() };
    assert_eq!(nowhere.of_image("app").await.unwrap(), None);
}

#[tokio::test]
async fn all_there_are_come_from_everywhere() {
    let list = r#"if [ $1 = list ]; then echo '{"store.org":"dora"}'; exit; fi"#;
    let script = format!("{list}\n{}", GIVES.replace("$1\\", "dora\\"));
    let world = World::new(
        r#"{ "auths": { "file.org": { "auth": "YW5uOmFubg==" } }, "credHelpers": { "one.org": "one" } }"#,
    )
    .program("one", &GIVES.replace("$1", "carl"));
    let all = world.client().all().await.unwrap();
    let told = plain(&header_of_all(&all));
    let carl = r#""one.org":{"password":"s-one.org","serveraddress":"one.org","username":"carl"}"#;
    let ann = r#""file.org":{"password":"ann","serveraddress":"file.org","username":"ann"}"#;
    assert_eq!(told, format!("{{{ann},{carl}}}"));
    let file = String::from_utf8(settings_file(&all).expose().clone()).unwrap();
    assert_eq!(
        file,
        r#"{"auths":{"file.org":{"auth":"YW5uOmFubg=="},"one.org":{"auth":"Y2FybDpzLW9uZS5vcmc="}}}"#
    );
    let stored =
        World::new(r#"{ "credsStore": "all" }"#).program("all", &script).client().all().await.unwrap();
    assert_eq!(stored.keys().collect::<Vec<_>>(), ["store.org"]);
    assert!(!format!("{stored:?}").contains("s-store.org"));
}
