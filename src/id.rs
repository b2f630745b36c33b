//! Identifiers that must not be mixed up. Each is opaque text made by `random`; what it names lives in a higher room.

use std::fmt;

use serde::{Deserialize, Serialize};

macro_rules! identifier {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize, sqlx::Type)]
        #[serde(transparent)]
        #[sqlx(transparent)]
        pub struct $name(pub String);

        impl $name {
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}

identifier!(
    /// A natural person at the provider. Never leaves it: relying parties see `sub`.
    PersonId
);
identifier!(
    /// `client_id` (RFC 6749 §2.2); for federation clients the entity identifier.
    ClientId
);
identifier!(
    /// A national session, by its public name; the secret handle in the cookie is another value.
    SessionId
);
identifier!(
    /// Somebody who operates an entity at its console.
    OperatorId
);
