//! What one container should be: from a shape and the secret versions it is given to a [`Container`], and what
//! makes two of them differ.

use std::{cmp::Reverse, collections::BTreeMap};

use serde_json::Value;
use sha2::{Digest, Sha256};
use stack::{
    Attachment, Condition, FileSource, MountSource, NetworkKey, SecretName, Service, ServiceName, Shape,
    VolumeKey,
};

use crate::{Container, Delivered, NetworkSpec, ResolvedMount, VolumeSpec, references};

/// The Compose version whose labels ours equal, so that its commands work on our stacks.
const COMPOSE_VERSION: &str = "2.40.3";

/// Secret versions a release uses.
pub type Versions = BTreeMap<SecretName, u32>;

/// What the containers of `service` should be in `release`, first to last: as many as it is scaled to.
///
/// Pure: the same shape, versions and state directory always give the same containers, whatever the release.
pub fn replicas(
    shape: &Shape,
    service: &ServiceName,
    versions: &Versions,
    release: u64,
    state_dir: &str,
) -> Vec<Container> {
    let one = |number| numbered(shape, service, number, versions, release, state_dir);
    (1..=shape.services[service].replicas()).map(one).collect()
}

/// What the first container of `service` should be in `release`.
pub fn container(
    shape: &Shape,
    service: &ServiceName,
    versions: &Versions,
    release: u64,
    state_dir: &str,
) -> Container {
    numbered(shape, service, 1, versions, release, state_dir)
}

fn numbered(
    shape: &Shape,
    service: &ServiceName,
    number: u32,
    versions: &Versions,
    release: u64,
    state_dir: &str,
) -> Container {
    let mut settings = shape.services[service].clone();
    references::name_containers(shape, &mut settings, number);
    let mut made = Container {
        name: shape.nth_container_name(service, number),
        stack: shape.stack.clone(),
        service: service.clone(),
        number,
        release,
        image_id: None,
        identity: String::new(),
        networks: networks_of(shape, service, &settings),
        mounts: mounts_of(shape, &settings),
        files: files_of(&settings, versions),
        labels: BTreeMap::new(),
        settings,
    };
    made.identity = identity(&made, versions);
    made.labels = labels(shape, &made, state_dir);
    made
}

/// What a person calls a container: its service, with its number where there are several.
pub fn subject(service: &ServiceName, number: u32, replicas: u32) -> String {
    if replicas > 1 { format!("{service} {number}") } else { service.to_string() }
}

impl Container {
    /// What a person calls it.
    pub fn subject(&self) -> String {
        subject(&self.service, self.number, self.settings.replicas())
    }
}

/// The network as the engine is to make it, with Compose's labels.
pub fn network(shape: &Shape, key: &NetworkKey) -> NetworkSpec {
    let network = &shape.networks[key];
    let mut labels = network.labels.clone();
    labels.insert("com.docker.compose.project".into(), shape.stack.to_string());
    labels.insert("com.docker.compose.network".into(), key.to_string());
    labels.insert("com.docker.compose.version".into(), COMPOSE_VERSION.into());
    NetworkSpec {
        name: shape.network_name(key),
        internal: network.internal,
        driver: network.driver.clone(),
        driver_opts: network.driver_opts.clone(),
        attachable: network.attachable,
        enable_ipv4: network.enable_ipv4,
        enable_ipv6: network.enable_ipv6,
        ipam: network.ipam.clone(),
        labels,
    }
}

/// The volume as the engine is to make it, with Compose's labels.
pub fn volume(shape: &Shape, key: &VolumeKey) -> VolumeSpec {
    let volume = &shape.volumes[key];
    let mut labels = volume.labels.clone();
    labels.insert("com.docker.compose.project".into(), shape.stack.to_string());
    labels.insert("com.docker.compose.volume".into(), key.to_string());
    labels.insert("com.docker.compose.version".into(), COMPOSE_VERSION.into());
    VolumeSpec {
        name: shape.volume_name(key),
        driver: volume.driver.clone(),
        driver_opts: volume.driver_opts.clone(),
        labels,
    }
}

fn networks_of(shape: &Shape, service: &ServiceName, settings: &Service) -> BTreeMap<String, Attachment> {
    let named = |(key, attachment): (&NetworkKey, &Attachment)| {
        let mut attachment = attachment.clone();
        attachment.aliases.insert(0, service.to_string());
        (shape.network_name(key), attachment)
    };
    let mut networks: Vec<(String, Attachment)> = settings.networks.iter().map(named).collect();
    networks.sort_by_key(|(_, attachment)| Reverse(attachment.priority));
    // Among equals the order is that of the keys, which the engine does not know.
    if !networks.is_sorted_by_key(|(name, attachment)| (Reverse(attachment.priority), name.clone())) {
        for ((_, attachment), place) in networks.iter_mut().rev().zip(0..) {
            attachment.priority = place;
        }
    }
    networks.into_iter().collect()
}

fn mounts_of(shape: &Shape, settings: &Service) -> Vec<ResolvedMount> {
    let resolve = |mount: &stack::Mount| {
        let target = mount.target.clone();
        let read_only = mount.read_only;
        match &mount.source {
            MountSource::Volume { volume, nocopy, subpath } => ResolvedMount::Volume {
                name: shape.volume_name(volume),
                target,
                read_only,
                nocopy: *nocopy,
                subpath: subpath.clone(),
            },
            MountSource::Anonymous => ResolvedMount::Anonymous { target },
            MountSource::Bind { path, content: Some(content), options } => ResolvedMount::Kept {
                content: content.clone(),
                source: path.clone(),
                target,
                options: options.clone(),
            },
            MountSource::Bind { path, content: None, options } => {
                ResolvedMount::Bind { source: path.clone(), target, read_only, options: options.clone() }
            }
            MountSource::Tmpfs { size_bytes, mode } => {
                ResolvedMount::Tmpfs { target, size_bytes: *size_bytes, mode: *mode }
            }
            MountSource::Image { image, subpath } => {
                ResolvedMount::Image { image: image.clone(), target, subpath: subpath.clone() }
            }
        }
    };
    settings.mounts.iter().map(resolve).collect()
}

fn files_of(settings: &Service, versions: &Versions) -> Vec<Delivered> {
    let deliver = |file: &stack::FileMount| Delivered {
        target: file.target.clone(),
        version: match &file.source {
            FileSource::Secret { name } => versions.get(name).copied(),
            FileSource::Content { .. } => None,
        },
        source: file.source.clone(),
        uid: file.uid,
        gid: file.gid,
        mode: file.mode,
    };
    settings.files.iter().map(deliver).collect()
}

/// Hash of everything that makes this container what it is: contents of files and secret versions included,
/// what only concerns us (probes, order) left out.
fn identity(container: &Container, versions: &Versions) -> String {
    let mut used: Versions = versions.clone();
    used.retain(|name, _| container.settings.secrets_used().contains(name));
    let parts = (
        concerning_the_engine(&container.settings),
        &container.networks,
        &container.mounts,
        &container.files,
        used,
    );
    let text = serde_json::to_vec(&parts).expect("plain values always serialise");
    data_encoding::HEXLOWER.encode(&Sha256::digest(text))[..32].to_owned()
}

/// Settings that the engine is told, as JSON.
fn concerning_the_engine(settings: &Service) -> serde_json::Map<String, Value> {
    let value = serde_json::to_value(settings).expect("plain values always serialise");
    let Value::Object(mut map) = value else { return serde_json::Map::new() };
    let ours =
        ["probes", "depends_on", "pull_policy", "build", "archive", "scale", "networks", "mounts", "files"];
    for ours in ours {
        map.remove(ours);
    }
    map
}

fn labels(shape: &Shape, container: &Container, state_dir: &str) -> BTreeMap<String, String> {
    let mut labels = container.settings.labels.clone();
    let files = absolute_files(shape);
    let depends: Vec<String> = shape
        .dependencies(&container.service)
        .iter()
        .map(|(name, on)| format!("{name}:{}:{}", condition_word(on.condition), on.restart))
        .collect();
    let compose = [
        ("project", container.stack.to_string()),
        ("service", container.service.to_string()),
        ("container-number", container.number.to_string()),
        ("oneoff", "False".to_owned()),
        ("project.working_dir", shape.directory.clone()),
        ("project.config_files", files.join(",")),
        ("depends_on", depends.join(",")),
        ("config-hash", container.identity.clone()),
        ("version", COMPOSE_VERSION.to_owned()),
    ];
    labels.extend(compose.map(|(key, value)| (format!("com.docker.compose.{key}"), value)));
    labels.insert("seaworthy.release".into(), container.release.to_string());
    labels.insert("seaworthy.identity".into(), container.identity.clone());
    labels.insert("seaworthy.state".into(), state_dir.to_owned());
    labels
}

/// The Compose files by absolute path, as Compose labels them. They are named from where the verb was typed, and the
/// project directory is that of the first, where nobody said otherwise.
fn absolute_files(shape: &Shape) -> Vec<String> {
    let plain = |file: &str| file.trim_start_matches("./").to_owned();
    let first = shape.files.first().map(|file| plain(file)).unwrap_or_default();
    let parent = first.rsplit_once('/').map_or("", |(parent, _)| parent);
    let here = shape.directory.strip_suffix(parent).unwrap_or(&shape.directory).trim_end_matches('/');
    let absolute = |file: &String| match file.starts_with('/') {
        true => file.clone(),
        false => format!("{here}/{}", plain(file)),
    };
    shape.files.iter().map(absolute).collect()
}

fn condition_word(condition: Condition) -> &'static str {
    match condition {
        Condition::ServiceStarted => "service_started",
        Condition::ServiceHealthy => "service_healthy",
        Condition::ServiceCompletedSuccessfully => "service_completed_successfully",
    }
}

/// Why `new` is not `old`, in words a person can act on: `image a → b`, `content of nginx.conf changed`.
pub fn differences(old: &Container, new: &Container) -> Vec<String> {
    let mut causes = Vec::new();
    if old.settings.image != new.settings.image {
        causes.push(format!("image {} → {}", old.settings.image, new.settings.image));
    }
    causes.extend(environment_differences(old, new));
    causes.extend(file_differences(old, new));
    causes.extend(mount_differences(old, new));
    if old.networks != new.networks {
        causes.push("its networks changed".to_owned());
    }
    let (before, after) = (concerning_the_engine(&old.settings), concerning_the_engine(&new.settings));
    let told = ["image", "environment"];
    let changed =
        after.iter().filter(|(key, value)| before.get(*key) != Some(value) && !told.contains(&key.as_str()));
    causes.extend(changed.map(|(key, _)| format!("`{key}` changed")));
    causes
}

fn environment_differences(old: &Container, new: &Container) -> Vec<String> {
    let (before, after) = (&old.settings.environment, &new.settings.environment);
    let mut keys: Vec<&String> = before.keys().chain(after.keys()).collect();
    keys.sort();
    keys.dedup();
    keys.retain(|key| before.get(*key) != after.get(*key));
    keys.into_iter().map(|key| format!("environment {key} changed")).collect()
}

fn file_differences(old: &Container, new: &Container) -> Vec<String> {
    let before = |target: &str| old.files.iter().find(|file| file.target == target);
    let mut causes: Vec<String> = Vec::new();
    for file in &new.files {
        match (before(&file.target), &file.source) {
            (Some(same), _) if same == file => {}
            (Some(was), FileSource::Secret { name }) if was.version != file.version => {
                causes.push(format!("secret {name} {} → {}", version(was.version), version(file.version)));
            }
            (Some(_), _) => causes.push(format!("content of {} changed", file.target)),
            (None, _) => causes.push(format!("file {} added", file.target)),
        }
    }
    let gone = old.files.iter().filter(|file| !new.files.iter().any(|kept| kept.target == file.target));
    causes.extend(gone.map(|file| format!("file {} removed", file.target)));
    causes
}

fn version(version: Option<u32>) -> String {
    version.map_or_else(|| "unset".to_owned(), |number| format!("v{number}"))
}

fn mount_differences(old: &Container, new: &Container) -> Vec<String> {
    if old.mounts == new.mounts {
        return Vec::new();
    }
    let changed: Vec<String> = new
        .mounts
        .iter()
        .filter_map(|mount| match mount {
            ResolvedMount::Kept { source, .. } if !old.mounts.contains(mount) => {
                let name = source.rsplit('/').next().unwrap_or(source);
                Some(format!("content of {name} changed"))
            }
            _ => None,
        })
        .collect();
    if changed.is_empty() { vec!["its volumes changed".to_owned()] } else { changed }
}
