//! AES-256-GCM with a random nonce in front of the ciphertext. The associated data ties a ciphertext to its place.

use std::fmt;

use aws_lc_rs::aead::{AES_256_GCM, Aad, NONCE_LEN, Nonce, RandomizedNonceKey};

/// A key for authenticated encryption.
pub struct AeadKey(RandomizedNonceKey);

/// The key bytes were not usable, or a ciphertext was altered, moved to another place, or made under another key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the sealed value is altered, out of place, or of another key")]
pub struct AeadError;

impl AeadKey {
    pub fn new(bytes: &[u8; 32]) -> Self {
        #[expect(
            clippy::expect_used,
            reason = "32 bytes are always a valid AES-256 key"
        )]
        Self(RandomizedNonceKey::new(&AES_256_GCM, bytes).expect("a 32-byte key fits AES-256-GCM"))
    }

    /// `nonce || ciphertext || tag`.
    pub fn seal(&self, associated: &[u8], plaintext: &[u8]) -> Vec<u8> {
        let mut body = plaintext.to_vec();
        #[expect(
            clippy::expect_used,
            reason = "fails only past 64 GiB or without a system generator"
        )]
        let nonce = self
            .0
            .seal_in_place_append_tag(Aad::from(associated), &mut body)
            .expect("sealing a short value");
        let mut out = nonce.as_ref().to_vec();
        out.append(&mut body);
        out
    }

    pub fn open(&self, associated: &[u8], sealed: &[u8]) -> Result<Vec<u8>, AeadError> {
        let (nonce, body) = sealed.split_at_checked(NONCE_LEN).ok_or(AeadError)?;
        let nonce = Nonce::try_assume_unique_for_key(nonce).map_err(|_| AeadError)?;
        let mut body = body.to_vec();
        let length = self
            .0
            .open_in_place(nonce, Aad::from(associated), &mut body)
            .map_err(|_| AeadError)?
            .len();
        body.truncate(length);
        Ok(body)
    }
}

impl fmt::Debug for AeadKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("AeadKey")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn opens_only_in_its_place_and_unaltered() {
        let key = AeadKey::new(&[7; 32]);
        let sealed = key.seal(b"person/name/1", "测试甲".as_bytes());
        assert_eq!(
            key.open(b"person/name/1", &sealed).unwrap(),
            "测试甲".as_bytes()
        );
        assert_eq!(key.open(b"person/name/2", &sealed), Err(AeadError));
        assert_eq!(
            AeadKey::new(&[8; 32]).open(b"person/name/1", &sealed),
            Err(AeadError)
        );
        let mut altered = sealed.clone();
        altered[14] ^= 1;
        assert_eq!(key.open(b"person/name/1", &altered), Err(AeadError));
        assert_eq!(key.open(b"person/name/1", b"short"), Err(AeadError));
        assert_ne!(sealed, key.seal(b"person/name/1", "测试甲".as_bytes()));
    }
}
