//! Key shares on their way to and from their holders.

use data_encoding::{BASE64, HEXLOWER_PERMISSIVE};

use crate::{
    Secret,
    seal::{SealError, meaningful, seal},
};

/// Reads shares as holders hand them in: one a line, hex or base64, blank lines and `#` ignored.
///
/// # Errors
/// Names the first line that is no share, without repeating it; no share at all is an error too.
pub fn parse_shares(text: &str) -> Result<Vec<Secret<String>>, ShareError> {
    let shares: Vec<Secret<String>> = meaningful(text)
        .map(|(line, text)| match looks_like_a_share(text) {
            true => Ok(Secret::from(text)),
            false => Err(ShareError::Line { line }),
        })
        .collect::<Result<_, _>>()?;
    if shares.is_empty() { Err(ShareError::None) } else { Ok(shares) }
}

/// Seals one share to its holder's age recipient, in a form that can be sent as text.
///
/// # Errors
/// When the recipient is not one.
pub fn seal_share(recipient: &str, share: &Secret<String>) -> Result<String, SealError> {
    let sealed = seal(&[recipient.to_owned()], format!("{}\n", share.expose()).as_bytes())?;
    let mut text = String::from("-----BEGIN AGE ENCRYPTED FILE-----\n");
    for line in BASE64.encode(&sealed).as_bytes().chunks(64) {
        text.push_str(std::str::from_utf8(line).expect("base64 is ASCII"));
        text.push('\n');
    }
    text.push_str("-----END AGE ENCRYPTED FILE-----\n");
    Ok(text)
}

/// Why the shares cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ShareError {
    /// Not hex and not base64.
    #[error("line {line} is not a key share")]
    Line {
        /// From 1.
        line: usize,
    },
    /// Only comments and blank lines.
    #[error("no key share in it; give one a line")]
    None,
}

/// A share is at least a key of 16 bytes and the byte that tells it from the others.
fn looks_like_a_share(text: &str) -> bool {
    let bytes = HEXLOWER_PERMISSIVE.decode(text.as_bytes()).or_else(|_| BASE64.decode(text.as_bytes()));
    bytes.is_ok_and(|bytes| bytes.len() >= 17)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use super::*;
    use crate::seal::{new_identity_file, open, parse_identities};

    #[test]
    fn shares_stand_one_a_line_and_a_bad_line_is_named_but_not_repeated() {
        let good = BASE64.encode(&[7; 33]);
        let text = format!("# from ann\n{good}\n\n  {}\n", "0a".repeat(33));
        assert_eq!(parse_shares(&text).unwrap().len(), 2);
        let err = parse_shares(&format!("{good}\nhunter2\n")).unwrap_err();
        assert_eq!(err.to_string(), "line 2 is not a key share");
        assert_eq!(parse_shares("# none\n").unwrap_err().to_string(), "no key share in it; give one a line");
    }

    #[test]
    fn a_sealed_share_opens_with_its_holders_identity_to_a_shares_file() {
        let holder = parse_identities(new_identity_file().expose()).unwrap();
        let share = Secret::new(BASE64.encode(&[7; 33]));
        let sealed = seal_share(&holder.recipients()[0], &share).unwrap();
        assert!(!sealed.contains(share.expose()));
        let opened = open(&holder, sealed.as_bytes()).unwrap();
        let shares = parse_shares(std::str::from_utf8(opened.expose()).unwrap()).unwrap();
        assert_eq!(shares, [share]);
    }
}
