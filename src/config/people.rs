//! `[entity.people]`: how the provider knows people: passwords, SMS codes, the population register.

use serde::Deserialize;

/// Settings of identity and authentication.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct People {
    /// Base URL of the population register's JSON API.
    pub register_url: String,
    /// URL to which SMS messages are posted.
    pub sms_gateway_url: String,
}
