//! Who a set is sealed to, and who can open it.

use std::fmt;

use age::x25519;
use secrets::Secret;

/// A recipient or an identity that is none.
#[derive(Debug, thiserror::Error)]
pub enum KeyringError {
    /// Not an age recipient.
    #[error("`{recipient}` is not an age recipient (`age1…`): {because}")]
    Recipient {
        /// As written: it is public.
        recipient: String,
        /// What age says.
        because: String,
    },
    /// Nobody could open what is sealed to nobody.
    #[error("there is no recipient to seal the set to")]
    NoRecipients,
    /// A line of an identity file is none.
    #[error("line {line} of the identity file is not an age identity (`AGE-SECRET-KEY-1…`): {because}")]
    Identity {
        /// From 1.
        line: usize,
        /// What age says: never the key.
        because: String,
    },
    /// An identity file without one.
    #[error("the identity file holds no identity")]
    NoIdentities,
}

/// The public keys that objects are sealed to. There is at least one.
#[derive(Debug, Clone)]
pub struct Recipients(Vec<x25519::Recipient>);

impl Recipients {
    /// Parses `age1…` recipients.
    ///
    /// # Errors
    /// When one is none, or there is none.
    pub fn parse<S: AsRef<str>>(recipients: &[S]) -> Result<Self, KeyringError> {
        let parse = |text: &str| {
            text.trim().parse().map_err(|because: &str| KeyringError::Recipient {
                recipient: text.to_owned(),
                because: because.to_owned(),
            })
        };
        let parsed: Vec<_> = recipients.iter().map(|text| parse(text.as_ref())).collect::<Result<_, _>>()?;
        if parsed.is_empty() { Err(KeyringError::NoRecipients) } else { Ok(Self(parsed)) }
    }

    /// As they stand in a manifest.
    pub fn to_strings(&self) -> Vec<String> {
        self.0.iter().map(ToString::to_string).collect()
    }

    pub(crate) fn as_age(&self) -> impl Iterator<Item = &dyn age::Recipient> {
        self.0.iter().map(|recipient| recipient as &dyn age::Recipient)
    }
}

/// The private keys that open a set. There is at least one.
#[derive(Clone)]
pub struct Identities(Vec<x25519::Identity>);

impl Identities {
    /// Parses an identity file as `age-keygen` writes it: one key a line, `#` before a comment.
    ///
    /// # Errors
    /// When a line is none, or there is none.
    pub fn parse(file: &Secret<String>) -> Result<Self, KeyringError> {
        let mut identities = Vec::new();
        for (index, line) in file.expose().lines().map(str::trim).enumerate() {
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            let parsed: Result<x25519::Identity, &str> = line.parse();
            identities.push(parsed.map_err(|because| KeyringError::Identity {
                line: index + 1,
                because: because.to_owned(),
            })?);
        }
        if identities.is_empty() { Err(KeyringError::NoIdentities) } else { Ok(Self(identities)) }
    }

    /// The recipients these identities open.
    pub fn recipients(&self) -> Recipients {
        Recipients(self.0.iter().map(x25519::Identity::to_public).collect())
    }

    pub(crate) fn as_age(&self) -> impl Iterator<Item = &dyn age::Identity> {
        self.0.iter().map(|identity| identity as &dyn age::Identity)
    }
}

impl fmt::Debug for Identities {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "[{} secret identities]", self.0.len())
    }
}
