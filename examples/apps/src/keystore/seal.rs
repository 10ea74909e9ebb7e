//! Initialisation, unsealing, and a new root token from the holders' shares.

use data_encoding::{BASE64, BASE64_NOPAD, HEXLOWER, HEXLOWER_PERMISSIVE};
use rand::{RngCore, rngs::OsRng};
use serde::Deserialize;
use serde_json::json;

use super::{
    barrier::{Barrier, MasterKey},
    message::{Answer, Refusal, Request},
    server::{Open, Server, sealed},
    shamir,
    state::{ROOT, State, random_text},
};

const VERSION: &str = concat!("seaworthy-dev-", env!("CARGO_PKG_VERSION"));

/// A root token in the making.
pub(super) struct Attempt {
    nonce: String,
    otp: String,
    shares: Vec<Vec<u8>>,
}

impl Server {
    pub(super) fn health(&self) -> Answer {
        let (initialised, sealed) = (self.barrier.is_some(), self.open.is_none());
        let status = match (initialised, sealed) {
            (false, _) => 501,
            (true, true) => 503,
            (true, false) => 200,
        };
        let said = json!({
            "initialized": initialised,
            "sealed": sealed,
            "standby": false,
            "version": VERSION,
            "development": true,
        });
        Answer::Json(status, said)
    }

    pub(super) fn seal_status(&self) -> Answer {
        let said = json!({
            "type": "shamir",
            "initialized": self.barrier.is_some(),
            "sealed": self.open.is_none(),
            "t": self.barrier.as_ref().map_or(0, |barrier| barrier.threshold),
            "n": self.barrier.as_ref().map_or(0, |barrier| barrier.shares),
            "progress": self.unsealing.len(),
            "version": VERSION,
            "storage_type": "file",
        });
        Answer::Json(200, said)
    }

    /// Makes a master key, splits it, and forgets it: a new store is sealed.
    pub(super) fn init(&mut self, request: &Request) -> Result<Answer, Refusal> {
        #[derive(Deserialize)]
        struct Wanted {
            secret_shares: u8,
            secret_threshold: u8,
        }
        let Wanted { secret_shares: shares, secret_threshold: threshold } = request.json()?;
        if self.barrier.is_some() {
            return Err(Refusal::new(400, "the key store is already initialized"));
        }
        if threshold == 0 || threshold > shares || (threshold == 1 && shares > 1) {
            return Err(Refusal::new(400, "the threshold is from 2 to the number of shares, or 1 of 1"));
        }
        let mut key: MasterKey = [0; 32];
        OsRng.fill_bytes(&mut key);
        let mut state = State::default();
        let root = state.issue(vec![ROOT.to_owned()], None);
        let barrier = Barrier::seal(&state, &key, shares, threshold);
        self.disk.write(&barrier)?;
        self.barrier = Some(barrier);
        let split = shamir::split(&key, shares, threshold);
        let said = json!({
            "keys": split.iter().map(|share| HEXLOWER.encode(share)).collect::<Vec<_>>(),
            "keys_base64": split.iter().map(|share| BASE64.encode(share)).collect::<Vec<_>>(),
            "root_token": root,
        });
        Ok(Answer::Json(200, said))
    }

    pub(super) fn unseal(&mut self, request: &Request) -> Result<Answer, Refusal> {
        #[derive(Deserialize)]
        struct Given {
            #[serde(default)]
            key: String,
            #[serde(default)]
            reset: bool,
        }
        let given: Given = request.json()?;
        let Some(barrier) = &self.barrier else {
            return Err(Refusal::new(400, "the key store is not initialized"));
        };
        if given.reset {
            self.unsealing.clear();
            return Ok(self.seal_status());
        }
        if self.open.is_none() {
            add(&mut self.unsealing, share(&given.key)?);
            if self.unsealing.len() >= usize::from(barrier.threshold) {
                let shares = std::mem::take(&mut self.unsealing);
                let key = master(&shares).ok_or_else(wrong_shares)?;
                let state = barrier.open(&key).ok_or_else(wrong_shares)?;
                self.open = Some(Open { key, state });
            }
        }
        Ok(self.seal_status())
    }

    pub(super) fn seal(&mut self) -> Answer {
        self.open = None;
        self.unsealing.clear();
        self.rooting = None;
        Answer::Empty
    }

    pub(super) fn start_root(&mut self) -> Result<Answer, Refusal> {
        let (Some(_), Some(barrier)) = (&self.open, &self.barrier) else { return Err(sealed()) };
        if self.rooting.is_some() {
            return Err(Refusal::new(400, "a root token is already being made"));
        }
        // As long as a token: `dev.` and 24 letters.
        let attempt = Attempt { nonce: random_text(16), otp: random_text(21), shares: Vec::new() };
        let said = json!({
            "nonce": attempt.nonce,
            "otp": attempt.otp,
            "otp_length": attempt.otp.len(),
            "started": true,
            "progress": 0,
            "required": barrier.threshold,
            "complete": false,
        });
        self.rooting = Some(attempt);
        Ok(Answer::Json(200, said))
    }

    pub(super) fn give_up_root(&mut self) -> Result<Answer, Refusal> {
        if self.open.is_none() {
            return Err(sealed());
        }
        self.rooting = None;
        Ok(Answer::Empty)
    }

    pub(super) fn go_on_with_root(&mut self, request: &Request) -> Result<Answer, Refusal> {
        #[derive(Deserialize)]
        struct Given {
            nonce: String,
            key: String,
        }
        let given: Given = request.json()?;
        let (Some(open), Some(barrier)) = (&self.open, &self.barrier) else { return Err(sealed()) };
        let attempt = self.rooting.as_mut().filter(|attempt| attempt.nonce == given.nonce);
        let attempt = attempt.ok_or_else(|| Refusal::new(400, "no such attempt at a root token"))?;
        add(&mut attempt.shares, share(&given.key)?);
        let (progress, required) = (attempt.shares.len(), barrier.threshold);
        let mut encoded = String::new();
        if progress >= usize::from(required) {
            let key = master(&std::mem::take(&mut attempt.shares));
            if key != Some(open.key) {
                return Err(wrong_shares());
            }
            let otp = std::mem::take(&mut attempt.otp);
            self.rooting = None;
            let root = self.change(|state| Ok(state.issue(vec![ROOT.to_owned()], None)))?;
            let masked: Vec<u8> = root.bytes().zip(otp.bytes()).map(|(byte, pad)| byte ^ pad).collect();
            encoded = BASE64_NOPAD.encode(&masked);
        }
        let said = json!({
            "nonce": given.nonce,
            "progress": progress,
            "required": required,
            "complete": !encoded.is_empty(),
            "encoded_token": encoded,
        });
        Ok(Answer::Json(200, said))
    }
}

/// Hex or base64.
fn share(text: &str) -> Result<Vec<u8>, Refusal> {
    let bytes = HEXLOWER_PERMISSIVE.decode(text.as_bytes()).or_else(|_| BASE64.decode(text.as_bytes()));
    let bytes = bytes.map_err(|_| Refusal::new(400, "a key must be hex or base64"))?;
    if bytes.len() != size_of::<MasterKey>() + 1 {
        return Err(Refusal::new(400, "invalid key: it has another length"));
    }
    Ok(bytes)
}

fn add(shares: &mut Vec<Vec<u8>>, share: Vec<u8>) {
    if !shares.contains(&share) {
        shares.push(share);
    }
}

fn master(shares: &[Vec<u8>]) -> Option<MasterKey> {
    shamir::combine(shares)?.try_into().ok()
}

fn wrong_shares() -> Refusal {
    Refusal::new(400, "the key shares do not fit this key store")
}
