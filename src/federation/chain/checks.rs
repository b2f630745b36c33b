//! The checks of a whole chain (OpenID Federation 1.0 §4, §6, §10.2), in their order: shape, links, hints, anchor,
//! signatures, constraints, policies, metadata. Each notes what held and what failed; whether the next is still made
//! after a failure is the caller's wish. A chain holds only when nothing failed at all.

use serde_json::{Map, Value};

use super::{Anchor, Anchors, Thoroughness, Trace};
use crate::clock::UnixTime;
use crate::federation::entity::{EntityId, OPENID_PROVIDER};
use crate::federation::policy::MetadataPolicy;
use crate::federation::statement::{EntityStatement, Failure, Reading, Rules, Step};
use crate::jose::Jwk;

pub(super) struct Outcome {
    pub(super) anchor: EntityId,
    pub(super) metadata: Map<String, Value>,
    pub(super) policy: MetadataPolicy,
    pub(super) expires_at: UnixTime,
}

pub(super) fn run(
    readings: &[&Reading],
    anchors: &Anchors,
    rules: &Rules,
    now: UnixTime,
    thoroughness: Thoroughness,
) -> (Result<Outcome, (usize, Failure)>, Trace) {
    let mut checks = Checks {
        statements: readings
            .iter()
            .map(|reading| reading.statement().map(AsRef::as_ref))
            .collect(),
        anchors,
        rules,
        now,
        thorough: thoroughness == Thoroughness::EveryFailure,
        trace: Trace {
            hops: readings.iter().map(|r| r.hop().clone()).collect(),
        },
        first: None,
    };
    for (hop, reading) in readings.iter().enumerate() {
        if let Some(failure) = reading.failure() {
            checks.first.get_or_insert((hop, failure.clone()));
        }
    }
    let outcome = checks.all();
    let judged = match (checks.first, outcome) {
        (Some(failure), _) => Err(failure),
        (None, Some(outcome)) => Ok(outcome),
        // Nothing is left out without a failure being noted; should it ever be, nothing is believed.
        (None, None) => Err((0, Failure::new(Step::Form, "the chain is incomplete"))),
    };
    (judged, checks.trace)
}

struct Checks<'a> {
    /// None where nothing could be read.
    statements: Vec<Option<&'a EntityStatement>>,
    anchors: &'a Anchors,
    rules: &'a Rules,
    now: UnixTime,
    thorough: bool,
    trace: Trace,
    first: Option<(usize, Failure)>,
}

impl<'a> Checks<'a> {
    fn all(&mut self) -> Option<Outcome> {
        self.goes_on()?;
        self.shape();
        self.goes_on()?;
        self.links();
        self.goes_on()?;
        self.hints();
        self.goes_on()?;
        let anchor = self.anchor();
        self.goes_on()?;
        self.signatures(anchor.as_ref());
        self.goes_on()?;
        self.constraints();
        self.goes_on()?;
        let policy = self.policies();
        self.goes_on()?;
        let policy = policy?;
        let metadata = self.metadata(&policy)?;
        Some(Outcome {
            anchor: anchor?.id,
            metadata,
            policy,
            expires_at: self.statements.iter().flatten().map(|s| s.exp).min()?,
        })
    }

    fn goes_on(&self) -> Option<()> {
        (self.thorough || self.first.is_none()).then_some(())
    }

    fn fail(&mut self, hop: usize, failure: Failure) {
        self.trace.failed(hop, &failure);
        self.first.get_or_insert((hop, failure));
    }

    /// Notes the result of a check.
    fn note(&mut self, hop: usize, step: Step, result: Result<(), Failure>) {
        match result {
            Ok(()) => self.trace.held(hop, step),
            Err(failure) => self.fail(hop, failure),
        }
    }

    fn at(&self, hop: usize) -> Option<&'a EntityStatement> {
        self.statements.get(hop).copied().flatten()
    }

    /// ES[0] is a configuration; those between are subordinate statements; the last may be the anchor's configuration.
    fn shape(&mut self) {
        let last = self.statements.len() - 1;
        for hop in 0..=last {
            let Some(statement) = self.at(hop) else {
                continue;
            };
            // A cached statement may have expired since it was read.
            if let Err(failure) = statement.check_expiry(self.rules, self.now) {
                self.fail(hop, failure);
            }
            let is_configuration = statement.iss == statement.sub;
            let fits = match hop {
                0 => is_configuration,
                _ if hop == last => true,
                _ => !is_configuration,
            };
            if !fits {
                let reason = "the chain must run from the subject's configuration through subordinate statements";
                self.fail(hop, Failure::new(Step::Issuer, reason));
            }
        }
    }

    /// §4: ES[j].iss = ES[j+1].sub.
    fn links(&mut self) {
        for hop in 0..self.statements.len() - 1 {
            let (Some(below), Some(above)) = (self.at(hop), self.at(hop + 1)) else {
                continue;
            };
            let linked = if below.iss == above.sub {
                Ok(())
            } else {
                Err(Failure::new(
                    Step::Link,
                    format_args!(
                        "issued by {}, but the next statement is about {}",
                        below.iss, above.sub
                    ),
                ))
            };
            self.note(hop, Step::Link, linked);
        }
        // The same entity twice is a loop (§17.1).
        let mut seen = std::collections::HashSet::new();
        for hop in 1..self.statements.len() {
            let Some(statement) = self.at(hop) else {
                continue;
            };
            if statement.iss != statement.sub && !seen.insert(&statement.sub) {
                let reason = format_args!("{} appears twice", statement.sub);
                self.fail(hop, Failure::new(Step::Link, reason));
            }
        }
    }

    /// §3.2: the superior is one that the subject itself names. Of the entities between, the chain has no configuration.
    fn hints(&mut self) {
        let (Some(subject), Some(superior)) = (self.at(0), self.at(1)) else {
            return;
        };
        let hints = subject
            .configuration()
            .map(|c| c.authority_hints.as_slice())
            .unwrap_or_default();
        let named = if superior.iss == superior.sub || hints.contains(&superior.iss) {
            Ok(())
        } else {
            Err(Failure::new(
                Step::AuthorityHints,
                format_args!(
                    "{} is not among the authority_hints of {}",
                    superior.iss, superior.sub
                ),
            ))
        };
        self.note(1, Step::AuthorityHints, named);
    }

    fn anchor(&mut self) -> Option<Anchor> {
        let hop = self.statements.len() - 1;
        let last = self.at(hop)?;
        let anchor = self.anchors.find(&last.iss).cloned();
        let known = match &anchor {
            Some(_) => Ok(()),
            None => Err(Failure::new(
                Step::Anchor,
                format_args!("{} is not a configured trust anchor", last.iss),
            )),
        };
        self.note(hop, Step::Anchor, known);
        anchor
    }

    fn signatures(&mut self, anchor: Option<&Anchor>) {
        for hop in 0..self.statements.len() {
            if self.goes_on().is_none() {
                return;
            }
            let is_last = hop + 1 == self.statements.len();
            // The last one with the keys that were configured, not merely with its own (§4).
            let keys = if is_last {
                anchor.map(|anchor| &anchor.jwks)
            } else {
                self.at(hop + 1).map(|next| &next.jwks)
            };
            let (Some(statement), Some(keys)) = (self.at(hop), keys) else {
                continue;
            };
            // One whose own signature failed when it was fetched need not hear of it again.
            let told = |step| self.trace.has_failed(hop, step);
            if told(Step::Key) || told(Step::Signature) {
                continue;
            }
            if hop == 0 && !is_last {
                // Both the subject's own set and its superior's must hold the key; the same key, so one verification.
                let own = statement.jwks.find(&statement.kid);
                let vouched = keys.find(&statement.kid);
                if own.is_none()
                    && let Err(failure) = statement.verify(&statement.jwks)
                {
                    self.fail(hop, failure);
                    continue;
                }
                if own.is_none() || own.map(Jwk::thumbprint) != vouched.map(Jwk::thumbprint) {
                    let superior = self.at(1).map(|s| s.iss.as_str()).unwrap_or_default();
                    let reason =
                        format_args!("{superior} does not vouch for the key {:?}", statement.kid);
                    self.fail(hop, Failure::new(Step::Pinned, reason));
                    continue;
                }
            }
            // As the superior describes the key: its `use` and `alg` count.
            match statement.verify(keys) {
                Ok(()) => {
                    self.trace.held(hop, Step::Key);
                    self.trace.held(hop, Step::Signature);
                    if hop == 0 && !is_last {
                        self.trace.held(hop, Step::Pinned);
                    }
                }
                Err(failure) => {
                    if failure.step == Step::Signature {
                        self.trace.held(hop, Step::Key);
                    }
                    self.fail(hop, failure);
                }
            }
        }
    }

    /// §6.2: every statement's constraints independently, about everything below its issuer.
    fn constraints(&mut self) {
        for hop in 1..self.statements.len() {
            // Constraints that could not be read say nothing; that they could not was noted.
            let Some(subordinate) = self.at(hop).and_then(EntityStatement::subordinate) else {
                continue;
            };
            if self.trace.has_failed(hop, Step::Claims) {
                continue;
            }
            let constraints = &subordinate.constraints;
            let length = constraints
                .check_path_length(hop - 1)
                .map_err(|e| Failure::new(Step::PathLength, e));
            self.note(hop, Step::PathLength, length);
            for below in 1..=hop {
                if self.goes_on().is_none() {
                    return;
                }
                let Some(below) = self.at(below) else {
                    continue;
                };
                if let Err(e) = constraints.check_name(&below.sub.host()) {
                    self.fail(hop, Failure::new(Step::Naming, e));
                }
            }
            self.trace.held(hop, Step::Naming);
        }
    }

    /// §6.1.4.1: from the anchor's statement down to the immediate superior's. None when the policies cannot be merged,
    /// or one of them is not known.
    fn policies(&mut self) -> Option<MetadataPolicy> {
        let mut merged = Some(MetadataPolicy::default());
        for hop in (1..self.statements.len()).rev() {
            self.goes_on()?;
            let Some(statement) = self.at(hop) else {
                merged = None;
                continue;
            };
            let Some(subordinate) = statement.subordinate() else {
                continue;
            };
            // hefu implements the standard operators only.
            if !subordinate.critical_operators.is_empty() {
                let names = subordinate.critical_operators.join(", ");
                let reason = format_args!("the critical policy operator {names} is not understood");
                self.fail(hop, Failure::new(Step::Policy, reason));
            }
            if self.trace.has_failed(hop, Step::Policy) {
                merged = None;
                continue;
            }
            let Some(superior) = merged.take() else {
                continue;
            };
            match superior.merge_or_tell(subordinate.policy.clone()) {
                Ok(both) => {
                    merged = Some(both);
                    self.trace.held(hop, Step::Policy);
                }
                Err(faults) => {
                    for fault in faults.iter() {
                        self.fail(hop, Failure::new(Step::Policy, fault));
                    }
                }
            }
        }
        merged
    }

    /// §3.1.1, §6.1.4.2, §6.2.3, in their order.
    fn metadata(&mut self, policy: &MetadataPolicy) -> Option<Map<String, Value>> {
        let subject = self.at(0)?;
        let mut metadata = subject.metadata.clone();
        if let Some(superior) = self.at(1).filter(|s| s.subordinate().is_some()) {
            overlay(&mut metadata, &superior.metadata);
        }
        for statement in self.statements[1..].iter().flatten() {
            if let Some(subordinate) = statement.subordinate() {
                subordinate.constraints.remove_types(&mut metadata);
            }
        }
        if let Err(faults) = policy.apply_or_tell(&mut metadata) {
            for fault in faults.iter() {
                self.fail(0, Failure::new(Step::Metadata, fault));
            }
        }
        for (entity_type, members) in &metadata {
            let members = members.as_object().into_iter().flatten();
            for (name, _) in members.filter(|(_, value)| value.is_null()) {
                let reason = format_args!("{entity_type}.{name} is null");
                self.fail(0, Failure::new(Step::Metadata, reason));
            }
        }
        // §5.1.3, §5.1.4: these name their own issuer.
        for entity_type in [OPENID_PROVIDER, "oauth_authorization_server"] {
            let issuer = metadata
                .get(entity_type)
                .and_then(|members| members.get("issuer"));
            if issuer.is_some_and(|issuer| issuer.as_str() != Some(subject.sub.as_str())) {
                let reason = format_args!("{entity_type}.issuer is not the entity identifier");
                self.fail(0, Failure::new(Step::Metadata, reason));
            }
        }
        self.trace.held(0, Step::Metadata);
        Some(metadata)
    }
}

/// §3.1.1: the superior's parameters replace the subject's one by one, and only for types that the subject declares.
pub(in crate::federation) fn overlay(
    metadata: &mut Map<String, Value>,
    superior: &Map<String, Value>,
) {
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
