//! Copies secrets and configs into a container that was made and not started.
//!
//! A file goes into the container's own file system, and dies with it. Where it could not be seen there, or not be
//! written (a read-only root file system, or a tmpfs or volume mounted over the place), the container gets a private
//! anonymous volume at the file's directory: removed together with the container, and filled by the engine with what
//! the image has there.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
};

use bollard::{body_full, query_parameters::UploadToContainerOptionsBuilder};
use bytes::Bytes;
use plan::{Container, Delivered, ResolvedMount};
use secrets::Secret;

use super::{Docker, api_socket, fail::fail};
use crate::{Contents, EngineError, Trouble};

/// An archive for each directory that is unpacked into: `/`, or one with a private volume.
pub(super) type Archives = BTreeMap<String, Secret<Vec<u8>>>;

/// Directories that need a private volume to take this container's files.
pub(super) fn private_directories(spec: &Container) -> BTreeSet<String> {
    let settings = api_socket::settings(&spec.settings);
    let places = spec.files.iter().chain(&settings).filter_map(|file| place(spec, file).ok());
    places.filter(|place| place.private).map(|place| place.directory).collect()
}

/// A file, and what is in it.
pub(super) type Read = (Delivered, Secret<Vec<u8>>);

/// Reads all files, before anything is made; `more` are files that were read already.
pub(super) fn archives(
    spec: &Container,
    contents: &dyn Contents,
    more: Vec<Read>,
    doing: &str,
) -> Result<Archives, EngineError> {
    let unread = |error: crate::ContentsError| EngineError::new(Trouble::NotFound, doing).because(error);
    let read = spec.files.iter().map(|file| Ok((file.clone(), contents.file(file).map_err(unread)?)));
    let read: Vec<Read> = read.collect::<Result<_, EngineError>>()?;
    let mut by_directory: BTreeMap<String, Vec<Read>> = BTreeMap::new();
    for (file, bytes) in read.into_iter().chain(more) {
        let file = &file;
        let place = place(spec, file).map_err(|because| {
            EngineError::new(Trouble::Unsupported, doing)
                .because(format!("file `{}` cannot be delivered: {because}", file.target))
                .hint("give it a `target:` in a directory of its own")
        })?;
        by_directory.entry(place.directory).or_default().push((file.clone(), bytes));
    }
    let archived = by_directory.into_iter().map(|(directory, files)| {
        let archive = archive(&directory, &files, doing)?;
        Ok((directory, archive))
    });
    archived.collect()
}

impl Docker {
    /// Unpacks the archives in the container. Done again, it writes the same files again.
    pub(super) async fn deliver(&self, container: &str, archives: Archives) -> Result<(), EngineError> {
        for (directory, archive) in archives {
            let doing = format!("copy files to `{directory}` of container `{container}`");
            let options = UploadToContainerOptionsBuilder::default().path(&directory).build();
            let body = body_full(Bytes::from_owner(Wiped(archive)));
            self.client.upload_to_container(container, Some(options), body).await.map_err(fail(doing))?;
        }
        Ok(())
    }
}

/// Where a file is unpacked.
#[derive(Debug, PartialEq, Eq)]
struct Place {
    directory: String,
    /// It needs a volume of its own.
    private: bool,
}

fn place(spec: &Container, file: &Delivered) -> Result<Place, &'static str> {
    let parent = Path::new(&file.target).parent().filter(|_| file.target.starts_with('/'));
    let parent = parent.ok_or("its target is not an absolute path")?;
    let memory = spec.settings.tmpfs.keys().map(|target| ResolvedMount::Tmpfs {
        target: target.clone(),
        size_bytes: None,
        mode: None,
    });
    let mounts: Vec<ResolvedMount> = spec.mounts.iter().cloned().chain(memory).collect();
    let over = mounts.iter().filter(|mount| parent.starts_with(mount.target()));
    // The innermost mount is the one that is seen there.
    let over = over.max_by_key(|mount| Path::new(mount.target()).components().count());
    let exactly = over.is_some_and(|mount| Path::new(mount.target()) == parent);
    let directory = parent.to_string_lossy().into_owned();
    match over {
        Some(ResolvedMount::Bind { .. } | ResolvedMount::Kept { .. }) if exactly => {
            Err("a directory of the host is mounted there")
        }
        Some(ResolvedMount::Tmpfs { .. }) if exactly => Err("a tmpfs is mounted there"),
        Some(ResolvedMount::Volume { read_only: true, .. }) if exactly => {
            Err("a read-only volume is mounted there")
        }
        Some(_) if exactly => Ok(Place { directory, private: false }),
        Some(_) => Ok(Place { directory, private: true }),
        None if spec.settings.read_only && parent == Path::new("/") => Err("the root directory is read-only"),
        None if spec.settings.read_only => Ok(Place { directory, private: true }),
        None => Ok(Place { directory: "/".to_owned(), private: false }),
    }
}

/// A tar of the files, with paths relative to `directory`. It has no entries for directories: the engine makes those
/// that are missing, and those that are there keep their owner and mode.
fn archive(directory: &str, read: &[Read], doing: &str) -> Result<Secret<Vec<u8>>, EngineError> {
    // Reserved in full (headers, padding, long names, end), so that no copy is left behind by growing.
    let size: usize = read.iter().map(|(file, bytes)| bytes.expose().len() + file.target.len() + 4096).sum();
    let mut tar = tar::Builder::new(Vec::with_capacity(size + 4096));
    for (file, bytes) in read {
        let path = Path::new(&file.target).strip_prefix(directory).unwrap_or(Path::new(&file.target));
        let mut header = tar::Header::new_gnu();
        header.set_size(bytes.expose().len() as u64);
        header.set_mode(file.mode);
        header.set_uid(file.uid.into());
        header.set_gid(file.gid.into());
        let appended = tar.append_data(&mut header, path, bytes.expose().as_slice());
        appended.map_err(|error| EngineError::new(Trouble::Unsupported, doing).because(error))?;
    }
    let tar = tar.into_inner().expect("writing to memory cannot fail");
    Ok(Secret::new(tar))
}

/// Bytes on their way to the engine, wiped when they were sent.
struct Wiped(Secret<Vec<u8>>);

impl AsRef<[u8]> for Wiped {
    fn as_ref(&self) -> &[u8] {
        self.0.expose()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(read_only: bool, mounts: &[ResolvedMount], file: &str) -> Result<(String, bool), &'static str> {
        let mut spec = crate::docker::create::tests::container("app");
        spec.settings.read_only = read_only;
        spec.mounts = mounts.to_vec();
        let file = crate::docker::create::tests::delivered(file, 0o444);
        place(&spec, &file).map(|place| (place.directory, place.private))
    }

    fn tmpfs(target: &str) -> ResolvedMount {
        ResolvedMount::Tmpfs { target: target.into(), size_bytes: None, mode: None }
    }

    fn volume(target: &str, read_only: bool) -> ResolvedMount {
        ResolvedMount::volume("data", target, read_only)
    }

    #[test]
    fn a_file_goes_into_the_containers_own_file_system_where_it_can() {
        assert_eq!(check(false, &[], "/run/secrets/key"), Ok(("/".into(), false)));
        assert_eq!(check(false, &[volume("/data", false)], "/run/secrets/key"), Ok(("/".into(), false)));
    }

    #[test]
    fn a_read_only_container_or_a_mount_above_needs_a_private_volume() {
        assert_eq!(check(true, &[], "/run/secrets/key"), Ok(("/run/secrets".into(), true)));
        assert_eq!(check(false, &[tmpfs("/run")], "/run/secrets/key"), Ok(("/run/secrets".into(), true)));
        assert_eq!(check(true, &[volume("/data", true)], "/data/conf/key"), Ok(("/data/conf".into(), true)));
    }

    #[test]
    fn memory_that_the_service_itself_asks_for_is_a_mount_like_any_other() {
        let mut spec = crate::docker::create::tests::container("app");
        spec.settings.tmpfs.insert("/run".into(), "size=1m".into());
        let file = crate::docker::create::tests::delivered("/run/secrets/key", 0o444);
        let private = Place { directory: "/run/secrets".into(), private: true };
        assert_eq!(place(&spec, &file), Ok(private));
    }

    #[test]
    fn a_file_right_in_a_writable_volume_is_written_there() {
        assert_eq!(check(true, &[volume("/data", false)], "/data/key"), Ok(("/data".into(), false)));
    }

    #[test]
    fn a_file_where_it_cannot_be_put_is_refused_with_the_reason() {
        assert_eq!(check(false, &[tmpfs("/run")], "/run/key"), Err("a tmpfs is mounted there"));
        assert_eq!(
            check(false, &[volume("/data", true)], "/data/key"),
            Err("a read-only volume is mounted there")
        );
        assert_eq!(check(true, &[], "/key"), Err("the root directory is read-only"));
        assert_eq!(check(false, &[], "key"), Err("its target is not an absolute path"));
    }
}
