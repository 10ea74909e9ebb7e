//! What a drill proves, on paper. [`evidence`](crate::evidence()) makes it of a journal; signing, writing and reading it
//! is the business of `backup`.

use std::{collections::BTreeMap, fmt, time::Duration};

use serde::{Deserialize, Serialize};
use stack::{ServiceName, Shape, StackName};

use crate::set::SetId;

/// The version string an evidence carries.
pub const EVIDENCE_SCHEMA: &str = "seaworthy.evidence/1";

/// What a drill found. Times are whole milliseconds: a signed paper holds no fractions.
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
    /// What was not tried, and so is not proven; keys and data first.
    #[serde(default)]
    pub not_proven: Vec<Gap>,
    /// What each phase took, in order.
    pub phases: Vec<PhaseTime>,
    /// What would be lost.
    pub recovery_point: RecoveryPoint,
    /// From the declaration of the loss to the last thing that was there again: the measured RTO.
    pub recovery_ms: u64,
    /// The declared RPO.
    pub recovery_point_target_ms: Option<u64>,
    /// The declared RTO.
    pub recovery_target_ms: Option<u64>,
    /// Rows of every table, in the manifest and after the restore.
    pub counts: Vec<CountProof>,
    /// Each canary that was decrypted.
    pub canaries: Vec<CanaryProof>,
    /// Each probe of the application.
    pub probes: Vec<ProbeProof>,
    /// Each object.
    pub sizes: Vec<ObjectSize>,
    /// Version of the tool that drilled.
    pub tool: String,
}

impl Evidence {
    /// True where keys and data came back and everything that was asked of them held. What is missing then is the
    /// application around them.
    pub fn proves(&self) -> bool {
        self.level >= Ladder::L3
            && self.counts.iter().all(CountProof::holds)
            && self.canaries.iter().all(|canary| canary.decrypts)
            && self.probes.iter().all(|probe| probe.passed)
    }
}

/// What a proof is measured by: decided when the run is planned, from the set's own shape.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Goal {
    /// All services of the shape: a whole proof starts and asks each of them. Empty: not known, and no proof is whole.
    pub services: Vec<ServiceName>,
    /// The declared RPO.
    pub rpo: Option<Duration>,
    /// The declared RTO.
    pub rto: Option<Duration>,
}

impl Goal {
    /// What a set of this shape is measured by.
    pub fn of(shape: &Shape) -> Self {
        let services = shape.services.keys().cloned().collect();
        Self { services, rpo: shape.backup.rpo, rto: shape.backup.rto }
    }
}

/// Something that was not tried.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "gap", rename_all = "kebab-case")]
pub enum Gap {
    /// Whether the restored keys decrypt.
    Canary {
        /// The Transit key.
        key: String,
    },
    /// Whether an object can be brought back.
    Object {
        /// Its name.
        object: String,
    },
    /// Whether a service runs on what was brought back.
    NotStarted {
        /// Which.
        service: ServiceName,
    },
    /// Whether a service that ran does what it should.
    NotAsked {
        /// Which.
        service: ServiceName,
    },
}

impl Gap {
    /// True for what is in the set: while it is not proven, neither is the set.
    pub fn is_of_the_set(&self) -> bool {
        matches!(self, Gap::Canary { .. } | Gap::Object { .. })
    }
}

impl fmt::Display for Gap {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Gap::Canary { key } => write!(out, "the canary of `{key}` was not decrypted"),
            Gap::Object { object } => write!(out, "`{object}` was not brought back"),
            Gap::NotStarted { service } => write!(out, "`{service}` was not started"),
            Gap::NotAsked { service } => {
                write!(out, "`{service}` ran, and has no probe or health check to answer")
            }
        }
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
    /// The whole stack ran on it, and every service of it answered.
    L4,
}

impl Ladder {
    /// The word in papers and lists.
    pub fn as_str(self) -> &'static str {
        match self {
            Ladder::L0 => "L0",
            Ladder::L1 => "L1",
            Ladder::L2 => "L2",
            Ladder::L3 => "L3",
            Ladder::L4 => "L4",
        }
    }
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
