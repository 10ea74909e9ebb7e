//! The signed record of a set that was brought back, by a drill or a restore: what a certificate is later made of.

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

    /// Everything in `directory` that is evidence. What cannot be read as such proves nothing, and hides no other.
    ///
    /// # Errors
    /// When the directory is there and cannot be listed.
    pub fn read_all(directory: &Path) -> io::Result<Vec<Self>> {
        let files = match std::fs::read_dir(directory) {
            Err(err) if err.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            files => files?,
        };
        let mut found = Vec::new();
        for file in files {
            let bytes = std::fs::read(file?.path());
            found.extend(bytes.ok().and_then(|bytes| Self::parse(&bytes).ok()));
        }
        Ok(found)
    }

    /// The evidence, once its signature was found to fit, and to be `expected`'s where one is given.
    ///
    /// # Errors
    /// When it does not.
    pub fn verify(&self, expected: Option<&str>) -> Result<&Evidence, SignatureError> {
        self.seal.verify(&self.body, expected)?;
        Ok(&self.evidence)
    }

    /// Writes it once into `directory`, named by its time and set, and by a number where another record of that second
    /// stands: none is overwritten. The same record again changes nothing.
    ///
    /// # Errors
    /// When the disk does not take it.
    pub fn write(&self, directory: &Path) -> Result<PathBuf, EvidenceError> {
        let began = self.evidence.began_at.strftime("%Y%m%dT%H%M%SZ");
        let name = format!("{began}-{}", self.evidence.set);
        let bytes = envelope("evidence", &self.body, &self.seal);
        let mut path = directory.join(format!("{name}.json"));
        let failed = |path: &Path, err| EvidenceError::Write { path: path.to_owned(), err };
        make_directories(Path::new("/"), directory).map_err(|err| failed(&path, err))?;
        let mut others = 1;
        loop {
            let created = create_only(&path, &bytes).map_err(|err| failed(&path, err))?;
            if created || std::fs::read(&path).map_err(|err| failed(&path, err))? == bytes {
                return Ok(path);
            }
            others += 1;
            path = directory.join(format!("{name}-{others}.json"));
        }
    }
}
