//! Reads a set before anything is planned from it; a refusal here has touched nothing.

use backup::{OpenError, SignatureError, SignedManifest, Target, TargetError, TargetTrouble};
use diag::{Diagnostic, Stop};
use plan::{
    Policy, SetContents,
    set::{Manifest, Role, SetId},
};
use secrets::{Identities, Secret};

use super::SetAccess;
use crate::release::unpack;

/// Reads what a restore needs to be planned: the manifest, its signature checked, and the release in the set.
///
/// # Errors
/// When there is no such set, it is another stack's or another signer's, or it cannot be opened.
pub(crate) async fn open_contents(
    sets: &SetAccess,
    set: Option<&str>,
    policy: &Policy,
) -> Result<SetContents, Stop> {
    let stack = sets.stack.clone().expect("the stack of a set is always known");
    let Some(root) = sets.targets.first() else {
        let said = Diagnostic::error("no-target", "no target is known");
        return Err(Stop::precondition(said.hint("name one in `[backup] to`, or with --from DIR")));
    };
    let target = Target::open(root, &stack);
    let set = match set {
        Some(set) => SetId(set.to_owned()),
        None => newest(&target, stack.as_str())?,
    };
    let signed = target.read_manifest(&set).map_err(|err| unreadable(&err))?;
    let manifest = verified(&signed, sets)?;
    let identities = sets.identities.as_ref().expect("an identity is always chosen before a set is read");
    plan::can_be_opened(&manifest, &identities.recipients(), policy)?;
    let tar = release_in(&target, &manifest, identities).await?;
    let (release, _) = unpack(tar.expose()).map_err(|err| refused("unreadable-set", &err))?;
    Ok(SetContents { manifest, shape: *release.shape, secrets: release.secrets })
}

/// Sets that cannot be listed, and what to do about it.
pub fn unlisted(error: &TargetError) -> Stop {
    hinted(Diagnostic::from_error("target", error), error.trouble.hint())
}

/// The newest set; never an older one in place of one that cannot be read.
fn newest(target: &Target, stack: &str) -> Result<SetId, Stop> {
    let listing = target.list().map_err(|err| unlisted(&err))?;
    if let Some((set, error)) = listing.unreadable.first() {
        let said = Diagnostic::error("unreadable-set", format!("set {set} cannot be read")).caused_by(error);
        let others = listing.sets.first().map(|other| format!("name the set that is meant: {}", other.id));
        return Err(hinted(said, others.as_deref()));
    }
    let none = || {
        let root = target.root().display();
        Diagnostic::error("no-set", format!("`{root}` holds no set of `{stack}`"))
    };
    let newest = listing.sets.first().map(|newest| newest.id.clone());
    newest.ok_or_else(|| hinted(none(), Some("--from DIR names another target")))
}

fn verified(signed: &SignedManifest, sets: &SetAccess) -> Result<Manifest, Stop> {
    let manifest = signed.verify(sets.signer.as_deref()).map_err(|err| {
        let hint = match err {
            SignatureError::OtherSigner { .. } => {
                "a set of another state directory is read with --signer and the fingerprint that was written down"
            }
            _ => "another copy of it may be whole: --from DIR, or another set: seaworthy backups",
        };
        hinted(Diagnostic::from_error("wrong-signer", &err), Some(hint))
    })?;
    match sets.stack.as_ref().filter(|stack| **stack != manifest.stack) {
        Some(stack) => {
            let message = format!("set {} is of stack `{}`, not of `{stack}`", manifest.set, manifest.stack);
            Err(Stop::precondition(Diagnostic::error("other-stack", message)))
        }
        None => Ok(manifest.clone()),
    }
}

async fn release_in(
    target: &Target,
    manifest: &Manifest,
    identities: &Identities,
) -> Result<Secret<Vec<u8>>, Stop> {
    let object = manifest.objects.iter().find(|object| object.role == Role::Release);
    let object = object.ok_or_else(|| {
        let message =
            format!("set {} holds no release: nothing was deployed when it was written", manifest.set);
        Stop::precondition(Diagnostic::error("no-release", message))
    })?;
    backup::open_bytes(target, manifest, object, identities).await.map_err(|err| {
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
