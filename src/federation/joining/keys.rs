//! A subordinate asks its superior for other federation keys (§12's "authenticated way"): a JWT that an old key, one that the superior
//! vouches for, signs over the new set, while the host serves the same set. What an entity configuration shows by itself changes
//! nothing, and after a compromise an old key proves nothing: then it enrols anew, out of band.

use serde_json::{Map, Value};

use super::standing::Standing;
use crate::clock::UnixTime;
use crate::federation::entity::EntityId;
use crate::federation::statement::{EntityStatement, Rules};
use crate::jose::JwkSet;
use crate::jose::jwt::{self, Audience, Expected, Typ};
use crate::oauth::Algorithm;

/// `typ` of a request for other keys.
pub const TYP: &str = "federation-key-change+jwt";
/// Seconds that such a request lives.
pub const LIFETIME: i64 = 600;
/// The longest that is read, in bytes.
pub const LIMIT: usize = 64 * 1024;

/// Why the keys stay as they are.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    #[error("the request is no key change of this kind: {0}")]
    Form(String),
    #[error("{0} is not a subordinate here")]
    NotSubordinate(EntityId),
    #[error(
        "the keys of {0} were in other hands: an old key proves nothing; enrol anew, out of band"
    )]
    Compromised(EntityId),
    #[error("the request is not signed with a key that this superior vouches for: {0}")]
    Proof(String),
    #[error("jwks: {0}")]
    Keys(String),
    #[error("these are the keys that this superior vouches for already")]
    Same,
    #[error("the host does not serve these keys: {0}")]
    NotServed(String),
}

/// What the subordinate signs.
pub fn claims(
    id: &EntityId,
    superior: &EntityId,
    jwks: &Value,
    jti: &str,
    now: UnixTime,
) -> Map<String, Value> {
    let mut claims = Map::new();
    for (name, value) in [
        ("iss", Value::from(id.as_str())),
        ("sub", id.as_str().into()),
        ("aud", superior.as_str().into()),
        ("jti", jti.into()),
        ("iat", now.0.into()),
        ("exp", now.plus(LIFETIME).0.into()),
        ("jwks", jwks.clone()),
    ] {
        claims.insert(name.to_owned(), value);
    }
    claims
}

/// Whose keys `token` says that it changes; believed after `verify`.
pub fn subject(token: &str, rules: &Rules) -> Result<EntityId, Refused> {
    let form = |e: &dyn std::fmt::Display| Refused::Form(e.to_string());
    let (_, claims) = jwt::peek(token, LIMIT).map_err(|e| form(&e))?;
    let text = jwt::text(&claims, "sub").map_err(|e| form(&e))?;
    EntityId::parse(text, rules.schemes).map_err(|e| form(&e))
}

/// The new keys, when a key of `vouched` signed for them and the subordinate stands so that this proves something.
pub fn verify(
    token: &str,
    subject: &EntityId,
    superior: &EntityId,
    vouched: &Value,
    standing: &Standing,
    now: UnixTime,
) -> Result<JwkSet, Refused> {
    if standing.compromised_at.is_some() {
        return Err(Refused::Compromised(subject.clone()));
    }
    let vouched = JwkSet::parse_strict(vouched).map_err(|e| Refused::Keys(e.to_string()))?;
    let expected = Expected {
        issuer: subject.as_str(),
        audience: Audience::Only(&[superior.as_str()]),
        typ: Typ::Is(TYP),
        algorithms: &Algorithm::FEDERATION,
        now,
        leeway: 60,
        accept_expired: false,
        limit: LIMIT,
    };
    let claims =
        jwt::verify(token, &vouched, &expected).map_err(|e| Refused::Proof(e.to_string()))?;
    let jwks = claims.get("jwks").unwrap_or(&Value::Null);
    let jwks = JwkSet::parse_strict(jwks).map_err(|e| Refused::Keys(e.to_string()))?;
    if same(&jwks, &vouched) {
        return Err(Refused::Same);
    }
    Ok(jwks)
}

/// Whether the entity configuration that the host serves, `token`, shows exactly these keys, signed with one of them: whoever has the
/// new keys has the host too.
pub fn served(
    token: &str,
    subject: &EntityId,
    jwks: &JwkSet,
    rules: &Rules,
    now: UnixTime,
) -> Result<EntityStatement, Refused> {
    let refuse = |e: &dyn std::fmt::Display| Refused::NotServed(e.to_string());
    let statement = EntityStatement::parse(token, rules, now).map_err(|e| refuse(&e))?;
    if statement.sub != *subject || statement.iss != *subject {
        return Err(refuse(&"its entity configuration is another entity's"));
    }
    statement.verify(jwks).map_err(|e| refuse(&e))?;
    if same(&statement.jwks, jwks) {
        Ok(statement)
    } else {
        Err(refuse(&"its entity configuration shows others"))
    }
}

/// The same keys under the same names, in any order.
pub fn same(a: &JwkSet, b: &JwkSet) -> bool {
    let names = |set: &JwkSet| {
        let mut names: Vec<_> = set
            .iter()
            .map(|key| (key.kid.clone(), key.thumbprint().to_owned()))
            .collect();
        names.sort();
        names
    };
    names(a) == names(b)
}
