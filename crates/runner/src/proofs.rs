//! Which sets are proven: what the evidence in the state directory says, where this state directory signed it.

use std::{collections::BTreeMap, io};

use backup::{SignedEvidence, Target};
use plan::{SetSeen, set::SetId};

use crate::StackDir;

/// When each set was last proven, by its id and the hash of its manifest.
#[derive(Debug, Default)]
pub struct Proofs(BTreeMap<(SetId, String), jiff::Timestamp>);

impl Proofs {
    /// Reads what is kept of a stack. Evidence that somebody else signed, or that was changed, proves nothing.
    ///
    /// # Errors
    /// When the evidence is there and cannot be listed.
    pub fn read(dir: &StackDir, signer: &str) -> io::Result<Self> {
        let mut proofs = BTreeMap::new();
        for signed in SignedEvidence::read_all(&dir.evidence())? {
            let Ok(evidence) = signed.verify(Some(signer)) else { continue };
            if evidence.proves() {
                let of = (evidence.set.clone(), evidence.manifest_sha256.clone());
                let newest = proofs.entry(of).or_insert(evidence.ended_at);
                *newest = (*newest).max(evidence.ended_at);
            }
        }
        Ok(Self(proofs))
    }

    /// Says of each set on a target when it was last proven: this very manifest, not another one under its id.
    pub fn mark(&self, target: &Target, sets: &mut [SetSeen]) {
        for set in sets {
            if self.0.keys().any(|(proven, _)| *proven == set.id) {
                let manifest = target.read_manifest(&set.id).ok().and_then(|signed| signed.sha256().ok());
                set.proven_at = manifest.and_then(|sha256| self.0.get(&(set.id.clone(), sha256)).copied());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use backup::{EVIDENCE_SCHEMA, Evidence, Ladder, RecoveryPoint, SignedManifest};
    use plan::set::{MANIFEST_SCHEMA, Manifest};
    use secrets::Keyring;
    use stack::StackName;

    use super::*;
    use crate::StateDir;

    fn now() -> jiff::Timestamp {
        "2026-11-21T01:14:47Z".parse().expect("a time is written here")
    }

    fn sign(keyring: &Keyring, bytes: &[u8]) -> [u8; 64] {
        keyring.sign(bytes).try_into().expect("64 bytes")
    }

    /// Commits a set without objects, whose shape makes its manifest another one.
    fn commit(target: &Target, keyring: &Keyring, shape: &str) -> SignedManifest {
        let manifest = Manifest {
            schema: MANIFEST_SCHEMA.to_owned(),
            set: SetId("set-1".to_owned()),
            stack: target.stack().clone(),
            shape: shape.to_owned(),
            chain: "c1".to_owned(),
            sequence: 1,
            previous: None,
            point: now(),
            keys_at: None,
            tool: "test".to_owned(),
            recipients: Vec::new(),
            release: None,
            objects: Vec::new(),
            keys: None,
            canaries: Vec::new(),
        };
        let signer = keyring.signer_fingerprint();
        let signed = SignedManifest::sign(manifest, &signer, |bytes| sign(keyring, bytes)).expect("signed");
        target.commit(&signed).expect("committed");
        signed
    }

    /// Evidence of `manifest` up to `level`, by `keyring`.
    fn prove(dir: &StackDir, manifest: &SignedManifest, level: Ladder, keyring: &Keyring) {
        let evidence = Evidence {
            schema: EVIDENCE_SCHEMA.to_owned(),
            set: manifest.unverified().set.clone(),
            manifest_sha256: manifest.sha256().expect("canonical"),
            stack: manifest.unverified().stack.clone(),
            shape: "local".to_owned(),
            began_at: now(),
            ended_at: now(),
            level,
            not_proven: Vec::new(),
            phases: Vec::new(),
            recovery_point: RecoveryPoint::measure(now(), now(), None),
            recovery_ms: 1,
            recovery_point_target_ms: None,
            recovery_target_ms: None,
            counts: Vec::new(),
            canaries: Vec::new(),
            probes: Vec::new(),
            sizes: Vec::new(),
            tool: "test".to_owned(),
        };
        let signer = keyring.signer_fingerprint();
        let signed = SignedEvidence::sign(evidence, &signer, |bytes| sign(keyring, bytes)).expect("signed");
        signed.write(&dir.evidence()).expect("written");
    }

    /// When the one set on a target counts as proven.
    fn proven_at(target: &Target, dir: &StackDir, keyring: &Keyring) -> Option<jiff::Timestamp> {
        let mut sets = target.list().expect("a target").sets;
        Proofs::read(dir, &keyring.signer_fingerprint()).expect("readable").mark(target, &mut sets);
        sets[0].proven_at
    }

    fn keyring(root: &Path) -> Keyring {
        std::fs::create_dir_all(root).expect("a directory of our own");
        Keyring::open(root).expect("a directory of our own")
    }

    #[test]
    fn a_set_is_proven_by_evidence_of_its_own_manifest_that_this_state_directory_signed() {
        let root = tempfile::tempdir().expect("a temporary directory");
        let stack = StackName::from("blog");
        let (ours, theirs) = (keyring(&root.path().join("ours")), keyring(&root.path().join("theirs")));
        let place = |name: &str| StateDir::new(root.path().join("state").join(name)).stack(&stack);
        let on = |name: &str| {
            std::fs::create_dir(root.path().join(name)).expect("a directory of our own");
            Target::open(root.path().join(name), &stack)
        };
        let (target, other) = (on("target"), on("other"));
        let manifest = commit(&target, &ours, "local");
        commit(&other, &ours, "prod");

        assert_eq!(proven_at(&target, &place("none"), &ours), None);
        prove(&place("red"), &manifest, Ladder::L2, &ours);
        assert_eq!(proven_at(&target, &place("red"), &ours), None);
        prove(&place("theirs"), &manifest, Ladder::L4, &theirs);
        assert_eq!(proven_at(&target, &place("theirs"), &ours), None);
        prove(&place("green"), &manifest, Ladder::L4, &ours);
        assert_eq!(proven_at(&target, &place("green"), &ours), Some(now()));
        assert_eq!(proven_at(&other, &place("green"), &ours), None, "it is another set of the same id");
    }
}
