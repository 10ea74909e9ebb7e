//! What the engine is told of a container's mounts.

use serde_json::{Value, json};

use super::{check_api, check_host};

/// One mount, and what it adds to the request.
#[track_caller]
fn check_mount(mount: Value, expected: Value) {
    check_api((1, 48), json!({ "mounts": [mount] }), &json!({ "HostConfig": expected }));
}

#[test]
fn mounts() {
    let bind = |options: Value| json!({ "mount": "bind", "source": "/srv", "target": "/t", "read_only": true, "options": options });
    let mount = |options: Value| json!({ "Mounts": [{ "Type": "bind", "Source": "/srv", "Target": "/t", "ReadOnly": true, "BindOptions": options }] });
    check_mount(bind(json!({ "create_host_path": true })), json!({ "Binds": ["/srv:/t:ro"] }));
    check_mount(
        bind(json!({ "create_host_path": true, "selinux": "z" })),
        json!({ "Binds": ["/srv:/t:ro,z"] }),
    );
    check_mount(
        bind(json!({ "selinux": "Z", "propagation": "rslave" })),
        json!({ "Binds": ["/srv:/t:ro,Z,rslave"] }),
    );
    check_mount(bind(json!({})), mount(json!({})));
    check_mount(
        bind(json!({ "create_host_path": true, "propagation": "rslave" })),
        mount(json!({ "Propagation": "rslave", "CreateMountpoint": true })),
    );
    check_mount(bind(json!({ "recursive": "disabled" })), mount(json!({ "NonRecursive": true })));
    check_mount(bind(json!({ "recursive": "writable" })), mount(json!({ "ReadOnlyNonRecursive": true })));
    check_mount(bind(json!({ "recursive": "readonly" })), mount(json!({ "ReadOnlyForceRecursive": true })));
    let kept = json!({ "mount": "kept", "content": "c1", "source": "./x", "target": "/t", "options": { "create_host_path": true } });
    check_mount(kept, json!({ "Binds": ["/kept/c1:/t:ro"] }));
    let volume = |more: Value| {
        let mut volume =
            json!({ "mount": "volume", "name": "shop_data", "target": "/t", "read_only": false });
        volume.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        volume
    };
    let told = |options: Value| json!({ "Mounts": [{ "Type": "volume", "Source": "shop_data", "Target": "/t", "ReadOnly": false, "VolumeOptions": options }] });
    check_mount(volume(json!({})), json!({ "Binds": ["shop_data:/t:rw"] }));
    check_mount(volume(json!({ "nocopy": true })), told(json!({ "NoCopy": true })));
    check_mount(volume(json!({ "subpath": "a/b" })), told(json!({ "Subpath": "a/b" })));
    check_mount(
        json!({ "mount": "anonymous", "target": "/t" }),
        json!({ "Mounts": [{ "Type": "volume", "Target": "/t", "VolumeOptions": {} }] }),
    );
    let tmpfs = |options: Option<Value>| {
        let mut mount = json!({ "Type": "tmpfs", "Target": "/t", "ReadOnly": false });
        if let Some(options) = options {
            mount["TmpfsOptions"] = options;
        }
        json!({ "Mounts": [mount] })
    };
    check_mount(json!({ "mount": "tmpfs", "target": "/t", "size_bytes": null, "mode": null }), tmpfs(None));
    check_mount(
        json!({ "mount": "tmpfs", "target": "/t", "size_bytes": 9, "mode": 448 }),
        tmpfs(Some(json!({ "SizeBytes": 9, "Mode": 448 }))),
    );
    check_mount(
        json!({ "mount": "image", "image": "app:2", "target": "/t", "subpath": "etc" }),
        json!({ "Mounts": [{ "Type": "image", "Source": "app:2", "Target": "/t", "ReadOnly": false, "ImageOptions": { "Subpath": "etc" } }] }),
    );
    check_host(json!({ "tmpfs": { "/run": "size=64m" } }), json!({ "Tmpfs": { "/run": "size=64m" } }));
}

#[test]
fn of_two_mounts_at_one_place_the_last_is_meant() {
    let bind = |source: &str| json!({ "mount": "bind", "source": source, "target": "/t", "read_only": false, "options": { "create_host_path": true } });
    check_api(
        (1, 41),
        json!({ "mounts": [bind("/a"), bind("/b")] }),
        &json!({ "HostConfig": { "Binds": ["/b:/t:rw"] } }),
    );
}
