//! The signed record of a set that was brought back, by a drill or a restore: what a certificate is later made of.

use std::{
    collections::BTreeMap,
    io,
    path::{Path, PathBuf},
};

use plan::set::SetId;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use stack::StackName;

use crate::{
    disk::{create_only, make_directories},
    signature::{Seal, SignatureError, check_schema, envelope, open_envelope, unreadable},
};

/// The version string an evidence carries.
pub const EVIDENCE_SCHEMA: &str = "seaworthy.evidence/1";

/// What a drill or a restore found. Times are whole milliseconds: a signed paper holds no fractions.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Evidence {
    /// `seaworthy.evidence/1`.
    pub schema: String,
    /// The set that was drilled.
    pub set: SetId,
    /// SHA-256 of its manifest.
    pub manifest_sha256: String,
    /// The stack.
    pub stack: StackName,
    /// The shape.
    pub shape: String,
    /// When the drill began: the moment of the imagined loss.
    pub began_at: jiff::Timestamp,
    /// When it ended.
    pub ended_at: jiff::Timestamp,
    /// How far the set is proven.
    pub level: Ladder,
    /// What each phase took, in order.
    pub phases: Vec<PhaseTime>,
    /// What would be lost.
    pub recovery_point: RecoveryPoint,
    /// From the declaration of the loss to the last probe that passed: the measured RTO.
    pub recovery_ms: u64,
    /// The declared RPO.
    pub recovery_point_target_ms: Option<u64>,
    /// The declared RTO.
    pub recovery_target_ms: Option<u64>,
    /// Rows of every table, in the manifest and after the restore.
    pub counts: Vec<CountProof>,
    /// Each canary.
    pub canaries: Vec<CanaryProof>,
    /// Each probe of the application.
    pub probes: Vec<ProbeProof>,
    /// Each object.
    pub sizes: Vec<ObjectSize>,
    /// Version of the tool that drilled.
    pub tool: String,
}

impl Evidence {
    /// True where the set was brought back whole and everything that was asked of it held.
    pub fn proves(&self) -> bool {
        self.level >= Ladder::L3
            && self.counts.iter().all(CountProof::holds)
            && self.canaries.iter().all(|canary| canary.decrypts)
            && self.probes.iter().all(|probe| probe.passed)
    }
}

/// How far a set is proven. Each step includes those before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Ladder {
    /// It is listed.
    L0,
    /// Its bytes are those that were written.
    L1,
    /// Every object decodes to what was captured.
    L2,
    /// It was restored into a throwaway; canaries decrypt and counts match.
    L3,
    /// The whole stack ran on it; the application's probes answered.
    L4,
}

/// One phase of a drill.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PhaseTime {
    /// `fetch`, `keys`, `data`, `app`.
    pub name: String,
    /// What it took.
    pub ms: u64,
}

/// The two figures of an RPO.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct RecoveryPoint {
    /// Newest heartbeat found after the restore.
    pub heartbeat: Option<jiff::Timestamp>,
    /// What would be lost if everything were lost now: from the heartbeat, else the set's point, to `began_at`.
    pub if_lost_now_ms: u64,
    /// How far the capture was behind the writers: from the heartbeat to the set's point.
    pub capture_lag_ms: Option<u64>,
}

impl RecoveryPoint {
    /// Both figures, of a loss at `now`. A clock that runs behind the heartbeat's counts as no loss.
    pub fn measure(now: jiff::Timestamp, point: jiff::Timestamp, heartbeat: Option<jiff::Timestamp>) -> Self {
        let since = |later: jiff::Timestamp, earlier: jiff::Timestamp| {
            u64::try_from(later.as_millisecond() - earlier.as_millisecond()).unwrap_or(0)
        };
        Self {
            heartbeat,
            if_lost_now_ms: since(now, heartbeat.unwrap_or(point)),
            capture_lag_ms: heartbeat.map(|heartbeat| since(point, heartbeat)),
        }
    }
}

/// Rows of one table, as captured and as restored. `None`: the table is missing on that side.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CountProof {
    /// The object it came in.
    pub object: String,
    /// The table.
    pub table: String,
    /// In the manifest.
    pub captured: Option<u64>,
    /// After the restore.
    pub restored: Option<u64>,
}

impl CountProof {
    /// Compares every table of one object.
    pub fn compare(
        object: &str,
        captured: &BTreeMap<String, u64>,
        restored: &BTreeMap<String, u64>,
    ) -> Vec<Self> {
        let tables: std::collections::BTreeSet<_> = captured.keys().chain(restored.keys()).collect();
        let proof = |table: &String| Self {
            object: object.to_owned(),
            table: table.clone(),
            captured: captured.get(table).copied(),
            restored: restored.get(table).copied(),
        };
        tables.into_iter().map(proof).collect()
    }

    /// Whether both sides agree.
    pub fn holds(&self) -> bool {
        self.captured == self.restored
    }
}

/// One canary.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CanaryProof {
    /// The Transit key.
    pub key: String,
    /// Whether it gave the plaintext that was encrypted.
    pub decrypts: bool,
}

/// One probe of the application.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProbeProof {
    /// The probe in words.
    pub probe: String,
    /// What came back, in words.
    pub saw: String,
    /// Whether that is what was asked for.
    pub passed: bool,
}

/// One object's size.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ObjectSize {
    /// Its name.
    pub object: String,
    /// Before compression.
    pub plain_bytes: u64,
    /// On the target.
    pub sealed_bytes: u64,
}

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
