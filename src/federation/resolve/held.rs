//! One chain in memory: when it was used, when it is looked up again, and what came of the last attempts.

use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::cache::ChainKey;
use crate::clock::UnixTime;
use crate::federation::chain::TrustChain;

/// Seconds after which a chain that nobody uses is no longer looked up ahead of time.
const USED_LATELY: i64 = 86_400;
/// Seconds by which the table may be behind with the time of last use.
const USE_COUNTS: i64 = 3_600;

#[derive(Debug)]
pub(super) struct Held {
    pub(super) chain: Arc<TrustChain>,
    renewal: Mutex<Renewal>,
    refresh_at: AtomicI64,
    refreshing: AtomicBool,
    used_at: AtomicI64,
    /// The time of last use that the table holds; `i64::MIN` while it lacks something else.
    saved_use: AtomicI64,
    warned: AtomicBool,
}

/// What came of the attempts to renew a chain.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Renewal {
    /// When all superiors gave what was asked.
    pub(super) renewed_at: UnixTime,
    /// Attempts since then.
    pub(super) failures: u32,
    pub(super) last_failure: Option<(UnixTime, Arc<str>)>,
}

impl Renewal {
    pub(super) fn since(renewed_at: UnixTime) -> Self {
        Self {
            renewed_at,
            ..Self::default()
        }
    }
}

impl Held {
    pub(super) fn new(
        chain: Arc<TrustChain>,
        refresh_at: UnixTime,
        renewal: Renewal,
        used_at: UnixTime,
    ) -> Arc<Self> {
        Arc::new(Self {
            chain,
            renewal: Mutex::new(renewal),
            refresh_at: AtomicI64::new(refresh_at.0),
            refreshing: AtomicBool::new(false),
            used_at: AtomicI64::new(used_at.0),
            saved_use: AtomicI64::new(i64::MIN),
            warned: AtomicBool::new(false),
        })
    }

    pub(super) fn serves(&self, now: UnixTime) -> bool {
        now < self.chain.expires_at()
    }

    pub(super) fn note_use(&self, now: UnixTime) {
        self.used_at.fetch_max(now.0, Ordering::Relaxed);
    }

    pub(super) fn used_at(&self) -> UnixTime {
        UnixTime(self.used_at.load(Ordering::Relaxed))
    }

    pub(super) fn refresh_at(&self) -> UnixTime {
        UnixTime(self.refresh_at.load(Ordering::Relaxed))
    }

    /// Why it could not be renewed the last time; none when it could.
    pub(super) fn trouble(&self) -> Option<String> {
        let renewal = self.renewal();
        let (_, reason) = renewal.last_failure.filter(|_| renewal.failures > 0)?;
        Some(reason.to_string())
    }

    pub(super) fn renewal(&self) -> Renewal {
        self.lock().clone()
    }

    /// Whether it is to be looked up again now that somebody uses it.
    fn is_due(&self, now: UnixTime) -> bool {
        now >= self.refresh_at()
    }

    /// The same where nobody waits for it: not before half of its life, unless that did not succeed before; not at all once
    /// nobody has used it for a day.
    pub(super) fn is_due_unasked(&self, now: UnixTime) -> bool {
        let half = || {
            let (began, ends) = (self.chain.began_at(), self.chain.expires_at());
            now.since(began) * 2 >= ends.since(began)
        };
        self.serves(now)
            && self.is_due(now)
            && self.is_used_lately(now)
            && (self.lock().failures > 0 || half())
    }

    fn is_used_lately(&self, now: UnixTime) -> bool {
        now.since(self.used_at()) < USED_LATELY
    }

    /// An attempt failed; the next one is at `next(failures)`.
    pub(super) fn note_failure(
        &self,
        now: UnixTime,
        reason: &Arc<str>,
        next: impl FnOnce(u32) -> UnixTime,
    ) {
        let mut renewal = self.lock();
        renewal.failures = renewal.failures.saturating_add(1);
        renewal.last_failure = Some((now, Arc::clone(reason)));
        let next = next(renewal.failures);
        drop(renewal);
        self.refresh_at.store(next.0, Ordering::Relaxed);
        self.unsave();
    }

    pub(super) fn not_later_than(&self, refresh_at: UnixTime) {
        self.refresh_at.fetch_min(refresh_at.0, Ordering::Relaxed);
    }

    /// Whether less than a third of its life is left although it is in use and was tried to be renewed.
    pub(super) fn is_endangered(&self, now: UnixTime) -> bool {
        let (began, ends) = (self.chain.began_at(), self.chain.expires_at());
        let renewal = self.lock();
        // Superiors that give the same statements again do not prolong anything.
        let in_vain = renewal.renewed_at.since(began) * 2 >= ends.since(began);
        self.serves(now)
            && self.is_used_lately(now)
            && ends.since(now) * 3 < ends.since(began)
            && (renewal.failures > 0 || in_vain)
    }

    /// True once.
    pub(super) fn warn_once(&self) -> bool {
        !self.warned.swap(true, Ordering::Relaxed)
    }

    /// What was said about its predecessor is not said again.
    pub(super) fn follows(&self, before: &Self) {
        let warned = before.warned.load(Ordering::Relaxed);
        self.warned.store(warned, Ordering::Relaxed);
    }

    pub(super) fn is_saved(&self) -> bool {
        let saved = self.saved_use.load(Ordering::Relaxed);
        saved != i64::MIN && self.used_at().0 - saved < USE_COUNTS
    }

    pub(super) fn note_saved(&self, used_at: UnixTime) {
        self.saved_use.store(used_at.0, Ordering::Relaxed);
    }

    pub(super) fn unsave(&self) {
        self.saved_use.store(i64::MIN, Ordering::Relaxed);
    }

    fn lock(&self) -> MutexGuard<'_, Renewal> {
        self.renewal.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The right to look a chain up again: one at a time has it. Given back when dropped, whatever became of the attempt.
#[derive(Debug)]
pub(super) struct Claim {
    pub(super) key: ChainKey,
    pub(super) held: Arc<Held>,
}

impl Claim {
    /// For somebody who uses the chain.
    pub(super) fn due(key: &ChainKey, held: &Arc<Held>, now: UnixTime) -> Option<Self> {
        held.is_due(now).then(|| Self::take(key, held)).flatten()
    }

    pub(super) fn take(key: &ChainKey, held: &Arc<Held>) -> Option<Self> {
        let taken = held.refreshing.swap(true, Ordering::Acquire);
        (!taken).then(|| Self {
            key: key.clone(),
            held: Arc::clone(held),
        })
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        self.held.refreshing.store(false, Ordering::Release);
    }
}
