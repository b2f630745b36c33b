//! One statement by itself: every check of §3.2 that needs no other statement, in its order. All of them are made, so that
//! whoever wrote the statement hears of everything that is wrong with it at once.

use std::fmt;
use std::sync::Arc;

use serde_json::{Map, Value};

use super::{Configuration, EntityStatement, Kind, Rules, Subordinate, TYP, TrustMarkEntry};
use crate::clock::UnixTime;
use crate::federation::check::{Failure, Hop, Step};
use crate::federation::constraints::Constraints;
use crate::federation::entity::{EntityId, OPENID_RELYING_PARTY, Schemes};
use crate::federation::policy::{self, MetadataPolicy};
use crate::jose::{JwkSet, JwsError, UnverifiedJws, json, jwt};
use crate::oauth::Algorithm;

/// A statement as far as it could be read, and everything that is wrong with it.
#[derive(Debug, Clone, Default)]
pub struct Reading {
    /// Present when enough could be read to go on asking about it; to be believed only when nothing failed.
    statement: Option<Arc<EntityStatement>>,
    hop: Hop,
    first: Option<Failure>,
}

impl Reading {
    pub fn of(token: &str, rules: &Rules, now: UnixTime) -> Self {
        let mut reading = Self::default();
        reading.statement = reading.read(token, None, rules, now).map(Arc::new);
        reading
    }

    /// An explicit registration request to `provider` (§12.2.1): a configuration that names its one reader, and whose header
    /// may carry chains.
    pub fn of_request(token: &str, provider: &EntityId, rules: &Rules, now: UnixTime) -> Self {
        let mut reading = Self::default();
        let request = reading.read(token, Some(provider), rules, now);
        if let Some(request) = &request {
            reading.check_request(request);
        }
        reading.statement = request.map(Arc::new);
        reading
    }

    fn check_request(&mut self, request: &EntityStatement) {
        match request.configuration() {
            None => {
                let reason = "a registration request is by the entity that registers";
                self.fail(Failure::new(Step::Issuer, reason));
            }
            Some(configuration) if configuration.authority_hints.is_empty() => {
                self.fail(Failure::new(Step::Claims, "authority_hints is missing"));
            }
            Some(_) => {}
        }
        if !request.metadata.contains_key(OPENID_RELYING_PARTY) {
            let reason = "metadata.openid_relying_party is missing";
            self.fail(Failure::new(Step::Claims, reason));
        }
    }

    /// A statement that was read before and found sound.
    pub fn sound(statement: Arc<EntityStatement>) -> Self {
        let mut hop = Hop {
            iss: statement.iss.to_string(),
            sub: statement.sub.to_string(),
            expires_at: Some(statement.exp),
            kid: statement.kid.clone(),
            alg: statement.alg.to_string(),
            checks: Vec::with_capacity(24),
        };
        for step in Step::STATEMENT {
            hop.held(step);
        }
        Self {
            statement: Some(statement),
            hop,
            first: None,
        }
    }

    /// A statement that never came.
    pub fn missing(iss: &EntityId, sub: &EntityId, failure: Failure) -> Self {
        let mut reading = Self::default();
        reading.hop.iss = iss.to_string();
        reading.hop.sub = sub.to_string();
        reading.fail(failure);
        reading
    }

    /// The statement, sound or not.
    pub fn statement(&self) -> Option<&Arc<EntityStatement>> {
        self.statement.as_ref()
    }

    /// What failed first, in the order of §3.2.
    pub fn failure(&self) -> Option<&Failure> {
        self.first.as_ref()
    }

    pub fn is_sound(&self) -> bool {
        self.first.is_none() && self.statement.is_some()
    }

    pub fn hop(&self) -> &Hop {
        &self.hop
    }

    pub(in crate::federation) fn fail(&mut self, failure: Failure) {
        self.hop.failed(&failure);
        self.first.get_or_insert(failure);
    }

    /// The statement, when nothing is wrong with it.
    pub(super) fn into_statement(self) -> Result<EntityStatement, Failure> {
        match (self.first, self.statement) {
            (None, Some(statement)) => Ok(Arc::unwrap_or_clone(statement)),
            (Some(failure), _) => Err(failure),
            (None, None) => Err(Failure::new(Step::Form, "the statement could not be read")),
        }
    }

    fn take<T>(&mut self, result: Result<T, Failure>) -> Option<T> {
        result.map_err(|failure| self.fail(failure)).ok()
    }

    /// Notes that a check was made; it held unless something was noted against it.
    fn settle(&mut self, step: Step) {
        self.hop.held(step);
    }

    fn read(
        &mut self,
        token: &str,
        reader: Option<&EntityId>,
        rules: &Rules,
        now: UnixTime,
    ) -> Option<EntityStatement> {
        let jws = UnverifiedJws::parse(token, rules.max_bytes);
        let jws = self.take(jws.map_err(|e| Failure::new(Step::Form, e)))?;
        self.settle(Step::Form);
        if !jws.header.is_typ(TYP) {
            let reason = "the typ header is not entity-statement+jwt";
            self.fail(Failure::new(Step::Typ, reason));
        }
        self.settle(Step::Typ);
        // §4.3, §4.4: these belong to request objects and registration requests. The others would name a key of the
        // sender's choice (RFC 7515 §4.1.2 ff.); refused rather than ignored.
        let chains: &[&str] = match reader {
            None => &["trust_chain", "peer_trust_chain"],
            Some(_) => &[],
        };
        for name in ["jku", "jwk", "x5u"].iter().chain(chains) {
            if jws.header.members.contains_key(*name) {
                let reason = format_args!("the header must not carry {name}");
                self.fail(Failure::new(Step::Header, reason));
            }
        }
        let alg = jws
            .checked_algorithm(&Algorithm::FEDERATION)
            .map_err(|e| match e {
                JwsError::Critical => Failure::new(Step::Header, e),
                e => Failure::new(Step::Algorithm, e),
            });
        let alg = self.take(alg);
        self.settle(Step::Header);
        if let Some(alg) = alg {
            self.hop.alg = alg.to_string();
            self.settle(Step::Algorithm);
        }
        let kid = jws.header.kid.clone().filter(|kid| !kid.is_empty());
        let kid = self
            .take(kid.ok_or_else(|| Failure::new(Step::Kid, "the header has no kid")))
            .inspect(|kid| self.hop.kid.clone_from(kid));
        self.settle(Step::Kid);
        let claims = json::parse_object(&jws.payload).map_err(|e| Failure::new(Step::Payload, e));
        let claims = self.take(claims)?;
        self.settle(Step::Payload);

        let identifier = |step, name: &'static str| {
            let text = jwt::text(&claims, name).map_err(|e| Failure::new(step, e))?;
            EntityId::parse(text, rules.schemes).map_err(|e| Failure::new(step, e))
        };
        let sub = self.take(identifier(Step::Subject, "sub"));
        self.settle(Step::Subject);
        let iss = self.take(identifier(Step::Issuer, "iss"));
        self.settle(Step::Issuer);
        for (name, told) in [("iss", &mut self.hop.iss), ("sub", &mut self.hop.sub)] {
            if let Some(text) = claims.get(name).and_then(Value::as_str) {
                text.clone_into(told);
            }
        }

        let time = |step, name: &'static str| match jwt::time(&claims, name) {
            Ok(Some(time)) => Ok(time),
            Ok(None) => Err(Failure::new(step, format_args!("{name} is missing"))),
            Err(e) => Err(Failure::new(step, e)),
        };
        let iat = self.take(time(Step::IssuedAt, "iat"));
        if let Some(iat) = iat.filter(|iat| *iat > now.plus(rules.leeway)) {
            let reason = format_args!("issued in the future, at {}", iat.to_rfc3339());
            self.fail(Failure::new(Step::IssuedAt, reason));
        }
        self.settle(Step::IssuedAt);
        let exp = self.take(time(Step::Expiry, "exp"));
        if let Some(exp) = exp {
            self.hop.expires_at = Some(exp);
            self.take(super::check_expiry(exp, rules, now));
        }
        self.settle(Step::Expiry);

        let jwks = claims
            .get("jwks")
            .ok_or_else(|| Failure::new(Step::Keys, "jwks is missing"))
            .and_then(|jwks| JwkSet::parse_strict(jwks).map_err(|e| Failure::new(Step::Keys, e)));
        let jwks = self.take(jwks);
        self.settle(Step::Keys);
        self.take(check_crit(&claims));
        self.settle(Step::Crit);
        let metadata = self.metadata(&claims);
        let kind =
            match (&iss, &sub) {
                (Some(iss), Some(sub)) if iss == sub => Some(Kind::Configuration(
                    self.configuration(&claims, reader, rules.schemes),
                )),
                (Some(_), Some(_)) => Some(Kind::Subordinate(self.subordinate(&claims))),
                _ => None,
            };
        self.settle(Step::Claims);

        Some(EntityStatement {
            iss: iss?,
            sub: sub?,
            iat: iat?,
            exp: exp?,
            jwks: jwks?,
            metadata,
            kind: kind?,
            kid: kid?,
            alg: alg?,
            input: jws.signing_input().len(),
            signature: jws.signature().to_vec(),
            jwt: token.into(),
        })
    }

    fn configuration(
        &mut self,
        claims: &Map<String, Value>,
        reader: Option<&EntityId>,
        schemes: Schemes,
    ) -> Configuration {
        self.forbid(
            claims,
            "an entity configuration",
            &[
                "constraints",
                "metadata_policy",
                "metadata_policy_crit",
                "source_endpoint",
                "trust_anchor",
            ],
        );
        match reader {
            None => self.forbid(claims, "an entity configuration", &["aud"]),
            // §12.2.1: the provider and nobody else.
            Some(reader) if jwt::sole_audience(claims) == Some(reader.as_str()) => {}
            Some(_) => self.fail(Failure::new(Step::Claims, "aud is not this provider alone")),
        }
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
        let authority_hints = self.take(hints("authority_hints")).unwrap_or_default();
        let trust_anchor_hints = self.take(hints("trust_anchor_hints")).unwrap_or_default();
        // §3.1.2: an anchor without superiors has no use for them.
        if !trust_anchor_hints.is_empty() && !claims.contains_key("authority_hints") {
            let reason = "trust_anchor_hints without authority_hints";
            self.fail(Failure::new(Step::Claims, reason));
        }
        Configuration {
            authority_hints,
            trust_anchor_hints,
            trust_marks: self.take(parse_trust_marks(claims)).unwrap_or_default(),
            trust_mark_issuers: self.take(parse_issuers(claims)).unwrap_or_default(),
            trust_mark_owners: self.take(parse_owners(claims)).unwrap_or_default(),
            audience: reader.cloned(),
        }
    }

    fn subordinate(&mut self, claims: &Map<String, Value>) -> Subordinate {
        self.forbid(
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
        );
        let claim = |name| claims.get(name);
        let wrong = |e: &dyn fmt::Display| Failure::new(Step::Claims, e);
        let constraints = claim("constraints").map(Constraints::parse).transpose();
        // The policy's own contradictions are policy errors (§6.1.4.1), not matters of form.
        let policy = match claim("metadata_policy").map(MetadataPolicy::read) {
            None => MetadataPolicy::default(),
            Some(Ok(policy)) => policy,
            Some(Err(faults)) => {
                for fault in faults.iter() {
                    self.fail(Failure::new(Step::Policy, fault));
                }
                MetadataPolicy::default()
            }
        };
        let critical_operators = claim("metadata_policy_crit")
            .map(policy::critical_operators)
            .transpose();
        let source_endpoint = match claim("source_endpoint") {
            None => Ok(None),
            Some(Value::String(url)) => Ok(Some(url.clone())),
            Some(_) => Err(malformed("source_endpoint")),
        };
        let constraints = self.take(constraints.map_err(|e| wrong(&e))).flatten();
        let critical_operators = self
            .take(critical_operators.map_err(|e| wrong(&e)))
            .flatten();
        Subordinate {
            constraints: constraints.unwrap_or_default(),
            policy,
            critical_operators: critical_operators.unwrap_or_default(),
            source_endpoint: self.take(source_endpoint).flatten(),
        }
    }

    /// §3.1.1: entity type → object; no parameter is null.
    fn metadata(&mut self, claims: &Map<String, Value>) -> Map<String, Value> {
        let metadata = match claims.get("metadata") {
            None => return Map::new(),
            Some(Value::Object(types)) => types,
            Some(_) => {
                self.fail(malformed("metadata"));
                return Map::new();
            }
        };
        let mut read = Map::new();
        for (entity_type, members) in metadata {
            let Some(members) = members.as_object() else {
                self.fail(malformed("metadata"));
                continue;
            };
            let mut members = members.clone();
            for (name, _) in members.iter().filter(|(_, value)| value.is_null()) {
                let reason = format_args!("metadata.{entity_type}.{name} is null");
                self.fail(Failure::new(Step::Claims, reason));
            }
            members.retain(|_, value| !value.is_null());
            read.insert(entity_type.clone(), Value::Object(members));
        }
        read
    }

    fn forbid(&mut self, claims: &Map<String, Value>, place: &str, names: &[&str]) {
        for name in names.iter().filter(|name| claims.contains_key(**name)) {
            let reason = format_args!("{name} does not belong in {place}");
            self.fail(Failure::new(Step::Claims, reason));
        }
    }
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

fn malformed(name: &str) -> Failure {
    Failure::new(Step::Claims, format_args!("{name} is malformed"))
}
