//! What Docker tells to whoever looks for a cause: why containers ended, what images are for, what registries say.

use std::{collections::BTreeMap, os::unix::fs::MetadataExt, path::PathBuf};

use bollard::models::ContainerState;
use plan::doctor::Signs;

use super::{
    Docker, SOCKET,
    fail::{fail, found},
    image::saying,
};
use crate::{EngineError, Examined, Unfetchable, machine};

impl Docker {
    pub(super) async fn examine_them(
        &self,
        containers: &[String],
        images: &[String],
    ) -> Result<Examined, EngineError> {
        let info = self.client.info().await.map_err(fail("ask the Docker Engine about itself"))?;
        let mut examined = Examined {
            clock: info.system_time.and_then(|time| time.parse().ok()),
            machine: info.architecture.map(|name| as_images_name_it(&name).to_owned()),
            keeps: info.docker_root_dir.filter(|_| self.local).map(PathBuf::from),
            containers: BTreeMap::new(),
            images: BTreeMap::new(),
        };
        for name in containers {
            let inspected = found(self.client.inspect_container(name, None).await);
            let inspected = inspected.map_err(fail(format!("inspect container `{name}`")))?;
            if let Some(inspected) = inspected {
                let signs = signs(inspected.state.unwrap_or_default(), inspected.restart_count);
                examined.containers.insert(name.clone(), signs);
            }
        }
        for image in images {
            if let Some(built_for) = self.image(image).await?.and_then(|inspected| inspected.architecture) {
                examined.images.insert(image.clone(), built_for);
            }
        }
        Ok(examined)
    }

    /// Asks the registry through the engine: by the way, the proxy and the authorities that a pull has.
    pub(super) async fn ask_registry(&self, image: &str) -> Result<(), Unfetchable> {
        let credential = match self.registries.of_image(image).await {
            Ok(credential) => credential,
            Err(err) => return Err(Unfetchable { said: diag::causes(&err).join(": "), known: false }),
        };
        let known = credential.is_some();
        let credential = credential.map(|credential| ("X-Registry-Auth", credential.header(image)));
        let client = saying(self.client.clone(), credential, "");
        let answer = client.inspect_registry_image(&stack::image::tagged(image), None).await;
        let said = |err: bollard::errors::Error| match err {
            bollard::errors::Error::DockerResponseServerError { message, .. } => message,
            other => diag::causes(&other).join(": "),
        };
        answer.map(|_| ()).map_err(|err| Unfetchable { said: said(err), known })
    }
}

/// What is known of the engine's socket, where it can be looked at: whose it is, and what they may.
pub fn socket_seen() -> Option<String> {
    let named = std::env::var("DOCKER_HOST").unwrap_or_default();
    let path = if named.is_empty() { SOCKET } else { named.strip_prefix("unix://")? };
    let seen = std::fs::metadata(path).ok()?;
    let group = machine::group_name(seen.gid());
    Some(format!("`{path}` is for group {group}, mode {:o}", seen.mode() & 0o777))
}

fn signs(state: ContainerState, restarts: Option<i64>) -> Signs {
    let check = state.health.and_then(|health| health.log?.pop()?.output);
    Signs {
        out_of_memory: state.oom_killed.unwrap_or(false),
        restarts: restarts.and_then(|restarts| u64::try_from(restarts).ok()).unwrap_or(0),
        started_at: state.started_at.and_then(|at| at.parse().ok()),
        not_started: state.error.filter(|said| !said.is_empty()),
        check: check.map(|said| said.trim().to_owned()).filter(|said| !said.is_empty()),
    }
}

/// An engine calls its machine as the kernel does, images call theirs as Go does.
fn as_images_name_it(kernel: &str) -> &str {
    match kernel {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        "armv6l" | "armv7l" | "armhf" => "arm",
        "i686" | "i386" => "386",
        other => other,
    }
}
