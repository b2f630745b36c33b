//! A chain as people are told it: hop by hop, who says what about whom, until when. `federation::explain` tells operators more.

use serde_json::Value;

use super::subordinate::asserted_name;
use crate::clock::UnixTime;
use crate::federation::chain::TrustChain;
use crate::federation::entity::EntityId;
use crate::federation::registration::Localized;
use crate::federation::statement::{EntityStatement, Kind as Statement};

/// What is told of one statement's policies, and of one value.
const MOST_POLICIES: usize = 40;
const LONGEST_POLICY: usize = 200;

/// One statement of a chain, as people are told it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Link {
    pub iss: EntityId,
    pub sub: EntityId,
    /// What `iss` calls `sub`.
    pub name: Option<Localized>,
    pub until: UnixTime,
    pub alg: &'static str,
    /// How many checks it passed.
    pub checks: usize,
    pub said: Said,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Said {
    /// The subject about itself: which superiors it names.
    Itself { superiors: Vec<EntityId> },
    /// The anchor about itself.
    Anchor,
    /// A superior about its immediate subordinate.
    Vouches {
        max_path_length: Option<u64>,
        /// Names that are permitted, when they are limited.
        permitted: Option<Vec<String>>,
        excluded: Vec<String>,
        types: Option<Vec<String>>,
        /// Type, parameter, operator and value of each rule.
        policies: Vec<String>,
    },
}

/// The name that a statement gives its subject.
pub(super) fn vouched_name(statement: Option<&EntityStatement>) -> Option<Localized> {
    asserted_name(&statement?.metadata)
}

/// From the subject to the anchor.
pub(super) fn links(chain: &TrustChain) -> Vec<Link> {
    let checks = |at: usize| chain.trace().hops.get(at).map_or(0, |hop| hop.checks.len());
    chain
        .statements()
        .iter()
        .enumerate()
        .map(|(at, statement)| Link {
            iss: statement.iss.clone(),
            sub: statement.sub.clone(),
            name: vouched_name(Some(statement)).filter(|_| statement.iss != statement.sub),
            until: statement.exp,
            alg: statement.alg.as_str(),
            checks: checks(at),
            said: said(statement, chain.anchor()),
        })
        .collect()
}

fn said(statement: &EntityStatement, anchor: &EntityId) -> Said {
    match &statement.kind {
        Statement::Configuration(_) if statement.sub == *anchor => Said::Anchor,
        Statement::Configuration(own) => Said::Itself {
            superiors: own.authority_hints.clone(),
        },
        Statement::Subordinate(vouched) => Said::Vouches {
            max_path_length: vouched.constraints.max_path_length,
            permitted: vouched.constraints.naming.permitted.clone(),
            excluded: vouched.constraints.naming.excluded.clone(),
            types: vouched
                .constraints
                .allowed_entity_types
                .as_ref()
                .map(|types| types.iter().cloned().collect()),
            policies: rules(&vouched.policy.to_json()),
        },
    }
}

/// Each rule of a policy as one line: `type parameter operator value`.
fn rules(policy: &Value) -> Vec<String> {
    let mut rules = Vec::new();
    for (entity_type, parameters) in policy.as_object().into_iter().flatten() {
        for (parameter, operators) in parameters.as_object().into_iter().flatten() {
            for (operator, value) in operators.as_object().into_iter().flatten() {
                if rules.len() < MOST_POLICIES {
                    let value: String = value.to_string().chars().take(LONGEST_POLICY).collect();
                    rules.push(format!("{entity_type} {parameter} {operator} {value}"));
                }
            }
        }
    }
    rules
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn rules_are_one_line_each_and_bounded() {
        let policy = json!({"openid_relying_party": {"scope": {"subset_of": ["openid"], "default": "x".repeat(500)}}});
        let told = rules(&policy);
        assert_eq!(told.len(), 2);
        assert!(told.contains(&"openid_relying_party scope subset_of [\"openid\"]".to_owned()));
        assert!(told.iter().all(|rule| rule.chars().count() < 260));
        let many: serde_json::Map<String, Value> = (0..99)
            .map(|n| (format!("p{n}"), json!({"value": n})))
            .collect();
        assert_eq!(
            rules(&json!({ "openid_provider": many })).len(),
            MOST_POLICIES
        );
    }
}
