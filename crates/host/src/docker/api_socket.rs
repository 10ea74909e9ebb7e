//! `use_api_socket`: the engine's own socket inside, and a place where its client's credentials are.

use plan::Delivered;
use stack::{ContentId, FileSource, Service};

/// Where the engine listens, outside and inside.
const SOCKET: &str = "/var/run/docker.sock";

/// The directory of the client's settings inside.
const SETTINGS: &str = "/run/secrets/docker";

/// The variable that names the directory of the client's settings.
const VARIABLE: &str = "DOCKER_CONFIG";

/// The socket, in the engine's old form of a mount.
pub(super) fn bind(settings: &Service) -> Option<String> {
    settings.use_api_socket.then(|| format!("{SOCKET}:{SOCKET}:rw"))
}

/// What tells the client inside where its settings are, unless the service says it itself.
pub(super) fn variable(settings: &Service) -> Option<String> {
    let said = settings.environment.contains_key(VARIABLE);
    (settings.use_api_socket && !said).then(|| format!("{VARIABLE}={SETTINGS}"))
}

/// The client's settings with the credentials that it has here, as a file: no release keeps them.
pub(super) fn settings(settings: &Service) -> Option<Delivered> {
    settings.use_api_socket.then(|| Delivered {
        target: format!("{SETTINGS}/config.json"),
        source: FileSource::Content { content: ContentId(String::new()), label: "credentials".to_owned() },
        version: None,
        uid: 0,
        gid: 0,
        mode: 0o444,
    })
}
