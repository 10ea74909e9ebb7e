//! A host's own keys: what seals its secrets, signs its sets, and keys its fingerprints.
//!
//! ```text
//! STATE/identity          age identity: opens the sealed store
//! STATE/signer            Ed25519 seed, hex: signs manifests and evidence
//! STATE/fingerprint.key   32 bytes: keys the hashes that stand for secret values
//! ```
//!
//! Whoever reads them as root has them; they are outside every set.

use std::{
    fs, io,
    path::{Path, PathBuf},
    sync::Arc,
};

use data_encoding::HEXLOWER;
use ed25519_dalek::{Signature, Signer, SigningKey, VerifyingKey};
use hmac::{Hmac, Mac};
use rand::{RngCore, rngs::OsRng};
use sha2::Sha256;
use zeroize::Zeroizing;

use crate::{
    Secret,
    durable::{make_dir, write_new},
    seal::{Identities, SealError, new_identity_file, parse_identities},
};

const SIGNER_PREFIX: &str = "ed25519:";

/// The keys of one state directory. Clones share them.
#[derive(Clone)]
pub struct Keyring {
    keys: Arc<Keys>,
}

struct Keys {
    identities: Identities,
    signer: SigningKey,
    fingerprint_key: Zeroizing<[u8; 32]>,
    /// Keys that were missing, by file name, with what their files will hold.
    unkept: Vec<(&'static str, Secret<Vec<u8>>)>,
}

impl Keyring {
    /// Opens the keys of a state directory; makes those that are missing.
    ///
    /// Safe against a second process and against a crash: a key is there whole or not at all, and never changes.
    ///
    /// # Errors
    /// When a key cannot be read or written, or is not one.
    pub fn open(state_dir: &Path) -> Result<Self, KeyringError> {
        loop {
            let keyring = Self::looking(state_dir)?;
            match keyring.keep(state_dir) {
                Ok(()) => return Ok(keyring),
                // Another process was first: its key is there now, and this one is looked at next time.
                Err(KeyringError::Taken { .. }) => {}
                Err(err) => return Err(err),
            }
        }
    }

    /// The keys of a state directory; those that are missing are made, and nothing is written before
    /// [`Keyring::keep`]. For whoever only looks they are a throwaway.
    ///
    /// # Errors
    /// When a key cannot be read, or is not one.
    pub fn looking(state_dir: &Path) -> Result<Self, KeyringError> {
        let mut unkept = Vec::new();
        let mut bytes_of = |name: &'static str, make: fn() -> Vec<u8>| {
            if let Some(bytes) = read(state_dir, name)? {
                return Ok(bytes);
            }
            let made = make();
            unkept.push((name, Secret::new(made.clone())));
            Ok(Secret::new(made))
        };
        let identity = text(
            state_dir,
            "identity",
            &bytes_of("identity", || new_identity_file().expose().clone().into_bytes())?,
        )?;
        let identities = parse_identities(identity.expose())
            .map_err(|source| KeyringError::Identity { path: state_dir.join("identity"), source })?;
        let seed = bytes_of("signer", || format!("{}\n", HEXLOWER.encode(&*random())).into_bytes())?;
        let seed = text(state_dir, "signer", &seed)?;
        let seed = HEXLOWER.decode(seed.expose().trim().as_bytes()).unwrap_or_default();
        let signer = SigningKey::from_bytes(&*key(state_dir, "signer", &Zeroizing::new(seed))?);
        let bytes = bytes_of("fingerprint.key", || random().to_vec())?;
        let fingerprint_key = key(state_dir, "fingerprint.key", bytes.expose())?;
        Ok(Self { keys: Arc::new(Keys { identities, signer, fingerprint_key, unkept }) })
    }

    /// Keeps the keys that were missing: from now on they are the state directory's own. Safe to do twice.
    ///
    /// # Errors
    /// When one cannot be written, or another process has kept its own in the meantime.
    pub fn keep(&self, state_dir: &Path) -> Result<(), KeyringError> {
        if self.keys.unkept.is_empty() {
            return Ok(());
        }
        make_dir(state_dir).map_err(|source| KeyringError::Make { path: state_dir.to_owned(), source })?;
        for (name, bytes) in &self.keys.unkept {
            let path = state_dir.join(name);
            write_new(state_dir, name, bytes.expose())
                .map_err(|source| KeyringError::Make { path: path.clone(), source })?;
            let kept = read(state_dir, name)?;
            if kept.is_none_or(|kept| kept.expose() != bytes.expose()) {
                return Err(KeyringError::Taken { path });
            }
        }
        Ok(())
    }

    /// The identity that opens the sealed store.
    pub fn identity(&self) -> &Identities {
        &self.keys.identities
    }

    /// What to seal to so that this host can open it.
    pub fn recipient(&self) -> String {
        self.keys.identities.recipients().remove(0)
    }

    /// An Ed25519 signature, 64 bytes.
    pub fn sign(&self, bytes: &[u8]) -> Vec<u8> {
        self.keys.signer.sign(bytes).to_vec()
    }

    /// What an operator writes down to know our signatures again: `ed25519:` and the public key in hex.
    pub fn signer_fingerprint(&self) -> String {
        format!("{SIGNER_PREFIX}{}", HEXLOWER.encode(self.keys.signer.verifying_key().as_bytes()))
    }

    /// The key of keyed fingerprints.
    pub fn fingerprint_key(&self) -> [u8; 32] {
        *self.keys.fingerprint_key
    }

    /// A keyed hash that stands for a secret value: equal for equal values, and of no use for guessing them.
    /// HMAC-SHA256, its first 16 bytes in hex.
    pub fn fingerprint(&self, bytes: &[u8]) -> String {
        let mut mac = Hmac::<Sha256>::new_from_slice(&*self.keys.fingerprint_key)
            .expect("HMAC takes keys of any length");
        mac.update(bytes);
        HEXLOWER.encode(&mac.finalize().into_bytes()[..16])
    }
}

impl std::fmt::Debug for Keyring {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(out, "Keyring({}, {})", self.recipient(), self.signer_fingerprint())
    }
}

/// Checks a signature against the fingerprint an operator wrote down.
///
/// # Errors
/// When the fingerprint is not one, and when the signature is not by that key over these bytes.
pub fn verify(fingerprint: &str, bytes: &[u8], signature: &[u8]) -> Result<(), VerifyError> {
    let malformed = || VerifyError::Fingerprint { given: fingerprint.to_owned() };
    let hex = fingerprint.trim().strip_prefix(SIGNER_PREFIX).ok_or_else(malformed)?;
    let public = HEXLOWER.decode(hex.as_bytes()).map_err(|_| malformed())?;
    let public = <[u8; 32]>::try_from(public).map_err(|_| malformed())?;
    let public = VerifyingKey::from_bytes(&public).map_err(|_| malformed())?;
    let refused = || VerifyError::Refused { fingerprint: fingerprint.trim().to_owned() };
    let signature = Signature::from_slice(signature).map_err(|_| refused())?;
    public.verify_strict(bytes, &signature).map_err(|_| refused())
}

/// Why a signature does not count.
#[derive(Debug, thiserror::Error)]
pub enum VerifyError {
    /// Not `ed25519:` and 64 hex digits.
    #[error("`{given}` is not a signer's fingerprint; one is `ed25519:` and 64 hex digits")]
    Fingerprint {
        /// What was given.
        given: String,
    },
    /// Another key, or other bytes.
    #[error("not signed by `{fingerprint}`, or changed since")]
    Refused {
        /// Who should have signed.
        fingerprint: String,
    },
}

/// Why there is no keyring.
#[derive(Debug, thiserror::Error)]
pub enum KeyringError {
    /// A file or directory could not be made.
    #[error("cannot make `{path}`")]
    Make {
        /// Which.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// A key file could not be read.
    #[error("cannot read `{path}`")]
    Read {
        /// Which.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The identity file is not one.
    #[error("`{path}` is not an age identity file")]
    Identity {
        /// Where.
        path: PathBuf,
        /// Why not.
        #[source]
        source: SealError,
    },
    /// Another process made the key first.
    #[error("`{path}` was made by another process in the meantime")]
    Taken {
        /// Where.
        path: PathBuf,
    },
    /// A key file holds something else.
    #[error(
        "`{path}` is not a key of 32 bytes: restore it from where you keep a copy, or move it away to get a new one"
    )]
    NotAKey {
        /// Where.
        path: PathBuf,
    },
}

fn random() -> Zeroizing<[u8; 32]> {
    let mut bytes = Zeroizing::new([0; 32]);
    OsRng.fill_bytes(&mut *bytes);
    bytes
}

/// The file's bytes; `None` where there is no file.
fn read(dir: &Path, name: &str) -> Result<Option<Secret<Vec<u8>>>, KeyringError> {
    let path = dir.join(name);
    match fs::read(&path) {
        Ok(bytes) => Ok(Some(Secret::new(bytes))),
        Err(err) if err.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(source) => Err(KeyringError::Read { path, source }),
    }
}

fn text(dir: &Path, name: &str, bytes: &Secret<Vec<u8>>) -> Result<Secret<String>, KeyringError> {
    let text = std::str::from_utf8(bytes.expose());
    text.map(Secret::from).map_err(|_| KeyringError::NotAKey { path: dir.join(name) })
}

fn key(dir: &Path, name: &str, bytes: &[u8]) -> Result<Zeroizing<[u8; 32]>, KeyringError> {
    let key = <[u8; 32]>::try_from(bytes).map_err(|_| KeyringError::NotAKey { path: dir.join(name) })?;
    Ok(Zeroizing::new(key))
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn the_keys_stay_the_same_once_made_and_only_their_owner_reads_them() {
        let dir = tempfile::tempdir().unwrap();
        let state = dir.path().join("a/state");
        let first = Keyring::open(&state).unwrap();
        let second = Keyring::open(&state).unwrap();
        assert_eq!(format!("{first:?}"), format!("{second:?}"));
        assert_eq!(first.fingerprint_key(), second.fingerprint_key());
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode(&state), 0o700);
        for name in ["identity", "signer", "fingerprint.key"] {
            assert_eq!(mode(&state.join(name)), 0o600, "{name}");
        }
    }

    #[test]
    fn whoever_only_looks_gets_the_keys_that_are_there_and_writes_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let state = dir.path().join("state");
        let (one, other) = (Keyring::looking(&state).unwrap(), Keyring::looking(&state).unwrap());
        assert_ne!(one.fingerprint_key(), other.fingerprint_key(), "a throwaway is nobody else's");
        assert!(!state.exists());
        one.keep(&state).unwrap();
        one.keep(&state).unwrap();
        let err = other.keep(&state).unwrap_err();
        assert!(err.to_string().contains("was made by another process"), "{err}");

        let kept = Keyring::open(&state).unwrap();
        assert_eq!(format!("{one:?}"), format!("{kept:?}"), "what was looked with is what is kept");
        assert_eq!(format!("{:?}", Keyring::looking(&state).unwrap()), format!("{kept:?}"));
        fs::remove_file(state.join("signer")).unwrap();
        let without = Keyring::looking(&state).unwrap();
        assert_eq!(without.recipient(), kept.recipient());
        assert_ne!(without.signer_fingerprint(), kept.signer_fingerprint());
        assert!(!state.join("signer").exists());
    }

    #[test]
    fn many_processes_that_open_it_first_agree_on_the_keys() {
        let dir = tempfile::tempdir().unwrap();
        let seen: std::collections::BTreeSet<String> = std::thread::scope(|scope| {
            let all: Vec<_> =
                (0..8).map(|_| scope.spawn(|| format!("{:?}", Keyring::open(dir.path()).unwrap()))).collect();
            all.into_iter().map(|one| one.join().unwrap()).collect()
        });
        assert_eq!(seen.len(), 1);
    }

    #[test]
    fn a_signature_counts_for_its_bytes_and_its_signer_only() {
        let (here, there) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let (ours, other) = (Keyring::open(here.path()).unwrap(), Keyring::open(there.path()).unwrap());
        let signature = ours.sign(b"manifest");
        verify(&ours.signer_fingerprint(), b"manifest", &signature).unwrap();
        assert!(verify(&ours.signer_fingerprint(), b"manifesto", &signature).is_err());
        assert!(verify(&other.signer_fingerprint(), b"manifest", &signature).is_err());
        let err = verify("sha256:00", b"manifest", &signature).unwrap_err();
        assert_eq!(
            err.to_string(),
            "`sha256:00` is not a signer's fingerprint; one is `ed25519:` and 64 hex digits"
        );
    }

    #[test]
    fn a_fingerprint_depends_on_the_key_and_the_value() {
        let (here, there) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let (ours, other) = (Keyring::open(here.path()).unwrap(), Keyring::open(there.path()).unwrap());
        assert_eq!(ours.fingerprint(b"x").len(), 32);
        assert_eq!(ours.fingerprint(b"x"), ours.fingerprint(b"x"));
        assert_ne!(ours.fingerprint(b"x"), ours.fingerprint(b"y"));
        assert_ne!(ours.fingerprint(b"x"), other.fingerprint(b"x"));
    }

    #[test]
    fn a_damaged_key_is_named_and_never_replaced() {
        let dir = tempfile::tempdir().unwrap();
        Keyring::open(dir.path()).unwrap();
        fs::write(dir.path().join("signer"), "short").unwrap();
        let err = Keyring::open(dir.path()).unwrap_err();
        assert!(err.to_string().contains("signer` is not a key of 32 bytes"), "{err}");
        assert_eq!(fs::read(dir.path().join("signer")).unwrap(), b"short");
    }
}
