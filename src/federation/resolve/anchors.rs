//! The keys of trust anchors as time passes (OpenID Federation 1.0 §11.3): what was configured out of band, held against
//! what the anchor publishes.
//!
//! An anchor that changes its keys is followed only as far as it says so with a key that is still trusted. Whoever answers
//! at its address with other keys is not it, whatever they say.

use std::sync::{Arc, PoisonError};

use super::Resolver;
use crate::federation::chain::{Anchor, Anchors, TrustChain};
use crate::federation::entity::EntityId;
use crate::federation::statement::{EntityStatement, Failure};
use crate::jose::JwkSet;

impl Resolver {
    /// Takes over the keys that the anchor of a valid chain publishes now, when they are others than those trusted so far.
    /// The chain is valid: its anchor's configuration was verified with one of these. Only a newer configuration counts,
    /// so that an old one which somebody kept turns nothing back. The configuration of this node stays as it is; an
    /// operator reads in the log that it should follow.
    pub(super) fn follow_keys(&self, chain: &TrustChain) {
        let Some(own) = chain.anchor_configuration() else {
            return;
        };
        let anchors = self.anchors();
        let known = anchors.find(&own.sub);
        if known.is_none_or(|known| same_keys(&known.jwks, &own.jwks)) {
            return;
        }
        {
            let mut followed = self.followed.lock().unwrap_or_else(PoisonError::into_inner);
            let last = followed.entry(own.sub.clone()).or_default();
            if own.iat <= *last {
                return;
            }
            *last = own.iat;
        }
        let kids: Vec<_> = own
            .jwks
            .iter()
            .filter_map(|key| key.kid.as_deref())
            .collect();
        tracing::warn!(
            anchor = %own.sub, keys = ?kids,
            "a trust anchor changed its keys, and said so with one that was trusted: they are followed until this process \
             ends; put them into the configuration (federation.trust_anchors)"
        );
        let changed = anchors.iter().map(|anchor| Anchor {
            id: anchor.id.clone(),
            jwks: if anchor.id == own.sub {
                own.jwks.clone()
            } else {
                anchor.jwks.clone()
            },
        });
        self.replace_anchors(Anchors::new(changed.collect()));
    }
}

/// Whether who answers at an anchor's address has none of the keys that this anchor is known by.
pub(super) fn is_impostor(configuration: &EntityStatement, anchors: &Anchors) -> Option<Failure> {
    let anchor = anchors.find(&configuration.sub)?;
    configuration.verify(&anchor.jwks).err()
}

/// §11.3: to be heard by an operator; nothing is trusted meanwhile.
pub(super) fn alarm(anchor: &EntityId, failure: &Arc<Failure>) {
    tracing::error!(
        %anchor, %failure,
        "the configuration of a trust anchor is not signed with a key that is configured for it, fetched twice: it is not \
         trusted; compare the keys out of band"
    );
}

fn same_keys(a: &JwkSet, b: &JwkSet) -> bool {
    let within = |a: &JwkSet, b: &JwkSet| {
        a.iter().all(|key| {
            let other = key.kid.as_deref().and_then(|kid| b.find(kid));
            other.is_some_and(|other| other.thumbprint() == key.thumbprint())
        })
    };
    within(a, b) && within(b, a)
}
