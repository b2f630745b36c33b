//! `[entity.authority]`: what an anchor or an intermediate says about itself and those below it.

use serde::Deserialize;

/// Lifetimes and names of an authority.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Authority {
    /// Seconds that a subordinate statement lives: a dropped subordinate stops after this long at the latest.
    pub subordinate_statement_lifetime: i64,
}

impl Default for Authority {
    fn default() -> Self {
        Self {
            subordinate_statement_lifetime: 3600,
        }
    }
}
