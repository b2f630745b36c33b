//! Trust chains (OpenID Federation 1.0 §4, §6, §10.2): from a list of statements to a subject that is trusted, with
//! the metadata that its superiors let it have.
//!
//! Every check leaves a line in the trace, so that `explain` can tell an operator, hop by hop, what held and what did
//! not. Where the statements come from is no matter here: `resolve` finds them.

use std::sync::Arc;

use serde_json::{Map, Value};

use crate::clock::UnixTime;
pub use crate::federation::check::{ChainError, Check, Hop, Trace};
use crate::federation::constraints::Constraints;
use crate::federation::entity::{EntityId, OPENID_PROVIDER, Schemes};
use crate::federation::policy::MetadataPolicy;
use crate::federation::statement::{EntityStatement, Failure, Rules, Step};
use crate::jose::{Jwk, JwkSet};

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
    /// configuration may be absent (§4).
    pub fn parse(
        tokens: &[impl AsRef<str>],
        anchors: &Anchors,
        rules: &Rules,
        now: UnixTime,
    ) -> Result<Self, ChainError> {
        let mut trace = Trace::default();
        if tokens.is_empty() || tokens.len() > rules.max_statements {
            return Err(trace.fail(
                0,
                Failure::new(Step::Form, "the chain has no bearable length"),
            ));
        }
        let mut statements = Vec::with_capacity(tokens.len());
        for (hop, token) in tokens.iter().enumerate() {
            match EntityStatement::parse(token.as_ref(), rules, now) {
                Ok(statement) => statements.push(Arc::new(statement)),
                Err(failure) => return Err(trace.fail_alone(hop, failure)),
            }
        }
        Self::from_statements(statements, anchors, rules, now)
    }

    /// Validates statements that were already read. Cheap checks first, signatures next, then constraints and policies.
    pub fn from_statements(
        statements: Vec<Arc<EntityStatement>>,
        anchors: &Anchors,
        rules: &Rules,
        now: UnixTime,
    ) -> Result<Self, ChainError> {
        let mut trace = Trace::of(&statements);
        let outcome = Checks {
            statements: &statements,
            anchors,
            rules,
            now,
            trace: &mut trace,
        }
        .run();
        match outcome {
            Ok(Outcome {
                anchor,
                metadata,
                policy,
                expires_at,
            }) => Ok(Self {
                statements,
                anchor,
                metadata,
                policy,
                expires_at,
                trace,
            }),
            Err(Located { hop, failure }) => Err(trace.fail(hop, failure)),
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

    pub fn statements(&self) -> &[Arc<EntityStatement>] {
        &self.statements
    }

    pub fn subject_configuration(&self) -> &EntityStatement {
        &self.statements[0]
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

impl ChainError {
    /// A chain that cannot be judged because the statement at `hop` is missing or of no use.
    pub(super) fn missing(before: &[Arc<EntityStatement>], hop: usize, failure: Failure) -> Self {
        Trace::of(before).fail_alone(hop, failure)
    }
}

impl Trace {
    /// Statements that were read: every check of `Step::STATEMENT` held.
    pub(super) fn of(statements: &[Arc<EntityStatement>]) -> Self {
        let hops = statements.iter().map(|statement| Hop {
            iss: statement.iss.to_string(),
            sub: statement.sub.to_string(),
            expires_at: Some(statement.exp),
            kid: statement.kid.clone(),
            alg: statement.alg.to_string(),
            checks: Step::STATEMENT
                .iter()
                .map(|step| Check::held(*step))
                .collect(),
        });
        Self {
            hops: hops.collect(),
        }
    }
}

struct Checks<'a> {
    statements: &'a [Arc<EntityStatement>],
    anchors: &'a Anchors,
    rules: &'a Rules,
    now: UnixTime,
    trace: &'a mut Trace,
}

struct Outcome {
    anchor: EntityId,
    metadata: Map<String, Value>,
    policy: MetadataPolicy,
    expires_at: UnixTime,
}

struct Located {
    hop: usize,
    failure: Failure,
}

fn at(hop: usize) -> impl FnOnce(Failure) -> Located {
    move |failure| Located { hop, failure }
}

impl Checks<'_> {
    fn run(mut self) -> Result<Outcome, Located> {
        self.shape()?;
        self.links()?;
        self.hints()?;
        let anchor = self.anchor()?;
        self.signatures(&anchor)?;
        self.constraints()?;
        let policy = self.policies()?;
        let metadata = self.metadata(&policy)?;
        let expires_at = self
            .statements
            .iter()
            .map(|s| s.exp)
            .min()
            .unwrap_or_default();
        Ok(Outcome {
            anchor: anchor.id,
            metadata,
            policy,
            expires_at,
        })
    }

    /// ES[0] is a configuration; those between are subordinate statements; the last may be the anchor's configuration.
    fn shape(&mut self) -> Result<(), Located> {
        let last = self.statements.len().saturating_sub(1);
        if self.statements.is_empty() || self.statements.len() > self.rules.max_statements {
            return Err(at(0)(Failure::new(
                Step::Form,
                "the chain has no bearable length",
            )));
        }
        for (hop, statement) in self.statements.iter().enumerate() {
            // A cached statement may have expired since it was read.
            statement
                .check_expiry(self.rules, self.now)
                .map_err(at(hop))?;
            let is_configuration = statement.iss == statement.sub;
            let fits = match hop {
                0 => is_configuration,
                _ if hop == last => true,
                _ => !is_configuration,
            };
            if !fits {
                let reason = "the chain must run from the subject's configuration through subordinate statements";
                return Err(at(hop)(Failure::new(Step::Issuer, reason)));
            }
        }
        Ok(())
    }

    /// §4: ES[j].iss = ES[j+1].sub.
    fn links(&mut self) -> Result<(), Located> {
        for (hop, pair) in self.statements.windows(2).enumerate() {
            if pair[0].iss != pair[1].sub {
                let reason = format!(
                    "issued by {}, but the next statement is about {}",
                    pair[0].iss, pair[1].sub
                );
                return Err(at(hop)(Failure::new(Step::Link, reason)));
            }
            self.trace.held(hop, Step::Link);
        }
        // The same entity twice is a loop (§17.1).
        let mut seen = std::collections::HashSet::new();
        for (hop, statement) in self.statements.iter().enumerate().skip(1) {
            if statement.iss != statement.sub && !seen.insert(&statement.sub) {
                return Err(at(hop)(Failure::new(
                    Step::Link,
                    format_args!("{} appears twice", statement.sub),
                )));
            }
        }
        Ok(())
    }

    /// §3.2: the superior is one that the subject itself names. Of the entities between, the chain has no configuration.
    fn hints(&mut self) -> Result<(), Located> {
        let Some(superior) = self.statements.get(1) else {
            return Ok(());
        };
        let hints = self.statements[0]
            .configuration()
            .map(|c| c.authority_hints.as_slice());
        if superior.iss != superior.sub && !hints.unwrap_or_default().contains(&superior.iss) {
            let reason = format!(
                "{} is not among the authority_hints of {}",
                superior.iss, superior.sub
            );
            return Err(at(1)(Failure::new(Step::AuthorityHints, reason)));
        }
        self.trace.held(1, Step::AuthorityHints);
        Ok(())
    }

    fn anchor(&mut self) -> Result<Anchor, Located> {
        let hop = self.statements.len() - 1;
        let last = &self.statements[hop];
        match self.anchors.find(&last.iss) {
            Some(anchor) => {
                self.trace.held(hop, Step::Anchor);
                Ok(anchor.clone())
            }
            None => Err(at(hop)(Failure::new(
                Step::Anchor,
                format_args!("{} is not a configured trust anchor", last.iss),
            ))),
        }
    }

    fn signatures(&mut self, anchor: &Anchor) -> Result<(), Located> {
        for (hop, statement) in self.statements.iter().enumerate() {
            // The last one with the keys that were configured, not merely with its own (§4).
            let keys = match self.statements.get(hop + 1) {
                Some(next) => &next.jwks,
                None => &anchor.jwks,
            };
            if hop == 0 && self.statements.len() > 1 {
                // Both the subject's own set and its superior's must hold the key; the same key, so one verification.
                let own = statement.jwks.find(&statement.kid);
                let vouched = keys.find(&statement.kid);
                if own.is_none() {
                    statement.verify(&statement.jwks).map_err(at(hop))?;
                }
                let same =
                    own.is_some() && own.map(Jwk::thumbprint) == vouched.map(Jwk::thumbprint);
                if !same {
                    let reason = format!(
                        "{} does not vouch for the key {:?}",
                        self.statements[1].iss, statement.kid
                    );
                    return Err(at(hop)(Failure::new(Step::Pinned, reason)));
                }
                // As the superior describes the key: its `use` and `alg` count.
                statement.verify(keys).map_err(at(hop))?;
                self.trace.held(hop, Step::Key);
                self.trace.held(hop, Step::Signature);
                self.trace.held(hop, Step::Pinned);
                continue;
            }
            statement.verify(keys).map_err(at(hop))?;
            self.trace.held(hop, Step::Key);
            self.trace.held(hop, Step::Signature);
        }
        Ok(())
    }

    /// §6.2: every statement's constraints independently, about everything below its issuer.
    fn constraints(&mut self) -> Result<(), Located> {
        for hop in 1..self.statements.len() {
            let Some(subordinate) = self.statements[hop].subordinate() else {
                continue;
            };
            let constraints: &Constraints = &subordinate.constraints;
            constraints
                .check_path_length(hop - 1)
                .map_err(|e| at(hop)(Failure::new(Step::PathLength, e)))?;
            self.trace.held(hop, Step::PathLength);
            for below in &self.statements[1..=hop] {
                constraints
                    .check_name(&below.sub.host())
                    .map_err(|e| at(hop)(Failure::new(Step::Naming, e)))?;
            }
            self.trace.held(hop, Step::Naming);
        }
        Ok(())
    }

    /// §6.1.4.1: from the anchor's statement down to the immediate superior's.
    fn policies(&mut self) -> Result<MetadataPolicy, Located> {
        let mut merged = MetadataPolicy::default();
        for hop in (1..self.statements.len()).rev() {
            let Some(subordinate) = self.statements[hop].subordinate() else {
                continue;
            };
            // hefu implements the standard operators only.
            if let Some(name) = subordinate.critical_operators.first() {
                let reason = format!("the critical policy operator {name} is not understood");
                return Err(at(hop)(Failure::new(Step::Policy, reason)));
            }
            merged = merged
                .merge(subordinate.policy.clone())
                .map_err(|e| at(hop)(Failure::new(Step::Policy, e)))?;
            self.trace.held(hop, Step::Policy);
        }
        Ok(merged)
    }

    /// §3.1.1, §6.1.4.2, §6.2.3, in their order.
    fn metadata(&mut self, policy: &MetadataPolicy) -> Result<Map<String, Value>, Located> {
        let subject = &self.statements[0];
        let mut metadata = subject.metadata.clone();
        if let Some(superior) = self.statements.get(1).filter(|s| s.subordinate().is_some()) {
            overlay(&mut metadata, &superior.metadata);
        }
        for statement in &self.statements[1..] {
            if let Some(subordinate) = statement.subordinate() {
                subordinate.constraints.remove_types(&mut metadata);
            }
        }
        let fail = |reason: &dyn std::fmt::Display| at(0)(Failure::new(Step::Metadata, reason));
        policy.apply(&mut metadata).map_err(|e| fail(&e))?;
        for (entity_type, members) in &metadata {
            let members = members.as_object().into_iter().flatten();
            if let Some((name, _)) = members.clone().find(|(_, value)| value.is_null()) {
                return Err(fail(&format!("{entity_type}.{name} is null")));
            }
        }
        // §5.1.3, §5.1.4: these name their own issuer.
        for entity_type in [OPENID_PROVIDER, "oauth_authorization_server"] {
            let issuer = metadata
                .get(entity_type)
                .and_then(|members| members.get("issuer"));
            if issuer.is_some_and(|issuer| issuer.as_str() != Some(subject.sub.as_str())) {
                return Err(fail(&format!(
                    "{entity_type}.issuer is not the entity identifier"
                )));
            }
        }
        self.trace.held(0, Step::Metadata);
        Ok(metadata)
    }
}

/// §3.1.1: the superior's parameters replace the subject's one by one, and only for types that the subject declares.
fn overlay(metadata: &mut Map<String, Value>, superior: &Map<String, Value>) {
    for (entity_type, members) in superior {
        if let (Some(Value::Object(own)), Value::Object(given)) =
            (metadata.get_mut(entity_type), members)
        {
            for (name, value) in given {
                own.insert(name.clone(), value.clone());
            }
        }
    }
}
