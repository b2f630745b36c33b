//! The one door by which a JWT becomes claims: it cannot be passed without saying issuer, audience, type, algorithms
//! and time.

use serde_json::{Map, Value};

use crate::clock::UnixTime;
use crate::jose::{ClientSecret, Header, JwkSet, JwsError, UnverifiedJws, json};
use crate::oauth::{Algorithm, MacAlgorithm};

/// Finds the key of a token and checks the signature with it.
pub trait Keys {
    fn check(&self, jws: &UnverifiedJws<'_>, alg: Algorithm) -> Result<(), JwsError>;
}

impl Keys for JwkSet {
    /// With a `kid`: that key and no other. Without: the only key that fits the algorithm; several that fit are tried,
    /// as OIDC Core 10.1 allows for sets without key ids.
    fn check(&self, jws: &UnverifiedJws<'_>, alg: Algorithm) -> Result<(), JwsError> {
        let mut seen = Err(JwsError::NoKey);
        for key in self.iter().filter(|k| k.verifies(alg)) {
            if jws.header.kid.is_some() && jws.header.kid != key.kid {
                continue;
            }
            if key.verify(alg, jws.signing_input(), jws.signature()) {
                return Ok(());
            }
            seen = Err(JwsError::Signature);
        }
        seen
    }
}

/// A closure that checks by kid, algorithm, input and signature: how our own ring is asked.
impl<F: Fn(&str, Algorithm, &[u8], &[u8]) -> bool> Keys for F {
    fn check(&self, jws: &UnverifiedJws<'_>, alg: Algorithm) -> Result<(), JwsError> {
        let kid = jws.header.kid.as_deref().ok_or(JwsError::NoKey)?;
        if self(kid, alg, jws.signing_input(), jws.signature()) {
            Ok(())
        } else {
            Err(JwsError::Signature)
        }
    }
}

/// What `typ` must be.
#[derive(Debug, Clone, Copy)]
pub enum Typ<'a> {
    /// This type and no other.
    Is(&'a str),
    /// One of these, or no `typ` at all: for tokens older than explicit typing.
    AbsentOr(&'a [&'a str]),
}

/// What `aud` must be.
#[derive(Debug, Clone, Copy)]
pub enum Audience<'a> {
    /// Holds at least one of these.
    Contains(&'a [&'a str]),
    /// Is exactly one value, one of these; a one-element array counts as its element.
    Only(&'a [&'a str]),
    /// Is a JSON string, exactly this (FAPI 2.0 §5.3.2.1).
    String(&'a str),
}

/// Everything that a caller must say before it gets claims.
#[derive(Debug, Clone, Copy)]
pub struct Expected<'a, A = Algorithm> {
    pub issuer: &'a str,
    pub audience: Audience<'a>,
    pub typ: Typ<'a>,
    pub algorithms: &'a [A],
    pub now: UnixTime,
    /// Seconds by which clocks may differ.
    pub leeway: i64,
    /// Whether `exp` may have passed: only for hints, where expiry does not matter (OIDC RP-Initiated Logout 1.0 §2).
    pub accept_expired: bool,
    /// The longest token that is read, in bytes.
    pub limit: usize,
}

/// Why a token was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum JwtError {
    #[error(transparent)]
    Jws(#[from] JwsError),
    #[error("the token's typ is not the expected one")]
    Typ,
    #[error("the token's payload is not a JSON object without repeated members")]
    Payload,
    #[error("the token's `{0}` is missing or has a wrong type")]
    Claim(&'static str),
    #[error("the token's iss is not the expected one")]
    Issuer,
    #[error("the token's aud is not the expected one")]
    Audience,
    #[error("the token has expired")]
    Expired,
    #[error("the token is not valid yet")]
    NotYet,
}

/// Reads the claims of `token` without believing them: to learn whom to ask for the key.
pub fn peek(token: &str, limit: usize) -> Result<(Header, Map<String, Value>), JwtError> {
    let jws = UnverifiedJws::parse(token, limit)?;
    let claims = json::parse_object(&jws.payload).map_err(|_| JwtError::Payload)?;
    Ok((jws.header, claims))
}

/// Verifies `token` in the order cheap checks first, signature last, and returns its claims.
pub fn verify(
    token: &str,
    keys: &impl Keys,
    expected: &Expected<'_>,
) -> Result<Map<String, Value>, JwtError> {
    let jws = UnverifiedJws::parse(token, expected.limit)?;
    let alg = jws.checked_algorithm(expected.algorithms)?;
    let claims = expected_claims(&jws, expected)?;
    keys.check(&jws, alg)?;
    Ok(claims)
}

/// The same for what a client signs with its secret (OIDC Core 10.1): `client_secret_jwt`, request objects.
pub fn verify_with_secret(
    token: &str,
    secret: &ClientSecret,
    expected: &Expected<'_, MacAlgorithm>,
) -> Result<Map<String, Value>, JwtError> {
    let jws = UnverifiedJws::parse(token, expected.limit)?;
    let alg = jws.checked_mac(expected.algorithms)?;
    let claims = expected_claims(&jws, expected)?;
    if secret.verify(alg, jws.signing_input(), jws.signature()) {
        Ok(claims)
    } else {
        Err(JwsError::Signature.into())
    }
}

/// Everything but the signature.
fn expected_claims<A>(
    jws: &UnverifiedJws<'_>,
    expected: &Expected<'_, A>,
) -> Result<Map<String, Value>, JwtError> {
    check_typ(&jws.header, expected.typ)?;
    let claims = json::parse_object(&jws.payload).map_err(|_| JwtError::Payload)?;
    if claims
        .get("iss")
        .and_then(Value::as_str)
        .ok_or(JwtError::Claim("iss"))?
        != expected.issuer
    {
        return Err(JwtError::Issuer);
    }
    check_audience(claims.get("aud"), expected.audience)?;
    check_times(&claims, expected)?;
    Ok(claims)
}

fn check_typ(header: &Header, expected: Typ<'_>) -> Result<(), JwtError> {
    let fits = match expected {
        Typ::Is(one) => header.is_typ(one),
        Typ::AbsentOr(several) => header.typ.is_none() || several.iter().any(|t| header.is_typ(t)),
    };
    if fits { Ok(()) } else { Err(JwtError::Typ) }
}

fn check_audience(aud: Option<&Value>, expected: Audience<'_>) -> Result<(), JwtError> {
    let aud = aud.ok_or(JwtError::Claim("aud"))?;
    let values: Vec<&str> = match aud {
        Value::String(one) => vec![one],
        Value::Array(many) => many
            .iter()
            .map(Value::as_str)
            .collect::<Option<_>>()
            .ok_or(JwtError::Claim("aud"))?,
        _ => return Err(JwtError::Claim("aud")),
    };
    let fits = match expected {
        Audience::Contains(ours) => values.iter().any(|v| ours.contains(v)),
        Audience::Only(ours) => matches!(values.as_slice(), [one] if ours.contains(one)),
        Audience::String(ours) => aud.as_str() == Some(ours),
    };
    if fits {
        Ok(())
    } else {
        Err(JwtError::Audience)
    }
}

fn check_times<A>(claims: &Map<String, Value>, expected: &Expected<'_, A>) -> Result<(), JwtError> {
    let exp = time(claims, "exp")?.ok_or(JwtError::Claim("exp"))?;
    if !expected.accept_expired && exp.plus(expected.leeway) <= expected.now {
        return Err(JwtError::Expired);
    }
    for name in ["nbf", "iat"] {
        if time(claims, name)?.is_some_and(|t| t > expected.now.plus(expected.leeway)) {
            return Err(JwtError::NotYet);
        }
    }
    Ok(())
}

/// A `NumericDate` claim; fractions are cut off (RFC 7519 §2 permits them).
pub fn time(claims: &Map<String, Value>, name: &'static str) -> Result<Option<UnixTime>, JwtError> {
    match claims.get(name) {
        None => Ok(None),
        Some(Value::Number(n)) => {
            #[expect(
                clippy::cast_possible_truncation,
                reason = "float to integer casts saturate"
            )]
            let seconds = n
                .as_i64()
                .or_else(|| n.as_f64().map(|f| f as i64))
                .ok_or(JwtError::Claim(name))?;
            Ok(Some(UnixTime(seconds)))
        }
        Some(_) => Err(JwtError::Claim(name)),
    }
}

/// `aud` where it names one reader alone, as a string or as an array of one.
pub fn sole_audience(claims: &Map<String, Value>) -> Option<&str> {
    match claims.get("aud")? {
        Value::String(audience) => Some(audience),
        Value::Array(audiences) => match &audiences[..] {
            [audience] => audience.as_str(),
            _ => None,
        },
        _ => None,
    }
}

/// A claim that must be text.
pub fn text<'c>(claims: &'c Map<String, Value>, name: &'static str) -> Result<&'c str, JwtError> {
    claims
        .get(name)
        .and_then(Value::as_str)
        .ok_or(JwtError::Claim(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_client_secret_verifies_only_what_is_expected() {
        let secret = ClientSecret::new("0123456789abcdef0123456789abcdef".to_owned());
        let expected = Expected {
            issuer: "client",
            audience: Audience::Contains(&["https://id.example"]),
            typ: Typ::AbsentOr(&["JWT"]),
            algorithms: &[MacAlgorithm::HS256],
            now: UnixTime(1000),
            leeway: 0,
            accept_expired: false,
            limit: 4096,
        };
        let claims = serde_json::json!({"iss": "client", "aud": "https://id.example", "exp": 1060});
        let signed = |claims: &Value| {
            secret
                .sign(
                    MacAlgorithm::HS256,
                    Map::new(),
                    claims.to_string().as_bytes(),
                )
                .unwrap()
        };
        let token = signed(&claims);
        let verified = verify_with_secret(&token, &secret, &expected).unwrap();
        assert_eq!(Value::Object(verified), claims);
        let other = ClientSecret::new("0123456789abcdef0123456789abcdeg".to_owned());
        let stronger = Expected {
            algorithms: &[MacAlgorithm::HS384, MacAlgorithm::HS512],
            ..expected
        };
        let later = Expected {
            now: UnixTime(1060),
            ..expected
        };
        for (secret, expected, error) in [
            (&other, &expected, JwsError::Signature.into()),
            (&secret, &stronger, JwsError::Algorithm.into()),
            (&secret, &later, JwtError::Expired),
        ] {
            assert_eq!(verify_with_secret(&token, secret, expected), Err(error));
        }
        // The other door does not know the algorithm, whatever key is offered.
        let asymmetric = Expected {
            algorithms: &Algorithm::ALL[..],
            issuer: "client",
            audience: expected.audience,
            typ: expected.typ,
            now: expected.now,
            leeway: 0,
            accept_expired: false,
            limit: 4096,
        };
        let anything = |_: &str, _: Algorithm, _: &[u8], _: &[u8]| true;
        assert_eq!(
            verify(&token, &anything, &asymmetric),
            Err(JwsError::Algorithm.into())
        );
    }
}
