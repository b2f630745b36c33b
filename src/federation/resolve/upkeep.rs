//! How chains stay good: looked up again while they serve, by whoever uses them or by a job ahead of time, and kept until
//! their end while superiors are away.
//!
//! A superior that is away, or answers with an unsigned error, changes nothing (§18.2): the remembered chain serves until its
//! end, and is tried again at the times of `backoff`. A newer, signed statement that makes the chain invalid ends it now.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use futures_util::stream::{self, StreamExt as _};

use super::backoff::next_attempt;
use super::cache::{ChainEntry, ChainKey};
use super::discovery::Found;
use super::held::{Claim, Held, Renewal};
use super::{ResolveError, Resolver};
use crate::clock::UnixTime;
use crate::federation::chain::Thoroughness::FirstFailure;
use crate::federation::chain::TrustChain;
use crate::federation::entity::EntityId;

/// How many chains one round of the job looks up again, and how many at once; what waits longest for its end is last.
const MOST_IN_ROUND: usize = 64;
const AT_ONCE: usize = 8;
/// How many notes wait for the job that writes them down.
const MOST_NOTES: usize = 200;

/// What the job that writes chains down is told by others.
#[derive(Debug, Default)]
pub(super) struct Journal(Mutex<Notes>);

#[derive(Debug, Default)]
pub(super) struct Notes {
    /// Chains that signed statements ended.
    pub(super) ended: BTreeSet<ChainKey>,
    /// Chains that could not be had or renewed: another node may have more luck.
    pub(super) missed: BTreeSet<ChainKey>,
}

impl Journal {
    fn note(&self, set: impl FnOnce(&mut Notes) -> &mut BTreeSet<ChainKey>, key: &ChainKey) {
        let mut notes = self.lock();
        let set = set(&mut notes);
        if set.len() < MOST_NOTES {
            set.insert(key.clone());
        }
    }

    pub(super) fn note_ended(&self, key: &ChainKey) {
        self.note(|notes| &mut notes.ended, key);
    }

    pub(super) fn note_missed(&self, key: &ChainKey) {
        self.note(|notes| &mut notes.missed, key);
    }

    pub(super) fn take(&self) -> Notes {
        std::mem::take(&mut *self.lock())
    }

    fn lock(&self) -> MutexGuard<'_, Notes> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The chains in memory, counted.
#[derive(Debug, Clone, Default)]
pub struct Survey {
    pub valid: usize,
    /// Of these, those whose last attempt to be renewed failed.
    pub failing: usize,
    /// When the first of them ends.
    pub next_expiry: Option<UnixTime>,
    /// Those in use that end soon and could not be renewed, each told once.
    pub endangered: Vec<Endangered>,
}

/// A chain in use of which less than a third of its life is left.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Endangered {
    pub subject: EntityId,
    pub anchor: EntityId,
    pub expires_at: UnixTime,
    pub reason: Arc<str>,
}

impl Resolver {
    /// Looks the chain up again while the remembered one goes on serving.
    pub(super) fn refresh(self: &Arc<Self>, claim: Claim, now: UnixTime) {
        let this = Arc::clone(self);
        tokio::spawn(async move { this.look_again(&claim, now).await });
    }

    async fn look_again(&self, claim: &Claim, now: UnixTime) {
        let (key, before) = (&claim.key, &claim.held);
        let (subject, anchors) = (&key.0, self.accepted(key.1.as_ref()));
        match self
            .search(subject, &anchors, now, false, FirstFailure)
            .await
        {
            Ok(found) => {
                let held = self.held(key, found, Some(before), now);
                self.chains.put(key, ChainEntry::Held(held)).await;
            }
            Err(error) if error.is_signed_evidence() => {
                tracing::warn!(%subject, reason = %error.reason, "a superior's newer statement ends a trust chain");
                self.chains.forget(key).await;
                self.journal.note_ended(key);
            }
            Err(error) => {
                let reason = match error.explanation.notes.first() {
                    Some(note) => format!("{}: {note}", error.reason),
                    None => error.reason.clone(),
                };
                self.postpone(key, before, &reason.into(), now);
            }
        }
    }

    /// What a search found, as it is remembered. What is only in part as new as it should be counts as a failed attempt; what is
    /// not new at all leaves the chain that was held `before` in its place.
    pub(super) fn held(
        &self,
        key: &ChainKey,
        found: Found,
        before: Option<&Arc<Held>>,
        now: UnixTime,
    ) -> Arc<Held> {
        let used_at = before.map_or(now, |before| before.used_at());
        let Some(reason) = found.stale else {
            let renewal = Renewal {
                renewed_at: now,
                failures: 0,
                last_failure: before.and_then(|before| before.renewal().last_failure),
            };
            let refresh_at = self.refresh_at(&found.chain, now);
            let held = Held::new(Arc::new(found.chain), refresh_at, renewal, used_at);
            if let Some(before) = before
                && before.chain.expires_at() >= held.chain.expires_at()
            {
                held.follows(before);
            }
            return held;
        };
        let held = match before {
            Some(before) if before.chain.tokens() == found.chain.tokens() => Arc::clone(before),
            before => {
                let renewal = match before {
                    Some(before) => before.renewal(),
                    None => Renewal::since(found.chain.began_at()),
                };
                Held::new(Arc::new(found.chain), now, renewal, used_at)
            }
        };
        self.postpone(key, &held, &reason, now);
        if before.is_some_and(|before| before.chain.expires_at() < held.chain.expires_at()) {
            // Those who answer prolong it: they are asked as usual, not as seldom as who is away.
            held.not_later_than(self.refresh_at(&held.chain, now));
        }
        held
    }

    fn postpone(&self, key: &ChainKey, held: &Held, reason: &Arc<str>, now: UnixTime) {
        let ends = held.chain.expires_at();
        let mut rng = self.settings.chance.rng();
        held.note_failure(now, reason, |failures| {
            next_attempt(failures, now, ends, &mut rng)
        });
        let next = held.refresh_at();
        tracing::info!(
            subject = %key.0, %reason, expires_at = %ends.to_rfc3339(), next_attempt = %next.to_rfc3339(),
            "a trust chain could not be renewed yet"
        );
        self.journal.note_missed(key);
    }

    /// Why there is no chain, with the one that there was until lately.
    pub(super) fn failed(
        &self,
        key: &ChainKey,
        error: Arc<ResolveError>,
        seen: Option<&ChainEntry>,
        now: UnixTime,
    ) -> Arc<ResolveError> {
        if error.is_signed_evidence() {
            self.journal.note_ended(key);
            return error;
        }
        self.journal.note_missed(key);
        match seen.and_then(|entry| entry.lapsed(now)) {
            None => error,
            lapsed => Arc::new(ResolveError {
                lapsed,
                ..Arc::unwrap_or_clone(error)
            }),
        }
    }

    /// Half of the chain's remaining life, but never longer than statements are remembered unasked.
    pub(super) fn refresh_at(&self, chain: &TrustChain, now: UnixTime) -> UnixTime {
        let half = chain.expires_at().since(now) / 2;
        now.plus(half.clamp(0, self.settings.limits.max_age))
    }

    /// Sees to it that a chain is remembered and not due, and hands it out: for a job that does its work ahead of time and one
    /// subject after the other, where `resolve_to` would look again behind its caller's back.
    pub async fn keep_warm(
        self: &Arc<Self>,
        subject: &EntityId,
        anchor: &EntityId,
        now: UnixTime,
    ) -> Result<Arc<TrustChain>, Arc<ResolveError>> {
        let key = (subject.clone(), Some(anchor.clone()));
        if let Some(entry) = self.chains.find(&key).await
            && let Some(held) = entry.held().filter(|held| held.serves(now))
        {
            held.note_use(now);
            if let Some(claim) = Claim::due(&key, held, now) {
                self.look_again(&claim, now).await;
            }
            if let Some(chain) = self.remembered_to(subject, anchor, now).await {
                return Ok(chain);
            }
        }
        self.resolve_to(subject, anchor, now).await
    }

    /// Looks for a chain without keeping it: for a job that goes through more subjects than chains are kept.
    pub async fn look_up(
        &self,
        subject: &EntityId,
        anchor: &EntityId,
        now: UnixTime,
    ) -> Result<TrustChain, Arc<ResolveError>> {
        let anchors = self.accepted(Some(anchor));
        let found = self.search(subject, &anchors, now, false, FirstFailure);
        found.await.map(|found| found.chain)
    }

    /// Looks up again what was used lately and would end without a login that asks for it; those first that end first. Returns
    /// how many were looked up. For a job on every node.
    pub async fn keep_ready(&self, now: UnixTime) -> usize {
        let mut due: Vec<_> = self
            .chains
            .each()
            .filter(|(_, held)| held.is_due_unasked(now))
            .collect();
        due.sort_by_key(|(_, held)| held.chain.expires_at());
        due.truncate(MOST_IN_ROUND);
        let looked = stream::iter(due)
            .filter_map(|(key, held)| std::future::ready(Claim::take(&key, &held)))
            .map(|claim| async move { self.look_again(&claim, now).await })
            .buffer_unordered(AT_ONCE)
            .count();
        looked.await
    }

    /// How the chains in memory stand.
    pub fn survey(&self, now: UnixTime) -> Survey {
        let mut survey = Survey::default();
        for (key, held) in self.chains.each() {
            if !held.serves(now) {
                continue;
            }
            let (ends, renewal) = (held.chain.expires_at(), held.renewal());
            survey.valid += 1;
            survey.failing += usize::from(renewal.failures > 0);
            survey.next_expiry = Some(survey.next_expiry.map_or(ends, |next| next.min(ends)));
            if held.is_endangered(now) && held.warn_once() {
                let reason = match renewal.last_failure {
                    Some((_, reason)) if renewal.failures > 0 => reason,
                    _ => "its superiors answer with the same statements as before".into(),
                };
                survey.endangered.push(Endangered {
                    subject: key.0.clone(),
                    anchor: held.chain.anchor().clone(),
                    expires_at: ends,
                    reason,
                });
            }
        }
        survey
    }

    /// About how many bytes are remembered: statements, and chains besides.
    pub async fn weight(&self) -> (u64, u64) {
        (self.statements.weight().await, self.chains.weight().await)
    }
}
