//! The signature algorithms hefu speaks (RFC 7518 §3.1, RFC 8037). There is no `none` and nothing symmetric in this list.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// A JWS `alg` value that hefu signs or verifies with.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Algorithm {
    RS256,
    RS384,
    RS512,
    PS256,
    PS384,
    PS512,
    ES256,
    ES384,
    ES512,
    EdDSA,
}

impl Algorithm {
    pub const ALL: [Self; 10] = [
        Self::RS256,
        Self::RS384,
        Self::RS512,
        Self::PS256,
        Self::PS384,
        Self::PS512,
        Self::ES256,
        Self::ES384,
        Self::ES512,
        Self::EdDSA,
    ];
    /// What may sign entity statements and other federation objects.
    pub const FEDERATION: [Self; 5] = [
        Self::ES256,
        Self::ES384,
        Self::PS256,
        Self::RS256,
        Self::EdDSA,
    ];
    /// What FAPI 2.0 §5.4.1 leaves.
    pub const FAPI: [Self; 3] = [Self::PS256, Self::ES256, Self::EdDSA];

    pub const fn as_str(self) -> &'static str {
        match self {
            Self::RS256 => "RS256",
            Self::RS384 => "RS384",
            Self::RS512 => "RS512",
            Self::PS256 => "PS256",
            Self::PS384 => "PS384",
            Self::PS512 => "PS512",
            Self::ES256 => "ES256",
            Self::ES384 => "ES384",
            Self::ES512 => "ES512",
            Self::EdDSA => "EdDSA",
        }
    }
}

impl fmt::Display for Algorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Algorithm {
    type Err = UnknownAlgorithm;

    fn from_str(s: &str) -> Result<Self, Self::Err> {
        Self::ALL
            .into_iter()
            .find(|a| a.as_str() == s)
            .ok_or(UnknownAlgorithm)
    }
}

/// The name is not in our list; `none` and the HMAC family never are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("this signature algorithm is not supported")]
pub struct UnknownAlgorithm;
