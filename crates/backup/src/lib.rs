//! Sets: what a stack's state is captured into, and brought back from.
//!
//! ```text
//!  postgres  sqlite  key store  release          a Target (directory)
//!      \        |        |        /              STACK/chain.json
//!       SetWriter: zstd, then age  ------------> STACK/sets/ID/NAME.zst.age   (read back, hashed)
//!       SignedManifest, create-only -----------> STACK/sets/ID/manifest.json  (the instant it exists)
//!                                                STACK/graves/ID.json         (after a prune)
//! ```
//!
//! A set without a manifest does not exist. Every call here is safe to do twice, and a crash between any two leaves
//! either nothing or an uncommitted set that nobody lists.

// Only the binary's view talks to a person, through the streams it holds.
#![deny(clippy::print_stdout, clippy::print_stderr)]

mod chain;
mod disk;
mod evidence;
mod header;
mod open;
mod postgres;
mod recipients;
mod seal;
pub mod side;
mod signature;
mod sqlite;
mod tail;
mod target;
mod writer;

pub use chain::{Break, ChainError, verify_chain};
pub use disk::{TargetError, TargetTrouble};
pub use evidence::{EvidenceError, SignedEvidence};
pub use header::ObjectHeader;
pub use open::{OpenError, OpenStream, open_bytes, open_stream, verify_object, verify_sealed};
pub use postgres::{
    PostgresAccess, PostgresError, Restored, capture as capture_postgres, restore as restore_postgres,
};
pub use recipients::{Recipients, RecipientsError};
pub use seal::{SealError, Sealed};
pub use signature::{SignatureError, SignedManifest, canonical};
pub use sqlite::{SqliteError, SqlitePlace, capture as capture_sqlite, restore as restore_sqlite};
pub use tail::ProgramFailed;
pub use target::{Listing, Target};
// What evidence says is decided in `plan`; here it is with its signature.
pub use plan::proof::{
    CanaryProof, CountProof, EVIDENCE_SCHEMA, Evidence, Ladder, ObjectSize, PhaseTime, ProbeProof,
    RecoveryPoint,
};
pub use writer::SetWriter;
