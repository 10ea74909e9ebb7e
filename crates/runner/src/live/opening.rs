//! Finds a set on its targets and reads it: before anything is planned from it, and for every step that needs it. A
//! refusal here has touched nothing.

use backup::{OpenError, SignatureError, SignedManifest, Target, TargetError, TargetTrouble};
use diag::{Diagnostic, Stop};
use plan::{
    SetContents,
    set::{Manifest, Role, SetId},
};
use secrets::Secret;

use super::SetAccess;
use crate::release::unpack;

/// A set that was found, its signature checked.
pub(crate) struct OpenedSet {
    pub(crate) target: Target,
    pub(crate) manifest: Manifest,
    pub(crate) sha256: String,
}

/// The one that was asked for, on the first target that has it and where it can be read; else the newest there is on any.
///
/// # Errors
/// When there is no such set, or it is another stack's or another signer's wherever it is.
pub(crate) fn find(sets: &SetAccess, set: Option<&SetId>) -> Result<OpenedSet, Stop> {
    let targets = sets.targets();
    let Some(first) = targets.first() else {
        let said = Diagnostic::error("no-target", "no target is known");
        return Err(Stop::precondition(said.hint("name one in `[backup] to`, or with --from DIR")));
    };
    let set = match set {
        Some(set) => set.clone(),
        None => newest(&targets, first)?,
    };
    let has_it = |target: &&Target| target.is_committed(&set).unwrap_or(false);
    let mut refused = None;
    for target in targets.iter().filter(has_it) {
        match open_on(target, &set, sets) {
            Ok(opened) => return Ok(opened),
            Err(stop) => refused = refused.or(Some(stop)),
        }
    }
    match refused {
        Some(stop) => Err(stop),
        // Nowhere: the first says in which words.
        None => open_on(first, &set, sets),
    }
}

fn open_on(target: &Target, set: &SetId, sets: &SetAccess) -> Result<OpenedSet, Stop> {
    let signed = target.read_manifest(set).map_err(|err| unreadable(&err))?;
    let manifest = verified(&signed, sets)?;
    let sha256 = signed.sha256().map_err(|err| refused("unreadable-set", &err))?;
    Ok(OpenedSet { target: target.clone(), manifest, sha256 })
}

/// Reads what a restore needs to be planned: the manifest, its signature checked, and the release in the set.
///
/// # Errors
/// When there is no such set, it is another stack's or another signer's, or it cannot be opened.
pub(crate) async fn open_contents(sets: &SetAccess, set: Option<&str>) -> Result<SetContents, Stop> {
    let set = set.map(|set| SetId(set.to_owned()));
    let OpenedSet { target, manifest, .. } = find(sets, set.as_ref())?;
    let tar = release_in(&target, &manifest, sets).await?;
    let (release, _) = unpack(tar.expose()).map_err(|err| refused("unreadable-set", &err))?;
    Ok(SetContents { manifest, shape: *release.shape, secrets: release.secrets })
}

/// Sets that cannot be listed, and what to do about it.
pub fn unlisted(error: &TargetError) -> Stop {
    hinted(Diagnostic::from_error("target", error), error.trouble.hint())
}

/// The newest set of all targets; never an older one in place of one that cannot be read. A target that is not there,
/// such as the disk of a lost host, hides no other.
fn newest(targets: &[Target], first: &Target) -> Result<SetId, Stop> {
    let (mut seen, mut unread, mut absent, mut listed) = (Vec::new(), Vec::new(), None, false);
    for target in targets {
        match target.list() {
            Ok(listing) => {
                listed = true;
                seen.extend(listing.sets);
                unread.extend(listing.unreadable);
            }
            Err(err) if err.trouble == TargetTrouble::Missing => absent = absent.or(Some(err)),
            Err(err) => return Err(unlisted(&err)),
        }
    }
    if let (Some(err), false) = (&absent, listed) {
        return Err(unlisted(err));
    }
    let newest = seen.iter().max_by_key(|set| (set.sequence, &set.id)).map(|set| set.id.clone());
    // Another copy of it may be whole.
    unread.retain(|(set, _)| seen.iter().all(|seen| seen.id != *set));
    if let Some((set, error)) = unread.first() {
        let said = Diagnostic::error("unreadable-set", format!("set {set} cannot be read")).caused_by(error);
        let others = newest.map(|other| format!("name the set that is meant: {other}"));
        return Err(hinted(said, others.as_deref()));
    }
    let none = || {
        let (root, stack) = (first.root().display(), first.stack());
        Diagnostic::error("no-set", format!("`{root}` holds no set of `{stack}`"))
    };
    newest.ok_or_else(|| hinted(none(), Some("--from DIR names another target")))
}

fn verified(signed: &SignedManifest, sets: &SetAccess) -> Result<Manifest, Stop> {
    let manifest = signed.verify(Some(&sets.signer)).map_err(|err| {
        let hint = match err {
            SignatureError::OtherSigner { .. } => {
                "a set of another state directory is read with --signer and the fingerprint that was written down"
            }
            _ => "another copy of it may be whole: --from DIR, or another set: seaworthy backups",
        };
        hinted(Diagnostic::from_error("wrong-signer", &err), Some(hint))
    })?;
    if manifest.stack != sets.stack {
        let Manifest { set, stack, .. } = manifest;
        let message = format!("set {set} is of stack `{stack}`, not of `{}`", sets.stack);
        return Err(Stop::precondition(Diagnostic::error("other-stack", message)));
    }
    Ok(manifest.clone())
}

async fn release_in(target: &Target, manifest: &Manifest, sets: &SetAccess) -> Result<Secret<Vec<u8>>, Stop> {
    let object = manifest.objects.iter().find(|object| object.role == Role::Release);
    let object = object.ok_or_else(|| {
        let message =
            format!("set {} holds no release: nothing was deployed when it was written", manifest.set);
        Stop::precondition(Diagnostic::error("no-release", message))
    })?;
    backup::open_bytes(target, manifest, object, &sets.identities).await.map_err(|err| {
        let hint = match err {
            OpenError::WrongIdentity { .. } => {
                Some("--identity FILE, with an identity of one of its recipients")
            }
            _ => Some("another copy of it may be whole: --from DIR, or another set: seaworthy backups"),
        };
        hinted(Diagnostic::from_error("unreadable-set", &err), hint)
    })
}

/// A set that was asked for and cannot be read.
fn unreadable(error: &TargetError) -> Stop {
    let hint = match error.trouble {
        TargetTrouble::Missing => Some("seaworthy backups lists the sets there are"),
        other => other.hint(),
    };
    hinted(Diagnostic::from_error("no-set", error), hint)
}

fn refused(id: &str, error: &(dyn std::error::Error + 'static)) -> Stop {
    Stop::precondition(Diagnostic::from_error(id, error))
}

fn hinted(said: Diagnostic, hint: Option<&str>) -> Stop {
    Stop::precondition(match hint {
        Some(hint) => said.hint(hint),
        None => said,
    })
}

#[cfg(test)]
mod tests {
    use std::{fs, path::PathBuf};

    use plan::set::MANIFEST_SCHEMA;
    use secrets::Keyring;
    use stack::StackName;

    use super::*;

    /// Targets `near` and `far`, and who reads them.
    struct Place {
        root: tempfile::TempDir,
        keyring: Keyring,
    }

    impl Place {
        fn new() -> Self {
            let root = tempfile::tempdir().unwrap();
            let keyring = Keyring::open(root.path()).unwrap();
            for name in ["near", "far"] {
                fs::create_dir(root.path().join(name)).unwrap();
            }
            Self { root, keyring }
        }

        fn path(&self, name: &str) -> PathBuf {
            self.root.path().join(name)
        }

        fn access(&self) -> SetAccess {
            SetAccess {
                targets: vec![self.path("near"), self.path("far")],
                recipients: Vec::new(),
                identities: self.keyring.identity().clone(),
                signer: self.keyring.signer_fingerprint(),
                stack: StackName::from("blog"),
            }
        }

        /// Commits set `sequence` on a target.
        fn commit(&self, target: &str, sequence: u64) {
            let manifest = Manifest {
                schema: MANIFEST_SCHEMA.to_owned(),
                set: SetId(format!("set-{sequence}")),
                stack: StackName::from("blog"),
                shape: "local".to_owned(),
                chain: "c1".to_owned(),
                sequence,
                previous: None,
                point: jiff::Timestamp::UNIX_EPOCH,
                keys_at: None,
                tool: "test".to_owned(),
                recipients: Vec::new(),
                release: None,
                objects: Vec::new(),
                keys: None,
                canaries: Vec::new(),
            };
            let sign = |bytes: &[u8]| self.keyring.sign(bytes).try_into().unwrap();
            let signed = SignedManifest::sign(manifest, &self.keyring.signer_fingerprint(), sign).unwrap();
            Target::open(self.path(target), &StackName::from("blog")).commit(&signed).unwrap();
        }

        fn damage(&self, target: &str, set: &str) {
            let manifest = self.path(target).join("blog/sets").join(set).join("manifest.json");
            fs::write(manifest, "{").unwrap();
        }

        /// The set that is found, and where; or what is said.
        fn found(&self, set: Option<&str>) -> String {
            let set = set.map(|set| SetId(set.to_owned()));
            match find(&self.access(), set.as_ref()) {
                Ok(opened) => {
                    let target = opened.target.root().file_name().unwrap().to_string_lossy().into_owned();
                    format!("{} on {target}", opened.manifest.set)
                }
                Err(stop) => stop.diagnostics[0].id.clone(),
            }
        }
    }

    #[test]
    fn a_set_is_found_wherever_it_is_whether_it_was_named_or_not() {
        let place = Place::new();
        assert_eq!(place.found(None), "no-set");
        assert_eq!(place.found(Some("set-1")), "no-set");
        place.commit("far", 1);
        assert_eq!(place.found(None), "set-1 on far");
        assert_eq!(place.found(Some("set-1")), "set-1 on far");
        place.commit("near", 1);
        assert_eq!(place.found(None), "set-1 on near", "the first that has it");
        place.commit("far", 2);
        assert_eq!(place.found(None), "set-2 on far", "the newest of all");
        assert_eq!(place.found(Some("set-1")), "set-1 on near");
    }

    #[test]
    fn a_copy_that_cannot_be_read_gives_way_to_one_that_can_and_to_no_other_set() {
        let place = Place::new();
        for (target, sequence) in [("near", 1), ("near", 2), ("far", 1), ("far", 2)] {
            place.commit(target, sequence);
        }
        place.damage("near", "set-2");
        assert_eq!(place.found(None), "set-2 on far");
        assert_eq!(place.found(Some("set-2")), "set-2 on far");
        place.damage("far", "set-2");
        assert_eq!(place.found(None), "unreadable-set");
        assert_eq!(place.found(Some("set-2")), "no-set");
        assert_eq!(place.found(Some("set-1")), "set-1 on near");
    }

    #[test]
    fn a_target_that_is_gone_hides_no_other() {
        let place = Place::new();
        place.commit("far", 1);
        fs::remove_dir(place.path("near")).unwrap();
        assert_eq!(place.found(None), "set-1 on far");
        assert_eq!(place.found(Some("set-1")), "set-1 on far");
        fs::remove_dir_all(place.path("far")).unwrap();
        assert_eq!(place.found(None), "target");
    }

    #[test]
    fn a_set_that_somebody_else_signed_is_refused_on_every_target() {
        let place = Place::new();
        place.commit("far", 1);
        let elsewhere = tempfile::tempdir().unwrap();
        let other = Keyring::open(elsewhere.path()).unwrap();
        let sets = SetAccess { signer: other.signer_fingerprint(), ..place.access() };
        let stop = find(&sets, None).err().expect("it is refused");
        assert_eq!(stop.diagnostics[0].id, "wrong-signer");
    }
}
