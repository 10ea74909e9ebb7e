//! What an object says of itself, inside its seal: it cannot be passed off as another.
//!
//! ```text
//! age( skippable zstd frame { magic, length, JSON } , zstd frame of the stream )
//! ```
//! Stock `age -d | zstd -d` skips the frame and gives the stream.

use std::io::{self, Read};

use plan::set::SetId;
use serde::{Deserialize, Serialize};

/// The first of the sixteen magic numbers of a skippable frame (RFC 8878, 3.1.2).
const SKIPPABLE: u32 = 0x184D_2A50;

/// A header is some hundred bytes; more than this is not one of ours.
const LIMIT: u32 = 64 * 1024;

/// Which object of which set this is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ObjectHeader {
    /// `seaworthy.object/1`.
    pub schema: String,
    /// The set.
    pub set: SetId,
    /// The set's place in its chain.
    pub sequence: u64,
    /// The object's file name.
    pub name: String,
}

impl ObjectHeader {
    /// The header of one object.
    pub fn new(set: &SetId, sequence: u64, name: &str) -> Self {
        Self { schema: "seaworthy.object/1".into(), set: set.clone(), sequence, name: name.into() }
    }

    pub(crate) fn frame(&self) -> Vec<u8> {
        let json = serde_json::to_vec(self).expect("strings and numbers always serialise");
        let length = u32::try_from(json.len()).expect("a header is some hundred bytes");
        [&SKIPPABLE.to_le_bytes(), &length.to_le_bytes(), json.as_slice()].concat()
    }

    /// Reads the frame; `Ok(None)` when what stands there is not one.
    pub(crate) fn read(from: &mut impl Read) -> io::Result<Option<Self>> {
        let (magic, length) = (read_u32(from)?, read_u32(from)?);
        if magic != SKIPPABLE || length > LIMIT {
            return Ok(None);
        }
        let mut json = vec![0; length as usize];
        from.read_exact(&mut json)?;
        Ok(serde_json::from_slice(&json).ok())
    }
}

fn read_u32(from: &mut impl Read) -> io::Result<u32> {
    let mut bytes = [0; 4];
    from.read_exact(&mut bytes)?;
    Ok(u32::from_le_bytes(bytes))
}
