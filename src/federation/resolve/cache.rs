//! What is remembered: statements by (issuer, subject) and chains by subject. Nothing past its `exp`; failures briefly.
//!
//! Loads are coalesced: many logins through one portal ask each superior once.

use std::future::Future;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};

use moka::future::Cache;

use crate::clock::UnixTime;
use crate::federation::chain::TrustChain;
use crate::federation::entity::EntityId;
use crate::federation::resolve::ResolveError;
use crate::federation::statement::{EntityStatement, Reading};

/// (issuer, subject); a configuration has both the same.
pub(super) type Key = (EntityId, EntityId);

#[derive(Debug, Clone)]
pub(super) enum StatementEntry {
    Held {
        statement: Arc<EntityStatement>,
        /// From then on it is fetched again, though it may still serve when that fails.
        refresh_at: UnixTime,
        /// The search that fetched it.
        run: u64,
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
                // The parsed form weighs several times the text.
                StatementEntry::Held { statement, .. } => 4 * statement.jwt().len(),
                StatementEntry::Failed { reading, .. } => {
                    reading.statement().map_or(1_000, |s| 4 * s.jwt().len())
                }
            };
            u32::try_from(key.0.as_str().len() + key.1.as_str().len() + body + 512)
                .unwrap_or(u32::MAX)
        };
        Self(Cache::builder().max_capacity(bytes).weigher(weigh).build())
    }

    pub(super) async fn find(&self, key: &Key) -> Option<Arc<StatementEntry>> {
        self.0.get(key).await
    }

    /// Replaces what is remembered by what `load` brings; several callers share one load.
    pub(super) async fn load(
        &self,
        key: &Key,
        stale: bool,
        load: impl Future<Output = StatementEntry>,
    ) -> Arc<StatementEntry> {
        if stale {
            self.0.invalidate(key).await;
        }
        self.0
            .get_with(key.clone(), async { Arc::new(load.await) })
            .await
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
    Held(Held),
    Failed {
        error: Arc<ResolveError>,
        until: UnixTime,
    },
}

#[derive(Debug)]
pub(super) struct Held {
    pub(super) chain: Arc<TrustChain>,
    refresh_at: AtomicI64,
    refreshing: AtomicBool,
    /// Why it could not be renewed the last time.
    trouble: RwLock<Option<String>>,
}

impl Held {
    /// Whether the chain should be looked up again; says so to one caller only.
    pub(super) fn due(&self, now: UnixTime) -> bool {
        now.0 >= self.refresh_at.load(Ordering::Relaxed)
            && !self.refreshing.swap(true, Ordering::Relaxed)
    }
}

impl ChainEntry {
    pub(super) fn held(chain: Arc<TrustChain>, refresh_at: UnixTime) -> Self {
        Self::Held(Held {
            chain,
            refresh_at: AtomicI64::new(refresh_at.0),
            refreshing: AtomicBool::new(false),
            trouble: RwLock::new(None),
        })
    }
}

/// Chains by subject and, when one was asked for, anchor.
#[derive(Debug)]
pub(super) struct Chains(Cache<(EntityId, Option<EntityId>), Arc<ChainEntry>>);

impl Chains {
    pub(super) fn new() -> Self {
        // The statements inside are shared with those remembered one by one.
        Self(Cache::new(10_000))
    }

    pub(super) async fn find(
        &self,
        subject: &EntityId,
        anchor: Option<&EntityId>,
    ) -> Option<Arc<ChainEntry>> {
        self.0.get(&(subject.clone(), anchor.cloned())).await
    }

    pub(super) async fn load(
        &self,
        subject: &EntityId,
        anchor: Option<&EntityId>,
        load: impl Future<Output = ChainEntry>,
    ) -> Arc<ChainEntry> {
        self.0
            .get_with((subject.clone(), anchor.cloned()), async {
                Arc::new(load.await)
            })
            .await
    }

    pub(super) async fn put(
        &self,
        subject: &EntityId,
        anchor: Option<&EntityId>,
        entry: ChainEntry,
    ) -> Arc<ChainEntry> {
        let entry = Arc::new(entry);
        let key = (subject.clone(), anchor.cloned());
        self.0.insert(key, Arc::clone(&entry)).await;
        entry
    }

    pub(super) async fn forget(&self, subject: &EntityId, anchor: Option<&EntityId>) {
        self.0.invalidate(&(subject.clone(), anchor.cloned())).await;
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
                        refresh_at: Some(UnixTime(held.refresh_at.load(Ordering::Relaxed))),
                        trouble: held
                            .trouble
                            .read()
                            .unwrap_or_else(PoisonError::into_inner)
                            .clone(),
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

    pub(super) async fn postpone(
        &self,
        subject: &EntityId,
        anchor: Option<&EntityId>,
        until: UnixTime,
        trouble: &str,
    ) {
        if let Some(entry) = self.find(subject, anchor).await
            && let ChainEntry::Held(held) = &*entry
        {
            held.refresh_at.store(until.0, Ordering::Relaxed);
            held.refreshing.store(false, Ordering::Relaxed);
            *held.trouble.write().unwrap_or_else(PoisonError::into_inner) =
                Some(trouble.to_owned());
        }
    }
}
