//! What a newer version wrote is told with what was found and what is known, and stays as it is.

use super::*;

/// Writes a newer version into a file, lets somebody read it, and compares what they say.
#[track_caller]
fn check(file: &str, version: &str, read: impl FnOnce(&Kept) -> String, told: &str) {
    let kept = Kept::of("first");
    let path = kept.path(file);
    let text = fs::read_to_string(&path).expect("it is there");
    let newer = text.replace(&format!("{version}/1\""), &format!("{version}/2\""));
    assert_ne!(newer, text, "`{file}` carries no `{version}/1`");
    fs::write(&path, &newer).expect("a file of our own");
    let path = path.display().to_string();
    assert_eq!(read(&kept).replace(&path, file), told);
    assert_eq!(fs::read_to_string(kept.path(file)).expect("it is there"), newer);
}

#[test]
fn a_newer_plan_release_manifest_chain_and_evidence_are_told_by_file_and_both_versions() {
    check(
        "state/shop/runs/r7/plan.json",
        "seaworthy.plan",
        |kept| said(&kept.runs().unfinished().unwrap_err()),
        "`state/shop/runs/r7/plan.json` is of version `seaworthy.plan/2`, and this program reads `seaworthy.plan/1`",
    );
    check(
        "state/shop/releases/3/release.json",
        "seaworthy.release",
        |kept| said(&Release::read(&kept.home(), 3).unwrap_err()),
        "`state/shop/releases/3/release.json` is of version `seaworthy.release/2`, and this program reads \
         `seaworthy.release/1`",
    );
    let set = "sets/shop/sets/20261124T184451Z-1fea0aec/manifest.json";
    check(
        set,
        "seaworthy.set",
        |kept| {
            let error = SignedManifest::parse(&fs::read(kept.path(set)).unwrap()).unwrap_err();
            format!("{set}: {}", said(&error))
        },
        &format!("{set}: its format is `seaworthy.set/2`, and this program reads `seaworthy.set/1`"),
    );
    let evidence = "state/shop/evidence/20261124T184451Z-20261124T184451Z-1fea0aec.json";
    check(
        evidence,
        "seaworthy.evidence",
        |kept| said(&SignedEvidence::parse(&fs::read(kept.path(evidence)).unwrap()).unwrap_err()),
        "its format is `seaworthy.evidence/2`, and this program reads `seaworthy.evidence/1`",
    );
    check(
        "sets/shop/chain.json",
        "seaworthy.chain",
        |kept| {
            said(&Target::open(kept.path("sets"), &shop()).chain().unwrap_err())
                .replace(&kept.path("sets").display().to_string(), "sets")
        },
        "cannot read the chain on the target `sets`: another version wrote it: `chain.json` is of version `seaworthy.chain/2`, and \
         this program reads `seaworthy.chain/1`",
    );
}
