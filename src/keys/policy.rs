//! `keys/policy.toml`: which algorithms a purpose has, and how long each stage of a key lasts.

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::crypto::Purpose;
use crate::oauth::{Algorithm, EncryptionKey};

/// How the keys of one purpose live.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Lifetimes<A = Algorithm> {
    /// One active key and one announced spare each.
    pub algorithms: Vec<A>,
    /// Seconds that a spare must have been announced before it may become active.
    pub announce: i64,
    /// Seconds that a retired key stays published and verifies; an encryption key decrypts that long, unpublished.
    pub verify: i64,
}

/// The rotation policy of an entity.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Policy {
    signing: BTreeMap<Purpose, Lifetimes>,
    encryption: Lifetimes<EncryptionKey>,
}

/// What is wrong with the policy file.
#[derive(Debug, thiserror::Error)]
pub enum PolicyError {
    #[error("key policy: {0}")]
    Form(#[from] toml::de::Error),
    #[error("key policy: [{0}] names no algorithm, or a negative time")]
    Empty(&'static str),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    federation: Lifetimes,
    id_token: Lifetimes,
    client: Lifetimes,
    audit: Lifetimes,
    encryption: Lifetimes<EncryptionKey>,
}

impl Policy {
    /// The policy that ships with hefu: `keys/policy.toml` of this repository.
    pub fn shipped() -> Result<Self, PolicyError> {
        Self::parse(include_str!("../../keys/policy.toml"))
    }

    pub fn parse(text: &str) -> Result<Self, PolicyError> {
        let file: File = toml::from_str(text)?;
        let purposes = [
            (Purpose::Federation, file.federation),
            (Purpose::IdToken, file.id_token),
            (Purpose::Client, file.client),
            (Purpose::Audit, file.audit),
        ];
        for (purpose, lifetimes) in &purposes {
            lifetimes.check(*purpose)?;
        }
        file.encryption.check(Purpose::Encryption)?;
        Ok(Self {
            signing: purposes.into(),
            encryption: file.encryption,
        })
    }

    /// `None` for purposes without signing keys.
    pub fn of(&self, purpose: Purpose) -> Option<&Lifetimes> {
        self.signing.get(&purpose)
    }

    /// The kinds of keys that receive encryption.
    pub const fn encryption(&self) -> &Lifetimes<EncryptionKey> {
        &self.encryption
    }
}

impl<A> Lifetimes<A> {
    fn check(&self, purpose: Purpose) -> Result<(), PolicyError> {
        if self.algorithms.is_empty() || self.announce < 0 || self.verify < 0 {
            return Err(PolicyError::Empty(purpose.as_str()));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_shipped_policy_is_good_and_bad_ones_are_refused() {
        let shipped = Policy::shipped().unwrap();
        assert_eq!(shipped.of(Purpose::IdToken).unwrap().algorithms.len(), 4);
        assert_eq!(shipped.of(Purpose::Seal), None);
        assert_eq!(
            shipped.encryption().algorithms,
            [EncryptionKey::Rsa, EncryptionKey::P256]
        );
        let text = include_str!("../../keys/policy.toml");
        assert!(Policy::parse(&text.replacen("[\"ES256\"]", "[]", 1)).is_err());
        assert!(Policy::parse(&text.replacen("ES256", "HS256", 1)).is_err());
        assert!(Policy::parse(&text.replacen("\"RSA\", \"P-256\"", "", 1)).is_err());
        assert!(Policy::parse(&text.replacen("\"P-256\"", "\"ES256\"", 1)).is_err());
        assert!(Policy::parse(&text.replacen("announce =", "anounce =", 1)).is_err());
    }
}
