//! Every kind of action there is, by name. A new kind does not compile until it stands here, and then fails until a
//! subject uses it.

use plan::{Action, Effect, KeyStep, RestorePart};

/// Names each variant in one exhaustive match, and lists the same names: neither can be forgotten without the other.
macro_rules! kinds {
    ($name:ident, $all:ident, $type:ident: $($variant:ident)*) => {
        fn $name(of: &$type) -> &'static str {
            match of {
                $($type::$variant { .. } => concat!(stringify!($type), "::", stringify!($variant)),)*
            }
        }
        const $all: &[&str] = &[$(concat!(stringify!($type), "::", stringify!($variant))),*];
    };
}

kinds!(action, ACTIONS, Action:
    Engine Probe Watch AwaitExit Hook WriteRelease PointCurrent PointGood GenerateSecret Keys CheckTargets Capture
    CaptureRelease CommitSet AbandonSet PruneSet VerifySet RestoreSecrets RestoreRelease Restore
    WriteEvidence Forget Person);
kinds!(effect, EFFECTS, Effect:
    EnsureImage BuildImage LoadImage EnsureNetwork EnsureVolume MakeVolume Create Start Stop Resume Rename Remove Discard
    RemoveNetwork RemoveVolume Unmake);
kinds!(key_step, KEY_STEPS, KeyStep: Bootstrap Unseal List Canary AwaitApi);
kinds!(restore_part, RESTORE_PARTS, RestorePart: KeyStore Canaries State);

/// The kinds that one action is of.
pub(crate) fn of(of: &Action) -> impl Iterator<Item = &'static str> {
    let inner = match of {
        Action::Engine { effect: it } => Some(effect(it)),
        Action::Keys { step, .. } => Some(key_step(step)),
        Action::Restore { part, .. } => Some(restore_part(part)),
        _ => None,
    };
    [Some(action(of)), inner].into_iter().flatten()
}

#[test]
fn every_kind_of_action_is_swept() {
    let swept = crate::fail::kinds_swept();
    let all = [ACTIONS, EFFECTS, KEY_STEPS, RESTORE_PARTS].concat();
    let missing: Vec<&str> = all.iter().copied().filter(|kind| !swept.contains(kind)).collect();
    assert_eq!(missing, Vec::<&str>::new(), "no subject of the sweeps uses these");
    println!("kinds swept: {}", all.len());
}
