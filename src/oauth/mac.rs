//! HMAC algorithms for clients that hold a secret (RFC 7518 §3.2, OIDC Core 10.1). A type of its own, so that no list of
//! public-key algorithms can ever hold one of them.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::algorithm::UnknownAlgorithm;

/// A JWS `alg` value whose key is a client secret.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, PartialOrd, Ord, Serialize, Deserialize)]
pub enum MacAlgorithm {
    HS256,
    HS384,
    HS512,
}

impl MacAlgorithm {
    pub const ALL: [Self; 3] = [Self::HS256, Self::HS384, Self::HS512];

    pub const fn as_str(self) -> &'static str {
        match self {
            Self::HS256 => "HS256",
            Self::HS384 => "HS384",
            Self::HS512 => "HS512",
        }
    }

    /// The shortest key in octets: RFC 7518 §3.2, OIDC Core 16.19.
    pub const fn shortest_key(self) -> usize {
        match self {
            Self::HS256 => 32,
            Self::HS384 => 48,
            Self::HS512 => 64,
        }
    }
}

impl fmt::Display for MacAlgorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for MacAlgorithm {
    type Err = UnknownAlgorithm;

    fn from_str(s: &str) -> Result<Self, Self::Err> {
        Self::ALL
            .into_iter()
            .find(|a| a.as_str() == s)
            .ok_or(UnknownAlgorithm)
    }
}
