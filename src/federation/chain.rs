//! Trust chains (OpenID Federation 1.0 §4, §6, §10.2): from a list of statements to a subject that is trusted, with
//! the metadata that its superiors let it have.
//!
//! Every check leaves a line in the trace, so that `explain` can tell an operator, hop by hop, what held and what did
//! not; the checks are in `checks`. Where the statements come from is no matter here: `resolve` finds them.

mod checks;

use std::borrow::Borrow;
use std::sync::Arc;

use serde_json::{Map, Value};

use crate::clock::UnixTime;
pub use crate::federation::check::{ChainError, Check, Hop, Trace};
use crate::federation::entity::{EntityId, Schemes};
use crate::federation::policy::MetadataPolicy;
use crate::federation::statement::{EntityStatement, Failure, Reading, Rules, Step};
use crate::jose::JwkSet;
pub(super) use checks::overlay;

/// A trust anchor as an operator configured it: identifier and keys, both out of band.
#[derive(Debug, Clone)]
pub struct Anchor {
    pub id: EntityId,
    pub jwks: JwkSet,
}

/// The anchors that are accepted, the preferred ones first.
#[derive(Debug, Clone, Default)]
pub struct Anchors(Vec<Anchor>);

impl Anchors {
    pub fn new(anchors: Vec<Anchor>) -> Self {
        Self(anchors)
    }

    /// Reads anchors as configured: identifiers, each with the JWK Set that it was met with.
    pub fn parse<'a>(
        configured: impl IntoIterator<Item = (&'a str, &'a Value)>,
        schemes: Schemes,
    ) -> Result<Self, String> {
        let read = |(id, jwks): (&str, &Value)| {
            let jwks = JwkSet::parse_strict(jwks).map_err(|e| format!("trust anchor {id}: {e}"))?;
            let id = EntityId::parse(id, schemes).map_err(|e| format!("trust anchor {id}: {e}"))?;
            Ok(Anchor { id, jwks })
        };
        configured
            .into_iter()
            .map(read)
            .collect::<Result<_, _>>()
            .map(Self)
    }

    pub fn find(&self, id: &EntityId) -> Option<&Anchor> {
        self.0.iter().find(|anchor| anchor.id == *id)
    }

    /// Smaller is preferred.
    pub fn rank(&self, id: &EntityId) -> Option<usize> {
        self.0.iter().position(|anchor| anchor.id == *id)
    }

    /// The same anchors, those first that the subject itself names as its own (§3.1.2 `trust_anchor_hints`); our order
    /// decides among them, and among the others.
    #[must_use]
    pub fn preferring(&self, hints: &[EntityId]) -> Self {
        let (mut first, others): (Vec<_>, Vec<_>) = self
            .0
            .iter()
            .cloned()
            .partition(|anchor| hints.contains(&anchor.id));
        first.extend(others);
        Self(first)
    }

    pub fn iter(&self) -> impl Iterator<Item = &Anchor> {
        self.0.iter()
    }

    pub fn ids(&self) -> impl Iterator<Item = &EntityId> {
        self.0.iter().map(|anchor| &anchor.id)
    }

    pub fn len(&self) -> usize {
        self.0.len()
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Only the anchor `id`, when it is one of ours.
    #[must_use]
    pub fn only(&self, id: &EntityId) -> Self {
        Self(self.find(id).cloned().into_iter().collect())
    }
}

/// A chain whose every check held at the time it was made. It may be used until `expires_at`.
#[derive(Debug, Clone)]
pub struct TrustChain {
    statements: Vec<Arc<EntityStatement>>,
    anchor: EntityId,
    metadata: Map<String, Value>,
    policy: MetadataPolicy,
    expires_at: UnixTime,
    trace: Trace,
}

impl TrustChain {
    /// Validates a chain that somebody handed in: subject's configuration first, towards the anchor; the anchor's own
    /// configuration may be absent (§4). Stops at the first statement, and then at the first check, that fails.
    pub fn parse(
        tokens: &[impl AsRef<str>],
        anchors: &Anchors,
        rules: &Rules,
        now: UnixTime,
    ) -> Result<Self, ChainError> {
        Self::read(tokens, None, anchors, rules, now)
    }

    /// The same for a chain that begins with an explicit registration request to `provider` (§12.2.1).
    pub fn parse_request(
        tokens: &[impl AsRef<str>],
        provider: &EntityId,
        anchors: &Anchors,
        rules: &Rules,
        now: UnixTime,
    ) -> Result<Self, ChainError> {
        Self::read(tokens, Some(provider), anchors, rules, now)
    }

    fn read(
        tokens: &[impl AsRef<str>],
        provider: Option<&EntityId>,
        anchors: &Anchors,
        rules: &Rules,
        now: UnixTime,
    ) -> Result<Self, ChainError> {
        bearable(tokens.len(), rules)?;
        let mut readings = Vec::with_capacity(tokens.len());
        for (hop, token) in tokens.iter().enumerate() {
            let token = token.as_ref();
            let reading = match provider.filter(|_| hop == 0) {
                Some(provider) => Reading::of_request(token, provider, rules, now),
                None => Reading::of(token, rules, now),
            };
            let goes_on = reading.is_sound();
            readings.push(reading);
            if !goes_on {
                break;
            }
        }
        Self::judge(&readings, anchors, rules, now, Thoroughness::FirstFailure)
    }

    /// The same, but makes every check that can still be made after others failed: what an operator is told.
    pub fn examine(
        tokens: &[impl AsRef<str>],
        anchors: &Anchors,
        rules: &Rules,
        now: UnixTime,
    ) -> Result<Self, ChainError> {
        bearable(tokens.len(), rules)?;
        let readings: Vec<_> = tokens
            .iter()
            .map(|token| Reading::of(token.as_ref(), rules, now))
            .collect();
        Self::judge(&readings, anchors, rules, now, Thoroughness::EveryFailure)
    }

    /// Judges statements that were read already. Cheap checks first, signatures next, then constraints and policies.
    pub fn judge<R: Borrow<Reading>>(
        readings: &[R],
        anchors: &Anchors,
        rules: &Rules,
        now: UnixTime,
        thoroughness: Thoroughness,
    ) -> Result<Self, ChainError> {
        bearable(readings.len(), rules)?;
        let readings: Vec<&Reading> = readings.iter().map(Borrow::borrow).collect();
        let (outcome, trace) = checks::run(&readings, anchors, rules, now, thoroughness);
        match outcome {
            Ok(outcome) => Ok(Self {
                statements: readings
                    .iter()
                    .filter_map(|reading| reading.statement().cloned())
                    .collect(),
                anchor: outcome.anchor,
                metadata: outcome.metadata,
                policy: outcome.policy,
                expires_at: outcome.expires_at,
                trace,
            }),
            Err((hop, failure)) => Err(ChainError {
                hop,
                failure,
                trace,
            }),
        }
    }

    pub fn subject(&self) -> &EntityId {
        &self.statements[0].sub
    }

    pub fn anchor(&self) -> &EntityId {
        &self.anchor
    }

    /// The subject's metadata after superior's metadata, constraints and policies: the only one to be used (§6.1.4.2).
    pub fn metadata(&self) -> &Map<String, Value> {
        &self.metadata
    }

    /// The merged policy of the chain.
    pub fn policy(&self) -> &MetadataPolicy {
        &self.policy
    }

    /// §10.4: the least `exp` of all statements.
    pub fn expires_at(&self) -> UnixTime {
        self.expires_at
    }

    /// When the statement that ends first was issued: from there to `expires_at` is the chain's life.
    pub fn began_at(&self) -> UnixTime {
        let first = self.statements.iter().min_by_key(|s| s.exp);
        first.map_or(self.expires_at, |statement| statement.iat)
    }

    /// About how many bytes of memory it takes by itself: what stands above the immediate superior is shared by many.
    pub fn weight(&self) -> usize {
        let own = self.statements.iter().take(2);
        let checks: usize = self.trace.hops.iter().map(|hop| hop.checks.len()).sum();
        own.map(|statement| statement.weight()).sum::<usize>() + 32 * checks + 1_000
    }

    pub fn statements(&self) -> &[Arc<EntityStatement>] {
        &self.statements
    }

    pub fn subject_configuration(&self) -> &EntityStatement {
        &self.statements[0]
    }

    /// The same path, checked, with `request` where the subject's configuration stood.
    pub fn with_request(
        &self,
        request: Arc<EntityStatement>,
        anchors: &Anchors,
        rules: &Rules,
        now: UnixTime,
    ) -> Result<Self, ChainError> {
        let above = self.statements.iter().skip(1).cloned();
        let readings: Vec<Reading> = std::iter::once(request)
            .chain(above)
            .map(Reading::sound)
            .collect();
        Self::judge(&readings, anchors, rules, now, Thoroughness::FirstFailure)
    }

    /// Whether it begins with an explicit registration request (§12.2.1), not with what the subject publishes.
    pub fn is_request(&self) -> bool {
        self.subject_configuration()
            .configuration()
            .is_some_and(|configuration| configuration.audience.is_some())
    }

    /// What the immediate superior says about the subject; none when the subject is the anchor.
    pub fn superior_statement(&self) -> Option<&EntityStatement> {
        self.statements
            .get(1)
            .map(Arc::as_ref)
            .filter(|s| s.iss != s.sub)
    }

    /// The anchor's own configuration, when the chain holds it.
    pub fn anchor_configuration(&self) -> Option<&EntityStatement> {
        self.statements
            .last()
            .map(Arc::as_ref)
            .filter(|s| s.iss == self.anchor && s.sub == self.anchor)
    }

    /// The subject's federation keys, as vouched for by the superior. A key that only the subject itself shows is not
    /// among them.
    pub fn keys(&self) -> &JwkSet {
        self.superior_statement()
            .map_or(&self.statements[0].jwks, |statement| &statement.jwks)
    }

    /// Identifiers from the subject to the anchor.
    pub fn path(&self) -> Vec<&EntityId> {
        let mut path = vec![self.subject()];
        for statement in &self.statements[1..] {
            if statement.iss != statement.sub {
                path.push(&statement.iss);
            }
        }
        path
    }

    /// The chain as it is handed on (`trust_chain`).
    pub fn tokens(&self) -> Vec<&str> {
        self.statements
            .iter()
            .map(|statement| statement.jwt())
            .collect()
    }

    pub fn trace(&self) -> &Trace {
        &self.trace
    }
}

/// How far a judgement goes once something has failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Thoroughness {
    /// For a login: no signature is verified for a chain that is lost already.
    FirstFailure,
    /// For an operator: everything that is wrong.
    EveryFailure,
}

fn bearable(length: usize, rules: &Rules) -> Result<(), ChainError> {
    if (1..=rules.max_statements).contains(&length) {
        return Ok(());
    }
    let failure = Failure::new(Step::Form, "the chain has no bearable length");
    let mut trace = Trace::default();
    trace.failed(0, &failure);
    Err(ChainError {
        hop: 0,
        failure,
        trace,
    })
}
