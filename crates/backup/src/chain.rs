//! The chain of a stack's sets: a random identity, a number for each set, and the hash of the one before it.

use std::{collections::BTreeMap, fs, io};

use plan::set::SetId;
use serde::{Deserialize, Serialize};

use crate::{
    disk::{TargetError, TargetTrouble, create_only, make_directories},
    signature::{SignatureError, SignedManifest},
    target::Target,
};

const SCHEMA: &str = "seaworthy.chain/1";

/// What stands in `chain.json`.
#[derive(Debug, Serialize, Deserialize)]
struct ChainFile {
    schema: String,
    stack: String,
    chain: String,
}

/// A chain that does not hold together.
#[derive(Debug, thiserror::Error)]
pub enum ChainError {
    /// A target could not be read.
    #[error(transparent)]
    Target(#[from] TargetError),
    /// A manifest is not what its signer signed.
    #[error("the manifest of set {set} is not accepted")]
    Signature {
        /// Which.
        set: SetId,
        /// Why.
        #[source]
        err: SignatureError,
    },
}

/// A place where the chain does not hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Break {
    /// Neither a set nor its grave has this number.
    Missing {
        /// The number.
        sequence: u64,
    },
    /// Two different sets have this number.
    Doubled {
        /// The number.
        sequence: u64,
    },
    /// The set does not name the one before it.
    Unlinked {
        /// Which.
        set: SetId,
    },
    /// The set is of another chain.
    Foreign {
        /// Which.
        set: SetId,
    },
}

impl Target {
    /// The chain this target is of; `None` where nothing of the stack was ever written.
    ///
    /// # Errors
    /// When its chain file is damaged or another stack's.
    pub fn chain(&self) -> Result<Option<String>, TargetError> {
        let doing = "read the chain";
        let bytes = match fs::read(self.home().join("chain.json")) {
            // Sets outlive a lost chain file: each manifest names its chain.
            Err(err) if err.kind() == io::ErrorKind::NotFound => return self.chain_of_newest(),
            bytes => bytes.map_err(|err| self.failed(doing, err))?,
        };
        let file: ChainFile = serde_json::from_slice(&bytes).map_err(|err| TargetError {
            source: Some(err.into()),
            ..self.trouble(doing, TargetTrouble::Damaged)
        })?;
        if file.schema != SCHEMA {
            let told =
                format!("`chain.json` is of version `{}`, and this program reads `{SCHEMA}`", file.schema);
            return Err(TargetError {
                source: Some(io::Error::new(io::ErrorKind::InvalidData, told)),
                ..self.trouble(doing, TargetTrouble::Newer)
            });
        }
        if file.stack != self.stack().as_str() {
            return Err(self.trouble(doing, TargetTrouble::Foreign));
        }
        Ok(Some(file.chain))
    }

    fn chain_of_newest(&self) -> Result<Option<String>, TargetError> {
        let newest = self.list()?.sets.into_iter().next();
        newest.map(|seen| Ok(self.read_manifest(&seen.id)?.unverified().chain.clone())).transpose()
    }

    /// The chain of all these targets: the one they have, else a new one from `random`, written where it is missing.
    ///
    /// # Errors
    /// Foreign when two of them have different ones.
    pub fn join_chain(targets: &[Target], random: [u8; 16]) -> Result<String, TargetError> {
        let mut known: Option<String> = None;
        for target in targets {
            match (&known, target.chain()?) {
                (Some(chain), Some(other)) if *chain != other => {
                    return Err(target.trouble("join the chain", TargetTrouble::Foreign));
                }
                (None, Some(chain)) => known = Some(chain),
                _ => {}
            }
        }
        let chain = known.unwrap_or_else(|| data_encoding::HEXLOWER.encode(&random));
        for target in targets {
            target.write_chain(&chain)?;
        }
        Ok(chain)
    }

    fn write_chain(&self, chain: &str) -> Result<(), TargetError> {
        let file =
            ChainFile { schema: SCHEMA.into(), stack: self.stack().to_string(), chain: chain.to_owned() };
        let json = serde_json::to_vec_pretty(&file).expect("strings always serialise");
        let path = self.home().join("chain.json");
        make_directories(self.root(), &self.home())
            .and_then(|()| create_only(&path, &json))
            .map_err(|err| self.failed("begin the chain", err))?;
        match self.chain()? {
            Some(written) if written == chain => Ok(()),
            _ => Err(self.trouble("begin the chain", TargetTrouble::Foreign)),
        }
    }
}

impl SignedManifest {
    /// The number and the `previous` hash of the set that comes after `newest`.
    ///
    /// # Errors
    /// When `newest` is not canonical, and so was not written by us.
    pub fn next_link(newest: Option<&SignedManifest>) -> Result<(u64, Option<String>), SignatureError> {
        match newest {
            None => Ok((1, None)),
            Some(signed) => Ok((signed.unverified().sequence + 1, Some(signed.sha256()?))),
        }
    }
}

/// Walks the chain of a target, sets and graves, verifies every signature and names every break.
///
/// # Errors
/// When the target cannot be read, or a manifest's signature is not accepted.
pub fn verify_chain(target: &Target, signer: Option<&str>) -> Result<Vec<Break>, ChainError> {
    let chain = target.chain()?;
    let mut links = target.graves()?;
    for seen in target.list()?.sets {
        links.push(target.read_manifest(&seen.id)?);
    }
    let mut breaks = Vec::new();
    let mut by_number: BTreeMap<u64, &SignedManifest> = BTreeMap::new();
    for link in &links {
        let set = &link.unverified().set;
        let refused = |err| ChainError::Signature { set: set.clone(), err };
        let manifest = link.verify(signer).map_err(refused)?;
        if chain.as_ref().is_some_and(|chain| *chain != manifest.chain) {
            breaks.push(Break::Foreign { set: set.clone() });
        } else if by_number.insert(manifest.sequence, link).is_some_and(|other| other != link) {
            breaks.push(Break::Doubled { sequence: manifest.sequence });
        }
    }
    for number in 1..=by_number.keys().next_back().copied().unwrap_or(0) {
        let before = number.checked_sub(1).and_then(|before| by_number.get(&before));
        match by_number.get(&number) {
            None => breaks.push(Break::Missing { sequence: number }),
            Some(link) if number == 1 || before.is_some() => {
                let set = &link.unverified().set;
                let refused = |err| ChainError::Signature { set: set.clone(), err };
                let (_, expected) = SignedManifest::next_link(before.copied()).map_err(refused)?;
                if link.unverified().previous != expected {
                    breaks.push(Break::Unlinked { set: set.clone() });
                }
            }
            Some(_) => {}
        }
    }
    Ok(breaks)
}
