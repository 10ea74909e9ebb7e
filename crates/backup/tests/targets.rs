//! A target: nothing is overwritten, nothing half there is ever seen, and what is wrong with a disk is said.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod local;

use std::{
    fs,
    path::Path,
    process::{Command, Stdio},
    time::Duration,
};

use backup::{Break, SignedManifest, Target, TargetTrouble, verify_chain};
use local::{
    files, fingerprint, identities, manifest, seal, set, signed, signing_key, skipped, target, writer,
};
use plan::set::{Manifest, SetId};
use secrets::Identities;

/// Writes the objects of one set and gives its manifest, unsigned.
async fn written(target: &Target, number: u32, previous: Option<&SignedManifest>) -> Manifest {
    written_for(&identities(), target, number, previous).await
}

/// As [`written`], sealed to these.
async fn written_for(
    identities: &Identities,
    target: &Target,
    number: u32,
    previous: Option<&SignedManifest>,
) -> Manifest {
    let mut writer = writer(target, identities, set(number));
    let (sequence, previous) = SignedManifest::next_link(previous).unwrap();
    writer.sequence = sequence;
    let object = seal(&writer, format!("set {number}").as_bytes()).await;
    let chain = target.chain().unwrap().unwrap();
    Manifest { previous, chain, ..manifest(&writer, vec![object]) }
}

/// Three committed sets.
async fn three(target: &Target) -> Vec<SignedManifest> {
    Target::join_chain(std::slice::from_ref(target), [1; 16]).unwrap();
    let mut sets: Vec<SignedManifest> = Vec::new();
    for number in 1..=3 {
        let signed = signed(written(target, number, sets.last()).await);
        target.commit(&signed).unwrap();
        sets.push(signed);
    }
    sets
}

fn listed(target: &Target) -> Vec<SetId> {
    target.list().unwrap().sets.into_iter().map(|seen| seen.id).collect()
}

#[tokio::test]
async fn a_set_is_not_there_before_its_manifest_and_whole_after_it() {
    let directory = tempfile::tempdir().unwrap();
    let target = target(directory.path());
    Target::join_chain(std::slice::from_ref(&target), [1; 16]).unwrap();
    let manifest = written(&target, 1, None).await;
    assert_eq!(listed(&target), []);
    assert_eq!(target.read_manifest(&set(1)).unwrap_err().trouble, TargetTrouble::Missing);

    let signed = signed(manifest.clone());
    target.commit(&signed).unwrap();
    let seen = &target.list().unwrap().sets[0];
    assert_eq!((&seen.id, seen.sequence, seen.point), (&set(1), 1, manifest.point));
    assert_eq!(seen.bytes, manifest.objects[0].sealed_bytes);
    assert_eq!(seen.release, manifest.release);
    assert_eq!(target.read_manifest(&set(1)).unwrap(), signed);
}

#[tokio::test]
async fn the_same_manifest_again_changes_nothing_and_another_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    let target = target(directory.path());
    let sets = three(&target).await;
    let before = files(directory.path());
    target.commit(&sets[0]).unwrap();
    let other = Manifest { shape: "prod".into(), ..sets[0].unverified().clone() };
    assert_eq!(target.commit(&signed(other)).unwrap_err().trouble, TargetTrouble::Taken);
    assert_eq!(files(directory.path()), before);
}

#[tokio::test]
async fn a_manifest_never_points_at_what_is_missing_or_short() {
    let directory = tempfile::tempdir().unwrap();
    let target = target(directory.path());
    Target::join_chain(std::slice::from_ref(&target), [1; 16]).unwrap();
    let manifest = written(&target, 1, None).await;
    let path = target.set_path(&set(1)).unwrap().join(&manifest.objects[0].name);
    let whole = fs::read(&path).unwrap();
    fs::write(&path, &whole[1..]).unwrap();
    assert_eq!(target.commit(&signed(manifest.clone())).unwrap_err().trouble, TargetTrouble::Damaged);
    fs::remove_file(&path).unwrap();
    assert_eq!(target.commit(&signed(manifest)).unwrap_err().trouble, TargetTrouble::Missing);
    assert_eq!(listed(&target), []);
}

#[tokio::test]
async fn what_a_crash_left_is_invisible_and_goes_with_the_next_try() {
    let directory = tempfile::tempdir().unwrap();
    let target = target(directory.path());
    Target::join_chain(std::slice::from_ref(&target), [1; 16]).unwrap();
    // Killed while an object was written, and while the manifest was.
    let path = target.set_path(&set(1)).unwrap();
    fs::create_dir_all(&path).unwrap();
    fs::write(path.join(".secrets.json.zst.age.partial"), b"half").unwrap();
    fs::write(path.join(".manifest.json.partial-0badcafe"), b"{\"manif").unwrap();
    assert_eq!(listed(&target), []);

    // The same set again: it commits, and what was left of the object's first try is gone.
    let manifest = written(&target, 1, None).await;
    target.commit(&signed(manifest)).unwrap();
    assert_eq!(listed(&target), [set(1)]);
    assert!(!path.join(".secrets.json.zst.age.partial").exists());

    // Another one is abandoned: all of it goes, and a second time there is nothing to do.
    let path = target.set_path(&set(2)).unwrap();
    fs::create_dir_all(&path).unwrap();
    fs::write(path.join(".manifest.json.partial-0badcafe"), b"{\"manif").unwrap();
    target.abandon(&set(2)).unwrap();
    target.abandon(&set(2)).unwrap();
    assert!(!path.exists());
}

#[tokio::test]
async fn a_committed_set_is_not_abandoned_and_takes_no_object_any_more() {
    let directory = tempfile::tempdir().unwrap();
    let target = target(directory.path());
    three(&target).await;
    let before = files(directory.path());
    target.abandon(&set(2)).unwrap();
    let late = writer(&target, &identities(), set(2));
    let secret = secrets::Secret::new(b"late".to_vec());
    let refused = late.secrets(&secret, jiff::Timestamp::UNIX_EPOCH).await.unwrap_err();
    assert!(
        matches!(&refused, backup::SealError::Target { err, .. } if err.trouble == TargetTrouble::Committed)
    );
    assert_eq!(files(directory.path()), before);
}

#[tokio::test]
async fn newest_comes_first_and_one_unreadable_manifest_hides_no_other_set() {
    let directory = tempfile::tempdir().unwrap();
    let target = target(directory.path());
    three(&target).await;
    assert_eq!(listed(&target), [set(3), set(2), set(1)]);
    fs::write(target.set_path(&set(2)).unwrap().join("manifest.json"), [0; 100]).unwrap();
    let listing = target.list().unwrap();
    assert_eq!(listing.unreadable.len(), 1);
    assert_eq!(
        (&listing.unreadable[0].0, listing.unreadable[0].1.trouble),
        (&set(2), TargetTrouble::Damaged)
    );
    assert_eq!(listed(&target), [set(3), set(1)]);
}

#[tokio::test]
async fn a_set_of_another_stack_is_refused_by_name() {
    let directory = tempfile::tempdir().unwrap();
    let target = target(directory.path());
    three(&target).await;
    let other = Target::open(directory.path(), &"shop".into());
    let copied = other.set_path(&set(1)).unwrap();
    fs::create_dir_all(&copied).unwrap();
    fs::copy(target.set_path(&set(1)).unwrap().join("manifest.json"), copied.join("manifest.json")).unwrap();
    let refused = other.read_manifest(&set(1)).unwrap_err();
    assert_eq!(refused.trouble, TargetTrouble::Foreign);
    let cause = std::error::Error::source(&refused).unwrap().to_string();
    assert_eq!(cause, "it is a set of the stack `blog`, and not of `shop`");
}

#[tokio::test]
async fn pruning_takes_the_manifest_first_and_keeps_the_chain_provable() {
    let directory = tempfile::tempdir().unwrap();
    let target = target(directory.path());
    three(&target).await;
    target.prune(&set(1)).unwrap();
    target.prune(&set(1)).unwrap();
    assert_eq!(listed(&target), [set(3), set(2)]);
    assert!(!target.set_path(&set(1)).unwrap().exists());
    assert_eq!(verify_chain(&target, Some(&fingerprint(&signing_key()))).unwrap(), []);

    // Killed between the manifest and the objects: the set is gone already, and pruning again finishes.
    let (path, graves) = (target.set_path(&set(2)).unwrap(), directory.path().join("blog/graves"));
    fs::rename(path.join("manifest.json"), graves.join(format!("{}.json", set(2)))).unwrap();
    assert_eq!(listed(&target), [set(3)]);
    assert_eq!(target.list().unwrap().half_removed, [set(2)]);
    target.prune(&set(2)).unwrap();
    assert!(!path.exists());
    assert_eq!(target.list().unwrap().half_removed, []);
    assert_eq!(target.prune(&set(9)).unwrap_err().trouble, TargetTrouble::Missing);
}

/// Names the target to a process that prunes, and is killed while it does.
const PRUNED_BY_ANOTHER: &str = "SEAWORTHY_TEST_PRUNES";

// shows: A36
#[tokio::test]
async fn five_hundred_sets_are_pruned_under_kill_9_and_none_is_ever_half_there() {
    if let Some(place) = std::env::var_os(PRUNED_BY_ANOTHER) {
        return prune_all(&target(Path::new(&place)));
    }
    const SETS: u32 = 500;
    // Written in memory where there is some: thousands of files are synced. Pruned on a disk, which takes its time.
    let (memory, directory) = (Path::new("/dev/shm"), tempfile::tempdir().unwrap());
    let made = if memory.is_dir() { tempfile::tempdir_in(memory) } else { tempfile::tempdir() }.unwrap();
    let target = |place: &tempfile::TempDir| target(place.path());
    write_sets(&target(&made), SETS).await;
    let copied = Command::new("cp").arg("-r").arg(made.path().join("blog")).arg(directory.path()).status();
    assert!(copied.unwrap().success());
    let target = target(&directory);
    let (mut killed, mut cut_short) = (0_u32, 0);
    while !listed(&target).is_empty() {
        let mut pruning = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "five_hundred_sets_are_pruned_under_kill_9_and_none_is_ever_half_there"])
            .env(PRUNED_BY_ANOTHER, directory.path())
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        // It goes on where the one before it was killed, and is killed at another moment of its own.
        let graves = || fs::read_dir(directory.path().join("blog/graves")).map_or(0, Iterator::count);
        let enough = graves() + 20;
        while graves() < enough && pruning.try_wait().unwrap().is_none() {
            std::thread::sleep(Duration::from_micros(200));
        }
        std::thread::sleep(Duration::from_micros(u64::from(killed % 23) * 300));
        pruning.kill().unwrap();
        pruning.wait().unwrap();
        killed += 1;
        cut_short += target.list().unwrap().half_removed.len();
        every_set_is_whole_or_gone(&target);
    }
    prune_all(&target);
    assert_eq!(fs::read_dir(directory.path().join("blog/sets")).unwrap().count(), 0);
    assert_eq!(target.graves().unwrap().len(), SETS as usize);
    assert_eq!(verify_chain(&target, Some(&fingerprint(&signing_key()))).unwrap(), []);
    println!("killed {killed} times, {cut_short} times between a manifest and its objects");
}

/// A chain of so many sets.
async fn write_sets(target: &Target, number: u32) {
    Target::join_chain(std::slice::from_ref(target), [1; 16]).unwrap();
    let (identities, mut last) = (identities(), None::<SignedManifest>);
    for number in 0..number {
        let signed = signed(written_for(&identities, target, number, last.as_ref()).await);
        target.commit(&signed).unwrap();
        last = Some(signed);
    }
}

/// What backups do one after the other: what was cut short first, then the oldest set there is.
fn prune_all(target: &Target) {
    let listing = target.list().unwrap();
    let sets = listing.sets.into_iter().rev().map(|seen| seen.id);
    for set in listing.half_removed.into_iter().chain(sets) {
        target.prune(&set).unwrap();
    }
}

/// Each directory below `sets` is a set whose objects are all there, or one that is known to be on its way out.
fn every_set_is_whole_or_gone(target: &Target) {
    let listing = target.list().unwrap();
    assert!(listing.unreadable.is_empty());
    for seen in &listing.sets {
        let manifest = target.read_manifest(&seen.id).unwrap();
        for object in &manifest.unverified().objects {
            let path = target.set_path(&seen.id).unwrap().join(&object.name);
            assert_eq!(fs::metadata(path).unwrap().len(), object.sealed_bytes);
        }
    }
    let there = fs::read_dir(target.set_path(&set(1)).unwrap().parent().unwrap()).unwrap().count();
    assert_eq!(there, listing.sets.len() + listing.half_removed.len());
}

#[tokio::test]
async fn the_chain_shows_a_set_that_vanished_one_that_was_slipped_in_and_one_of_another_chain() {
    let directory = tempfile::tempdir().unwrap();
    let target = target(directory.path());
    let sets = three(&target).await;
    assert_eq!(verify_chain(&target, None).unwrap(), []);

    let hidden = target.set_path(&set(2)).unwrap();
    fs::rename(&hidden, directory.path().join("away")).unwrap();
    assert_eq!(verify_chain(&target, None).unwrap(), [Break::Missing { sequence: 2 }]);
    fs::rename(directory.path().join("away"), &hidden).unwrap();

    let slipped = Manifest { previous: Some("0".repeat(64)), ..written(&target, 4, sets.last()).await };
    target.commit(&signed(slipped)).unwrap();
    assert_eq!(verify_chain(&target, None).unwrap(), [Break::Unlinked { set: set(4) }]);

    let foreign = Manifest { chain: "other".into(), ..written(&target, 5, sets.last()).await };
    target.commit(&signed(foreign)).unwrap();
    assert!(verify_chain(&target, None).unwrap().contains(&Break::Foreign { set: set(5) }));
    assert!(verify_chain(&target, Some("ed25519:00")).is_err());
}

#[tokio::test]
async fn a_chain_is_made_once_and_joined_by_every_target() {
    let (one, two, three) =
        (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let targets = [target(one.path()), target(two.path()), target(three.path())];
    assert_eq!(targets[0].chain().unwrap(), None);
    let chain = Target::join_chain(&targets[..1], [1; 16]).unwrap();
    assert_eq!(chain, "01".repeat(16));
    assert_eq!(Target::join_chain(&targets[..2], [2; 16]).unwrap(), chain);
    assert_eq!(targets[1].chain().unwrap(), Some(chain));
    Target::join_chain(&targets[2..], [3; 16]).unwrap();
    assert_eq!(Target::join_chain(&targets, [4; 16]).unwrap_err().trouble, TargetTrouble::Foreign);
}

#[tokio::test]
async fn a_lost_chain_file_is_known_again_from_the_sets() {
    let directory = tempfile::tempdir().unwrap();
    let target = target(directory.path());
    three(&target).await;
    fs::remove_file(directory.path().join("blog/chain.json")).unwrap();
    assert_eq!(Target::join_chain(&[target], [9; 16]).unwrap(), "01".repeat(16));
}

#[tokio::test]
async fn an_object_is_copied_to_a_second_target_only_when_it_is_what_the_manifest_says() {
    let (one, two) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let (first, second) = (target(one.path()), target(two.path()));
    let sets = three(&first).await;
    let object = &sets[0].unverified().objects[0];
    second.copy_object_from(&first, &set(1), object).await.unwrap();
    second.commit(&sets[0]).unwrap();
    assert_eq!(listed(&second), [set(1)]);

    let object = &sets[1].unverified().objects[0];
    let path = first.set_path(&set(2)).unwrap().join(&object.name);
    let mut flipped = fs::read(&path).unwrap();
    flipped[50] ^= 1;
    fs::write(&path, flipped).unwrap();
    let refused = second.copy_object_from(&first, &set(2), object).await.unwrap_err();
    assert_eq!(refused.trouble, TargetTrouble::Unfaithful);
    assert!(files(second.set_path(&set(2)).unwrap().as_path()).is_empty());
}

#[test]
fn a_check_leaves_nothing_behind() {
    let directory = tempfile::tempdir().unwrap();
    target(directory.path()).check(&set(1)).unwrap();
    assert!(files(directory.path()).is_empty());
}

#[test]
fn a_missing_target_is_missing_and_is_never_made() {
    let directory = tempfile::tempdir().unwrap();
    let nowhere = directory.path().join("not-mounted");
    let err = target(&nowhere).check(&set(1)).unwrap_err();
    assert_eq!(err.trouble, TargetTrouble::Missing);
    assert!(err.to_string().ends_with(&format!("on the target `{}`: it is not there", nowhere.display())));
    assert_eq!(target(&nowhere).list().unwrap_err().trouble, TargetTrouble::Missing);
    assert!(!nowhere.exists());
}

#[tokio::test]
async fn a_full_target_and_a_read_only_one_are_told_apart() {
    let directory = tempfile::tempdir().unwrap();
    let Some(_mounted) = Mounted::new(directory.path(), "size=256k") else { return };
    let target = target(directory.path());
    target.check(&set(1)).unwrap();
    let writer = writer(&target, &identities(), set(1));
    let secret = secrets::Secret::new(incompressible());
    let full = writer.secrets(&secret, jiff::Timestamp::UNIX_EPOCH).await.unwrap_err();
    assert!(
        matches!(&full, backup::SealError::Target { err, .. } if err.trouble == TargetTrouble::Full),
        "{full:?}"
    );
    assert!(files(directory.path()).is_empty(), "what did not fit is gone");

    fs::write(directory.path().join("ballast"), vec![1; 240 * 1024]).unwrap();
    assert_eq!(target.check(&set(1)).unwrap_err().trouble, TargetTrouble::Full);
    Command::new("mount").args(["-o", "remount,ro"]).arg(directory.path()).status().unwrap();
    assert_eq!(target.check(&set(1)).unwrap_err().trouble, TargetTrouble::ReadOnly);
}

fn incompressible() -> Vec<u8> {
    (0..u32::MAX).flat_map(|n| n.wrapping_mul(2_654_435_761).to_be_bytes()).take(4 * 1024 * 1024).collect()
}

/// A small disk of memory, for as long as a test runs.
struct Mounted(std::path::PathBuf);

impl Mounted {
    fn new(at: &Path, options: &str) -> Option<Self> {
        let mounted = Command::new("mount").args(["-t", "tmpfs", "-o", options, "tmpfs"]).arg(at).output();
        if mounted.is_ok_and(|done| done.status.success()) {
            return Some(Self(at.to_owned()));
        }
        skipped("mounting a small disk needs root");
        None
    }
}

impl Drop for Mounted {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg(&self.0).status();
    }
}
