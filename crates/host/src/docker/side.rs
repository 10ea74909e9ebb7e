//! A short-lived container of this very binary beside the stack: inside one of its networks, with its volumes.

use std::{collections::HashMap, fs};

use bollard::{
    errors::Error,
    models::{ContainerCreateBody, HostConfig, HostConfigLogConfig, Mount, MountType},
    query_parameters::{
        AttachContainerOptionsBuilder, CreateContainerOptionsBuilder, ListContainersOptionsBuilder,
        ListImagesOptionsBuilder, RemoveContainerOptionsBuilder, RemoveImageOptions,
        WaitContainerOptionsBuilder,
    },
};
use futures_util::StreamExt;

use super::{Docker, fail::fail, self_image, streams::Attached};
use crate::{Arg, EngineError, Running, SideJob, Trouble};

/// Label of every side container, and of the image they are made from.
pub(super) const SIDE: &str = "seaworthy.side";

/// Label that names the process a side container serves.
const OWNER: &str = "seaworthy.side.owner";

/// Repository of the image they are made from.
const REPOSITORY: &str = "seaworthy-side";

/// How long the image of another build is left alone: a process of that build may just be using it.
const KEPT_SECS: i64 = 3600;

impl Docker {
    pub(super) async fn run_side(&self, job: &SideJob) -> Result<Running, EngineError> {
        let image = self.side_image().await?;
        let what = format!("side container `{}`", spoken(job));
        let doing = format!("start {what}");
        let name = format!("seaworthy-side-{:08x}", rand::random::<u32>());
        let options = CreateContainerOptionsBuilder::default().name(&name).build();
        let made = self.client.create_container(Some(options), body(&image, job)).await;
        let id = made.map_err(fail(doing.as_str()))?.id;
        match self.attach_and_start(&id, job, &what).await {
            Ok(running) => Ok(running),
            Err(error) => {
                // What was never started is not removed by the engine itself.
                remove(&self.client, &id).await;
                Err(fail(doing)(error))
            }
        }
    }

    /// The image of this binary, gathered once for this connection, and again only if somebody removed it.
    async fn side_image(&self) -> Result<String, EngineError> {
        if let Some(image) = self.side_image.get()
            && self.client.inspect_image(image).await.is_ok()
        {
            return Ok(image.clone());
        }
        let image = self_image::ensure(&self.client, &self.executable, REPOSITORY, &[]).await?;
        if self.side_image.set(image.clone()).is_ok() {
            self.remove_old_images(&image).await;
        }
        Ok(image)
    }

    /// Removes side images of other builds of the binary, older than a while, that nothing uses.
    async fn remove_old_images(&self, current: &str) {
        let label = vec![format!("{SIDE}=1")];
        let filters = HashMap::from([
            ("label".to_owned(), label),
            ("reference".to_owned(), vec![REPOSITORY.to_owned()]),
        ]);
        let options = ListImagesOptionsBuilder::default().filters(&filters).build();
        let now = jiff::Timestamp::now().as_second();
        let listed = self.client.list_images(Some(options)).await.unwrap_or_default();
        let old = listed.iter().filter(|image| now - image.created > KEPT_SECS);
        for tag in old.flat_map(|image| &image.repo_tags).filter(|tag| *tag != current) {
            // One that a container uses is refused, and that is right.
            drop(self.client.remove_image(tag, None::<RemoveImageOptions>, None).await);
        }
    }

    async fn attach_and_start(&self, id: &str, job: &SideJob, what: &str) -> Result<Running, Error> {
        // Asked before the start: the engine removes the container at its end, and its exit status with it.
        let options = WaitContainerOptionsBuilder::default().condition("removed").build();
        let mut waiting = Box::pin(self.client.wait_container(id, Some(options)));
        let waiting = tokio::spawn(async move { waiting.next().await });
        let options =
            AttachContainerOptionsBuilder::default().stream(true).stdin(job.stdin).stdout(true).stderr(true);
        let attached = self.client.attach_container(id, Some(options.build())).await?;
        self.client.start_container(id, None).await?;
        let doing = format!("wait for {what}");
        let finish = async move {
            match waiting.await {
                Ok(Some(Ok(ended))) => Ok(ended.status_code),
                // The client calls every status but 0 an error.
                Ok(Some(Err(Error::DockerContainerWaitError { code, error }))) if error.is_empty() => {
                    Ok(code)
                }
                Ok(Some(Err(error))) => Err(fail(doing)(error)),
                Ok(None) | Err(_) => Err(EngineError::new(Trouble::Lost, doing)),
            }
        };
        let (client, id) = (self.client.clone(), id.to_owned());
        Ok(Attached {
            output: attached.output,
            input: job.stdin.then_some(attached.input),
            what: what.to_owned(),
            finish: Box::pin(finish),
            abandon: Box::pin(async move { remove(&client, &id).await }),
        }
        .run())
    }

    /// Removes side containers of processes that are no more, once per connection.
    ///
    /// A process that is killed cannot remove its own. One whose owner cannot be seen from here is left alone.
    pub(super) async fn sweep_side_containers(&self) {
        let sweep = async {
            let Some(space) = pid_space().filter(|_| self.local) else { return };
            let filters = HashMap::from([("label".to_owned(), vec![OWNER.to_owned()])]);
            let options = ListContainersOptionsBuilder::default().all(true).filters(&filters).build();
            // Housekeeping: what fails here is found again by the next run.
            for container in self.client.list_containers(Some(options)).await.unwrap_or_default() {
                let owner = container.labels.as_ref().and_then(|labels| labels.get(OWNER));
                if let (Some(id), true) = (&container.id, owner.is_some_and(|owner| is_gone(owner, &space))) {
                    remove(&self.client, id).await;
                }
            }
        };
        self.swept.get_or_init(|| sweep).await;
    }
}

/// Removes a side container whatever it is doing. There is nobody to tell where that fails: it may be gone already.
async fn remove(client: &bollard::Docker, id: &str) {
    let options = RemoveContainerOptionsBuilder::default().force(true).v(true).build();
    drop(client.remove_container(id, Some(options)).await);
}

fn body(image: &str, job: &SideJob) -> ContainerCreateBody {
    let volumes = job.volumes.iter().map(|(name, writable)| Mount {
        typ: Some(MountType::VOLUME),
        source: Some(name.clone()),
        target: Some(inside(name)),
        read_only: Some(!writable),
        ..Default::default()
    });
    let owner =
        pid_space().map_or_else(String::new, |space| owner(&space, std::process::id()).unwrap_or_default());
    ContainerCreateBody {
        image: Some(image.to_owned()),
        cmd: Some(std::iter::once("side".to_owned()).chain(job.arguments.iter().map(argument)).collect()),
        labels: Some(HashMap::from([(SIDE.to_owned(), "1".to_owned()), (OWNER.to_owned(), owner)])),
        open_stdin: Some(job.stdin),
        stdin_once: Some(job.stdin),
        attach_stdin: Some(job.stdin),
        attach_stdout: Some(true),
        attach_stderr: Some(true),
        host_config: Some(HostConfig {
            auto_remove: Some(true),
            network_mode: Some(job.network.clone().unwrap_or_else(|| "none".to_owned())),
            mounts: Some(volumes.collect()),
            readonly_rootfs: Some(true),
            tmpfs: Some(HashMap::from([("/tmp".to_owned(), String::new())])),
            security_opt: Some(vec!["no-new-privileges".to_owned()]),
            // What passes through is nobody else's business, and may be a database.
            log_config: Some(HostConfigLogConfig { typ: Some("none".to_owned()), config: None }),
            ..Default::default()
        }),
        ..Default::default()
    }
}

/// Where a side container sees a volume.
fn inside(volume: &str) -> String {
    format!("/volumes/{volume}")
}

fn argument(argument: &Arg) -> String {
    match argument {
        Arg::Literal(text) => text.clone(),
        Arg::InVolume { volume, path } => format!("{}/{path}", inside(volume)),
    }
}

fn spoken(job: &SideJob) -> String {
    job.arguments.iter().map(argument).collect::<Vec<_>>().join(" ")
}

/// The process id space we live in: process ids mean nothing outside it.
fn pid_space() -> Option<String> {
    Some(fs::read_link("/proc/self/ns/pid").ok()?.to_string_lossy().into_owned())
}

/// A process as a label: id space, id, and when it began, because ids are used again.
fn owner(space: &str, pid: u32) -> Option<String> {
    /// Place of the start time in `/proc/PID/stat`, counted after the name, which may hold anything.
    const STARTED: usize = 19;
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let started = stat.rsplit_once(") ")?.1.split(' ').nth(STARTED)?;
    Some(format!("{space}/{pid}/{started}"))
}

fn is_gone(label: &str, space: &str) -> bool {
    let Some(rest) = label.strip_prefix(space).and_then(|rest| rest.strip_prefix('/')) else { return false };
    let Some((pid, _)) = rest.split_once('/') else { return false };
    let Ok(pid) = pid.parse() else { return false };
    owner(space, pid).as_deref() != Some(label)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_that_lives_is_not_gone_and_one_of_another_space_is_left_alone() {
        let space = pid_space().unwrap();
        let me = owner(&space, std::process::id()).unwrap();
        assert!(!is_gone(&me, &space));
        assert!(is_gone(&format!("{space}/{}/1", std::process::id()), &space));
        assert!(is_gone(&format!("{space}/4294967295/1"), &space));
        assert!(!is_gone(&format!("{space}/4294967295/1"), "pid:[1]"));
        assert!(!is_gone("", &space));
    }
}
