//! Private keys that decrypt: RSA for OAEP, curves for ECDH. Part of the vault, since it holds private bytes.

use aws_lc_rs::agreement::{self, PrivateKey, UnparsedPublicKey, agree};
use aws_lc_rs::encoding::{AsBigEndian, AsDer, Curve25519SeedBin, Pkcs8V1Der};
use aws_lc_rs::rsa::{
    KeyPair, KeySize, OAEP_SHA1_MGF1SHA1, OAEP_SHA256_MGF1SHA256, OaepPrivateDecryptingKey,
    PrivateDecryptingKey,
};
use aws_lc_rs::signature::KeyPair as _;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};
use zeroize::Zeroizing;

use super::{NewKey, VaultError};
use crate::crypto::{Recovery, Secret};
use crate::jose::Jwk;
use crate::oauth::{EncryptionKey, KeyManagement};

/// A private key, parsed once and ready to decrypt.
pub(in crate::keys) enum DecryptionKey {
    Rsa(OaepPrivateDecryptingKey),
    Curve(EncryptionKey, PrivateKey),
}

impl DecryptionKey {
    /// Makes a key pair; RSA keys have 2048 bits. Its JWK says `use: enc` and no `alg`: RSA keys serve both OAEPs, curves
    /// every ECDH-ES.
    pub fn generate(kind: EncryptionKey) -> Result<NewKey, VaultError> {
        let failed = || VaultError::Generate(kind.as_str());
        let private = match kind {
            EncryptionKey::Rsa => PrivateDecryptingKey::generate(KeySize::Rsa2048)
                .and_then(|key| AsDer::<Pkcs8V1Der<'_>>::as_der(&key))
                .map(|der| der.as_ref().to_vec()),
            EncryptionKey::X25519 => PrivateKey::generate(&agreement::X25519)
                .and_then(|key| AsBigEndian::<Curve25519SeedBin<'_>>::as_be_bytes(&key))
                .map(|seed| seed.as_ref().to_vec()),
            EncryptionKey::P256 | EncryptionKey::P384 => {
                let curve = nist(kind).ok_or_else(failed)?;
                PrivateKey::generate(curve)
                    .and_then(|key| AsDer::<Pkcs8V1Der<'_>>::as_der(&key))
                    .map(|der| der.as_ref().to_vec())
            }
        };
        let private = Zeroizing::new(private.map_err(|_| failed())?);
        let mut public_jwk = public_jwk(kind, &private).ok_or_else(failed)?;
        let kid = Jwk::parse(&public_jwk)
            .map_err(|_| failed())?
            .thumbprint()
            .to_owned();
        public_jwk["kid"] = kid.clone().into();
        public_jwk["use"] = "enc".into();
        Ok(NewKey {
            kid,
            public_jwk,
            private,
        })
    }

    pub fn parse(kind: EncryptionKey, private: &[u8]) -> Option<Self> {
        match kind {
            EncryptionKey::Rsa => {
                let key = PrivateDecryptingKey::from_pkcs8(private).ok()?;
                Some(Self::Rsa(OaepPrivateDecryptingKey::new(key).ok()?))
            }
            _ => Some(Self::Curve(kind, curve_key(kind, private)?)),
        }
    }

    pub const fn kind(&self) -> EncryptionKey {
        match self {
            Self::Rsa(_) => EncryptionKey::Rsa,
            Self::Curve(kind, _) => *kind,
        }
    }

    /// `None` whatever the reason: who asks must not be able to tell them apart.
    pub fn recover(&self, what: Recovery<'_>) -> Option<Secret<Vec<u8>>> {
        match (self, what) {
            (Self::Rsa(key), Recovery::Unwrap { alg, encrypted_key }) => {
                let hash = match alg {
                    KeyManagement::RsaOaep => &OAEP_SHA1_MGF1SHA1,
                    KeyManagement::RsaOaep256 => &OAEP_SHA256_MGF1SHA256,
                    _ => return None,
                };
                let mut out = Zeroizing::new(vec![0; key.min_output_size()]);
                let opened = key.decrypt(hash, encrypted_key, &mut out, None).ok()?;
                Some(Secret::new(opened.to_vec()))
            }
            (Self::Curve(of, key), Recovery::Agree { kind, peer }) if *of == kind => {
                // The library refuses a point that is not on the curve, and an all-zero X25519 secret.
                let peer = UnparsedPublicKey::new(key.algorithm(), peer);
                agree(key, peer, (), |secret| Ok(Secret::new(secret.to_vec()))).ok()
            }
            _ => None,
        }
    }
}

const fn nist(kind: EncryptionKey) -> Option<&'static agreement::Algorithm> {
    match kind {
        EncryptionKey::P256 => Some(&agreement::ECDH_P256),
        EncryptionKey::P384 => Some(&agreement::ECDH_P384),
        EncryptionKey::Rsa | EncryptionKey::X25519 => None,
    }
}

fn curve_key(kind: EncryptionKey, private: &[u8]) -> Option<PrivateKey> {
    match nist(kind) {
        Some(curve) => PrivateKey::from_private_key_der(curve, private),
        // The library has no PKCS#8 for X25519: the 32 bytes themselves.
        None => PrivateKey::from_private_key(&agreement::X25519, private),
    }
    .ok()
}

fn public_jwk(kind: EncryptionKey, private: &[u8]) -> Option<Value> {
    let b64 = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
    if kind == EncryptionKey::Rsa {
        let pair = KeyPair::from_pkcs8(private).ok()?;
        let public = pair.public_key();
        return Some(json!({"kty": "RSA",
            "n": b64(public.modulus().big_endian_without_leading_zero()),
            "e": b64(public.exponent().big_endian_without_leading_zero())}));
    }
    let public = curve_key(kind, private)?.compute_public_key().ok()?;
    let point = public.as_ref();
    Some(if kind == EncryptionKey::X25519 {
        json!({"kty": "OKP", "crv": kind.as_str(), "x": b64(point)})
    } else {
        // Uncompressed point: 04 || x || y.
        let (x, y) = point[1..].split_at(point.len() / 2);
        json!({"kty": "EC", "crv": kind.as_str(), "x": b64(x), "y": b64(y)})
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_makes_keys_that_say_enc_and_do_only_their_own_work() {
        for kind in EncryptionKey::ALL {
            let new = DecryptionKey::generate(kind).unwrap();
            let public = Jwk::parse(&new.public_jwk).unwrap();
            assert_eq!(public.kid.as_deref(), Some(new.kid.as_str()));
            assert_eq!(public.thumbprint(), new.kid);
            assert_eq!((public.usage.as_deref(), public.alg), (Some("enc"), None));
            let key = DecryptionKey::parse(kind, &new.private).unwrap();
            assert_eq!(key.kind(), kind);
            for other in EncryptionKey::ALL {
                let parsed = DecryptionKey::parse(other, &new.private);
                assert_eq!(parsed.is_some(), other == kind, "{kind} as {other}");
            }
            let garbage = [9; 300];
            for what in [
                Recovery::Unwrap {
                    alg: KeyManagement::RsaOaep,
                    encrypted_key: &garbage[..256],
                },
                Recovery::Agree {
                    kind,
                    peer: &garbage[..65],
                },
                Recovery::Agree { kind, peer: &[] },
                Recovery::Agree {
                    kind: EncryptionKey::X25519,
                    peer: &[0; 32],
                },
            ] {
                assert!(key.recover(what).is_none(), "{kind} {what:?}");
            }
        }
    }
}
