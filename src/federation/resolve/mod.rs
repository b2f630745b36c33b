//! From an entity identifier to a trust chain: follows `authority_hints`, collects statements, lets `chain` judge.
//!
//! Everything a stranger can influence is bounded here: hints, depth, visits, fetches, time, and what is remembered.
//! How a document travels is `network`'s (or a test's) knowledge; what is remembered, and until when, `cache`'s.

mod anchors;
mod cache;
mod discovery;
mod network;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::Duration;

use tokio::sync::Semaphore;

use crate::clock::UnixTime;
use crate::crypto::BoxFuture;
use crate::federation::chain::Thoroughness::{EveryFailure, FirstFailure};
use crate::federation::chain::{Anchors, TrustChain};
use crate::federation::entity::EntityId;
use crate::federation::explain::Explanation;
use crate::federation::statement::{EntityStatement, Reading, Rules, Step};
use crate::federation::trust_mark::Statuses;

pub use cache::Remembered;
use cache::{ChainEntry, Chains, Statements};
pub use network::Network;

/// Something that is asked of another party.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Document {
    /// §9.
    Configuration(EntityId),
    /// §8.1.
    Subordinate { endpoint: String, subject: EntityId },
    /// §8.2.
    List { endpoint: String },
    /// §5.2.1: a plain JWK Set of the entity's protocol keys.
    Jwks { url: String },
    /// §5.2.1: the same, signed with a federation key.
    SignedJwks { url: String },
    /// OIDC Registration 5: the redirect URIs of one sector.
    Sector { url: String },
    /// §8.4: asked by POST.
    TrustMarkStatus {
        endpoint: String,
        trust_mark: String,
    },
    /// §8.6.
    TrustMark {
        endpoint: String,
        trust_mark_type: String,
        subject: EntityId,
    },
}

/// How documents are fetched: over `outbound` in a node, from memory in tests.
pub trait Fetch: Send + Sync + std::fmt::Debug {
    fn fetch<'a>(&'a self, document: &'a Document) -> BoxFuture<'a, Result<String, FetchError>>;
}

/// No document came. Errors are unsigned (§18.2): they never take trust away by themselves.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FetchError {
    /// The other side answered, but not with the document.
    #[error("{0}")]
    Answer(String),
    /// No answer, or none that we may ask for.
    #[error("{0}")]
    Unreachable(String),
}

/// Bounds of one resolution and of what is remembered.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// How many `authority_hints` of one entity are looked at, in their order.
    pub hints: usize,
    /// How many entities may stand in one chain.
    pub depth: usize,
    /// How many steps the search may take in all, whether or not they cost a fetch.
    pub visits: usize,
    /// How many documents one resolution may fetch.
    pub fetches: usize,
    /// For one resolution.
    pub time: Duration,
    /// Resolutions under way at once.
    pub concurrent: usize,
    /// Seconds after which a statement is fetched again even when it lives longer.
    pub max_age: i64,
    /// Seconds for which a failure is remembered.
    pub negative_age: i64,
    /// Bytes of statements that are remembered.
    pub memory: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            hints: 10,
            depth: 10,
            visits: 100,
            fetches: 50,
            time: Duration::from_secs(20),
            concurrent: 64,
            max_age: 600,
            negative_age: 30,
            memory: 64 * 1024 * 1024,
        }
    }
}

impl Limits {
    /// With the bounds that a configuration sets.
    #[must_use]
    pub fn bounded(self, by: crate::config::federation::Resolution) -> Self {
        Self {
            depth: by.max_depth.map_or(self.depth, |n| n.get().into()),
            hints: by.max_hints.map_or(self.hints, |n| n.get().into()),
            fetches: by.max_fetches.map_or(self.fetches, |n| n.get().into()),
            time: by
                .seconds
                .map_or(self.time, |n| Duration::from_secs(n.get().into())),
            ..self
        }
    }
}

/// What a resolver trusts and accepts.
#[derive(Debug, Clone, Default)]
pub struct Settings {
    pub anchors: Anchors,
    pub rules: Rules,
    pub limits: Limits,
}

/// Resolves entities to chains and remembers both statements and chains until they end.
#[derive(Debug)]
pub struct Resolver {
    fetch: Arc<dyn Fetch>,
    anchors: RwLock<Arc<Anchors>>,
    /// When each anchor issued the configuration whose keys are followed.
    followed: Mutex<HashMap<EntityId, UnixTime>>,
    settings: Settings,
    statements: Statements,
    chains: Chains,
    /// For searches that strangers can start.
    places: Semaphore,
    /// Subjects that were found once.
    proven: moka::future::Cache<EntityId, ()>,
    statuses: Statuses,
}

/// Why there is no chain. `explanation` tells an operator what was tried.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{subject}: {reason}")]
pub struct ResolveError {
    pub subject: EntityId,
    pub kind: ResolveFault,
    pub reason: String,
    pub explanation: Arc<Explanation>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ResolveFault {
    /// The subject's configuration could not be had, or is not one.
    Subject,
    /// No path of hints ends at an accepted anchor.
    NoAnchor,
    /// There are paths, but no valid chain; the step at which the first one failed.
    Invalid(Step),
    /// Bounds were reached before an answer was found; trying again later may help.
    Exhausted,
}

impl Resolver {
    pub fn new(fetch: Arc<dyn Fetch>, settings: Settings) -> Arc<Self> {
        Arc::new(Self {
            fetch,
            statements: Statements::new(settings.limits.memory),
            chains: Chains::new(),
            places: Semaphore::new(settings.limits.concurrent),
            proven: moka::future::Cache::new(10_000),
            anchors: RwLock::new(Arc::new(settings.anchors.clone())),
            followed: Mutex::default(),
            settings,
            statuses: Statuses::default(),
        })
    }

    /// The anchors that are accepted now.
    pub fn anchors(&self) -> Arc<Anchors> {
        Arc::clone(&self.anchors.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Accepts other anchors, or the same with other keys, from now on (§11.3). Chains that are remembered are
    /// forgotten: they were judged by the old ones.
    pub fn replace_anchors(&self, anchors: Anchors) {
        *self.anchors.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(anchors);
        self.chains.forget_all();
    }

    fn accepted(&self, only: Option<&EntityId>) -> Arc<Anchors> {
        match only {
            Some(id) => Arc::new(self.anchors().only(id)),
            None => self.anchors(),
        }
    }

    /// The chains that are remembered, those that end first before the others.
    pub fn all_remembered(&self) -> Vec<Remembered> {
        self.chains.all()
    }

    pub fn rules(&self) -> &Rules {
        &self.settings.rules
    }

    pub fn fetcher(&self) -> &Arc<dyn Fetch> {
        &self.fetch
    }

    /// What issuers of trust marks said lately.
    pub fn statuses(&self) -> &Statuses {
        &self.statuses
    }

    /// A chain from `subject` to any accepted anchor. `hint` is a `trust_chain` that somebody handed in: it saves the
    /// search when it holds, is verified like any chain, and is replaced by what the superiors say now soon after.
    pub async fn resolve(
        self: &Arc<Self>,
        subject: &EntityId,
        hint: Option<&[String]>,
        now: UnixTime,
    ) -> Result<Arc<TrustChain>, Arc<ResolveError>> {
        self.resolve_with(subject, None, hint, now).await
    }

    /// A chain from `subject` to the anchor `anchor`, which must be one of ours.
    pub async fn resolve_to(
        self: &Arc<Self>,
        subject: &EntityId,
        anchor: &EntityId,
        now: UnixTime,
    ) -> Result<Arc<TrustChain>, Arc<ResolveError>> {
        self.resolve_with(subject, Some(anchor), None, now).await
    }

    /// The same with a chain that somebody handed in, as `resolve` takes one.
    pub async fn resolve_to_with(
        self: &Arc<Self>,
        subject: &EntityId,
        anchor: &EntityId,
        hint: &[String],
        now: UnixTime,
    ) -> Result<Arc<TrustChain>, Arc<ResolveError>> {
        self.resolve_with(subject, Some(anchor), Some(hint), now)
            .await
    }

    /// The chain that is remembered and still valid, without asking anybody.
    pub async fn remembered(&self, subject: &EntityId, now: UnixTime) -> Option<Arc<TrustChain>> {
        match &*self.chains.find(subject, None).await? {
            ChainEntry::Held(held) if now < held.chain.expires_at() => {
                Some(Arc::clone(&held.chain))
            }
            _ => None,
        }
    }

    /// A chain that begins with `request`, which was handed to us and need not be what its subject publishes (§12.2). Nothing
    /// of it is remembered here.
    pub async fn resolve_request(
        &self,
        request: &Arc<EntityStatement>,
        now: UnixTime,
    ) -> Result<TrustChain, Arc<ResolveError>> {
        let (anchors, own) = (
            self.anchors(),
            Arc::new(Reading::sound(Arc::clone(request))),
        );
        let found = self.search_from(Some(&own), &request.sub, &anchors, now, false, FirstFailure);
        found.await.map(|(chain, _)| chain)
    }

    /// Looks everything up again now, for a caller that has reason to believe that what is remembered is old.
    pub async fn renew(
        self: &Arc<Self>,
        subject: &EntityId,
        now: UnixTime,
    ) -> Result<Arc<TrustChain>, Arc<ResolveError>> {
        let (chain, _) = self
            .search(subject, &self.anchors(), now, true, FirstFailure)
            .await?;
        let refresh_at = self.refresh_at(&chain, now);
        let chain = Arc::new(chain);
        let entry = ChainEntry::held(Arc::clone(&chain), refresh_at);
        self.chains.put(subject, None, entry).await;
        Ok(chain)
    }

    /// Resolves without using anything remembered, and tells what was tried: `hefu federation explain`.
    pub async fn explain(self: &Arc<Self>, subject: &EntityId, now: UnixTime) -> Explanation {
        match self
            .search(subject, &self.anchors(), now, true, EveryFailure)
            .await
        {
            Ok((_, explanation)) => explanation,
            Err(error) => Explanation::clone(&error.explanation),
        }
    }

    async fn resolve_with(
        self: &Arc<Self>,
        subject: &EntityId,
        anchor: Option<&EntityId>,
        hint: Option<&[String]>,
        now: UnixTime,
    ) -> Result<Arc<TrustChain>, Arc<ResolveError>> {
        let mut failed = None;
        if let Some(entry) = self.chains.find(subject, anchor).await {
            match &*entry {
                ChainEntry::Held(held) if now < held.chain.expires_at() => {
                    if held.due(now) {
                        self.refresh(subject, anchor, now);
                    }
                    return Ok(Arc::clone(&held.chain));
                }
                ChainEntry::Failed { error, until } if now < *until => {
                    failed = Some(Arc::clone(error));
                }
                _ => self.chains.forget(subject, anchor).await,
            }
        }
        let anchors = self.accepted(anchor);
        if let Some(chain) = hint.and_then(|hint| self.accept_hint(subject, hint, &anchors, now)) {
            // Authentic, but perhaps not the newest: whoever hands it in chose it. So it is looked up at once.
            let entry = ChainEntry::held(Arc::new(chain), now);
            let entry = self.chains.put(subject, anchor, entry).await;
            if let ChainEntry::Held(held) = &*entry {
                if held.due(now) {
                    self.refresh(subject, anchor, now);
                }
                return Ok(Arc::clone(&held.chain));
            }
        }
        // A chain that came with the request may still be good where our own search failed; one that is not good does not
        // make us search again, or a stranger could have us ask others as often as they please.
        if let Some(error) = failed {
            return Err(error);
        }
        let entry = self
            .chains
            .load(subject, anchor, async {
                match self
                    .search(subject, &anchors, now, false, FirstFailure)
                    .await
                {
                    Ok((chain, _)) => {
                        let refresh_at = self.refresh_at(&chain, now);
                        ChainEntry::held(Arc::new(chain), refresh_at)
                    }
                    Err(error) => ChainEntry::Failed {
                        error,
                        until: now.plus(self.settings.limits.negative_age),
                    },
                }
            })
            .await;
        match &*entry {
            ChainEntry::Held(held) => Ok(Arc::clone(&held.chain)),
            ChainEntry::Failed { error, .. } => Err(Arc::clone(error)),
        }
    }

    fn accept_hint(
        &self,
        subject: &EntityId,
        hint: &[String],
        anchors: &Anchors,
        now: UnixTime,
    ) -> Option<TrustChain> {
        match TrustChain::parse(hint, anchors, &self.settings.rules, now) {
            // No leeway here: a chain that has run out is not remembered.
            Ok(chain) if chain.subject() == subject && now < chain.expires_at() => Some(chain),
            Ok(_) => None,
            Err(error) => {
                tracing::debug!(%subject, %error, "the trust chain that was handed in does not hold");
                None
            }
        }
    }

    /// Half of the chain's remaining life, but never longer than statements are remembered unasked.
    fn refresh_at(&self, chain: &TrustChain, now: UnixTime) -> UnixTime {
        let half = chain.expires_at().since(now) / 2;
        now.plus(half.clamp(0, self.settings.limits.max_age))
    }

    /// Looks the chain up again while the remembered one goes on serving. A superior that is away, or answers with an
    /// unsigned error, changes nothing (§18.2): the remembered chain serves until its end. A newer, signed statement
    /// that makes the chain invalid ends it now.
    fn refresh(self: &Arc<Self>, subject: &EntityId, anchor: Option<&EntityId>, now: UnixTime) {
        let (this, subject, anchor) = (Arc::clone(self), subject.clone(), anchor.cloned());
        tokio::spawn(async move { this.look_again(&subject, anchor.as_ref(), now).await });
    }

    async fn look_again(&self, subject: &EntityId, anchor: Option<&EntityId>, now: UnixTime) {
        let anchors = self.accepted(anchor);
        match self
            .search(subject, &anchors, now, false, FirstFailure)
            .await
        {
            Ok((chain, _)) => {
                let refresh_at = self.refresh_at(&chain, now);
                let entry = ChainEntry::held(Arc::new(chain), refresh_at);
                self.chains.put(subject, anchor, entry).await;
            }
            Err(error) if error.is_signed_evidence() => {
                tracing::warn!(%subject, reason = %error.reason, "a superior's newer statement ends a trust chain");
                self.chains.forget(subject, anchor).await;
            }
            Err(error) => {
                tracing::info!(%subject, reason = %error.reason, "a trust chain could not be renewed yet");
                let again = now.plus(self.settings.limits.negative_age);
                self.chains
                    .postpone(subject, anchor, again, &error.reason)
                    .await;
            }
        }
    }

    /// Sees to it that a chain is remembered and not due, and hands it out: for a job that does its work ahead of time and one
    /// subject after the other, where `resolve_to` would look again behind its caller's back.
    pub async fn keep_warm(
        self: &Arc<Self>,
        subject: &EntityId,
        anchor: &EntityId,
        now: UnixTime,
    ) -> Result<Arc<TrustChain>, Arc<ResolveError>> {
        if let Some(entry) = self.chains.find(subject, Some(anchor)).await
            && let ChainEntry::Held(held) = &*entry
            && now < held.chain.expires_at()
        {
            if held.due(now) {
                self.look_again(subject, Some(anchor), now).await;
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
        found.await.map(|(chain, _)| chain)
    }

    /// The chain to `anchor` that is remembered and still valid, without asking anybody.
    pub async fn remembered_to(
        &self,
        subject: &EntityId,
        anchor: &EntityId,
        now: UnixTime,
    ) -> Option<Arc<TrustChain>> {
        match &*self.chains.find(subject, Some(anchor)).await? {
            ChainEntry::Held(held) if now < held.chain.expires_at() => {
                Some(Arc::clone(&held.chain))
            }
            _ => None,
        }
    }
}

impl ResolveError {
    /// Whether the refusal rests on statements whose signatures were verified.
    pub fn is_signed_evidence(&self) -> bool {
        matches!(
            self.kind,
            ResolveFault::Invalid(Step::Policy | Step::Metadata | Step::PathLength | Step::Naming)
        )
    }
}
