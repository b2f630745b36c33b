//! Who stands below an authority, at any depth: found out from the lists of its own intermediates, never from what a
//! stranger says about itself. A resolve request for anybody else starts no search (OpenID Federation 1.0 §18.1).

use std::collections::HashSet;
use std::sync::Arc;

use futures_util::future::join_all;
use tokio::sync::Mutex;

use crate::clock::UnixTime;
use crate::federation::authority::{ListFilter, list};
use crate::federation::entity::EntityId;
use crate::federation::resolve::{Document, Resolver};
use crate::federation::statement::EntityStatement;
use crate::jose::json;
use crate::store::{Error, Store};

/// Seconds between two walks through the lists, whoever asks about whom.
const MOST_OFTEN: i64 = 15;
/// How many intermediates are asked in one walk, how deep, and how many entities are remembered.
const MOST_ASKED: usize = 500;
const MOST_LEVELS: usize = 8;
const MOST_KNOWN: usize = 100_000;

#[derive(Debug, Default)]
pub(super) struct Subtree(Mutex<Walk>);

#[derive(Debug, Default)]
struct Walk {
    at: Option<UnixTime>,
    known: HashSet<EntityId>,
}

impl Subtree {
    /// Whether `subject` stands below the authority whose store this is.
    pub(super) async fn contains(
        &self,
        subject: &EntityId,
        store: &Store,
        resolver: &Arc<Resolver>,
        now: UnixTime,
    ) -> Result<bool, Error> {
        let everyone = list(&mut *store.read().await?, &ListFilter::default(), now).await?;
        if everyone.contains(subject) {
            return Ok(true);
        }
        // Held while walking: whoever else asks meanwhile waits for the same walk.
        let mut walk = self.0.lock().await;
        if walk.known.contains(subject) {
            return Ok(true);
        }
        if walk.at.is_some_and(|at| now.since(at) < MOST_OFTEN) {
            return Ok(false);
        }
        let filter = ListFilter {
            intermediate: true,
            ..ListFilter::default()
        };
        let first = list(&mut *store.read().await?, &filter, now).await?;
        walk.known = below(first, resolver, now).await;
        walk.at = Some(now);
        Ok(walk.known.contains(subject))
    }
}

async fn below(first: Vec<EntityId>, resolver: &Arc<Resolver>, now: UnixTime) -> HashSet<EntityId> {
    let mut known = HashSet::new();
    let mut asked: HashSet<EntityId> = first.iter().cloned().collect();
    let mut level = first;
    for _ in 0..MOST_LEVELS {
        let answers = join_all(level.iter().map(|id| subordinates(id, resolver, now))).await;
        let mut next = Vec::new();
        for (everyone, intermediates) in answers {
            for id in everyone {
                if known.len() < MOST_KNOWN {
                    known.insert(id);
                }
            }
            for id in intermediates {
                if asked.len() < MOST_ASKED && asked.insert(id.clone()) {
                    next.push(id);
                }
            }
        }
        if next.is_empty() {
            break;
        }
        level = next;
    }
    known
}

/// What the intermediate `id` lists: everyone, and those that are intermediates themselves. Nothing when it is away.
async fn subordinates(
    id: &EntityId,
    resolver: &Arc<Resolver>,
    now: UnixTime,
) -> (Vec<EntityId>, Vec<EntityId>) {
    let ask = async |document: Document| resolver.fetcher().fetch(&document).await.ok();
    let Some(token) = ask(Document::Configuration(id.clone())).await else {
        return Default::default();
    };
    let endpoint = EntityStatement::parse(token.trim_ascii(), resolver.rules(), now)
        .ok()
        .filter(|statement| statement.sub == *id && statement.iss == *id)
        .filter(|statement| statement.verify(&statement.jwks).is_ok())
        .and_then(|statement| {
            statement
                .federation_entity("federation_list_endpoint")
                .map(str::to_owned)
        });
    let Some(endpoint) = endpoint else {
        return Default::default();
    };
    let read = |text: Option<String>| -> Vec<EntityId> {
        let listed = text.and_then(|text| json::parse(text.as_bytes()).ok());
        let ids = listed.as_ref().and_then(|listed| listed.as_array());
        ids.into_iter()
            .flatten()
            .filter_map(|id| EntityId::parse(id.as_str()?, resolver.rules().schemes).ok())
            .take(MOST_KNOWN)
            .collect()
    };
    let separator = if endpoint.contains('?') { '&' } else { '?' };
    let intermediates = format!("{endpoint}{separator}intermediate=true");
    let (everyone, intermediates) = futures_util::future::join(
        ask(Document::List { endpoint }),
        ask(Document::List {
            endpoint: intermediates,
        }),
    )
    .await;
    (read(everyone), read(intermediates))
}
