//! Who a set is sealed to.

use age::x25519;
use secrets::Identities;

/// The public keys that objects are sealed to. There is at least one.
#[derive(Debug, Clone)]
pub struct Recipients(Vec<x25519::Recipient>);

/// What is given as recipients cannot be sealed to.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RecipientsError {
    /// Not an age recipient.
    #[error("`{recipient}` is not an age recipient; one starts with `age1`")]
    Malformed {
        /// As written: it is public.
        recipient: String,
    },
    /// Nobody could open what is sealed to nobody.
    #[error("there is no recipient to seal the set to")]
    Nobody,
}

impl Recipients {
    /// Parses `age1…` recipients.
    ///
    /// # Errors
    /// When one is none, or there is none.
    pub fn parse<S: AsRef<str>>(recipients: &[S]) -> Result<Self, RecipientsError> {
        let parse = |text: &str| {
            let malformed = |_| RecipientsError::Malformed { recipient: text.to_owned() };
            text.trim().parse::<x25519::Recipient>().map_err(malformed)
        };
        let parsed: Vec<_> = recipients.iter().map(|text| parse(text.as_ref())).collect::<Result<_, _>>()?;
        if parsed.is_empty() { Err(RecipientsError::Nobody) } else { Ok(Self(parsed)) }
    }

    /// Those that these identities open.
    ///
    /// # Errors
    /// When there is none.
    pub fn of(identities: &Identities) -> Result<Self, RecipientsError> {
        Self::parse(&identities.recipients())
    }

    /// As they stand in a manifest.
    pub fn to_strings(&self) -> Vec<String> {
        self.0.iter().map(ToString::to_string).collect()
    }

    pub(crate) fn as_age(&self) -> impl Iterator<Item = &dyn age::Recipient> {
        self.0.iter().map(|recipient| recipient as &dyn age::Recipient)
    }
}
