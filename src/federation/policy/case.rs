//! One case of metadata policy by itself: a superior's and a subordinate's policies for ONE entity type, and metadata of
//! that type. What `hefu federation policy` answers, so that anybody can hold these rules against the specification's.
//!
//! No chain stands around a case: `metadata_policy_crit`, constraints and signatures are `chain`'s.

use std::cell::Cell;
use std::fmt;

use serde::de::{Deserializer, Error as _, MapAccess, Visitor};
use serde_json::{Map, Value, json};

use super::MetadataPolicy;
use crate::jose::json::Strict;

/// What comes of a case.
#[derive(Debug, Clone, PartialEq)]
pub enum Answer {
    Resolved { merged: Value, resolved: Value },
    Refused { error: Refusal, description: String },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// The text is not a case.
    InvalidRequest,
    /// A policy contradicts the specification, itself or the other one (§6.1.4.1).
    InvalidPolicy,
    /// The metadata is malformed, or does not comply with the merged policy (§6.1.4.2).
    InvalidMetadata,
}

impl Answer {
    /// Reads `{"superior": {…}, "subordinate": {…}, "metadata": {…}}`, merges, applies. A missing policy is an empty one;
    /// other members are ignored.
    pub fn of(text: &[u8]) -> Self {
        resolve(text).unwrap_or_else(|(error, description)| Self::Refused { error, description })
    }

    pub fn to_json(&self) -> Value {
        match self {
            Self::Resolved { merged, resolved } => json!({"merged": merged, "resolved": resolved}),
            Self::Refused { error, description } => {
                json!({"error": error.as_str(), "description": description})
            }
        }
    }
}

impl Refusal {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::InvalidRequest => "invalid_request",
            Self::InvalidPolicy => "invalid_policy",
            Self::InvalidMetadata => "invalid_metadata",
        }
    }
}

type Refused = (Refusal, String);

/// The rules are written for several entity types; here is one, without a name.
const TYPE: &str = "";

fn resolve(text: &[u8]) -> Result<Answer, Refused> {
    let case = Case::parse(text)?;
    let policy = |whose: &str, value: Option<Value>| {
        let value = value.unwrap_or_else(|| json!({}));
        if !value.is_object() {
            return Err((
                Refusal::InvalidPolicy,
                format!("{whose}: the policy is not an object"),
            ));
        }
        MetadataPolicy::parse(&json!({ TYPE: value }))
            .map_err(|e| (Refusal::InvalidPolicy, format!("{whose}: {e}")))
    };
    let merged = policy("superior", case.superior)?
        .merge(policy("subordinate", case.subordinate)?)
        .map_err(|e| (Refusal::InvalidPolicy, format!("merged: {e}")))?;

    let invalid = |reason: String| (Refusal::InvalidMetadata, reason);
    let Value::Object(own) = case.metadata else {
        return Err(invalid("metadata is not an object".to_owned()));
    };
    // §3.1.1: no parameter is null, before or after.
    if let Some((name, _)) = own.iter().find(|(_, value)| value.is_null()) {
        return Err(invalid(format!("{name} is null")));
    }
    let mut metadata = Map::from_iter([(TYPE.to_owned(), Value::Object(own))]);
    merged
        .apply(&mut metadata)
        .map_err(|e| invalid(e.to_string()))?;
    let one = |types: Option<Value>| types.unwrap_or_else(|| json!({}));
    Ok(Answer::Resolved {
        merged: one(merged.to_json().get(TYPE).cloned()),
        resolved: one(metadata.remove(TYPE)),
    })
}

struct Case {
    superior: Option<Value>,
    subordinate: Option<Value>,
    metadata: Value,
}

impl Case {
    fn parse(text: &[u8]) -> Result<Self, Refused> {
        let reading = Cell::new(Refusal::InvalidRequest);
        let mut deserializer = serde_json::Deserializer::from_slice(text);
        let members = (&mut deserializer)
            .deserialize_map(Members { reading: &reading })
            .and_then(|members| deserializer.end().map(|()| members));
        let mut members = members.map_err(|e| {
            // §6.1.2: a repeated member is the policy's (or the metadata's) fault. What is no JSON at all is no case.
            let is_json = serde_json::from_slice::<Value>(text).is_ok();
            let error = if is_json {
                reading.get()
            } else {
                Refusal::InvalidRequest
            };
            (error, e.to_string())
        })?;
        let metadata = members.remove("metadata").ok_or_else(|| {
            let reason = "the case has no metadata".to_owned();
            (Refusal::InvalidRequest, reason)
        })?;
        Ok(Self {
            superior: members.remove("superior"),
            subordinate: members.remove("subordinate"),
            metadata,
        })
    }
}

/// Reads the object and remembers at which member it is.
struct Members<'a> {
    reading: &'a Cell<Refusal>,
}

impl<'de> Visitor<'de> for Members<'_> {
    type Value = Map<String, Value>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a case, which is an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<Self::Value, A::Error> {
        let mut members = Map::new();
        while let Some(name) = access.next_key::<String>()? {
            if members.contains_key(&name) {
                return Err(A::Error::custom(format_args!("{name} is repeated")));
            }
            self.reading.set(match name.as_str() {
                "superior" | "subordinate" => Refusal::InvalidPolicy,
                "metadata" => Refusal::InvalidMetadata,
                _ => Refusal::InvalidRequest,
            });
            let value = access.next_value_seed(Strict)?;
            self.reading.set(Refusal::InvalidRequest);
            members.insert(name, value);
        }
        Ok(members)
    }
}

#[cfg(test)]
mod tests;
