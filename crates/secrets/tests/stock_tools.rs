//! What this crate writes, stock tools read: `age` opens the store, `openssl` reads the keys.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::{
    io::Write,
    path::Path,
    process::{Command, Output, Stdio},
};

use secrets::{Keyring, Store, generate};
use stack::SecretKind;

#[test]
fn age_opens_a_sealed_secret_with_the_state_directorys_identity() {
    let dir = tempfile::tempdir().unwrap();
    let keyring = Keyring::open(dir.path()).unwrap();
    let store = Store::open(dir.path().join("cozy/secrets"), keyring);
    store.put_first(&"db_password".into(), &"correct horse".into()).unwrap();
    let identity = path(&dir.path().join("identity"));
    let sealed = path(&dir.path().join("cozy/secrets/db_password/1.age"));
    let Some(opened) = run("age", &["-d", "-i", &identity, &sealed], "") else { return };
    assert_eq!(String::from_utf8_lossy(&opened.stdout), "correct horse");
}

#[test]
fn openssl_reads_every_kind_of_private_key() {
    for kind in [SecretKind::EcP256, SecretKind::Rsa { bits: 2048 }, SecretKind::Ed25519] {
        let key = generate(&kind).unwrap().unwrap();
        let Some(read) = run("openssl", &["pkey", "-noout", "-text"], key.expose()) else { return };
        assert!(read.status.success(), "{kind:?}: {}", String::from_utf8_lossy(&read.stderr));
    }
}

/// `None`, loudly, where the tool is missing.
fn run(tool: &str, arguments: &[&str], input: &str) -> Option<Output> {
    let mut command = Command::new(tool);
    command.args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let Ok(mut child) = command.spawn() else {
        assert_ne!(std::env::var("SEAWORTHY_LIVE").as_deref(), Ok("1"), "`{tool}` is missing");
        println!("skipped: no `{tool}` on PATH");
        return None;
    };
    // The tool may not read its input at all.
    let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
    Some(child.wait_with_output().unwrap())
}

fn path(path: &Path) -> String {
    path.to_str().unwrap().to_owned()
}
