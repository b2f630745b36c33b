//! `[entity.federation]`: where an entity stands in the federation.

use std::num::{NonZeroU8, NonZeroU16};
use std::path::PathBuf;

use serde::Deserialize;
use serde_json::Value;

/// What any entity says and believes.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Federation {
    /// Immediate superiors, in the order of preference; empty for an anchor.
    pub authority_hints: Vec<String>,
    /// Whom this entity trusts, known out of band.
    pub trust_anchors: Vec<TrustAnchor>,
    /// Anchors that this entity lets others know it trusts (OpenID Federation 1.0 §3.1.2), in its configuration.
    pub trust_anchor_hints: Vec<String>,
    pub resolution: Resolution,
    pub organization_name: Option<String>,
    pub contacts: Vec<String>,
    /// Seconds that the entity configuration lives.
    pub entity_configuration_lifetime: Option<i64>,
    /// Marks that this entity has been granted: fetched from their issuers, shown in the entity configuration, fetched
    /// again before they end.
    pub trust_marks: Vec<Granted>,
}

/// A trust mark that an issuer has granted.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Granted {
    #[serde(rename = "type")]
    pub trust_mark_type: String,
    /// Entity identifier of the issuer.
    pub issuer: String,
}

/// How far one search for a trust chain may go (§18.1). What is absent has the value of `federation::resolve::Limits`.
#[derive(Debug, Clone, Copy, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Resolution {
    /// Entities in one chain, the anchor included.
    pub max_depth: Option<NonZeroU8>,
    /// `authority_hints` of one entity that are looked at.
    pub max_hints: Option<NonZeroU8>,
    /// Documents that are fetched.
    pub max_fetches: Option<NonZeroU16>,
    pub seconds: Option<NonZeroU16>,
    /// Mebibytes of statements, and of chains besides, that are kept in memory; what does not fit is looked up again.
    pub statement_memory_mib: Option<NonZeroU16>,
    pub chain_memory_mib: Option<NonZeroU16>,
}

/// A trust anchor: its identifier and the keys it was met with.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TrustAnchor {
    pub id: String,
    /// A JWK Set as JSON text, in the file itself.
    #[serde(default, deserialize_with = "json_text")]
    pub jwks: Option<Value>,
    /// Or a file that holds it.
    #[serde(default)]
    pub jwks_file: Option<PathBuf>,
}

pub(super) fn json_text<'de, D: serde::Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<Value>, D::Error> {
    let text = String::deserialize(deserializer)?;
    serde_json::from_str(&text)
        .map(Some)
        .map_err(serde::de::Error::custom)
}
