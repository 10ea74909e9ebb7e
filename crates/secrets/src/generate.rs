//! New secret values, by their declared type.

use data_encoding::{BASE64, BASE64URL_NOPAD, HEXLOWER};
use ed25519_dalek::pkcs8::{EncodePrivateKey, spki::der::pem::LineEnding};
use rand::{RngCore, rngs::OsRng, seq::SliceRandom};
use stack::SecretKind;
use zeroize::Zeroizing;

use crate::Secret;

/// What people can type from paper: no `0` and `O`, no `1`, `l` and `I`.
const LEGIBLE: &[u8] = b"abcdefghijkmnopqrstuvwxyzABCDEFGHJKLMNPQRSTUVWXYZ23456789";

/// A new value of this type from the system's randomness; `None` where values of it are not ours to make.
///
/// # Errors
/// When the type asks for an empty value, or for RSA of a size nobody should use.
pub fn generate(kind: &SecretKind) -> Result<Option<Secret<String>>, GenerateError> {
    let text = match kind {
        SecretKind::Urlsafe { bytes, prefix } => {
            format!("{prefix}{}", BASE64URL_NOPAD.encode(&random(*bytes)?))
        }
        SecretKind::Hex { bytes, prefix } => format!("{prefix}{}", HEXLOWER.encode(&random(*bytes)?)),
        SecretKind::Base64 { bytes } => BASE64.encode(&random(*bytes)?),
        SecretKind::Password { length } => password(*length)?,
        SecretKind::Uuid => uuid(),
        SecretKind::EcP256 => pem(&p256::SecretKey::random(&mut OsRng))?,
        SecretKind::Rsa { bits } => rsa_key(*bits)?,
        SecretKind::Ed25519 => ed25519()?,
        SecretKind::X25519 => x25519(),
        SecretKind::Approle | SecretKind::Given => return Ok(None),
    };
    Ok(Some(Secret::new(text)))
}

/// Why no value was made.
#[derive(Debug, thiserror::Error)]
pub enum GenerateError {
    /// Nothing random was asked for.
    #[error("a secret of 0 bytes or characters is no secret")]
    Empty,
    /// Neither 2048, 3072 nor 4096.
    #[error("RSA keys have 2048, 3072 or 4096 bits, not {0}")]
    RsaBits(usize),
    /// The RSA key was not found.
    #[error("cannot make an RSA key")]
    Rsa(#[source] rsa::Error),
    /// The key did not encode.
    #[error("cannot write a private key as PKCS#8 PEM")]
    Pem(#[source] ed25519_dalek::pkcs8::Error),
}

fn random(bytes: usize) -> Result<Zeroizing<Vec<u8>>, GenerateError> {
    if bytes == 0 {
        return Err(GenerateError::Empty);
    }
    let mut value = Zeroizing::new(vec![0; bytes]);
    OsRng.fill_bytes(&mut value);
    Ok(value)
}

fn password(length: usize) -> Result<String, GenerateError> {
    if length == 0 {
        return Err(GenerateError::Empty);
    }
    let letter = |_| char::from(*LEGIBLE.choose(&mut OsRng).expect("the alphabet is not empty"));
    Ok((0..length).map(letter).collect())
}

/// RFC 9562, version 4.
fn uuid() -> String {
    let mut bytes = [0; 16];
    OsRng.fill_bytes(&mut bytes);
    bytes[6] = (bytes[6] & 0x0f) | 0x40;
    bytes[8] = (bytes[8] & 0x3f) | 0x80;
    let hex = HEXLOWER.encode(&bytes);
    format!("{}-{}-{}-{}-{}", &hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..])
}

fn rsa_key(bits: usize) -> Result<String, GenerateError> {
    if !matches!(bits, 2048 | 3072 | 4096) {
        return Err(GenerateError::RsaBits(bits));
    }
    pem(&rsa::RsaPrivateKey::new(&mut OsRng, bits).map_err(GenerateError::Rsa)?)
}

/// Without the public half: older OpenSSL refuses the PKCS#8 that carries both.
fn ed25519() -> Result<String, GenerateError> {
    let mut secret_key = [0; 32];
    OsRng.fill_bytes(&mut secret_key);
    pem(&ed25519_dalek::pkcs8::KeypairBytes { secret_key, public_key: None })
}

fn x25519() -> String {
    let private = x25519_dalek::StaticSecret::random_from_rng(OsRng);
    let public = x25519_dalek::PublicKey::from(&private);
    format!("{}:{}", BASE64.encode(private.as_bytes()), BASE64.encode(public.as_bytes()))
}

fn pem(key: &impl EncodePrivateKey) -> Result<String, GenerateError> {
    let text = key.to_pkcs8_pem(LineEnding::LF).map_err(GenerateError::Pem)?;
    Ok(text.to_string())
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use ed25519_dalek::pkcs8::DecodePrivateKey;

    use super::*;

    fn made(kind: SecretKind) -> String {
        generate(&kind).unwrap().unwrap().expose().clone()
    }

    #[test]
    fn urlsafe_looks_like_pythons_token_urlsafe_behind_its_prefix() {
        let value = made(SecretKind::Urlsafe { bytes: 32, prefix: "sk_".into() });
        let body = value.strip_prefix("sk_").unwrap();
        assert_eq!(body.len(), 43);
        assert_eq!(BASE64URL_NOPAD.decode(body.as_bytes()).unwrap().len(), 32);
    }

    #[test]
    fn hex_has_two_lower_case_digits_a_byte() {
        let value = made(SecretKind::Hex { bytes: 16, prefix: String::new() });
        assert_eq!(HEXLOWER.decode(value.as_bytes()).unwrap().len(), 16);
    }

    #[test]
    fn base64_is_the_padded_standard_alphabet() {
        let value = made(SecretKind::Base64 { bytes: 32 });
        assert!(value.ends_with('='));
        assert_eq!(BASE64.decode(value.as_bytes()).unwrap().len(), 32);
    }

    #[test]
    fn a_password_has_only_characters_that_cannot_be_confused() {
        let value = made(SecretKind::Password { length: 24 });
        assert_eq!(value.len(), 24);
        assert!(value.bytes().all(|letter| LEGIBLE.contains(&letter)));
    }

    #[test]
    fn a_uuid_is_of_version_4() {
        let value = made(SecretKind::Uuid);
        assert_eq!(value.split('-').map(str::len).collect::<Vec<_>>(), [8, 4, 4, 4, 12]);
        assert_eq!(value.as_bytes()[14], b'4');
        assert!(b"89ab".contains(&value.as_bytes()[19]));
    }

    #[test]
    fn private_keys_are_pkcs8_that_can_be_read_back() {
        p256::SecretKey::from_pkcs8_pem(&made(SecretKind::EcP256)).unwrap();
        ed25519_dalek::SigningKey::from_pkcs8_pem(&made(SecretKind::Ed25519)).unwrap();
        let rsa = made(SecretKind::Rsa { bits: 2048 });
        assert!(rsa.starts_with("-----BEGIN PRIVATE KEY-----\n"));
        rsa::RsaPrivateKey::from_pkcs8_pem(&rsa).unwrap().validate().unwrap();
    }

    #[test]
    fn an_x25519_pair_is_private_then_public() {
        let value = made(SecretKind::X25519);
        let (private, public) = value.split_once(':').unwrap();
        let private: [u8; 32] = BASE64.decode(private.as_bytes()).unwrap().try_into().unwrap();
        let derived = x25519_dalek::PublicKey::from(&x25519_dalek::StaticSecret::from(private));
        assert_eq!(BASE64.encode(derived.as_bytes()), public);
    }

    #[test]
    fn what_the_key_store_or_a_person_gives_is_not_generated() {
        assert!(generate(&SecretKind::Approle).unwrap().is_none());
        assert!(generate(&SecretKind::Given).unwrap().is_none());
    }

    #[test]
    fn no_two_values_are_the_same() {
        let kind = SecretKind::Password { length: 24 };
        assert_ne!(made(kind.clone()), made(kind));
    }

    #[test]
    fn an_empty_or_a_weak_value_is_refused() {
        let empty = generate(&SecretKind::Base64 { bytes: 0 });
        assert!(matches!(empty, Err(GenerateError::Empty)));
        let weak = generate(&SecretKind::Rsa { bits: 1024 });
        assert_eq!(weak.unwrap_err().to_string(), "RSA keys have 2048, 3072 or 4096 bits, not 1024");
    }
}
