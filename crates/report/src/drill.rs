//! What a drill proved, as its signed evidence holds it. Field names are those of `seaworthy.evidence/1`, so that the
//! body of an evidence file is read as it stands.

use serde::{Deserialize, Serialize};

/// The evidence of a drill, as far as a person is shown it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DrillReport {
    /// `seaworthy.evidence/1`.
    pub schema: String,
    /// The set that was drilled.
    pub set: String,
    /// The stack.
    pub stack: String,
    /// When the drill began: the moment of the imagined loss.
    pub began_at: jiff::Timestamp,
    /// How far the set is proven: `L0` to `L4`.
    pub level: String,
    /// What each phase took.
    pub phases: Vec<Phase>,
    /// What would be lost.
    pub recovery_point: RecoveryPoint,
    /// The measured RTO.
    pub recovery_ms: u64,
    /// The declared RPO.
    pub recovery_point_target_ms: Option<u64>,
    /// The declared RTO.
    pub recovery_target_ms: Option<u64>,
    /// Rows of every table.
    pub counts: Vec<TableCount>,
    /// Each canary.
    pub canaries: Vec<Canary>,
    /// Each probe.
    pub probes: Vec<Probe>,
    /// Each object's size.
    pub sizes: Vec<Size>,
}

/// One phase.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Phase {
    /// `fetch`, `keys`, `data`, `app`.
    pub name: String,
    /// What it took.
    pub ms: u64,
}

/// The two figures of an RPO.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RecoveryPoint {
    /// Newest heartbeat found after the restore.
    pub heartbeat: Option<jiff::Timestamp>,
    /// What would be lost if everything were lost now.
    pub if_lost_now_ms: u64,
    /// How far the capture was behind the writers.
    pub capture_lag_ms: Option<u64>,
}

/// Rows of one table.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TableCount {
    /// The table.
    pub table: String,
    /// In the manifest.
    pub captured: Option<u64>,
    /// After the restore.
    pub restored: Option<u64>,
}

/// One canary.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Canary {
    /// The Transit key.
    pub key: String,
    /// Whether it decrypted.
    pub decrypts: bool,
}

/// One probe.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Probe {
    /// In words.
    pub probe: String,
    /// What came back.
    pub saw: String,
    /// Whether that is what was asked for.
    pub passed: bool,
}

/// One object's size.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Size {
    /// Its name.
    pub object: String,
    /// Bytes on the target.
    pub sealed_bytes: u64,
}
