//! The encryption algorithms hefu speaks (RFC 7518 §4.1 and §5.1, RFC 8037 §3.2). RSA1_5 and passwords are not in this list.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// A JWE `alg` value: how the content key reaches its reader.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, PartialOrd, Ord, Serialize, Deserialize)]
pub enum KeyManagement {
    #[serde(rename = "RSA-OAEP")]
    RsaOaep,
    #[serde(rename = "RSA-OAEP-256")]
    RsaOaep256,
    #[serde(rename = "ECDH-ES")]
    EcdhEs,
    #[serde(rename = "ECDH-ES+A128KW")]
    EcdhEsA128Kw,
    #[serde(rename = "ECDH-ES+A256KW")]
    EcdhEsA256Kw,
    #[serde(rename = "dir")]
    Dir,
    #[serde(rename = "A128KW")]
    A128Kw,
    #[serde(rename = "A256KW")]
    A256Kw,
}

impl KeyManagement {
    /// To a public key of the reader.
    pub const PUBLIC: [Self; 5] = [
        Self::RsaOaep,
        Self::RsaOaep256,
        Self::EcdhEs,
        Self::EcdhEsA128Kw,
        Self::EcdhEsA256Kw,
    ];
    /// Under a client secret that both hold (OIDC Core 10.2).
    pub const SECRET: [Self; 3] = [Self::Dir, Self::A128Kw, Self::A256Kw];
    pub const ALL: [Self; 8] = [
        Self::RsaOaep,
        Self::RsaOaep256,
        Self::EcdhEs,
        Self::EcdhEsA128Kw,
        Self::EcdhEsA256Kw,
        Self::Dir,
        Self::A128Kw,
        Self::A256Kw,
    ];

    pub const fn as_str(self) -> &'static str {
        match self {
            Self::RsaOaep => "RSA-OAEP",
            Self::RsaOaep256 => "RSA-OAEP-256",
            Self::EcdhEs => "ECDH-ES",
            Self::EcdhEsA128Kw => "ECDH-ES+A128KW",
            Self::EcdhEsA256Kw => "ECDH-ES+A256KW",
            Self::Dir => "dir",
            Self::A128Kw => "A128KW",
            Self::A256Kw => "A256KW",
        }
    }
}

/// A JWE `enc` value: how the content is encrypted.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, PartialOrd, Ord, Serialize, Deserialize)]
pub enum ContentEncryption {
    #[serde(rename = "A128GCM")]
    A128Gcm,
    #[serde(rename = "A192GCM")]
    A192Gcm,
    #[serde(rename = "A256GCM")]
    A256Gcm,
    #[serde(rename = "A128CBC-HS256")]
    A128CbcHs256,
    #[serde(rename = "A192CBC-HS384")]
    A192CbcHs384,
    #[serde(rename = "A256CBC-HS512")]
    A256CbcHs512,
}

impl ContentEncryption {
    pub const ALL: [Self; 6] = [
        Self::A128Gcm,
        Self::A192Gcm,
        Self::A256Gcm,
        Self::A128CbcHs256,
        Self::A192CbcHs384,
        Self::A256CbcHs512,
    ];

    pub const fn as_str(self) -> &'static str {
        match self {
            Self::A128Gcm => "A128GCM",
            Self::A192Gcm => "A192GCM",
            Self::A256Gcm => "A256GCM",
            Self::A128CbcHs256 => "A128CBC-HS256",
            Self::A192CbcHs384 => "A192CBC-HS384",
            Self::A256CbcHs512 => "A256CBC-HS512",
        }
    }
}

/// What kind of key receives encryption.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, PartialOrd, Ord, Serialize, Deserialize)]
pub enum EncryptionKey {
    #[serde(rename = "RSA")]
    Rsa,
    #[serde(rename = "P-256")]
    P256,
    #[serde(rename = "P-384")]
    P384,
    X25519,
}

impl EncryptionKey {
    pub const ALL: [Self; 4] = [Self::Rsa, Self::P256, Self::P384, Self::X25519];

    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Rsa => "RSA",
            Self::P256 => "P-256",
            Self::P384 => "P-384",
            Self::X25519 => "X25519",
        }
    }

    /// Whether a key of this kind can be used with `alg`.
    pub const fn takes(self, alg: KeyManagement) -> bool {
        use KeyManagement as K;
        match alg {
            K::RsaOaep | K::RsaOaep256 => matches!(self, Self::Rsa),
            K::EcdhEs | K::EcdhEsA128Kw | K::EcdhEsA256Kw => !matches!(self, Self::Rsa),
            K::Dir | K::A128Kw | K::A256Kw => false,
        }
    }
}

/// How something is encrypted to a client, as the client registered it (OIDC Registration 2).
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Encryption {
    pub alg: KeyManagement,
    pub enc: ContentEncryption,
}

impl Encryption {
    /// The members of client metadata that say `alg` and `enc`.
    pub const ID_TOKEN: [&'static str; 2] = [
        "id_token_encrypted_response_alg",
        "id_token_encrypted_response_enc",
    ];
    pub const USERINFO: [&'static str; 2] = [
        "userinfo_encrypted_response_alg",
        "userinfo_encrypted_response_enc",
    ];
    /// JARM 3.
    pub const AUTHORIZATION: [&'static str; 2] = [
        "authorization_encrypted_response_alg",
        "authorization_encrypted_response_enc",
    ];
    /// RFC 9701 §6.
    pub const INTROSPECTION: [&'static str; 2] = [
        "introspection_encrypted_response_alg",
        "introspection_encrypted_response_enc",
    ];
    /// What the client may do when it encrypts to us; it is not held to it.
    pub const REQUEST_OBJECT: [&'static str; 2] = [
        "request_object_encryption_alg",
        "request_object_encryption_enc",
    ];

    /// Reads the values of the two members `[alg, enc]`. OIDC Registration 2: `enc` is A128CBC-HS256 when unsaid, and needs
    /// an `alg`, one of those that are `served` here.
    pub fn registered(
        names: [&'static str; 2],
        alg: Option<&str>,
        enc: Option<&str>,
        served: &[KeyManagement],
    ) -> Result<Option<Self>, EncryptionError> {
        let alg = match (alg, enc) {
            (Some(alg), _) => alg
                .parse()
                .ok()
                .filter(|alg| served.contains(alg))
                .ok_or(EncryptionError::Value(names[0]))?,
            (None, Some(_)) => return Err(EncryptionError::Missing(names[0])),
            (None, None) => return Ok(None),
        };
        let enc = match enc {
            Some(enc) => enc.parse().map_err(|_| EncryptionError::Value(names[1]))?,
            None => ContentEncryption::A128CbcHs256,
        };
        Ok(Some(Self { alg, enc }))
    }
}

/// Why registered encryption is not served; names the member.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum EncryptionError {
    #[error("{0} is not an encryption algorithm that is supported")]
    Value(&'static str),
    #[error("{0} is missing beside its enc")]
    Missing(&'static str),
}

/// The name is not in our list; `RSA1_5` never is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("this encryption algorithm is not supported")]
pub struct UnknownEncryption;

impl fmt::Display for KeyManagement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for KeyManagement {
    type Err = UnknownEncryption;

    fn from_str(s: &str) -> Result<Self, Self::Err> {
        Self::ALL
            .into_iter()
            .find(|a| a.as_str() == s)
            .ok_or(UnknownEncryption)
    }
}

impl fmt::Display for ContentEncryption {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for ContentEncryption {
    type Err = UnknownEncryption;

    fn from_str(s: &str) -> Result<Self, Self::Err> {
        Self::ALL
            .into_iter()
            .find(|e| e.as_str() == s)
            .ok_or(UnknownEncryption)
    }
}

impl fmt::Display for EncryptionKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for EncryptionKey {
    type Err = UnknownEncryption;

    fn from_str(s: &str) -> Result<Self, Self::Err> {
        Self::ALL
            .into_iter()
            .find(|k| k.as_str() == s)
            .ok_or(UnknownEncryption)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_as_they_are_written_and_weak_ones_are_unknown() {
        for alg in KeyManagement::ALL {
            assert_eq!(alg.as_str().parse(), Ok(alg));
            assert_eq!(serde_json::to_value(alg).unwrap(), alg.as_str());
        }
        for enc in ContentEncryption::ALL {
            assert_eq!(enc.as_str().parse(), Ok(enc));
            assert_eq!(serde_json::to_value(enc).unwrap(), enc.as_str());
        }
        for key in EncryptionKey::ALL {
            assert_eq!(key.as_str().parse(), Ok(key));
            assert_eq!(serde_json::to_value(key).unwrap(), key.as_str());
        }
        for unknown in [
            "RSA1_5",
            "PBES2-HS256+A128KW",
            "A128GCMKW",
            "none",
            "rsa-oaep",
            "",
        ] {
            assert_eq!(
                unknown.parse::<KeyManagement>(),
                Err(UnknownEncryption),
                "{unknown}"
            );
        }
    }

    #[test]
    fn a_registered_pair_needs_its_alg_and_may_leave_out_its_enc() {
        use ContentEncryption as C;
        use EncryptionError::{Missing, Value};
        let cases = [
            (None, None, Ok(None)),
            (
                Some("RSA-OAEP"),
                None,
                Ok(Some((KeyManagement::RsaOaep, C::A128CbcHs256))),
            ),
            (
                Some("ECDH-ES+A256KW"),
                Some("A256GCM"),
                Ok(Some((KeyManagement::EcdhEsA256Kw, C::A256Gcm))),
            ),
            (None, Some("A256GCM"), Err(Missing("a"))),
            (Some("RSA1_5"), None, Err(Value("a"))),
            (Some("dir"), None, Err(Value("a"))),
            (Some("A128KW"), Some("A128GCM"), Err(Value("a"))),
            (Some(""), None, Err(Value("a"))),
            (Some("RSA-OAEP"), Some("A128CBC"), Err(Value("b"))),
            (Some("RSA-OAEP"), Some(""), Err(Value("b"))),
        ];
        for (alg, enc, expected) in cases {
            let read = Encryption::registered(["a", "b"], alg, enc, &KeyManagement::PUBLIC);
            let expected = expected.map(|pair| pair.map(|(alg, enc)| Encryption { alg, enc }));
            assert_eq!(read, expected, "{alg:?} {enc:?}");
        }
    }

    #[test]
    fn a_key_takes_only_its_own_family() {
        use KeyManagement as K;
        assert!(EncryptionKey::Rsa.takes(K::RsaOaep) && !EncryptionKey::Rsa.takes(K::EcdhEs));
        assert!(EncryptionKey::P256.takes(K::EcdhEs) && !EncryptionKey::P256.takes(K::RsaOaep256));
        for key in EncryptionKey::ALL {
            assert!(K::SECRET.into_iter().all(|alg| !key.takes(alg)));
        }
    }
}
