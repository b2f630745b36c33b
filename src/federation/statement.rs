//! Entity statements (OpenID Federation 1.0 §3): what they hold, read in `read`, verified, and made.
//!
//! A statement alone proves nothing: whose key must have signed it is `chain`'s knowledge. Fetching is `resolve`'s.

mod read;

use std::fmt;
use std::sync::Arc;

use serde_json::{Map, Value};

use crate::clock::UnixTime;
use crate::crypto::{Purpose, SignError, Signer};
pub use crate::federation::check::{Failure, Step};
use crate::federation::constraints::Constraints;
use crate::federation::entity::{EntityId, Schemes};
use crate::federation::policy::MetadataPolicy;
use crate::jose::JwkSet;
use crate::oauth::Algorithm;
pub use read::Reading;

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
    /// Whose eyes it is for: set in explicit registration requests alone.
    pub audience: Option<EntityId>,
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
        Reading::of(token, rules, now).into_statement()
    }

    /// Reads an explicit registration request to `provider` (§12.2.1).
    pub fn parse_request(
        token: &str,
        provider: &EntityId,
        rules: &Rules,
        now: UnixTime,
    ) -> Result<Self, Failure> {
        Reading::of_request(token, provider, rules, now).into_statement()
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

    /// About how many bytes of memory it takes: the parsed form weighs several times the text.
    pub fn weight(&self) -> usize {
        4 * self.jwt.len()
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
