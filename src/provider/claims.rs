//! Which claims a request asks for and where they go: scopes (OIDC Core 5.4) and the `claims` parameter (5.5).
//! Values come from `identity`; whether the person agreed is asked in `interaction`.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::identity::details;
use crate::jose::json;
use crate::oauth::{Error, Scope};

/// The scopes offered, each with its claims. `openid` and `offline_access` carry none.
pub const SCOPES: [(&str, &[&str]); 7] = [
    ("openid", &[]),
    (
        "profile",
        &[
            "name",
            "family_name",
            "given_name",
            "middle_name",
            "nickname",
            "preferred_username",
            "profile",
            "picture",
            "website",
            "gender",
            "birthdate",
            "zoneinfo",
            "locale",
            "updated_at",
        ],
    ),
    ("phone", &["phone_number", "phone_number_verified"]),
    ("address", &["address"]),
    ("email", &["email", "email_verified"]),
    ("offline_access", &[]),
    (
        "real_name",
        &["name", "cn_id_number_masked", "assurance_level"],
    ),
];

/// The whole number of the identity document: in no scope, so asked for by name, and told under a trust mark only (`marks`).
pub const FULL_NUMBER: &str = "cn_id_number";

/// Claims that only a proven real name can fill.
const REAL_NAME: [&str; 3] = ["cn_id_number_masked", "assurance_level", FULL_NUMBER];
/// Claims of an identity document, which a phone alone never releases.
pub const VERIFIED: [&str; 6] = [
    "name",
    "birthdate",
    "gender",
    "cn_id_number_masked",
    "assurance_level",
    FULL_NUMBER,
];

/// The most members of a `claims` parameter that are read.
const MOST: usize = 100;

/// The `claims` parameter.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ClaimsRequest {
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub userinfo: BTreeMap<String, Wish>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub id_token: BTreeMap<String, Wish>,
}

/// How one claim is asked for.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Wish {
    #[serde(default)]
    pub essential: bool,
    /// The values that would do; empty: any.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub values: Vec<Value>,
}

impl ClaimsRequest {
    /// OIDC Core 5.5: unknown members and unknown names are ignored; wrong types are `invalid_request`.
    pub fn parse(text: &str) -> Result<Self, Error> {
        let refused = || {
            Error::invalid_request("the claims parameter is not the JSON object of OIDC Core 5.5")
        };
        let map = json::parse_object(text.as_bytes()).map_err(|_| refused())?;
        let place = |name: &str| match map.get(name) {
            None | Some(Value::Null) => Ok(BTreeMap::new()),
            Some(Value::Object(members)) if members.len() <= MOST => members
                .iter()
                .map(|(name, wish)| Ok((name.clone(), Wish::parse(wish).ok_or_else(refused)?)))
                .collect(),
            Some(_) => Err(refused()),
        };
        Ok(Self {
            userinfo: place("userinfo")?,
            id_token: place("id_token")?,
        })
    }

    /// Without the claims that no scope within `limit` carries: what was taken from a client's scopes is not to be had by name.
    #[must_use]
    pub fn within(mut self, limit: Option<&Scope>) -> Self {
        let Some(limit) = limit else { return self };
        let allowed = |name: &str| {
            if name == FULL_NUMBER {
                return limit.contains("real_name");
            }
            let mut carriers = SCOPES
                .iter()
                .filter(|(_, claims)| claims.contains(&name))
                .peekable();
            carriers.peek().is_none() || carriers.any(|(scope, _)| limit.contains(scope))
        };
        self.userinfo.retain(|name, _| allowed(name));
        self.id_token.retain(|name, _| allowed(name));
        self
    }

    /// Takes a claim out of both places; whether it was essential in one of them.
    pub fn take_out(&mut self, name: &str) -> bool {
        let taken = [self.userinfo.remove(name), self.id_token.remove(name)];
        taken.iter().flatten().any(|wish| wish.essential)
    }

    /// The names asked for in either place that this provider knows.
    pub fn known_names(&self) -> BTreeSet<String> {
        self.userinfo
            .keys()
            .chain(self.id_token.keys())
            .filter(|name| {
                *name == FULL_NUMBER
                    || SCOPES
                        .iter()
                        .any(|(_, claims)| claims.contains(&name.as_str()))
            })
            .cloned()
            .collect()
    }
}

impl Wish {
    fn parse(value: &Value) -> Option<Self> {
        let map = match value {
            Value::Null => return Some(Self::default()),
            Value::Object(map) => map,
            _ => return None,
        };
        let essential = match map.get("essential") {
            None => false,
            Some(Value::Bool(flag)) => *flag,
            Some(_) => return None,
        };
        let values = match (map.get("value"), map.get("values")) {
            (None, None) => Vec::new(),
            (Some(one), None) => vec![one.clone()],
            (None, Some(Value::Array(many))) => many.clone(),
            _ => return None,
        };
        Some(Self { essential, values })
    }

    fn accepts(&self, value: &Value) -> bool {
        self.values.is_empty() || self.values.contains(value)
    }
}

/// The claims of the granted scopes.
pub fn of_scope(scope: &Scope) -> BTreeSet<&'static str> {
    SCOPES
        .iter()
        .filter(|(name, _)| scope.contains(name))
        .flat_map(|(_, claims)| claims.iter().copied())
        .collect()
}

/// Whether the real name must be proven before this can be told.
pub fn wants_real_name(scope: &Scope, claims: &BTreeSet<String>) -> bool {
    scope.contains("real_name") || REAL_NAME.iter().any(|name| claims.contains(*name))
}

/// Whether something of an identity document would be told.
pub fn wants_verified(scope: &Scope, claims: &BTreeSet<String>) -> bool {
    let scoped = of_scope(scope);
    VERIFIED
        .iter()
        .any(|name| scoped.contains(name) || claims.contains(*name))
}

/// Whether something would be told that only the person says of themself (`identity::details`): then it is looked up.
pub fn wants_details(scope: &Scope, request: &ClaimsRequest) -> bool {
    of_scope(scope).into_iter().any(details::has)
        || request
            .userinfo
            .keys()
            .chain(request.id_token.keys())
            .any(|name| details::has(name))
}

/// What UserInfo tells: the scopes' claims and those asked for there, as far as `held` has them. Values that were
/// constrained and differ are left out (OIDC Core 5.5.1).
pub fn for_userinfo(
    scope: &Scope,
    request: &ClaimsRequest,
    held: &Map<String, Value>,
) -> Map<String, Value> {
    scoped(scope, &request.userinfo, held)
}

/// As people are shown them: who, which document, how proven, then the others.
pub fn in_order(names: BTreeSet<String>) -> Vec<String> {
    const FIRST: [&str; 4] = [
        "name",
        FULL_NUMBER,
        "cn_id_number_masked",
        "assurance_level",
    ];
    let mut names: Vec<String> = names.into_iter().collect();
    names.sort_by_key(|name| FIRST.iter().position(|f| f == name).unwrap_or(FIRST.len()));
    names
}

/// What the ID Token tells of the person: only what `claims` asks for there (OIDC Core 5.4: scopes go to UserInfo).
pub fn for_id_token(request: &ClaimsRequest, held: &Map<String, Value>) -> Map<String, Value> {
    pick(held, |name, value| {
        request.id_token.get(name).is_some_and(|w| w.accepts(value))
    })
}

/// What an ID Token tells that comes alone (response_type `id_token`): the scopes' claims too, since there is no UserInfo to
/// ask (OIDC Core 5.4).
pub fn for_lone_id_token(
    scope: &Scope,
    request: &ClaimsRequest,
    held: &Map<String, Value>,
) -> Map<String, Value> {
    scoped(scope, &request.id_token, held)
}

fn scoped(
    scope: &Scope,
    wishes: &BTreeMap<String, Wish>,
    held: &Map<String, Value>,
) -> Map<String, Value> {
    let scoped = of_scope(scope);
    pick(held, |name, value| {
        let wished = wishes.get(name);
        (scoped.contains(name) || wished.is_some()) && wished.is_none_or(|w| w.accepts(value))
    })
}

fn pick(held: &Map<String, Value>, keep: impl Fn(&str, &Value) -> bool) -> Map<String, Value> {
    held.iter()
        // Never null or empty (OIDC Core 5.3.2).
        .filter(|(name, value)| !value.is_null() && *value != "" && keep(name, value))
        .map(|(name, value)| (name.clone(), value.clone()))
        .collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn held() -> Map<String, Value> {
        json!({"name": "测试甲", "cn_id_number_masked": "4499**********0014", "assurance_level": "rn2",
            "phone_number": "+8614000000001", "phone_number_verified": true, "email": null, "address": ""})
        .as_object()
        .unwrap()
        .clone()
    }

    #[test]
    fn claims_go_only_where_they_were_asked_for() {
        let scope = Scope::parse("openid real_name address email").unwrap();
        let request = ClaimsRequest::parse(
            r#"{"userinfo": {"phone_number": null, "nobody:knows#this": {"essential": true}, "assurance_level": {"value": "rn4"}},
                "id_token": {"name": {"essential": true}, "phone_number": {"values": ["+86", "x"]}}, "other": 1}"#,
        )
        .unwrap();
        // Sorted here: whether a map keeps the order of insertion is a feature that any dependency may switch on.
        let names = |map: Map<String, Value>| {
            let mut names: Vec<String> = map.keys().cloned().collect();
            names.sort();
            names
        };
        assert_eq!(
            names(for_userinfo(&scope, &request, &held())),
            ["cn_id_number_masked", "name", "phone_number"]
        );
        assert_eq!(names(for_id_token(&request, &held())), ["name"]);
        assert_eq!(
            names(for_id_token(&ClaimsRequest::default(), &held())),
            [""; 0]
        );
        assert_eq!(
            request.known_names().into_iter().collect::<Vec<_>>(),
            ["assurance_level", "name", "phone_number"]
        );
    }

    #[test]
    fn no_claim_comes_by_name_that_its_scopes_may_not_bring() {
        let request = ClaimsRequest::parse(
            r#"{"userinfo": {"name": null, "birthdate": null, "phone_number": null, "x#y": null},
                "id_token": {"acr": {"essential": true}, "email": null}}"#,
        )
        .unwrap();
        let limit = Scope::parse("openid real_name").unwrap();
        let within = request.clone().within(Some(&limit));
        let names = |map: BTreeMap<String, Wish>| map.into_keys().collect::<Vec<_>>();
        assert_eq!(names(within.userinfo), ["name", "x#y"]);
        assert_eq!(names(within.id_token), ["acr"]);
        assert_eq!(request.clone().within(None), request);
    }

    #[test]
    fn malformed_requests_are_refused() {
        for bad in [
            "",
            "[]",
            "1",
            r#"{"userinfo": []}"#,
            r#"{"userinfo": {"name": 1}}"#,
            r#"{"id_token": {"name": {"essential": 1}}}"#,
            r#"{"id_token": {"name": {"values": 1}}}"#,
            r#"{"id_token": {"a": {"value": 1, "values": [1]}}}"#,
            r#"{"userinfo": {}, "userinfo": {}}"#,
        ] {
            assert!(ClaimsRequest::parse(bad).is_err(), "{bad}");
        }
        assert_eq!(
            ClaimsRequest::parse(r#"{"userinfo": null}"#),
            Ok(ClaimsRequest::default())
        );
    }
}
