//! Public keys as JWK (RFC 7517) and sets of them. Private and symmetric members are refused at the door.

use aws_lc_rs::signature;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::DecodingKey;
use serde_json::{Map, Value, json};

use crate::oauth::{Algorithm, EncryptionKey, KeyManagement};

/// The most keys that are read of one set; strangers may not make us hold more.
pub const MOST_KEYS: usize = 64;

/// A public key that verifies signatures or receives encryption.
#[derive(Clone)]
pub struct Jwk {
    pub kid: Option<String>,
    /// `use`: `sig`, `enc`, or unsaid.
    pub usage: Option<String>,
    /// `alg`, as the key's owner wrote it; may name an encryption algorithm.
    pub alg: Option<String>,
    kind: KeyKind,
    thumbprint: String,
    value: Map<String, Value>,
    check: Check,
}

/// How the key checks signatures.
#[derive(Clone)]
enum Check {
    Library(DecodingKey),
    /// P-521, which the JWS library does not know: `04 || x || y`.
    P521(Vec<u8>),
    Never,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum KeyKind {
    Rsa,
    P256,
    P384,
    P521,
    Ed25519,
    X25519,
    /// Known to the registry, of no use for us (X448, sm2p256v1).
    Other,
}

/// Why a key was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum JwkError {
    #[error("a JWK is missing or has a wrong `{0}`")]
    Member(&'static str),
    #[error("the key type is not supported")]
    Type,
    #[error("the key is too short or too long")]
    Size,
    #[error("the JWK holds private or symmetric key material")]
    Private,
    #[error("the JWK Set has no `keys`, or too many")]
    Set,
    #[error("two keys share one `kid`")]
    RepeatedKid,
}

impl Jwk {
    /// Reads one public key. Unknown members are kept for publishing and otherwise ignored.
    pub fn parse(value: &Value) -> Result<Self, JwkError> {
        let map = value.as_object().ok_or(JwkError::Member("kty"))?;
        // RFC 7518 §6: private members of EC/OKP, RSA and oct keys.
        if ["d", "p", "q", "dp", "dq", "qi", "oth", "k"]
            .iter()
            .any(|m| map.contains_key(*m))
        {
            return Err(JwkError::Private);
        }
        let text = |name: &'static str| -> Result<Option<String>, JwkError> {
            match map.get(name) {
                None => Ok(None),
                Some(Value::String(s)) if !s.is_empty() && s.len() <= 512 => Ok(Some(s.clone())),
                Some(_) => Err(JwkError::Member(name)),
            }
        };
        let bytes = |name: &'static str| -> Result<Vec<u8>, JwkError> {
            let text = map
                .get(name)
                .and_then(Value::as_str)
                .ok_or(JwkError::Member(name))?;
            if text.len() > 4096 {
                return Err(JwkError::Size);
            }
            URL_SAFE_NO_PAD
                .decode(text)
                .map_err(|_| JwkError::Member(name))
        };
        let (kind, canonical, check) = match map
            .get("kty")
            .and_then(Value::as_str)
            .ok_or(JwkError::Member("kty"))?
        {
            "RSA" => {
                let (n, e) = (bytes("n")?, bytes("e")?);
                let bits = n.iter().skip_while(|b| **b == 0).count() * 8;
                if !(2048..=8192).contains(&bits) || e.is_empty() || e.len() > 8 {
                    return Err(JwkError::Size);
                }
                let check = Check::Library(DecodingKey::from_rsa_raw_components(&n, &e));
                (
                    KeyKind::Rsa,
                    json!({"e": map["e"], "kty": "RSA", "n": map["n"]}),
                    check,
                )
            }
            "EC" => {
                let crv = map
                    .get("crv")
                    .and_then(Value::as_str)
                    .ok_or(JwkError::Member("crv"))?;
                let (x, y) = (bytes("x")?, bytes("y")?);
                let (kind, length) = match crv {
                    "P-256" => (KeyKind::P256, 32),
                    "P-384" => (KeyKind::P384, 48),
                    "P-521" => (KeyKind::P521, 66),
                    _ => (KeyKind::Other, x.len()),
                };
                if x.len() != length || y.len() != length {
                    return Err(JwkError::Size);
                }
                let (xs, ys) = (URL_SAFE_NO_PAD.encode(&x), URL_SAFE_NO_PAD.encode(&y));
                let check = match kind {
                    KeyKind::Other => Check::Never,
                    KeyKind::P521 => Check::P521([&[4], x.as_slice(), &y].concat()),
                    _ => Check::Library(
                        DecodingKey::from_ec_components(&xs, &ys)
                            .map_err(|_| JwkError::Member("x"))?,
                    ),
                };
                (
                    kind,
                    json!({"crv": crv, "kty": "EC", "x": xs, "y": ys}),
                    check,
                )
            }
            "OKP" => {
                let crv = map
                    .get("crv")
                    .and_then(Value::as_str)
                    .ok_or(JwkError::Member("crv"))?;
                let x = bytes("x")?;
                let canonical = json!({"crv": crv, "kty": "OKP", "x": map["x"]});
                let (kind, check) = match crv {
                    "Ed25519" => (
                        KeyKind::Ed25519,
                        Check::Library(DecodingKey::from_ed_der(&x)),
                    ),
                    "X25519" => (KeyKind::X25519, Check::Never),
                    _ => (KeyKind::Other, Check::Never),
                };
                if kind != KeyKind::Other && x.len() != 32 {
                    return Err(JwkError::Size);
                }
                (kind, canonical, check)
            }
            "oct" => return Err(JwkError::Private),
            _ => return Err(JwkError::Type),
        };
        // RFC 7638 §3: required members only, in lexicographic order, as written above.
        let thumbprint = crate::jose::jws::thumb(canonical.to_string().as_bytes());
        Ok(Self {
            kid: text("kid")?,
            usage: text("use")?,
            alg: text("alg")?,
            kind,
            thumbprint,
            value: map.clone(),
            check,
        })
    }

    /// RFC 7638 SHA-256 thumbprint, base64url.
    pub fn thumbprint(&self) -> &str {
        &self.thumbprint
    }

    /// Whether a signature under `alg` may be checked with this key: its type, its `use` and its own `alg` all agree.
    pub fn verifies(&self, alg: Algorithm) -> bool {
        use Algorithm as A;
        let fits = match self.kind {
            KeyKind::Rsa => matches!(
                alg,
                A::RS256 | A::RS384 | A::RS512 | A::PS256 | A::PS384 | A::PS512
            ),
            KeyKind::P256 => alg == A::ES256,
            KeyKind::P384 => alg == A::ES384,
            KeyKind::P521 => alg == A::ES512,
            KeyKind::Ed25519 => alg == A::EdDSA,
            KeyKind::X25519 | KeyKind::Other => false,
        };
        // RFC 9864 names EdDSA over Ed25519 also `Ed25519`.
        let named = |a: &str| a == alg.as_str() || (alg == A::EdDSA && a == "Ed25519");
        fits && self.usage.as_deref().is_none_or(|u| u == "sig")
            && self.alg.as_deref().is_none_or(named)
    }

    /// Whether `signature` over `input` under `alg` was made with this key.
    pub fn verify(&self, alg: Algorithm, input: &[u8], signature: &[u8]) -> bool {
        if !self.verifies(alg) {
            return false;
        }
        match (&self.check, library_algorithm(alg)) {
            (Check::Library(key), Some(library)) => {
                let signature = URL_SAFE_NO_PAD.encode(signature);
                jsonwebtoken::crypto::verify(&signature, input, key, library).unwrap_or(false)
            }
            (Check::P521(point), None) => {
                signature::UnparsedPublicKey::new(&signature::ECDSA_P521_SHA512_FIXED, point)
                    .verify(input, signature)
                    .is_ok()
            }
            _ => false,
        }
    }

    /// Whether content keys may be sent to this key under `alg`: its type, its `use` and its own `alg` all agree.
    pub fn encrypts(&self, alg: KeyManagement) -> bool {
        self.encryption_key().is_some_and(|kind| kind.takes(alg))
            && self.usage.as_deref().is_none_or(|u| u == "enc")
            && self.alg.as_deref().is_none_or(|a| a == alg.as_str())
    }

    /// What kind of encryption the key's type can receive, whatever its `use` says.
    pub(super) const fn encryption_key(&self) -> Option<EncryptionKey> {
        match self.kind {
            KeyKind::Rsa => Some(EncryptionKey::Rsa),
            KeyKind::P256 => Some(EncryptionKey::P256),
            KeyKind::P384 => Some(EncryptionKey::P384),
            KeyKind::X25519 => Some(EncryptionKey::X25519),
            KeyKind::P521 | KeyKind::Ed25519 | KeyKind::Other => None,
        }
    }

    /// The bytes of a public number, without base64; empty when there is no such member.
    pub(super) fn number(&self, name: &str) -> Vec<u8> {
        // `parse` has decoded what the key's type needs.
        self.value
            .get(name)
            .and_then(Value::as_str)
            .and_then(|text| URL_SAFE_NO_PAD.decode(text).ok())
            .unwrap_or_default()
    }

    /// The JWK as its owner wrote it.
    pub fn to_value(&self) -> Value {
        Value::Object(self.value.clone())
    }
}

impl std::fmt::Debug for Jwk {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Jwk")
            .field("kid", &self.kid)
            .field("kind", &self.kind)
            .finish_non_exhaustive()
    }
}

impl PartialEq for Jwk {
    fn eq(&self, other: &Self) -> bool {
        self.value == other.value
    }
}

/// `None` for what the JWS library does not know.
const fn library_algorithm(alg: Algorithm) -> Option<jsonwebtoken::Algorithm> {
    use jsonwebtoken::Algorithm as L;
    Some(match alg {
        Algorithm::RS256 => L::RS256,
        Algorithm::RS384 => L::RS384,
        Algorithm::RS512 => L::RS512,
        Algorithm::PS256 => L::PS256,
        Algorithm::PS384 => L::PS384,
        Algorithm::PS512 => L::PS512,
        Algorithm::ES256 => L::ES256,
        Algorithm::ES384 => L::ES384,
        Algorithm::EdDSA => L::EdDSA,
        Algorithm::ES512 => return None,
    })
}

/// A JWK Set (RFC 7517 §5).
#[derive(Clone, Debug, Default, PartialEq)]
pub struct JwkSet {
    keys: Vec<Jwk>,
}

impl JwkSet {
    /// Reads a federation key set: every key must be good and carry its own `kid` (OpenID Federation 1.0 §3.1.1).
    pub fn parse_strict(value: &Value) -> Result<Self, JwkError> {
        let mut keys: Vec<Jwk> = Vec::new();
        for item in items(value)? {
            let key = Jwk::parse(item)?;
            if key.kid.is_none() {
                return Err(JwkError::Member("kid"));
            }
            if keys.iter().any(|k| k.kid == key.kid) {
                return Err(JwkError::RepeatedKid);
            }
            keys.push(key);
        }
        if keys.is_empty() {
            Err(JwkError::Set)
        } else {
            Ok(Self { keys })
        }
    }

    /// Reads a protocol key set: keys we do not understand are skipped (RFC 7517 §5), private ones refuse the set.
    pub fn parse_lenient(value: &Value) -> Result<Self, JwkError> {
        let mut keys = Vec::new();
        for item in items(value)? {
            match Jwk::parse(item) {
                Ok(key) => keys.push(key),
                Err(JwkError::Private) => return Err(JwkError::Private),
                Err(_) => {}
            }
        }
        Ok(Self { keys })
    }

    pub fn iter(&self) -> impl Iterator<Item = &Jwk> {
        self.keys.iter()
    }

    pub fn is_empty(&self) -> bool {
        self.keys.is_empty()
    }

    /// The key named `kid`, exactly.
    pub fn find(&self, kid: &str) -> Option<&Jwk> {
        self.keys.iter().find(|k| k.kid.as_deref() == Some(kid))
    }

    /// The key to encrypt to under `alg`: one that says `use: enc` before one that says nothing (OIDC Core 10.2).
    pub fn for_encryption(&self, alg: KeyManagement) -> Option<&Jwk> {
        let fitting = || self.keys.iter().filter(|k| k.encrypts(alg));
        fitting()
            .find(|k| k.usage.is_some())
            .or_else(|| fitting().next())
    }

    pub fn to_value(&self) -> Value {
        json!({"keys": self.keys.iter().map(Jwk::to_value).collect::<Vec<_>>()})
    }
}

fn items(value: &Value) -> Result<&Vec<Value>, JwkError> {
    let keys = value
        .get("keys")
        .and_then(Value::as_array)
        .ok_or(JwkError::Set)?;
    if keys.len() > MOST_KEYS {
        Err(JwkError::Set)
    } else {
        Ok(keys)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // RFC 7638 §3.1
    const RSA_N: &str = "0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPebWKRXjBZCiFV4n3oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8awapJzKnqDKgw";

    #[test]
    fn rfc_7638_thumbprint() {
        let key = Jwk::parse(
            &json!({"kty": "RSA", "n": RSA_N, "e": "AQAB", "alg": "RS256", "kid": "2011-04-29"}),
        )
        .unwrap();
        assert_eq!(
            key.thumbprint(),
            "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs"
        );
        assert!(
            key.verifies(Algorithm::RS256)
                && !key.verifies(Algorithm::PS256)
                && !key.verifies(Algorithm::ES256)
        );
    }

    #[test]
    fn bad_keys_are_refused() {
        let x = "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU";
        let y = "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0";
        let good = json!({"kty": "EC", "crv": "P-256", "x": x, "y": y, "kid": "a"});
        assert!(Jwk::parse(&good).is_ok());
        let cases = [
            (
                json!({"kty": "EC", "crv": "P-256", "x": x, "y": y, "d": x}),
                JwkError::Private,
            ),
            (json!({"kty": "oct", "k": x}), JwkError::Private),
            (json!({"kty": "oct"}), JwkError::Private),
            (json!({"kty": "RSA", "n": x, "e": "AQAB"}), JwkError::Size),
            (
                json!({"kty": "EC", "crv": "P-384", "x": x, "y": y}),
                JwkError::Size,
            ),
            (
                json!({"kty": "EC", "crv": "P-521", "x": x, "y": y}),
                JwkError::Size,
            ),
            (
                json!({"kty": "OKP", "crv": "X25519", "x": "AAAA"}),
                JwkError::Size,
            ),
            (
                json!({"kty": "EC", "crv": "P-256", "x": x}),
                JwkError::Member("y"),
            ),
            (
                json!({"kty": "EC", "crv": "P-256", "x": x, "y": y, "kid": ""}),
                JwkError::Member("kid"),
            ),
            (
                json!({"kty": "EC", "crv": "P-256", "x": x, "y": y, "kid": 7}),
                JwkError::Member("kid"),
            ),
            (json!({"kty": "QQ"}), JwkError::Type),
            (json!("text"), JwkError::Member("kty")),
        ];
        for (value, error) in cases {
            assert_eq!(Jwk::parse(&value).err(), Some(error), "{value}");
        }
        let twice = json!({"keys": [good, good]});
        assert_eq!(
            JwkSet::parse_strict(&twice).err(),
            Some(JwkError::RepeatedKid)
        );
        assert_eq!(
            JwkSet::parse_lenient(&json!({"keys": [good, {"kty": "QQ"}]}))
                .unwrap()
                .iter()
                .count(),
            1
        );
        assert_eq!(
            JwkSet::parse_strict(&json!({"keys": []})).err(),
            Some(JwkError::Set)
        );
        assert_eq!(
            JwkSet::parse_lenient(&json!({"keys": vec![good; 65]})).err(),
            Some(JwkError::Set)
        );
        assert_eq!(JwkSet::parse_lenient(&json!([])).err(), Some(JwkError::Set));
    }
}
