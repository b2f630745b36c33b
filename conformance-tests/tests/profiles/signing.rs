//! What a relying party of the stranger's signs: assertions, request objects, proofs.

use aws_lc_rs::{
    digest::{SHA256, digest},
    hmac, rand,
    signature::{
        self, EcdsaKeyPair, EcdsaSigningAlgorithm, Ed25519KeyPair, KeyPair as _, RsaEncoding,
        RsaKeyPair,
    },
};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use conformance_tests::statement::now;
use rcgen::{
    KeyPair, PKCS_ECDSA_P256_SHA256, PKCS_ECDSA_P384_SHA384, PKCS_ECDSA_P521_SHA512, PKCS_ED25519,
    PKCS_RSA_SHA256, PublicKeyData, RsaKeySize,
};
use serde_json::{Value, json};

/// A key for one algorithm (RFC 7518 3.1, RFC 8037).
pub struct Key {
    pub pair: KeyPair,
    pub algorithm: &'static str,
    pub kid: &'static str,
}

impl Key {
    pub fn new() -> Self {
        Self::of("ES256")
    }

    pub fn of(algorithm: &str) -> Self {
        let known = [
            "ES256", "ES384", "ES512", "EdDSA", "RS256", "RS384", "RS512", "PS256", "PS384",
            "PS512",
        ];
        let found = known.into_iter().find(|name| *name == algorithm);
        let algorithm = found.unwrap_or_else(|| panic!("nobody here signs under {algorithm}"));
        let pair = match algorithm {
            "ES256" => KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256),
            "ES384" => KeyPair::generate_for(&PKCS_ECDSA_P384_SHA384),
            "ES512" => KeyPair::generate_for(&PKCS_ECDSA_P521_SHA512),
            "EdDSA" => KeyPair::generate_for(&PKCS_ED25519),
            _ => KeyPair::generate_rsa_for(&PKCS_RSA_SHA256, RsaKeySize::_2048),
        };
        let pair = pair.expect("a key");
        Self {
            pair,
            algorithm,
            kid: "k1",
        }
    }

    /// The public half, as a client registers it.
    pub fn public(&self) -> Value {
        let mut jwk = self.bare();
        jwk["kid"] = self.kid.into();
        jwk["use"] = "sig".into();
        jwk
    }

    fn bare(&self) -> Value {
        let encoded = self.pair.der_bytes();
        let part = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
        let point = |curve: &str| {
            let (x, y) = encoded[1..].split_at(encoded.len() / 2);
            json!({"kty": "EC", "crv": curve, "x": part(x), "y": part(y)})
        };
        match self.algorithm {
            "ES256" => point("P-256"),
            "ES384" => point("P-384"),
            "ES512" => point("P-521"),
            "EdDSA" => json!({"kty": "OKP", "crv": "Ed25519", "x": part(encoded)}),
            _ => {
                let public = self.rsa();
                let public = public.public_key();
                let (n, e) = (public.modulus(), public.exponent());
                let number =
                    |n: aws_lc_rs::io::Positive<'_>| part(n.big_endian_without_leading_zero());
                json!({"kty": "RSA", "n": number(n), "e": number(e)})
            }
        }
    }

    fn rsa(&self) -> RsaKeyPair {
        RsaKeyPair::from_pkcs8(&self.pair.serialize_der()).expect("a key")
    }

    pub fn sign(&self, typ: &str, claims: &Value) -> String {
        self.seal(
            &json!({"alg": self.algorithm, "typ": typ, "kid": self.kid}),
            claims,
        )
    }

    fn seal(&self, header: &Value, claims: &Value) -> String {
        let signed = compact(header, claims);
        let signature = self.signature(signed.as_bytes());
        format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature))
    }

    fn signature(&self, data: &[u8]) -> Vec<u8> {
        let der = self.pair.serialize_der();
        let random = rand::SystemRandom::new();
        let curve = |curve: &'static EcdsaSigningAlgorithm| {
            let key = EcdsaKeyPair::from_pkcs8(curve, &der).expect("a key");
            let signature = key.sign(&random, data).expect("a signature");
            signature.as_ref().to_vec()
        };
        let rsa = |padding: &'static dyn RsaEncoding| {
            let key = self.rsa();
            let mut signature = vec![0; key.public_modulus_len()];
            key.sign(padding, &random, data, &mut signature)
                .expect("a signature");
            signature
        };
        match self.algorithm {
            "ES256" => curve(&signature::ECDSA_P256_SHA256_FIXED_SIGNING),
            "ES384" => curve(&signature::ECDSA_P384_SHA384_FIXED_SIGNING),
            "ES512" => curve(&signature::ECDSA_P521_SHA512_FIXED_SIGNING),
            "EdDSA" => {
                let key = Ed25519KeyPair::from_pkcs8(&der).expect("a key");
                key.sign(data).as_ref().to_vec()
            }
            "RS256" => rsa(&signature::RSA_PKCS1_SHA256),
            "RS384" => rsa(&signature::RSA_PKCS1_SHA384),
            "RS512" => rsa(&signature::RSA_PKCS1_SHA512),
            "PS256" => rsa(&signature::RSA_PSS_SHA256),
            "PS384" => rsa(&signature::RSA_PSS_SHA384),
            _ => rsa(&signature::RSA_PSS_SHA512),
        }
    }

    /// RFC 9449 4.2, with `more` claims in the place of the usual ones; null leaves one out.
    pub fn proof(&self, method: &str, url: &str, more: &Value) -> String {
        self.proof_as("dpop+jwt", method, url, more)
    }

    pub fn proof_as(&self, typ: &str, method: &str, url: &str, more: &Value) -> String {
        let header = json!({"alg": self.algorithm, "typ": typ, "jwk": self.bare()});
        let usual = json!({"jti": jti(), "htm": method, "htu": url, "iat": now()});
        self.seal(&header, &changed(usual, more))
    }

    /// RFC 7638 3.
    pub fn thumbprint(&self) -> String {
        let key = self.bare();
        hash(
            format!(
                r#"{{"crv":"P-256","kty":"EC","x":{},"y":{}}}"#,
                key["x"], key["y"]
            )
            .as_bytes(),
        )
    }
}

/// `usual` with the members of `more` in their place; null takes one away.
pub fn changed(mut usual: Value, more: &Value) -> Value {
    let map = usual.as_object_mut().expect("an object");
    for (name, value) in more.as_object().expect("an object") {
        if value.is_null() {
            map.remove(name);
        } else {
            map.insert(name.clone(), value.clone());
        }
    }
    usual
}

/// A JWT with `alg: none`.
pub fn unsigned(claims: &Value) -> String {
    format!("{}.", compact(&json!({"alg": "none"}), claims))
}

/// The same token with another payload under the old signature.
pub fn tampered(token: &str, more: &Value) -> String {
    let parts: Vec<&str> = token.split('.').collect();
    let claims = conformance_tests::statement::peek(token).claims;
    let payload = URL_SAFE_NO_PAD.encode(changed(claims, more).to_string());
    format!("{}.{payload}.{}", parts[0], parts[2])
}

pub fn hash(data: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(digest(&SHA256, data))
}

/// OIDC Core 3.1.3.6: the left half of the hash, for RS256, PS256 and ES256.
pub fn left_half(text: &str) -> String {
    URL_SAFE_NO_PAD.encode(&digest(&SHA256, text.as_bytes()).as_ref()[..16])
}

/// A name that nobody used before.
pub fn jti() -> String {
    let mut bytes = [0; 16];
    rand::fill(&mut bytes).expect("randomness");
    URL_SAFE_NO_PAD.encode(bytes)
}

/// Signs with a client's secret (`client_secret_jwt`).
pub fn under_secret(secret: &str, algorithm: &str, claims: &Value) -> String {
    let hash = match algorithm {
        "HS256" => hmac::HMAC_SHA256,
        "HS384" => hmac::HMAC_SHA384,
        "HS512" => hmac::HMAC_SHA512,
        other => panic!("nobody here signs under {other}"),
    };
    let signed = compact(&json!({"alg": algorithm}), claims);
    let tag = hmac::sign(&hmac::Key::new(hash, secret.as_bytes()), signed.as_bytes());
    format!("{signed}.{}", URL_SAFE_NO_PAD.encode(tag))
}

/// Header and payload of a compact JWS (RFC 7515 3.1).
fn compact(header: &Value, claims: &Value) -> String {
    let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    format!("{}.{}", part(header), part(claims))
}
