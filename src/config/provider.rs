//! `[entity.provider]`: lifetimes and switches of the OpenID Provider (`docs/architecture.md` has the table).

use serde::Deserialize;
use serde_json::{Map, Value};

/// Settings of the provider.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Provider {
    /// Base of the `acr` values; `L1` … `L4` are appended.
    pub acr_base: String,
    /// Seconds that a national session lives at most.
    pub session_lifetime: i64,
    /// Seconds of idleness after which sensitive acts ask again.
    pub session_idle: i64,
    pub code_lifetime: i64,
    pub access_token_lifetime: i64,
    pub id_token_lifetime: i64,
    pub refresh_token_lifetime: i64,
    pub consent_lifetime: i64,
    pub par_lifetime: i64,
    /// Clients registered by hand, each a table with the metadata names of OIDC Dynamic Client Registration 1.0 and
    /// `client_id`, `client_secret`.
    pub clients: Vec<Map<String, Value>>,
}

impl Default for Provider {
    fn default() -> Self {
        Self {
            acr_base: "https://hefu.example/acr/".to_owned(),
            session_lifetime: 12 * 3600,
            session_idle: 15 * 60,
            code_lifetime: 60,
            access_token_lifetime: 300,
            id_token_lifetime: 300,
            refresh_token_lifetime: 30 * 86_400,
            consent_lifetime: 365 * 86_400,
            par_lifetime: 90,
            clients: Vec::new(),
        }
    }
}
