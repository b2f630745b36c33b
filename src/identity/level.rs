//! How sure we are of a real name.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// The real-name level of a person (not of a login: that is `authn::level`).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RealNameLevel {
    /// A phone and what the person says.
    Rn1,
    /// Name and number match the register.
    Rn2,
    /// And the face matches the photo on the document.
    Rn3,
    /// And an officer or a chip has seen the document.
    Rn4,
}

impl RealNameLevel {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Rn1 => "rn1",
            Self::Rn2 => "rn2",
            Self::Rn3 => "rn3",
            Self::Rn4 => "rn4",
        }
    }
}

impl fmt::Display for RealNameLevel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for RealNameLevel {
    type Err = UnknownLevel;

    fn from_str(word: &str) -> Result<Self, UnknownLevel> {
        match word {
            "rn1" => Ok(Self::Rn1),
            "rn2" => Ok(Self::Rn2),
            "rn3" => Ok(Self::Rn3),
            "rn4" => Ok(Self::Rn4),
            _ => Err(UnknownLevel),
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a real-name level")]
pub struct UnknownLevel;
