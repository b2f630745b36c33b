//! Automatic registration (OpenID Federation 1.0 §12.1) as a rule: from an entity identifier used as `client_id` to a
//! relying party that the provider can serve. The provider asks `Registrar`; it never looks at chains itself.
//!
//! Nothing is stored: a registration lives as long as its chain (§12.1), and is found again from it.

mod explicit;
mod keys;
mod metadata;
mod names;
mod standing;

use std::collections::BTreeSet;
use std::sync::Arc;

use moka::future::Cache;
use serde_json::{Map, Value};
use tokio::sync::Mutex;

use crate::clock::UnixTime;
use crate::federation::chain::TrustChain;
use crate::federation::entity::{EntityId, Schemes};
use crate::federation::explain::Explanation;
use crate::federation::resolve::{ResolveError, ResolveFault, Resolver};
use crate::federation::statement::EntityStatement;
use crate::federation::trust_mark::{self, TrustMark};
use crate::jose::JwkSet;
use crate::oauth::{Algorithm, Encryption, ErrorCode, Scope};

pub use explicit::{Answer, Posted, RESPONSE_TYP};
pub use names::Localized;
pub use standing::Standing;

/// A relying party as its federation lets it be: resolved metadata, parsed once. Valid until `expires_at`.
#[derive(Debug, Clone)]
pub struct ResolvedRelyingParty {
    /// The `client_id`, character for character.
    pub entity_id: EntityId,
    pub trust_anchor: EntityId,
    /// Never empty; compare character for character.
    pub redirect_uris: Vec<String>,
    pub post_logout_redirect_uris: Vec<String>,
    pub backchannel_logout_uri: Option<String>,
    pub backchannel_logout_session_required: bool,
    pub frontchannel_logout_uri: Option<String>,
    pub frontchannel_logout_session_required: bool,
    pub initiate_login_uri: Option<String>,
    pub response_types: BTreeSet<String>,
    pub grant_types: BTreeSet<String>,
    /// The protocol keys: request objects, client assertions, encryption to the client. Not the federation keys.
    pub keys: JwkSet,
    /// Every method the client may use at the token endpoint; asymmetric ones only (§12.1.1).
    pub token_endpoint_auth_methods: BTreeSet<String>,
    pub token_endpoint_auth_signing_alg: Option<Algorithm>,
    pub request_object_signing_alg: Option<Algorithm>,
    pub id_token_signed_response_alg: Algorithm,
    pub id_token_encryption: Option<Encryption>,
    pub authorization_encryption: Option<Encryption>,
    pub introspection_encryption: Option<Encryption>,
    /// None: UserInfo answers in plain JSON, or encrypted only.
    pub userinfo_signed_response_alg: Option<Algorithm>,
    pub userinfo_encryption: Option<Encryption>,
    pub subject_type: SubjectType,
    /// The host by which pairwise subjects are told apart (OIDC Core 8.1); checked against `sector_identifier_uri`.
    pub sector: String,
    /// The scopes that policy leaves; none: no limit was set.
    pub scope: Option<Scope>,
    pub default_acr_values: Vec<String>,
    pub default_max_age: Option<i64>,
    pub require_auth_time: bool,
    pub require_pushed_authorization_requests: bool,
    /// The rest of the resolved `openid_relying_party` metadata, as limits on claims may be written there.
    pub metadata: Map<String, Value>,
    /// The name that the immediate superior vouches for; none: show `host()` and 「未核验名称」.
    pub display_name: Option<Localized>,
    /// https only, vouched for by the superior.
    pub logo_uri: Option<String>,
    /// Immediate superior first, the anchor last: the chain in words.
    pub superiors: Vec<Superior>,
    /// Types of the trust marks that count with this anchor.
    pub trust_marks: Vec<TrustMark>,
    pub explanation: Arc<Explanation>,
    /// The registration ends with its chain; ask again afterwards.
    pub expires_at: UnixTime,
    chain: Arc<TrustChain>,
    keys_from: keys::Source,
    keys_at: UnixTime,
}

/// Trust chains that came with a request (§4.3, §4.4). Nobody has verified them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HintedChains {
    /// From the client to an anchor.
    pub trust_chain: Vec<String>,
    /// From this provider to the same anchor.
    pub peer_trust_chain: Option<Vec<String>>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SubjectType {
    Public,
    Pairwise,
}

/// One authority above the relying party.
#[derive(Debug, Clone)]
pub struct Superior {
    pub entity_id: EntityId,
    /// As *its* superior names it; the anchor as it names itself.
    pub name: Option<Localized>,
}

/// Why a client could not be registered. The redirect URI is not trusted: show a page, never redirect (§12.1.3).
#[derive(Debug, Clone, thiserror::Error)]
#[error("{client_id}: {reason}")]
pub struct RegistrationError {
    pub client_id: EntityId,
    /// `invalid_trust_anchor`, `invalid_trust_chain`, `invalid_metadata` (to be named in PAR answers only), or
    /// `temporarily_unavailable`.
    pub code: ErrorCode,
    /// For logs and operators.
    pub reason: String,
    pub explanation: Arc<Explanation>,
    /// It was registered until lately, and its chain could not be renewed.
    pub lapsed: Option<Lapsed>,
}

/// What is still known of a relying party whose chain ran out.
#[derive(Debug, Clone)]
pub struct Lapsed {
    /// The name that its superior vouched for.
    pub display_name: Option<Localized>,
    pub at: UnixTime,
}

/// Turns entity identifiers into relying parties. Cheap to ask: chains, clients and keys are remembered.
#[derive(Debug)]
pub struct Registrar {
    resolver: Arc<Resolver>,
    clients: Cache<EntityId, Arc<ResolvedRelyingParty>>,
    /// One reading of a client at a time; inside, when its keys were last looked for because of an unknown `kid`.
    gates: Cache<EntityId, Arc<Mutex<Option<UnixTime>>>>,
}

impl Registrar {
    pub fn new(resolver: Arc<Resolver>) -> Self {
        Self {
            clients: Cache::builder()
                .max_capacity(resolver.limits().chain_memory)
                .weigher(|_, client: &Arc<ResolvedRelyingParty>| client.weight())
                .build(),
            resolver,
            gates: Cache::new(10_000),
        }
    }

    pub fn resolver(&self) -> &Arc<Resolver> {
        &self.resolver
    }

    /// Reads a `client_id`; none when it cannot be an entity of a federation (then it is a static client, or nobody).
    pub fn entity_id(&self, client_id: &str) -> Option<EntityId> {
        EntityId::parse(client_id, self.resolver.rules().schemes).ok()
    }

    /// The relying party `client_id`. `hinted` are the chains in the header of its request object, if there are any; they
    /// are verified like any chain.
    pub async fn client(
        &self,
        client_id: &EntityId,
        hinted: Option<&HintedChains>,
        now: UnixTime,
    ) -> Result<Arc<ResolvedRelyingParty>, RegistrationError> {
        let chain = match hinted {
            Some(HintedChains {
                trust_chain,
                peer_trust_chain: Some(peer),
            }) => {
                let anchor = self.common_anchor(client_id, trust_chain, peer, now)?;
                self.resolver
                    .resolve_to_with(client_id, &anchor, trust_chain, now)
                    .await
            }
            hinted => {
                let chain = hinted.map(|hinted| hinted.trust_chain.as_slice());
                self.resolver.resolve(client_id, chain, now).await
            }
        };
        let chain = chain.map_err(|error| RegistrationError::from(&*error))?;
        self.of_chain(&chain, now).await
    }

    /// The relying party at the beginning of `chain`, which holds now.
    pub async fn of_chain(
        &self,
        chain: &Arc<TrustChain>,
        now: UnixTime,
    ) -> Result<Arc<ResolvedRelyingParty>, RegistrationError> {
        let client_id = chain.subject();
        if let Some(known) = self.current(chain, now).await {
            return Ok(known);
        }
        // Many logins at once read a client, and fetch its keys, once.
        let gate = self.gate(client_id).await;
        let _one_at_a_time = gate.lock().await;
        if let Some(known) = self.current(chain, now).await {
            return Ok(known);
        }
        let before = self.clients.get(client_id).await;
        let client = Arc::new(self.read(chain, before.as_deref(), now).await?);
        self.clients
            .insert(client_id.clone(), Arc::clone(&client))
            .await;
        Ok(client)
    }

    /// §4.4: the anchor at which the client's chain and ours, as the client sees it, end: it decides whose metadata and
    /// policy count. Both must hold, and end at the same one.
    fn common_anchor(
        &self,
        client_id: &EntityId,
        own: &[String],
        peer: &[String],
        now: UnixTime,
    ) -> Result<EntityId, RegistrationError> {
        let refuse = |reason: String| RegistrationError {
            client_id: client_id.clone(),
            code: ErrorCode::InvalidTrustChain,
            explanation: Arc::new(Explanation::failed(client_id, &reason)),
            reason,
            lapsed: None,
        };
        let anchors = self.resolver.anchors();
        let judge = |which: &str, chain: &[String]| {
            TrustChain::parse(chain, &anchors, self.resolver.rules(), now)
                .map_err(|e| refuse(format!("{which}: {e}")))
        };
        let (own, peer) = (judge("trust_chain", own)?, judge("peer_trust_chain", peer)?);
        if own.anchor() == peer.anchor() {
            Ok(peer.anchor().clone())
        } else {
            Err(refuse(format!(
                "trust_chain ends at {}, peer_trust_chain at {}",
                own.anchor(),
                peer.anchor()
            )))
        }
    }

    /// The client as it was read from this very chain, while its keys are young enough.
    async fn current(
        &self,
        chain: &Arc<TrustChain>,
        now: UnixTime,
    ) -> Option<Arc<ResolvedRelyingParty>> {
        let known = self.clients.get(chain.subject()).await?;
        let serves = Arc::ptr_eq(&known.chain, chain) && !known.keys_from.stale(known.keys_at, now);
        serves.then_some(known)
    }

    async fn gate(&self, client_id: &EntityId) -> Arc<Mutex<Option<UnixTime>>> {
        self.gates
            .get_with(client_id.clone(), async { Arc::default() })
            .await
    }

    /// The same relying party with keys as it publishes them now: for a `kid` that `keys` does not hold. Asks at most
    /// once a minute per client; otherwise returns what is known.
    pub async fn with_fresh_keys(
        &self,
        client: &Arc<ResolvedRelyingParty>,
        now: UnixTime,
    ) -> Result<Arc<ResolvedRelyingParty>, RegistrationError> {
        // A stranger can invent any number of kids: what counts is the last attempt, whether or not it helped.
        let gate = self.gate(&client.entity_id).await;
        let mut looked_at = gate.lock().await;
        let last = looked_at.map_or(client.keys_at, |at| at.max(client.keys_at));
        if now.since(last) < keys::MOST_OFTEN {
            let newest = self.clients.get(&client.entity_id).await;
            return Ok(newest.unwrap_or_else(|| Arc::clone(client)));
        }
        *looked_at = Some(now);
        let chain = if client.chain.is_request() {
            // What was registered stays; only keys behind an address are looked for again.
            Arc::clone(&client.chain)
        } else {
            self.resolver
                .renew(&client.entity_id, now)
                .await
                .unwrap_or_else(|_| Arc::clone(&client.chain))
        };
        let fresh = Arc::new(self.read(&chain, None, now).await?);
        self.clients
            .insert(client.entity_id.clone(), Arc::clone(&fresh))
            .await;
        Ok(fresh)
    }

    async fn read(
        &self,
        chain: &Arc<TrustChain>,
        known: Option<&ResolvedRelyingParty>,
        now: UnixTime,
    ) -> Result<ResolvedRelyingParty, RegistrationError> {
        let refuse = |reason: String| RegistrationError {
            client_id: chain.subject().clone(),
            code: ErrorCode::InvalidMetadata,
            explanation: Arc::new(Explanation {
                outcome: Err(reason.clone()),
                ..Explanation::of(chain)
            }),
            reason,
            lapsed: None,
        };
        let parsed = metadata::parse(chain, self.resolver.rules().schemes).map_err(refuse)?;
        let sector = metadata::sector(&parsed, &**self.resolver.fetcher())
            .await
            .map_err(refuse)?;
        let source = keys::Source::of(&parsed.members).map_err(refuse)?;
        let fetched = source
            .load(chain, self.resolver.rules(), &**self.resolver.fetcher())
            .await;
        let keys = match (fetched, known) {
            (Ok(keys), _) => keys,
            // An unsigned error takes no key away; the chain still bounds how long the old ones serve.
            (Err(_), Some(known)) if known.keys_from == source => known.keys.clone(),
            (Err(reason), _) => return Err(refuse(reason)),
        };
        let superior = chain.superior_statement();
        let trust_marks = trust_mark::counted(&self.resolver, chain, now).await;
        Ok(ResolvedRelyingParty {
            entity_id: chain.subject().clone(),
            trust_anchor: chain.anchor().clone(),
            redirect_uris: parsed.redirect_uris,
            post_logout_redirect_uris: parsed.post_logout_redirect_uris,
            backchannel_logout_uri: parsed.backchannel_logout_uri,
            backchannel_logout_session_required: parsed.backchannel_logout_session_required,
            frontchannel_logout_uri: parsed.frontchannel_logout_uri,
            frontchannel_logout_session_required: parsed.frontchannel_logout_session_required,
            initiate_login_uri: parsed.initiate_login_uri,
            response_types: parsed.response_types,
            grant_types: parsed.grant_types,
            keys,
            token_endpoint_auth_methods: parsed.token_endpoint_auth_methods,
            token_endpoint_auth_signing_alg: parsed.token_endpoint_auth_signing_alg,
            request_object_signing_alg: parsed.request_object_signing_alg,
            id_token_signed_response_alg: parsed.id_token_signed_response_alg,
            id_token_encryption: parsed.id_token_encryption,
            authorization_encryption: parsed.authorization_encryption,
            introspection_encryption: parsed.introspection_encryption,
            userinfo_signed_response_alg: parsed.userinfo_signed_response_alg,
            userinfo_encryption: parsed.userinfo_encryption,
            subject_type: parsed.subject_type,
            sector,
            scope: parsed.scope,
            default_acr_values: parsed.default_acr_values,
            default_max_age: parsed.default_max_age,
            require_auth_time: parsed.require_auth_time,
            require_pushed_authorization_requests: parsed.require_pushed_authorization_requests,
            metadata: parsed.members,
            display_name: superior.and_then(names::of_relying_party),
            logo_uri: superior.and_then(names::logo_of_relying_party),
            superiors: superiors(chain),
            trust_marks,
            explanation: Arc::new(Explanation::of(chain)),
            expires_at: chain.expires_at(),
            chain: Arc::clone(chain),
            keys_from: source,
            keys_at: now,
        })
    }

    /// Whether `party` has a trust mark of this type now: shown in its configuration, by an issuer that the anchor lets give it, not
    /// expired, and active as the issuer said within the last minute (`trust_mark::status`). To be asked at every use of what a mark
    /// allows; costs the verification of a signature, and seldom a question to the issuer.
    pub async fn still_has_trust_mark(
        &self,
        party: &ResolvedRelyingParty,
        trust_mark_type: &str,
        now: UnixTime,
    ) -> bool {
        trust_mark::counted(&self.resolver, &party.chain, now)
            .await
            .iter()
            .any(|mark| mark.trust_mark_type == trust_mark_type)
    }
}

impl ResolvedRelyingParty {
    /// What is shown when nobody vouches for a name.
    pub fn host(&self) -> String {
        self.entity_id.host()
    }

    pub fn chain(&self) -> &Arc<TrustChain> {
        &self.chain
    }

    /// About how many bytes it takes: its chain, and once more what was read from it.
    fn weight(&self) -> u32 {
        let own = self.chain.superior_statement();
        let read =
            self.chain.subject_configuration().weight() + own.map_or(0, EntityStatement::weight);
        u32::try_from(self.chain.weight() + read).unwrap_or(u32::MAX)
    }

    /// Whether it had this mark when its chain was resolved, and the mark has not expired since. What a mark allows is asked of
    /// `Registrar::still_has_trust_mark`, at every use: a revoked mark stops there within a minute.
    pub fn has_trust_mark(&self, trust_mark_type: &str, now: UnixTime) -> bool {
        self.trust_marks.iter().any(|mark| {
            mark.trust_mark_type == trust_mark_type && mark.exp.is_none_or(|exp| now < exp)
        })
    }
}

impl From<&ResolveError> for RegistrationError {
    fn from(error: &ResolveError) -> Self {
        use crate::federation::statement::Step;
        let code = match error.kind {
            ResolveFault::NoAnchor => ErrorCode::InvalidTrustAnchor,
            ResolveFault::Exhausted => ErrorCode::TemporarilyUnavailable,
            ResolveFault::Invalid(Step::Policy | Step::Metadata) => ErrorCode::InvalidMetadata,
            ResolveFault::Subject | ResolveFault::Invalid(_) => ErrorCode::InvalidTrustChain,
        };
        Self {
            client_id: error.subject.clone(),
            code,
            reason: error.reason.clone(),
            explanation: Arc::clone(&error.explanation),
            lapsed: error.lapsed.as_deref().map(|chain| Lapsed {
                display_name: chain.superior_statement().and_then(names::of_relying_party),
                at: chain.expires_at(),
            }),
        }
    }
}

/// Whether a provider would serve a relying party with these resolved metadata; if not, why. Asks nobody: keys and sectors are
/// fetched when it comes.
pub fn check_relying_party(
    subject: &EntityId,
    metadata: &Map<String, Value>,
    schemes: Schemes,
) -> Result<(), String> {
    metadata::of(subject, metadata, schemes)
        .and_then(|parsed| keys::Source::of(&parsed.members).map(|_| ()))
}

/// The authorities of the chain, each with the name that the one above it vouches for.
fn superiors(chain: &TrustChain) -> Vec<Superior> {
    let statements = chain.statements();
    chain
        .path()
        .into_iter()
        .skip(1)
        .map(|id| {
            let vouching = statements.iter().find(|s| s.sub == *id && s.iss != s.sub);
            let own = || chain.anchor_configuration().filter(|s| s.sub == *id);
            Superior {
                entity_id: id.clone(),
                name: vouching
                    .map(Arc::as_ref)
                    .or_else(own)
                    .and_then(names::of_federation_entity),
            }
        })
        .collect()
}
