//! The stranger's own reading of signed things: OpenID Federation 1.0 statements and OpenID Connect tokens, straight from the
//! specifications, sharing nothing with hefu but the JOSE library.

use std::time::{SystemTime, UNIX_EPOCH};

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use jsonwebtoken::{DecodingKey, Validation, jwk::Jwk};
use serde_json::Value;

use crate::visitor::Visitor;

/// A statement whose signature, type and times have been checked.
#[derive(Clone, Debug)]
pub struct Statement {
    pub header: Value,
    pub claims: Value,
}

/// Header and payload of a compact JWS, nothing checked.
pub fn peek(token: &str) -> Statement {
    let parts: Vec<&str> = token.trim().split('.').collect();
    assert_eq!(parts.len(), 3, "not a compact JWS: {token}");
    let read = |part: &str| {
        let bytes = URL_SAFE_NO_PAD
            .decode(part)
            .expect("base64url without padding");
        serde_json::from_slice(&bytes).expect("a JSON object")
    };
    Statement {
        header: read(parts[0]),
        claims: read(parts[1]),
    }
}

/// Checks a compact JWS against a JWK Set: the key is chosen by `kid`, exactly one; the algorithm must be the key's own.
pub fn verify(token: &str, jwks: &Value) -> Statement {
    let seen = peek(token);
    let kid = seen.header["kid"].as_str().expect("a kid");
    let keys = jwks["keys"].as_array().expect("keys");
    let matching: Vec<&Value> = keys.iter().filter(|k| k["kid"] == kid).collect();
    assert_eq!(
        matching.len(),
        1,
        "kid {kid} is not exactly one of {keys:?}"
    );
    assert!(matching[0].get("d").is_none(), "a private key is published");
    let jwk: Jwk = serde_json::from_value(matching[0].clone()).expect("a JWK");
    let alg = seen.header["alg"].as_str().expect("an alg");
    assert!(
        ["RS256", "ES256", "EdDSA", "PS256"].contains(&alg),
        "unexpected alg {alg}"
    );
    if let Some(own) = matching[0]["alg"].as_str() {
        assert_eq!(own, alg, "the key is for another algorithm");
    }
    let mut rules = Validation::new(alg.parse().expect("a known algorithm"));
    rules.validate_aud = false; // by the caller, who knows whom it is for
    rules.validate_exp = false; // below, without leeway
    rules.required_spec_claims.clear();
    jsonwebtoken::decode::<Value>(
        token.trim(),
        &DecodingKey::from_jwk(&jwk).expect("a usable key"),
        &rules,
    )
    .unwrap_or_else(|e| panic!("the signature does not fit: {e}\n{seen:?}"));
    seen
}

pub fn now() -> i64 {
    let since = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .expect("a clock after 1970");
    i64::try_from(since.as_secs()).expect("a clock before the end of time")
}

/// Federation 1.0 §3: an entity statement about `sub`, said by `iss`, signed with one of `jwks`.
fn entity_statement(token: &str, iss: &str, sub: &str, jwks: &Value) -> Statement {
    let statement = verify(token, jwks);
    assert_eq!(statement.header["typ"], "entity-statement+jwt");
    let claims = &statement.claims;
    assert_eq!(claims["iss"], iss);
    assert_eq!(claims["sub"], sub);
    let (iat, exp) = (
        claims["iat"].as_i64().expect("iat"),
        claims["exp"].as_i64().expect("exp"),
    );
    assert!(
        iat <= now() + 5 && now() < exp,
        "not valid now: iat {iat}, exp {exp}"
    );
    assert!(
        claims
            .get("crit")
            .is_none_or(|c| c.as_array().is_some_and(Vec::is_empty)),
        "critical claims nobody told us of"
    );
    statement
}

/// Fetches and checks the entity configuration of `id` (§9): self-signed, with its own keys.
pub async fn entity_configuration(visitor: &Visitor, id: &str) -> Statement {
    let answer = visitor
        .get(&format!(
            "{}/.well-known/openid-federation",
            id.trim_end_matches('/')
        ))
        .await;
    assert_eq!(answer.status, 200, "{}: {}", answer.url, answer.body);
    assert_eq!(
        answer.header("content-type"),
        "application/entity-statement+jwt"
    );
    let jwks = peek(&answer.body).claims["jwks"].clone();
    entity_statement(&answer.body, id, id, &jwks)
}

/// Asks `superior` for its statement about `sub` (§8.1), and checks it against the superior's own published keys.
pub async fn subordinate_statement(
    visitor: &Visitor,
    superior: &Statement,
    sub: &str,
) -> Statement {
    let endpoint = superior.claims["metadata"]["federation_entity"]["federation_fetch_endpoint"]
        .as_str()
        .expect("a fetch endpoint");
    let mut url: url::Url = endpoint.parse().expect("a URL");
    url.query_pairs_mut().append_pair("sub", sub);
    let answer = visitor.get(url.as_str()).await;
    assert_eq!(answer.status, 200, "{}: {}", answer.url, answer.body);
    assert_eq!(
        answer.header("content-type"),
        "application/entity-statement+jwt"
    );
    let iss = superior.claims["iss"].as_str().expect("an issuer");
    entity_statement(&answer.body, iss, sub, &superior.claims["jwks"])
}

/// A chain from an entity to the anchor, each hop checked.
#[derive(Debug)]
pub struct Chain {
    pub leaf: Statement,
    /// The superiors' statements, the nearest first.
    pub hops: Vec<Statement>,
}

/// Walks up from `id` by the first authority hint that leads to the anchor (§10.1), checking each hop (§10.2).
pub async fn chain(visitor: &Visitor, id: &str, anchor: &str) -> Chain {
    let leaf = entity_configuration(visitor, id).await;
    let mut hops = Vec::new();
    let mut below = leaf.clone();
    for _ in 0..10 {
        let sub = below.claims["sub"].as_str().expect("sub").to_owned();
        if sub == anchor {
            return Chain { leaf, hops };
        }
        let hint = below.claims["authority_hints"][0]
            .as_str()
            .unwrap_or_else(|| panic!("{sub} names no superior"));
        let superior = entity_configuration(visitor, hint).await;
        let statement = subordinate_statement(visitor, &superior, &sub).await;
        // §10.2: what the subordinate signs with must be among the keys that its superior vouches for.
        let kid = &below.header["kid"];
        let vouched = statement.claims["jwks"]["keys"].as_array().expect("keys");
        assert!(
            vouched.iter().any(|k| k["kid"] == *kid),
            "{hint} does not vouch for the key {kid} of {sub}"
        );
        hops.push(statement);
        below = superior;
    }
    panic!("no end above {id}");
}
