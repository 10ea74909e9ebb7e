//! The JSON envelopes scripts rely on.

use report::{Told, json, run_report};

use crate::samples::{deploy, fold, undone};

#[test]
fn a_run_is_one_versioned_document() {
    let plan = deploy();
    let report = run_report(&plan, &fold(&plan, &undone(&plan)), Told { run: Some("k7"), diagnostics: &[] });
    let value: serde_json::Value = serde_json::from_str(&json(&report)).expect("JSON");
    let of = |pointer: &str| value.pointer(pointer).cloned().unwrap_or_default();
    assert_eq!(of("/schema"), "seaworthy.run/1");
    assert_eq!((of("/verb"), of("/outcome"), of("/exit")), ("deploy".into(), "undone".into(), 1.into()));
    assert_eq!(of("/release"), serde_json::json!({"live": 41, "tried": 42}));
    assert_eq!(
        of("/steps/5"),
        serde_json::json!({
            "n": 6, "id": "probe-web", "kind": "probe", "subject": "web", "state": "failed", "seconds": 60.0,
            "because": ["image `web:1` is now `web:2`"],
        })
    );
    assert_eq!(of("/impact"), serde_json::json!({"began": true, "seconds": null, "failed_requests": null}));
    assert_eq!(of("/diagnostics/0/hint"), "seaworthy runs show k7 --step 6");
    assert_eq!(of("/kept/0"), "blog-web-42-failed");
}
