//! Every format that was ever written to disk is read for as long as there are disks with it: the files beside this one
//! were written by the versions named in `README.md`, and are only ever added to.

use std::{
    error::Error,
    fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
};

use backup::{Ladder, Meter, SignedEvidence, SignedManifest, Target, verify_chain, verify_object};
use host::{LockHolder, StackLock};
use plan::{Entry, SavedPlan, Verb};
use runner::{Release, RunStore, StackDir, StateDir};
use secrets::{Keyring, Store, parse_identities};
use stack::{SecretName, StackName};

mod newer;

/// A copy of the files that one version wrote: reading must not change them, and going on from them may.
struct Kept(tempfile::TempDir);

impl Kept {
    fn of(version: &str) -> Self {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let from = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/formats").join(version);
        copy(&from, dir.path());
        Self(dir)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn home(&self) -> StackDir {
        StateDir::new(self.path("state")).stack(&shop())
    }

    fn runs(&self) -> RunStore {
        RunStore::new(self.home().runs())
    }

    fn keyring(&self) -> Keyring {
        Keyring::looking(&self.path("state")).expect("its keys")
    }
}

/// Copies a directory, and gives its files to their owner alone, as they were written.
fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).expect("a directory of our own");
    for entry in fs::read_dir(from).expect("it is there") {
        let path = entry.expect("it is there").path();
        let place = to.join(path.file_name().expect("it has a name"));
        if path.is_dir() {
            copy(&path, &place);
        } else {
            fs::copy(&path, &place).expect("a directory of our own");
            fs::set_permissions(&place, fs::Permissions::from_mode(0o600)).expect("a file of our own");
        }
    }
}

fn shop() -> StackName {
    StackName::new("shop")
}

/// An error with all its causes.
fn said(error: &(dyn Error + 'static)) -> String {
    diag::causes(error).join(": ")
}

#[test]
fn the_first_runs_are_listed_as_they_ended() {
    let kept = Kept::of("first");
    let records = kept.runs().list().unwrap().into_iter().map(|row| row.expect("it can be read"));
    let lines: Vec<String> = records
        .map(|record| {
            let about = record.set.or(record.release.map(|release| release.to_string())).unwrap_or_default();
            let (run, verb, how) = (record.run, record.verb, record.outcome.as_str());
            format!("{run} {verb} {how} {}/{} {about}", record.done, record.steps).trim().to_owned()
        })
        .collect();
    assert_eq!(
        lines,
        [
            "r1 bootstrap applied 1/1",
            "r2 deploy applied 12/12 1",
            "r3 deploy undone 6/11 2",
            "r4 deploy applied 12/12 3",
            "r5 backup applied 4/4 20261124T184451Z-1fea0aec",
            "r6 drill applied 18/18 20261124T184451Z-1fea0aec",
            "r7 deploy unfinished 3/11 4",
        ]
    );
    assert_eq!(kept.runs().good_releases().unwrap(), [1, 3].into());
}

#[test]
fn a_run_of_the_first_version_that_was_killed_is_taken_up() {
    let kept = Kept::of("first");
    let unfinished = kept.runs().unfinished().unwrap().expect("r7 was killed");
    assert_eq!((unfinished.id.as_str(), unfinished.plan.verb), ("r7", Verb::Deploy));
    assert!(plan::lint(&unfinished.plan).is_empty(), "{:?}", plan::lint(&unfinished.plan));
    let mut run = kept.runs().open("r7").unwrap();
    let at = run.plan().made_at;
    run.append(Entry::Began { at, epoch: Some(1) }).unwrap();
    run.append(Entry::Abandoned { at, because: "it was killed".to_owned() }).unwrap();
    assert!(matches!(run.progress().next(run.plan()), plan::Next::TakeBack(_)));
    // A number after the last one, with the first version's runs beside it.
    assert_eq!(kept.runs().list().unwrap().len(), 7);
}

#[test]
fn the_first_releases_are_read_and_what_they_hold_sealed_is_opened() {
    let kept = Kept::of("first");
    let releases = Release::list(&kept.home()).unwrap();
    assert_eq!(releases.iter().map(|release| release.number).collect::<Vec<_>>(), [1, 2, 3, 4]);
    let release = &releases[2];
    let services: Vec<&str> = release.shape.services.keys().map(|name| name.as_str()).collect();
    assert_eq!((release.schema.as_str(), services), ("seaworthy.release/1", vec!["ledger", "web"]));
    assert_eq!(release.secrets.get(&token()), Some(&1));
    release.materials(&kept.home(), &kept.keyring()).unwrap();
    let points = |name: &str| kept.home().pointer(name).unwrap();
    assert_eq!((points("current"), points("good")), (Some(3), Some(3)));
}

fn token() -> SecretName {
    SecretName::new("token")
}

#[test]
fn the_first_secrets_are_opened_with_the_first_keys() {
    let kept = Kept::of("first");
    let store = Store::open(kept.home().secrets(), kept.keyring());
    assert_eq!(store.versions(&token()).unwrap(), [1]);
    assert_eq!(store.get(&token(), 1).unwrap().expose().len(), 32);
    assert!(kept.keyring().signer_fingerprint().starts_with("ed25519:"));
}

#[tokio::test]
async fn the_first_set_is_verified_object_by_object_and_its_chain_holds() {
    let kept = Kept::of("first");
    let target = Target::open(kept.path("sets"), &shop());
    let signer = kept.keyring().signer_fingerprint();
    assert_eq!(target.chain().unwrap().as_deref(), Some("25144e4f119ee868b8069dc3768e11fb"));
    assert!(verify_chain(&target, Some(&signer)).unwrap().is_empty());
    let sets = target.list().unwrap().sets;
    assert_eq!(sets.iter().map(|set| set.id.0.as_str()).collect::<Vec<_>>(), ["20261124T184451Z-1fea0aec"]);
    let signed = target.read_manifest(&sets[0].id).unwrap();
    let manifest = signed.verify(Some(&signer)).unwrap();
    let names: Vec<&str> = manifest.objects.iter().map(|object| object.name.as_str()).collect();
    assert_eq!(names, ["ledger.sqlite.zst.age", "secrets.json.zst.age", "release.tar.zst.age"]);
    let holder = parse_identities(&fs::read_to_string(kept.path("holder")).unwrap()).unwrap();
    for object in &manifest.objects {
        verify_object(&target, manifest, object, &holder, &Meter::default()).await.unwrap();
    }
}

#[test]
fn the_first_evidence_is_believed() {
    let kept = Kept::of("first");
    let evidence = SignedEvidence::read_all(&kept.home().evidence()).unwrap();
    assert_eq!(evidence.len(), 1);
    let evidence = evidence[0].verify(Some(&kept.keyring().signer_fingerprint())).unwrap();
    assert_eq!((evidence.set.0.as_str(), evidence.level), ("20261124T184451Z-1fea0aec", Ladder::L4));
}

/// The first version had no leases: it held the file, and wrote its name there.
#[tokio::test]
async fn a_lock_file_of_the_first_version_is_taken_when_nobody_holds_it_and_respected_when_somebody_does() {
    let kept = Kept::of("first");
    let holder = LockHolder::this_process("deploy", "2026-11-25T00:00:00Z".parse().unwrap());
    let old = fs::File::open(kept.home().lock()).unwrap();
    rustix::fs::flock(&old, rustix::fs::FlockOperation::LockExclusive).unwrap();
    let error = StackLock::acquire(&kept.home().lock(), &holder, None).await.unwrap_err();
    assert!(said(&error).starts_with("the stack is held by `deploy`, process "), "{}", said(&error));
    drop(old);
    let lock = StackLock::acquire(&kept.home().lock(), &holder, None).await.unwrap();
    assert_eq!(lock.epoch(), 1);
    // And a first version that comes now finds the file held.
    let old = fs::File::open(kept.home().lock()).unwrap();
    rustix::fs::flock(&old, rustix::fs::FlockOperation::NonBlockingLockExclusive).unwrap_err();
}

#[test]
fn an_index_of_runs_is_believed_without_their_journals() {
    let kept = Kept::of("today");
    let outcomes: Vec<&str> =
        kept.runs().list().unwrap().into_iter().map(|row| row.unwrap().outcome.as_str()).collect();
    assert_eq!(outcomes, ["applied", "undone"]);
}

#[tokio::test]
async fn a_lock_that_was_given_back_counts_on_from_its_last_number() {
    let kept = Kept::of("today");
    let holder = LockHolder::this_process("deploy", "2026-11-25T00:00:00Z".parse().unwrap());
    let lock = StackLock::acquire(&kept.home().lock(), &holder, None).await.unwrap();
    assert_eq!((lock.epoch(), lock.broke()), (3, None));
}

#[test]
fn a_plan_file_is_read() {
    let kept = Kept::of("today");
    let saved = SavedPlan::read("plan.json", &fs::read(kept.path("plan.json")).unwrap()).unwrap();
    assert_eq!((saved.schema.as_str(), saved.plan.verb), ("seaworthy.plan-file/1", Verb::Deploy));
    assert_eq!(saved.on.state_dir, "/srv/shop/state");
}
