//! Secret values: [`Secret`], typed generators, the sealed store, the key store client.
//!
//! ```text
//! generate ──> Store (age, sealed to the Keyring's own recipient) ──> services
//! keystore ──> init, unseal, Transit, snapshots of OpenBao, Vault or the development store
//! ```

// Only the binary's view talks to a person, through the streams it holds.
#![deny(clippy::print_stdout, clippy::print_stderr)]

mod durable;
mod generate;
mod keyring;
pub mod keystore;
mod seal;
mod secret;
mod store;

pub use generate::{GenerateError, generate};
pub use keyring::{Keyring, KeyringError, VerifyError, verify};
pub use seal::{
    Identities, SealError, new_identity_file, open, parse_identities, parse_recipients, recipients_of, seal,
};
pub use secret::Secret;
pub use store::{Store, StoreError};
