//! Compact JWS (RFC 7515 §3.1): split and decoded, not yet believed.

use aws_lc_rs::digest;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Map, Value};

use crate::jose::{Jwk, json};
use crate::oauth::{Algorithm, MacAlgorithm};

/// The decoded JOSE header.
#[derive(Debug, Clone)]
pub struct Header {
    /// As written; `algorithm` reads it against our list.
    pub alg: String,
    pub kid: Option<String>,
    pub typ: Option<String>,
    /// All members, the three above included.
    pub members: Map<String, Value>,
}

impl Header {
    /// Reads a decoded header: one JSON object with an `alg`.
    pub(super) fn parse(bytes: &[u8]) -> Option<Self> {
        let members = json::parse_object(bytes).ok()?;
        let text = |name: &str| match members.get(name) {
            None => Some(None),
            Some(Value::String(s)) => Some(Some(s.clone())),
            Some(_) => None,
        };
        Some(Self {
            alg: text("alg")??,
            kid: text("kid")?,
            typ: text("typ")?,
            members,
        })
    }

    /// `alg`, if it is one of ours.
    pub fn algorithm(&self) -> Option<Algorithm> {
        match self.alg.as_str() {
            // RFC 9864: the fully specified name of the only EdDSA curve we take.
            "Ed25519" => Some(Algorithm::EdDSA),
            name => name.parse().ok(),
        }
    }

    /// Whether `typ` is `expected`, by the media type rules of RFC 7515 §4.1.9 (`application/` optional, case ignored).
    pub fn is_typ(&self, expected: &str) -> bool {
        self.typ
            .as_deref()
            .is_some_and(|typ| is_media_type(typ, expected))
    }
}

/// RFC 7515 §4.1.9 and §4.1.10: `application/` may be left out, case does not count.
pub(super) fn is_media_type(written: &str, expected: &str) -> bool {
    let short = match written.get(..12) {
        Some(prefix) if prefix.eq_ignore_ascii_case("application/") => &written[12..],
        _ => written,
    };
    short.eq_ignore_ascii_case(expected)
}

/// A token that was split and decoded but whose signature nobody has checked.
#[derive(Clone)]
pub struct UnverifiedJws<'a> {
    pub header: Header,
    pub payload: Vec<u8>,
    input: &'a [u8],
    signature: Vec<u8>,
}

/// Why a token was not even looked at, or not believed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum JwsError {
    #[error("the token is longer than allowed")]
    TooLong,
    #[error("the token is not a compact JWS")]
    Form,
    #[error("the JOSE header is not valid")]
    Header,
    #[error("the signature algorithm is not allowed here")]
    Algorithm,
    #[error("the header demands an extension that is not understood (crit)")]
    Critical,
    #[error("no key fits the token's kid and alg")]
    NoKey,
    #[error("the signature does not verify")]
    Signature,
}

impl<'a> UnverifiedJws<'a> {
    /// Splits and decodes `token`, of at most `limit` bytes.
    pub fn parse(token: &'a str, limit: usize) -> Result<Self, JwsError> {
        if token.len() > limit {
            return Err(JwsError::TooLong);
        }
        let mut parts = token.split('.');
        let (Some(header), Some(payload), Some(signature), None) =
            (parts.next(), parts.next(), parts.next(), parts.next())
        else {
            return Err(JwsError::Form);
        };
        let input = &token.as_bytes()[..header.len() + 1 + payload.len()];
        let decode = |part: &str| URL_SAFE_NO_PAD.decode(part).map_err(|_| JwsError::Form);
        Ok(Self {
            header: Header::parse(&decode(header)?).ok_or(JwsError::Header)?,
            payload: decode(payload)?,
            input,
            signature: decode(signature)?,
        })
    }

    /// Checks the signature with `key` under one of the `allowed` algorithms. Extensions named in `crit` are refused:
    /// we understand none (RFC 7515 §4.1.11).
    pub fn verify(&self, key: &Jwk, allowed: &[Algorithm]) -> Result<(), JwsError> {
        let alg = self.checked_algorithm(allowed)?;
        if !key.verifies(alg) {
            return Err(JwsError::NoKey);
        }
        if key.verify(alg, self.input, &self.signature) {
            Ok(())
        } else {
            Err(JwsError::Signature)
        }
    }

    /// The header's algorithm, when it is `allowed` and nothing critical is demanded.
    pub fn checked_algorithm(&self, allowed: &[Algorithm]) -> Result<Algorithm, JwsError> {
        self.nothing_critical()?;
        self.header
            .algorithm()
            .filter(|a| allowed.contains(a))
            .ok_or(JwsError::Algorithm)
    }

    /// The same for signatures under a client secret.
    pub fn checked_mac(&self, allowed: &[MacAlgorithm]) -> Result<MacAlgorithm, JwsError> {
        self.nothing_critical()?;
        self.header
            .alg
            .parse()
            .ok()
            .filter(|a| allowed.contains(a))
            .ok_or(JwsError::Algorithm)
    }

    fn nothing_critical(&self) -> Result<(), JwsError> {
        if self.header.members.contains_key("crit") {
            Err(JwsError::Critical)
        } else {
            Ok(())
        }
    }

    /// `header.payload` as signed.
    pub const fn signing_input(&self) -> &'a [u8] {
        self.input
    }

    pub fn signature(&self) -> &[u8] {
        &self.signature
    }
}

impl std::fmt::Debug for UnverifiedJws<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("UnverifiedJws")
            .field("alg", &self.header.alg)
            .field("typ", &self.header.typ)
            .finish_non_exhaustive()
    }
}

/// `b64(header).b64(payload)`: what a signer signs and puts in front of its signature.
pub fn signing_input(header: &Map<String, Value>, payload: &[u8]) -> String {
    let header = Value::Object(header.clone()).to_string();
    format!(
        "{}.{}",
        URL_SAFE_NO_PAD.encode(header),
        URL_SAFE_NO_PAD.encode(payload)
    )
}

/// base64url(SHA-256), for thumbprints.
pub(super) fn thumb(data: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(digest::digest(&digest::SHA256, data))
}

#[cfg(test)]
mod tests {
    use super::*;

    // RFC 7515 appendix A.3
    const ES256: &str = "eyJhbGciOiJFUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ.DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q";

    fn key() -> Jwk {
        Jwk::parse(&serde_json::json!({"kty": "EC", "crv": "P-256",
            "x": "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU", "y": "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"}))
        .unwrap()
    }

    #[test]
    fn rfc_7515_a3_verifies_and_changes_do_not() {
        let jws = UnverifiedJws::parse(ES256, 4096).unwrap();
        assert_eq!(jws.verify(&key(), &[Algorithm::ES256]), Ok(()));
        assert_eq!(
            jws.verify(&key(), &[Algorithm::RS256]),
            Err(JwsError::Algorithm)
        );
        let altered = ES256.replacen("eyJpc3Mi", "eyJpc3Nj", 1);
        assert_eq!(
            UnverifiedJws::parse(&altered, 4096)
                .unwrap()
                .verify(&key(), &[Algorithm::ES256]),
            Err(JwsError::Signature)
        );
    }

    /// RFC 7515 appendix A.4.
    #[test]
    fn rfc_7515_a4_verifies_on_p_521() {
        let token = "eyJhbGciOiJFUzUxMiJ9.UGF5bG9hZA.AdwMgeerwtHoh-l192l60hp9wAHZFVJbLfD_UxMi70cwnZOYaRI1bKPWROc-mZZqwqT2SI-KGDKB34XO0aw_7XdtAG8GaSwFKdCAPZgoXD2YBJZCPEX3xKpRwcdOO8KpEHwJjyqOgzDO7iKvU8vcnwNrmxYbSW9ERBXukOXolLzeO_Jn";
        let key = Jwk::parse(&serde_json::json!({"kty": "EC", "crv": "P-521",
            "x": "AekpBQ8ST8a8VcfVOTNl353vSrDCLLJXmPk06wTjxrrjcBpXp5EOnYG_NjFZ6OvLFV1jSfS9tsz4qUxcWceqwQGk",
            "y": "ADSmRA43Z1DSNx_RvcLI87cdL07l6jQyyBXMoxVg_l2Th-x3S1WDhjDly79ajL4Kkd0AZMaZmh9ubmf63e3kyMj2"}))
        .unwrap();
        let check = |token: &str, allowed: &[Algorithm]| {
            UnverifiedJws::parse(token, 4096)
                .unwrap()
                .verify(&key, allowed)
        };
        assert_eq!(check(token, &[Algorithm::ES512]), Ok(()));
        assert_eq!(check(token, &[Algorithm::ES256]), Err(JwsError::Algorithm));
        assert_eq!(
            check(&token.replacen("UGF5", "UGF4", 1), &Algorithm::ALL),
            Err(JwsError::Signature)
        );
    }

    #[test]
    fn forms_that_are_refused() {
        let with = |header: &str| format!("{}.e30.AA", URL_SAFE_NO_PAD.encode(header));
        let cases: [(String, JwsError); 8] = [
            ("a.b".into(), JwsError::Form),
            ("a.b.c.d".into(), JwsError::Form),
            ("!!.e30.AA".into(), JwsError::Form),
            ("eyJhbGciOiJFUzI1NiJ9.e30=.AA".into(), JwsError::Form),
            (with("[]"), JwsError::Header),
            (with(r#"{"typ":"JWT"}"#), JwsError::Header),
            (with(r#"{"alg":"ES256","alg":"none"}"#), JwsError::Header),
            ("x".repeat(5000), JwsError::TooLong),
        ];
        for (token, error) in cases {
            assert_eq!(
                UnverifiedJws::parse(&token, 4096).err(),
                Some(error),
                "{token}"
            );
        }
        for (header, error) in [
            (r#"{"alg":"none"}"#, JwsError::Algorithm),
            (r#"{"alg":"HS256"}"#, JwsError::Algorithm),
            (
                r#"{"alg":"ES256","crit":["b64"],"b64":false}"#,
                JwsError::Critical,
            ),
        ] {
            let token = with(header);
            let jws = UnverifiedJws::parse(&token, 4096).unwrap();
            assert_eq!(jws.verify(&key(), &Algorithm::ALL), Err(error), "{header}");
        }
    }

    #[test]
    fn typ_follows_the_media_type_rules() {
        let typ = |typ: &str| Header {
            alg: "ES256".into(),
            kid: None,
            typ: Some(typ.into()),
            members: Map::new(),
        };
        assert!(typ("application/AT+jwt").is_typ("at+jwt") && typ("at+JWT").is_typ("at+jwt"));
        assert!(!typ("JWT").is_typ("at+jwt") && !typ("合合合合合").is_typ("at+jwt"));
    }
}
