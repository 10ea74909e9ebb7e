//! A value that cannot be printed by accident.

use std::fmt;

use zeroize::Zeroize;

/// A value that must not be seen: no `Display`, a `Debug` that says nothing, wiped when dropped.
///
/// [`Secret::expose`] is the one way out; a search for it lists every place that sees plaintext.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret<T: Zeroize>(T);

impl<T: Zeroize> Secret<T> {
    /// Takes a value into custody.
    pub fn new(value: T) -> Self {
        Self(value)
    }

    /// The plaintext.
    pub fn expose(&self) -> &T {
        &self.0
    }

    /// The plaintext, to fill in.
    pub(crate) fn expose_mut(&mut self) -> &mut T {
        &mut self.0
    }
}

impl<T: Zeroize> Drop for Secret<T> {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

impl<T: Zeroize> fmt::Debug for Secret<T> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("[secret]")
    }
}

impl From<&str> for Secret<String> {
    fn from(value: &str) -> Self {
        Self(value.to_owned())
    }
}
