//! Names that are not just strings.

use std::fmt;

use serde::{Deserialize, Serialize};

macro_rules! name {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(String);

        impl $name {
            /// Takes a name that is already known to be one: from a checked file, or from an engine.
            pub fn new(name: impl Into<String>) -> Self {
                Self(name.into())
            }

            /// The name as text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
                out.pad(&self.0)
            }
        }

        impl From<&str> for $name {
            fn from(name: &str) -> Self {
                Self(name.to_owned())
            }
        }
    };
}

name!(
    /// A stack: Compose's project name.
    StackName
);
name!(
    /// A service of a stack.
    ServiceName
);
name!(
    /// A network by its key in the Compose file.
    NetworkKey
);
name!(
    /// A volume by its key in the Compose file.
    VolumeKey
);
name!(
    /// A secret of `[secret]`.
    SecretName
);
