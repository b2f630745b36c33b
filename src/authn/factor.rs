//! The factors of a login, and what they are worth together.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// One proof given in a session.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Factor {
    /// Something known.
    Password,
    /// A code sent to the verified phone.
    Sms,
    /// A key held by a device that checked its user (user verification is always required here).
    Passkey,
}

impl Factor {
    /// The word under which it is stored.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Password => "password",
            Self::Sms => "sms",
            Self::Passkey => "passkey",
        }
    }

    /// RFC 8176 §2. Without attestation nobody knows whether a passkey sits in hardware, so the lesser word is said.
    pub const fn amr(self) -> &'static str {
        match self {
            Self::Password => "pwd",
            Self::Sms => "sms",
            Self::Passkey => "swk",
        }
    }
}

impl fmt::Display for Factor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Factor {
    type Err = UnknownFactor;

    fn from_str(word: &str) -> Result<Self, UnknownFactor> {
        match word {
            "password" => Ok(Self::Password),
            "sms" => Ok(Self::Sms),
            "passkey" => Ok(Self::Passkey),
            _ => Err(UnknownFactor),
        }
    }
}

/// The stored word names no factor of ours.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a factor")]
pub struct UnknownFactor;

/// The authenticator level that `factors` reach together: 1 to 3, or 0 for none.
///
/// Level 1 is one factor, level 2 two of different kinds, level 3 has a phishing-resistant key whose device verified its user:
/// a passkey is both the key and the verification, so it stands alone.
pub fn level(factors: &[Factor]) -> u8 {
    let has = |factor| factors.contains(&factor);
    if has(Factor::Passkey) {
        3
    } else if has(Factor::Password) && has(Factor::Sms) {
        2
    } else {
        u8::from(!factors.is_empty())
    }
}

/// The `amr` claim (RFC 8176 §2): each method once, `user` for the device's check of its user, `mfa` when there was more than one kind.
pub fn amr(factors: &[Factor]) -> Vec<&'static str> {
    let mut out = Vec::new();
    for factor in [Factor::Password, Factor::Sms, Factor::Passkey] {
        if factors.contains(&factor) {
            out.push(factor.amr());
        }
    }
    if factors.contains(&Factor::Passkey) {
        out.push("user");
    }
    if level(factors) >= 2 {
        out.push("mfa");
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_factors_are_worth() {
        use Factor::{Passkey, Password, Sms};
        let cases: &[(&[Factor], u8, &[&str])] = &[
            (&[], 0, &[]),
            (&[Password], 1, &["pwd"]),
            (&[Sms], 1, &["sms"]),
            (&[Sms, Sms], 1, &["sms"]),
            (&[Password, Sms], 2, &["pwd", "sms", "mfa"]),
            (&[Sms, Password], 2, &["pwd", "sms", "mfa"]),
            (&[Passkey], 3, &["swk", "user", "mfa"]),
            (&[Passkey, Password], 3, &["pwd", "swk", "user", "mfa"]),
        ];
        for (factors, worth, words) in cases {
            assert_eq!(level(factors), *worth, "{factors:?}");
            assert_eq!(amr(factors), *words, "{factors:?}");
        }
        for factor in [Password, Sms, Passkey] {
            assert_eq!(factor.as_str().parse(), Ok(factor));
        }
        assert_eq!("Password".parse::<Factor>(), Err(UnknownFactor));
    }
}
