//! Resolve responses (OpenID Federation 1.0 §8.3): what an authority found out about an entity below it, signed.

use std::collections::BTreeSet;
use std::sync::Arc;

use serde_json::{Map, Value, json};

use super::{Authority, AuthorityError};
use crate::clock::UnixTime;
use crate::federation::chain::TrustChain;
use crate::federation::entity::EntityId;
use crate::federation::publish::Signed;
use crate::federation::resolve::{ResolveError, ResolveFault};
use crate::federation::statement::Step;
use crate::federation::trust_mark;
use crate::oauth::{Error, ErrorCode};

pub const TYP: &str = "resolve-response+jwt";

/// Subject, anchor, entity types: what a remembered response answers.
pub(super) type Asked = (EntityId, EntityId, BTreeSet<String>);

impl Authority {
    /// The metadata of `sub` as resolved to one of `trust_anchors`, the first that we know; only `entity_types`, when
    /// any are given. `caller` authenticated itself.
    pub async fn resolve(
        &self,
        sub: &str,
        trust_anchors: &[String],
        entity_types: &[String],
        caller: Option<&EntityId>,
        now: UnixTime,
    ) -> Result<Arc<str>, AuthorityError> {
        self.follow_own_keys();
        let sub = EntityId::parse(sub, self.resolver.rules().schemes)
            .map_err(|_| Error::invalid_request("sub is not an entity identifier"))?;
        let known = self.resolver.anchors();
        let anchor = trust_anchors
            .iter()
            .find_map(|wanted| known.ids().find(|id| id.as_str() == wanted))
            .cloned()
            .ok_or_else(|| {
                Error::new(
                    ErrorCode::InvalidTrustAnchor,
                    "none of the trust anchors is known here",
                )
            })?;
        // §18.1: strangers are not looked for on behalf of strangers.
        let ours = sub == self.settings.id
            || sub == anchor
            || self.resolver.remembered(&sub, now).await.is_some()
            || self
                .subtree
                .contains(&sub, &self.store, &self.resolver, now)
                .await?;
        if !ours {
            return Err(
                Error::new(ErrorCode::InvalidSubject, "the subject is not known here").into(),
            );
        }
        let chain = self
            .resolver
            .resolve_to(&sub, &anchor, now)
            .await
            .map_err(|error| refusal(&error))?;
        let types: BTreeSet<String> = entity_types.iter().cloned().collect();
        let (mut claims, exp) = self.response(&chain, &types, now).await;
        if let Some(caller) = caller {
            // §8.3.2: only for callers who said who they are, and then for them alone.
            claims.insert("aud".into(), caller.as_str().into());
            let alg = self.settings.alg;
            let signed = Signed::make(&*self.signer, alg, TYP, claims, now, exp).await?;
            return Ok(signed.jwt);
        }
        self.forget_other_keys();
        let asked = (sub, anchor, types);
        if let Some(signed) = self.responses.get(&asked).await
            && signed.serves(&claims, now)
        {
            return Ok(Arc::clone(&signed.jwt));
        }
        let signed = Signed::make(&*self.signer, self.settings.alg, TYP, claims, now, exp).await?;
        let jwt = Arc::clone(&signed.jwt);
        self.responses.insert(asked, Arc::new(signed)).await;
        Ok(jwt)
    }

    async fn response(
        &self,
        chain: &TrustChain,
        types: &BTreeSet<String>,
        now: UnixTime,
    ) -> (Map<String, Value>, UnixTime) {
        let marks = trust_mark::counted(&self.resolver, chain, now).await;
        // §8.3.2: the least of the chain's and the included marks'.
        let exp = marks
            .iter()
            .filter_map(|mark| mark.exp)
            .fold(chain.expires_at(), UnixTime::min);
        let metadata: Map<String, Value> = chain
            .metadata()
            .iter()
            .filter(|(entity_type, _)| types.is_empty() || types.contains(*entity_type))
            .map(|(entity_type, members)| (entity_type.clone(), members.clone()))
            .collect();
        let mut claims = Map::new();
        claims.insert("iss".into(), self.settings.id.as_str().into());
        claims.insert("sub".into(), chain.subject().as_str().into());
        claims.insert("metadata".into(), Value::Object(metadata));
        claims.insert("trust_chain".into(), json!(chain.tokens()));
        if !marks.is_empty() {
            let marks = marks.iter().map(
                |mark| json!({"trust_mark_type": mark.trust_mark_type, "trust_mark": &*mark.jwt}),
            );
            claims.insert("trust_marks".into(), marks.collect());
        }
        (claims, exp)
    }
}

fn refusal(error: &ResolveError) -> Error {
    let (code, description) = match error.kind {
        ResolveFault::Subject => (
            ErrorCode::InvalidSubject,
            "the subject's entity configuration is of no use",
        ),
        ResolveFault::NoAnchor => (
            ErrorCode::InvalidTrustChain,
            "no trust chain leads from the subject to the trust anchor",
        ),
        ResolveFault::Invalid(Step::Policy | Step::Metadata) => (
            ErrorCode::InvalidMetadata,
            "the subject's metadata does not comply with the policies above it",
        ),
        ResolveFault::Invalid(_) => (
            ErrorCode::InvalidTrustChain,
            "no trust chain from the subject to the trust anchor is valid",
        ),
        ResolveFault::Exhausted => (
            ErrorCode::TemporarilyUnavailable,
            "the search took too long; try again later",
        ),
    };
    Error::new(code, description)
}
