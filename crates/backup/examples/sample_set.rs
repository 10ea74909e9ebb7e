//! Writes one real set, for trying `docs/recovery.md`: `sample_set TARGET KEEP DATABASE-CONTAINER KEY-STORE-ADDRESS`.
//!
//! PostgreSQL is captured through the Docker Engine, the key store is bootstrapped and captured through its API. What a
//! recovery kit holds (identity, signer, shares) goes into the directory KEEP.

use std::{error::Error, fs, path::Path};

use backup::{Meter, PostgresAccess, Recipients, SetWriter, SignedManifest, Target, capture_postgres};
use hmac::{Hmac, Mac};
use plan::set::{Canary, MANIFEST_SCHEMA, Manifest, SetId};
use secrets::{
    Keyring, Secret,
    keystore::{Bootstrapped, Credentials, KeyStore, Known, bootstrap},
};
use serde_json::json;
use stack::Transit;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [target, keep, container, address] = arguments.as_slice() else {
        return Err("usage: sample_set TARGET KEEP DATABASE-CONTAINER KEY-STORE-ADDRESS".into());
    };
    let keep = Path::new(keep);
    let keyring = Keyring::open(&keep.join("state"))?;
    fs::copy(keep.join("state/identity"), keep.join("identity"))?;
    fs::write(keep.join("signer"), keyring.signer_fingerprint())?;

    let stack = "sample".into();
    let targets = vec![Target::open(target, &stack)];
    let now = jiff::Timestamp::now();
    let set = SetId::new(now, rand::random());
    let recipients = Recipients::parse(&[keyring.recipient()])?;
    let writer = SetWriter { set: set.clone(), sequence: 1, recipients, targets, meter: Meter::default() };

    let access = PostgresAccess { container, database: "relay", user: "relay", password: None };
    let heartbeat = Some("SELECT max(at) FROM heartbeat");
    let engine = host::Docker::connect().await?;
    let mut objects = capture_postgres(&engine, access, &"postgres".into(), heartbeat, &writer).await?;
    let (point, store) = (objects[0].captured_at, KeyStore::at(address.as_str()));
    let credentials = open_key_store(&store, keep).await?;
    let canary = canary(&store.login(&credentials.app).await?, &set).await?;
    let snapshot = store.login(&credentials.snapshot).await?.snapshot().await?;
    let keys_at = jiff::Timestamp::now();
    objects.push(writer.keystore(&"bao".into(), snapshot, None, keys_at).await?);

    let values = json!({"schema": "seaworthy.secrets/1", "secrets": {
        "relay_keystore": {"1": "an older one", "2": credentials.app.expose()},
        "postgres_password": {"1": fs::read_to_string(keep.join("postgres_password"))?},
    }});
    objects.push(writer.secrets(&Secret::new(serde_json::to_vec(&values)?), now).await?);
    objects.push(writer.release(&Secret::new(release(keep)?), now).await?);

    let manifest = Manifest {
        schema: MANIFEST_SCHEMA.into(),
        set,
        stack,
        shape: "prod".into(),
        chain: Target::join_chain(&writer.targets, rand::random())?,
        sequence: 1,
        previous: None,
        point,
        keys_at: Some(keys_at),
        tool: env!("CARGO_PKG_VERSION").into(),
        recipients: writer.recipients.to_strings(),
        release: Some(1),
        objects,
        keys: None,
        canaries: vec![canary],
    };
    let sign = |bytes: &[u8]| keyring.sign(bytes).try_into().expect("an Ed25519 signature has 64 bytes");
    let signed = SignedManifest::sign(manifest, &keyring.signer_fingerprint(), sign)?;
    writer.targets[0].commit(&signed)?;
    Ok(())
}

async fn open_key_store(store: &KeyStore, keep: &Path) -> Result<Credentials, Box<dyn Error>> {
    let transit = Transit {
        key: "relay-atrest".into(),
        port: 8200,
        shares: 5,
        threshold: 3,
        holders: Vec::new(),
        credential: "relay_keystore".into(),
        volume: None,
        dev_token: None,
    };
    let known = Known::default();
    let made = bootstrap(store, &transit, &known, |shares| async move {
        let three: Vec<_> = shares.iter().skip(1).take(3).map(|share| share.expose().as_str()).collect();
        Ok(fs::write(keep.join("shares"), three.join("\n") + "\n")?)
    });
    match made.await? {
        Bootstrapped::Made(credentials) => Ok(credentials),
        Bootstrapped::Already => Err("the key store is not fresh".into()),
    }
}

async fn canary(store: &KeyStore, set: &SetId) -> Result<Canary, Box<dyn Error>> {
    let plain: [u8; 32] = rand::random();
    let mut mac = Hmac::<sha2::Sha256>::new_from_slice(set.0.as_bytes())?;
    mac.update(&plain);
    let plain_hmac = data_encoding::HEXLOWER.encode(&mac.finalize().into_bytes());
    let ciphertext = store.encrypt("relay-atrest", &plain).await?;
    Ok(Canary { key: "relay-atrest".into(), ciphertext, plain_hmac })
}

/// A release's tar, as far as a recovery reads it.
fn release(keep: &Path) -> Result<Vec<u8>, Box<dyn Error>> {
    let release = json!({"schema": "seaworthy.release/1", "number": 1,
    "secrets": {"relay_keystore": 2, "postgres_password": 1},
    "shape": {"states": {
        "postgres": {"kind": {"kind": "postgres", "database": "relay", "user": "relay"}},
        "bao": {"kind": {"kind": "transit", "key": "relay-atrest", "credential": "relay_keystore"}},
    }}});
    let path = keep.join("release.json");
    fs::write(&path, serde_json::to_vec_pretty(&release)?)?;
    let tar = std::process::Command::new("tar").arg("-cC").arg(keep).arg("release.json").output()?;
    if tar.status.success() { Ok(tar.stdout) } else { Err("tar failed".into()) }
}
