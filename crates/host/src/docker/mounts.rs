//! What is mounted into a container: in the engine's old form (`SOURCE:TARGET:rw`) wherever that can say it, as
//! Compose does, because only it makes a missing directory on every engine; else in the new one.

use std::collections::BTreeMap;

use bollard::models::{
    Mount, MountBindOptions, MountBindOptionsPropagationEnum, MountImageOptions, MountTmpfsOptions,
    MountType, MountVolumeOptions,
};
use plan::{Container, ResolvedMount};
use stack::{BindOptions, Recursive};

use super::container::Resolver;
use crate::EngineError;

/// What is mounted, in the old form and in the new. Of two at one place the last is meant.
pub(super) fn binds_and_mounts(
    spec: &Container,
    resolver: &Resolver<'_>,
) -> Result<(Vec<String>, Vec<Mount>), EngineError> {
    let by_target: BTreeMap<&str, &ResolvedMount> =
        spec.mounts.iter().map(|mount| (mount.target(), mount)).collect();
    let (mut binds, mut mounts) = (Vec::new(), Vec::new());
    for mount in by_target.into_values() {
        match told(mount, resolver)? {
            Told::Bind(bind) => binds.push(bind),
            Told::Mount(mount) => mounts.push(*mount),
        }
    }
    Ok((binds, mounts))
}

/// A volume without a name.
pub(super) fn anonymous(target: String) -> Mount {
    Mount {
        typ: Some(MountType::VOLUME),
        target: Some(target),
        volume_options: Some(MountVolumeOptions::default()),
        ..Default::default()
    }
}

pub(super) fn clamped(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

enum Told {
    Bind(String),
    Mount(Box<Mount>),
}

fn told(mount: &ResolvedMount, resolver: &Resolver<'_>) -> Result<Told, EngineError> {
    let made = |typ, source: Option<String>, target: &String, read_only| Mount {
        typ: Some(typ),
        source,
        target: Some(target.clone()),
        read_only: Some(read_only),
        ..Default::default()
    };
    let mount = match mount {
        ResolvedMount::Bind { source, target, read_only, options } => {
            return bind(source, target, *read_only, options, resolver);
        }
        ResolvedMount::Kept { content, target, options, .. } => {
            let path = resolver.contents.kept(content).map_err(|error| resolver.unresolved(error))?;
            return bind(&path.to_string_lossy(), target, true, options, resolver);
        }
        ResolvedMount::Volume { name, target, read_only, nocopy: false, subpath: None } => {
            return Ok(Told::Bind(format!("{name}:{target}:{}", access(*read_only))));
        }
        ResolvedMount::Volume { name, target, read_only, nocopy, subpath } => Mount {
            volume_options: Some(MountVolumeOptions {
                no_copy: nocopy.then_some(true),
                subpath: subpath.clone(),
                ..Default::default()
            }),
            ..made(MountType::VOLUME, Some(name.clone()), target, *read_only)
        },
        ResolvedMount::Anonymous { target } => anonymous(target.clone()),
        ResolvedMount::Tmpfs { target, size_bytes, mode } => {
            let options = MountTmpfsOptions {
                size_bytes: size_bytes.map(clamped),
                mode: mode.map(i64::from),
                options: None,
            };
            let said = size_bytes.is_some() || mode.is_some();
            Mount { tmpfs_options: said.then_some(options), ..made(MountType::TMPFS, None, target, false) }
        }
        ResolvedMount::Image { image, target, subpath } => Mount {
            image_options: subpath.clone().map(|subpath| MountImageOptions { subpath: Some(subpath) }),
            ..made(MountType::IMAGE, Some(image.clone()), target, false)
        },
    };
    Ok(Told::Mount(Box::new(mount)))
}

fn bind(
    source: &str,
    target: &str,
    read_only: bool,
    options: &BindOptions,
    resolver: &Resolver<'_>,
) -> Result<Told, EngineError> {
    let plain = options.create_host_path && options.propagation.is_none();
    // Only the old form has labels, and it has no way to write a path with a colon.
    let old = (plain || options.selinux.is_some()) && options.recursive.is_none() && !source.contains(':');
    if old {
        let said = options.selinux.iter().chain(&options.propagation);
        let said: String = said.map(|option| format!(",{option}")).collect();
        return Ok(Told::Bind(format!("{source}:{target}:{}{said}", access(read_only))));
    }
    if let Some(label) = &options.selinux {
        let because =
            format!("the engine takes no SELinux label (`{label}`) of a bind like that at `{target}`");
        return Err(resolver.unsupported(because));
    }
    let parse = |word: &String| {
        let known = word.parse::<MountBindOptionsPropagationEnum>();
        known.map_err(|_| resolver.unsupported(format!("`propagation: {word}` is nothing the engine knows")))
    };
    let recursive = |wanted| (options.recursive == Some(wanted)).then_some(true);
    Ok(Told::Mount(Box::new(Mount {
        typ: Some(MountType::BIND),
        source: Some(source.to_owned()),
        target: Some(target.to_owned()),
        read_only: Some(read_only),
        bind_options: Some(MountBindOptions {
            propagation: options.propagation.as_ref().map(parse).transpose()?,
            create_mountpoint: options.create_host_path.then_some(true),
            non_recursive: recursive(Recursive::Disabled),
            read_only_non_recursive: recursive(Recursive::Writable),
            read_only_force_recursive: recursive(Recursive::Readonly),
        }),
        ..Default::default()
    })))
}

fn access(read_only: bool) -> &'static str {
    if read_only { "ro" } else { "rw" }
}
