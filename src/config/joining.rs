//! `[entity.authority.joining]`: whether entities may ask an authority by themselves to be vouched for, and what those that ask
//! are held to. Whoever is approved is approved by an operator.

use serde::Deserialize;
use serde_json::Value;

use super::federation::json_text;

/// The joining page of an authority and the door beside it.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Joining {
    /// Off by default: a door that strangers may knock at is opened on purpose.
    pub open: bool,
    /// The `metadata_policy` (OpenID Federation 1.0 §6.1) that an approval gives unless the operator says another, as JSON text.
    /// Applicants are told beforehand what it would take from them.
    #[serde(deserialize_with = "json_text")]
    pub metadata_policy: Option<Value>,
}
