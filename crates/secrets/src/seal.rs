//! age for small things: seal to recipients, open with identities. What it makes and reads, `age` makes and reads.

use std::{
    io::{Read, Write},
    str::FromStr,
};

use age::{
    secrecy::{ExposeSecret, SecretString},
    x25519,
};

use crate::Secret;

/// Seals bytes to age recipients (`age1…`); each of them can open it alone.
///
/// # Errors
/// When there is no recipient, or one of them is not one.
pub fn seal(recipients: &[String], plaintext: &[u8]) -> Result<Vec<u8>, SealError> {
    let recipients: Vec<x25519::Recipient> = recipients
        .iter()
        .map(|text| parse_recipient(text).map_err(|_| SealError::Recipient { text: text.clone() }))
        .collect::<Result<_, _>>()?;
    let encryptor = age::Encryptor::with_recipients(recipients.iter().map(|one| one as &dyn age::Recipient))
        .map_err(|_| SealError::NoRecipient)?;
    let mut sealed = Vec::with_capacity(plaintext.len() + 256);
    let mut writer = encryptor.wrap_output(&mut sealed).map_err(SealError::Write)?;
    writer.write_all(plaintext).and_then(|()| writer.finish().map(drop)).map_err(SealError::Write)?;
    Ok(sealed)
}

/// Opens what was sealed to one of these identities, armoured or not.
///
/// # Errors
/// When no identity fits, and when the bytes are truncated or altered: nothing is returned then.
pub fn open(identities: &Identities, sealed: &[u8]) -> Result<Secret<Vec<u8>>, SealError> {
    let input = age::armor::ArmoredReader::new(sealed);
    let decryptor = age::Decryptor::new_buffered(input).map_err(opening)?;
    let keys = identities.keys.iter().map(|one| one as &dyn age::Identity);
    let mut reader = decryptor.decrypt(keys).map_err(opening)?;
    // Enough from the start, so that no growing buffer leaves a copy behind.
    let mut plaintext = Secret::new(Vec::with_capacity(sealed.len()));
    reader.read_to_end(plaintext.expose_mut()).map_err(SealError::Damaged)?;
    Ok(plaintext)
}

/// age identities: whoever holds them opens what is sealed to their recipients.
#[derive(Clone)]
pub struct Identities {
    keys: Vec<x25519::Identity>,
}

impl Identities {
    /// Their recipients, in order.
    pub fn recipients(&self) -> Vec<String> {
        self.keys.iter().map(|key| key.to_public().to_string()).collect()
    }

    /// The identities as `age` takes them.
    pub fn iter(&self) -> impl Iterator<Item = &dyn age::Identity> {
        self.keys.iter().map(|key| key as &dyn age::Identity)
    }
}

impl std::fmt::Debug for Identities {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(out, "Identities({:?})", self.recipients())
    }
}

/// Why something was not sealed or not opened.
#[derive(Debug, thiserror::Error)]
pub enum SealError {
    /// Nobody to seal to.
    #[error("no recipient to seal to")]
    NoRecipient,
    /// Not `age1…`.
    #[error("`{text}` is not an age recipient; one starts with `age1`")]
    Recipient {
        /// What was given.
        text: String,
    },
    /// A line of a recipients file.
    #[error("line {line} is not an age recipient; one starts with `age1`")]
    RecipientLine {
        /// From 1.
        line: usize,
    },
    /// A line of an identity file. The line itself is not repeated: it may be a damaged key.
    #[error("line {line} is not an age identity; one starts with `AGE-SECRET-KEY-1`")]
    IdentityLine {
        /// From 1.
        line: usize,
    },
    /// Only comments and blank lines.
    #[error("no age identity in it; one starts with `AGE-SECRET-KEY-1`")]
    NoIdentity,
    /// It did not encrypt.
    #[error("cannot encrypt")]
    Write(#[source] std::io::Error),
    /// Sealed to somebody else.
    #[error("none of the identities given opens it: it is sealed to others, or its header was altered")]
    WrongIdentity,
    /// Not age, or no longer.
    #[error("it is truncated or altered: not a whole age file")]
    Header(#[source] age::DecryptError),
    /// The header is right, what follows is not.
    #[error("it is truncated or altered: its contents do not authenticate")]
    Damaged(#[source] std::io::Error),
}

/// Reads a recipients file: one `age1…` a line, blank lines and `#` ignored.
///
/// # Errors
/// Names the first line that is not one.
pub fn parse_recipients(text: &str) -> Result<Vec<String>, SealError> {
    meaningful(text)
        .map(|(line, text)| match parse_recipient(text) {
            Ok(recipient) => Ok(recipient.to_string()),
            Err(_) => Err(SealError::RecipientLine { line }),
        })
        .collect()
}

/// Reads an identity file as `age-keygen` writes it: one `AGE-SECRET-KEY-1…` a line, blank lines and `#` ignored.
///
/// # Errors
/// Names the first line that is not one; an identity file without an identity is an error too.
pub fn parse_identities(text: &str) -> Result<Identities, SealError> {
    let keys: Vec<x25519::Identity> = meaningful(text)
        .map(|(line, text)| x25519::Identity::from_str(text).map_err(|_| SealError::IdentityLine { line }))
        .collect::<Result<_, _>>()?;
    if keys.is_empty() {
        return Err(SealError::NoIdentity);
    }
    Ok(Identities { keys })
}

/// The recipients of an identity file: what to seal to so that its holder can open it.
///
/// # Errors
/// As [`parse_identities`].
pub fn recipients_of(identity_file: &str) -> Result<Vec<String>, SealError> {
    parse_identities(identity_file).map(|identities| identities.recipients())
}

/// A new identity as the text of an identity file, its recipient in a comment.
pub fn new_identity_file() -> Secret<String> {
    let key = x25519::Identity::generate();
    let text: SecretString = key.to_string();
    Secret::new(format!("# public key: {}\n{}\n", key.to_public(), text.expose_secret()))
}

/// Lines that say something, with their numbers.
pub(crate) fn meaningful(text: &str) -> impl Iterator<Item = (usize, &str)> {
    text.lines()
        .enumerate()
        .map(|(index, line)| (index + 1, line.trim()))
        .filter(|(_, line)| !line.is_empty() && !line.starts_with('#'))
}

fn parse_recipient(text: &str) -> Result<x25519::Recipient, &'static str> {
    x25519::Recipient::from_str(text.trim())
}

fn opening(err: age::DecryptError) -> SealError {
    match err {
        age::DecryptError::NoMatchingKeys => SealError::WrongIdentity,
        err => SealError::Header(err),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use super::*;

    fn identity() -> Identities {
        parse_identities(new_identity_file().expose()).unwrap()
    }

    #[test]
    fn each_recipient_opens_it_alone_and_nobody_else_does() {
        let (ann, bob, eve) = (identity(), identity(), identity());
        let to: Vec<String> = [ann.recipients(), bob.recipients()].concat();
        let sealed = seal(&to, b"hello").unwrap();
        assert_eq!(open(&ann, &sealed).unwrap().expose(), b"hello");
        assert_eq!(open(&bob, &sealed).unwrap().expose(), b"hello");
        assert!(matches!(open(&eve, &sealed), Err(SealError::WrongIdentity)));
    }

    #[test]
    fn a_cut_or_a_flipped_byte_anywhere_is_an_error() {
        let ann = identity();
        let sealed = seal(&ann.recipients(), b"hello").unwrap();
        for at in 0..sealed.len() {
            assert!(open(&ann, &sealed[..at]).is_err(), "cut at {at}");
            let mut flipped = sealed.clone();
            flipped[at] ^= 1;
            assert!(open(&ann, &flipped).is_err(), "flipped at {at}");
        }
    }

    #[test]
    fn comments_and_blank_lines_are_ignored_and_a_bad_line_is_named() {
        let file = format!("# created: today\n\n{}", new_identity_file().expose());
        assert_eq!(parse_identities(&file).unwrap().recipients(), recipients_of(&file).unwrap());
        let err = parse_identities("# mine\nAGE-SECRET-KEY-1BROKEN").unwrap_err();
        assert_eq!(err.to_string(), "line 2 is not an age identity; one starts with `AGE-SECRET-KEY-1`");
        assert!(matches!(parse_identities("# none\n"), Err(SealError::NoIdentity)));
        let err = parse_recipients("# friends\n\nage1nobody").unwrap_err();
        assert_eq!(err.to_string(), "line 3 is not an age recipient; one starts with `age1`");
    }

    #[test]
    fn sealing_to_nobody_is_refused() {
        assert!(matches!(seal(&[], b"x"), Err(SealError::NoRecipient)));
        assert_eq!(
            seal(&["bob".into()], b"x").unwrap_err().to_string(),
            "`bob` is not an age recipient; one starts with `age1`"
        );
    }
}
