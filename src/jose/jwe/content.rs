//! Content encryption: AES-GCM (RFC 7518 §5.3) and AES-CBC with HMAC (RFC 7518 §5.2).

use aws_lc_rs::aead::{self, Aad, LessSafeKey, Nonce, UnboundKey};
use aws_lc_rs::cipher::{
    self, DecryptionContext, EncryptionContext, PaddedBlockDecryptingKey, PaddedBlockEncryptingKey,
    UnboundCipherKey,
};
use aws_lc_rs::hmac;
use zeroize::Zeroizing;

use crate::crypto::constant_time_eq;
use crate::oauth::ContentEncryption;

/// Length of every tag but those of the longer HMACs.
const GCM_TAG: usize = 16;

/// The content does not open under this key, or (when encrypting) the key has a wrong length. Nothing says why.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Unopened;

/// What one `enc` is made of.
enum Parts {
    Gcm(&'static aead::Algorithm),
    /// The tag is as long as the cipher's key, half of the content key.
    CbcHmac(&'static cipher::Algorithm, hmac::Algorithm),
}

const fn parts(enc: ContentEncryption) -> Parts {
    use ContentEncryption as E;
    match enc {
        E::A128Gcm => Parts::Gcm(&aead::AES_128_GCM),
        E::A192Gcm => Parts::Gcm(&aead::AES_192_GCM),
        E::A256Gcm => Parts::Gcm(&aead::AES_256_GCM),
        E::A128CbcHs256 => Parts::CbcHmac(&cipher::AES_128, hmac::HMAC_SHA256),
        E::A192CbcHs384 => Parts::CbcHmac(&cipher::AES_192, hmac::HMAC_SHA384),
        E::A256CbcHs512 => Parts::CbcHmac(&cipher::AES_256, hmac::HMAC_SHA512),
    }
}

/// Octets of the content key.
pub(super) const fn key_length(enc: ContentEncryption) -> usize {
    use ContentEncryption as E;
    match enc {
        E::A128Gcm => 16,
        E::A192Gcm => 24,
        E::A256Gcm | E::A128CbcHs256 => 32,
        E::A192CbcHs384 => 48,
        E::A256CbcHs512 => 64,
    }
}

/// Octets of the initialization vector.
pub(super) const fn iv_length(enc: ContentEncryption) -> usize {
    match parts(enc) {
        Parts::Gcm(_) => aead::NONCE_LEN,
        Parts::CbcHmac(..) => 16,
    }
}

/// Octets of the authentication tag.
pub(super) const fn tag_length(enc: ContentEncryption) -> usize {
    match parts(enc) {
        Parts::Gcm(_) => GCM_TAG,
        Parts::CbcHmac(..) => key_length(enc) / 2,
    }
}

/// Ciphertext and tag. `iv` is fresh for this key: keys are made for one message, or the iv is random.
pub(super) fn seal(
    enc: ContentEncryption,
    key: &[u8],
    iv: &[u8],
    aad: &[u8],
    plaintext: &[u8],
) -> Result<(Vec<u8>, Vec<u8>), Unopened> {
    // Room for the padding, so that no copy of the plaintext is left behind by growing.
    let mut body = Vec::with_capacity(plaintext.len() + 16);
    body.extend_from_slice(plaintext);
    match parts(enc) {
        Parts::Gcm(algorithm) => {
            let tag = gcm(algorithm, key)?
                .seal_in_place_separate_tag(nonce(iv)?, Aad::from(aad), &mut body)
                .map_err(|_| Unopened)?;
            Ok((body, tag.as_ref().to_vec()))
        }
        Parts::CbcHmac(algorithm, hash) => {
            let (mac_key, cipher_key) = halves(enc, key)?;
            let iv: [u8; 16] = iv.try_into().map_err(|_| Unopened)?;
            let cipher = UnboundCipherKey::new(algorithm, cipher_key).map_err(|_| Unopened)?;
            PaddedBlockEncryptingKey::cbc_pkcs7(cipher)
                .and_then(|key| {
                    key.less_safe_encrypt(&mut body, EncryptionContext::Iv128((&iv).into()))
                })
                .map_err(|_| Unopened)?;
            let tag = mac(hash, mac_key, aad, &iv, &body);
            Ok((body, tag))
        }
    }
}

/// The plaintext, if the tag is right. The tag is compared in constant time, and before anything is decrypted.
pub(super) fn open(
    enc: ContentEncryption,
    key: &[u8],
    iv: &[u8],
    aad: &[u8],
    ciphertext: &[u8],
    tag: &[u8],
) -> Result<Zeroizing<Vec<u8>>, Unopened> {
    if tag.len() != tag_length(enc) {
        return Err(Unopened);
    }
    let mut body = Zeroizing::new(ciphertext.to_vec());
    let length = match parts(enc) {
        Parts::Gcm(algorithm) => gcm(algorithm, key)?
            .open_in_place_separate_tag(nonce(iv)?, Aad::from(aad), tag, &mut body)
            .map_err(|_| Unopened)?
            .len(),
        Parts::CbcHmac(algorithm, hash) => {
            let (mac_key, cipher_key) = halves(enc, key)?;
            // RFC 7518 §5.2.2.2: a wrong padding can only be met once the tag has proved that the sender wrote it.
            if !constant_time_eq(&mac(hash, mac_key, aad, iv, ciphertext), tag) {
                return Err(Unopened);
            }
            let iv: &[u8; 16] = iv.try_into().map_err(|_| Unopened)?;
            let cipher = UnboundCipherKey::new(algorithm, cipher_key).map_err(|_| Unopened)?;
            PaddedBlockDecryptingKey::cbc_pkcs7(cipher)
                .map_err(|_| Unopened)?
                .decrypt(&mut body, DecryptionContext::Iv128(iv.into()))
                .map_err(|_| Unopened)?
                .len()
        }
    };
    body.truncate(length);
    Ok(body)
}

fn gcm(algorithm: &'static aead::Algorithm, key: &[u8]) -> Result<LessSafeKey, Unopened> {
    UnboundKey::new(algorithm, key)
        .map(LessSafeKey::new)
        .map_err(|_| Unopened)
}

fn nonce(iv: &[u8]) -> Result<Nonce, Unopened> {
    Nonce::try_assume_unique_for_key(iv).map_err(|_| Unopened)
}

/// RFC 7518 §5.2.2.1: the first half authenticates, the second encrypts.
fn halves(enc: ContentEncryption, key: &[u8]) -> Result<(&[u8], &[u8]), Unopened> {
    if key.len() == key_length(enc) {
        Ok(key.split_at(key.len() / 2))
    } else {
        Err(Unopened)
    }
}

/// The left half of the HMAC over aad, iv, ciphertext and the length of aad in bits.
fn mac(hash: hmac::Algorithm, key: &[u8], aad: &[u8], iv: &[u8], ciphertext: &[u8]) -> Vec<u8> {
    let mut context = hmac::Context::with_key(&hmac::Key::new(hash, key));
    context.update(aad);
    context.update(iv);
    context.update(ciphertext);
    context.update(&(aad.len() as u64 * 8).to_be_bytes());
    context.sign().as_ref()[..key.len()].to_vec()
}
