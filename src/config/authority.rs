//! `[entity.authority]`: what an anchor or an intermediate says about itself and those below it.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value;

use super::joining::Joining;

/// Lifetimes, endpoints and marks of an authority.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Authority {
    /// Seconds that a subordinate statement lives: a dropped subordinate stops after this long at the latest.
    pub subordinate_statement_lifetime: i64,
    /// Seconds that a trust mark lives. Its bearer fetches a new one after half of them; whoever looks at marks without asking for
    /// their status believes a revoked one this long.
    pub trust_mark_lifetime: i64,
    /// Of an anchor: trust mark type → entity identifiers of who may issue it; an empty list lets anyone.
    pub trust_mark_issuers: BTreeMap<String, Vec<String>>,
    /// Of an anchor: trust mark type → its owner, without whose delegation nobody's mark of that type counts.
    pub trust_mark_owners: BTreeMap<String, Owner>,
    /// How callers of an endpoint may say who they are; an endpoint that is not named here asks nobody.
    pub auth_methods: BTreeMap<Endpoint, Vec<AuthMethod>>,
    /// Serves the extended listing (OpenID Federation Extended Subordinate Listing 1.0, a draft).
    pub extended_list: bool,
    /// Serves the entity collection (OpenID Federation Entity Collection Endpoint 1.0, a draft).
    pub collection: bool,
    /// Entities that ask by themselves.
    pub joining: Joining,
}

/// The owner of a trust mark type (OpenID Federation 1.0 §7.2).
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Owner {
    pub sub: String,
    /// A JWK Set as JSON text.
    #[serde(deserialize_with = "json_text")]
    pub jwks: Value,
}

/// A federation endpoint (OpenID Federation 1.0 §8).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Endpoint {
    Fetch,
    List,
    Resolve,
    TrustMarkStatus,
    TrustMarkList,
    TrustMark,
    ExtendedList,
    Collection,
}

/// How a caller may say who it is (§8.8).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AuthMethod {
    None,
    PrivateKeyJwt,
}

impl Endpoint {
    /// Those that every authority serves.
    pub const ALWAYS: [Self; 6] = [
        Self::Fetch,
        Self::List,
        Self::Resolve,
        Self::TrustMarkStatus,
        Self::TrustMarkList,
        Self::TrustMark,
    ];

    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Fetch => "fetch",
            Self::List => "list",
            Self::Resolve => "resolve",
            Self::TrustMarkStatus => "trust_mark_status",
            Self::TrustMarkList => "trust_mark_list",
            Self::TrustMark => "trust_mark",
            Self::ExtendedList => "extended_list",
            Self::Collection => "collection",
        }
    }
}

impl AuthMethod {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::PrivateKeyJwt => "private_key_jwt",
        }
    }
}

impl Default for Authority {
    fn default() -> Self {
        Self {
            subordinate_statement_lifetime: 3600,
            trust_mark_lifetime: 86_400,
            trust_mark_issuers: BTreeMap::new(),
            trust_mark_owners: BTreeMap::new(),
            auth_methods: BTreeMap::new(),
            extended_list: false,
            collection: false,
            joining: Joining::default(),
        }
    }
}

impl Authority {
    /// The endpoints that are served.
    pub fn endpoints(&self) -> Vec<Endpoint> {
        let mut served = Endpoint::ALWAYS.to_vec();
        served.extend(self.extended_list.then_some(Endpoint::ExtendedList));
        served.extend(self.collection.then_some(Endpoint::Collection));
        served
    }

    /// What is wrong with the section, each in a sentence.
    pub fn problems(&self, is_anchor: bool) -> Vec<String> {
        let mut problems = super::not_positive(&[
            (
                "authority.subordinate_statement_lifetime",
                self.subordinate_statement_lifetime,
            ),
            ("authority.trust_mark_lifetime", self.trust_mark_lifetime),
        ]);
        // §3.1.2: only an anchor's count.
        let knows_marks = !self.trust_mark_issuers.is_empty() || !self.trust_mark_owners.is_empty();
        if knows_marks && !is_anchor {
            problems.push(
                "authority.trust_mark_issuers and trust_mark_owners count in an anchor only"
                    .to_owned(),
            );
        }
        for (trust_mark_type, owner) in &self.trust_mark_owners {
            if !owner.jwks.get("keys").is_some_and(Value::is_array) {
                problems.push(format!(
                    "authority.trust_mark_owners: jwks of {trust_mark_type} is no JWK Set"
                ));
            }
        }
        for (endpoint, methods) in &self.auth_methods {
            let name = endpoint.as_str();
            if methods.is_empty() {
                problems.push(format!("authority.auth_methods.{name} lets nobody in"));
            }
            if !self.endpoints().contains(endpoint) {
                problems.push(format!(
                    "authority.auth_methods.{name}: the endpoint is not switched on"
                ));
            }
        }
        problems
    }
}

fn json_text<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Value, D::Error> {
    let text = String::deserialize(deserializer)?;
    serde_json::from_str(&text).map_err(serde::de::Error::custom)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_does_not_fit_is_said() {
        for (text, is_anchor, said) in [
            ("", false, ""),
            (
                "trust_mark_lifetime = 0",
                true,
                "authority.trust_mark_lifetime is 0; it must be at least 1",
            ),
            (
                "subordinate_statement_lifetime = 0",
                true,
                "authority.subordinate_statement_lifetime is 0; it must be at least 1",
            ),
            (
                "trust_mark_issuers = { \"https://t.example\" = [] }",
                true,
                "",
            ),
            (
                "trust_mark_issuers = { \"https://t.example\" = [] }",
                false,
                "authority.trust_mark_issuers and trust_mark_owners count in an anchor only",
            ),
            (
                "trust_mark_owners = { t = { sub = \"https://o.example\", jwks = '{}' } }",
                true,
                "authority.trust_mark_owners: jwks of t is no JWK Set",
            ),
            (
                "auth_methods = { fetch = [\"none\", \"private_key_jwt\"] }",
                false,
                "",
            ),
            (
                "auth_methods = { fetch = [] }",
                false,
                "authority.auth_methods.fetch lets nobody in",
            ),
            (
                "auth_methods = { collection = [\"private_key_jwt\"] }",
                false,
                "authority.auth_methods.collection: the endpoint is not switched on",
            ),
            (
                "collection = true\nauth_methods = { collection = [\"none\"] }",
                false,
                "",
            ),
        ] {
            let section: Authority = toml::from_str(text).unwrap();
            assert_eq!(section.problems(is_anchor).join("; "), said, "{text}");
        }
        assert!(toml::from_str::<Authority>("auth_methods = { fetch = [\"basic\"] }").is_err());
        assert!(toml::from_str::<Authority>("auth_methods = { tokens = [] }").is_err());
    }
}
