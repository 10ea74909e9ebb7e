//! The signed record that a drill passed, or did not: what a certificate is later made of.

use std::{
    io,
    path::{Path, PathBuf},
};

use plan::proof::{EVIDENCE_SCHEMA, Evidence};
use serde::Deserialize;
use serde_json::Value;

use crate::{
    disk::{create_only, make_directories},
    signature::{Seal, SignatureError, check_schema, envelope, open_envelope, unreadable},
};

/// Evidence, and the signature it came with.
#[derive(Debug, Clone, PartialEq)]
pub struct SignedEvidence {
    evidence: Evidence,
    body: Value,
    seal: Seal,
}

/// Evidence could not be written.
#[derive(Debug, thiserror::Error)]
pub enum EvidenceError {
    /// It could not be signed or read.
    #[error("the evidence is not accepted")]
    Signature(#[from] SignatureError),
    /// The disk did not take it.
    #[error("cannot write the evidence `{}`", path.display())]
    Write {
        /// Where.
        path: PathBuf,
        /// Why.
        #[source]
        err: io::Error,
    },
    /// Another record stands there already.
    #[error("another record stands in `{}`, and none is overwritten", path.display())]
    Taken {
        /// Where.
        path: PathBuf,
    },
}

impl SignedEvidence {
    /// Signs evidence, as a manifest is signed.
    ///
    /// # Errors
    /// When `sign` is not the private half of `signer`.
    pub fn sign(
        evidence: Evidence,
        signer: &str,
        sign: impl FnOnce(&[u8]) -> [u8; 64],
    ) -> Result<Self, SignatureError> {
        let body = serde_json::to_value(&evidence).expect("evidence is plain data");
        let seal = Seal::sign(&body, signer, sign)?;
        Ok(Self { evidence, body, seal })
    }

    /// Reads what [`SignedEvidence::write`] wrote.
    ///
    /// # Errors
    /// When it is none, or of a version we do not know.
    pub fn parse(bytes: &[u8]) -> Result<Self, SignatureError> {
        let (body, seal) = open_envelope("evidence", bytes)?;
        check_schema(&body, EVIDENCE_SCHEMA)?;
        let evidence = Evidence::deserialize(&body).map_err(|err| unreadable("evidence", err))?;
        Ok(Self { evidence, body, seal })
    }

    /// The evidence, once its signature was found to fit, and to be `expected`'s where one is given.
    ///
    /// # Errors
    /// When it does not.
    pub fn verify(&self, expected: Option<&str>) -> Result<&Evidence, SignatureError> {
        self.seal.verify(&self.body, expected)?;
        Ok(&self.evidence)
    }

    /// Writes it once into `directory`, named by its time and set. The same record again changes nothing.
    ///
    /// # Errors
    /// When another record stands there, or the disk does not take it.
    pub fn write(&self, directory: &Path) -> Result<PathBuf, EvidenceError> {
        let began = self.evidence.began_at.strftime("%Y%m%dT%H%M%SZ");
        let path = directory.join(format!("{began}-{}.json", self.evidence.set));
        let bytes = envelope("evidence", &self.body, &self.seal);
        let failed = |err| EvidenceError::Write { path: path.clone(), err };
        make_directories(Path::new("/"), directory).map_err(failed)?;
        let created = create_only(&path, &bytes).map_err(failed)?;
        if created || std::fs::read(&path).map_err(failed)? == bytes {
            Ok(path)
        } else {
            Err(EvidenceError::Taken { path })
        }
    }
}
