//! Explicit registration (OpenID Federation 1.0 §12.2) from both sides, as rules: the provider turns what was posted into a
//! chain that begins with the request, and says what it registered; the relying party judges that answer.
//!
//! A registration is its chain: everything else is read from it again, also after a restart (`Registrar::kept`). Where it is
//! stored is known to `provider::explicit`; how a portal asks, to `relying::registration`.

use std::sync::Arc;

use serde_json::{Map, Value, json};

use super::{Registrar, RegistrationError, ResolvedRelyingParty, SubjectType};
use crate::clock::UnixTime;
use crate::federation::chain::{ChainError, TrustChain};
use crate::federation::entity::{EntityId, OPENID_RELYING_PARTY};
use crate::federation::statement::{EntityStatement, Rules, Step};
use crate::jose::{UnverifiedJws, json as strict, jwt};
use crate::oauth::{Algorithm, Error, ErrorCode};

/// `typ` of the answer (§15); its media type is the same below `application/`.
pub const RESPONSE_TYP: &str = "explicit-registration-response+jwt";

/// What was posted, by its media type.
#[derive(Debug, Clone, Copy)]
pub enum Posted<'a> {
    /// `application/entity-statement+jwt`; its header may carry chains.
    Statement(&'a str),
    /// `application/trust-chain+json`: a chain that begins with the request.
    Chain(&'a [u8]),
}

impl Registrar {
    /// The relying party that registers at `provider` by what it posted. Its chain begins with the request, so that metadata
    /// and policy are those of the request, and its signature is by a key that the superior vouches for.
    pub async fn explicit(
        &self,
        posted: Posted<'_>,
        provider: &EntityId,
        now: UnixTime,
    ) -> Result<Arc<ResolvedRelyingParty>, Error> {
        let chain = match posted {
            Posted::Chain(body) => {
                let tokens = texts(strict::parse(body).ok().as_ref(), "the trust chain")?;
                self.kept(&tokens, provider, now)
                    .map_err(|e| of_chain(&e))?
            }
            Posted::Statement(token) => self.by_statement(token, provider, now).await?,
        };
        // No leeway: what has run out registers nobody.
        if chain.expires_at() <= now {
            return Err(Error::new(
                ErrorCode::InvalidTrustChain,
                "the trust chain or the request has expired",
            ));
        }
        self.of_chain(&Arc::new(chain), now)
            .await
            .map_err(|e| of_metadata(&e))
    }

    async fn by_statement(
        &self,
        token: &str,
        provider: &EntityId,
        now: UnixTime,
    ) -> Result<TrustChain, Error> {
        let rules = self.resolver.rules();
        let request = EntityStatement::parse_request(token, provider, rules, now)
            // Before anybody is asked for anything: it must at least agree with itself.
            .and_then(|request| request.verify(&request.jwks).map(|()| request))
            .map_err(|e| Error::invalid_request(told(&format!("the request: {e}"))))?;
        let request = Arc::new(request);
        let jws = UnverifiedJws::parse(token, rules.max_bytes)
            .map_err(|e| Error::invalid_request(told(&e.to_string())))?;
        let header = |name: &'static str| match jws.header.members.get(name) {
            None => Ok(None),
            given => texts(given, name).map(Some),
        };
        let (own, peer) = (header("trust_chain")?, header("peer_trust_chain")?);
        let anchors = self.resolver.anchors();
        let Some(own) = own else {
            if peer.is_some() {
                // §12.2.1, as for request objects.
                return Err(Error::invalid_request(
                    "peer_trust_chain comes together with trust_chain only",
                ));
            }
            let found = self.resolver.resolve_request(&request, now).await;
            return found.map_err(|e| {
                let error = RegistrationError::from(&*e);
                Error::new(error.code, told(&error.reason))
            });
        };
        // The configuration in the chain proves the path, and no more: what counts was posted (§12.2.1).
        let path = TrustChain::parse(&own, &anchors, rules, now).map_err(|e| of_chain(&e))?;
        if *path.subject() != request.sub {
            return Err(Error::new(
                ErrorCode::InvalidTrustChain,
                "trust_chain is about another entity",
            ));
        }
        if let Some(peer) = peer {
            let peer = TrustChain::parse(&peer, &anchors, rules, now).map_err(|e| of_chain(&e))?;
            if peer.subject() != provider || peer.anchor() != path.anchor() {
                return Err(Error::new(
                    ErrorCode::InvalidTrustChain,
                    "peer_trust_chain does not lead from this provider to the same trust anchor",
                ));
            }
        }
        path.with_request(request, &anchors, rules, now)
            .map_err(|e| of_chain(&e))
    }

    /// A chain that begins with a request, judged anew: one that was posted, or one that was kept.
    pub fn kept(
        &self,
        tokens: &[impl AsRef<str>],
        provider: &EntityId,
        now: UnixTime,
    ) -> Result<TrustChain, ChainError> {
        let rules = self.resolver.rules();
        TrustChain::parse_request(tokens, provider, &self.resolver.anchors(), rules, now)
    }
}

impl ResolvedRelyingParty {
    /// Whether it registered explicitly, with the chain that it is.
    pub fn is_explicit(&self) -> bool {
        self.chain.is_request()
    }

    /// The claims of the answer at `now` (§12.2.3): what was registered, with the defaults spelled out.
    pub fn answer(&self, provider: &EntityId, now: UnixTime) -> Map<String, Value> {
        let mut metadata = self.chain.metadata().clone();
        let mut party = self.metadata.clone();
        let subject_type = match self.subject_type {
            SubjectType::Public => "public",
            SubjectType::Pairwise => "pairwise",
        };
        for (name, value) in [
            ("client_id", json!(self.entity_id)),
            ("client_registration_types", json!(["explicit"])),
            ("redirect_uris", json!(self.redirect_uris)),
            ("response_types", json!(self.response_types)),
            ("grant_types", json!(self.grant_types)),
            // Asymmetric authentication only: no secret is ever issued here.
            ("token_endpoint_auth_method", json!("private_key_jwt")),
            ("subject_type", json!(subject_type)),
            (
                "id_token_signed_response_alg",
                json!(self.id_token_signed_response_alg.as_str()),
            ),
        ] {
            party.insert(name.to_owned(), value);
        }
        party.remove("client_secret");
        party.remove("token_endpoint_auth_methods_supported");
        metadata.insert(OPENID_RELYING_PARTY.to_owned(), Value::Object(party));
        let superior = self
            .superiors
            .first()
            .map_or(&self.trust_anchor, |s| &s.entity_id);
        let claims = json!({
            "iss": provider,
            "sub": self.entity_id,
            "aud": self.entity_id,
            "iat": now.0,
            "exp": self.expires_at.0,
            "trust_anchor": self.trust_anchor,
            // Exactly one: the immediate superior in the chain that was chosen.
            "authority_hints": [superior],
            "metadata": metadata,
        });
        match claims {
            Value::Object(claims) => claims,
            _ => Map::new(),
        }
    }
}

/// What a provider registered, believed by its relying party.
#[derive(Debug, Clone)]
pub struct Answer {
    pub client_id: String,
    /// `openid_relying_party` as it was registered, after our superiors' policy.
    pub metadata: Map<String, Value>,
    pub expires_at: UnixTime,
}

impl Answer {
    /// Judges the answer to a request that was sent along `own`, by the provider at the beginning of `peer`: both chains as we
    /// resolved them ourselves (§12.2.4).
    pub fn verify(
        token: &str,
        own: &TrustChain,
        peer: &TrustChain,
        rules: &Rules,
        now: UnixTime,
    ) -> Result<Self, String> {
        let text = |e: &dyn std::fmt::Display| e.to_string();
        let jws = UnverifiedJws::parse(token, rules.max_bytes).map_err(|e| text(&e))?;
        if !jws.header.is_typ(RESPONSE_TYP) {
            return Err(format!("its typ is not {RESPONSE_TYP}"));
        }
        // The key is one that the provider's superior vouches for.
        let key = jws
            .header
            .kid
            .as_deref()
            .and_then(|kid| peer.keys().find(kid))
            .ok_or("it is not signed by a federation key of the provider")?;
        jws.verify(key, &Algorithm::FEDERATION)
            .map_err(|e| text(&e))?;
        let claims = strict::parse_object(&jws.payload).map_err(|e| text(&e))?;
        let says = |name: &'static str, expected: &EntityId| match jwt::text(&claims, name) {
            Ok(value) if value == expected.as_str() => Ok(()),
            _ => Err(format!("its {name} is not {expected}")),
        };
        says("iss", peer.subject())?;
        says("sub", own.subject())?;
        if jwt::sole_audience(&claims) != Some(own.subject().as_str()) {
            return Err("its aud is not this relying party alone".to_owned());
        }
        let time = |name: &'static str| match jwt::time(&claims, name) {
            Ok(Some(time)) => Ok(time),
            _ => Err(format!("{name} is missing")),
        };
        if time("iat")? > now.plus(rules.leeway) {
            return Err("it was issued in the future".to_owned());
        }
        let expires_at = time("exp")?;
        if expires_at <= now {
            return Err("it has expired".to_owned());
        }
        says("trust_anchor", own.anchor())?;
        says("trust_anchor", peer.anchor())?;
        let superior = own.superior_statement().map(|statement| &statement.iss);
        let hints = claims.get("authority_hints").and_then(Value::as_array);
        match hints.map(Vec::as_slice) {
            Some([hint]) if hint.as_str() == superior.map(EntityId::as_str) => {}
            _ => return Err("its authority_hints are not our superior alone".to_owned()),
        }
        let mut metadata = claims
            .get("metadata")
            .and_then(Value::as_object)
            .cloned()
            .ok_or("metadata is missing")?;
        let types = |metadata: &Map<String, Value>| {
            let mut types: Vec<String> = metadata.keys().cloned().collect();
            types.sort();
            types
        };
        if types(&metadata) != [OPENID_RELYING_PARTY] {
            return Err("it does not register what was asked for: one relying party".to_owned());
        }
        own.policy().apply(&mut metadata).map_err(|e| text(&e))?;
        let metadata = metadata
            .get(OPENID_RELYING_PARTY)
            .and_then(Value::as_object)
            .cloned()
            .ok_or("metadata.openid_relying_party is missing")?;
        Ok(Self {
            client_id: jwt::text(&metadata, "client_id")
                .map_err(|_| "client_id is missing")?
                .to_owned(),
            metadata,
            expires_at,
        })
    }
}

/// An array of JWTs.
fn texts(value: Option<&Value>, name: &str) -> Result<Vec<String>, Error> {
    value
        .and_then(Value::as_array)
        .filter(|values| !values.is_empty())
        .and_then(|values| {
            values
                .iter()
                .map(|value| value.as_str().map(str::to_owned))
                .collect()
        })
        .ok_or_else(|| Error::invalid_request(format!("{name} is not an array of JWTs")))
}

fn of_chain(error: &ChainError) -> Error {
    let code = match error.failure.step {
        Step::Anchor => ErrorCode::InvalidTrustAnchor,
        Step::Policy | Step::Metadata => ErrorCode::InvalidMetadata,
        _ => ErrorCode::InvalidTrustChain,
    };
    Error::new(code, told(&error.to_string()))
}

/// OIDC Registration 3.3.
fn of_metadata(error: &RegistrationError) -> Error {
    let code = match error.code {
        ErrorCode::InvalidMetadata if error.reason.starts_with("redirect_uris") => {
            ErrorCode::InvalidRedirectUri
        }
        ErrorCode::InvalidMetadata => ErrorCode::InvalidClientMetadata,
        code => code,
    };
    Error::new(code, told(&error.reason))
}

/// Reasons may quote a stranger's address; a query in it is cut off.
fn told(reason: &str) -> String {
    let reason = reason.split('?').next().unwrap_or_default();
    reason.chars().take(400).collect()
}
