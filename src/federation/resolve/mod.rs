//! From an entity identifier to a trust chain: follows `authority_hints`, collects statements, lets `chain` judge.
//!
//! Everything a stranger can influence is bounded here: hints, depth, visits, fetches, time, and what is remembered.
//! How a document travels is `network`'s (or a test's) knowledge; what is remembered, and until when, `cache`'s; how chains are
//! renewed ahead of time, and go on while superiors are away, `upkeep`'s; how they outlive this process, `remembered`'s.

mod anchors;
mod backoff;
mod cache;
mod discovery;
mod held;
mod network;
pub mod remembered;
mod upkeep;

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
use crate::random::RngSource;

pub use cache::Remembered;
use cache::{ChainEntry, Chains, Statements};
use held::{Claim, Held, Renewal};
pub use network::Network;
use upkeep::Journal;
pub use upkeep::{Endangered, Survey};

/// Seconds for which a chain that ran out is known to have been one.
const LAPSED: i64 = 7 * 86_400;

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
    /// Bytes of chains that are remembered, besides.
    pub chain_memory: u64,
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
            memory: 192 * 1024 * 1024,
            chain_memory: 256 * 1024 * 1024,
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
            memory: by.statement_memory_mib.map_or(self.memory, mebibytes),
            chain_memory: by.chain_memory_mib.map_or(self.chain_memory, mebibytes),
            ..self
        }
    }
}

fn mebibytes(n: std::num::NonZeroU16) -> u64 {
    u64::from(n.get()) * 1024 * 1024
}

/// What a resolver trusts and accepts.
#[derive(Debug, Clone, Default)]
pub struct Settings {
    pub anchors: Anchors,
    pub rules: Rules,
    pub limits: Limits,
    /// Spreads attempts over time.
    pub chance: RngSource,
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
    journal: Journal,
}

/// Why there is no chain. `explanation` tells an operator what was tried.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{subject}: {reason}")]
pub struct ResolveError {
    pub subject: EntityId,
    pub kind: ResolveFault,
    pub reason: String,
    pub explanation: Arc<Explanation>,
    /// The chain that was good until lately, and that nobody could or would renew.
    pub lapsed: Option<Arc<TrustChain>>,
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
            chains: Chains::new(settings.limits.chain_memory),
            places: Semaphore::new(settings.limits.concurrent),
            proven: moka::future::Cache::new(10_000),
            anchors: RwLock::new(Arc::new(settings.anchors.clone())),
            followed: Mutex::default(),
            settings,
            statuses: Statuses::default(),
            journal: Journal::default(),
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

    pub fn limits(&self) -> &Limits {
        &self.settings.limits
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
        self.chain_in_memory(subject, None, now).await
    }

    /// The chain to `anchor` that is remembered and still valid, without asking anybody.
    pub async fn remembered_to(
        &self,
        subject: &EntityId,
        anchor: &EntityId,
        now: UnixTime,
    ) -> Option<Arc<TrustChain>> {
        self.chain_in_memory(subject, Some(anchor), now).await
    }

    async fn chain_in_memory(
        &self,
        subject: &EntityId,
        anchor: Option<&EntityId>,
        now: UnixTime,
    ) -> Option<Arc<TrustChain>> {
        let entry = self
            .chains
            .find(&(subject.clone(), anchor.cloned()))
            .await?;
        let held = entry.held().filter(|held| held.serves(now))?;
        Some(Arc::clone(&held.chain))
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
        found.await.map(|found| found.chain)
    }

    /// Looks everything up again now, for a caller that has reason to believe that what is remembered is old.
    pub async fn renew(
        self: &Arc<Self>,
        subject: &EntityId,
        now: UnixTime,
    ) -> Result<Arc<TrustChain>, Arc<ResolveError>> {
        let found = self
            .search(subject, &self.anchors(), now, true, FirstFailure)
            .await?;
        let key = (subject.clone(), None);
        let before = self.chains.find(&key).await;
        let before = before.as_deref().and_then(ChainEntry::held);
        let held = self.held(&key, found, before, now);
        let chain = Arc::clone(&held.chain);
        self.chains.put(&key, ChainEntry::Held(held)).await;
        Ok(chain)
    }

    /// Resolves without using anything remembered, and tells what was tried: `hefu federation explain`.
    pub async fn explain(self: &Arc<Self>, subject: &EntityId, now: UnixTime) -> Explanation {
        match self
            .search(subject, &self.anchors(), now, true, EveryFailure)
            .await
        {
            Ok(found) => found.explanation,
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
        let key = (subject.clone(), anchor.cloned());
        let seen = self.chains.find(&key).await;
        let mut failed = None;
        match seen.as_deref() {
            Some(ChainEntry::Held(held)) if held.serves(now) => {
                held.note_use(now);
                if let Some(claim) = Claim::due(&key, held, now) {
                    self.refresh(claim, now);
                }
                return Ok(Arc::clone(&held.chain));
            }
            Some(ChainEntry::Failed { error, until }) if now < *until => {
                failed = Some(Arc::clone(error));
            }
            _ => {}
        }
        let anchors = self.accepted(anchor);
        if let Some(chain) = hint.and_then(|hint| self.accept_hint(subject, hint, &anchors, now)) {
            // Authentic, but perhaps not the newest: whoever hands it in chose it. So it is looked up at once.
            let renewal = Renewal::since(chain.began_at());
            let held = Held::new(Arc::new(chain), now, renewal, now);
            self.chains
                .put(&key, ChainEntry::Held(Arc::clone(&held)))
                .await;
            if let Some(claim) = Claim::due(&key, &held, now) {
                self.refresh(claim, now);
            }
            return Ok(Arc::clone(&held.chain));
        }
        // A chain that came with the request may still be good where our own search failed; one that is not good does not
        // make us search again, or a stranger could have us ask others as often as they please.
        if let Some(error) = failed {
            return Err(error);
        }
        let search = async {
            match Box::pin(self.search(subject, &anchors, now, false, FirstFailure)).await {
                Ok(found) => ChainEntry::Held(self.held(&key, found, None, now)),
                Err(error) => ChainEntry::Failed {
                    error: self.failed(&key, error, seen.as_deref(), now),
                    until: now.plus(self.settings.limits.negative_age),
                },
            }
        };
        match &*self.chains.load(&key, seen.as_ref(), search).await {
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
