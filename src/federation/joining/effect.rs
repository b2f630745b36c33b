//! What a superior's words do to a subordinate's metadata, before they are said: resolved once with the old words and once with the
//! new, and compared. Pure; whoever asks brings the subordinate's own metadata and what stands above the superior.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value, json};

use crate::federation::chain::{TrustChain, overlay};
use crate::federation::constraints::Constraints;
use crate::federation::entity::{EntityId, OPENID_RELYING_PARTY, Schemes};
use crate::federation::policy::MetadataPolicy;
use crate::federation::registration::check_relying_party;

/// What a superior says of a subordinate besides its keys.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Said {
    pub metadata: Option<Value>,
    pub metadata_policy: Option<Value>,
    pub constraints: Option<Value>,
}

/// What stands above the superior: policies merged, constraints from its immediate superior upwards.
#[derive(Debug, Clone, Default)]
pub struct Above {
    pub policy: MetadataPolicy,
    pub constraints: Vec<Constraints>,
}

impl Above {
    /// Of the superior's own chain. An anchor has nothing above it.
    pub fn of(chain: &TrustChain) -> Self {
        let said = chain.statements().iter().filter_map(|s| s.subordinate());
        Self {
            policy: chain.policy().clone(),
            constraints: said.map(|s| s.constraints.clone()).collect(),
        }
    }
}

impl Said {
    /// The metadata that an entity with `own` would have, or why none. The same order as in a chain (§3.1.1, §6.1.4.2, §6.2.3).
    pub fn resolve(
        &self,
        subject: &EntityId,
        own: &Map<String, Value>,
        above: &Above,
        schemes: Schemes,
    ) -> Result<Map<String, Value>, String> {
        let parse = |value: &Value| Constraints::parse(value).map_err(|e| e.to_string());
        let ours = self.constraints.as_ref().map(parse).transpose()?;
        let ours = ours.unwrap_or_default();
        let host = subject.host();
        ours.check_name(&host).map_err(|e| e.to_string())?;
        for (below, constraints) in above.constraints.iter().enumerate() {
            // The superior itself stands between, and those between it and the setter.
            let checked = constraints.check_path_length(below + 1);
            let checked = checked.and_then(|()| constraints.check_name(&host));
            checked.map_err(|e| e.to_string())?;
        }
        let policy = match &self.metadata_policy {
            None => MetadataPolicy::default(),
            Some(policy) => MetadataPolicy::parse(policy).map_err(|e| e.to_string())?,
        };
        let policy = above.policy.clone().merge(policy);
        let policy = policy.map_err(|e| e.to_string())?;
        let mut metadata = own.clone();
        if let Some(Value::Object(given)) = &self.metadata {
            overlay(&mut metadata, given);
        }
        for constraints in above.constraints.iter().chain([&ours]) {
            constraints.remove_types(&mut metadata);
        }
        policy.apply(&mut metadata).map_err(|e| e.to_string())?;
        if metadata.contains_key(OPENID_RELYING_PARTY) {
            check_relying_party(subject, &metadata, schemes)?;
        }
        Ok(metadata)
    }
}

/// One parameter that other words change.
#[derive(Debug, Clone, PartialEq)]
pub struct Difference {
    pub entity_type: String,
    pub parameter: String,
    pub before: Option<Value>,
    pub after: Option<Value>,
}

/// What other words do to one subordinate.
#[derive(Debug, Clone, PartialEq)]
pub enum Effect {
    Same,
    Changes(Vec<Difference>),
    /// It worked, and would no more.
    Breaks(String),
    /// It did not work, and would.
    Mends,
    /// It works in neither case.
    StaysBroken(String),
}

impl Effect {
    pub fn between(
        before: Result<Map<String, Value>, String>,
        after: Result<Map<String, Value>, String>,
    ) -> Self {
        match (before, after) {
            (Ok(before), Ok(after)) => {
                let found = differences(&before, &after);
                if found.is_empty() {
                    Self::Same
                } else {
                    Self::Changes(found)
                }
            }
            (Ok(_), Err(reason)) => Self::Breaks(reason),
            (Err(_), Ok(_)) => Self::Mends,
            (Err(_), Err(reason)) => Self::StaysBroken(reason),
        }
    }

    /// Whether somebody is worse off.
    pub fn harms(&self) -> bool {
        match self {
            Self::Breaks(_) => true,
            Self::Changes(found) => found.iter().any(|d| !d.lost().is_empty()),
            Self::Same | Self::Mends | Self::StaysBroken(_) => false,
        }
    }

    pub fn to_json(&self) -> Value {
        match self {
            Self::Same => json!({"effect": "same"}),
            Self::Mends => json!({"effect": "becomes_valid"}),
            Self::Breaks(reason) => json!({"effect": "becomes_invalid", "reason": reason}),
            Self::StaysBroken(reason) => json!({"effect": "stays_invalid", "reason": reason}),
            Self::Changes(found) => {
                let shown = found.iter().map(|d| {
                    json!({"entity_type": d.entity_type, "parameter": d.parameter, "before": d.before, "after": d.after,
                        "lost": d.lost(), "gained": d.gained()})
                });
                json!({"effect": "changes", "changes": shown.collect::<Vec<_>>()})
            }
        }
    }

    /// One line for each thing, as an operator reads it.
    pub fn lines(&self) -> Vec<String> {
        match self {
            Self::Same => vec!["nothing changes".to_owned()],
            Self::Mends => vec!["becomes valid".to_owned()],
            Self::Breaks(reason) => vec![format!("BECOMES INVALID: {reason}")],
            Self::StaysBroken(reason) => vec![format!("stays invalid: {reason}")],
            Self::Changes(found) => found.iter().map(Difference::line).collect(),
        }
    }
}

impl Difference {
    /// Values that were there and would be no more.
    pub fn lost(&self) -> Vec<String> {
        minus(
            &self.members(self.before.as_ref()),
            &self.members(self.after.as_ref()),
        )
    }

    /// Values that were not there and would be.
    pub fn gained(&self) -> Vec<String> {
        minus(
            &self.members(self.after.as_ref()),
            &self.members(self.before.as_ref()),
        )
    }

    fn line(&self) -> String {
        let mut line = format!("{}.{}:", self.entity_type, self.parameter);
        for (word, values) in [(" loses ", self.lost()), (" gains ", self.gained())] {
            if !values.is_empty() {
                line.push_str(word);
                line.push_str(&values.join(", "));
            }
        }
        line
    }

    /// A list, or a scope, is the set of its members; anything else is one value.
    fn members(&self, value: Option<&Value>) -> Vec<String> {
        let shown = |value: &Value| {
            value
                .as_str()
                .map_or_else(|| value.to_string(), str::to_owned)
        };
        match value {
            None => Vec::new(),
            Some(Value::Array(values)) => values.iter().map(shown).collect(),
            Some(Value::String(scope)) if self.parameter == "scope" => {
                scope.split(' ').map(str::to_owned).collect()
            }
            Some(value) => vec![shown(value)],
        }
    }
}

fn minus(these: &[String], those: &[String]) -> Vec<String> {
    let mut seen = BTreeSet::new();
    these
        .iter()
        .filter(|value| !those.contains(value) && seen.insert(*value))
        .cloned()
        .collect()
}

/// Parameter by parameter; an order of members that changed is no difference.
pub fn differences(before: &Map<String, Value>, after: &Map<String, Value>) -> Vec<Difference> {
    let (before, after) = (flat(before), flat(after));
    let names: BTreeSet<_> = before.keys().chain(after.keys()).collect();
    names
        .into_iter()
        .map(|name| Difference {
            entity_type: name.0.to_owned(),
            parameter: name.1.to_owned(),
            before: before.get(name).map(|value| Value::clone(value)),
            after: after.get(name).map(|value| Value::clone(value)),
        })
        .filter(|d| {
            d.before.is_some() != d.after.is_some()
                || !d.lost().is_empty()
                || !d.gained().is_empty()
        })
        .collect()
}

fn flat(metadata: &Map<String, Value>) -> BTreeMap<(&str, &str), &Value> {
    let types = metadata
        .iter()
        .filter_map(|(t, m)| Some((t, m.as_object()?)));
    types
        .flat_map(|(t, members)| {
            members
                .iter()
                .map(move |(name, value)| ((t.as_str(), name.as_str()), value))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const WHO: &str = "https://portal.gd.example";

    fn own() -> Map<String, Value> {
        let jwks = json!({"keys": []});
        let own = json!({"openid_relying_party": {"redirect_uris": ["https://portal.gd.example/cb", "https://portal.gd.example/app"],
            "scope": "openid phone real_name", "client_registration_types": ["automatic"], "jwks": jwks}});
        own.as_object().unwrap().clone()
    }

    fn said(policy: Value) -> Said {
        Said {
            metadata_policy: Some(json!({ "openid_relying_party": policy })),
            ..Said::default()
        }
    }

    fn resolve(said: &Said, above: &Above) -> Result<Map<String, Value>, String> {
        let who = EntityId::parse(WHO, Schemes::HttpsOnly).unwrap();
        said.resolve(&who, &own(), above, Schemes::HttpsOnly)
    }

    #[test]
    fn what_other_words_would_do() {
        let none = Said::default();
        let narrow = said(json!({"scope": {"subset_of": ["openid", "real_name"]}}));
        let one = said(json!({"redirect_uris": {"value": ["https://portal.gd.example/cb"]}}));
        let strict = said(json!({"logo_uri": {"essential": true}}));
        let no_uris = said(json!({"redirect_uris": {"subset_of": ["https://other.example/"]}}));
        let given = said(json!({"contacts": {"add": ["a@gd.example"]}}));
        let elsewhere = Said {
            constraints: Some(json!({"naming_constraints": {"permitted": [".js.example"]}})),
            ..Said::default()
        };
        let cases: [(&Said, &Said, bool, &[&str]); 9] = [
            (&none, &none, false, &["nothing changes"]),
            (
                &none,
                &narrow,
                true,
                &["openid_relying_party.scope: loses phone"],
            ),
            (
                &narrow,
                &none,
                false,
                &["openid_relying_party.scope: gains phone"],
            ),
            (
                &none,
                &one,
                true,
                &["openid_relying_party.redirect_uris: loses https://portal.gd.example/app"],
            ),
            (
                &none,
                &given,
                false,
                &["openid_relying_party.contacts: gains a@gd.example"],
            ),
            (
                &none,
                &strict,
                true,
                &["BECOMES INVALID: openid_relying_party.logo_uri (essential)"],
            ),
            (
                &none,
                &no_uris,
                true,
                &["BECOMES INVALID: redirect_uris is missing or empty"],
            ),
            (&strict, &none, false, &["becomes valid"]),
            (&none, &elsewhere, true, &["BECOMES INVALID: "]),
        ];
        for (before, after, harms, lines) in cases {
            let above = Above::default();
            let effect = Effect::between(resolve(before, &above), resolve(after, &above));
            assert_eq!(effect.harms(), harms, "{effect:?}");
            let said = effect.lines();
            assert_eq!(said.len(), lines.len(), "{said:?}");
            for (said, begins) in said.iter().zip(lines) {
                assert!(said.starts_with(begins), "{said} / {begins}");
            }
        }
        let both = Effect::between(
            resolve(&strict, &Above::default()),
            resolve(&no_uris, &Above::default()),
        );
        assert!(matches!(both, Effect::StaysBroken(_)), "{both:?}");
    }

    #[test]
    fn what_stands_above_counts_too() {
        let policy = json!({"openid_relying_party": {"scope": {"subset_of": ["openid", "phone"]}}});
        let above = Above {
            policy: MetadataPolicy::parse(&policy).unwrap(),
            constraints: Vec::new(),
        };
        let found = resolve(
            &said(json!({"scope": {"subset_of": ["openid", "real_name"]}})),
            &above,
        );
        assert_eq!(found.unwrap()["openid_relying_party"]["scope"], "openid");
        for (constraints, fits) in [
            (json!({"max_path_length": 0}), false),
            (json!({"max_path_length": 1}), true),
            (
                json!({"naming_constraints": {"excluded": [".gd.example"]}}),
                false,
            ),
            (json!({"allowed_entity_types": ["openid_provider"]}), true),
        ] {
            let above = Above {
                constraints: vec![Constraints::parse(&constraints).unwrap()],
                ..Above::default()
            };
            assert_eq!(
                resolve(&Said::default(), &above).is_ok(),
                fits,
                "{constraints}"
            );
        }
    }
}
