//! A set's commit on real targets, cut short at its worst moment.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::{fs, path::PathBuf, sync::Arc};

use async_trait::async_trait;
use backup::{Meter, SignedManifest, Target};
use futures_util::FutureExt as _;
use host::{LockError, LockHolder, Process, StackLock};
use plan::{Action, Interrupted, Outcome, Output, PLAN_SCHEMA, Plan, Step, StepId, Verb, set::SetId};
use runner::{
    Clock as _, Ended, Run, RunStore, SoFar, StateDir, StepError, SystemClock, World, execute,
    live::{LiveWorld, People, SetAccess},
};
use secrets::Keyring;
use stack::{Materials, StackName};
use testkit::blog::blog;
use tokio::sync::Notify;

/// A state directory, two targets, and a run that writes a set of nothing but secrets.
struct Scene {
    dir: tempfile::TempDir,
    lock: Arc<StackLock>,
    set: SetId,
    run: String,
}

impl Scene {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let set = SetId("20261121T011447Z-7f3a91c2".to_owned());
        let run = runs(&dir).create(plan(&set)).unwrap().id().to_owned();
        let holder = LockHolder::this_process("backup", SystemClock.now());
        let path = dir.path().join("lock");
        let lock = StackLock::acquire(&path, &holder, None);
        let lock = Arc::new(lock.now_or_never().unwrap().unwrap());
        let scene = Self { dir, lock, set, run };
        for target in scene.targets() {
            fs::create_dir_all(target.root()).unwrap();
        }
        scene
    }

    fn targets(&self) -> Vec<Target> {
        let paths = ["one", "other"].map(|name| self.dir.path().join(name));
        paths.map(|path| Target::open(path, &StackName::from("blog"))).to_vec()
    }

    fn world(&self) -> LiveWorld {
        let state = StateDir::new(self.dir.path().join("state"));
        let place = state.stack(&StackName::from("blog"));
        place.create().unwrap();
        let targets = self.targets().iter().map(|target| target.root().to_owned()).collect();
        let keyring = Keyring::open(state.root()).unwrap();
        let sets = SetAccess {
            targets,
            recipients: Vec::new(),
            identities: keyring.identity().clone(),
            signer: keyring.signer_fingerprint(),
            stack: StackName::from("blog"),
        };
        LiveWorld {
            lock: self.lock.clone(),
            engine: Arc::new(Process::open(state.root(), PathBuf::from("/nowhere"))),
            home: place.clone(),
            place,
            keyring,
            materials: Materials::default(),
            shape: blog(1),
            compose: None,
            sets,
            people: People::default(),
            clock: Arc::new(SystemClock),
            meter: Meter::default(),
        }
    }

    /// Carries the run on until everything stops right after its commit, which nobody hears of.
    async fn stop_after_the_commit(&self) {
        let world = Mortal { world: self.world(), died: Notify::new() };
        let mut run = runs(&self.dir).open(&self.run).unwrap();
        let told = |_: &Run, _: &plan::Entry| {};
        tokio::select! {
            ended = execute(&mut run, &world, &SystemClock, &told) => panic!("it stops before it ends: {ended:?}"),
            () = world.died.notified() => {}
        }
    }

    /// The same verb again: whoever finds the run takes it up.
    async fn take_up(&self) -> (Outcome, Option<Output>) {
        let mut run = runs(&self.dir).open(&self.run).unwrap();
        let told = |_: &Run, _: &plan::Entry| {};
        match execute(&mut run, &self.world(), &SystemClock, &told).await.unwrap() {
            Ended::Over(outcome) => (outcome, run.progress().done.get(&StepId("commit".to_owned())).cloned()),
            waiting => panic!("{waiting:?}"),
        }
    }

    /// What stands on the targets.
    fn manifests(&self) -> Vec<Option<Vec<u8>>> {
        self.targets().iter().map(|target| fs::read(self.manifest(target)).ok()).collect()
    }

    fn manifest(&self, target: &Target) -> PathBuf {
        target.set_path(&self.set).unwrap().join("manifest.json")
    }
}

fn runs(dir: &tempfile::TempDir) -> RunStore {
    RunStore::new(dir.path().join("runs"))
}

/// The set without what needs a service.
fn plan(set: &SetId) -> Plan {
    let step = |id: &str, after: &[&str], action: Action| Step {
        id: StepId(id.to_owned()),
        kind: id.to_owned(),
        subject: "it".to_owned(),
        after: after.iter().map(|id| StepId((*id).to_owned())).collect(),
        action,
        because: vec!["a test".to_owned()],
        undo: Vec::new(),
        impact: false,
        forgiving: false,
        destroys: None,
    };
    let mut check = step("check", &[], Action::CheckTargets { set: set.clone() });
    check.undo = vec![Action::AbandonSet { set: set.clone() }];
    let capture = Action::CaptureRelease { set: set.clone(), release: None };
    Plan {
        schema: PLAN_SCHEMA.to_owned(),
        verb: Verb::Backup,
        stack: StackName::from("blog"),
        project: StackName::from("blog"),
        shape: "local".to_owned(),
        made_at: jiff::Timestamp::now(),
        tool: "test".to_owned(),
        release: None,
        from: None,
        set: Some(set.clone()),
        steps: vec![
            check,
            step("capture", &["check"], capture),
            step("commit", &["capture"], Action::CommitSet { set: set.clone() }),
        ],
        revivals: Vec::new(),
        not_done: Vec::new(),
        interrupted: Interrupted::Unwinds,
        again: false,
        permits: Vec::new(),
    }
}

/// A world whose asker dies once the set is committed.
struct Mortal {
    world: LiveWorld,
    died: Notify,
}

#[async_trait]
impl World for Mortal {
    async fn apply(&self, action: &Action, so_far: SoFar<'_>) -> Result<Output, StepError> {
        let result = self.world.apply(action, so_far).await;
        if matches!(action, Action::CommitSet { .. }) {
            self.died.notify_one();
            return std::future::pending().await;
        }
        result
    }

    fn fence(&self) -> Result<Option<u64>, LockError> {
        self.world.fence()
    }
}

#[tokio::test]
async fn a_set_whose_commit_nobody_heard_of_is_told_by_whoever_takes_the_run_up() {
    let scene = Scene::new();
    scene.stop_after_the_commit().await;
    let manifests = scene.manifests();
    let (outcome, output) = scene.take_up().await;
    assert_eq!(outcome, Outcome::Applied);
    assert!(matches!(output, Some(Output::Manifest { manifest, .. }) if manifest.set == scene.set));
    assert_eq!(scene.manifests(), manifests, "a manifest is never written again");
}

#[tokio::test]
async fn a_set_that_was_committed_on_one_target_gets_the_same_manifest_on_the_other() {
    let scene = Scene::new();
    scene.stop_after_the_commit().await;
    let targets = scene.targets();
    fs::remove_file(scene.manifest(&targets[1])).unwrap();
    assert_eq!(scene.take_up().await.0, Outcome::Applied);
    let manifests = scene.manifests();
    assert!(manifests[0].is_some());
    assert_eq!(manifests[0], manifests[1]);
}

#[tokio::test]
async fn a_manifest_that_somebody_else_signed_is_not_taken_for_ours() {
    let scene = Scene::new();
    scene.stop_after_the_commit().await;
    let targets = scene.targets();
    let ours = targets[0].read_manifest(&scene.set).unwrap().unverified().clone();
    let other = Keyring::open(&scene.dir.path().join("others")).unwrap();
    let theirs = SignedManifest::sign(ours, &other.signer_fingerprint(), |bytes| {
        other.sign(bytes).try_into().unwrap()
    });
    let theirs = theirs.unwrap().to_bytes();
    for target in &targets {
        fs::remove_file(scene.manifest(target)).unwrap();
        fs::write(scene.manifest(target), &theirs).unwrap();
    }
    let (outcome, _) = scene.take_up().await;
    let Outcome::Undone { because, .. } = outcome else { panic!("{outcome:?}") };
    assert!(because[0].contains("signed by"), "{because:?}");
    assert_eq!(scene.manifests(), [Some(theirs.clone()), Some(theirs)], "theirs stays");
}
