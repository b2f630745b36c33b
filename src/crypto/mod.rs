//! What rooms above are handed to sign, decrypt, seal and index with, and the few primitives every room may use.
//! Where private keys live is known to `keys` alone; formats of tokens live in `jose`.

mod aead;
mod certificate;
mod digest;
mod secret;

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use serde_json::{Map, Value};

use crate::clock::UnixTime;
use crate::oauth::{Algorithm, EncryptionKey, KeyManagement};

pub use aead::{AeadError, AeadKey};
pub use certificate::{Authorities, AuthoritiesError, CertificateName, ClientCertificate};
pub use digest::{constant_time_eq, hmac_sha256, left_half, left_half_mac, sha256, thumb};
pub use secret::Secret;

/// A future that a trait object returns.
pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// What a key is for. A key serves one purpose only.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, PartialOrd, Ord)]
pub enum Purpose {
    /// Entity statements, resolve responses, trust marks.
    Federation,
    /// Everything the provider signs for relying parties: ID Tokens, access tokens, logout tokens.
    IdToken,
    /// A portal's request objects and client assertions.
    Client,
    /// JWE addressed to us.
    Encryption,
    /// Checkpoints of the audit log.
    Audit,
    /// Root of sealed values.
    Seal,
    /// Personal data at rest.
    Data,
    /// Keyed hashes by which encrypted columns are found.
    Index,
}

impl Purpose {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Federation => "federation",
            Self::IdToken => "id_token",
            Self::Client => "client",
            Self::Encryption => "encryption",
            Self::Audit => "audit",
            Self::Seal => "seal",
            Self::Data => "data",
            Self::Index => "index",
        }
    }
}

/// Why nothing was signed. Never the fault of a request.
#[derive(Debug, Clone, thiserror::Error, PartialEq, Eq)]
pub enum SignError {
    #[error("no active {alg} key for purpose {}", purpose.as_str())]
    NoKey { purpose: Purpose, alg: Algorithm },
    #[error("the key store refused to sign: {0}")]
    Refused(String),
}

/// Signs for a purpose with whatever key is active, and recognises our own signatures.
pub trait Signer: Send + Sync + std::fmt::Debug {
    /// Signs `payload` as a compact JWS. `alg` and `kid` are added to `header`, which holds everything else (`typ`, …).
    fn sign<'a>(
        &'a self,
        purpose: Purpose,
        alg: Algorithm,
        header: Map<String, Value>,
        payload: &'a [u8],
    ) -> BoxFuture<'a, Result<String, SignError>>;

    /// The JWK Set to publish: active, announced and still verifying keys, public members only.
    fn published(&self, purpose: Purpose) -> Arc<Value>;

    /// Whether `signature` over `input` is ours: made by the key `kid` of this purpose under `alg`, current or retired,
    /// but never a revoked one.
    fn verify(
        &self,
        purpose: Purpose,
        kid: &str,
        alg: Algorithm,
        input: &[u8],
        signature: &[u8],
    ) -> bool;
}

/// What only our private encryption key can compute; the rest of a JWE is read without it (`jose::jwe`).
#[derive(Debug, Clone, Copy)]
pub enum Recovery<'a> {
    /// RSA-OAEP or RSA-OAEP-256: opens an encrypted key.
    Unwrap {
        alg: KeyManagement,
        encrypted_key: &'a [u8],
    },
    /// ECDH: agrees with a public key, `04 || x || y` on a NIST curve, 32 bytes for X25519.
    Agree { kind: EncryptionKey, peer: &'a [u8] },
}

impl Recovery<'_> {
    /// The kind of key that can do this.
    pub const fn kind(&self) -> EncryptionKey {
        match self {
            Self::Unwrap { .. } => EncryptionKey::Rsa,
            Self::Agree { kind, .. } => *kind,
        }
    }
}

/// Why a private key yielded nothing.
#[derive(Debug, Clone, thiserror::Error, PartialEq, Eq)]
pub enum DecryptError {
    #[error("no encryption key of ours has this kid and type")]
    NoKey,
    /// Says no more on purpose: the sender must not learn which step failed.
    #[error("the private key could not recover anything")]
    Failed,
    #[error("the key store refused to decrypt: {0}")]
    Refused(String),
}

/// Uses our private keys of `Purpose::Encryption`. Their public halves are `Signer::published(Purpose::Encryption)`.
pub trait Decrypter: Send + Sync + std::fmt::Debug {
    /// Uses the key `kid`, or without a `kid` the active key of the type that `what` needs.
    fn recover<'a>(
        &'a self,
        kid: Option<&'a str>,
        what: Recovery<'a>,
    ) -> BoxFuture<'a, Result<Secret<Vec<u8>>, DecryptError>>;
}

/// Seals values that leave the process and come back (cookies, form state), and encrypts personal data at rest.
pub trait Sealer: Send + Sync + std::fmt::Debug {
    /// Seals `plaintext` for one `usage`, bound to `context` (for example a client id), until `expires`. URL-safe text.
    fn seal(&self, usage: &str, context: &str, expires: UnixTime, plaintext: &[u8]) -> String;

    /// Opens what `seal` made for the same usage and context; `None` when altered, expired or foreign.
    fn open(&self, usage: &str, context: &str, now: UnixTime, sealed: &str) -> Option<Vec<u8>>;

    /// Encrypts personal data for one `column` of one `row`.
    fn protect(&self, column: &str, row: &str, plaintext: &[u8]) -> Vec<u8>;

    /// Decrypts what `protect` made for the same place; `None` when altered, moved or made under a lost key.
    fn reveal(&self, column: &str, row: &str, ciphertext: &[u8]) -> Option<Vec<u8>>;
}

/// Keyed hashes by which encrypted columns and short codes are found.
pub trait Indexer: Send + Sync + std::fmt::Debug {
    /// The hash of `value` in `domain` under the newest key: what is written.
    fn index(&self, domain: &str, value: &[u8]) -> Vec<u8>;

    /// The hashes under every key that is still in use, newest first: what is searched, and held unique while a key rotates.
    fn indices(&self, domain: &str, value: &[u8]) -> Vec<Vec<u8>>;
}
