//! Secret values: [`Secret`], typed generators, the sealed store, the key store client.

mod secret;

pub use secret::Secret;
