//! Compact JWE (RFC 7516 §3.1): what is encrypted to a client's key or ours, or under a client secret (OIDC Core 10.2).
//! `key_management` brings the content key over, `content` encrypts with it. Nothing is believed because it could be decrypted:
//! the JWT inside goes through `jwt::verify` like any other.

mod content;
mod key_management;
#[cfg(test)]
mod tests;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Map, Value, json};

use crate::crypto::{Decrypter, Secret};
use crate::jose::jws::is_media_type;
use crate::jose::{ClientSecret, Header, Jwk};
use crate::oauth::{ContentEncryption, KeyManagement};
use crate::random::Rng;

/// Who shall be able to read.
#[derive(Debug, Clone, Copy)]
pub enum Recipient<'a> {
    /// The holder of this public key: one of `JwkSet::for_encryption`.
    Key(&'a Jwk),
    /// A client, under its secret.
    Secret(&'a ClientSecret),
}

/// With what a token is decrypted. The algorithms of one kind are refused with the other.
#[derive(Debug, Clone, Copy)]
pub enum Keys<'a> {
    /// Our own encryption keys.
    Ours(&'a dyn Decrypter),
    /// The secret of the client that encrypted.
    Secret(&'a ClientSecret),
}

/// What a caller must say before anything is decrypted. The lists are what was registered or published, not what the token
/// asks for.
#[derive(Debug, Clone, Copy)]
pub struct Accepted<'a> {
    pub algorithms: &'a [KeyManagement],
    pub encryptions: &'a [ContentEncryption],
    /// The longest token that is read, in bytes.
    pub limit: usize,
}

/// A decrypted token.
#[derive(Debug)]
pub struct Opened {
    pub header: Header,
    pub plaintext: Secret<Vec<u8>>,
}

/// Why a token was not decrypted. What the sender could not know without our key is one error, `Decryption`: whether the
/// content key or the content failed stays untold (RFC 7516 §11.4 and §11.5).
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum JweError {
    #[error("the token is longer than allowed")]
    TooLong,
    #[error("the token is not a compact JWE")]
    Form,
    #[error("the JOSE header is not valid")]
    Header,
    #[error("the encryption algorithms are not allowed here")]
    Algorithm,
    #[error("the header demands an extension that is not understood (crit)")]
    Critical,
    #[error("compressed content is not accepted (zip)")]
    Compressed,
    #[error("no key of ours fits the token's kid and alg")]
    NoKey,
    #[error("the token does not decrypt")]
    Decryption,
    #[error("the decrypted content is not a JWT")]
    Content,
    /// Never the fault of the token.
    #[error("the key store refused to decrypt: {0}")]
    Refused(String),
}

/// Why nothing was encrypted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum EncryptError {
    #[error("the recipient's key does not fit the algorithm")]
    Key,
    #[error("the recipient's key is not usable, or apu or apv is not base64url")]
    Unusable,
}

/// Whether `token` has the five parts of a JWE (RFC 7516 §9); a JWS has three.
pub fn is_jwe(token: &str) -> bool {
    token.bytes().filter(|b| *b == b'.').count() == 4
}

/// Encrypts a signed JWT: a nested JWT (RFC 7519 §5.2; first signed, then encrypted, OIDC Core 10.2).
pub fn encrypt_jwt(
    jwt: &str,
    to: Recipient<'_>,
    alg: KeyManagement,
    enc: ContentEncryption,
    rng: &mut Rng,
) -> Result<String, EncryptError> {
    let header = Map::from_iter([("cty".to_owned(), json!("JWT"))]);
    encrypt(jwt.as_bytes(), header, to, alg, enc, rng)
}

/// Encrypts any content. `alg`, `enc`, `kid` and `epk` are added to `header`, which holds everything else (`cty`, `apu`, …).
pub fn encrypt(
    plaintext: &[u8],
    mut header: Map<String, Value>,
    to: Recipient<'_>,
    alg: KeyManagement,
    enc: ContentEncryption,
    rng: &mut Rng,
) -> Result<String, EncryptError> {
    header.insert("alg".to_owned(), alg.as_str().into());
    header.insert("enc".to_owned(), enc.as_str().into());
    if let Recipient::Key(Jwk { kid: Some(kid), .. }) = to {
        // OIDC Core 10.2: needed where the recipient has several keys.
        header.insert("kid".to_owned(), kid.as_str().into());
    }
    let sent = key_management::send(to, alg, enc, &mut header, rng)?;
    let mut iv = vec![0; content::iv_length(enc)];
    rng.fill(&mut iv);
    let protected = URL_SAFE_NO_PAD.encode(Value::Object(header).to_string());
    let (ciphertext, tag) = content::seal(enc, &sent.key, &iv, protected.as_bytes(), plaintext)
        .map_err(|_| EncryptError::Unusable)?;
    let mut token = protected;
    for part in [sent.encrypted_key, iv, ciphertext, tag] {
        token.push('.');
        URL_SAFE_NO_PAD.encode_string(part, &mut token);
    }
    Ok(token)
}

/// Decrypts `token`, which is under one of the `accepted` algorithms.
pub async fn decrypt(
    token: &str,
    keys: Keys<'_>,
    accepted: &Accepted<'_>,
    rng: &mut Rng,
) -> Result<Opened, JweError> {
    let sealed = Sealed::parse(token, accepted.limit)?;
    let members = &sealed.header.members;
    // RFC 7516 §4.1.13: we understand no extension.
    if members.contains_key("crit") {
        return Err(JweError::Critical);
    }
    // RFC 8725 §3.6: compression tells about the content by its length, and grows without bound when undone.
    if members.contains_key("zip") {
        return Err(JweError::Compressed);
    }
    let alg = sealed.header.alg.as_str();
    let alg = accepted.algorithms.iter().find(|a| a.as_str() == alg);
    let enc = members.get("enc").and_then(Value::as_str);
    let enc = accepted
        .encryptions
        .iter()
        .find(|e| Some(e.as_str()) == enc);
    let (&alg, &enc) = alg.zip(enc).ok_or(JweError::Algorithm)?;
    if sealed.iv.len() != content::iv_length(enc) || sealed.tag.len() != content::tag_length(enc) {
        return Err(JweError::Form);
    }
    let key =
        key_management::receive(keys, alg, enc, &sealed.header, &sealed.encrypted_key, rng).await?;
    let mut plaintext = content::open(
        enc,
        &key,
        &sealed.iv,
        sealed.protected,
        &sealed.ciphertext,
        &sealed.tag,
    )
    .map_err(|_| JweError::Decryption)?;
    Ok(Opened {
        header: sealed.header,
        plaintext: Secret::new(std::mem::take(&mut *plaintext)),
    })
}

impl Opened {
    /// The signed JWT inside. RFC 7519 §5.2 demands `cty: JWT`; a missing one is forgiven, since the signature inside decides.
    pub fn jwt(&self) -> Result<&str, JweError> {
        match self.header.members.get("cty") {
            None => {}
            Some(Value::String(cty)) if is_media_type(cty, "JWT") => {}
            Some(_) => return Err(JweError::Content),
        }
        std::str::from_utf8(self.plaintext.reveal()).map_err(|_| JweError::Content)
    }
}

/// A token that was split and decoded.
struct Sealed<'a> {
    header: Header,
    /// The header as written: the additional authenticated data.
    protected: &'a [u8],
    encrypted_key: Vec<u8>,
    iv: Vec<u8>,
    ciphertext: Vec<u8>,
    tag: Vec<u8>,
}

impl<'a> Sealed<'a> {
    fn parse(token: &'a str, limit: usize) -> Result<Self, JweError> {
        if token.len() > limit {
            return Err(JweError::TooLong);
        }
        let mut parts = token.split('.');
        let (Some(protected), Some(key), Some(iv), Some(ciphertext), Some(tag), None) = (
            parts.next(),
            parts.next(),
            parts.next(),
            parts.next(),
            parts.next(),
            parts.next(),
        ) else {
            return Err(JweError::Form);
        };
        let decode = |part: &str| URL_SAFE_NO_PAD.decode(part).map_err(|_| JweError::Form);
        Ok(Self {
            header: Header::parse(&decode(protected)?).ok_or(JweError::Header)?,
            protected: protected.as_bytes(),
            encrypted_key: decode(key)?,
            iv: decode(iv)?,
            ciphertext: decode(ciphertext)?,
            tag: decode(tag)?,
        })
    }
}
