//! Releases on disk and in a set: what is kept, what is sealed, and that all of it comes back.

use super::*;
use crate::StateDir;
use stack::{Mount, MountSource, Service, ServiceName, StackName};

const HELD: &str = "held-value-that-nobody-may-read";
const SENSITIVE: &str = "sensitive-file-that-nobody-may-read";

/// A state directory of its own, with its keys.
struct Home {
    root: tempfile::TempDir,
    dir: StackDir,
    keyring: Keyring,
}

fn home() -> Home {
    let root = tempfile::tempdir().unwrap();
    let keyring = Keyring::open(root.path()).unwrap();
    let dir = StateDir::new(root.path()).stack(&StackName::from("blog"));
    Home { root, dir, keyring }
}

fn id(name: &str) -> ContentId {
    ContentId(name.to_owned())
}

/// A file, a directory of files, an empty one, a held value and a sensitive file.
fn materials() -> Materials {
    let members = [
        ("app".to_owned(), (b"#!/bin/sh\n".to_vec(), 0o755)),
        // Next to one another on purpose: no name that is used on the way may be one of theirs.
        ("app.conf".to_owned(), (b"one".to_vec(), 0o640)),
        ("app.partial".to_owned(), (b"two".to_vec(), 0o644)),
        ("deep/er/app.conf".to_owned(), (vec![0, 159, 146, 150], 0o600)),
    ];
    Materials {
        held: [(id("h1"), HELD.to_owned())].into(),
        sensitive: [(id("s1"), SENSITIVE.as_bytes().to_vec())].into(),
        trees: [
            (id("file"), Tree::File { bytes: b"server {}".to_vec(), mode: 0o444 }),
            (id("tree"), Tree::Directory(members.into())),
            (id("empty"), Tree::Directory(BTreeMap::new())),
        ]
        .into(),
    }
}

/// A release whose shape mounts each of them.
fn release(number: u64) -> Release {
    let mount = |name: &str| Mount {
        target: format!("/etc/{name}"),
        source: MountSource::Bind {
            path: format!("/srv/{name}"),
            content: Some(id(name)),
            options: stack::BindOptions::default(),
        },
        read_only: true,
    };
    let mounts = ["file", "tree", "empty"].map(mount).into();
    let service = Service { image: "app:1".to_owned(), mounts, ..Service::default() };
    let mut shape = testkit::blog::blog(1);
    shape.services = [(ServiceName::from("web"), service)].into();
    let now = "2026-11-21T03:00:00Z".parse().unwrap();
    Release::new(number, shape, [(SecretName::from("db_password"), 2)].into(), now)
}

/// Every file below a directory.
fn files(dir: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut left = vec![dir.to_owned()];
    while let Some(dir) = left.pop() {
        for entry in fs::read_dir(dir).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() { left.push(path) } else { found.push(path) }
        }
    }
    found
}

fn contains(path: &Path, text: &str) -> bool {
    let bytes = fs::read(path).unwrap();
    let forms = [
        text.as_bytes().to_vec(),
        data_encoding::BASE64.encode(text.as_bytes()).into_bytes(),
        data_encoding::HEXLOWER.encode(text.as_bytes()).into_bytes(),
    ];
    forms.iter().any(|form| bytes.windows(form.len()).any(|window| window == form))
}

#[test]
fn a_release_comes_back_from_disk_with_all_that_it_holds() {
    let home = home();
    release(1).write(&home.dir, &materials(), &home.keyring).unwrap();
    let read = Release::read(&home.dir, 1).unwrap();
    assert_eq!(read, release(1));
    assert!(read.materials(&home.dir, &home.keyring).unwrap() == materials());
    let mode =
        |name: &str| fs::metadata(kept_path(&home.dir, &id("tree")).join(name)).unwrap().permissions().mode();
    assert_eq!((mode("app") & 0o777, mode("app.conf") & 0o777), (0o755, 0o640));
}

#[test]
fn a_release_that_is_written_twice_is_the_one_that_was_written_first() {
    let home = home();
    release(1).write(&home.dir, &materials(), &home.keyring).unwrap();
    let first = fs::read(home.dir.releases().join("1/held.age")).unwrap();
    release(1).write(&home.dir, &Materials::default(), &home.keyring).unwrap();
    assert_eq!(fs::read(home.dir.releases().join("1/held.age")).unwrap(), first);
    let numbers: Vec<u64> = Release::list(&home.dir).unwrap().iter().map(|release| release.number).collect();
    assert_eq!(numbers, [1]);
}

#[test]
fn another_release_does_not_take_a_number_that_is_taken() {
    let home = home();
    release(1).write(&home.dir, &materials(), &home.keyring).unwrap();
    let mut other = release(1);
    other.shape.min_healthy = std::time::Duration::from_secs(99);
    let said = other.write(&home.dir, &materials(), &home.keyring).expect_err("taken").to_string();
    assert!(said.starts_with("release 1 is there already and is another one"), "{said}");
    assert_eq!(Release::read(&home.dir, 1).unwrap(), release(1));
}

#[test]
fn a_release_that_was_cut_short_is_none_and_is_written_again() {
    let home = home();
    let partial = home.dir.releases().join(".1.partial");
    fs::create_dir_all(&partial).unwrap();
    fs::write(partial.join("release.json"), "{ half").unwrap();
    let half = home.dir.files().join(".tree.partial");
    fs::create_dir_all(&half).unwrap();
    fs::write(half.join("stray"), "half").unwrap();
    assert_eq!(Release::list(&home.dir).unwrap(), []);
    release(1).write(&home.dir, &materials(), &home.keyring).unwrap();
    let read = Release::read(&home.dir, 1).unwrap();
    assert!(read.materials(&home.dir, &home.keyring).unwrap() == materials());
    assert_eq!(files(&home.dir.releases()).len(), 2, "release.json and held.age");
}

#[test]
fn releases_are_listed_by_number_and_not_by_name() {
    let home = home();
    for number in [10, 9, 2] {
        release(number).write(&home.dir, &materials(), &home.keyring).unwrap();
    }
    let numbers: Vec<u64> = Release::list(&home.dir).unwrap().iter().map(|release| release.number).collect();
    assert_eq!(numbers, [2, 9, 10]);
}

#[test]
fn what_must_not_be_seen_is_sealed_on_disk() {
    let home = home();
    release(1).write(&home.dir, &materials(), &home.keyring).unwrap();
    for path in files(home.root.path()) {
        for secret in [HELD, SENSITIVE] {
            assert!(!contains(&path, secret), "`{}` holds {secret}", path.display());
        }
    }
    let planted = home.root.path().join("planted");
    fs::write(&planted, data_encoding::BASE64.encode(HELD.as_bytes())).unwrap();
    assert!(contains(&planted, HELD), "a value that lies there is found");
}

#[test]
fn another_keyring_opens_nothing() {
    let (ours, theirs) = (home(), home());
    release(1).write(&ours.dir, &materials(), &ours.keyring).unwrap();
    let said = release(1).materials(&ours.dir, &theirs.keyring).expect_err("sealed to another").to_string();
    assert!(said.starts_with("cannot open the held values of release 1"), "{said}");
    assert!(!said.contains(HELD));
}

#[test]
fn a_release_comes_back_from_a_set_with_all_that_it_holds() {
    let packed = pack(&release(3), &materials()).unwrap();
    let (unpacked, held) = unpack(packed.expose()).unwrap();
    assert_eq!(unpacked, release(3));
    assert!(held == materials());
    // And can be written where nothing is left of the first.
    let home = home();
    unpacked.write(&home.dir, &held, &home.keyring).unwrap();
    assert!(unpacked.materials(&home.dir, &home.keyring).unwrap() == materials());
}

#[test]
fn a_tar_that_is_no_release_is_refused_for_its_own_reason() {
    let refused = |members: &[(&str, &[u8])]| {
        let mut tar = tar::Builder::new(Vec::new());
        for (name, bytes) in members {
            let mut header = tar::Header::new_gnu();
            header.set_size(bytes.len() as u64);
            header.set_mode(0o600);
            // Written past the builder's own check, as somebody who means harm would.
            header.as_gnu_mut().unwrap().name[..name.len()].copy_from_slice(name.as_bytes());
            header.set_cksum();
            tar.append(&header, *bytes).unwrap();
        }
        unpack(&tar.into_inner().unwrap()).map(drop).expect_err("no release").to_string()
    };
    assert_eq!(refused(&[]), "the release in the set has no release.json");
    assert_eq!(refused(&[("etc/passwd", b"x")]), "the release in the set holds `etc/passwd`");
    assert_eq!(
        refused(&[("files/tree/../../../x", b"x")]),
        "the release in the set holds `files/tree/../../../x`, which leads out of it"
    );
    assert_eq!(
        refused(&[("files/a", b"x"), ("files/a/b", b"x")]),
        "the release in the set is both file and directory"
    );
    assert!(refused(&[("release.json", b"{")]).contains("EOF"));
}
