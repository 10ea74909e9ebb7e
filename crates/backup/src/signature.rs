//! Signed papers: a body as canonical JSON, and who signed it.
//!
//! ```json
//! {"manifest": {…}, "signature": "base64", "signer": "ed25519:hex of the public key"}
//! ```
//! Canonical is what `jq -cSj .manifest` prints: keys sorted, no space, whole numbers only.

use ed25519_dalek::VerifyingKey;
use plan::set::{MANIFEST_SCHEMA, Manifest};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::disk::sha256;

/// A manifest, and the signature it came with. What it says is only to be believed after [`SignedManifest::verify`].
#[derive(Debug, Clone, PartialEq)]
pub struct SignedManifest {
    manifest: Manifest,
    /// The body as it was read: a later version may have written more than we know.
    body: Value,
    seal: Seal,
}

/// Why a signed paper is not accepted, or could not be signed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SignatureError {
    /// Not the shape of a signed paper.
    #[error("it is not a signed {what}: {because}")]
    Unreadable {
        /// `manifest` or `evidence`.
        what: &'static str,
        /// What does not fit.
        because: String,
    },
    /// It is of a version this program does not know.
    #[error("its format is `{found}`, and this program reads `{known}`")]
    Version {
        /// What it says.
        found: String,
        /// What we know.
        known: &'static str,
    },
    /// It was signed by somebody else.
    #[error("it is signed by `{found}`, and not by `{expected}`")]
    OtherSigner {
        /// Who signed.
        found: String,
        /// Who should have.
        expected: String,
    },
    /// The signature does not fit what it signs: one of them was changed.
    #[error("its signature does not fit what it says: it was changed after it was signed")]
    Forged,
    /// It holds what has no single way to be written.
    #[error("it cannot be written in one way only: {because}")]
    NotCanonical {
        /// What it holds.
        because: String,
    },
}

impl SignedManifest {
    /// Signs a manifest. `signer` is `ed25519:` and the public key in hex; `sign` signs bytes with its private half.
    ///
    /// # Errors
    /// When the manifest cannot be written canonically, or `sign` is not the private half of `signer`.
    pub fn sign(
        manifest: Manifest,
        signer: &str,
        sign: impl FnOnce(&[u8]) -> [u8; 64],
    ) -> Result<Self, SignatureError> {
        let body = serde_json::to_value(&manifest).expect("a manifest is plain data");
        let seal = Seal::sign(&body, signer, sign)?;
        Ok(Self { manifest, body, seal })
    }

    /// Reads what [`SignedManifest::to_bytes`] wrote.
    ///
    /// # Errors
    /// When it is no manifest, or one of a version we do not know.
    pub fn parse(bytes: &[u8]) -> Result<Self, SignatureError> {
        let (body, seal) = open_envelope("manifest", bytes)?;
        check_schema(&body, MANIFEST_SCHEMA)?;
        let manifest = Manifest::deserialize(&body).map_err(|err| unreadable("manifest", err))?;
        Ok(Self { manifest, body, seal })
    }

    /// The manifest, once its signature was found to fit, and to be `expected`'s where one is given.
    ///
    /// Without `expected` this proves only that it was not damaged: whoever can write to the target can also sign.
    ///
    /// # Errors
    /// [`SignatureError::OtherSigner`] and [`SignatureError::Forged`].
    pub fn verify(&self, expected: Option<&str>) -> Result<&Manifest, SignatureError> {
        self.seal.verify(&self.body, expected)?;
        Ok(&self.manifest)
    }

    /// What it claims, for lists. Nothing is restored by it.
    pub fn unverified(&self) -> &Manifest {
        &self.manifest
    }

    /// Who says to have signed it: `ed25519:…`.
    pub fn signer(&self) -> &str {
        &self.seal.signer
    }

    /// SHA-256 of the signed bytes: what the next manifest's `previous` holds.
    ///
    /// # Errors
    /// When it is not canonical.
    pub fn sha256(&self) -> Result<String, SignatureError> {
        Ok(sha256(canonical(&self.body)?.as_bytes()))
    }

    /// The file: indented, for a person to read; `jq -cSj .manifest` gives the signed bytes back.
    pub fn to_bytes(&self) -> Vec<u8> {
        envelope("manifest", &self.body, &self.seal)
    }
}

/// Who signed, and the signature.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Seal {
    pub(crate) signer: String,
    pub(crate) signature: String,
}

impl Seal {
    pub(crate) fn sign(
        body: &Value,
        signer: &str,
        sign: impl FnOnce(&[u8]) -> [u8; 64],
    ) -> Result<Self, SignatureError> {
        let signature = sign(canonical(body)?.as_bytes());
        let seal = Self { signer: signer.to_owned(), signature: data_encoding::BASE64.encode(&signature) };
        seal.verify(body, None)?;
        Ok(seal)
    }

    pub(crate) fn verify(&self, body: &Value, expected: Option<&str>) -> Result<(), SignatureError> {
        if let Some(expected) = expected.filter(|expected| !expected.eq_ignore_ascii_case(&self.signer)) {
            let (found, expected) = (self.signer.clone(), expected.to_owned());
            return Err(SignatureError::OtherSigner { found, expected });
        }
        let key = public_key(&self.signer).ok_or(SignatureError::Forged)?;
        let signature = data_encoding::BASE64.decode(self.signature.as_bytes()).ok();
        let signature = signature.and_then(|bytes| ed25519_dalek::Signature::from_slice(&bytes).ok());
        let signature = signature.ok_or(SignatureError::Forged)?;
        key.verify_strict(canonical(body)?.as_bytes(), &signature).map_err(|_| SignatureError::Forged)
    }
}

fn public_key(signer: &str) -> Option<VerifyingKey> {
    let hex = signer.strip_prefix("ed25519:")?;
    let bytes = data_encoding::HEXLOWER_PERMISSIVE.decode(hex.as_bytes()).ok()?;
    VerifyingKey::from_bytes(&bytes.try_into().ok()?).ok()
}

pub(crate) fn envelope(what: &str, body: &Value, seal: &Seal) -> Vec<u8> {
    let document = serde_json::json!({ what: body, "signer": seal.signer, "signature": seal.signature });
    let mut bytes = serde_json::to_vec_pretty(&document).expect("a JSON value always serialises");
    bytes.push(b'\n');
    bytes
}

pub(crate) fn open_envelope(what: &'static str, bytes: &[u8]) -> Result<(Value, Seal), SignatureError> {
    let document: Value = serde_json::from_slice(bytes).map_err(|err| unreadable(what, err))?;
    let body = document.get(what).cloned().ok_or_else(|| unreadable(what, format!("no `{what}` in it")))?;
    let seal = Seal::deserialize(&document).map_err(|err| unreadable(what, err))?;
    Ok((body, seal))
}

pub(crate) fn check_schema(body: &Value, known: &'static str) -> Result<(), SignatureError> {
    match body.get("schema").and_then(Value::as_str) {
        Some(found) if found == known => Ok(()),
        found => Err(SignatureError::Version { found: found.unwrap_or("nothing").to_owned(), known }),
    }
}

pub(crate) fn unreadable(what: &'static str, because: impl ToString) -> SignatureError {
    SignatureError::Unreadable { what, because: because.to_string() }
}

/// One text for one value: keys sorted by their bytes, no space, no fractions: what `jq -cSj .` prints.
///
/// # Errors
/// For what `jq` and we could write differently: fractions, numbers beyond 2^53, the control character DEL.
pub fn canonical(value: &Value) -> Result<String, SignatureError> {
    let mut text = String::new();
    write_canonical(value, &mut text)?;
    Ok(text)
}

fn write_canonical(value: &Value, out: &mut String) -> Result<(), SignatureError> {
    /// Beyond it a double, which is what `jq` computes with, skips whole numbers.
    const WHOLE: u64 = 1 << 53;
    let refuse = |because: String| Err(SignatureError::NotCanonical { because });
    match value {
        Value::Number(number) if number.as_u64().is_none_or(|whole| whole > WHOLE) => {
            return refuse(format!("the number {number}"));
        }
        Value::String(text) if text.contains('\u{7f}') => return refuse("a control character".into()),
        Value::Array(items) => {
            out.push('[');
            for (index, item) in items.iter().enumerate() {
                if index > 0 {
                    out.push(',');
                }
                write_canonical(item, out)?;
            }
            out.push(']');
        }
        Value::Object(fields) => {
            let mut keys: Vec<_> = fields.keys().collect();
            keys.sort_unstable();
            out.push('{');
            for (index, key) in keys.into_iter().enumerate() {
                if index > 0 {
                    out.push(',');
                }
                write_canonical(&Value::String(key.clone()), out)?;
                out.push(':');
                write_canonical(&fields[key], out)?;
            }
            out.push('}');
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {
            out.push_str(&value.to_string())
        }
    }
    Ok(())
}
