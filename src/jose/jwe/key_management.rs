//! How the content key reaches its reader: RSA-OAEP, ECDH-ES and AES key wrap (RFC 7518 §4), or the client secret itself.

use aws_lc_rs::agreement::{self, PrivateKey, UnparsedPublicKey, agree};
use aws_lc_rs::kdf::{SskdfDigestAlgorithmId, get_sskdf_digest_algorithm, sskdf_digest};
use aws_lc_rs::key_wrap::{AES_128, AES_256, AesKek, KeyWrap};
use aws_lc_rs::rsa::{
    OAEP_SHA1_MGF1SHA1, OAEP_SHA256_MGF1SHA256, OaepPublicEncryptingKey, PublicEncryptingKey,
    PublicKeyComponents,
};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Map, Value, json};
use zeroize::Zeroizing;

use super::content::key_length;
use super::{EncryptError, JweError, Keys, Recipient};
use crate::crypto::{DecryptError, Decrypter, Recovery};
use crate::jose::{Header, Jwk};
use crate::oauth::{ContentEncryption, EncryptionKey, KeyManagement};
use crate::random::Rng;

type Key = Zeroizing<Vec<u8>>;

/// A content key, and how it is written for the recipient.
pub(super) struct Sent {
    pub key: Key,
    /// Empty where the key is agreed on or known.
    pub encrypted_key: Vec<u8>,
}

/// Makes a content key for one message. What the recipient needs to know is added to `header`.
pub(super) fn send(
    to: Recipient<'_>,
    alg: KeyManagement,
    enc: ContentEncryption,
    header: &mut Map<String, Value>,
    rng: &mut Rng,
) -> Result<Sent, EncryptError> {
    use KeyManagement as K;
    let unwrapped = |key: Key| Sent {
        key,
        encrypted_key: Vec::new(),
    };
    match (alg, to) {
        (K::RsaOaep | K::RsaOaep256, Recipient::Key(jwk)) if jwk.encrypts(alg) => {
            let key = random(enc, rng);
            let encrypted_key = oaep(jwk, alg, &key).ok_or(EncryptError::Unusable)?;
            Ok(Sent { key, encrypted_key })
        }
        (K::EcdhEs | K::EcdhEsA128Kw | K::EcdhEsA256Kw, Recipient::Key(jwk))
            if jwk.encrypts(alg) =>
        {
            let kind = jwk.encryption_key().ok_or(EncryptError::Key)?;
            let ephemeral = ephemeral(kind, rng).ok_or(EncryptError::Unusable)?;
            let public = ephemeral
                .compute_public_key()
                .map_err(|_| EncryptError::Unusable)?;
            let secret = shared(&ephemeral, &point(jwk, kind)).ok_or(EncryptError::Unusable)?;
            header.insert("epk".to_owned(), public_jwk(kind, public.as_ref()));
            let agreed = derive(alg, enc, &secret, header).ok_or(EncryptError::Unusable)?;
            match alg {
                K::EcdhEs => Ok(unwrapped(agreed)),
                _ => wrapped(&agreed, random(enc, rng)).ok_or(EncryptError::Unusable),
            }
        }
        (K::Dir, Recipient::Secret(secret)) => {
            Ok(unwrapped(secret.encryption_key(key_length(enc))))
        }
        (K::A128Kw | K::A256Kw, Recipient::Secret(secret)) => wrapped(
            &secret.encryption_key(wrapping_length(alg)),
            random(enc, rng),
        )
        .ok_or(EncryptError::Unusable),
        _ => Err(EncryptError::Key),
    }
}

/// Recovers the content key. Where only the private key can know that something is wrong, a random key is returned instead
/// of an error (RFC 7516 §11.5): the content then does not open, as it would not for any other reason.
pub(super) async fn receive(
    keys: Keys<'_>,
    alg: KeyManagement,
    enc: ContentEncryption,
    header: &Header,
    encrypted_key: &[u8],
    rng: &mut Rng,
) -> Result<Key, JweError> {
    use KeyManagement as K;
    // Made before, so that success and failure cost the same.
    let substitute = random(enc, rng);
    // RFC 7516 §5.2, steps 10 and 11.
    if matches!(alg, K::EcdhEs | K::Dir) && !encrypted_key.is_empty() {
        return Err(JweError::Form);
    }
    let kid = header.kid.as_deref();
    let recovered = match (alg, keys) {
        (K::RsaOaep | K::RsaOaep256, Keys::Ours(decrypter)) => {
            ask(decrypter, kid, Recovery::Unwrap { alg, encrypted_key }).await?
        }
        (K::EcdhEs | K::EcdhEsA128Kw | K::EcdhEsA256Kw, Keys::Ours(decrypter)) => {
            let epk = header.members.get("epk").ok_or(JweError::Header)?;
            let epk = Jwk::parse(epk).map_err(|_| JweError::Header)?;
            let kind = epk
                .encryption_key()
                .filter(|k| k.takes(alg))
                .ok_or(JweError::Header)?;
            let peer = point(&epk, kind);
            let secret = ask(decrypter, kid, Recovery::Agree { kind, peer: &peer }).await?;
            let agreed = match &secret {
                Some(secret) => {
                    Some(derive(alg, enc, secret, &header.members).ok_or(JweError::Header)?)
                }
                None => None,
            };
            match alg {
                K::EcdhEs => agreed,
                _ => agreed.and_then(|key| unwrap(&key, encrypted_key)),
            }
        }
        (K::Dir, Keys::Secret(secret)) => Some(secret.encryption_key(key_length(enc))),
        (K::A128Kw | K::A256Kw, Keys::Secret(secret)) => {
            unwrap(&secret.encryption_key(wrapping_length(alg)), encrypted_key)
        }
        _ => return Err(JweError::Algorithm),
    };
    Ok(recovered
        .filter(|key| key.len() == key_length(enc))
        .unwrap_or(substitute))
}

/// `None` when the private key could make nothing of it.
async fn ask(
    decrypter: &dyn Decrypter,
    kid: Option<&str>,
    what: Recovery<'_>,
) -> Result<Option<Key>, JweError> {
    match decrypter.recover(kid, what).await {
        Ok(secret) => Ok(Some(Zeroizing::new(secret.reveal().clone()))),
        Err(DecryptError::Failed) => Ok(None),
        Err(DecryptError::NoKey) => Err(JweError::NoKey),
        Err(DecryptError::Refused(why)) => Err(JweError::Refused(why)),
    }
}

fn random(enc: ContentEncryption, rng: &mut Rng) -> Key {
    let mut key = Zeroizing::new(vec![0; key_length(enc)]);
    rng.fill(&mut key);
    key
}

/// RFC 7518 §4.3. The library refuses moduli and exponents that are not safe to use.
fn oaep(jwk: &Jwk, alg: KeyManagement, key: &[u8]) -> Option<Vec<u8>> {
    let number = |name| {
        let bytes = jwk.number(name);
        let zeros = bytes.iter().take_while(|b| **b == 0).count();
        bytes[zeros..].to_vec()
    };
    let components = PublicKeyComponents {
        n: number("n"),
        e: number("e"),
    };
    let public: PublicEncryptingKey = components.try_into().ok()?;
    let public = OaepPublicEncryptingKey::new(public).ok()?;
    let hash = match alg {
        KeyManagement::RsaOaep => &OAEP_SHA1_MGF1SHA1,
        _ => &OAEP_SHA256_MGF1SHA256,
    };
    let mut out = vec![0; public.ciphertext_size()];
    let length = public.encrypt(hash, key, &mut out, None).ok()?.len();
    out.truncate(length);
    Some(out)
}

const fn curve(kind: EncryptionKey) -> Option<&'static agreement::Algorithm> {
    match kind {
        EncryptionKey::Rsa => None,
        EncryptionKey::P256 => Some(&agreement::ECDH_P256),
        EncryptionKey::P384 => Some(&agreement::ECDH_P384),
        EncryptionKey::X25519 => Some(&agreement::X25519),
    }
}

/// A key pair for one message. A number past the group's order is refused and drawn again.
fn ephemeral(kind: EncryptionKey, rng: &mut Rng) -> Option<PrivateKey> {
    let mut bytes = Zeroizing::new([0; 48]);
    let length = if kind == EncryptionKey::P384 { 48 } else { 32 };
    let curve = curve(kind)?;
    // Of P-256 one number in 2^32 is too large; a generator that yields eight such in a row is broken.
    (0..8).find_map(|_| {
        rng.fill(&mut bytes[..length]);
        PrivateKey::from_private_key(curve, &bytes[..length]).ok()
    })
}

/// The library checks that `peer` lies on the curve.
fn shared(ours: &PrivateKey, peer: &[u8]) -> Option<Key> {
    agree(
        ours,
        UnparsedPublicKey::new(ours.algorithm(), peer),
        (),
        |secret| Ok(Zeroizing::new(secret.to_vec())),
    )
    .ok()
}

/// `04 || x || y`, or `x` for X25519.
fn point(jwk: &Jwk, kind: EncryptionKey) -> Vec<u8> {
    if kind == EncryptionKey::X25519 {
        jwk.number("x")
    } else {
        [vec![4], jwk.number("x"), jwk.number("y")].concat()
    }
}

fn public_jwk(kind: EncryptionKey, point: &[u8]) -> Value {
    let b64 = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
    if kind == EncryptionKey::X25519 {
        return json!({"kty": "OKP", "crv": kind.as_str(), "x": b64(point)});
    }
    let (x, y) = point[1..].split_at(point.len() / 2);
    json!({"kty": "EC", "crv": kind.as_str(), "x": b64(x), "y": b64(y)})
}

/// The key that both agree on: the Concat KDF of RFC 7518 §4.6.2, which is the one-step KDF of NIST SP 800-56C over SHA-256.
/// `None` when `apu` or `apv` is not base64url text.
pub(super) fn derive(
    alg: KeyManagement,
    enc: ContentEncryption,
    secret: &[u8],
    header: &Map<String, Value>,
) -> Option<Key> {
    let (id, length) = match alg {
        KeyManagement::EcdhEs => (enc.as_str(), key_length(enc)),
        _ => (alg.as_str(), wrapping_length(alg)),
    };
    let party = |name| match header.get(name) {
        None => Some(Vec::new()),
        Some(value) => URL_SAFE_NO_PAD.decode(value.as_str()?).ok(),
    };
    let mut info = Vec::new();
    for part in [id.as_bytes(), &party("apu")?, &party("apv")?] {
        info.extend(u32::try_from(part.len()).ok()?.to_be_bytes());
        info.extend(part);
    }
    info.extend(u32::try_from(length * 8).ok()?.to_be_bytes());
    let hash = get_sskdf_digest_algorithm(SskdfDigestAlgorithmId::Sha256)?;
    let mut key = Zeroizing::new(vec![0; length]);
    sskdf_digest(hash, secret, &info, &mut key).ok()?;
    Some(key)
}

/// Octets of the key that wraps the content key.
const fn wrapping_length(alg: KeyManagement) -> usize {
    match alg {
        KeyManagement::EcdhEsA128Kw | KeyManagement::A128Kw => 16,
        _ => 32,
    }
}

/// AES key wrap (RFC 3394).
fn wrapped(with: &[u8], key: Key) -> Option<Sent> {
    let mut encrypted_key = vec![0; key.len() + 8];
    wrapping_key(with)?.wrap(&key, &mut encrypted_key).ok()?;
    Some(Sent { key, encrypted_key })
}

pub(super) fn unwrap(with: &[u8], encrypted_key: &[u8]) -> Option<Key> {
    let mut key = Zeroizing::new(vec![0; encrypted_key.len().checked_sub(8)?]);
    wrapping_key(with)?.unwrap(encrypted_key, &mut key).ok()?;
    Some(key)
}

fn wrapping_key(bytes: &[u8]) -> Option<AesKek> {
    let cipher = if bytes.len() == 16 {
        &AES_128
    } else {
        &AES_256
    };
    AesKek::new(cipher, bytes).ok()
}
