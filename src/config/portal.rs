//! `[entity.portal]`: a relying party of the federation.

use serde::Deserialize;

/// Settings of a portal.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Portal {
    /// Issuer of the provider that citizens log in at.
    pub provider: String,
    /// `acr_values` asked for at every login; empty: whatever the citizen has.
    pub acr_values: String,
}
