//! A relying party's protocol keys: in its metadata, or behind a URL in it (OpenID Federation 1.0 §5.2.1).

use serde_json::{Map, Value};

use crate::clock::UnixTime;
use crate::federation::chain::TrustChain;
use crate::federation::resolve::{Document, Fetch};
use crate::federation::statement::Rules;
use crate::jose::{JwkSet, UnverifiedJws, json, jwt};
use crate::oauth::Algorithm;

/// Seconds between two looks at a client's keys because of an unknown `kid`.
pub(super) const MOST_OFTEN: i64 = 60;
/// Seconds for which keys behind a URL are taken as they were.
const AGE: i64 = 600;

#[derive(Debug, Clone, PartialEq)]
pub(super) enum Source {
    Embedded(Value),
    Url(String),
    Signed(String),
}

impl Source {
    /// The order of preference that the specification suggests: signed, embedded, by URL.
    pub(super) fn of(members: &Map<String, Value>) -> Result<Self, String> {
        let url = |name: &str| match members.get(name) {
            None => Ok(None),
            Some(Value::String(url)) => Ok(Some(url.clone())),
            Some(_) => Err(format!("{name} is not a string")),
        };
        if let Some(url) = url("signed_jwks_uri")? {
            return Ok(Self::Signed(url));
        }
        if let Some(jwks) = members.get("jwks") {
            return Ok(Self::Embedded(jwks.clone()));
        }
        match url("jwks_uri")? {
            Some(url) => Ok(Self::Url(url)),
            None => {
                Err("the client publishes no keys (jwks, jwks_uri or signed_jwks_uri)".to_owned())
            }
        }
    }

    pub(super) fn stale(&self, loaded_at: UnixTime, now: UnixTime) -> bool {
        !matches!(self, Self::Embedded(_)) && now.since(loaded_at) >= AGE
    }

    pub(super) async fn load(
        &self,
        chain: &TrustChain,
        rules: &Rules,
        fetch: &dyn Fetch,
    ) -> Result<JwkSet, String> {
        let keys = match self {
            Self::Embedded(jwks) => {
                JwkSet::parse_lenient(jwks).map_err(|e| format!("jwks: {e}"))?
            }
            Self::Url(url) => {
                let text = fetch
                    .fetch(&Document::Jwks { url: url.clone() })
                    .await
                    .map_err(|e| format!("jwks_uri: {e}"))?;
                let jwks = json::parse(text.as_bytes()).map_err(|e| format!("jwks_uri: {e}"))?;
                JwkSet::parse_lenient(&jwks).map_err(|e| format!("jwks_uri: {e}"))?
            }
            Self::Signed(url) => {
                let token = fetch
                    .fetch(&Document::SignedJwks { url: url.clone() })
                    .await
                    .map_err(|e| format!("signed_jwks_uri: {e}"))?;
                read_signed(token.trim_ascii(), chain, rules)
                    .map_err(|e| format!("signed_jwks_uri: {e}"))?
            }
        };
        if keys.is_empty() {
            return Err("the client's key set holds no usable key".to_owned());
        }
        Ok(keys)
    }
}

/// §5.2.1.1: signed by a federation key that the superior vouches for.
fn read_signed(token: &str, chain: &TrustChain, rules: &Rules) -> Result<JwkSet, String> {
    let text = |e: &dyn std::fmt::Display| e.to_string();
    let jws = UnverifiedJws::parse(token, rules.max_bytes).map_err(|e| text(&e))?;
    if !jws.header.is_typ("jwk-set+jwt") {
        return Err("the typ header is not jwk-set+jwt".to_owned());
    }
    let key = jws
        .header
        .kid
        .as_deref()
        .and_then(|kid| chain.keys().find(kid))
        .ok_or("it is not signed by a federation key of the client")?;
    jws.verify(key, &Algorithm::FEDERATION)
        .map_err(|e| text(&e))?;
    let claims = json::parse_object(&jws.payload).map_err(|e| text(&e))?;
    for name in ["iss", "sub"] {
        if jwt::text(&claims, name).map_err(|e| text(&e))? != chain.subject().as_str() {
            return Err(format!("its {name} is not the client"));
        }
    }
    JwkSet::parse_lenient(&Value::Object(claims)).map_err(|e| text(&e))
}
