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
        let types = claim
            .as_object()
            .ok_or_else(|| PolicyError::new("", "", "", "metadata_policy is not an object"))?;
        let mut parsed = BTreeMap::new();
        for (entity_type, parameters) in types {
            let parameters = parameters.as_object().ok_or_else(|| {
                PolicyError::new(
                    entity_type,
                    "",
                    "",
                    "the policy of an entity type is not an object",
                )
            })?;
            let mut policies = BTreeMap::new();
            for (parameter, operators) in parameters {
                let policy = ParameterPolicy::parse(parameter, operators)
                    .map_err(|fault| fault.at(entity_type, parameter))?;
                policies.insert(parameter.clone(), policy);
            }
            parsed.insert(entity_type.clone(), policies);
        }
        Ok(Self(parsed))
    }

    /// Merges a subordinate's policy into this one, its superior's (§6.1.4.1). The result is never more permissive
    /// than either; where that is impossible the chain is invalid.
    pub fn merge(mut self, subordinate: Self) -> Result<Self, PolicyError> {
        for (entity_type, parameters) in subordinate.0 {
            let current = self.0.entry(entity_type.clone()).or_default();
            for (parameter, policy) in parameters {
                let merged = match current.remove(&parameter) {
                    Some(superior) => superior
                        .merge(policy)
                        .map_err(|fault| fault.at(&entity_type, &parameter))?,
                    None => policy,
                };
                current.insert(parameter, merged);
            }
        }
        Ok(self)
    }

    /// Applies the policy to every entity type that is present (§6.1.4.2). An absent type is skipped, so that
    /// `essential` and `value` never invent one.
    pub fn apply(&self, metadata: &mut Map<String, Value>) -> Result<(), PolicyError> {
        for (entity_type, parameters) in &self.0 {
            let Some(Value::Object(members)) = metadata.get_mut(entity_type) else {
                continue;
            };
            for (parameter, policy) in parameters {
                let before = members.remove(parameter);
                let after = policy
                    .apply(parameter, before)
                    .map_err(|fault| fault.at(entity_type, parameter))?;
                if let Some(after) = after {
                    members.insert(parameter.clone(), after);
                }
            }
        }
        Ok(())
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
