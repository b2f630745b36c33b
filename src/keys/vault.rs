//! The only place that holds private key bytes: makes key pairs, wraps and unwraps them, keeps the index key in a file
//! outside the database and its backups. `decryption` is its part for keys that decrypt.

mod decryption;

use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use aws_lc_rs::encoding::AsDer;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::{self, EcdsaKeyPair, Ed25519KeyPair, KeyPair, RsaKeyPair};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use zeroize::Zeroizing;

use super::kek::{Kek, private_file};
use crate::clock::UnixTime;
use crate::jose::Jwk;
use crate::oauth::Algorithm;
use crate::random::Rng;

pub(super) use decryption::DecryptionKey;

/// What can go wrong with key material.
#[derive(Debug, thiserror::Error)]
pub enum VaultError {
    #[error("the key {0} does not open under the configured key-encryption key")]
    WrongKek(String),
    #[error("the key {0} is damaged")]
    Damaged(String),
    #[error("a key for {0} could not be made")]
    Generate(&'static str),
    #[error("keys for {0} are not made here")]
    Unsupported(Algorithm),
    #[error("the vault file {path}: {source}")]
    File {
        path: PathBuf,
        source: std::io::Error,
    },
}

/// A private key, parsed once and ready to sign.
pub(super) enum LocalKey {
    Rsa(RsaKeyPair, &'static dyn signature::RsaEncoding),
    Ec(EcdsaKeyPair),
    Ed(Ed25519KeyPair),
}

/// A key pair that was just made.
pub(super) struct NewKey {
    pub kid: String,
    pub public_jwk: Value,
    pub private: Zeroizing<Vec<u8>>,
}

/// A symmetric key and its name.
pub(super) type NamedKey = (String, Zeroizing<[u8; 32]>);

/// Wraps and unwraps the keys of one entity.
pub(super) struct Vault {
    entity: String,
    folder: PathBuf,
    kek: Arc<Kek>,
}

impl LocalKey {
    /// Makes a key pair for `alg`; RSA keys have 2048 bits.
    pub fn generate(alg: Algorithm) -> Result<NewKey, VaultError> {
        let failed = |_| VaultError::Generate(alg.as_str());
        let der = match alg {
            Algorithm::RS256 | Algorithm::PS256 => {
                let pair = RsaKeyPair::generate(KeySize::Rsa2048).map_err(failed)?;
                let der: aws_lc_rs::encoding::Pkcs8V1Der<'_> = pair.as_der().map_err(failed)?;
                Zeroizing::new(der.as_ref().to_vec())
            }
            Algorithm::ES256 | Algorithm::ES384 => {
                let pair = EcdsaKeyPair::generate(ecdsa(alg)).map_err(failed)?;
                Zeroizing::new(pair.to_pkcs8v1().map_err(failed)?.as_ref().to_vec())
            }
            Algorithm::EdDSA => {
                let pair = Ed25519KeyPair::generate().map_err(failed)?;
                Zeroizing::new(pair.to_pkcs8().map_err(failed)?.as_ref().to_vec())
            }
            other => return Err(VaultError::Unsupported(other)),
        };
        let public = Self::parse(alg, &der)
            .ok_or(VaultError::Generate(alg.as_str()))?
            .public_jwk();
        let kid = Jwk::parse(&public)
            .map_err(|_| VaultError::Generate(alg.as_str()))?
            .thumbprint()
            .to_owned();
        let mut public_jwk = public;
        public_jwk["kid"] = kid.clone().into();
        public_jwk["alg"] = alg.as_str().into();
        public_jwk["use"] = "sig".into();
        Ok(NewKey {
            kid,
            public_jwk,
            private: der,
        })
    }

    pub fn parse(alg: Algorithm, der: &[u8]) -> Option<Self> {
        match alg {
            Algorithm::RS256 => Some(Self::Rsa(
                RsaKeyPair::from_pkcs8(der).ok()?,
                &signature::RSA_PKCS1_SHA256,
            )),
            Algorithm::PS256 => Some(Self::Rsa(
                RsaKeyPair::from_pkcs8(der).ok()?,
                &signature::RSA_PSS_SHA256,
            )),
            Algorithm::ES256 | Algorithm::ES384 => {
                Some(Self::Ec(EcdsaKeyPair::from_pkcs8(ecdsa(alg), der).ok()?))
            }
            Algorithm::EdDSA => Some(Self::Ed(Ed25519KeyPair::from_pkcs8(der).ok()?)),
            _ => None,
        }
    }

    /// The raw JWS signature over `input`.
    #[expect(
        clippy::disallowed_methods,
        reason = "signature nonces come from the crypto library itself"
    )]
    pub fn sign(&self, input: &[u8]) -> Option<Vec<u8>> {
        match self {
            Self::Rsa(pair, padding) => {
                let mut out = vec![0; pair.public_modulus_len()];
                pair.sign(*padding, &SystemRandom::new(), input, &mut out)
                    .ok()?;
                Some(out)
            }
            Self::Ec(pair) => Some(
                pair.sign(&SystemRandom::new(), input)
                    .ok()?
                    .as_ref()
                    .to_vec(),
            ),
            Self::Ed(pair) => Some(pair.sign(input).as_ref().to_vec()),
        }
    }

    fn public_jwk(&self) -> Value {
        let b64 = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
        match self {
            Self::Rsa(pair, _) => {
                let public = pair.public_key();
                json!({"kty": "RSA",
                    "n": b64(public.modulus().big_endian_without_leading_zero()),
                    "e": b64(public.exponent().big_endian_without_leading_zero())})
            }
            Self::Ec(pair) => {
                // Uncompressed point: 04 || x || y.
                let point = pair.public_key().as_ref();
                let (x, y) = point[1..].split_at((point.len() - 1) / 2);
                json!({"kty": "EC", "crv": if x.len() == 32 { "P-256" } else { "P-384" }, "x": b64(x), "y": b64(y)})
            }
            Self::Ed(pair) => {
                json!({"kty": "OKP", "crv": "Ed25519", "x": b64(pair.public_key().as_ref())})
            }
        }
    }
}

fn ecdsa(alg: Algorithm) -> &'static signature::EcdsaSigningAlgorithm {
    if alg == Algorithm::ES384 {
        &signature::ECDSA_P384_SHA384_FIXED_SIGNING
    } else {
        &signature::ECDSA_P256_SHA256_FIXED_SIGNING
    }
}

#[derive(Serialize, Deserialize, Default)]
struct IndexFile {
    keys: Vec<IndexKey>,
}

#[derive(Serialize, Deserialize)]
struct IndexKey {
    kid: String,
    created_at: UnixTime,
    wrapped: String,
}

impl Vault {
    pub fn new(entity: &str, folder: &Path, kek: Arc<Kek>) -> Self {
        Self {
            entity: entity.to_owned(),
            folder: folder.to_owned(),
            kek,
        }
    }

    pub fn entity(&self) -> &str {
        &self.entity
    }

    pub fn folder(&self) -> &Path {
        &self.folder
    }

    pub fn wrap(&self, purpose: &str, kid: &str, bytes: &[u8]) -> Vec<u8> {
        self.kek.wrap(&self.place(purpose, kid), bytes)
    }

    pub fn unwrap(
        &self,
        purpose: &str,
        kid: &str,
        wrapped: &[u8],
    ) -> Result<Zeroizing<Vec<u8>>, VaultError> {
        self.kek
            .unwrap(&self.place(purpose, kid), wrapped)
            .ok_or_else(|| VaultError::WrongKek(kid.to_owned()))
    }

    pub fn unwrap_symmetric(
        &self,
        purpose: &str,
        kid: &str,
        wrapped: &[u8],
    ) -> Result<Zeroizing<[u8; 32]>, VaultError> {
        let bytes = self.unwrap(purpose, kid, wrapped)?;
        let bytes: [u8; 32] = bytes
            .as_slice()
            .try_into()
            .map_err(|_| VaultError::Damaged(kid.to_owned()))?;
        Ok(Zeroizing::new(bytes))
    }

    /// The index keys of the vault file, newest first; empty when there is no file.
    pub fn index_keys(&self) -> Result<Vec<NamedKey>, VaultError> {
        let path = self.index_path();
        let file = |source| VaultError::File {
            path: path.clone(),
            source,
        };
        let text = match std::fs::read_to_string(&path) {
            Ok(text) => text,
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(e) => return Err(file(e)),
        };
        let mut stored: IndexFile = serde_json::from_str(&text).map_err(|e| file(e.into()))?;
        stored.keys.sort_by_key(|k| std::cmp::Reverse(k.created_at));
        stored
            .keys
            .into_iter()
            .map(|key| {
                let wrapped = URL_SAFE_NO_PAD
                    .decode(&key.wrapped)
                    .map_err(|_| VaultError::Damaged(key.kid.clone()))?;
                let bytes = self.unwrap_symmetric("index", &key.kid, &wrapped)?;
                Ok((key.kid, bytes))
            })
            .collect()
    }

    /// Makes the first index key and its file. When another node sharing the folder was first, its file stays.
    pub fn create_index_key(&self, rng: &mut Rng, now: UnixTime) -> Result<(), VaultError> {
        let path = self.index_path();
        let kid = rng.id("ix_");
        let bytes = Zeroizing::new(rng.bytes::<32>());
        let wrapped = URL_SAFE_NO_PAD.encode(self.wrap("index", &kid, bytes.as_slice()));
        let content = IndexFile {
            keys: vec![IndexKey {
                kid,
                created_at: now,
                wrapped,
            }],
        };
        let mut write = || -> std::io::Result<()> {
            std::fs::create_dir_all(&self.folder)?;
            // Written aside and linked into place: the file is whole or absent, and never replaces another one.
            let aside = self.folder.join(format!(".index.{}", rng.id("")));
            let mut file = private_file(&aside)?;
            file.write_all(&serde_json::to_vec_pretty(&content)?)?;
            file.sync_all()?;
            let linked = std::fs::hard_link(&aside, &path);
            std::fs::remove_file(&aside)?;
            match linked {
                Err(e) if e.kind() == std::io::ErrorKind::AlreadyExists => Ok(()),
                other => other,
            }
        };
        write().map_err(|source| VaultError::File {
            path: self.index_path(),
            source,
        })
    }

    fn index_path(&self) -> PathBuf {
        self.folder.join("index.json")
    }

    /// A wrapped key opens only as the same key of the same entity.
    fn place(&self, purpose: &str, kid: &str) -> String {
        format!("{}\n{purpose}\n{kid}", self.entity)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::RngSource;

    #[test]
    fn every_algorithm_signs_what_its_public_key_verifies() {
        for alg in [
            Algorithm::RS256,
            Algorithm::PS256,
            Algorithm::ES256,
            Algorithm::ES384,
            Algorithm::EdDSA,
        ] {
            let new = LocalKey::generate(alg).unwrap();
            let public = Jwk::parse(&new.public_jwk).unwrap();
            assert_eq!(public.kid.as_deref(), Some(new.kid.as_str()));
            assert_eq!(public.thumbprint(), new.kid);
            let signature = LocalKey::parse(alg, &new.private)
                .unwrap()
                .sign(b"input")
                .unwrap();
            assert!(public.verify(alg, b"input", &signature), "{alg}");
            assert!(!public.verify(alg, b"inpux", &signature), "{alg}");
        }
        assert!(matches!(
            LocalKey::generate(Algorithm::RS512),
            Err(VaultError::Unsupported(_))
        ));
    }

    #[test]
    fn the_index_key_is_made_once_and_opens_under_its_kek_only() {
        let folder = tempfile::tempdir().unwrap();
        let mut rng = RngSource::System.rng();
        let kek = Arc::new(Kek::create_file(&folder.path().join("kek"), &mut rng).unwrap());
        let vault = Vault::new("https://a.example", &folder.path().join("vault"), kek);
        assert!(vault.index_keys().unwrap().is_empty());
        vault.create_index_key(&mut rng, UnixTime(5)).unwrap();
        let first = vault.index_keys().unwrap();
        vault.create_index_key(&mut rng, UnixTime(6)).unwrap();
        assert_eq!(vault.index_keys().unwrap()[0].1, first[0].1);
        let other = Arc::new(Kek::create_file(&folder.path().join("kek2"), &mut rng).unwrap());
        let stranger = Vault::new("https://a.example", &folder.path().join("vault"), other);
        assert!(matches!(
            stranger.index_keys(),
            Err(VaultError::WrongKek(_))
        ));
    }
}
