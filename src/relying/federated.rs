//! `Trust` by trust chains: asks the `federation` room and puts its answer into the words of a portal.

use std::sync::Arc;

use serde_json::Value;

use crate::clock::UnixTime;
use crate::crypto::BoxFuture;
use crate::federation::entity::{FEDERATION_ENTITY, OPENID_PROVIDER, OPENID_RELYING_PARTY};
use crate::federation::registration::Localized;
use crate::federation::statement::EntityStatement;
use crate::federation::{EntityId, Resolver, TrustChain};
use crate::relying::registration::Ways;
use crate::relying::trust::{Hop, OwnChain, Trust, Untrusted, Vouched};

/// Resolves through the portal's own resolver, hence to the anchors the portal was configured with.
#[derive(Debug, Clone)]
pub struct Federated {
    resolver: Arc<Resolver>,
}

impl Federated {
    pub fn new(resolver: Arc<Resolver>) -> Self {
        Self { resolver }
    }

    async fn chain(&self, entity: &str, now: UnixTime) -> Result<Arc<TrustChain>, Untrusted> {
        let id = EntityId::parse(entity, self.resolver.rules().schemes)
            .map_err(|e| Untrusted(e.to_string()))?;
        self.resolver
            .resolve(&id, None, now)
            .await
            .map_err(|e| Untrusted(e.to_string()))
    }
}

impl Trust for Federated {
    fn provider<'a>(
        &'a self,
        issuer: &'a str,
        now: UnixTime,
    ) -> BoxFuture<'a, Result<Vouched, Untrusted>> {
        Box::pin(async move {
            let chain = self.chain(issuer, now).await?;
            match chain.metadata().get(OPENID_PROVIDER) {
                Some(Value::Object(metadata)) => Ok(Vouched {
                    metadata: Arc::new(metadata.clone()),
                    chain: hops(&chain),
                }),
                _ => Err(Untrusted(format!("{issuer} is not an OpenID Provider"))),
            }
        })
    }

    fn ways<'a>(
        &'a self,
        id: &'a str,
        issuer: &'a str,
        now: UnixTime,
    ) -> BoxFuture<'a, Result<Ways, Untrusted>> {
        Box::pin(async move {
            let peer = self.chain(issuer, now).await?;
            let rules = *self.resolver.rules();
            let id = EntityId::parse(id, rules.schemes).map_err(|e| Untrusted(e.to_string()))?;
            let own = self.resolver.resolve_to(&id, peer.anchor(), now).await;
            let own = own.map_err(|e| Untrusted(e.to_string()))?;
            Ok(Ways { own, peer, rules })
        })
    }

    fn own_chain<'a>(&'a self, id: &'a str, now: UnixTime) -> BoxFuture<'a, Option<OwnChain>> {
        Box::pin(async move {
            match self.chain(id, now).await {
                Ok(chain) => Some(OwnChain {
                    statements: chain.tokens().into_iter().map(str::to_owned).collect(),
                    chain: hops(&chain),
                }),
                Err(error) => {
                    // A login may go on: what counts is what the provider finds.
                    tracing::warn!(%error, "our own trust chain does not hold");
                    None
                }
            }
        })
    }
}

/// The chain in words. Each party is called what its superior calls it, the anchor what it calls itself.
fn hops(chain: &TrustChain) -> Vec<Hop> {
    let about = |entity: &EntityId| {
        chain
            .statements()
            .iter()
            .find(|s| s.sub == *entity && s.iss != s.sub)
    };
    chain
        .path()
        .into_iter()
        .map(|entity| {
            let superior = about(entity);
            let name = match superior {
                Some(statement) => name_in(statement),
                None => chain.anchor_configuration().and_then(name_in),
            };
            Hop {
                entity: entity.to_string(),
                name_en: name.as_ref().map(|name| name.best(&["en"]).to_owned()),
                name: name.map(|name| name.best(&["zh-CN", "zh-Hans", "zh"]).to_owned()),
                vouched_until: superior.map(|statement| statement.exp),
            }
        })
        .collect()
}

fn name_in(statement: &EntityStatement) -> Option<Localized> {
    [OPENID_RELYING_PARTY, OPENID_PROVIDER, FEDERATION_ENTITY]
        .iter()
        .filter_map(|entity_type| statement.metadata.get(*entity_type)?.as_object())
        .find_map(|members| {
            ["client_name", "display_name", "organization_name"]
                .iter()
                .find_map(|name| Localized::parse(members, name))
        })
}
