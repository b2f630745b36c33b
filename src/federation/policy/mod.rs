//! Metadata policy (OpenID Federation 1.0 §6.1): read, merged down a chain, applied to the subject's metadata.
//!
//! Pure functions on parsed types: no statement, no signature, no network. What one parameter's operators mean is in
//! `operators`; which policies meet which metadata, and in what order, is `chain`'s knowledge.

pub mod case;
pub mod operators;

use std::collections::BTreeMap;
use std::fmt;

use serde_json::{Map, Value};

pub use operators::ParameterPolicy;

/// The policies of one statement, or of a whole chain once merged: entity type → parameter → operators.
///
/// Ordered maps, so that what is fetched, resolved and explained twice reads the same twice.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct MetadataPolicy(BTreeMap<String, BTreeMap<String, ParameterPolicy>>);

impl MetadataPolicy {
    /// Reads the `metadata_policy` claim of one subordinate statement and checks its structure, the types of its
    /// operators' values and their combinations (§6.1.2, §6.1.3). Operators that are not understood are dropped:
    /// whether one of them is critical is asked by `critical_operators`.
    pub fn parse(claim: &Value) -> Result<Self, PolicyError> {
        Self::read(claim).map_err(Faults::first)
    }

    /// The same, telling everything that is wrong.
    pub fn read(claim: &Value) -> Result<Self, Faults> {
        let fault = |entity_type: &str, reason| PolicyError::new(entity_type, "", "", reason);
        let types = claim
            .as_object()
            .ok_or_else(|| Faults::of(fault("", "metadata_policy is not an object")))?;
        let mut parsed = BTreeMap::new();
        let mut faults = Vec::new();
        for (entity_type, parameters) in types {
            let Some(parameters) = parameters.as_object() else {
                let reason = "the policy of an entity type is not an object";
                faults.push(fault(entity_type, reason));
                continue;
            };
            let mut policies = BTreeMap::new();
            for (parameter, operators) in parameters {
                match ParameterPolicy::parse(parameter, operators) {
                    Ok(policy) => {
                        policies.insert(parameter.clone(), policy);
                    }
                    Err(fault) => faults.push(fault.at(entity_type, parameter)),
                }
            }
            parsed.insert(entity_type.clone(), policies);
        }
        Faults::none_or(faults).map(|()| Self(parsed))
    }

    /// Merges a subordinate's policy into this one, its superior's (§6.1.4.1). The result is never more permissive
    /// than either; where that is impossible the chain is invalid, for every reason that is told.
    pub fn merge_or_tell(mut self, subordinate: Self) -> Result<Self, Faults> {
        let mut faults = Vec::new();
        for (entity_type, parameters) in subordinate.0 {
            let current = self.0.entry(entity_type.clone()).or_default();
            for (parameter, policy) in parameters {
                let merged = match current.remove(&parameter) {
                    Some(superior) => superior.merge(policy),
                    None => Ok(policy),
                };
                match merged {
                    Ok(merged) => {
                        current.insert(parameter, merged);
                    }
                    Err(fault) => faults.push(fault.at(&entity_type, &parameter)),
                }
            }
        }
        Faults::none_or(faults).map(|()| self)
    }

    /// The same, telling the first reason.
    pub fn merge(self, subordinate: Self) -> Result<Self, PolicyError> {
        self.merge_or_tell(subordinate).map_err(Faults::first)
    }

    /// Applies the policy to every entity type that is present (§6.1.4.2). An absent type is skipped, so that
    /// `essential` and `value` never invent one. When something does not comply, the metadata must not be used.
    pub fn apply_or_tell(&self, metadata: &mut Map<String, Value>) -> Result<(), Faults> {
        let mut faults = Vec::new();
        for (entity_type, parameters) in &self.0 {
            let Some(Value::Object(members)) = metadata.get_mut(entity_type) else {
                continue;
            };
            for (parameter, policy) in parameters {
                let before = members.remove(parameter);
                match policy.apply(parameter, before) {
                    Ok(Some(after)) => {
                        members.insert(parameter.clone(), after);
                    }
                    Ok(None) => {}
                    Err(fault) => faults.push(fault.at(entity_type, parameter)),
                }
            }
        }
        Faults::none_or(faults)
    }

    /// The same, telling the first reason.
    pub fn apply(&self, metadata: &mut Map<String, Value>) -> Result<(), PolicyError> {
        self.apply_or_tell(metadata).map_err(Faults::first)
    }

    pub fn is_empty(&self) -> bool {
        self.0.values().all(BTreeMap::is_empty)
    }

    /// What the policy says about one parameter, for explanations.
    pub fn parameter(&self, entity_type: &str, parameter: &str) -> Option<&ParameterPolicy> {
        self.0.get(entity_type)?.get(parameter)
    }

    pub fn to_json(&self) -> Value {
        let types = self.0.iter().map(|(entity_type, parameters)| {
            let parameters: Map<_, _> = parameters
                .iter()
                .map(|(name, policy)| (name.clone(), policy.to_json()))
                .collect();
            (entity_type.clone(), Value::Object(parameters))
        });
        Value::Object(types.collect())
    }
}

/// Everything that is wrong with a policy or with metadata, in the order of names; never empty.
#[derive(Debug, Clone)]
pub struct Faults {
    first: PolicyError,
    others: Vec<PolicyError>,
}

impl Faults {
    fn of(first: PolicyError) -> Self {
        Self {
            first,
            others: Vec::new(),
        }
    }

    fn none_or(faults: Vec<PolicyError>) -> Result<(), Self> {
        let mut faults = faults.into_iter();
        match faults.next() {
            None => Ok(()),
            Some(first) => Err(Self {
                first,
                others: faults.collect(),
            }),
        }
    }

    pub fn first(self) -> PolicyError {
        self.first
    }

    pub fn iter(&self) -> impl Iterator<Item = &PolicyError> {
        std::iter::once(&self.first).chain(&self.others)
    }
}

/// Reads `metadata_policy_crit` (§3.1.3): a non-empty array of names of operators that are not standard ones.
/// hefu knows only the standard operators, so any name that is well-formed here is refused by the chain.
pub fn critical_operators(claim: &Value) -> Result<Vec<String>, PolicyError> {
    let fault = |reason: &str| PolicyError::new("", "", "", reason);
    let names = claim
        .as_array()
        .filter(|names| !names.is_empty())
        .ok_or_else(|| fault("metadata_policy_crit is not a non-empty array"))?;
    names
        .iter()
        .map(|name| match name.as_str() {
            Some(name) if operators::is_standard(name) => {
                Err(fault("metadata_policy_crit names a standard operator"))
            }
            Some(name) => Ok(name.to_owned()),
            None => Err(fault(
                "metadata_policy_crit holds something that is not a string",
            )),
        })
        .collect()
}

/// Where a policy contradicts itself, its superior or the metadata, and how. The texts are for operators and logs.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub struct PolicyError {
    pub entity_type: String,
    pub parameter: String,
    pub operator: String,
    pub reason: String,
}

impl PolicyError {
    pub(crate) fn new(entity_type: &str, parameter: &str, operator: &str, reason: &str) -> Self {
        Self {
            entity_type: entity_type.to_owned(),
            parameter: parameter.to_owned(),
            operator: operator.to_owned(),
            reason: reason.to_owned(),
        }
    }
}

impl fmt::Display for PolicyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (part, end) in [(&self.entity_type, "."), (&self.parameter, " ")] {
            if !part.is_empty() {
                write!(f, "{part}{end}")?;
            }
        }
        if !self.operator.is_empty() {
            write!(f, "({}) ", self.operator)?;
        }
        f.write_str(&self.reason)
    }
}

#[cfg(test)]
mod tests;
