//! Secrets that `[secret]` declares.

use serde::{Deserialize, Serialize};

/// A secret of `[secret]`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SecretSpec {
    /// How its value comes to be.
    pub kind: SecretKind,
    /// Where the value comes from instead of being generated: `env:…`, `file:…`.
    pub from: Option<String>,
    /// A deploy needs it. Default true.
    pub required: bool,
}

/// The type of a secret: what `bootstrap` generates.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "kebab-case")]
pub enum SecretKind {
    /// URL-safe base64 of N random bytes, as Python's `token_urlsafe(N)`.
    Urlsafe {
        /// Random bytes.
        bytes: usize,
        /// Put before it.
        prefix: String,
    },
    /// Hex of N random bytes.
    Hex {
        /// Random bytes.
        bytes: usize,
        /// Put before it.
        prefix: String,
    },
    /// Standard base64 of N random bytes.
    Base64 {
        /// Random bytes.
        bytes: usize,
    },
    /// Letters and digits that people can type: 24 of them by default.
    Password {
        /// Characters.
        length: usize,
    },
    /// A random UUID (RFC 9562, version 4).
    Uuid,
    /// An EC P-256 private key, PKCS#8 PEM.
    EcP256,
    /// An RSA private key, PKCS#8 PEM.
    Rsa {
        /// Modulus bits: 2048, 3072 or 4096.
        bits: usize,
    },
    /// An Ed25519 private key, PKCS#8 PEM.
    Ed25519,
    /// An X25519 pair, both halves in standard base64, `private:public`.
    X25519,
    /// Issued by the key store when it is bootstrapped: `role_id:secret_id` of the AppRole that may only encrypt
    /// and decrypt with the declared Transit key.
    Approle,
    /// Given by a person or a provider, never generated.
    Given,
}
