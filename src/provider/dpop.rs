//! Demonstrating proof of possession (RFC 9449): what a `DPoP` header must say so that its sender counts as the holder of
//! a key. What is bound to the key is known to `confirmation`; the header is read in `web::oidc`.

use serde_json::{Map, Value};
use url::Url;

use super::one_use::OneUse;
use crate::clock::UnixTime;
use crate::crypto::{Sealer, constant_time_eq, thumb};
use crate::jose::{JwsError, JwtError, embedded, jwt};
use crate::oauth::{Algorithm, Error, ErrorCode};

/// Under which proofs are signed; the same for all profiles (FAPI 2.0 §5.4.1).
pub const ALGORITHMS: [Algorithm; 3] = Algorithm::FAPI;
/// Seconds that a proof is good for.
const LIFETIME: i64 = 60;
/// Seconds by which the sender's clock may be ahead: 10 must be accepted, over 60 must not (FAPI 2.0 §5.3.2.1).
const AHEAD: i64 = 30;
/// Seconds that a nonce of ours is good for.
const NONCE_LIFETIME: i64 = 300;
const LIMIT: usize = 8 * 1024;
const NONCE: &str = "dpop nonce";

/// A key that its sender holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Proof {
    /// RFC 7638 thumbprint.
    pub jkt: String,
    /// To be marked before anything is given for the proof.
    pub one_use: OneUse,
}

/// What the proof must be about.
#[derive(Clone, Copy, Debug)]
pub struct Expected<'a> {
    pub method: &'a str,
    /// The names of the endpoint that was asked.
    pub urls: &'a [String],
    /// The access token that comes with it, at a resource.
    pub access_token: Option<&'a str>,
    pub nonces: Nonces<'a>,
    pub now: UnixTime,
}

/// Nonces of ours (§8, §9). Nothing is stored: a nonce is a sealed nothing that ends.
#[derive(Clone, Copy, Debug)]
pub struct Nonces<'a> {
    pub sealer: &'a dyn Sealer,
    /// Without demand, what stands in `nonce` is not looked at.
    pub demanded: bool,
}

impl Nonces<'_> {
    /// A new one, for the header `DPoP-Nonce`.
    pub fn issue(&self, now: UnixTime) -> String {
        self.sealer.seal(NONCE, "", now.plus(NONCE_LIFETIME), b"")
    }

    fn is_ours(&self, nonce: &str, now: UnixTime) -> bool {
        self.sealer.open(NONCE, "", now, nonce).is_some()
    }
}

/// Reads the value of a `DPoP` header; the steps are those of §4.3.
pub fn verify(proof: &str, expected: &Expected<'_>) -> Result<Proof, Error> {
    let invalid = |text: &'static str| Error::new(ErrorCode::InvalidDpopProof, text);
    // 2 to 7: form, typ, alg, signature with the public key inside.
    let (key, claims) = embedded::verify(proof, "dpop+jwt", &ALGORITHMS, LIMIT).map_err(|e| {
        invalid(match e {
            JwtError::Typ => "typ of the DPoP proof is not dpop+jwt",
            JwtError::Payload => "the DPoP proof holds no JSON object without repeated members",
            JwtError::Jws(JwsError::Algorithm) => {
                "the DPoP proof is not signed with an allowed algorithm"
            }
            JwtError::Jws(JwsError::NoKey) => {
                "jwk of the DPoP proof is not a public key that fits its alg"
            }
            JwtError::Jws(JwsError::Signature) => "the signature of the DPoP proof does not verify",
            _ => "the DPoP proof is not a signed JWT",
        })
    })?;
    let text = |name: &'static str| jwt::text(&claims, name).ok();
    let jti = text("jti")
        .filter(|jti| !jti.is_empty() && jti.len() <= 512)
        .ok_or_else(|| invalid("jti of the DPoP proof is missing or too long"))?;
    // 8 and 9.
    if text("htm") != Some(expected.method) {
        return Err(invalid(
            "htm of the DPoP proof is not the method of the request",
        ));
    }
    let htu = text("htu").and_then(normalised);
    if htu.is_none() || !expected.urls.iter().any(|url| normalised(url) == htu) {
        return Err(invalid(
            "htu of the DPoP proof is not the URL of the request",
        ));
    }
    // 10 and 11: by a nonce of ours, or by the sender's clock.
    check_time(&claims, expected)?;
    // 12.
    if let Some(token) = expected.access_token
        && !text("ath")
            .is_some_and(|ath| constant_time_eq(ath.as_bytes(), thumb(token.as_bytes()).as_bytes()))
    {
        return Err(invalid(
            "ath of the DPoP proof is not the hash of the access token",
        ));
    }
    Ok(Proof {
        jkt: key.thumbprint().to_owned(),
        // Longer than any proof that is read now can be good for.
        one_use: OneUse::of(
            "dpop proof",
            key.thumbprint(),
            jti,
            expected.now.plus(NONCE_LIFETIME),
        ),
    })
}

fn check_time(claims: &Map<String, Value>, expected: &Expected<'_>) -> Result<(), Error> {
    let invalid = |text: &'static str| Error::new(ErrorCode::InvalidDpopProof, text);
    let now = expected.now;
    let iat = jwt::time(claims, "iat")
        .ok()
        .flatten()
        .ok_or_else(|| invalid("iat of the DPoP proof is missing"))?;
    if !expected.nonces.demanded {
        return if now.since(iat) > LIFETIME {
            Err(invalid("the DPoP proof is too old (iat)"))
        } else if iat.since(now) > AHEAD {
            Err(invalid("the DPoP proof is from the future (iat)"))
        } else {
            Ok(())
        };
    }
    let nonce = jwt::text(claims, "nonce").unwrap_or_default();
    if expected.nonces.is_ours(nonce, now) {
        Ok(())
    } else {
        Err(Error::new(
            ErrorCode::UseDpopNonce,
            "the DPoP proof needs the nonce of the header DPoP-Nonce",
        ))
    }
}

/// Without query and fragment, in the form that RFC 3986 §6.2.2 and §6.2.3 give: host and scheme in lower case, no default
/// port, no escape where none is needed.
fn normalised(url: &str) -> Option<String> {
    let mut url = Url::parse(url).ok()?;
    url.set_query(None);
    url.set_fragment(None);
    let mut out = String::new();
    let mut rest = url.as_str();
    while let Some((before, after)) = rest.split_once('%') {
        out.push_str(before);
        let byte = after
            .get(..2)
            .and_then(|hex| u8::from_str_radix(hex, 16).ok());
        match byte.map(char::from) {
            Some(c) if c.is_ascii_alphanumeric() || matches!(c, '-' | '.' | '_' | '~') => {
                out.push(c);
                rest = &after[2..];
            }
            Some(_) => {
                out.push('%');
                out.push_str(&after[..2].to_ascii_uppercase());
                rest = &after[2..];
            }
            None => {
                out.push('%');
                rest = after;
            }
        }
    }
    out.push_str(rest);
    Some(out)
}

#[cfg(test)]
mod tests;
