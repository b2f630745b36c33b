//! Constraints (OpenID Federation 1.0 §6.2): what a superior demands of every chain that runs through its statement.
//!
//! Read here from one statement; `chain` asks each statement's constraints about the part of the chain below it.

use std::collections::BTreeSet;
use std::net::IpAddr;

use serde_json::{Map, Value};

use super::entity::FEDERATION_ENTITY;

/// The `constraints` claim of one subordinate statement. Members that are not understood are ignored (§6.2).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Constraints {
    pub max_path_length: Option<u64>,
    pub naming: NamingConstraints,
    pub allowed_entity_types: Option<BTreeSet<String>>,
}

/// Host names in the URI form of RFC 5280 §4.2.1.10: `host.example` is that host, `.example` is any host below it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct NamingConstraints {
    pub permitted: Option<Vec<String>>,
    pub excluded: Vec<String>,
}

impl Constraints {
    pub fn parse(claim: &Value) -> Result<Self, ConstraintError> {
        let members = claim
            .as_object()
            .ok_or(ConstraintError::Malformed("constraints"))?;
        let max_path_length = members
            .get("max_path_length")
            .map(|value| {
                value
                    .as_u64()
                    .ok_or(ConstraintError::Malformed("max_path_length"))
            })
            .transpose()?;
        let naming = match members.get("naming_constraints") {
            None => NamingConstraints::default(),
            Some(value) => NamingConstraints::parse(value)?,
        };
        let allowed_entity_types = members
            .get("allowed_entity_types")
            .map(|value| strings(value, "allowed_entity_types"))
            .transpose()?
            .map(BTreeSet::from_iter);
        // §6.2.3: always allowed, and must not be listed.
        if allowed_entity_types
            .as_ref()
            .is_some_and(|types: &BTreeSet<String>| types.contains(FEDERATION_ENTITY))
        {
            return Err(ConstraintError::Malformed("allowed_entity_types"));
        }
        Ok(Self {
            max_path_length,
            naming,
            allowed_entity_types,
        })
    }

    /// §6.2.1: `intermediates` stand between the setter of this constraint and the subject of the chain.
    pub fn check_path_length(&self, intermediates: usize) -> Result<(), ConstraintError> {
        match self.max_path_length {
            Some(max) if intermediates as u64 > max => {
                Err(ConstraintError::PathTooLong { max, intermediates })
            }
            _ => Ok(()),
        }
    }

    /// §6.2.2: asked for the host of every subordinate below the setter.
    pub fn check_name(&self, host: &str) -> Result<(), ConstraintError> {
        let host = host.to_ascii_lowercase();
        // The final dot says only that a name is complete; it must not lead past an excluded one.
        let host = host.strip_suffix('.').map_or(host.clone(), str::to_owned);
        let matches = |names: &[String]| names.iter().any(|name| name_matches(name, &host));
        if matches(&self.naming.excluded) {
            return Err(ConstraintError::NameExcluded(host));
        }
        match &self.naming.permitted {
            // An address is never under a permitted name.
            Some(permitted) if is_address(&host) || !matches(permitted) => {
                Err(ConstraintError::NameNotPermitted(host))
            }
            _ => Ok(()),
        }
    }

    /// §6.2.3: removes the entity types that are not allowed. `federation_entity` always stays.
    pub fn remove_types(&self, metadata: &mut Map<String, Value>) {
        if let Some(allowed) = &self.allowed_entity_types {
            metadata.retain(|name, _| name == FEDERATION_ENTITY || allowed.contains(name));
        }
    }
}

impl NamingConstraints {
    fn parse(value: &Value) -> Result<Self, ConstraintError> {
        let members = value
            .as_object()
            .ok_or(ConstraintError::Malformed("naming_constraints"))?;
        let names = |member: &'static str| {
            members
                .get(member)
                .map(|value| -> Result<Vec<String>, ConstraintError> {
                    let names = strings(value, member)?;
                    names.into_iter().map(|name| ascii_name(&name)).collect()
                })
                .transpose()
        };
        Ok(Self {
            permitted: names("permitted")?,
            excluded: names("excluded")?.unwrap_or_default(),
        })
    }
}

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ConstraintError {
    #[error("{0} is malformed")]
    Malformed(&'static str),
    #[error("{intermediates} intermediates stand below, at most {max} are allowed")]
    PathTooLong { max: u64, intermediates: usize },
    #[error("the name {0} is excluded")]
    NameExcluded(String),
    #[error("the name {0} is not among those permitted")]
    NameNotPermitted(String),
}

fn strings(value: &Value, member: &'static str) -> Result<Vec<String>, ConstraintError> {
    let malformed = || ConstraintError::Malformed(member);
    let values = value.as_array().ok_or_else(malformed)?;
    values
        .iter()
        .map(|value| value.as_str().map(str::to_owned).ok_or_else(malformed))
        .collect()
}

/// Names are compared as lower-case A-labels, the form in which `url` gives the host of an identifier.
fn ascii_name(name: &str) -> Result<String, ConstraintError> {
    let malformed = || ConstraintError::Malformed("naming_constraints");
    let (dot, host) = match name.strip_prefix('.') {
        Some(host) => (".", host),
        None => ("", name),
    };
    match url::Host::parse(host).map_err(|_| malformed())? {
        url::Host::Domain(host) => {
            let host = host.strip_suffix('.').unwrap_or(&host);
            Ok(format!("{dot}{host}"))
        }
        // RFC 5280 §4.2.1.10: a constraint names a host or a domain; an address matches no permitted name, but
        // excluding one is meant seriously.
        address if dot.is_empty() => Ok(address.to_string()),
        _ => Err(malformed()),
    }
}

fn name_matches(name: &str, host: &str) -> bool {
    if name.starts_with('.') && !is_address(host) {
        // One or more labels in front; the domain itself does not match.
        host.len() > name.len() && host.ends_with(name)
    } else {
        host == name
    }
}

fn is_address(host: &str) -> bool {
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    bare.parse::<IpAddr>().is_ok()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn names_match_as_in_rfc_5280() {
        let cases = [
            ("host.example", "host.example", true),
            ("host.example", "a.host.example", false),
            ("host.example", "HOST.EXAMPLE", true),
            (".example", "host.example", true),
            (".example", "a.b.example", true),
            (".example", "example", false),
            (".example", "badexample", false),
            (".Example", "host.example", true),
            ("host.example", "host.example.", true),
            (".example.", "host.example", true),
            (".粤.example", "gd.xn--ruw.example", false),
            ("粤.example", "xn--t6t.example", false),
            (".1", "10.0.0.1", false),
            (".0.0.1", "127.0.0.1", false),
            (".example", "[::1]", false),
            ("10.0.0.1", "10.0.0.1", false),
        ];
        for (name, host, expected) in cases {
            let Ok(constraints) =
                Constraints::parse(&json!({"naming_constraints": {"permitted": [name]}}))
            else {
                assert!(!expected, "{name} should parse");
                continue;
            };
            assert_eq!(
                constraints.check_name(host).is_ok(),
                expected,
                "{name} {host}"
            );
        }
    }

    #[test]
    fn an_a_label_is_the_same_name_as_its_unicode_form() {
        let constraints =
            Constraints::parse(&json!({"naming_constraints": {"permitted": [".粤省事.example"]}}))
                .unwrap();
        let host = url::Url::parse("https://login.粤省事.example/").unwrap();
        assert!(constraints.check_name(host.host_str().unwrap()).is_ok());
    }

    #[test]
    fn excluded_wins_and_an_empty_list_permits_nothing() {
        let both = Constraints::parse(&json!({"naming_constraints": {
            "permitted": [".example.com"], "excluded": ["east.example.com"]
        }}))
        .unwrap();
        assert!(both.check_name("west.example.com").is_ok());
        assert_eq!(
            both.check_name("east.example.com"),
            Err(ConstraintError::NameExcluded("east.example.com".into()))
        );
        assert!(both.check_name("x.east.example.com").is_ok());
        let none = Constraints::parse(&json!({"naming_constraints": {"permitted": []}})).unwrap();
        assert!(none.check_name("a.example").is_err());
        let excluded =
            Constraints::parse(&json!({"naming_constraints": {"excluded": ["a.example"]}}))
                .unwrap();
        assert!(excluded.check_name("b.example").is_ok());
        assert!(excluded.check_name("a.example.").is_err());
    }

    #[test]
    fn path_length_counts_intermediates() {
        let one = Constraints::parse(&json!({"max_path_length": 1})).unwrap();
        assert!(one.check_path_length(0).is_ok());
        assert!(one.check_path_length(1).is_ok());
        assert!(one.check_path_length(2).is_err());
        assert!(Constraints::default().check_path_length(100).is_ok());
    }

    #[test]
    fn entity_types_are_removed_except_federation_entity() {
        let Value::Object(metadata) =
            json!({"federation_entity": {}, "openid_provider": {}, "openid_relying_party": {}})
        else {
            unreachable!()
        };
        for (allowed, expected) in [
            (json!([]), vec!["federation_entity"]),
            (
                json!(["openid_provider"]),
                vec!["federation_entity", "openid_provider"],
            ),
        ] {
            let constraints =
                Constraints::parse(&json!({"allowed_entity_types": allowed})).unwrap();
            let mut metadata = metadata.clone();
            constraints.remove_types(&mut metadata);
            assert_eq!(metadata.keys().collect::<Vec<_>>(), expected);
        }
    }

    #[test]
    fn malformed_constraints_are_refused_and_unknown_ones_ignored() {
        for bad in [
            json!([]),
            json!({"max_path_length": -1}),
            json!({"max_path_length": 1.5}),
            json!({"max_path_length": "1"}),
            json!({"naming_constraints": []}),
            json!({"naming_constraints": {"permitted": "a"}}),
            json!({"naming_constraints": {"permitted": [1]}}),
            json!({"naming_constraints": {"permitted": [""]}}),
            json!({"allowed_entity_types": "openid_provider"}),
            json!({"allowed_entity_types": ["federation_entity"]}),
        ] {
            assert!(Constraints::parse(&bad).is_err(), "{bad}");
        }
        assert_eq!(
            Constraints::parse(&json!({"new": 1})),
            Ok(Constraints::default())
        );
    }
}
