//! Entity statements (OpenID Federation 1.0 §3): read, checked in the order of §3.2, and made.
//!
//! A statement alone proves nothing: whose key must have signed it is `chain`'s knowledge. Fetching is `resolve`'s.

use std::fmt;
use std::sync::Arc;

use serde_json::{Map, Value};

use crate::clock::UnixTime;
use crate::crypto::{Purpose, SignError, Signer};
pub use crate::federation::check::{Failure, Step};
use crate::federation::constraints::Constraints;
use crate::federation::entity::{EntityId, Schemes};
use crate::federation::policy::{self, MetadataPolicy};
use crate::jose::{JwkSet, JwsError, UnverifiedJws, json, jwt};
use crate::oauth::Algorithm;

/// `typ` of entity configurations and subordinate statements (§15).
pub const TYP: &str = "entity-statement+jwt";

/// What a deployment accepts in statements, whoever made them.
#[derive(Debug, Clone, Copy)]
pub struct Rules {
    pub schemes: Schemes,
    /// Seconds by which clocks may differ.
    pub leeway: i64,
    /// The longest statement that is read, in bytes.
    pub max_bytes: usize,
    /// The most statements in one chain, the anchor's configuration included.
    pub max_statements: usize,
}

impl Default for Rules {
    fn default() -> Self {
        Self {
            schemes: Schemes::HttpsOnly,
            leeway: 60,
            max_bytes: 512 * 1024,
            max_statements: 11,
        }
    }
}

/// A statement whose form, times and claims are right, but whose signature is believed only after `verify`.
#[derive(Clone)]
pub struct EntityStatement {
    pub iss: EntityId,
    pub sub: EntityId,
    pub iat: UnixTime,
    pub exp: UnixTime,
    /// The subject's federation keys.
    pub jwks: JwkSet,
    /// Entity type → metadata object; empty when the claim is absent.
    pub metadata: Map<String, Value>,
    pub kind: Kind,
    pub kid: String,
    pub alg: Algorithm,
    jwt: Arc<str>,
    input: usize,
    signature: Vec<u8>,
}

/// What only one kind of statement may say.
#[derive(Debug, Clone)]
pub enum Kind {
    /// `iss` = `sub`.
    Configuration(Configuration),
    /// A superior about its immediate subordinate.
    Subordinate(Subordinate),
}

#[derive(Debug, Clone, Default)]
pub struct Configuration {
    pub authority_hints: Vec<EntityId>,
    pub trust_anchor_hints: Vec<EntityId>,
    pub trust_marks: Vec<TrustMarkEntry>,
    /// Trust mark type → issuers; an empty list means anyone. Counts only in an anchor's configuration.
    pub trust_mark_issuers: Map<String, Value>,
    /// Trust mark type → `{sub, jwks}`. Counts only in an anchor's configuration.
    pub trust_mark_owners: Map<String, Value>,
}

#[derive(Debug, Clone, Default)]
pub struct Subordinate {
    pub constraints: Constraints,
    pub policy: MetadataPolicy,
    /// Names of operators that must be understood.
    pub critical_operators: Vec<String>,
    /// Only a hint where a refresh may be fetched; `resolve` asks the superior's own endpoint.
    pub source_endpoint: Option<String>,
}

/// One member of `trust_marks`; the mark itself is checked by `trust_mark`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TrustMarkEntry {
    pub trust_mark_type: String,
    pub trust_mark: String,
}

impl EntityStatement {
    /// Reads a statement, asking everything of §3.2 that one statement alone can answer.
    pub fn parse(token: &str, rules: &Rules, now: UnixTime) -> Result<Self, Failure> {
        let fail = |step, reason: &str| Err(Failure::new(step, reason));
        let jws = UnverifiedJws::parse(token, rules.max_bytes)
            .map_err(|e| Failure::new(Step::Form, e))?;
        if !jws.header.is_typ(TYP) {
            return fail(Step::Typ, "the typ header is not entity-statement+jwt");
        }
        // §4.3, §4.4: these belong to request objects and registration requests. The others would name a key of the
        // sender's choice (RFC 7515 §4.1.2 ff.); refused rather than ignored.
        for name in ["trust_chain", "peer_trust_chain", "jku", "jwk", "x5u"] {
            if jws.header.members.contains_key(name) {
                return fail(Step::Header, &format!("the header must not carry {name}"));
            }
        }
        let alg = match jws.checked_algorithm(&Algorithm::FEDERATION) {
            Ok(alg) => alg,
            Err(e @ JwsError::Critical) => return Err(Failure::new(Step::Header, e)),
            Err(e) => return Err(Failure::new(Step::Algorithm, e)),
        };
        let kid = match jws.header.kid.as_deref() {
            Some(kid) if !kid.is_empty() => kid.to_owned(),
            _ => return fail(Step::Kid, "the header has no kid"),
        };
        let claims =
            json::parse_object(&jws.payload).map_err(|e| Failure::new(Step::Payload, e))?;

        let identifier = |step, name: &'static str| {
            let text = jwt::text(&claims, name).map_err(|e| Failure::new(step, e))?;
            EntityId::parse(text, rules.schemes).map_err(|e| Failure::new(step, e))
        };
        let sub = identifier(Step::Subject, "sub")?;
        let iss = identifier(Step::Issuer, "iss")?;

        let time = |step, name: &'static str| match jwt::time(&claims, name) {
            Ok(Some(time)) => Ok(time),
            Ok(None) => Err(Failure::new(step, format_args!("{name} is missing"))),
            Err(e) => Err(Failure::new(step, e)),
        };
        let iat = time(Step::IssuedAt, "iat")?;
        if iat > now.plus(rules.leeway) {
            return Err(Failure::new(
                Step::IssuedAt,
                format_args!("issued in the future, at {}", iat.to_rfc3339()),
            ));
        }
        let exp = time(Step::Expiry, "exp")?;
        check_expiry(exp, rules, now)?;

        let jwks = claims
            .get("jwks")
            .ok_or_else(|| Failure::new(Step::Keys, "jwks is missing"))
            .and_then(|jwks| JwkSet::parse_strict(jwks).map_err(|e| Failure::new(Step::Keys, e)))?;
        check_crit(&claims)?;
        let metadata = parse_metadata(&claims)?;
        let kind = if iss == sub {
            Kind::Configuration(Configuration::parse(&claims, rules.schemes)?)
        } else {
            Kind::Subordinate(Subordinate::parse(&claims)?)
        };

        Ok(Self {
            iss,
            sub,
            iat,
            exp,
            jwks,
            metadata,
            kind,
            kid,
            alg,
            input: jws.signing_input().len(),
            signature: jws.signature().to_vec(),
            jwt: token.into(),
        })
    }

    /// Whether `keys`, those of the issuer, hold the key that is named, and it made the signature.
    pub fn verify(&self, keys: &JwkSet) -> Result<(), Failure> {
        // §3.2: by exact `kid`, never "try all keys".
        let key = keys
            .find(&self.kid)
            .filter(|key| key.verifies(self.alg))
            .ok_or_else(|| {
                Failure::new(
                    Step::Key,
                    format_args!("{} has no {} key {:?}", self.iss, self.alg, self.kid),
                )
            })?;
        if key.verify(
            self.alg,
            &self.jwt.as_bytes()[..self.input],
            &self.signature,
        ) {
            Ok(())
        } else {
            Err(Failure::new(
                Step::Signature,
                "the signature does not verify",
            ))
        }
    }

    pub fn check_expiry(&self, rules: &Rules, now: UnixTime) -> Result<(), Failure> {
        check_expiry(self.exp, rules, now)
    }

    pub fn configuration(&self) -> Option<&Configuration> {
        match &self.kind {
            Kind::Configuration(configuration) => Some(configuration),
            Kind::Subordinate(_) => None,
        }
    }

    pub fn subordinate(&self) -> Option<&Subordinate> {
        match &self.kind {
            Kind::Subordinate(subordinate) => Some(subordinate),
            Kind::Configuration(_) => None,
        }
    }

    /// A parameter of the entity's own `federation_entity` metadata, such as an endpoint. Endpoints are taken from here
    /// only, never from a superior or after policy (§8.1).
    pub fn federation_entity(&self, parameter: &str) -> Option<&str> {
        self.metadata
            .get(super::entity::FEDERATION_ENTITY)?
            .get(parameter)?
            .as_str()
    }

    /// The statement as it was received.
    pub fn jwt(&self) -> &str {
        &self.jwt
    }
}

impl fmt::Debug for EntityStatement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EntityStatement")
            .field("iss", &self.iss)
            .field("sub", &self.sub)
            .field("exp", &self.exp)
            .finish_non_exhaustive()
    }
}

/// Signs a statement. `claims` already hold everything, `iat` and `exp` included.
pub async fn sign(
    signer: &dyn Signer,
    alg: Algorithm,
    claims: &Map<String, Value>,
) -> Result<String, SignError> {
    sign_typed(signer, alg, TYP, claims).await
}

/// Signs any other federation object with its `typ` (§15).
pub async fn sign_typed(
    signer: &dyn Signer,
    alg: Algorithm,
    typ: &str,
    claims: &Map<String, Value>,
) -> Result<String, SignError> {
    let mut header = Map::new();
    header.insert("typ".into(), typ.into());
    let payload = Value::Object(claims.clone()).to_string();
    signer
        .sign(Purpose::Federation, alg, header, payload.as_bytes())
        .await
}

impl Configuration {
    fn parse(claims: &Map<String, Value>, schemes: Schemes) -> Result<Self, Failure> {
        forbid(
            claims,
            "an entity configuration",
            &[
                "constraints",
                "metadata_policy",
                "metadata_policy_crit",
                "source_endpoint",
                "aud",
                "trust_anchor",
            ],
        )?;
        let hints = |name: &'static str| -> Result<Vec<EntityId>, Failure> {
            let Some(value) = claims.get(name) else {
                return Ok(Vec::new());
            };
            let values = value
                .as_array()
                .filter(|values| !values.is_empty())
                .ok_or_else(|| malformed(name))?;
            values
                .iter()
                .map(|value| {
                    let text = value.as_str().ok_or_else(|| malformed(name))?;
                    EntityId::parse(text, schemes).map_err(|_| malformed(name))
                })
                .collect()
        };
        Ok(Self {
            authority_hints: hints("authority_hints")?,
            trust_anchor_hints: hints("trust_anchor_hints")?,
            trust_marks: parse_trust_marks(claims)?,
            trust_mark_issuers: parse_issuers(claims)?,
            trust_mark_owners: parse_owners(claims)?,
        })
    }
}

impl Subordinate {
    fn parse(claims: &Map<String, Value>) -> Result<Self, Failure> {
        forbid(
            claims,
            "a subordinate statement",
            &[
                "authority_hints",
                "trust_anchor_hints",
                "trust_marks",
                "trust_mark_issuers",
                "trust_mark_owners",
                "aud",
                "trust_anchor",
            ],
        )?;
        let claim = |name| claims.get(name);
        let constraints = claim("constraints")
            .map(Constraints::parse)
            .transpose()
            .map_err(|e| Failure::new(Step::Claims, e))?;
        // The policy's own contradictions are policy errors (§6.1.4.1), not matters of form.
        let policy = claim("metadata_policy")
            .map(MetadataPolicy::parse)
            .transpose()
            .map_err(|e| Failure::new(Step::Policy, e))?;
        let critical_operators = claim("metadata_policy_crit")
            .map(policy::critical_operators)
            .transpose()
            .map_err(|e| Failure::new(Step::Claims, e))?;
        let source_endpoint = match claim("source_endpoint") {
            None => None,
            Some(Value::String(url)) => Some(url.clone()),
            Some(_) => return Err(malformed("source_endpoint")),
        };
        Ok(Self {
            constraints: constraints.unwrap_or_default(),
            policy: policy.unwrap_or_default(),
            critical_operators: critical_operators.unwrap_or_default(),
            source_endpoint,
        })
    }
}

/// §3.1.1: entity type → object; no parameter is null.
fn parse_metadata(claims: &Map<String, Value>) -> Result<Map<String, Value>, Failure> {
    let metadata = match claims.get("metadata") {
        None => return Ok(Map::new()),
        Some(Value::Object(types)) => types,
        Some(_) => return Err(malformed("metadata")),
    };
    for (entity_type, members) in metadata {
        let members = members.as_object().ok_or_else(|| malformed("metadata"))?;
        if let Some((name, _)) = members.iter().find(|(_, value)| value.is_null()) {
            return Err(Failure::new(
                Step::Claims,
                format_args!("metadata.{entity_type}.{name} is null"),
            ));
        }
    }
    Ok(metadata.clone())
}

fn parse_trust_marks(claims: &Map<String, Value>) -> Result<Vec<TrustMarkEntry>, Failure> {
    let bad = || malformed("trust_marks");
    let Some(value) = claims.get("trust_marks") else {
        return Ok(Vec::new());
    };
    value
        .as_array()
        .ok_or_else(bad)?
        .iter()
        .map(|entry| {
            let text = |name| entry.get(name).and_then(Value::as_str).map(str::to_owned);
            Ok(TrustMarkEntry {
                trust_mark_type: text("trust_mark_type").ok_or_else(bad)?,
                trust_mark: text("trust_mark").ok_or_else(bad)?,
            })
        })
        .collect()
}

fn parse_issuers(claims: &Map<String, Value>) -> Result<Map<String, Value>, Failure> {
    let name = "trust_mark_issuers";
    match claims.get(name) {
        None => Ok(Map::new()),
        Some(Value::Object(types)) => {
            let all_text = |value: &Value| {
                value
                    .as_array()
                    .is_some_and(|issuers| issuers.iter().all(Value::is_string))
            };
            if types.values().all(all_text) {
                Ok(types.clone())
            } else {
                Err(malformed(name))
            }
        }
        Some(_) => Err(malformed(name)),
    }
}

fn parse_owners(claims: &Map<String, Value>) -> Result<Map<String, Value>, Failure> {
    let name = "trust_mark_owners";
    match claims.get(name) {
        None => Ok(Map::new()),
        Some(Value::Object(types)) => {
            let good = |owner: &Value| {
                owner.get("sub").is_some_and(Value::is_string)
                    && owner
                        .get("jwks")
                        .is_some_and(|jwks| JwkSet::parse_strict(jwks).is_ok())
            };
            if types.values().all(good) {
                Ok(types.clone())
            } else {
                Err(malformed(name))
            }
        }
        Some(_) => Err(malformed(name)),
    }
}

fn check_expiry(exp: UnixTime, rules: &Rules, now: UnixTime) -> Result<(), Failure> {
    if exp.plus(rules.leeway) > now {
        Ok(())
    } else {
        Err(Failure::new(
            Step::Expiry,
            format_args!("expired at {}", exp.to_rfc3339()),
        ))
    }
}

/// §3.1.1 `crit`: a non-empty array of claims that are present and not the specification's. hefu understands no
/// extension yet, so a well-formed `crit` is refused too, with another reason.
fn check_crit(claims: &Map<String, Value>) -> Result<(), Failure> {
    let fail = |reason: &str| Err(Failure::new(Step::Crit, reason));
    let Some(crit) = claims.get("crit") else {
        return Ok(());
    };
    let Some(names) = crit.as_array().filter(|names| !names.is_empty()) else {
        return fail("crit is not a non-empty array");
    };
    let names: Option<Vec<&str>> = names.iter().map(Value::as_str).collect();
    let Some(names) = names else {
        return fail("crit holds something that is not a string");
    };
    if let Some(name) = names.iter().find(|name| DEFINED.contains(name)) {
        return fail(&format!("crit names {name}, which needs no naming"));
    }
    if let Some(name) = names.iter().find(|name| !claims.contains_key(**name)) {
        return fail(&format!("crit names {name}, which is absent"));
    }
    fail(&format!(
        "the critical claims {} are not understood",
        names.join(", ")
    ))
}

/// The claims that §3.1 defines.
const DEFINED: [&str; 18] = [
    "iss",
    "sub",
    "iat",
    "exp",
    "jwks",
    "metadata",
    "crit",
    "authority_hints",
    "trust_anchor_hints",
    "trust_marks",
    "trust_mark_issuers",
    "trust_mark_owners",
    "constraints",
    "metadata_policy",
    "metadata_policy_crit",
    "source_endpoint",
    "aud",
    "trust_anchor",
];

fn forbid(claims: &Map<String, Value>, place: &str, names: &[&str]) -> Result<(), Failure> {
    match names.iter().find(|name| claims.contains_key(**name)) {
        None => Ok(()),
        Some(name) => Err(Failure::new(
            Step::Claims,
            format_args!("{name} does not belong in {place}"),
        )),
    }
}

fn malformed(name: &str) -> Failure {
    Failure::new(Step::Claims, format_args!("{name} is malformed"))
}
