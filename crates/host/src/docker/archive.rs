//! Images that are brought in a file of `docker save`.

use std::{
    collections::BTreeMap,
    fs::File,
    io::{self, Read},
};

use bollard::{body_try_stream, models::ImageInspect, query_parameters::ImportImageOptions};
use futures_util::{StreamExt, TryStreamExt};
use plan::{ArchiveSeen, Output};
use serde::Deserialize;
use tokio_util::io::ReaderStream;

use super::{Docker, fail::fail};
use crate::{EngineError, Trouble};

/// The list of images in an archive is short; what is longer is none.
const LONGEST: u64 = 16 << 20;

/// An image as an archive holds it.
#[derive(Debug, PartialEq, Eq)]
struct Held {
    /// Hash of its configuration: what engines that keep images their own way call its id.
    id: String,
    /// Hashes by which other engines call it.
    manifests: Vec<String>,
    /// Hashes of its layers.
    layers: Vec<String>,
    created: Option<String>,
}

impl Held {
    /// Whether this is what the engine has. An engine may write the manifest anew, and call it by that.
    fn is(&self, image: &ImageInspect) -> bool {
        let id = image.id.as_deref().unwrap_or_default();
        let layers = image.root_fs.as_ref().and_then(|files| files.layers.clone()).unwrap_or_default();
        let known = id == self.id || self.manifests.iter().any(|manifest| manifest == id);
        known
            || (layers == self.layers && moment(image.created.as_deref()) == moment(self.created.as_deref()))
    }
}

fn moment(said: Option<&str>) -> Option<jiff::Timestamp> {
    said?.parse().ok()
}

impl Docker {
    pub(super) async fn archives_seen(
        &self,
        archives: &BTreeMap<String, String>,
    ) -> Result<BTreeMap<String, ArchiveSeen>, EngineError> {
        let mut seen = BTreeMap::new();
        for (image, archive) in archives {
            let here = self.image(image).await?;
            let looked = look(image, archive).await;
            let what = match looked {
                Err(err) => ArchiveSeen::Unusable { because: err.to_string() },
                Ok(held) if here.is_some_and(|here| held.is(&here)) => ArchiveSeen::Loaded,
                Ok(held) => ArchiveSeen::Waiting { id: held.id },
            };
            seen.insert(image.clone(), what);
        }
        Ok(seen)
    }

    pub(super) async fn load_image(
        &self,
        image: &str,
        archive: &str,
        id: &str,
    ) -> Result<Output, EngineError> {
        let doing = format!("load image `{image}` from `{archive}`");
        let unusable = |err: io::Error| EngineError::new(Trouble::NotFound, doing.as_str()).because(err);
        let held = look(image, archive).await.map_err(unusable)?;
        if held.id != id {
            return Err(EngineError::new(Trouble::Conflict, doing)
                .because("it was written anew since it was looked at")
                .hint("deploy again"));
        }
        if self.image(image).await?.is_some_and(|here| held.is(&here)) {
            return Ok(Output::Unchanged);
        }
        let file = tokio::fs::File::open(archive).await.map_err(unusable)?;
        let options = ImportImageOptions { quiet: true, ..Default::default() };
        let body = body_try_stream(ReaderStream::new(file));
        let loaded = self.client.import_image(options, body, None).map(|said| said.map(drop));
        loaded.try_collect::<()>().await.map_err(fail(doing.as_str()))?;
        match self.image(image).await? {
            Some(here) if held.is(&here) => Ok(Output::Image { id: here.id.unwrap_or_default() }),
            _ => Err(EngineError::new(Trouble::Conflict, doing)
                .because("what the engine has under that name is not what the archive holds")),
        }
    }
}

async fn look(image: &str, archive: &str) -> io::Result<Held> {
    let (image, archive) = (image.to_owned(), archive.to_owned());
    tokio::task::spawn_blocking(move || held(&image, File::open(archive)?))
        .await
        .expect("reading does not panic")
}

/// `manifest.json` of an archive: what `docker save` always writes.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Entry {
    config: String,
    #[serde(default)]
    repo_tags: Option<Vec<String>>,
}

/// `index.json`, which newer engines write besides.
#[derive(Deserialize)]
struct Index {
    manifests: Vec<Descriptor>,
}

#[derive(Deserialize)]
struct Descriptor {
    digest: String,
    #[serde(default)]
    annotations: BTreeMap<String, String>,
}

#[derive(Deserialize)]
struct Configuration {
    created: Option<String>,
    rootfs: Files,
}

#[derive(Deserialize)]
struct Files {
    #[serde(default)]
    diff_ids: Vec<String>,
}

/// What an archive holds under this name. Layers are passed over, however large.
fn held(image: &str, mut archive: File) -> io::Result<Held> {
    let refuse = |because: String| io::Error::new(io::ErrorKind::InvalidData, because);
    let mut magic = [0; 6];
    let began = archive.read(&mut magic)?;
    if [&[0x1f, 0x8b][..], &[0x28, 0xb5, 0x2f, 0xfd], b"BZh", b"\xfd7zXZ\0"]
        .iter()
        .any(|known| magic[..began].starts_with(known))
    {
        return Err(refuse("it is compressed, and is read as it is".to_owned()));
    }
    let list = member(&mut archive, "manifest.json")?;
    let list = list
        .ok_or_else(|| refuse("it has no `manifest.json`, so that it is no archive of images".to_owned()))?;
    let entries: Vec<Entry> = serde_json::from_slice(&list)?;
    let names: Vec<String> =
        entries.iter().flat_map(|entry| entry.repo_tags.clone().unwrap_or_default()).collect();
    let wanted = in_full(image);
    let entry = entries
        .into_iter()
        .find(|entry| entry.repo_tags.iter().flatten().any(|name| in_full(name) == wanted))
        .ok_or_else(|| refuse(format!("it holds {}, and not `{image}`", listed(&names))))?;
    let configuration = member(&mut archive, &entry.config)?
        .ok_or_else(|| refuse(format!("it lacks `{}`, which its list names", entry.config)))?;
    let id = sha256(&configuration);
    let configuration: Configuration = serde_json::from_slice(&configuration)?;
    let index =
        member(&mut archive, "index.json")?.and_then(|index| serde_json::from_slice::<Index>(&index).ok());
    let named = |descriptor: &Descriptor| {
        descriptor.annotations.get("io.containerd.image.name").is_some_and(|name| in_full(name) == wanted)
    };
    let manifests = index.into_iter().flat_map(|index| index.manifests).filter(named);
    Ok(Held {
        id,
        manifests: manifests.map(|manifest| manifest.digest).collect(),
        layers: configuration.rootfs.diff_ids,
        created: configuration.created,
    })
}

/// A small file of an archive.
fn member(archive: &mut File, path: &str) -> io::Result<Option<Vec<u8>>> {
    use std::io::Seek;
    archive.rewind()?;
    let mut entries = tar::Archive::new(archive);
    for entry in entries.entries_with_seek()? {
        let entry = entry?;
        if entry.path_bytes().strip_prefix(b"./").unwrap_or(&entry.path_bytes()) == path.as_bytes() {
            let mut bytes = Vec::new();
            entry.take(LONGEST).read_to_end(&mut bytes)?;
            return Ok(Some(bytes));
        }
    }
    Ok(None)
}

fn sha256(bytes: &[u8]) -> String {
    use sha2::{Digest, Sha256};
    format!("sha256:{}", data_encoding::HEXLOWER.encode(&Sha256::digest(bytes)))
}

fn listed(names: &[String]) -> String {
    match names {
        [] => "images without names".to_owned(),
        names => names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", "),
    }
}

/// The name with what is left out of it: `app` is `docker.io/library/app:latest`.
fn in_full(image: &str) -> String {
    let tagged = stack::image::tagged(image);
    match (stack::image::registry(&tagged), tagged.contains('/')) {
        (Some(_), _) => tagged,
        (None, true) => format!("docker.io/{tagged}"),
        (None, false) => format!("docker.io/library/{tagged}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn archive(files: &[(&str, &str)]) -> File {
        let mut builder = tar::Builder::new(tempfile::tempfile().unwrap());
        for (path, text) in files {
            let mut header = tar::Header::new_gnu();
            header.set_size(text.len() as u64);
            builder.append_data(&mut header, path, text.as_bytes()).unwrap();
        }
        let mut file = builder.into_inner().unwrap();
        std::io::Seek::rewind(&mut file).unwrap();
        file
    }

    const LIST: (&str, &str) =
        ("manifest.json", r#"[{ "Config": "c.json", "RepoTags": ["app:1"], "Layers": [] }]"#);

    #[test]
    fn an_image_is_found_by_any_way_to_write_its_name() {
        let configuration =
            ("c.json", r#"{ "created": "2026-01-01T00:00:00Z", "rootfs": { "diff_ids": ["sha256:00"] } }"#);
        for name in ["app:1", "docker.io/library/app:1"] {
            let held = held(name, archive(&[configuration, LIST])).unwrap();
            assert_eq!(held.layers, ["sha256:00"]);
            assert_eq!(held.id, sha256(configuration.1.as_bytes()));
        }
    }

    #[test]
    fn what_cannot_be_loaded_says_why() {
        let said = |name: &str, file: File| held(name, file).unwrap_err().to_string();
        assert_eq!(said("other:1", archive(&[LIST])), "it holds `app:1`, and not `other:1`");
        assert_eq!(said("app:1", archive(&[LIST])), "it lacks `c.json`, which its list names");
        assert_eq!(
            said("app:1", archive(&[])),
            "it has no `manifest.json`, so that it is no archive of images"
        );
    }
}
