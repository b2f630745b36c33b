//! What a client secret does in JOSE: it signs and checks HMACs (OIDC Core 10.1) and yields keys of symmetric encryption
//! (OIDC Core 10.2). Secrets that only authenticate are stored as hashes and never come here.

use aws_lc_rs::{digest, hmac};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Map, Value};
use zeroize::Zeroizing;

use crate::crypto::Secret;
use crate::jose::jws;
use crate::oauth::MacAlgorithm;

/// A client secret in clear text.
#[derive(Clone, Debug)]
pub struct ClientSecret(Secret<String>);

/// The secret is shorter than the algorithm demands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the client secret is too short for this algorithm")]
pub struct SecretTooShort;

impl ClientSecret {
    pub fn new(secret: impl Into<Secret<String>>) -> Self {
        Self(secret.into())
    }

    /// Signs `payload` as a compact JWS. `alg` is added to `header`; there is no `kid`, a client has one secret.
    pub fn sign(
        &self,
        alg: MacAlgorithm,
        mut header: Map<String, Value>,
        payload: &[u8],
    ) -> Result<String, SecretTooShort> {
        let key = self.mac_key(alg).ok_or(SecretTooShort)?;
        header.insert("alg".to_owned(), alg.as_str().into());
        let mut token = jws::signing_input(&header, payload);
        let tag = hmac::sign(&key, token.as_bytes());
        token.push('.');
        URL_SAFE_NO_PAD.encode_string(tag, &mut token);
        Ok(token)
    }

    /// Whether `tag` over `input` was made with this secret. A secret that is too short for `alg` verifies nothing.
    pub fn verify(&self, alg: MacAlgorithm, input: &[u8], tag: &[u8]) -> bool {
        // The library compares in constant time.
        self.mac_key(alg)
            .is_some_and(|key| hmac::verify(&key, input, tag).is_ok())
    }

    /// The first `length` octets of the secret's SHA-2 hash: SHA-256 up to 32, SHA-384 up to 48, SHA-512 up to 64 octets.
    pub(super) fn encryption_key(&self, length: usize) -> Zeroizing<Vec<u8>> {
        let hash = match length {
            0..=32 => &digest::SHA256,
            33..=48 => &digest::SHA384,
            _ => &digest::SHA512,
        };
        let mut key = digest::digest(hash, self.0.reveal().as_bytes())
            .as_ref()
            .to_vec();
        key.truncate(length);
        Zeroizing::new(key)
    }

    fn mac_key(&self, alg: MacAlgorithm) -> Option<hmac::Key> {
        // OIDC Core 10.1: the key is the octets of the secret's UTF-8 text.
        let bytes = self.0.reveal().as_bytes();
        let hash = match alg {
            MacAlgorithm::HS256 => hmac::HMAC_SHA256,
            MacAlgorithm::HS384 => hmac::HMAC_SHA384,
            MacAlgorithm::HS512 => hmac::HMAC_SHA512,
        };
        (bytes.len() >= alg.shortest_key()).then(|| hmac::Key::new(hash, bytes))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::jose::UnverifiedJws;

    fn secret(length: usize) -> ClientSecret {
        ClientSecret::new("s".repeat(length))
    }

    #[test]
    fn each_algorithm_verifies_what_it_signed_and_nothing_else() {
        for alg in MacAlgorithm::ALL {
            let token = secret(64).sign(alg, Map::new(), b"{}").unwrap();
            let jws = UnverifiedJws::parse(&token, 4096).unwrap();
            assert_eq!(jws.header.alg, alg.as_str());
            let check = |secret: &ClientSecret, alg, tag: &[u8]| {
                secret.verify(alg, jws.signing_input(), tag)
            };
            assert!(check(&secret(64), alg, jws.signature()));
            assert!(!check(&secret(65), alg, jws.signature()));
            assert!(!check(&secret(64), alg, &jws.signature()[..16]));
            assert!(!check(&secret(64), alg, b""));
            for other in MacAlgorithm::ALL.into_iter().filter(|o| *o != alg) {
                assert!(!check(&secret(64), other, jws.signature()));
            }
        }
    }

    #[test]
    fn short_secrets_are_refused() {
        for (alg, shortest) in [
            (MacAlgorithm::HS256, 32),
            (MacAlgorithm::HS384, 48),
            (MacAlgorithm::HS512, 64),
        ] {
            assert!(secret(shortest).sign(alg, Map::new(), b"{}").is_ok());
            assert_eq!(
                secret(shortest - 1).sign(alg, Map::new(), b"{}"),
                Err(SecretTooShort)
            );
            let key = hmac::Key::new(hmac::HMAC_SHA256, secret(31).0.reveal().as_bytes());
            assert!(!secret(31).verify(MacAlgorithm::HS256, b"x", hmac::sign(&key, b"x").as_ref()));
        }
    }

    /// The keys of RFC 7515 §A.1 and RFC 4231 are no texts, or too short. This tag was made by `openssl dgst -sha256 -hmac`.
    #[test]
    fn a_tag_made_elsewhere_verifies() {
        let secret = ClientSecret::new("01234567890123456789012345678901".to_owned());
        let tag = URL_SAFE_NO_PAD
            .decode("v8HhLFMi-eojBybbZRzWbdH_tmiHA4ecmhF5iKqvUCE")
            .unwrap();
        assert!(secret.verify(MacAlgorithm::HS256, b"input", &tag));
    }

    #[test]
    fn encryption_keys_are_the_left_of_the_hash() {
        let secret = ClientSecret::new("abc".to_owned());
        // FIPS 180-2 appendix: SHA-256, SHA-384 and SHA-512 of "abc".
        for (length, start) in [
            (16, [0xba, 0x78, 0x16, 0xbf]),
            (24, [0xba, 0x78, 0x16, 0xbf]),
            (32, [0xba, 0x78, 0x16, 0xbf]),
            (48, [0xcb, 0x00, 0x75, 0x3f]),
            (64, [0xdd, 0xaf, 0x35, 0xa1]),
        ] {
            let key = secret.encryption_key(length);
            assert_eq!((key.len(), &key[..4]), (length, &start[..]));
        }
    }
}
