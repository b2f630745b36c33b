//! What is remembered: statements by (issuer, subject) and chains by subject, both bounded by what they weigh. Nothing serves
//! past its `exp`; failures are remembered briefly.
//!
//! Loads are coalesced: many logins through one portal ask each superior once, and all get the answer, also when it is a refusal.

use std::future::Future;
use std::sync::Arc;

use moka::future::Cache;

use super::held::Held;
use crate::clock::UnixTime;
use crate::federation::chain::TrustChain;
use crate::federation::entity::EntityId;
use crate::federation::resolve::ResolveError;
use crate::federation::statement::{EntityStatement, Reading};

/// (issuer, subject); a configuration has both the same.
pub(super) type Key = (EntityId, EntityId);
/// Subject and, when one was asked for, anchor.
pub(super) type ChainKey = (EntityId, Option<EntityId>);

#[derive(Debug, Clone)]
pub(super) enum StatementEntry {
    Held {
        statement: Arc<EntityStatement>,
        /// From then on it is fetched again, though it may still serve when that fails.
        refresh_at: UnixTime,
        /// The search that fetched it.
        run: u64,
        /// Why there is no newer one, when it was asked for.
        failure: Option<Arc<str>>,
    },
    Failed {
        reading: Arc<Reading>,
        until: UnixTime,
        run: u64,
    },
}

#[derive(Debug)]
pub(super) struct Statements(Cache<Key, Arc<StatementEntry>>);

impl Statements {
    pub(super) fn new(bytes: u64) -> Self {
        let weigh = |key: &Key, entry: &Arc<StatementEntry>| {
            let body = match &**entry {
                StatementEntry::Held { statement, .. } => statement.weight(),
                StatementEntry::Failed { reading, .. } => {
                    reading.statement().map_or(1_000, |s| s.weight())
                }
            };
            weight(key.0.as_str().len() + key.1.as_str().len() + body + 512)
        };
        Self(Cache::builder().max_capacity(bytes).weigher(weigh).build())
    }

    pub(super) async fn find(&self, key: &Key) -> Option<Arc<StatementEntry>> {
        self.0.get(key).await
    }

    /// What `load` brings, instead of what was `seen`; several callers share one load, and nobody replaces what another one
    /// has just brought.
    pub(super) async fn load(
        &self,
        key: &Key,
        seen: Option<&Arc<StatementEntry>>,
        load: impl Future<Output = StatementEntry>,
    ) -> Arc<StatementEntry> {
        let outdated =
            |entry: &Arc<StatementEntry>| seen.is_some_and(|seen| Arc::ptr_eq(seen, entry));
        self.0
            .entry(key.clone())
            .or_insert_with_if(async { Arc::new(load.await) }, outdated)
            .await
            .into_value()
    }

    /// Keeps a statement that came with a chain, unless there is one already; it is fetched again when next needed.
    pub(super) async fn keep(&self, statement: &Arc<EntityStatement>, now: UnixTime) {
        let key = (statement.iss.clone(), statement.sub.clone());
        self.0
            .entry(key)
            .or_insert_with(async {
                Arc::new(StatementEntry::Held {
                    statement: Arc::clone(statement),
                    refresh_at: now,
                    run: 0,
                    failure: None,
                })
            })
            .await;
    }

    pub(super) async fn weight(&self) -> u64 {
        self.0.run_pending_tasks().await;
        self.0.weighted_size()
    }
}

/// What is remembered of one subject, for operators.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Remembered {
    pub subject: EntityId,
    /// Where the chain ends, or was to end.
    pub anchor: Option<EntityId>,
    /// When the chain ends, or the failure is forgotten.
    pub until: UnixTime,
    /// When the chain is looked up again; `None` when there is none.
    pub refresh_at: Option<UnixTime>,
    /// Why there is none, or why it could not be renewed the last time.
    pub trouble: Option<String>,
}

#[derive(Debug)]
pub(super) enum ChainEntry {
    Held(Arc<Held>),
    Failed {
        error: Arc<ResolveError>,
        until: UnixTime,
    },
}

impl ChainEntry {
    pub(super) fn held(&self) -> Option<&Arc<Held>> {
        match self {
            Self::Held(held) => Some(held),
            Self::Failed { .. } => None,
        }
    }

    /// The chain that ran out, if that is why there is none.
    pub(super) fn lapsed(&self, now: UnixTime) -> Option<Arc<TrustChain>> {
        let chain = match self {
            Self::Held(held) => &held.chain,
            Self::Failed { error, .. } => error.lapsed.as_ref()?,
        };
        let ago = now.since(chain.expires_at());
        (0..super::LAPSED).contains(&ago).then(|| Arc::clone(chain))
    }
}

/// Chains by subject and, when one was asked for, anchor.
#[derive(Debug)]
pub(super) struct Chains(Cache<ChainKey, Arc<ChainEntry>>);

impl Chains {
    pub(super) fn new(bytes: u64) -> Self {
        let weigh = |key: &ChainKey, entry: &Arc<ChainEntry>| {
            let body = match &**entry {
                ChainEntry::Held(held) => held.chain.weight(),
                ChainEntry::Failed { error, .. } => {
                    let told = &error.explanation;
                    let notes: usize = told.notes.iter().map(String::len).sum();
                    let lapsed = error.lapsed.as_ref().map_or(0, |chain| chain.weight());
                    error.reason.len() + notes + 2_000 * (told.chains.len() + 1) + lapsed
                }
            };
            let anchor = key.1.as_ref().map_or(0, |id| id.as_str().len());
            weight(key.0.as_str().len() + anchor + body + 512)
        };
        Self(Cache::builder().max_capacity(bytes).weigher(weigh).build())
    }

    pub(super) async fn find(&self, key: &ChainKey) -> Option<Arc<ChainEntry>> {
        self.0.get(key).await
    }

    /// What `load` brings, instead of what was `seen`, as `Statements::load` does it.
    pub(super) async fn load(
        &self,
        key: &ChainKey,
        seen: Option<&Arc<ChainEntry>>,
        load: impl Future<Output = ChainEntry>,
    ) -> Arc<ChainEntry> {
        let outdated = |entry: &Arc<ChainEntry>| seen.is_some_and(|seen| Arc::ptr_eq(seen, entry));
        self.0
            .entry(key.clone())
            .or_insert_with_if(async { Arc::new(load.await) }, outdated)
            .await
            .into_value()
    }

    pub(super) async fn put(&self, key: &ChainKey, entry: ChainEntry) {
        self.0.insert(key.clone(), Arc::new(entry)).await;
    }

    pub(super) async fn forget(&self, key: &ChainKey) {
        self.0.invalidate(key).await;
    }

    /// All of them, those that end first before the others.
    pub(super) fn all(&self) -> Vec<Remembered> {
        let mut all: Vec<Remembered> = self
            .0
            .iter()
            .map(|(key, entry)| {
                let (subject, anchor) = (*key).clone();
                match &*entry {
                    ChainEntry::Held(held) => Remembered {
                        subject,
                        anchor: anchor.or_else(|| Some(held.chain.anchor().clone())),
                        until: held.chain.expires_at(),
                        refresh_at: Some(held.refresh_at()),
                        trouble: held.trouble(),
                    },
                    ChainEntry::Failed { error, until } => Remembered {
                        subject,
                        anchor,
                        until: *until,
                        refresh_at: None,
                        trouble: Some(error.reason.clone()),
                    },
                }
            })
            .collect();
        all.sort_by(|a, b| (a.until, &a.subject).cmp(&(b.until, &b.subject)));
        all
    }

    pub(super) fn forget_all(&self) {
        self.0.invalidate_all();
    }

    /// Every chain that is held, valid or not.
    pub(super) fn each(&self) -> impl Iterator<Item = (Arc<ChainKey>, Arc<Held>)> {
        self.0
            .iter()
            .filter_map(|(key, entry)| Some((key, Arc::clone(entry.held()?))))
    }

    pub(super) async fn weight(&self) -> u64 {
        self.0.run_pending_tasks().await;
        self.0.weighted_size()
    }
}

fn weight(bytes: usize) -> u32 {
    u32::try_from(bytes).unwrap_or(u32::MAX)
}
