//! Credentials of registries, from where the Docker client keeps them: `config.json` and the `docker-credential-*`
//! programs it names. A password goes through pipes alone, and into the one header that the engine takes it in.

use std::{
    collections::{BTreeMap, HashMap},
    ffi::OsString,
    fs, io,
    path::PathBuf,
    process::{Output, Stdio},
    time::Duration,
};

use data_encoding::{BASE64, BASE64_NOPAD, BASE64URL};
use secrets::Secret;
use serde::Deserialize;
use serde_json::{Map, Value, json};
use tokio::{io::AsyncWriteExt, process::Command};

/// The name under which the client keeps the credential of the registry that images without one come from.
const HUB: &str = "https://index.docker.io/v1/";

/// How long a program may take to give a credential: it may ask a keyring, and nobody is there to answer a question.
const HELPER: Duration = Duration::from_secs(30);

/// What programs say of a registry that they know nothing of.
const NOT_FOUND: &str = "credentials not found in native keychain";

/// The user name that says that the secret is an identity token.
const TOKEN: &str = "<token>";

/// The settings of the Docker client.
#[derive(Debug, Clone)]
pub(super) struct Client {
    /// Their directory: `DOCKER_CONFIG`, else `~/.docker`.
    pub(super) dir: Option<PathBuf>,
    /// Where programs are looked for.
    pub(super) path: OsString,
}

/// A credential could not be had.
#[derive(Debug, thiserror::Error)]
pub(super) enum CredentialError {
    #[error("cannot read `{path}`")]
    Read {
        path: PathBuf,
        #[source]
        err: io::Error,
    },
    #[error("`{path}` is no settings file of the Docker client: line {line}")]
    Parse { path: PathBuf, line: usize },
    #[error("the credential of `{registry}` in `{path}` is not what the Docker client writes")]
    Auth { registry: String, path: PathBuf },
    #[error("cannot run `{program}`, which keeps the credential of `{registry}`")]
    Start {
        program: String,
        registry: String,
        #[source]
        err: io::Error,
    },
    #[error("`{program}` gave no credential of `{registry}` in {} s", HELPER.as_secs())]
    Slow { program: String, registry: String },
    #[error("`{program}` ended with {status} when it was asked for `{registry}`")]
    Helper { program: String, registry: String, status: std::process::ExitStatus },
    #[error("`{program}` answered with something else than a credential of `{registry}`")]
    Answer { program: String, registry: String },
}

/// Who somebody is to a registry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Credential {
    /// A name and a password.
    Password { user: String, password: Secret<String> },
    /// A token that stands for both.
    Token(Secret<String>),
}

/// The parts of `config.json` that are about credentials.
#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Settings {
    auths: BTreeMap<String, Auth>,
    creds_store: String,
    cred_helpers: BTreeMap<String, String>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Auth {
    auth: String,
    username: String,
    password: String,
    identitytoken: String,
}

/// What a program answers.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Answer {
    username: String,
    secret: String,
}

impl Client {
    /// That of whoever runs this program.
    pub(super) fn of_environment() -> Self {
        let home = || std::env::home_dir().map(|home| home.join(".docker"));
        let dir = std::env::var_os("DOCKER_CONFIG").filter(|dir| !dir.is_empty()).map(PathBuf::from);
        Self { dir: dir.or_else(home), path: std::env::var_os("PATH").unwrap_or_default() }
    }

    /// The credential for the registry of an image; `None`: there is none, and it is asked as anybody.
    pub(super) async fn of_image(&self, image: &str) -> Result<Option<Credential>, CredentialError> {
        self.of_registry(&self.settings()?, registry(image)).await
    }

    /// All there are, by registry.
    pub(super) async fn all(&self) -> Result<BTreeMap<String, Credential>, CredentialError> {
        let settings = self.settings()?;
        let mut registries: Vec<String> =
            settings.auths.keys().chain(settings.cred_helpers.keys()).cloned().collect();
        if !settings.creds_store.is_empty() {
            let listed = self.ask(&settings.creds_store, "list", "all registries").await?;
            registries.extend(listed.into_iter().flat_map(|listed| match listed {
                Value::Object(listed) => listed.into_iter().map(|(registry, _)| registry).collect(),
                _ => Vec::new(),
            }));
        }
        registries.sort();
        registries.dedup();
        let mut all = BTreeMap::new();
        for registry in registries {
            if let Some(credential) = self.of_registry(&settings, &registry).await? {
                all.insert(registry, credential);
            }
        }
        Ok(all)
    }

    fn file(&self) -> Option<PathBuf> {
        Some(self.dir.as_ref()?.join("config.json"))
    }

    fn settings(&self) -> Result<Settings, CredentialError> {
        let Some(path) = self.file() else { return Ok(Settings::default()) };
        match fs::read(&path) {
            Ok(bytes) => {
                let bytes = Secret::new(bytes);
                // The parser's own words may quote what it read.
                serde_json::from_slice(bytes.expose())
                    .map_err(|err| CredentialError::Parse { path, line: err.line() })
            }
            Err(err) if err.kind() == io::ErrorKind::NotFound => Ok(Settings::default()),
            Err(err) => Err(CredentialError::Read { path, err }),
        }
    }

    async fn of_registry(
        &self,
        settings: &Settings,
        registry: &str,
    ) -> Result<Option<Credential>, CredentialError> {
        let helper = settings.cred_helpers.get(registry).unwrap_or(&settings.creds_store);
        if !helper.is_empty() {
            return self.of_helper(helper, registry).await;
        }
        let same = |known: &&String| host(known) == host(registry);
        let known = settings.auths.get_key_value(registry);
        let known = known.or_else(|| settings.auths.iter().find(|(known, _)| same(known)));
        known.map_or(Ok(None), |(_, auth)| self.of_auth(auth, registry))
    }

    fn of_auth(&self, auth: &Auth, registry: &str) -> Result<Option<Credential>, CredentialError> {
        if !auth.identitytoken.is_empty() {
            return Ok(Some(Credential::Token(Secret::from(auth.identitytoken.as_str()))));
        }
        if auth.auth.is_empty() {
            let password = Secret::from(auth.password.as_str());
            let user = Some(auth.username.clone()).filter(|user| !user.is_empty());
            return Ok(user.map(|user| Credential::Password { user, password }));
        }
        let wrong =
            || CredentialError::Auth { registry: registry.to_owned(), path: self.file().unwrap_or_default() };
        let encoded = auth.auth.trim_end_matches('=').as_bytes();
        let decoded = Secret::new(BASE64_NOPAD.decode(encoded).map_err(|_| wrong())?);
        let text = std::str::from_utf8(decoded.expose()).map_err(|_| wrong())?;
        let (user, password) = text.split_once(':').ok_or_else(wrong)?;
        let password = Secret::from(password.trim_end_matches('\0'));
        Ok(Some(Credential::Password { user: user.to_owned(), password }))
    }

    async fn of_helper(&self, name: &str, registry: &str) -> Result<Option<Credential>, CredentialError> {
        let Some(answer) = self.ask(name, "get", registry).await? else { return Ok(None) };
        let program = || format!("docker-credential-{name}");
        let answer: Answer = serde_json::from_value(answer)
            .map_err(|_| CredentialError::Answer { program: program(), registry: registry.to_owned() })?;
        let secret = Secret::new(answer.secret);
        Ok(Some(if answer.username == TOKEN {
            Credential::Token(secret)
        } else {
            Credential::Password { user: answer.username, password: secret }
        }))
    }

    /// What a program answers on its stdout; `None`: it knows of no such registry.
    async fn ask(&self, name: &str, verb: &str, registry: &str) -> Result<Option<Value>, CredentialError> {
        let program = format!("docker-credential-{name}");
        let answered = tokio::time::timeout(HELPER, run(&program, &self.path, verb, registry)).await;
        let registry = registry.to_owned();
        let output = match answered {
            Ok(Ok(output)) => output,
            Ok(Err(err)) => return Err(CredentialError::Start { program, registry, err }),
            Err(_) => return Err(CredentialError::Slow { program, registry }),
        };
        let said = Secret::new(output.stdout);
        if output.status.success() {
            let answer = serde_json::from_slice(said.expose());
            return answer.map(Some).map_err(|_| CredentialError::Answer { program, registry });
        }
        // What it printed is not repeated: it may have printed more than it should.
        match String::from_utf8_lossy(said.expose()).trim() {
            NOT_FOUND => Ok(None),
            _ => Err(CredentialError::Helper { program, registry, status: output.status }),
        }
    }
}

async fn run(program: &str, path: &OsString, verb: &str, registry: &str) -> io::Result<Output> {
    let mut child = Command::new(program)
        .arg(verb)
        .env("PATH", path)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .kill_on_drop(true)
        .spawn()?;
    if let Some(mut stdin) = child.stdin.take().filter(|_| verb == "get") {
        // A program that does not read it says so by its answer.
        drop(stdin.write_all(registry.as_bytes()).await);
    }
    child.wait_with_output().await
}

impl Credential {
    fn to_json(&self, registry: &str) -> Value {
        match self {
            Self::Token(token) => json!({ "serveraddress": registry, "identitytoken": token.expose() }),
            Self::Password { user, password } => {
                json!({ "serveraddress": registry, "username": user, "password": password.expose() })
            }
        }
    }

    /// As the engine takes it in `X-Registry-Auth`.
    pub(super) fn header(&self, image: &str) -> Secret<String> {
        let text = Secret::new(self.to_json(registry(image)).to_string());
        Secret::new(BASE64URL.encode(text.expose().as_bytes()))
    }
}

/// As the engine takes them in `X-Registry-Config`.
pub(super) fn header_of_all(all: &BTreeMap<String, Credential>) -> Secret<String> {
    let by_registry: Map<String, Value> =
        all.iter().map(|(registry, credential)| (registry.clone(), credential.to_json(registry))).collect();
    let text = Secret::new(Value::Object(by_registry).to_string());
    Secret::new(BASE64URL.encode(text.expose().as_bytes()))
}

/// As the client keeps them in a file: for a client inside a container that is given the engine's socket.
pub(super) fn settings_file(all: &BTreeMap<String, Credential>) -> Secret<Vec<u8>> {
    let auths: HashMap<&String, Value> = all
        .iter()
        .map(|(registry, credential)| {
            let auth = match credential {
                Credential::Token(token) => json!({ "identitytoken": token.expose() }),
                Credential::Password { user, password } => {
                    let pair = Secret::new(format!("{user}:{}", password.expose()));
                    json!({ "auth": BASE64.encode(pair.expose().as_bytes()) })
                }
            };
            (registry, auth)
        })
        .collect();
    Secret::new(json!({ "auths": auths }).to_string().into_bytes())
}

/// The registry of an image, as the client names it.
fn registry(image: &str) -> &str {
    match stack::image::registry(image) {
        None | Some("docker.io" | "index.docker.io") => HUB,
        Some(host) => host,
    }
}

/// The host of a registry, however it was written when somebody logged in.
fn host(registry: &str) -> &str {
    let rest = registry.split_once("://").map_or(registry, |(_, rest)| rest);
    rest.split('/').next().unwrap_or(rest)
}

#[cfg(test)]
mod tests;
